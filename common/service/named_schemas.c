/* named_schemas.c: what a record's schema id or GUID means, where model.schemas does not say it:
 * the registry's answer for a live record, none for one that is replayed.
 *
 * A live record that waits for an answer is blocked as one that names a table's record is: it comes
 * again, nothing behind it is taken. A replayed one was answered when it was live: what was found
 * then stands in model.schemas, of which as much is read before a replay as there was at its end.
 */
#include "clock/wall.h"
#include "log/log.h"
#include "service/driver.h"

enum { END_TIMEOUT_MS = 5000, QUICK_MS = 1000, SAY_AGAIN_MS = 60000 };

static bool is_live(struct driver *driver, const struct schema_use *use)
{
    const struct seat *seat = driver_seat(driver, use->topic, use->partition);
    for (size_t k = 0; seat != NULL && k < seat->input_count; k++)
        if (seat->inputs[k].topic == use->topic)
            return use->offset >= seat->live_from[k];
    return true;
}

static enum schema_answer answer_of(struct driver *driver, const struct schema_use *use,
                                    const struct schema **out_schema, struct reason *out_reason)
{
    switch (registry_find(driver->registry, use->name, out_schema, out_reason)) {
    case REGISTRY_FOUND:
        return SCHEMA_FOUND;
    case REGISTRY_MISSING:
        return SCHEMA_MISSING;
    case REGISTRY_REFUSED:
        return SCHEMA_REFUSED;
    case REGISTRY_AWAITED:
        break;
    }
    (void)snprintf(driver->awaited_schema, sizeof driver->awaited_schema, "%.*s",
                   (int)use->name.size, (const char *)use->name.bytes);
    return SCHEMA_AWAITED;
}

static enum schema_answer find(void *context, const struct schema_use *use,
                               const struct schema **out_schema, struct reason *out_reason)
{
    struct driver *driver = context;
    if (!is_live(driver, use))
        return SCHEMA_MISSING;
    const struct schema *schema = catalog_schema_named(driver->catalog, use->name);
    if (schema != NULL) {
        *out_schema = schema;
        return SCHEMA_FOUND;
    }
    return driver->registry == NULL ? SCHEMA_MISSING
                                    : answer_of(driver, use, out_schema, out_reason);
}

static void on_registry_change(void *context)
{
    struct driver *driver = context;
    driver_wake(driver);
}

enum fault driver_open_registry(struct driver *driver, struct reason *out_reason)
{
    if (!driver->service->names_schemas)
        return FAULT_NONE;
    catalog_set_lookup(driver->catalog, &(struct schema_lookup){.find = find, .context = driver});
    return registry_open(driver->options, driver->loop, on_registry_change, driver,
                         &driver->registry, out_reason);
}

/* An answer that is quick is not worth a word, nor is the same word 20 times a second. */
static bool is_slow(struct driver *driver, const char *why)
{
    const int64_t now_ns = monotonic_now_ns();
    if (strcmp(driver->awaited_before, driver->awaited_schema) != 0) {
        memcpy(driver->awaited_before, driver->awaited_schema, sizeof driver->awaited_before);
        driver->awaited_since_ns = now_ns;
        driver->awaited_said_ns = 0;
    }
    return why[0] != '\0' || now_ns - driver->awaited_since_ns > (int64_t)QUICK_MS * 1000000;
}

bool driver_say_awaited(struct driver *driver)
{
    if (driver->awaited_schema[0] == '\0') {
        log_write(LOG_WARN, "waiting_for_tables",
                  LOG_TEXT("effect", "a record names a contract, baseline or schema not read yet"));
        return true;
    }
    const char *why = registry_why(driver->registry);
    if (!is_slow(driver, why))
        return false;
    const int64_t now_ns = monotonic_now_ns();
    if (driver->awaited_said_ns == 0 ||
        now_ns - driver->awaited_said_ns > (int64_t)SAY_AGAIN_MS * 1000000) {
        log_write(LOG_WARN, "waiting_for_schema", LOG_TEXT("id", driver->awaited_schema),
                  LOG_TEXT("why", why[0] == '\0' ? "the registry does not answer" : why),
                  LOG_TEXT("effect", "records wait; nothing is lost"));
        driver->awaited_said_ns = now_ns;
    }
    return true;
}

void driver_observe_registry(struct driver *driver)
{
    if (driver->registry == NULL)
        return;
    const struct registry_counts counts = registry_counts(driver->registry);
    const struct registry_counts *before = &driver->registry_counted;
    const struct {
        const char *label;
        uint64_t more;
    } rows[] = {{"request", counts.requests - before->requests},
                {"failure", counts.failures - before->failures},
                {"found", counts.found - before->found},
                {"missing", counts.missing - before->missing}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        metric_count(driver->metrics, "schema_registry_total", rows[i].label, (double)rows[i].more);
    driver->registry_counted = counts;
    metric_set_value(driver->metrics, "schema_registry_connected", NULL,
                     registry_why(driver->registry)[0] == '\0');
}

/* On the job's thread, behind the committed offsets: where model.schemas ends now. */
enum fault driver_find_schemas_end(struct driver *driver)
{
    const size_t count = (size_t)driver->partitions[TOPIC_MODEL_SCHEMAS];
    if (!driver->service->names_schemas)
        return FAULT_NONE;
    enum fault fault = FAULT_NONE;
    for (size_t p = 0; p < count && fault == FAULT_NONE; p++)
        fault = source_end(driver->source, TOPIC_MODEL_SCHEMAS, (int32_t)p, END_TIMEOUT_MS,
                           &driver->schemas_end[p]);
    if (fault != FAULT_NONE)
        reason_set(&driver->job_reason, "the end of %s cannot be read",
                   driver->names[TOPIC_MODEL_SCHEMAS]);
    return fault;
}

bool driver_has_schemas(const struct driver *driver)
{
    for (int32_t p = 0;
         driver->service->names_schemas && p < driver->partitions[TOPIC_MODEL_SCHEMAS]; p++)
        if (driver->schemas_read[p] < driver->schemas_end[p])
            return false;
    return true;
}
