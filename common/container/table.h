/* table.h: a hash table from bytes to a pointer.
 *
 * Order of iteration follows the hash and means nothing: whoever publishes from a table sorts
 * first. Owner    caller of table_create(). Keys are copied; values belong to the caller. Thread
 * one at a time. Memory   grows by doubling at 3/4 load; never shrinks. Cost     find, put, remove
 * O(1) expected.
 */
#ifndef TABLE_H
#define TABLE_H
#include "memory/span.h"

struct table;
struct table *table_create(void);
void *table_find(const struct table *table, struct span key); /* NULL where absent */
void *table_put(struct table *table, struct span key,
                void *value); /* value not NULL; returns the one replaced, or NULL */
void *table_remove(struct table *table, struct span key); /* the value removed, or NULL */
size_t table_count(const struct table *table);
/* Life of a walk: cursor 0, call until NULL; the table must not change meanwhile. */
void *table_next(const struct table *table, size_t *cursor,
                 struct span *out_key); /* out_key may be NULL */
/* All entries sorted by key, in arena-free heap memory the caller releases; count = table_count. */
struct table_entry {
    struct span key; /* borrowed from the table */
    void *value;
};
struct table_entry *table_sorted(const struct table *table);
void table_destroy(struct table *table); /* NULL accepted; values are not touched */
#endif
