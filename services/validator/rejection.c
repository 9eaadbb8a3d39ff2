#include "rejection.h"

#include <stdarg.h>

static const struct {
    const char *name, *sentence;
} rows[REJECTION_CODE_COUNT] = {
#define REASON(name, sentence) [REJECTION_##name] = {#name, sentence},
#include "schemas/reasons.def"
#undef REASON
};

const char *rejection_name(enum rejection_code code)
{
    REQUIRE((unsigned)code < REJECTION_CODE_COUNT);
    return rows[code].name;
}

const char *rejection_sentence(enum rejection_code code)
{
    REQUIRE((unsigned)code < REJECTION_CODE_COUNT);
    return rows[code].sentence;
}

bool rejection_set(struct rejection *rejection, enum rejection_code code, struct span column,
                   const char *format, ...)
{
    REQUIRE(rejection != NULL);
    size_t size = column.size;
    if (size >= sizeof rejection->column) {
        size = sizeof rejection->column - 1;
        while (size > 0 && (column.bytes[size] & 0xc0u) == 0x80u)
            size--;
    }
    rejection->code = code;
    if (size > 0)
        memcpy(rejection->column, column.bytes, size);
    rejection->column[size] = '\0';
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(rejection->detail.text, sizeof rejection->detail.text, format, arguments);
    va_end(arguments);
    return false;
}
