/* schema_tree.h: the nodes of a schema, made from its JSON: names resolved, defaults checked. Only
 * schema.c uses it.
 *
 * Owner    embedded in the schema; names, docs and defaults borrow from the JSON, which must
 * outlive the tree. Faults   parse: SCHEMA_INVALID or LIMIT_EXCEEDED with a reason that names the
 * path; the tree is then to be given up. Memory   an arena, freed by schema_tree_fini. Cost parse
 * O(size of the JSON).
 */
#ifndef SCHEMA_TREE_H
#define SCHEMA_TREE_H
#include "avro/schema.h"
#include "memory/arena.h"

struct schema_tree {
    struct arena *arena; /* owned: nodes, fields, full names */
    const struct schema_node *root;
    const struct schema_node **nodes; /* owned, by index, [node_count] */
    uint32_t node_count;
};

MUST_USE enum fault schema_tree_parse(const json_t *json, struct schema_tree *tree,
                                      struct reason *out_reason);
void schema_tree_fini(struct schema_tree *tree); /* a tree half built accepted */
#endif
