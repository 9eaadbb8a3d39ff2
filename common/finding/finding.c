#include "finding/finding.h"
#include "memory/heap.h"
#include "statistic/divergence.h"

#include <strings.h>

static const struct {
    const char *name, *class_name;
} finding_kinds[FINDING_KIND_COUNT] = {
    [FINDING_NONE] = {"none", "none"},
    [FINDING_FEATURE_DRIFT] = {"feature_drift", "drift"},
    [FINDING_PREDICTION_DRIFT] = {"prediction_drift", "drift"},
    [FINDING_CONFIDENCE_DRIFT] = {"confidence_drift", "drift"},
    [FINDING_NULL_RATE] = {"null_rate", "quality"},
    [FINDING_RANGE_VIOLATION] = {"range_violation", "quality"},
    [FINDING_UNSEEN_CATEGORY] = {"unseen_category", "quality"},
};

static const char *const finding_severities[] = {"NONE", "INFO", "WARNING", "CRITICAL"};

const char *finding_kind_name(enum finding_kind kind)
{
    REQUIRE(kind < FINDING_KIND_COUNT);
    return finding_kinds[kind].name;
}

const char *finding_kind_class(enum finding_kind kind)
{
    REQUIRE(kind < FINDING_KIND_COUNT);
    return finding_kinds[kind].class_name;
}

enum finding_kind finding_kind_parse(const char *name)
{
    for (enum finding_kind kind = FINDING_NONE + 1; name != NULL && kind < FINDING_KIND_COUNT;
         kind++)
        if (strcmp(finding_kinds[kind].name, name) == 0)
            return kind;
    return FINDING_NONE;
}

const char *finding_severity_name(enum finding_severity severity)
{
    REQUIRE(severity < COUNT_OF(finding_severities));
    return finding_severities[severity];
}

enum finding_severity finding_severity_parse(const char *name)
{
    for (size_t i = 1; name != NULL && i < COUNT_OF(finding_severities); i++)
        if (strcasecmp(finding_severities[i], name) == 0)
            return (enum finding_severity)i;
    return SEVERITY_NONE;
}

static const char *finding_text(const json_t *record, const char *name)
{
    return json_string_value(json_object_get(record, name)); /* NULL where absent or null */
}

/* Whatever is not the model's own answer is a feature, latency_ms too. */
static enum finding_kind finding_drift_kind(const struct finding *finding)
{
    const char *column = finding->column;
    if (contract_column(finding->contract, span_text(column)) != NULL)
        return FINDING_FEATURE_DRIFT;
    if (strcmp(column, "prediction") == 0 || strcmp(column, "score") == 0 ||
        strncmp(column, "score_", 6) == 0)
        return FINDING_PREDICTION_DRIFT;
    return strcmp(column, "confidence") == 0 ? FINDING_CONFIDENCE_DRIFT : FINDING_FEATURE_DRIFT;
}

/* What kind of alert a measurement speaks for. */
static enum finding_kind finding_kind_of(const struct finding *finding)
{
    if (finding->column == NULL)
        return FINDING_NONE;
    if (strcmp(finding->kind_text, "DRIFT") == 0)
        return strcmp(finding->metric, "psi") == 0 ? finding_drift_kind(finding) : FINDING_NONE;
    if (strcmp(finding->kind_text, "QUALITY") != 0)
        return FINDING_NONE;
    if (strcmp(finding->metric, "nulls") == 0)
        return FINDING_NULL_RATE;
    if (strcmp(finding->metric, "range") == 0)
        return FINDING_RANGE_VIOLATION;
    return strcmp(finding->metric, "unseen") == 0 ? FINDING_UNSEEN_CATEGORY : FINDING_NONE;
}

static enum finding_severity finding_severity_of(const struct finding *finding)
{
    const struct contract_monitor *monitor = finding->monitor;
    if (!finding->breach)
        return SEVERITY_NONE;
    if (monitor->severity != 0)
        return (enum finding_severity)monitor->severity;
    if (monitor->kind == MONITOR_DRIFT && monitor->has_critical &&
        divergence_reaches(finding->value, monitor->critical))
        return SEVERITY_CRITICAL;
    return SEVERITY_WARNING;
}

static bool finding_fields(json_t *record, struct finding *out_finding, json_int_t *out_contract)
{
    json_int_t revision = 0, start = 0, end = 0;
    if (json_unpack(record, "{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "id",
                    &out_finding->id, "model", &out_finding->model, "version",
                    &out_finding->version, "role", &out_finding->role, "kind",
                    &out_finding->kind_text, "metric", &out_finding->metric, "revision", &revision,
                    "window_start", &start, "window_end", &end, "contract_revision",
                    out_contract) != 0)
        return false;
    if (start >= end || (revision != 0 && revision != 1))
        return false;
    out_finding->record = record;
    out_finding->segment = finding_text(record, "segment");
    if (out_finding->segment == NULL)
        out_finding->segment = "";
    out_finding->column = finding_text(record, "column");
    out_finding->revision = (int32_t)revision;
    out_finding->start_ms = start;
    out_finding->end_ms = end;
    return true;
}

