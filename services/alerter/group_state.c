#include "group_state.h"
#include "memory/heap.h"

static json_t *state_column(const struct group_column *column)
{
    json_t *marks = json_array();
    for (size_t i = 0; i < column->mark_count; i++)
        (void)json_array_append_new(marks, json_pack("{s:I, s:b}", "start",
                                                     (json_int_t)column->marks[i].start_ms,
                                                     "breach", (int)column->marks[i].breach));
    json_t *value =
        json_pack("{s:s, s:b, s:o, s:s, s:i, s:f, s:f, s:s?, s:f}", "name", column->name, "joined",
                  (int)column->joined, "marks", marks, "measurement", column->measurement,
                  "revision", (int)column->revision, "value", column->value, "threshold",
                  column->threshold, "cell", column->cell, "share", column->share);
    ENSURE(value != NULL);
    return value;
}

json_t *group_state_write(const struct group *group)
{
    json_t *columns = json_array();
    for (size_t i = 0; i < group->column_count; i++)
        (void)json_array_append_new(columns, state_column(&group->columns[i]));
    json_t *value =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:b, s:s, s:I, s:I, s:O, s:o}", "kind",
                  finding_kind_name(group->kind), "measurement_kind", group->kind_text, "metric",
                  group->metric, "model", group->model, "version", group->version, "role",
                  group->role, "segment", group->segment, "length", (json_int_t)group->length_ms,
                  "firing", (int)group->firing, "severity", finding_severity_name(group->severity),
                  "started_at", (json_int_t)group->started_ms, "window_end",
                  (json_int_t)group->end_ms, "offsets", group->offsets, "columns", columns);
    ENSURE(value != NULL);
    return value;
}

static int64_t state_integer(const json_t *value, const char *name)
{
    return json_integer_value(json_object_get(value, name));
}

static double state_number(const json_t *value, const char *name)
{
    return json_number_value(json_object_get(value, name));
}

static char *state_text(const json_t *value, const char *name)
{
    const char *text = json_string_value(json_object_get(value, name));
    return heap_text(text == NULL ? "" : text);
}

static void state_column_read(const json_t *value, struct group_column *column)
{
    const json_t *marks = json_object_get(value, "marks");
    const char *cell = json_string_value(json_object_get(value, "cell"));
    *column = (struct group_column){
        .name = state_text(value, "name"),
        .joined = json_is_true(json_object_get(value, "joined")),
        .mark_count = json_array_size(marks),
        .measurement = state_text(value, "measurement"),
        .revision = (int32_t)state_integer(value, "revision"),
        .value = state_number(value, "value"),
        .threshold = state_number(value, "threshold"),
        .cell = cell == NULL ? NULL : heap_text(cell),
        .share = state_number(value, "share"),
    };
    column->marks = heap_zeroed(column->mark_count + 1, sizeof *column->marks);
    for (size_t i = 0; i < column->mark_count; i++) {
        const json_t *mark = json_array_get(marks, i);
        column->marks[i].start_ms = state_integer(mark, "start");
        column->marks[i].breach = json_is_true(json_object_get(mark, "breach"));
    }
}

struct group *group_state_read(const json_t *value)
{
    const enum finding_kind kind =
        finding_kind_parse(json_string_value(json_object_get(value, "kind")));
    const json_t *offsets = json_object_get(value, "offsets");
    const json_t *columns = json_object_get(value, "columns");
    if (kind == FINDING_NONE || !json_is_array(offsets) || !json_is_array(columns))
        return NULL;
    struct group *group = heap_zeroed(1, sizeof *group);
    group->kind = kind;
    group->kind_text = state_text(value, "measurement_kind");
    group->metric = state_text(value, "metric");
    group->model = state_text(value, "model");
    group->version = state_text(value, "version");
    group->role = state_text(value, "role");
    group->segment = state_text(value, "segment");
    group->length_ms = state_integer(value, "length");
    group->firing = json_is_true(json_object_get(value, "firing"));
    group->severity = finding_severity_parse(json_string_value(json_object_get(value, "severity")));
    group->started_ms = state_integer(value, "started_at");
    group->end_ms = state_integer(value, "window_end");
    group->offsets = json_deep_copy(offsets);
    group->column_count = json_array_size(columns);
    group->columns = heap_zeroed(group->column_count + 1, sizeof *group->columns);
    for (size_t i = 0; i < group->column_count; i++)
        state_column_read(json_array_get(columns, i), &group->columns[i]);
    return group;
}
