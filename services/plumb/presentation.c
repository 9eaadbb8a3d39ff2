#include "presentation.h"
#include "listing.h"
#include "memory/heap.h"
#include "service/service.h"

static const char *const measurement_fields[] = {
    "id",           "revision",   "model",         "version", "role",           "segment",
    "window_start", "window_end", "kind",          "column",  "metric",         "preset",
    "reference",    "value",      "threshold",     "p_value", "e_value",        "n_reference",
    "n_current",    "state",      "contributions", "offsets", "reference_hash", "contract_revision",
    NULL,
};
static const char *const alert_fields[] = {
    "fingerprint", "time",    "kind",     "severity",     "state",      "model",      "version",
    "role",        "segment", "columns",  "window_start", "window_end", "started_at", "sentence",
    "owner",       "runbook", "evidence", "offsets",      NULL,
};
static const char *const trigger_fields[] = {
    "trigger_id", "time",         "model", "version",    "reason",
    "alerts",     "measurements", "data",  "parameters", NULL,
};
static const char *const decision_fields[] = {
    "id", "time", "model", "version", "decision", "blocked_by", "evidence", NULL,
};
static const char *const signal_fields[] = {"time", "model", "mode", "reason", NULL};
static const char *const pane_fields[] = {
    "model", "version", "role",   "segment", "feed",    "part", "contract_revision", "start", "end",
    "chunk", "chunks",  "events", "offsets", "columns", NULL,
};

static const struct listing_column measurement_columns[] = {
    {"window_start", "WINDOW FROM", LISTING_TIME},
    {"model", "MODEL", LISTING_TEXT},
    {"version", "VER", LISTING_TEXT},
    {"column", "COLUMN", LISTING_TEXT},
    {"metric", "METRIC", LISTING_WORD},
    {"value", "VALUE", LISTING_NUMBER},
    {"n_current", "ROWS", LISTING_NUMBER},
    {"state", "STATE", LISTING_WORD},
    {NULL, NULL, LISTING_TEXT},
};
static const struct listing_column alert_columns[] = {
    {"time", "TIME", LISTING_TIME},   {"severity", "SEVERITY", LISTING_WORD},
    {"state", "STATE", LISTING_WORD}, {"kind", "KIND", LISTING_WORD},
    {"model", "MODEL", LISTING_TEXT}, {"columns", "COLUMNS", LISTING_TEXT},
    {"sentence", "", LISTING_BELOW},  {NULL, NULL, LISTING_TEXT},
};
static const struct listing_column trigger_columns[] = {
    {"time", "TIME", LISTING_TIME},       {"model", "MODEL", LISTING_TEXT},
    {"version", "VERSION", LISTING_TEXT}, {"trigger_id", "TRIGGER", LISTING_TEXT},
    {"reason", "", LISTING_BELOW},        {"data", "", LISTING_BELOW},
    {NULL, NULL, LISTING_TEXT},
};
static const struct listing_column decision_columns[] = {
    {"time", "TIME", LISTING_TIME},
    {"model", "MODEL", LISTING_TEXT},
    {"version", "VERSION", LISTING_TEXT},
    {"decision", "DECISION", LISTING_WORD},
    {"blocked_by", "BLOCKED BY", LISTING_TEXT},
    {NULL, NULL, LISTING_TEXT},
};
static const struct listing_column signal_columns[] = {
    {"time", "TIME", LISTING_TIME}, {"model", "MODEL", LISTING_TEXT},
    {"mode", "MODE", LISTING_WORD}, {"reason", "REASON", LISTING_TEXT},
    {NULL, NULL, LISTING_TEXT},
};
static const struct listing_column pane_columns[] = {
    {"start", "FROM", LISTING_TIME},      {"model", "MODEL", LISTING_TEXT},
    {"version", "VERSION", LISTING_TEXT}, {"segment", "SEGMENT", LISTING_TEXT},
    {"feed", "FEED", LISTING_TEXT},       {"part", "PART", LISTING_TEXT},
    {"events", "EVENTS", LISTING_NUMBER}, {NULL, NULL, LISTING_TEXT},
};
static const struct listing_column dead_letter_columns[] = {
    {"line", "LINE", LISTING_NUMBER},   {"reason", "REASON", LISTING_TEXT},
    {"column", "COLUMN", LISTING_TEXT}, {"detail", "DETAIL", LISTING_TEXT},
    {NULL, NULL, LISTING_TEXT},
};

