#include "model/event.h"
#include "memory/arena.h"
#include "memory/heap.h"

/* The years 1 to 9999: differences of such times cannot overflow, wherever they are taken. */
#define TIME_MIN_MS INT64_C(-62135596800000)
#define TIME_MAX_MS INT64_C(253402300799999)

/* What is wanted of every event; a contract's columns and scores come behind. */
enum target {
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

static const struct {
    const char *field;
    enum plan_shape shape;
} targets[TARGET_COUNT] = {
    [TARGET_EVENT_ID] = {"event_id", PLAN_TEXT},
    [TARGET_EVENT_TIME] = {"event_time", PLAN_TIME},
    [TARGET_MODEL_NAME] = {"model_name", PLAN_TEXT},
    [TARGET_MODEL_VERSION] = {"model_version", PLAN_TEXT},
    [TARGET_FEATURES] = {"features", PLAN_ITEMS},
    [TARGET_PREDICTION] = {"prediction", PLAN_ANY},
    [TARGET_REQUEST_ID] = {"request_id", PLAN_TEXT},
    [TARGET_ENTITY_ID] = {"entity_id", PLAN_TEXT},
    [TARGET_ROLE] = {"role", PLAN_TEXT},
    [TARGET_STATUS] = {"status", PLAN_TEXT},
    [TARGET_SCORES] = {"scores", PLAN_ITEMS},
    [TARGET_CONFIDENCE] = {"confidence", PLAN_ANY},
    [TARGET_LATENCY] = {"latency_ms", PLAN_ANY},
};

static const char *const role_names[] = {
    [ROLE_CHAMPION] = "CHAMPION", [ROLE_SHADOW] = "SHADOW", [ROLE_CANARY] = "CANARY"};
static const char *const status_names[] = {[STATUS_OK] = "OK",
                                           [STATUS_ERROR] = "ERROR",
                                           [STATUS_FALLBACK] = "FALLBACK",
                                           [STATUS_CACHED] = "CACHED",
                                           [STATUS_ABSTAINED] = "ABSTAINED"};

struct event_reader {
    struct plan *plan;  /* owned */
    bool has_contract;  /* else no feature is known, and none unknown */
    size_t score_first; /* where the scores' values begin */
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

/* The event is the record itself, or stands in a record of inference.validated. */
static bool is_within(const struct schema_node *top)
{
    const struct schema_field *event = schema_field(top, "event");
    const struct schema_field *enrichment = schema_field(top, "enrichment");
    return event != NULL && enrichment != NULL && event->type->kind == SCHEMA_RECORD &&
           enrichment->type->kind == SCHEMA_RECORD;
}

/* The wants of one reader, while its plan is made. */
struct wish_list {
    struct plan_want *wants; /* owned, [count] */
    size_t count;
    bool within;
    struct arena *arena; /* owned: the paths */
};

static struct plan_path whole_path(const struct wish_list *list, const struct plan_path *path)
{
    const char **segments = arena_take(list->arena, (path->size + 1) * sizeof *segments);
    size_t size = 0;
    if (list->within)
        segments[size++] = "event";
    for (size_t i = 0; i < path->size; i++)
        segments[size++] = path->segments[i];
    return (struct plan_path){segments, size};
}

static void wish(struct wish_list *list, const struct plan_path *paths, size_t path_count,
                 enum plan_shape shape)
{
    struct plan_path *whole = arena_take(list->arena, path_count * sizeof *whole);
    for (size_t i = 0; i < path_count; i++)
        whole[i] = whole_path(list, &paths[i]);
    list->wants[list->count++] =
        (struct plan_want){.paths = whole, .path_count = path_count, .shape = shape};
}

static void wish_named(struct wish_list *list, const char *field, const char *name)
{
    wish(list, &(struct plan_path){(const char *const[]){field, name}, 2}, 1, PLAN_ANY);
}

static struct wish_list wish_list_of(const struct schema_node *top, const struct contract *contract)
{
    const size_t column_count = contract == NULL ? 0 : contract->column_count;
    const size_t score_count = contract == NULL ? 0 : contract->score_count;
    struct wish_list list = {
        .wants = heap_zeroed(TARGET_COUNT + column_count + score_count, sizeof *list.wants),
        .within = is_within(top),
        .arena = arena_create()};
    for (size_t i = 0; i < TARGET_COUNT; i++) {
        wish(&list, &(struct plan_path){&targets[i].field, 1}, 1, targets[i].shape);
        list.wants[i].required = i <= TARGET_PREDICTION;
    }
    for (size_t i = 0; i < column_count; i++) {
        const struct contract_column *column = &contract->columns[i];
        if (column->source_count > 0)
            wish(&list, column->sources, column->source_count, PLAN_ANY);
        else
            wish_named(&list, "features", column->name);
    }
    for (size_t i = 0; i < score_count; i++)
        wish_named(&list, "scores", contract->scores[i]);
    return list;
}

enum fault event_reader_create(const struct schema *writer, const struct contract *contract,
                               struct event_reader **out_reader, struct reason *out_reason)
{
    REQUIRE(writer != NULL);
    REQUIRE(out_reader != NULL);
    if (schema_root(writer)->kind != SCHEMA_RECORD) {
        reason_set(out_reason, "an event must be a record");
        return FAULT_SCHEMA_INVALID;
    }
    struct wish_list list = wish_list_of(schema_root(writer), contract);
    struct plan *plan = NULL;
    const enum fault fault = plan_create(writer, list.wants, list.count, &plan, out_reason);
    heap_release(list.wants);
    arena_destroy(list.arena);
    if (fault != FAULT_NONE)
        return fault;
    struct event_reader *reader = heap_zeroed(1, sizeof *reader);
    reader->plan = plan;
    reader->has_contract = contract != NULL;
    reader->score_first = TARGET_COUNT + (contract == NULL ? 0 : contract->column_count);
    *out_reader = reader;
    return FAULT_NONE;
}

void event_reader_destroy(struct event_reader *reader)
{
    if (reader == NULL)
        return;
    plan_destroy(reader->plan);
    heap_release(reader);
}

/* ---- read ---- */

static bool malformed(struct reason *reason, enum target target, const char *what)
{
    reason_set(reason, "%s: %s", targets[target].field, what);
    return false;
}

/* Null leaves the text empty; required ones are checked by who reads them. A zero byte would cut
 * the text where it is used as a C string. */
static bool take_id(const struct value *values, enum target target, struct span *out,
                    struct reason *reason)
{
    const struct value *value = &values[target];
    if (value->kind == VALUE_NULL || value->kind == VALUE_MISSING)
        return true;
    if (value->kind != VALUE_TEXT)
        return malformed(reason, target, "not a text");
    if (value->text.size != 0 && memchr(value->text.bytes, 0, value->text.size) != NULL)
        return malformed(reason, target, "a text with a zero byte");
    *out = value->text;
    return true;
}

static bool take_required_id(const struct value *values, enum target target, struct span *out,
                             struct reason *reason)
{
    return take_id(values, target, out, reason) &&
           (out->size > 0 || malformed(reason, target, "is null or empty"));
}

/* The index of a name; null leaves *out as it is. */
static bool take_name(const struct value *values, enum target target, const char *const *names,
                      size_t count, size_t *out, struct reason *reason)
{
    struct span name = {0};
    if (!take_id(values, target, &name, reason))
        return false;
    if (name.bytes == NULL)
        return true;
    for (size_t i = 0; i < count; i++) {
        if (span_is(name, names[i])) {
            *out = i;
            return true;
        }
    }
    return malformed(reason, target, "not one of its names");
}

static bool take_items(const struct value *values, enum target target, size_t *out_unknown,
                       struct reason *reason)
{
    const struct value *value = &values[target];
    if (value->kind == VALUE_OTHER)
        return malformed(reason, target, "neither a record nor a map");
    *out_unknown = value->kind == VALUE_LONG ? (size_t)value->integer : 0;
    return true;
}

static bool take_time(const struct value *values, int64_t *out_ms, struct reason *reason)
{
    const struct value *value = &values[TARGET_EVENT_TIME];
    if (value->kind != VALUE_LONG)
        return malformed(reason, TARGET_EVENT_TIME, "not a time");
    *out_ms = value->integer;
    return (*out_ms >= TIME_MIN_MS && *out_ms <= TIME_MAX_MS) ||
           malformed(reason, TARGET_EVENT_TIME, "not between the years 1 and 9999");
}

static bool take_all(const struct value *values, struct event *event, struct reason *reason)
{
    size_t role = ROLE_CHAMPION, status = STATUS_OK, ignored = 0;
    if (!take_required_id(values, TARGET_EVENT_ID, &event->event_id, reason) ||
        !take_required_id(values, TARGET_MODEL_NAME, &event->model_name, reason) ||
        !take_required_id(values, TARGET_MODEL_VERSION, &event->model_version, reason) ||
        !take_id(values, TARGET_REQUEST_ID, &event->request_id, reason) ||
        !take_id(values, TARGET_ENTITY_ID, &event->entity_id, reason) ||
        !take_time(values, &event->event_time_ms, reason) ||
        !take_name(values, TARGET_ROLE, role_names, COUNT_OF(role_names), &role, reason) ||
        !take_name(values, TARGET_STATUS, status_names, COUNT_OF(status_names), &status, reason) ||
        !take_items(values, TARGET_FEATURES, &event->unknown_features, reason) ||
        !take_items(values, TARGET_SCORES, &ignored, reason))
        return false;
    event->role = (enum event_role)role;
    event->status = (enum event_status)status;
    if (event->request_id.size == 0)
        event->request_id = event->event_id;
    return true;
}

enum fault event_read(struct event_reader *reader, struct span bytes, struct event *out_event,
                      struct reason *out_reason)
{
    REQUIRE(reader != NULL);
    REQUIRE(out_event != NULL);
    const enum fault fault = plan_run(reader->plan, bytes, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    const struct value *values = plan_values(reader->plan);
    struct event event = {.prediction = values[TARGET_PREDICTION],
                          .confidence = values[TARGET_CONFIDENCE],
                          .latency_ms = values[TARGET_LATENCY],
                          .columns = values + TARGET_COUNT,
                          .scores = values + reader->score_first};
    if (!take_all(values, &event, out_reason))
        return FAULT_RECORD_MALFORMED;
    if (!reader->has_contract)
        event.unknown_features = 0;
    *out_event = event;
    return FAULT_NONE;
}
