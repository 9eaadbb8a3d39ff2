/* canonical.h: the parsing canonical form of a schema (Avro specification): what two schemas that
 * read alike share.
 *
 * Cost     O(nodes).
 */
#ifndef CANONICAL_H
#define CANONICAL_H
#include "avro/schema.h"
#include "memory/buffer.h"

/* Appends. node_count: of the schema that root belongs to. */
void canonical_write(const struct schema_node *root, uint32_t node_count, struct buffer *buffer);
#endif
