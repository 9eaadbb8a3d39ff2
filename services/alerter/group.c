#include "group.h"
#include "memory/heap.h"

struct group *group_create(const struct finding *finding)
{
    REQUIRE(finding->kind != FINDING_NONE);
    struct group *group = heap_zeroed(1, sizeof *group);
    group->kind = finding->kind;
    group->kind_text = heap_text(finding->kind_text);
    group->metric = heap_text(finding->metric);
    group->model = heap_text(finding->model);
    group->version = heap_text(finding->version);
    group->role = heap_text(finding->role);
    group->segment = heap_text(finding->segment);
    group->length_ms = finding->end_ms - finding->start_ms;
    group->offsets = json_array();
    return group;
}

static size_t group_place(const struct group *group, const char *name, bool *out_here)
{
    size_t at = 0;
    int order = 1;
    while (at < group->column_count && (order = strcmp(group->columns[at].name, name)) < 0)
        at++;
    *out_here = at < group->column_count && order == 0;
    return at;
}

struct group_column *group_column(const struct group *group, const char *name)
{
    bool here = false;
    const size_t at = group_place(group, name, &here);
    return here ? &group->columns[at] : NULL;
}

static struct group_column *group_column_make(struct group *group, const char *name)
{
    bool here = false;
    const size_t at = group_place(group, name, &here);
    if (here)
        return &group->columns[at];
    group->columns = heap_resized(group->columns, group->column_count + 1, sizeof *group->columns);
    memmove(&group->columns[at + 1], &group->columns[at],
            (group->column_count - at) * sizeof *group->columns);
    group->columns[at] =
        (struct group_column){.name = heap_text(name), .measurement = heap_text("")};
    group->column_count++;
    return &group->columns[at];
}

static void group_column_fini(struct group_column *column)
{
    heap_release(column->name);
    heap_release(column->marks);
    heap_release(column->measurement);
    heap_release(column->cell);
}

static void group_drop(struct group *group, size_t at)
{
    group_column_fini(&group->columns[at]);
    group->column_count--;
    memmove(&group->columns[at], &group->columns[at + 1],
            (group->column_count - at) * sizeof *group->columns);
}

static const struct finding *group_finding(const struct finding *findings, size_t count,
                                           const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(findings[i].column, name) == 0)
            return &findings[i];
    return NULL;
}

static const struct contract_monitor *
group_monitor(const struct group *group, const struct contract *contract, const char *column)
{
    return contract_monitor(contract, group->kind_text, group->metric, group->length_ms, column);
}

/* Columns that the contract of this window no longer bounds have no breaches. */
static void group_calm_unwatched(struct group *group, const struct finding *findings, size_t count)
{
    for (size_t i = group->column_count; i > 0; i--) {
        const char *name = group->columns[i - 1].name;
        const struct finding *finding = group_finding(findings, count, name);
        if (finding != NULL ? !finding->watched
                            : group_monitor(group, findings[0].contract, name) == NULL)
            group->columns[i - 1].mark_count = 0;
    }
}

static void group_column_mark(struct group_column *column, const struct finding *finding)
{
    const size_t of = finding->monitor->of < 1 ? 1 : (size_t)finding->monitor->of;
    column->marks = heap_resized(column->marks, column->mark_count + 1, sizeof *column->marks);
    column->marks[column->mark_count++] =
        (struct group_mark){.start_ms = finding->start_ms, .breach = finding->breach};
    if (column->mark_count > of) {
        const size_t surplus = column->mark_count - of;
        memmove(column->marks, column->marks + surplus, of * sizeof *column->marks);
        column->mark_count = of;
    }
}

static void group_column_witness(struct group_column *column, const struct finding *finding)
{
    const json_t *first = json_array_get(json_object_get(finding->record, "contributions"), 0);
    const char *cell = json_string_value(json_object_get(first, "cell"));
    heap_release(column->measurement);
    heap_release(column->cell);
    column->measurement = heap_text(finding->id);
    column->revision = finding->revision;
    column->value = finding->value;
    column->threshold = finding->threshold;
    column->cell = cell == NULL ? NULL : heap_text(cell);
    column->share = json_number_value(json_object_get(first, "share"));
}

/* Takes the window's findings into the columns' histories. */
static void group_take(struct group *group, const struct finding *findings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct finding *finding = &findings[i];
        if (!finding->decided)
            continue;
        struct group_column *column = finding->breach ? group_column_make(group, finding->column)
                                                      : group_column(group, finding->column);
        if (column == NULL)
            continue; /* calm before and now */
        group_column_mark(column, finding);
        if (finding->breach)
            group_column_witness(column, finding);
    }
}

