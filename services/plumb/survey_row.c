#include "survey_row.h"
#include "clock/wall.h"
#include "memory/heap.h"

const struct listing_column survey_row_columns[] = {
    {"name", "SHARD", LISTING_TEXT},
    {"redis_at", "REDIS", LISTING_TEXT},
    {"kafka_at", "KAFKA", LISTING_TEXT},
    {"entries", "ENTRIES", LISTING_NUMBER},
    {"stream_time", "STREAM TIME", LISTING_TIME},
    {"outlook", "", LISTING_BELOW},
    {"details", "", LISTING_BELOW},
    {"entry_list", "", LISTING_BELOW},
    {NULL, NULL, LISTING_TEXT},
};
/* ---- What is told of a shard */

static json_t *time_of(int64_t time_ms)
{
    return time_ms == 0 ? json_null() : json_integer(time_ms);
}

static json_t *known(int64_t value, int64_t unknown)
{
    return value == unknown ? json_null() : json_integer(value);
}

static json_t *inputs_of(const struct outlook_facts *facts)
{
    json_t *list = json_array();
    for (size_t i = 0; i < facts->input_count; i++) {
        const struct outlook_input *input = &facts->inputs[i];
        (void)json_array_append_new(
            list,
            json_pack("{s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:I, s:I}", "topic",
                      topic_row(input->topic)->name, "partition", (int)input->partition,
                      "committed", known(input->committed, -1), "clock",
                      time_of(input->mark.clock_ms), "stream_time", time_of(input->mark.time_ms),
                      "replay", known(input->mark.replay, -1), "epoch", known(input->mark.epoch, 0),
                      "of", known(input->mark.partitions, 0), "partitions", (int)input->partitions,
                      "log_start", (json_int_t)input->first, "log_end", (json_int_t)input->end));
    }
    return list;
}

/* What is stored need be no UTF-8. */
static json_t *text_of(struct span bytes)
{
    json_t *text = json_stringn((const char *)bytes.bytes, bytes.size);
    if (text != NULL)
        return text;
    char *copy = span_copied(bytes);
    for (char *next = copy; *next != '\0'; next++)
        if ((unsigned char)*next >= 0x80)
            *next = '?';
    text = json_string(copy);
    heap_release(copy);
    return text;
}

static json_t *entries_of(const struct inspect_shard *redis)
{
    json_t *list = json_array();
    for (size_t i = 0; i < redis->entry_count; i++)
        (void)json_array_append_new(list, json_pack("{s:o, s:I, s:b}", "field",
                                                    text_of(redis->entries[i].field), "bytes",
                                                    (json_int_t)redis->entries[i].bytes.size,
                                                    "damaged", (int)redis->entries[i].damaged));
    return list;
}

static json_t *snapshot_of(const struct survey_shard *shard)
{
    if (!shard->facts.endless)
        return json_null();
    return json_pack("{s:o, s:I, s:I}", "positions",
                     shard->head == NULL ? json_null() : text_of(span_text(shard->head)), "entries",
                     (json_int_t)shard->head_entries, "found", (json_int_t)shard->facts.head_found);
}

int64_t survey_row_time(const struct outlook_facts *facts)
{
    int64_t least_ms = INT64_MAX;
    for (size_t i = 0; i < facts->input_count; i++)
        if (facts->inputs[i].mark.time_ms < least_ms)
            least_ms = facts->inputs[i].mark.time_ms;
    return least_ms;
}

/* ---- Its row in a table */

char *survey_row_name(const struct survey *survey, const struct survey_shard *shard)
{
    return heap_format("%s %s:%d", survey->service->name,
                       topic_row(shard->facts.inputs[0].topic)->name,
                       (int)shard->facts.inputs[0].partition);
}

