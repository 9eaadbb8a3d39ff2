#include "container/table.h"
#include "memory/heap.h"
#include "model/contract_read.h"

static const struct contract_key column_keys[] = {
    {"type", KEY_NEEDED},   {"range", KEY_BUILT},      {"nulls", KEY_BUILT},
    {"values", KEY_BUILT},  {"required", KEY_BUILT},   {"on_violation", KEY_BUILT},
    {"on_type", KEY_BUILT}, {"on_unseen", KEY_BUILT},  {"pii", KEY_LATER},
    {"pattern", KEY_LATER}, {"references", KEY_LATER}, {"keep", KEY_LATER},
    {"skew", KEY_LATER},    {NULL, KEY_BUILT},
};
static const struct contract_key null_keys[] = {{"max_rate", KEY_NEEDED}, {NULL, KEY_BUILT}};
static const struct contract_choice types[] = {
    {"number", COLUMN_NUMBER},   {"category", COLUMN_CATEGORY},
    {"boolean", COLUMN_BOOLEAN}, {"text", COLUMN_TEXT},
    {"id", COLUMN_ID},           {NULL, 0},
};
static const struct contract_choice actions[] = {
    {"flag", VIOLATION_FLAG}, {"reject", VIOLATION_REJECT}, {"count", VIOLATION_COUNT}, {NULL, 0}};

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
    int type = VIOLATION_REJECT, violation = VIOLATION_FLAG;
    if (!contract_read_choice(reader, map, "on_type", actions, &type) ||
        !contract_read_choice(reader, map, "on_violation", actions, &violation))
        return false;
    int unseen = violation;
    if (!contract_read_choice(reader, map, "on_unseen", actions, &unseen))
        return false;
    const struct yaml_node *on_unseen = yaml_tree_get(map, "on_unseen");
    if (on_unseen != NULL && column->values == NULL)
        return contract_read_refuse(reader, on_unseen, "on_unseen needs the column's values");
    column->on_type = (enum violation_action)type;
    column->on_violation = (enum violation_action)violation;
    column->on_unseen = (enum violation_action)unseen;
    return true;
}

static bool read_column(const struct contract_reader *reader, const struct yaml_node *map,
                        struct contract_column *column)
{
    if (!contract_read_keys(reader, map, "a column", column_keys))
        return false;
    int type = COLUMN_NUMBER;
    if (!contract_read_choice(reader, map, "type", types, &type))
        return false;
    column->type = (enum column_type)type;
    column->required = true;
    if (!contract_read_flag(reader, map, "required", &column->required) ||
        !read_range(reader, map, column) || !read_values(reader, map, column))
        return false;
    const struct yaml_node *nulls = yaml_tree_get(map, "nulls");
    if (nulls != NULL &&
        (!contract_read_keys(reader, nulls, "nulls", null_keys) ||
         !contract_read_share(reader, nulls, "max_rate", 1, &column->has_nulls_max_rate,
                              &column->nulls_max_rate)))
        return false;
    return read_actions(reader, map, column);
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