static bool group_column_breaches(const struct group *group, const struct contract *contract,
                                  const struct group_column *column, int64_t *out_since_ms)
{
    const struct contract_monitor *monitor = group_monitor(group, contract, column->name);
    int32_t breaches = 0;
    for (size_t i = column->mark_count; i > 0; i--) {
        if (!column->marks[i - 1].breach)
            continue;
        *out_since_ms = column->marks[i - 1].start_ms;
        breaches++;
    }
    return breaches > 0 && monitor != NULL && breaches >= monitor->needed;
}

/* Columns whose windows are all calm are forgotten, unless the alert names them. */
static void group_drop_calm(struct group *group)
{
    for (size_t i = group->column_count; i > 0; i--) {
        const struct group_column *column = &group->columns[i - 1];
        bool calm = !column->joined;
        for (size_t j = 0; j < column->mark_count; j++)
            calm = calm && !column->marks[j].breach;
        if (calm)
            group_drop(group, i - 1);
    }
}

static void group_rest_on(struct group *group, const struct finding *findings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct group_column *column = group_column(group, findings[i].column);
        if (findings[i].breach && column != NULL && column->joined)
            finding_offsets_join(group->offsets, json_object_get(findings[i].record, "offsets"));
    }
}

/* No column breaches any more: the witnesses are now those that say so. */
static void group_end(struct group *group, const struct finding *findings, size_t count)
{
    json_decref(group->offsets);
    group->offsets = json_array();
    for (size_t i = 0; i < count; i++) {
        struct group_column *column = group_column(group, findings[i].column);
        if (column == NULL || !column->joined || !findings[i].decided)
            continue;
        group_column_witness(column, &findings[i]);
        finding_offsets_join(group->offsets, json_object_get(findings[i].record, "offsets"));
    }
}

/* The columns that breach join the alert. Says whether it is to be said. */
static bool group_join(struct group *group, const struct finding *findings, size_t count,
                       bool *out_breaches)
{
    const bool begins = !group->firing;
    bool said = false;
    for (size_t i = 0; i < group->column_count; i++) {
        struct group_column *column = &group->columns[i];
        const struct finding *finding = group_finding(findings, count, column->name);
        int64_t since_ms = 0;
        if (!column->joined && (finding == NULL || !finding->breach))
            continue; /* only a breach begins or joins an alert */
        if (!group_column_breaches(group, findings[0].contract, column, &since_ms))
            continue;
        if (!group->firing || (begins && since_ms < group->started_ms))
            group->started_ms = since_ms;
        group->firing = true;
        *out_breaches = true;
        said = said || !column->joined;
        column->joined = true;
        if (finding != NULL && finding->severity > group->severity) {
            group->severity = finding->severity;
            said = true;
        }
    }
    return said;
}

enum group_change group_decide(struct group *group, const struct finding *findings, size_t count)
{
    REQUIRE(count > 0);
    const bool later = !group->firing || findings[0].end_ms >= group->end_ms;
    bool breaches = false, decided = false;
    for (size_t i = 0; i < count; i++)
        decided = decided || findings[i].decided;
    group_calm_unwatched(group, findings, count);
    group_take(group, findings, count);
    const bool said = group_join(group, findings, count, &breaches);
    enum group_change change = said ? GROUP_FIRES : GROUP_SAME;
    if (group->firing && !breaches && later)
        change = GROUP_RESOLVES;
    if (later && decided)
        group->end_ms = findings[0].end_ms;
    if (change == GROUP_RESOLVES)
        group_end(group, findings, count);
    else
        group_rest_on(group, findings, count);
    group_drop_calm(group);
    return change;
}

void group_forget(struct group *group)
{
    group->firing = false;
    group->severity = SEVERITY_NONE;
    json_decref(group->offsets);
    group->offsets = json_array();
    for (size_t i = 0; i < group->column_count; i++)
        group->columns[i].joined = false;
    group_drop_calm(group);
}

bool group_is_calm(const struct group *group)
{
    return !group->firing && group->column_count == 0;
}

void group_destroy(struct group *group)
{
    if (group == NULL)
        return;
    for (size_t i = 0; i < group->column_count; i++)
        group_column_fini(&group->columns[i]);
    heap_release(group->columns);
    heap_release(group->kind_text);
    heap_release(group->metric);
    heap_release(group->model);
    heap_release(group->version);
    heap_release(group->role);
    heap_release(group->segment);
    json_decref(group->offsets);
    heap_release(group);
}
