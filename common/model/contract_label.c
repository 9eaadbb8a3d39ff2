#include "memory/heap.h"
#include "model/contract_read.h"

static const struct contract_key label_keys[] = {
    {"ttl", KEY_NEEDED},         {"type", KEY_BUILT},     {"range", KEY_BUILT},
    {"length", KEY_BUILT},       {"pattern", KEY_BUILT},  {"values", KEY_BUILT},
    {"on_violation", KEY_BUILT}, {"on_type", KEY_BUILT},  {"on_unseen", KEY_BUILT},
    {"stale", KEY_BUILT},        {"on_stale", KEY_BUILT}, {"early", KEY_LATER},
    {NULL, KEY_BUILT},
};

/* Without a type there is nothing to hold a label against; what asks for it all the same is told.
 */
static bool refuse_untyped(const struct contract_reader *reader, const struct yaml_node *map)
{
    static const char *const rules[] = {"range",        "length",  "pattern",  "values",
                                        "on_violation", "on_type", "on_unseen"};
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        const struct yaml_node *rule = yaml_tree_get(map, rules[i]);
        if (rule != NULL)
            return contract_read_refuse(reader, rule, "%s needs the labels' type", rules[i]);
    }
    return true;
}

bool contract_label_read(const struct contract_reader *reader, const struct yaml_node *map,
                         struct contract *contract)
{
    if (!contract_read_keys(reader, map, "labels", label_keys) ||
        !contract_read_duration(reader, map, "ttl", &contract->labels_ttl_ms) ||
        !contract_read_stale(reader, map, &contract->label_stale_ms, &contract->on_label_stale))
        return false;
    if (yaml_tree_get(map, "type") == NULL)
        return refuse_untyped(reader, map);
    contract->label = heap_zeroed(1, sizeof *contract->label);
    contract->label->name = heap_text("label");
    return contract_column_read_rules(reader, map, contract->label);
}