static json_t *numbers_text(const struct outlook_facts *facts, bool stored)
{
    struct buffer text = {0};
    for (size_t i = 0; i < facts->input_count; i++) {
        const int64_t number = stored ? facts->positions[i] : facts->inputs[i].committed;
        if (stored ? !facts->has_positions : number < 0)
            buffer_format(&text, "%s-", i == 0 ? "" : ", ");
        else
            buffer_format(&text, "%s%lld", i == 0 ? "" : ", ", (long long)number);
    }
    json_t *value = text_of(buffer_span(&text));
    buffer_fini(&text);
    return value;
}

static json_t *details_text(const struct survey_shard *shard)
{
    const struct inspect_shard *redis = &shard->redis;
    struct buffer text = {0};
    char time[32];
    if (redis->exists)
        buffer_format(&text, "redis: epoch %lld, %llu bytes, owner %s%s", (long long)redis->epoch,
                      (unsigned long long)redis->bytes,
                      redis->owner[0] == '\0' ? "anybody" : redis->owner,
                      redis->damaged_count > 0 ? ", DAMAGED" : "");
    for (size_t i = 0; i < shard->facts.input_count; i++) {
        const struct outlook_input *input = &shard->facts.inputs[i];
        buffer_format(&text, "%s%s: log %lld..%lld", text.size == 0 ? "" : "; ",
                      topic_row(input->topic)->name, (long long)input->first,
                      (long long)input->end);
        if (input->mark.clock_ms > 0)
            buffer_format(&text, ", clock %s", wall_text(input->mark.clock_ms, time));
        if (input->mark.replay >= 0)
            buffer_format(&text, ", replay from %lld", (long long)input->mark.replay);
        if (input->mark.partitions > 0)
            buffer_format(&text, ", epoch %lld, of %d", (long long)input->mark.epoch,
                          (int)input->mark.partitions);
    }
    json_t *value = text_of(buffer_span(&text));
    buffer_fini(&text);
    return value;
}

static json_t *entry_list_text(const struct inspect_shard *redis)
{
    json_t *list = json_array();
    for (size_t i = 0; i < redis->entry_count; i++) {
        const struct inspect_entry *entry = &redis->entries[i];
        char *field = span_copied(entry->field);
        char *text = heap_format("%s %zu bytes%s", field, entry->bytes.size,
                                 entry->damaged ? " DAMAGED" : "");
        (void)json_array_append_new(list, text_of(span_text(text)));
        heap_release(text);
        heap_release(field);
    }
    return list;
}

static void set(json_t *object, const char *name, json_t *value)
{
    (void)json_object_set_new(object, name, value);
}

json_t *survey_row(const struct survey *survey, const struct survey_shard *shard, bool is_table,
                   bool lists)
{
    const struct inspect_shard *redis = &shard->redis;
    const struct outlook outlook = outlook_of(&shard->facts);
    const bool refused = outlook.kind == OUTLOOK_REFUSED;
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:o}",
                  "record", "shard", "service", survey->service->name, "shard", shard->tag, "state",
                  outlook_kind_name(outlook.kind), "fault",
                  refused ? json_string(fault_name(outlook.fault)) : json_null(), "outlook",
                  outlook.text.text, "stored",
                  redis->offset[0] == '\0' ? json_null() : text_of(span_text(redis->offset)),
                  "epoch", known(redis->epoch, 0), "owner",
                  redis->owner[0] == '\0' ? json_null() : text_of(span_text(redis->owner)),
                  "entries", (json_int_t)redis->entry_count, "bytes", (json_int_t)redis->bytes,
                  "damaged", (json_int_t)redis->damaged_count, "inputs", inputs_of(&shard->facts),
                  "snapshot", snapshot_of(shard));
    ENSURE(object != NULL);
    if (lists && !is_table)
        set(object, "entry_list", entries_of(redis));
    if (is_table) {
        char *name = survey_row_name(survey, shard);
        set(object, "name", json_string(name));
        heap_release(name);
        set(object, "redis_at", numbers_text(&shard->facts, true));
        set(object, "kafka_at", numbers_text(&shard->facts, false));
        set(object, "stream_time", time_of(survey_row_time(&shard->facts)));
        set(object, "details", details_text(shard));
        if (lists)
            set(object, "entry_list", entry_list_text(redis));
    }
    return object;
}