enum fault finding_read(const struct catalog *catalog, json_t *record, struct finding *out_finding)
{
    REQUIRE(catalog != NULL && record != NULL && out_finding != NULL);
    struct finding finding = {0};
    json_int_t revision = 0;
    if (!finding_fields(record, &finding, &revision))
        return FAULT_RECORD_MALFORMED;
    finding.contract = catalog_contract(catalog, span_text(finding.model), (int32_t)revision);
    if (finding.contract == NULL)
        return FAULT_TABLE_BEHIND;
    finding.kind = finding_kind_of(&finding);
    finding.time_ms =
        finding_time(catalog, finding.contract, finding.start_ms, finding.end_ms, finding.revision);
    if (finding.kind != FINDING_NONE)
        finding.monitor = contract_monitor(finding.contract, finding.kind_text, finding.metric,
                                           finding.end_ms - finding.start_ms, finding.column);

    const char *state = finding_text(record, "state");
    const json_t *value = json_object_get(record, "value");
    const json_t *threshold = json_object_get(record, "threshold");
    finding.watched = finding.monitor != NULL && json_is_number(threshold);
    finding.breach = state != NULL && strcmp(state, "BREACH") == 0;
    finding.decided = finding.watched && json_is_number(value) && state != NULL &&
                      (finding.breach || strcmp(state, "OK") == 0);
    finding.breach = finding.breach && finding.decided;
    finding.value = json_number_value(value);
    finding.threshold = json_number_value(threshold);
    finding.severity = finding_severity_of(&finding);
    *out_finding = finding;
    return FAULT_NONE;
}

enum fault finding_load(struct memo *waiting, const struct catalog *catalog, struct span field,
                        struct span bytes)
{
    json_t *value = NULL;
    struct finding finding;
    enum fault fault = memo_decode("measurements", bytes, &value);
    if (fault != FAULT_NONE)
        return fault;
    fault = finding_read(catalog, value, &finding);
    json_decref(value);
    if (fault == FAULT_RECORD_MALFORMED)
        return FAULT_STATE_MALFORMED;
    return fault != FAULT_NONE ? fault : memo_load(waiting, field, bytes);
}

void finding_fingerprint(const struct finding *finding, char out_text[IDENTITY_HEX_SIZE])
{
    struct identity identity = {0};
    identity_text(&identity, finding_kind_name(finding->kind));
    identity_text(&identity, finding->model);
    identity_text(&identity, finding->version);
    identity_text(&identity, finding->role);
    identity_text(&identity, finding->segment);
    identity_integer(&identity, finding->end_ms - finding->start_ms);
    identity_text(&identity, finding->metric);
    identity_hex(&identity, out_text);
}

static int finding_order_integer(int64_t left, int64_t right)
{
    return (left > right) - (left < right);
}

int finding_order(const void *left, const void *right)
{
    const struct finding *a = left, *b = right;
    const int64_t a_length = a->end_ms - a->start_ms, b_length = b->end_ms - b->start_ms;
    int order = finding_order_integer(a->time_ms, b->time_ms);
    order = order != 0 ? order : strcmp(a->model, b->model);
    order = order != 0 ? order : strcmp(a->version, b->version);
    order = order != 0 ? order : strcmp(a->role, b->role);
    order = order != 0 ? order : strcmp(a->segment, b->segment);
    order = order != 0 ? order : finding_order_integer(a_length, b_length);
    order = order != 0 ? order : strcmp(a->kind_text, b->kind_text);
    order = order != 0 ? order : strcmp(a->metric, b->metric);
    order = order != 0 ? order : finding_order_integer((int64_t)a->kind, (int64_t)b->kind);
    order = order != 0 ? order : finding_order_integer(a->end_ms, b->end_ms);
    order = order != 0 ? order : finding_order_integer(a->revision, b->revision);
    return order != 0 ? order : strcmp(a->id, b->id);
}

static int64_t finding_allowance(const struct contract *contract, int32_t revision)
{
    return revision == 0 ? contract->lateness_ms : contract->correction_ms;
}

int64_t finding_time(const struct catalog *catalog, const struct contract *contract,
                     int64_t start_ms, int64_t end_ms, int32_t revision)
{
    REQUIRE(contract != NULL);
    const struct span model = span_text(contract->model);
    int64_t allowance = finding_allowance(contract, revision);
    const struct contract *in_force = catalog_contract_at(catalog, model, end_ms - 1);
    while (in_force != NULL) {
        if (finding_allowance(in_force, revision) > allowance)
            allowance = finding_allowance(in_force, revision);
        if (in_force->effective_from_ms <= start_ms)
            break;
        in_force = catalog_contract(catalog, model, in_force->revision - 1);
    }
    return end_ms + allowance;
}

static json_int_t finding_offset(const json_t *offsets, const char *name)
{
    return json_integer_value(json_object_get(offsets, name));
}

void finding_offsets_join(json_t *into, const json_t *more)
{
    size_t index = 0;
    json_t *one = NULL;
    json_array_foreach(more, index, one)
    {
        const json_int_t partition = finding_offset(one, "partition");
        size_t at = 0;
        while (at < json_array_size(into) &&
               finding_offset(json_array_get(into, at), "partition") < partition)
            at++;
        json_t *own = json_array_get(into, at);
        if (own == NULL || finding_offset(own, "partition") != partition) {
            (void)json_array_insert_new(into, at, json_deep_copy(one));
            continue;
        }
        if (finding_offset(one, "first") < finding_offset(own, "first"))
            (void)json_object_set_new(own, "first", json_integer(finding_offset(one, "first")));
        if (finding_offset(one, "last") > finding_offset(own, "last"))
            (void)json_object_set_new(own, "last", json_integer(finding_offset(one, "last")));
    }
}
