#include "notice.h"
#include "memory/heap.h"
#include "sentence.h"

#include <ctype.h>
#include <math.h>

static double notice_strength(const struct group_column *column)
{
    return column->threshold > 0 ? column->value / column->threshold : HUGE_VAL;
}

static int notice_order_number(double left, double right)
{
    return (left < right) - (left > right); /* the larger first */
}

static int notice_order(const void *left, const void *right)
{
    const struct group_column *a = *(const struct group_column *const *)left;
    const struct group_column *b = *(const struct group_column *const *)right;
    int order = notice_order_number(notice_strength(a), notice_strength(b));
    order = order != 0 ? order : notice_order_number(a->value, b->value);
    return order != 0 ? order : strcmp(a->name, b->name);
}

/* The alert's columns, strongest first. Heap memory. */
static const struct group_column **notice_columns(const struct group *group, size_t *out_count)
{
    const struct group_column **list = heap_zeroed(group->column_count + 1, sizeof *list);
    size_t count = 0;
    for (size_t i = 0; i < group->column_count; i++)
        if (group->columns[i].joined)
            list[count++] = &group->columns[i];
    qsort(list, count, sizeof *list, notice_order);
    *out_count = count;
    return list;
}

static json_t *notice_evidence(const struct group *group, const struct group_column *column)
{
    return json_pack("{s:s, s:i, s:s, s:s, s:f, s:f}", "measurement", column->measurement,
                     "revision", (int)column->revision, "column", column->name, "metric",
                     group->metric, "value", column->value, "threshold", column->threshold);
}

/* PlumbFeatureDrift */
static void notice_name(enum finding_kind kind, struct buffer *out)
{
    bool start = true;
    buffer_append_span(out, span_text("Plumb"));
    for (const char *letter = finding_kind_name(kind); *letter != 0; letter++) {
        if (*letter != '_')
            buffer_append_byte(out, (uint8_t)(start ? toupper((unsigned char)*letter) : *letter));
        start = *letter == '_';
    }
    buffer_append_byte(out, 0);
}

static void notice_lower(const char *text, struct buffer *out)
{
    for (; *text != 0; text++)
        buffer_append_byte(out, (uint8_t)tolower((unsigned char)*text));
}

static json_t *notice_labels(const struct group *group, const struct contract *contract)
{
    struct buffer name = {0}, severity = {0};
    notice_name(group->kind, &name);
    notice_lower(finding_severity_name(group->severity), &severity);
    buffer_append_byte(&severity, 0);
    json_t *labels = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "alertname", (const char *)name.bytes, "severity",
        (const char *)severity.bytes, "model", group->model, "version", group->version, "role",
        group->role, "kind", finding_kind_name(group->kind), "owner", contract->owner);
    if (group->segment[0] != 0)
        (void)json_object_set_new(labels, "segment", json_string(group->segment));
    buffer_fini(&name);
    buffer_fini(&severity);
    return labels;
}

/* "drift psi 1d": the monitor, as the contract names it. */
static json_t *notice_rule(const struct group *group)
{
    static const struct {
        int64_t size_ms;
        const char *name;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t unit = 0;
    while (group->length_ms % units[unit].size_ms != 0)
        unit++;
    struct buffer text = {0};
    notice_lower(group->kind_text, &text);
    buffer_format(&text, " %s %lld%s", group->metric,
                  (long long)(group->length_ms / units[unit].size_ms), units[unit].name);
    json_t *rule = json_stringn((const char *)text.bytes, text.size);
    buffer_fini(&text);
    return rule;
}

static void notice_add_texts(json_t *record, const struct sentence *sentence)
{
    char *text = sentence_text(sentence);
    char *summary = sentence_summary(sentence);
    (void)json_object_set_new(record, "sentence", json_string(text));
    (void)json_object_set_new(record, "annotations",
                              json_pack("{s:s, s:s, s:s}", "summary", summary, "description", text,
                                        "runbook_url", sentence->runbook));
    heap_release(text);
    heap_release(summary);
}

json_t *notice_record(const struct group *group, const struct finding *decided,
                      const char *fingerprint, enum group_change change)
{
    REQUIRE(change != GROUP_SAME);
    const struct contract *contract = decided->contract;
    const bool resolved = change == GROUP_RESOLVES;
    size_t count = 0;
    const struct group_column **columns = notice_columns(group, &count);
    struct sentence_column *said = heap_zeroed(count + 1, sizeof *said);
    json_t *names = json_array(), *evidence = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct group_column *one = columns[i];
        said[i] =
            (struct sentence_column){one->name, one->value, one->threshold, one->cell, one->share};
        (void)json_array_append_new(names, json_string(one->name));
        (void)json_array_append_new(evidence, notice_evidence(group, one));
    }
    json_t *record = json_pack(
        "{s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:o, s:I, s:I, s:I, s:s, s:s, s:s, s:o, "
        "s:o, "
        "s:o, s:o}",
        "fingerprint", fingerprint, "time", (json_int_t)decided->time_ms, "kind",
        finding_kind_name(group->kind), "severity", finding_severity_name(group->severity), "state",
        resolved ? "RESOLVED" : "FIRING", "model", group->model, "version", group->version, "role",
        group->role, "segment", group->segment[0] == 0 ? NULL : group->segment, "columns", names,
        "window_start", (json_int_t)decided->start_ms, "window_end", (json_int_t)decided->end_ms,
        "started_at", (json_int_t)group->started_ms, "sentence", "", "owner", contract->owner,
        "runbook", contract->runbook, "evidence", evidence, "offsets",
        json_deep_copy(group->offsets), "rule", notice_rule(group), "labels",
        notice_labels(group, contract));
    ENSURE(record != NULL);
    notice_add_texts(record, &(struct sentence){.kind = group->kind,
                                                .resolved = resolved,
                                                .model = group->model,
                                                .version = group->version,
                                                .role = group->role,
                                                .segment = group->segment,
                                                .owner = contract->owner,
                                                .runbook = contract->runbook,
                                                .started_ms = group->started_ms,
                                                .window_ms = decided->start_ms,
                                                .columns = said,
                                                .column_count = count});
    heap_release(said);
    heap_release(columns);
    return record;
}
