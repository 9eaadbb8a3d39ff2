/* store_script.h: the two scripts that read and write a shard's state, their arguments and answers.
 *
 * Each has one key, TAG:state, a hash. Both are in Lua because Redis runs a script as one step: it
 * is either applied and kept whole, or not at all.
 *
 * Thread   one at a time.     Memory   arguments and entries: in the caller's arena.
 */
#ifndef STORE_SCRIPT_H
#define STORE_SCRIPT_H
#include "redis/link.h"
#include "redis/store.h"

struct arena;
enum store_script { STORE_SCRIPT_READ, STORE_SCRIPT_WRITE, STORE_SCRIPT_COUNT };

/* Fields of the hash that are no entries. .offset is framed like an entry (store_blob.h). */
#define STORE_FIELD_EPOCH  ".epoch"
#define STORE_FIELD_OFFSET ".offset"
#define STORE_FIELD_OWNER  ".owner"
enum { STORE_EPOCH_DIGITS_MAX = 15 }; /* exact in a double; a longer one counts as damaged */

enum { STORE_SCRIPT_KEY_INDEX = 3 };

const char *store_script_text(enum store_script script);

/* A whole command: EVAL TEXT or EVALSHA SUM, "1", the key, the arguments. */
struct store_arguments {
    struct span *spans; /* in the arena; the first two are left empty for the caller */
    size_t count;
};
struct store_arguments store_script_read(struct arena *arena, const char *tag, const char *owner,
                                         int64_t epoch_least);
struct store_write {
    const char *tag, *owner;
    int64_t epoch;
    struct span from, to;
    const struct store_entry *entries; /* [entry_count] */
    size_t entry_count;
};
struct store_arguments store_script_write(struct arena *arena, const struct store_write *write);

/* false: not an answer of this script (an error, say). Entries lie in the arena, bytes in reply. */
bool store_script_snapshot(const struct link_reply *reply, struct arena *arena,
                           struct store_snapshot *out_snapshot);
bool store_script_outcome(const struct link_reply *reply, enum store_outcome *out_outcome);
#endif
