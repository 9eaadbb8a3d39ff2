/* Target functions: the validator's fold: JSON, single-object framing, Avro decoding, the
 * contract's rules, dead letters; then the windower's over what passed. Whatever the bytes: exactly
 * one record goes on or becomes a dead letter, and the flow's ends meet. */
#include "fuzz.h"
#include "service/in_process.h"
#include "services_fixture.h"
#include "validator/validator.h"
#include "windower/windower.h"

struct counts {
    size_t validated, dead;
};

static void on_output(void *context, const struct record *record)
{
    struct counts *counts = context;
    counts->validated += record->topic == TOPIC_INFERENCE_VALIDATED;
    counts->dead += record->topic == TOPIC_INFERENCE_DEAD_LETTER;
}

/* Ids 1 and 2 have a schema, 3 one that cannot be read, others none. */
static enum schema_answer find(void *context, const struct schema_use *use,
                               const struct schema **out_schema, struct reason *out_reason)
{
    (void)context;
    if (span_is(use->name, "1") || span_is(use->name, "2")) {
        *out_schema =
            schema_embedded(span_is(use->name, "1") ? "inference.events" : "ground.truth");
        return SCHEMA_FOUND;
    }
    reason_set(out_reason, "not an Avro schema");
    return span_is(use->name, "3") ? SCHEMA_REFUSED : SCHEMA_MISSING;
}

/* horizon: of duplicates. */
static struct in_process *driver_create(const char *horizon, struct counts *counts)
{
    static const struct service *const flow[] = {&validator_service, &windower_service, NULL};
    static const struct schema_lookup lookup = {.find = find};
    struct option_set *options = option_set_create(&validator_service.options, 1);
    char *words[] = {(char *)(uintptr_t) "--duplicates-horizon", (char *)(uintptr_t)horizon};
    struct reason reason = {""};
    ENSURE(option_set_read(options, COUNT_OF(words), words, &reason) == FAULT_NONE);
    struct in_process *driver =
        in_process_create(&(struct in_process_options){.services = flow,
                                                       .partition_count = 1,
                                                       .batch = 1,
                                                       .options = options,
                                                       .lookup = &lookup,
                                                       .on_output = on_output,
                                                       .context = counts});
    fixture_publish_model(driver);
    return driver;
}

/* The first byte chooses the topic, and whether duplicates are looked for (they never reach the
 * windower's reading of an event); the rest is the record's value. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct in_process *drivers[2]; /* kept over all inputs: state must survive them, too */
    static struct counts counts;
    if (drivers[0] == NULL) {
        drivers[0] = driver_create("0s", &counts);
        drivers[1] = driver_create("10m", &counts);
    }
    if (size < 2)
        return 0;
    struct in_process *driver = drivers[bytes[0] / 2 % 2];
    counts = (struct counts){0};
    const struct record record = {.topic = bytes[0] % 2 == 0 ? TOPIC_INFERENCE_EVENTS
                                                             : TOPIC_GROUND_TRUTH,
                                  .arrival_ms = 1700000100000,
                                  .value = span_of(bytes + 1, size - 1)};
    in_process_feed(driver, &record);
    ENSURE(counts.validated + counts.dead == 1);
    return 0;
}
