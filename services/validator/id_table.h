/* id_table.h: ids by their hash, each with a tag that can be taken from all its ids at once.
 *
 * An entry is 16 bytes: 120 bits of XXH3-128 and the tag. Two of n ids are taken for one with a
 * probability of n² / 2^121: of a million, 4e-25 (by accident; it is no hash against malice). Open
 * addressing with linear probes; an entry whose tag was closed is dead: it counts as absent, its
 * place is taken by the next id that passes by it, or is given back when the table is built anew.
 *
 * Owner    embedded in the caller: {0}, then any call, then id_table_fini.
 * Thread   one at a time.
 * Memory   33 to 64 bytes for each of the most ids that lived when it was built (16 KiB at least);
 *          the old and the new one while it is built anew.
 * Cost     find and put O(1), a close O(1). Built anew, at O(capacity), when three quarters of the
 *          places are used: it begins with half of them free at least, so that a quarter of them is
 *          put before; and once in 240 tags that are opened.
 */
#ifndef ID_TABLE_H
#define ID_TABLE_H
#include "memory/span.h"
#include <stdbool.h>
#include <stdint.h>

struct id_hash {
    uint64_t low, high; /* the lowest byte of high is 0 */
};
enum { ID_HASH_SIZE = 15, ID_TABLE_TAGS = 256, ID_TABLE_TAGS_LIVE_MAX = 15 };

struct id_table {
    struct id_hash *entries; /* owned, [capacity]; the lowest byte of high is the tag, 0: free */
    size_t capacity;         /* a power of two */
    size_t used;             /* not free: living and dead; <= 3/4 capacity */
    bool is_live[ID_TABLE_TAGS],
        is_dirty[ID_TABLE_TAGS]; /* dirty: closed, may still be in entries */
    uint8_t last;                /* the tag opened last */
};

struct id_hash id_hash_of(struct span id);
void id_hash_write(struct id_hash hash, uint8_t out[ID_HASH_SIZE]); /* the same on every machine */
struct id_hash id_hash_read(const uint8_t bytes[ID_HASH_SIZE]);

/* At most ID_TABLE_TAGS_LIVE_MAX are open at a time. Never 0. */
uint8_t id_table_open_tag(struct id_table *table);
void id_table_close_tag(struct id_table *table, uint8_t tag); /* its ids are absent from now on */
/* The id's tag; 0: absent. */
uint8_t id_table_find(const struct id_table *table, struct id_hash hash);
/* The id is looked for soon: where it would be comes into the cache meanwhile. */
void id_table_expect(const struct id_table *table, struct id_hash hash);
void id_table_put(struct id_table *table, struct id_hash hash,
                  uint8_t tag); /* in place of another */
void id_table_fini(struct id_table *table);
#endif
