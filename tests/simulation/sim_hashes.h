/* sim_hashes.h: the keys of the simulated Redis, and their whole past.
 *
 * A key is a hash or a text (which is kept as a hash's only field, without a name).
 *
 * Owner    caller of sim_hashes_create().     Thread  one.     Memory   all that was ever put.
 */
#ifndef SIM_HASHES_H
#define SIM_HASHES_H
#include "container/table.h"
#include "memory/span.h"

struct sim_hashes;
struct sim_hashes *sim_hashes_create(void);
void sim_hashes_destroy(struct sim_hashes *hashes); /* NULL accepted */

enum sim_key { SIM_KEY_NONE, SIM_KEY_HASH, SIM_KEY_TEXT };
enum sim_key sim_hashes_kind(const struct sim_hashes *hashes, struct span key);
/* bytes NULL: absent. The field of a text is the empty span with bytes NULL. */
struct span sim_hashes_get(const struct sim_hashes *hashes, struct span key, struct span field);
/* Sorted by field; the value of an entry is a struct span *. Released by the caller. */
struct table_entry *sim_hashes_fields(const struct sim_hashes *hashes, struct span key,
                                      size_t *out_count);
struct table_entry *sim_hashes_keys(const struct sim_hashes *hashes, size_t *out_count);

/* All changes between two calls of _begin_write are one write, at this time. */
void sim_hashes_begin_write(struct sim_hashes *hashes, int64_t now_ms);
void sim_hashes_put(
    struct sim_hashes *hashes, struct span key, struct span field,
    struct span bytes); /* bytes NULL: removes it; the last one takes the key along */
void sim_hashes_remove(struct sim_hashes *hashes, struct span key); /* with all its fields */

size_t sim_hashes_writes(const struct sim_hashes *hashes); /* that changed something */
size_t sim_hashes_writes_at(const struct sim_hashes *hashes, int64_t time_ms);
void sim_hashes_roll_back(struct sim_hashes *hashes, size_t writes);
#endif
