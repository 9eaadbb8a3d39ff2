/* Target functions: pattern_compile, pattern_search.
 * The bytes are a pattern, zero, and a value that is repeated to the longest there may be. Whatever
 * they are: a refusal with a reason, or an answer in bounded time. */
#include "fuzz.h"
#include "metric/process_usage.h"
#include "model/pattern.h"

static void search(const struct pattern *pattern, struct span unit)
{
    static uint8_t value[PATTERN_VALUE_MAX];
    for (size_t i = 0; i < sizeof value; i++) /* ASCII: what is not UTF-8 is not searched */
        value[i] = unit.size == 0 ? 'a' : unit.bytes[i % unit.size] & 0x7fu;
    value[sizeof value - 1] = '!'; /* so that what fits all else has to go back */
    struct pattern_room *room = pattern_room_create();
    const double before = process_usage_cpu_seconds();
    (void)pattern_search(pattern, span_of(value, sizeof value), room);
    ENSURE(process_usage_cpu_seconds() - before < 2);
    pattern_room_destroy(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const uint8_t *zero = size == 0 ? NULL : memchr(bytes, 0, size);
    if (zero == NULL)
        return 0;
    struct pattern *pattern = NULL;
    struct reason reason = {""};
    if (pattern_compile((const char *)bytes, &pattern, &reason) != FAULT_NONE) {
        ENSURE(strncmp(reason.text, "pattern", 7) == 0);
        return 0;
    }
    const size_t used = (size_t)(zero - bytes) + 1;
    search(pattern, span_of(bytes + used, size - used));
    pattern_destroy(pattern);
    return 0;
}
