/* yaml_tree.h: a YAML document as a tree that remembers where each node stands, on libyaml.
 *
 * Mappings keep their order; duplicate keys, anchors, aliases, tags, several documents are refused;
 * depth <= 32, size <= 1 MiB.
 *
 * Owner    caller of yaml_tree_parse().
 * Thread   any, once parsed.
 * Faults   parse: FILE_MALFORMED with "file:line:column: what".
 * Cost     parse O(size); get O(keys of the map).
 */
#ifndef YAML_TREE_H
#define YAML_TREE_H
#include "check/fault.h"
#include "check/reason.h"
#include "memory/span.h"
#include <stdbool.h>

enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAP };
struct yaml_node {
    enum yaml_kind kind;
    char *text;               /* owned; TEXT */
    bool plain;               /* TEXT: not quoted, so it may be a number or null */
    struct yaml_node **items; /* owned; LIST: items; MAP: values; [count] */
    struct yaml_node **keys;  /* owned; MAP; [count]; each a TEXT */
    size_t count;
    unsigned line, column; /* from 1 */
};
MUST_USE enum fault yaml_tree_parse(const char *file_name, struct span text,
                                    struct yaml_node **out_root, struct reason *out_reason);
const struct yaml_node *yaml_tree_get(const struct yaml_node *map, const char *key); /* or NULL */
void yaml_tree_destroy(struct yaml_node *root); /* NULL accepted */
#endif
