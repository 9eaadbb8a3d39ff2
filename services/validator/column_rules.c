#include "column_rules.h"
#include "container/table.h"
#include "memory/heap.h"

#include <math.h>

/* What lets a value of one of the rule's kinds pass without more ado. */
enum short_way { BY_KIND, BY_RANGE, BY_LIST };

/* A column's rules, with what decides of most values in front. */
struct column_rule {
    uint32_t kinds; /* bit by value_kind: kinds that may go the short way */
    enum short_way short_way;
    double low, high;     /* BY_RANGE; infinite where there is no range: NaN lies in none */
    struct table *listed; /* owned: the allowed values; NULL: any */
    const struct contract_column *column; /* borrowed */
};

struct column_rules {
    struct column_rule *columns; /* owned, [column_count] */
    size_t column_count;
    size_t score_count;
    struct column_rule label;  /* column NULL: any label */
    struct pattern_room *room; /* owned; NULL where no column has a pattern */
};

static void rule_open(struct column_rule *rule, const struct contract_column *column,
                      struct column_rules *rules);
static bool prediction_judge(const struct event *event, struct verdict *verdict);
static bool answers_judge(const struct column_rules *rules, const struct event *event,
                          struct verdict *verdict);
static bool value_judge(const struct column_rule *rule, const struct value *value,
                        struct pattern_room *room, struct verdict *verdict);
static bool text_judge(const struct column_rule *rule, struct span text, struct pattern_room *room,
                       struct verdict *verdict);

struct column_rules *column_rules_create(const struct contract *contract)
{
    REQUIRE(contract != NULL);
    struct column_rules *rules = heap_zeroed(1, sizeof *rules);
    rules->columns = heap_zeroed(contract->column_count, sizeof *rules->columns);
    rules->column_count = contract->column_count;
    rules->score_count = contract->score_count;
    for (size_t i = 0; i < rules->column_count; i++)
        rule_open(&rules->columns[i], &contract->columns[i], rules);
    if (contract->label != NULL)
        rule_open(&rules->label, contract->label, rules);
    return rules;
}

static inline bool passes(const struct column_rule *rule, const struct value *value)
{
    if ((rule->kinds >> value->kind & 1u) == 0)
        return false;
    if (rule->short_way == BY_RANGE)
        return value->number >= rule->low && value->number <= rule->high;
    return rule->short_way == BY_KIND || table_find(rule->listed, value->text) != NULL;
}

bool column_rules_judge(const struct column_rules *rules, const struct event *event,
                        struct verdict *verdict)
{
    REQUIRE(rules != NULL);
    if (!prediction_judge(event, verdict) || !answers_judge(rules, event, verdict))
        return false;
    const struct value *value = event->columns;
    const struct column_rule *end = rules->columns + rules->column_count;
    for (const struct column_rule *rule = rules->columns; rule < end; rule++, value++)
        if (!passes(rule, value) && !value_judge(rule, value, rules->room, verdict))
            return false;
    return true;
}

bool column_rules_judge_label(const struct column_rules *rules, const struct value *label,
                              struct verdict *verdict)
{
    REQUIRE(rules != NULL);
    return rules->label.column == NULL || value_judge(&rules->label, label, rules->room, verdict);
}

void column_rules_destroy(struct column_rules *rules)
{
    if (rules == NULL)
        return;
    for (size_t i = 0; i < rules->column_count; i++)
        table_destroy(rules->columns[i].listed);
    table_destroy(rules->label.listed);
    heap_release(rules->columns);
    pattern_room_destroy(rules->room);
    heap_release(rules);
}

/* ---- create ---- */

/* Category: whatever has a text of its own. Id: what systems use as one. */
static uint32_t kinds_of(enum column_type type)
{
    static const uint32_t text = 1u << VALUE_TEXT, whole = 1u << VALUE_LONG,
                          real = 1u << VALUE_DOUBLE, boolean = 1u << VALUE_BOOLEAN;
    switch (type) {
    case COLUMN_NUMBER:
        return whole | real;
    case COLUMN_CATEGORY:
        return text | whole | boolean | real;
    case COLUMN_BOOLEAN:
        return boolean;
    case COLUMN_TEXT:
        return text;
    case COLUMN_ID:
        return text | whole;
    }
    UNREACHABLE("all types are above");
}

static void rule_open(struct column_rule *rule, const struct contract_column *column,
                      struct column_rules *rules)
{
    rule->column = column;
    for (size_t i = 0; i < column->value_count; i++) {
        if (rule->listed == NULL)
            rule->listed = table_create();
        (void)table_put(rule->listed, span_text(column->values[i]), rules);
    }
    if (column->pattern != NULL && rules->room == NULL)
        rules->room = pattern_room_create();
    if (column->pattern != NULL || column->has_length)
        return; /* no short way */
    rule->kinds = kinds_of(column->type);
    if (column->type == COLUMN_NUMBER) {
        rule->short_way = BY_RANGE;
        rule->low = column->has_range ? column->low : -(double)INFINITY;
        rule->high = column->has_range ? column->high : (double)INFINITY;
    } else if (rule->listed != NULL) {
        rule->short_way = BY_LIST;
        rule->kinds = 1u << VALUE_TEXT;
    } else {
        rule->kinds &= ~(1u << VALUE_DOUBLE); /* it may be NaN */
    }
}

/* ---- the model's answers ---- */

