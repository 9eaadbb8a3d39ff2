#include "model/event.h"
#include "avro/skim.h"
#include "memory/heap.h"
#include "model/bag.h"
#include "model/value.h"

/* The years 1 to 9999: differences of such times cannot overflow, wherever they are taken. */
#define TIME_MIN_MS INT64_C(-62135596800000)
#define TIME_MAX_MS INT64_C(253402300799999)

/* Where a field of the writer's event record goes. */
enum target {
    TARGET_SKIP,
    TARGET_EVENT_ID,
    TARGET_EVENT_TIME,
    TARGET_MODEL_NAME,
    TARGET_MODEL_VERSION,
    TARGET_FEATURES,
    TARGET_PREDICTION, /* up to here: required */
    TARGET_REQUEST_ID,
    TARGET_ENTITY_ID,
    TARGET_ROLE,
    TARGET_STATUS,
    TARGET_SCORES,
    TARGET_CONFIDENCE,
    TARGET_LATENCY,
    TARGET_COUNT
};

/* What a target's type may be; a union may have it among its branches. */
enum shape { SHAPE_TEXT, SHAPE_TIME, SHAPE_BAG, SHAPE_ANY };

static const struct {
    const char *field;
    enum shape shape;
    const char *wanted;
} targets[TARGET_COUNT] = {
    [TARGET_EVENT_ID] = {"event_id", SHAPE_TEXT, "a string"},
    [TARGET_EVENT_TIME] = {"event_time", SHAPE_TIME, "a long, in milliseconds or with timestamp-"},
    [TARGET_MODEL_NAME] = {"model_name", SHAPE_TEXT, "a string"},
    [TARGET_MODEL_VERSION] = {"model_version", SHAPE_TEXT, "a string"},
    [TARGET_FEATURES] = {"features", SHAPE_BAG, "a record or a map"},
    [TARGET_PREDICTION] = {"prediction", SHAPE_ANY, ""},
    [TARGET_REQUEST_ID] = {"request_id", SHAPE_TEXT, "a string"},
    [TARGET_ENTITY_ID] = {"entity_id", SHAPE_TEXT, "a string"},
    [TARGET_ROLE] = {"role", SHAPE_TEXT, "an enum or a string"},
    [TARGET_STATUS] = {"status", SHAPE_TEXT, "an enum or a string"},
    [TARGET_SCORES] = {"scores", SHAPE_BAG, "a map or a record"},
    [TARGET_CONFIDENCE] = {"confidence", SHAPE_ANY, ""},
    [TARGET_LATENCY] = {"latency_ms", SHAPE_ANY, ""},
};

static const char *const role_names[] = {
    [ROLE_CHAMPION] = "CHAMPION", [ROLE_SHADOW] = "SHADOW", [ROLE_CANARY] = "CANARY"};
static const char *const status_names[] = {[STATUS_OK] = "OK",
                                           [STATUS_ERROR] = "ERROR",
                                           [STATUS_FALLBACK] = "FALLBACK",
                                           [STATUS_CACHED] = "CACHED",
                                           [STATUS_ABSTAINED] = "ABSTAINED"};

struct event_reader {
    const struct schema_node *top;   /* borrowed: the whole of the bytes */
    const struct schema_node *event; /* borrowed: top, or the type of its field `event` */
    enum target *targets;            /* owned, [event->field_count] */
    bool reads_columns;              /* there is a contract */
    struct bag features, scores;
};

const char *event_role_name(enum event_role role)
{
    REQUIRE((size_t)role < COUNT_OF(role_names));
    return role_names[role];
}

const char *event_status_name(enum event_status status)
{
    REQUIRE((size_t)status < COUNT_OF(status_names));
    return status_names[status];
}

/* ---- create ---- */

static bool shape_takes(enum shape shape, const struct schema_node *node)
{
    switch (shape) {
    case SHAPE_TEXT:
        return node->kind == SCHEMA_STRING || node->kind == SCHEMA_ENUM;
    case SHAPE_TIME:
        return node->kind == SCHEMA_LONG && node->logical != LOGICAL_OTHER;
    case SHAPE_BAG:
        return node->kind == SCHEMA_RECORD || node->kind == SCHEMA_MAP;
    case SHAPE_ANY:
        return true;
    }
    UNREACHABLE("all shapes are above");
}

/* A union will do when one of its branches does: a record of another branch is refused when read.
 */
static bool shape_fits(enum shape shape, const struct schema_node *node)
{
    if (node->kind != SCHEMA_UNION)
        return shape_takes(shape, node);
    for (size_t i = 0; i < node->field_count; i++)
        if (shape_takes(shape, node->fields[i].type))
            return true;
    return false;
}

static enum target target_of(const char *field)
{
    for (size_t i = TARGET_SKIP + 1; i < TARGET_COUNT; i++)
        if (strcmp(targets[i].field, field) == 0)
            return (enum target)i;
    return TARGET_SKIP;
}

