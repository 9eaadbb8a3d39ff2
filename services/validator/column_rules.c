#include "column_rules.h"
#include "container/table.h"
#include "memory/heap.h"

#include <math.h>

struct column_rules {
    const struct contract *contract; /* borrowed */
    struct table **listed;           /* owned, [column_count]: the allowed values; NULL: any */
};

/* One event on its way through the rules. */
struct verdict {
    struct enrichment *enrichment;
    uint32_t *counts;
    struct rejection *rejection;
};

static bool prediction_judge(const struct event *event, const struct verdict *verdict);
static bool column_judge(const struct contract_column *column, const struct table *listed,
                         const struct value *value, const struct verdict *verdict);
static bool violation(const struct verdict *verdict, enum violation_action action,
                      enum rejection_code code, const char *column, const char *detail);
static bool type_fits(enum column_type type, enum value_kind kind);
static const char *type_name(enum column_type type);

struct column_rules *column_rules_create(const struct contract *contract)
{
    REQUIRE(contract != NULL);
    struct column_rules *rules = heap_zeroed(1, sizeof *rules);
    rules->contract = contract;
    rules->listed = heap_zeroed(contract->column_count + 1, sizeof(struct table *));
    for (size_t i = 0; i < contract->column_count; i++) {
        const struct contract_column *column = &contract->columns[i];
        if (column->values == NULL)
            continue;
        rules->listed[i] = table_create();
        for (size_t j = 0; j < column->value_count; j++)
            (void)table_put(rules->listed[i], span_text(column->values[j]), rules);
    }
    return rules;
}

bool column_rules_judge(const struct column_rules *rules, const struct event *event,
                        struct enrichment *enrichment, uint32_t counts[REJECTION_CODE_COUNT],
                        struct rejection *rejection)
{
    REQUIRE(rules != NULL);
    const struct verdict verdict = {
        .enrichment = enrichment, .counts = counts, .rejection = rejection};
    const struct contract *contract = rules->contract;
    if (!prediction_judge(event, &verdict))
        return false;
    for (size_t i = 0; i < contract->column_count; i++)
        if (!column_judge(&contract->columns[i], rules->listed[i], &event->columns[i], &verdict))
            return false;
    return true;
}

void column_rules_destroy(struct column_rules *rules)
{
    if (rules == NULL)
        return;
    for (size_t i = 0; i < rules->contract->column_count; i++)
        table_destroy(rules->listed[i]);
    heap_release(rules->listed);
    heap_release(rules);
}

static bool prediction_judge(const struct event *event, const struct verdict *verdict)
{
    const struct value *prediction = &event->prediction;
    if (prediction->kind == VALUE_MISSING || prediction->kind == VALUE_NULL)
        return event->status != STATUS_OK ||
               violation(verdict, VIOLATION_REJECT, REJECTION_missing_prediction, "prediction", "");
    if (prediction->kind == VALUE_OTHER)
        return violation(verdict, VIOLATION_REJECT, REJECTION_type_mismatch, "prediction",
                         "must be a number, text or boolean");
    if (prediction->kind == VALUE_DOUBLE && isnan(prediction->number))
        return violation(verdict, VIOLATION_FLAG, REJECTION_not_a_number, "prediction", "");
    return true;
}

static bool column_judge(const struct contract_column *column, const struct table *listed,
                         const struct value *value, const struct verdict *verdict)
{
    if (value->kind == VALUE_MISSING)
        return !column->required ||
               violation(verdict, column->on_type, REJECTION_missing_column, column->name, "");
    if (value->kind == VALUE_NULL) {
        enum violation_action action = column->on_violation;
        if (action == VIOLATION_REJECT && column->has_nulls_max_rate && column->nulls_max_rate > 0)
            action = VIOLATION_FLAG;
        return violation(verdict, action, REJECTION_null_value, column->name, "");
    }
    if (!type_fits(column->type, value->kind))
        return violation(verdict, column->on_type, REJECTION_type_mismatch, column->name,
                         type_name(column->type));
    if (value->kind == VALUE_DOUBLE && isnan(value->number))
        return violation(verdict, column->on_violation, REJECTION_not_a_number, column->name, "");
    if (column->has_range && (value->number < column->low || value->number > column->high))
        return violation(verdict, column->on_violation, REJECTION_range, column->name, "");
    if (listed == NULL)
        return true;
    char scratch[40];
    return table_find(listed, value_category(value, scratch)) != NULL ||
           violation(verdict, column->on_unseen, REJECTION_unseen_value, column->name, "");
}

static bool violation(const struct verdict *verdict, enum violation_action action,
                      enum rejection_code code, const char *column, const char *detail)
{
    switch (action) {
    case VIOLATION_REJECT:
        return rejection_set(verdict->rejection, code, span_text(column), "%s", detail);
    case VIOLATION_FLAG:
        enrichment_add_reason(verdict->enrichment, span_text(rejection_name(code)),
                              span_text(column));
        return true;
    case VIOLATION_COUNT:
        verdict->counts[code]++;
        return true;
    }
    UNREACHABLE("all actions are above");
}

/* Category: whatever has a text of its own. Id: what systems use as one. */
static bool type_fits(enum column_type type, enum value_kind kind)
{
    switch (type) {
    case COLUMN_NUMBER:
        return kind == VALUE_LONG || kind == VALUE_DOUBLE;
    case COLUMN_CATEGORY:
        return kind == VALUE_TEXT || kind == VALUE_LONG || kind == VALUE_BOOLEAN ||
               kind == VALUE_DOUBLE;
    case COLUMN_BOOLEAN:
        return kind == VALUE_BOOLEAN;
    case COLUMN_TEXT:
        return kind == VALUE_TEXT;
    case COLUMN_ID:
        return kind == VALUE_TEXT || kind == VALUE_LONG;
    }
    UNREACHABLE("all types are above");
}

static const char *type_name(enum column_type type)
{
    static const char *const names[] = {[COLUMN_NUMBER] = "must be a number",
                                        [COLUMN_CATEGORY] = "must be a category",
                                        [COLUMN_BOOLEAN] = "must be a boolean",
                                        [COLUMN_TEXT] = "must be a text",
                                        [COLUMN_ID] = "must be a text or integer"};
    return names[type];
}
