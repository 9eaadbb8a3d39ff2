#include "container/table.h"
#include "memory/heap.h"
#include "model/contract_read.h"

#include <math.h>

static const struct contract_key column_keys[] = {
    {"type", KEY_NEEDED},      {"source", KEY_BUILT},    {"range", KEY_BUILT},
    {"length", KEY_BUILT},     {"pattern", KEY_BUILT},   {"values", KEY_BUILT},
    {"nulls", KEY_BUILT},      {"required", KEY_BUILT},  {"on_violation", KEY_BUILT},
    {"on_type", KEY_BUILT},    {"on_unseen", KEY_BUILT}, {"pii", KEY_LATER},
    {"references", KEY_LATER}, {"keep", KEY_LATER},      {"skew", KEY_LATER},
    {NULL, KEY_BUILT},
};
static const struct contract_key null_keys[] = {{"max_rate", KEY_NEEDED}, {NULL, KEY_BUILT}};
static const struct contract_choice types[] = {
    {"number", COLUMN_NUMBER},   {"category", COLUMN_CATEGORY},
    {"boolean", COLUMN_BOOLEAN}, {"text", COLUMN_TEXT},
    {"id", COLUMN_ID},           {NULL, 0},
};

/* Monitors name these beside the features, so no feature may have their names. */
static const char *const reserved[] = {"prediction", "score", "confidence", "latency_ms", "*"};

const struct contract_column *contract_column(const struct contract *contract, struct span name)
{
    REQUIRE(contract != NULL);
    for (size_t i = 0; i < contract->column_count; i++)
        if (span_is(name, contract->columns[i].name))
            return &contract->columns[i];
    return NULL;
}

static bool read_range(const struct contract_reader *reader, const struct yaml_node *map,
                       struct contract_column *column)
{
    const struct yaml_node *range = yaml_tree_get(map, "range");
    if (range == NULL)
        return true;
    if (column->type != COLUMN_NUMBER)
        return contract_read_refuse(reader, range, "range is for columns of type number");
    if (range->kind != YAML_LIST || range->count != 2)
        return contract_read_refuse(reader, range, "range must be [lowest, highest]");
    if (!contract_read_number(reader, range->items[0], "range", &column->low) ||
        !contract_read_number(reader, range->items[1], "range", &column->high))
        return false;
    if (column->low > column->high)
        return contract_read_refuse(reader, range, "range is empty: %s is above %s",
                                    range->items[0]->text, range->items[1]->text);
    column->has_range = true;
    return true;
}

static bool has_text(enum column_type type)
{
    return type == COLUMN_TEXT || type == COLUMN_CATEGORY || type == COLUMN_ID;
}

/* A number of characters; .inf is no limit. */
static bool read_size(const struct contract_reader *reader, const struct yaml_node *node,
                      uint64_t *out_size)
{
    double number = 0;
    if (!contract_read_number(reader, node, "length", &number))
        return false;
    if (number > 0x1p53) {
        *out_size = UINT64_MAX;
        return true;
    }
    if (number < 0 || number != floor(number))
        return contract_read_refuse(reader, node, "length must be whole and not below 0, not %s",
                                    node->text);
    *out_size = (uint64_t)number;
    return true;
}

static bool read_length(const struct contract_reader *reader, const struct yaml_node *map,
                        struct contract_column *column)
{
    const struct yaml_node *length = yaml_tree_get(map, "length");
    if (length == NULL)
        return true;
    if (!has_text(column->type))
        return contract_read_refuse(reader, length,
                                    "length is for columns of type text, category or id");
    if (length->kind != YAML_LIST || length->count != 2)
        return contract_read_refuse(reader, length, "length must be [shortest, longest]");
    if (!read_size(reader, length->items[0], &column->shortest) ||
        !read_size(reader, length->items[1], &column->longest))
        return false;
    if (column->shortest > column->longest)
        return contract_read_refuse(reader, length, "length is empty: %s is above %s",
                                    length->items[0]->text, length->items[1]->text);
    column->has_length = true;
    return true;
}

static bool read_pattern(const struct contract_reader *reader, const struct yaml_node *map,
                         struct contract_column *column)
{
    const struct yaml_node *pattern = yaml_tree_get(map, "pattern");
    if (pattern == NULL)
        return true;
    if (!has_text(column->type))
        return contract_read_refuse(reader, pattern,
                                    "pattern is for columns of type text, category or id");
    if (pattern->kind != YAML_TEXT || pattern->text[0] == 0)
        return contract_read_refuse(reader, pattern, "pattern must be a text");
    struct reason reason = {""};
    if (pattern_compile(pattern->text, &column->pattern, &reason) != FAULT_NONE)
        return contract_read_refuse(reader, pattern, "%s", reason.text);
    return true;
}