/* The event itself, or what stands in a record of inference.validated. */
static const struct schema_node *event_node(const struct schema_node *top)
{
    const struct schema_field *event = schema_field(top, "event");
    const struct schema_field *enrichment = schema_field(top, "enrichment");
    const bool validated = event != NULL && enrichment != NULL &&
                           event->type->kind == SCHEMA_RECORD &&
                           enrichment->type->kind == SCHEMA_RECORD;
    return validated ? event->type : top;
}

static enum fault find_targets(struct event_reader *reader, struct reason *reason)
{
    bool found[TARGET_COUNT] = {false};
    for (size_t i = 0; i < reader->event->field_count; i++) {
        const struct schema_field *field = &reader->event->fields[i];
        const enum target target = target_of(field->name);
        reader->targets[i] = target;
        found[target] = true;
        if (target != TARGET_SKIP && !shape_fits(targets[target].shape, field->type)) {
            reason_set(reason, "%s: must be %s", field->name, targets[target].wanted);
            return FAULT_SCHEMA_INVALID;
        }
    }
    for (size_t i = TARGET_SKIP + 1; i <= TARGET_PREDICTION; i++) {
        if (!found[i]) {
            reason_set(reason, "%s: the field is missing", targets[i].field);
            return FAULT_SCHEMA_INVALID;
        }
    }
    return FAULT_NONE;
}

static const struct schema_node *field_type(const struct schema_node *record, const char *name)
{
    const struct schema_field *field = schema_field(record, name);
    return field == NULL ? NULL : field->type;
}

static void open_bags(struct event_reader *reader, const struct contract *contract)
{
    struct bag *features = &reader->features, *scores = &reader->scores;
    features->count = contract == NULL ? 0 : contract->column_count;
    features->names = heap_zeroed(features->count, sizeof *features->names);
    for (size_t i = 0; i < features->count; i++)
        features->names[i] = span_text(contract->columns[i].name);
    scores->count = contract == NULL ? 0 : contract->score_count;
    scores->names = heap_zeroed(scores->count, sizeof *scores->names);
    for (size_t i = 0; i < scores->count; i++)
        scores->names[i] = span_text(contract->scores[i]);
    bag_open(features, field_type(reader->event, "features"));
    bag_open(scores, field_type(reader->event, "scores"));
    reader->reads_columns = contract != NULL;
}

enum fault event_reader_create(const struct schema *writer, const struct contract *contract,
                               struct event_reader **out_reader, struct reason *out_reason)
{
    REQUIRE(writer != NULL);
    REQUIRE(out_reader != NULL);
    const struct schema_node *top = schema_root(writer);
    if (top->kind != SCHEMA_RECORD) {
        reason_set(out_reason, "an event must be a record");
        return FAULT_SCHEMA_INVALID;
    }
    struct event_reader *reader = heap_zeroed(1, sizeof *reader);
    reader->top = top;
    reader->event = event_node(top);
    reader->targets = heap_zeroed(reader->event->field_count, sizeof *reader->targets);
    const enum fault fault = find_targets(reader, out_reason);
    if (fault != FAULT_NONE) {
        event_reader_destroy(reader);
        return fault;
    }
    open_bags(reader, contract);
    *out_reader = reader;
    return FAULT_NONE;
}

void event_reader_destroy(struct event_reader *reader)
{
    if (reader == NULL)
        return;
    bag_close(&reader->features);
    bag_close(&reader->scores);
    heap_release(reader->targets);
    heap_release(reader);
}

/* ---- read: each function returns false with skim's fault and text set ---- */

static bool malformed(struct skim *skim, const char *what)
{
    return skim_fail(skim, FAULT_RECORD_MALFORMED, what);
}

/* Null leaves the text as it is; required ones are checked at the end. A zero byte would cut the
 * text where it is used as a C string. */
static bool read_id(struct skim *skim, const struct schema_node *node, struct span *out)
{
    struct value value;
    if (!value_read(skim, node, 1, &value))
        return false;
    if (value.kind == VALUE_NULL)
        return true;
    if (value.kind != VALUE_TEXT)
        return malformed(skim, "not a text");
    if (value.text.size != 0 && memchr(value.text.bytes, 0, value.text.size) != NULL)
        return malformed(skim, "a text with a zero byte");
    *out = value.text;
    return true;
}

static bool read_time(struct skim *skim, const struct schema_node *node, int64_t *out)
{
    if (!value_branch(skim, &node))
        return false;
    if (!shape_takes(SHAPE_TIME, node))
        return malformed(skim, "not a time");
    if (!wire_read_long(&skim->wire, out))
        return malformed(skim, "the bytes end, or no integer");
    if (node->logical == LOGICAL_TIMESTAMP_MICROS) /* rounded down, before 1970 too */
        *out = *out / 1000 - (*out % 1000 < 0 ? 1 : 0);
    return (*out >= TIME_MIN_MS && *out <= TIME_MAX_MS) ||
           malformed(skim, "not between the years 1 and 9999");
}

