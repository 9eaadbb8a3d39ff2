/* schema.h: an Avro schema, parsed once, immutable after.
 *
 * Our own parser (on jansson) because avro-c reads neither defaults, aliases, logical types nor
 * docs, has no parsing canonical form and no limit on depth; avro-c is the oracle in tests. Limits:
 * 1 MiB of text, depth 100, 10,000 nodes.
 *
 * Owner    caller of schema_parse(); nodes are borrowed from the schema.
 * Thread   any, once parsed.
 * Faults   parse: SCHEMA_INVALID with a reason, LIMIT_EXCEEDED.
 */
#ifndef SCHEMA_H
#define SCHEMA_H
#include "check/fault.h"
#include "check/reason.h"
#include "memory/span.h"
#include <jansson.h>

enum schema_kind {
    SCHEMA_NULL,
    SCHEMA_BOOLEAN,
    SCHEMA_INT,
    SCHEMA_LONG,
    SCHEMA_FLOAT,
    SCHEMA_DOUBLE,
    SCHEMA_BYTES,
    SCHEMA_STRING,
    SCHEMA_RECORD,
    SCHEMA_ENUM,
    SCHEMA_ARRAY,
    SCHEMA_MAP,
    SCHEMA_UNION,
    SCHEMA_FIXED
};
enum schema_logical {
    LOGICAL_NONE,
    LOGICAL_TIMESTAMP_MILLIS, /* of the three also the local ones */
    LOGICAL_TIMESTAMP_MICROS,
    LOGICAL_TIMESTAMP_NANOS,
    LOGICAL_DATE,
    LOGICAL_DECIMAL, /* of bytes or fixed */
    LOGICAL_UUID,    /* of a string or fixed(16) */
    LOGICAL_OTHER    /* one that we make nothing of */
};

struct schema_node;
struct schema_field {
    const char *name; /* owned by the schema, as all below */
    const struct schema_node *type;
    const json_t *fallback; /* the field's default, NULL where it has none */
    const char *doc;        /* NULL where it has none */
};
struct schema_node {
    enum schema_kind kind;
    enum schema_logical logical;
    const char *full_name;             /* record, enum, fixed; else NULL */
    const struct schema_field *fields; /* record: fields; else only .type is set: of a
                                        * union the branches, of an array or map the items */
    size_t field_count;
    const char *const *symbols; /* enum */
    size_t symbol_count;
    size_t fixed_size; /* fixed */
    uint32_t scale;    /* LOGICAL_DECIMAL: digits behind the point */
    uint32_t index;    /* 0 .. schema_node_count - 1: lets a reader keep an array beside the tree */
};

struct schema;
MUST_USE enum fault schema_parse(struct span text, struct schema **out_schema,
                                 struct reason *out_reason);
const struct schema_node *schema_root(const struct schema *schema);
uint32_t schema_node_count(const struct schema *schema);
const struct schema_node *schema_node_at(const struct schema *schema, uint32_t index);
struct span schema_text(const struct schema *schema); /* as it was given */
/* The parsing canonical form of the Avro specification. */
const char *schema_canonical(const struct schema *schema);
uint64_t schema_fingerprint(const struct schema *schema); /* CRC-64-AVRO of the canonical form */
/* NULL where absent. */
const struct schema_field *schema_field(const struct schema_node *record, const char *name);
void schema_destroy(struct schema *schema); /* NULL accepted */

/* The schemas of our own records (schemas/STEM.avsc), compiled into the program. REQUIREs that the
 * stem exists; parsed at first use, kept for the life of the process. Call first on the main
 * thread. */
const struct schema *schema_embedded(const char *stem);
const struct schema *schema_embedded_find(uint64_t fingerprint); /* NULL: none of ours */
#endif
