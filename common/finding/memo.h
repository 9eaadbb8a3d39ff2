/* memo.h: one kind of a service's state entries: JSON values by name, saved by what changed.
 *
 * A service's state is a few memos. Names become fields "PREFIX|NAME" of the stored state; values
 * are framed by the schema STEM. memo_save writes only what was put or removed since the last save,
 * so a snapshot is a delta.
 *
 * Owner    caller of memo_create(). Values put are taken; values found are borrowed until the next
 *          put or remove of that name.
 * Thread   one at a time.
 * Faults   load: STATE_MALFORMED.
 * Memory   the values, and the names removed since the last save.
 * Cost     find, put, remove O(1); sorted O(n log n); save O(n).
 */
#ifndef MEMO_H
#define MEMO_H
#include "service/service.h"

struct memo;
struct memo_item {
    struct span name; /* borrowed from the memo */
    json_t *value;    /* borrowed from the memo */
};

struct memo *memo_create(const char *prefix, const char *stem);    /* both borrowed: literals */
json_t *memo_find(const struct memo *memo, struct span name);      /* NULL where absent */
void memo_put(struct memo *memo, struct span name, json_t *value); /* takes value; replaces */
void memo_remove(struct memo *memo, struct span name);             /* nothing where absent */
size_t memo_count(const struct memo *memo);
/* All items by name, in heap memory that the caller releases; [memo_count]. */
struct memo_item *memo_sorted(const struct memo *memo);
void memo_save(struct memo *memo, struct changes *changes);
bool memo_owns(const struct memo *memo, struct span field); /* the field has this memo's prefix */
MUST_USE enum fault memo_load(struct memo *memo, struct span field, struct span bytes);
void memo_destroy(struct memo *memo); /* NULL accepted */

/* One value framed by the schema STEM of ours. STATE_MALFORMED. */
MUST_USE enum fault memo_decode(const char *stem, struct span bytes, json_t **out_value);
#endif