/* The index of a name; null leaves *out as it is. */
static bool read_name(struct skim *skim, const struct schema_node *node, const char *const *names,
                      size_t count, size_t *out)
{
    struct span name = {0};
    if (!read_id(skim, node, &name))
        return false;
    if (name.bytes == NULL)
        return true;
    for (size_t i = 0; i < count; i++) {
        if (span_is(name, names[i])) {
            *out = i;
            return true;
        }
    }
    return malformed(skim, "not one of its names");
}

static bool read_role(struct skim *skim, const struct schema_node *node, struct event *event)
{
    size_t role = ROLE_CHAMPION;
    if (!read_name(skim, node, role_names, COUNT_OF(role_names), &role))
        return false;
    event->role = (enum event_role)role;
    return true;
}

static bool read_status(struct skim *skim, const struct schema_node *node, struct event *event)
{
    size_t status = STATUS_OK;
    if (!read_name(skim, node, status_names, COUNT_OF(status_names), &status))
        return false;
    event->status = (enum event_status)status;
    return true;
}

static bool read_target(struct event_reader *reader, struct skim *skim, enum target target,
                        const struct schema_node *node, struct event *event)
{
    size_t ignored = 0;
    switch (target) {
    case TARGET_EVENT_ID:
        return read_id(skim, node, &event->event_id);
    case TARGET_EVENT_TIME:
        return read_time(skim, node, &event->event_time_ms);
    case TARGET_MODEL_NAME:
        return read_id(skim, node, &event->model_name);
    case TARGET_MODEL_VERSION:
        return read_id(skim, node, &event->model_version);
    case TARGET_FEATURES:
        return reader->reads_columns
                   ? bag_read(skim, &reader->features, node, &event->unknown_features)
                   : skim_over(skim, node, 1);
    case TARGET_PREDICTION:
        return value_read(skim, node, 1, &event->prediction);
    case TARGET_REQUEST_ID:
        return read_id(skim, node, &event->request_id);
    case TARGET_ENTITY_ID:
        return read_id(skim, node, &event->entity_id);
    case TARGET_ROLE:
        return read_role(skim, node, event);
    case TARGET_STATUS:
        return read_status(skim, node, event);
    case TARGET_SCORES:
        return reader->reads_columns ? bag_read(skim, &reader->scores, node, &ignored)
                                     : skim_over(skim, node, 1);
    case TARGET_CONFIDENCE:
        return value_read(skim, node, 1, &event->confidence);
    case TARGET_LATENCY:
        return value_read(skim, node, 1, &event->latency_ms);
    case TARGET_SKIP:
    case TARGET_COUNT:
        break;
    }
    return skim_over(skim, node, 1);
}

static enum fault fault_at(const struct skim *skim, const char *field, struct reason *reason)
{
    reason_set(reason, "%s: %s", field, skim->what);
    return skim->fault;
}

static enum fault read_event(struct event_reader *reader, struct skim *skim, struct event *event,
                             struct reason *reason)
{
    for (size_t i = 0; i < reader->event->field_count; i++) {
        const struct schema_field *field = &reader->event->fields[i];
        if (!read_target(reader, skim, reader->targets[i], field->type, event))
            return fault_at(skim, field->name, reason);
    }
    return FAULT_NONE;
}

static enum fault read_top(struct event_reader *reader, struct skim *skim, struct event *event,
                           struct reason *reason)
{
    if (reader->event == reader->top)
        return read_event(reader, skim, event, reason);
    for (size_t i = 0; i < reader->top->field_count; i++) {
        const struct schema_field *field = &reader->top->fields[i];
        enum fault fault = FAULT_NONE;
        if (strcmp(field->name, "event") == 0)
            fault = read_event(reader, skim, event, reason);
        else if (!skim_over(skim, field->type, 1))
            fault = fault_at(skim, field->name, reason);
        if (fault != FAULT_NONE)
            return fault;
    }
    return FAULT_NONE;
}

static enum fault check_whole(const struct skim *skim, const struct event *event,
                              struct reason *reason)
{
    const struct {
        const char *field;
        struct span text;
    } required[] = {{"event_id", event->event_id},
                    {"model_name", event->model_name},
                    {"model_version", event->model_version}};
    for (size_t i = 0; i < COUNT_OF(required); i++) {
        if (required[i].text.size == 0) {
            reason_set(reason, "%s: is null or empty", required[i].field);
            return FAULT_RECORD_MALFORMED;
        }
    }
    if (skim->wire.next != skim->wire.end) {
        reason_set(reason, "bytes are left over");
        return FAULT_RECORD_MALFORMED;
    }
    return FAULT_NONE;
}

enum fault event_read(struct event_reader *reader, struct span bytes, struct event *out_event,
                      struct reason *out_reason)
{
    REQUIRE(reader != NULL);
    REQUIRE(out_event != NULL);
    bag_clear(&reader->features);
    bag_clear(&reader->scores);
    struct skim skim = skim_of(bytes);
    struct event event = {.columns = reader->features.values, .scores = reader->scores.values};
    enum fault fault = read_top(reader, &skim, &event, out_reason);
    if (fault == FAULT_NONE)
        fault = check_whole(&skim, &event, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    if (event.request_id.size == 0)
        event.request_id = event.event_id;
    *out_event = event;
    return FAULT_NONE;
}