static bool read_values(const struct contract_reader *reader, const struct yaml_node *map,
                        struct contract_column *column)
{
    const struct yaml_node *values = yaml_tree_get(map, "values");
    if (values == NULL)
        return true;
    if (column->type != COLUMN_CATEGORY)
        return contract_read_refuse(reader, values, "values is for columns of type category");
    if (values->kind != YAML_LIST || values->count == 0)
        return contract_read_refuse(reader, values, "values must be a list of texts, not empty");
    struct table *seen = table_create();
    column->values = heap_zeroed(values->count, sizeof(char *));
    bool read = true;
    for (size_t i = 0; read && i < values->count; i++) {
        const struct yaml_node *value = values->items[i];
        if (value->kind != YAML_TEXT) {
            read = contract_read_refuse(reader, value, "a value must be a text");
            break;
        }
        if (table_put(seen, span_text(value->text), values->items[i]) != NULL) {
            read = contract_read_refuse(reader, value, "value '%.60s' again", value->text);
            break;
        }
        column->values[column->value_count++] = heap_text(value->text);
    }
    table_destroy(seen);
    return read;
}

static bool read_actions(const struct contract_reader *reader, const struct yaml_node *map,
                         struct contract_column *column)
{
    column->on_type = VIOLATION_REJECT;
    column->on_violation = VIOLATION_FLAG;
    if (!contract_read_action(reader, map, "on_type", &column->on_type) ||
        !contract_read_action(reader, map, "on_violation", &column->on_violation))
        return false;
    column->on_unseen = column->on_violation;
    const struct yaml_node *on_unseen = yaml_tree_get(map, "on_unseen");
    if (!contract_read_action(reader, map, "on_unseen", &column->on_unseen))
        return false;
    return on_unseen == NULL || column->values != NULL ||
           contract_read_refuse(reader, on_unseen, "on_unseen needs the column's values");
}

bool contract_column_read_rules(const struct contract_reader *reader, const struct yaml_node *map,
                                struct contract_column *column)
{
    int type = COLUMN_NUMBER;
    if (!contract_read_choice(reader, map, "type", types, &type))
        return false;
    column->type = (enum column_type)type;
    return read_range(reader, map, column) && read_length(reader, map, column) &&
           read_pattern(reader, map, column) && read_values(reader, map, column) &&
           read_actions(reader, map, column);
}

/* Not a rule that a record can keep or break: so it is refused with what to write instead. */
static bool refuse_distinct(const struct contract_reader *reader, const struct yaml_node *map)
{
    for (size_t i = 0; map->kind == YAML_MAP && i < map->count; i++)
        if (strcmp(map->keys[i]->text, "distinct") == 0)
            return contract_read_refuse(
                reader, map->keys[i],
                "'distinct' is known but not supported by this version of Plumbline: how many "
                "values there are only a window can tell; `values` lists those allowed");
    return true;
}

static bool read_column(const struct contract_reader *reader, const struct yaml_node *map,
                        struct contract_column *column)
{
    if (!refuse_distinct(reader, map) ||
        !contract_read_keys(reader, map, "a column", column_keys) ||
        !contract_column_read_rules(reader, map, column) ||
        !contract_source_read(reader, map, column))
        return false;
    column->required = true;
    if (!contract_read_flag(reader, map, "required", &column->required))
        return false;
    const struct yaml_node *nulls = yaml_tree_get(map, "nulls");
    return nulls == NULL ||
           (contract_read_keys(reader, nulls, "nulls", null_keys) &&
            contract_read_share(reader, nulls, "max_rate", 1, &column->has_nulls_max_rate,
                                &column->nulls_max_rate));
}

void contract_column_fini(struct contract_column *column)
{
    heap_release(column->name);
    for (size_t i = 0; i < column->value_count; i++)
        heap_release(column->values[i]);
    heap_release(column->values);
    contract_source_fini(column);
    pattern_destroy(column->pattern);
}

bool contract_column_read(const struct contract_reader *reader, const struct yaml_node *map,
                          struct contract *contract)
{
    if (map->kind != YAML_MAP)
        return contract_read_refuse(reader, map, "columns must be a mapping (name: {type: …})");
    contract->columns = heap_zeroed(map->count, sizeof *contract->columns);
    for (size_t i = 0; i < map->count; i++) {
        const struct yaml_node *key = map->keys[i];
        if (!contract_read_name(reader, key, "a column's name"))
            return false;
        for (size_t j = 0; j < COUNT_OF(reserved); j++)
            if (strcmp(reserved[j], key->text) == 0)
                return contract_read_refuse(
                    reader, key, "'%s' is what monitors call the model's own: rename the feature",
                    key->text);
        struct contract_column *column = &contract->columns[contract->column_count++];
        column->name = heap_text(key->text);
        if (!read_column(reader, map->items[i], column))
            return false;
    }
    return true;
}
