/* skim.h: walks over Avro bytes by their schema, within bounds: what every decoder here stands on.
 *
 * Bytes that nobody vouches for may claim any number of items, nest without end, or mean any number
 * of values that take no bytes. So: depth <= 100; items <= bytes (an item of no size counts as one
 * byte); values in all <= 100,000 + 16 a byte; a block that says its size must have it.
 *
 * Owner    embedded in the caller; borrows the bytes.
 * Faults   each function returns false and sets fault (RECORD_MALFORMED, LIMIT_EXCEEDED) and what;
 *          then the whole record is to be given up.
 * Cost     O(bytes); texts and bytes are not looked at when passed over.
 */
#ifndef SKIM_H
#define SKIM_H
#include "avro/schema.h"
#include "avro/wire.h"

struct skim {
    struct wire_reader wire;
    uint64_t items_left, values_left;
    enum fault fault;
    const char *what; /* static text */
};

struct skim_block {
    uint64_t count;     /* items; 0: the array or map ends here */
    const uint8_t *end; /* where it must end; NULL where it does not say */
};

struct skim skim_of(struct span bytes);
bool skim_fail(struct skim *skim, enum fault fault, const char *what); /* false */
/* Before each value: takes it off the bounds. */
MUST_USE bool skim_enter(struct skim *skim, unsigned depth);
/* Passes over one value, skim_enter included. */
MUST_USE bool skim_over(struct skim *skim, const struct schema_node *node, unsigned depth);
/* Arrays and maps: begin, then `count` items (a map's each behind its key), then end; until count
 * is 0. */
MUST_USE bool skim_block_begin(struct skim *skim, struct skim_block *out_block);
MUST_USE bool skim_block_end(struct skim *skim, const struct skim_block *block);
/* The index of a union's branch or an enum's symbol. */
MUST_USE bool skim_index(struct skim *skim, size_t count, size_t *out_index);
#endif