static bool prediction_judge(const struct event *event, struct verdict *verdict)
{
    const struct value *prediction = &event->prediction;
    if (prediction->kind == VALUE_MISSING || prediction->kind == VALUE_NULL)
        return event->status != STATUS_OK ||
               verdict_violation(verdict, VIOLATION_REJECT, REJECTION_missing_prediction,
                                 "prediction", "");
    if (prediction->kind == VALUE_OTHER)
        return verdict_violation(verdict, VIOLATION_REJECT, REJECTION_type_mismatch, "prediction",
                                 "must be a number, text or boolean");
    if (prediction->kind == VALUE_DOUBLE && isnan(prediction->number))
        return verdict_violation(verdict, VIOLATION_FLAG, REJECTION_not_a_number, "prediction", "");
    return true;
}

static bool answer_judge(const struct value *answer, const char *column, struct verdict *verdict)
{
    switch (answer->kind) {
    case VALUE_DOUBLE:
        return !isnan(answer->number) ||
               verdict_violation(verdict, VIOLATION_FLAG, REJECTION_not_a_number, column, "");
    case VALUE_MISSING:
    case VALUE_NULL:
    case VALUE_LONG:
        return true;
    case VALUE_BOOLEAN:
    case VALUE_TEXT:
    case VALUE_OTHER:
        break;
    }
    return verdict_violation(verdict, VIOLATION_REJECT, REJECTION_type_mismatch, column,
                             "must be a number");
}

static bool answers_judge(const struct column_rules *rules, const struct event *event,
                          struct verdict *verdict)
{
    for (size_t i = 0; i < rules->score_count; i++)
        if (!answer_judge(&event->scores[i], "score", verdict))
            return false;
    return answer_judge(&event->confidence, "confidence", verdict) &&
           answer_judge(&event->latency_ms, "latency_ms", verdict);
}

/* ---- one value, in full ---- */

static const char *type_name(enum column_type type)
{
    static const char *const names[] = {[COLUMN_NUMBER] = "must be a number",
                                        [COLUMN_CATEGORY] = "must be a category",
                                        [COLUMN_BOOLEAN] = "must be a boolean",
                                        [COLUMN_TEXT] = "must be a text",
                                        [COLUMN_ID] = "must be a text or integer"};
    return names[type];
}

static bool null_judge(const struct contract_column *column, struct verdict *verdict)
{
    enum violation_action action = column->on_violation;
    if (action == VIOLATION_REJECT && column->has_nulls_max_rate && column->nulls_max_rate > 0)
        action = VIOLATION_FLAG;
    return verdict_violation(verdict, action, REJECTION_null_value, column->name, "");
}

static bool value_judge(const struct column_rule *rule, const struct value *value,
                        struct pattern_room *room, struct verdict *verdict)
{
    const struct contract_column *column = rule->column;
    if (value->kind == VALUE_MISSING)
        return !column->required || verdict_violation(verdict, column->on_type,
                                                      REJECTION_missing_column, column->name, "");
    if (value->kind == VALUE_NULL)
        return null_judge(column, verdict);
    if ((kinds_of(column->type) >> value->kind & 1u) == 0)
        return verdict_violation(verdict, column->on_type, REJECTION_type_mismatch, column->name,
                                 type_name(column->type));
    if (value->kind == VALUE_DOUBLE && isnan(value->number))
        return verdict_violation(verdict, column->on_violation, REJECTION_not_a_number,
                                 column->name, "");
    if (column->has_range && (value->number < column->low || value->number > column->high))
        return verdict_violation(verdict, column->on_violation, REJECTION_range, column->name, "");
    if (!column->has_length && column->pattern == NULL && rule->listed == NULL)
        return true;
    char scratch[40];
    return text_judge(rule, value_category(value, scratch), room, verdict);
}

/* Of UTF-8 that has been checked. */
static uint64_t characters(struct span text)
{
    uint64_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += (text.bytes[i] & 0xc0u) != 0x80u;
    return count;
}

static bool length_fits(const struct contract_column *column, struct span text)
{
    if (text.size < column->shortest) /* a character has 1 to 4 bytes */
        return false;
    if (text.size <= column->longest && text.size / 4 >= column->shortest)
        return true;
    const uint64_t length = characters(text);
    return length >= column->shortest && length <= column->longest;
}

static bool pattern_judge(const struct contract_column *column, struct span text,
                          struct pattern_room *room, struct verdict *verdict)
{
    char detail[64] = "";
    switch (pattern_search(column->pattern, text, room)) {
    case PATTERN_FOUND:
        return true;
    case PATTERN_ABSENT:
        break;
    case PATTERN_TOO_LONG:
        (void)snprintf(detail, sizeof detail, "not searched: over %d bytes", PATTERN_VALUE_MAX);
        break;
    case PATTERN_TOO_COSTLY:
        (void)snprintf(detail, sizeof detail, "given up: over the limit of %d steps",
                       PATTERN_STEPS_MAX);
        break;
    }
    return verdict_violation(verdict, column->on_violation, REJECTION_pattern, column->name,
                             detail);
}

/* All of them: behind one that is flagged there may be one that rejects. */
static bool text_judge(const struct column_rule *rule, struct span text, struct pattern_room *room,
                       struct verdict *verdict)
{
    const struct contract_column *column = rule->column;
    if (column->has_length && !length_fits(column, text) &&
        !verdict_violation(verdict, column->on_violation, REJECTION_length, column->name, ""))
        return false;
    if (column->pattern != NULL && !pattern_judge(column, text, room, verdict))
        return false;
    return rule->listed == NULL || table_find(rule->listed, text) != NULL ||
           verdict_violation(verdict, column->on_unseen, REJECTION_unseen_value, column->name, "");
}