/* In the order in which a mixed list has them. */
static const struct {
    enum topic topic;
    const char *record;
    const char *const *fields;
    const char *order;
    const struct listing_column *columns;
} kinds[] = {
    {TOPIC_MEASUREMENTS, "measurement", measurement_fields, "window_end", measurement_columns},
    {TOPIC_ALERTS, "alert", alert_fields, "time", alert_columns},
    {TOPIC_RETRAIN_TRIGGERS, "trigger", trigger_fields, "time", trigger_columns},
    {TOPIC_ROLLOUT_DECISIONS, "decision", decision_fields, "time", decision_columns},
    {TOPIC_SERVING_SIGNALS, "signal", signal_fields, "time", signal_columns},
    {TOPIC_WINDOW_PANES, "pane", pane_fields, "end", pane_columns},
    {TOPIC_INFERENCE_DEAD_LETTER, "dead_letter", NULL, "line", dead_letter_columns},
};

json_t *presentation_of(enum topic topic, const json_t *value)
{
    size_t kind = 0;
    while (kind < COUNT_OF(kinds) && kinds[kind].topic != topic)
        kind++;
    REQUIRE(kind < COUNT_OF(kinds));
    REQUIRE(kinds[kind].fields != NULL);
    json_t *object = json_object();
    (void)json_object_set_new(object, "record", json_string(kinds[kind].record));
    for (const char *const *field = kinds[kind].fields; *field != NULL; field++) {
        json_t *part = json_object_get(value, *field);
        (void)json_object_set_new(object, *field, part == NULL ? json_null() : json_incref(part));
    }
    return object;
}

/* A header's text; where it is not UTF-8, what of it is ASCII. */
static json_t *header_text(const struct record *record, const char *name)
{
    const struct header *header = record_header(record, name);
    if (header == NULL || header->value.size == 0)
        return json_null();
    json_t *text = json_stringn((const char *)header->value.bytes, header->value.size);
    if (text != NULL)
        return text;
    char *copy = span_copied(header->value);
    for (char *next = copy; *next != '\0'; next++)
        if ((unsigned char)*next >= 0x80)
            *next = '?';
    text = json_string(copy);
    heap_release(copy);
    return text;
}

static json_t *header_whole(const struct record *record, const char *name)
{
    const struct header *header = record_header(record, name);
    if (header == NULL || header->value.size == 0 || header->value.size > 18)
        return json_null();
    json_int_t whole = 0;
    for (size_t i = 0; i < header->value.size; i++) {
        const uint8_t digit = header->value.bytes[i];
        if (digit < '0' || digit > '9')
            return json_null();
        whole = whole * 10 + (digit - '0');
    }
    return json_integer(whole);
}

json_t *presentation_of_dead_letter(const struct record *record)
{
    json_t *object = json_object();
    (void)json_object_set_new(object, "record", json_string("dead_letter"));
    (void)json_object_set_new(object, "line", header_whole(record, "plumb-line"));
    (void)json_object_set_new(object, "reason", header_text(record, "plumb.reason"));
    (void)json_object_set_new(object, "column", header_text(record, "plumb.column"));
    (void)json_object_set_new(object, "detail", header_text(record, "plumb.detail"));
    return object;
}

json_t *presentation_record(const struct record *record)
{
    if (record->topic == TOPIC_INFERENCE_DEAD_LETTER)
        return presentation_of_dead_letter(record);
    if (record->topic != TOPIC_MEASUREMENTS && record->topic != TOPIC_ALERTS &&
        record->topic != TOPIC_RETRAIN_TRIGGERS && record->topic != TOPIC_ROLLOUT_DECISIONS &&
        record->topic != TOPIC_SERVING_SIGNALS)
        return NULL;
    json_t *value;
    struct reason reason;
    if (record->value.size == 0 || record_json(record, &value, &reason) != FAULT_NONE)
        return NULL;
    json_t *object = presentation_of(record->topic, value);
    json_decref(value);
    return object;
}

static size_t kind_of(const char *record)
{
    size_t kind = 0;
    while (kind < COUNT_OF(kinds) && (record == NULL || strcmp(kinds[kind].record, record) != 0))
        kind++;
    return kind;
}

const struct listing_column *presentation_columns(const char *record)
{
    const size_t kind = kind_of(record);
    return kind < COUNT_OF(kinds) ? kinds[kind].columns : NULL;
}

int presentation_rank(const json_t *object)
{
    const size_t kind = kind_of(json_string_value(json_object_get(object, "record")));
    return kind < COUNT_OF(kinds) ? (int)kind + 1 : 0;
}

int64_t presentation_order(const json_t *object)
{
    const int rank = presentation_rank(object);
    return rank == 0 ? 0 : json_integer_value(json_object_get(object, kinds[rank - 1].order));
}
