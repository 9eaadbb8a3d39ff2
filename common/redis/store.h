/* store.h: shards' state in Redis or Redis Cluster, at an offset: one scripted call to write, one
 * to read.
 *
 * A shard is one hash, TAG:state, under its own hash tag: the fields ".epoch", ".offset" and
 * ".owner", and the state's entries. One key, so that an eviction takes all of it or nothing. A
 * write is a delta from one offset to another: applied only if the stored offset is `from` and the
 * stored epoch is ours; already at `to`: done; anything else is a conflict: restore. Reading takes
 * a new epoch, which fences off whoever had the shard before; it is higher than both the stored one
 * and `epoch_least`, which Kafka remembers, so that a Redis that lost its last seconds gives no
 * epoch twice. State of another owner (another Kafka cluster or group) is neither fenced nor read.
 *
 * Each entry, and the offset, is stored as its bytes, then "P1", then XXH64 (little-endian) of
 * field, a zero byte and the bytes: a damaged one is STATE_MALFORMED, never state.
 *
 * Connections are kept by the store, one a server: it reconnects with back-off, follows MOVED and
 * ASK, spells out a script that Redis has forgotten, and sends again what was not answered (the
 * fence makes that safe). A request unanswered for 5 s closes the connection. A request that Redis
 * refuses (no disk space, too few replicas, a cluster without a master …) stays and is sent again
 * each second; until it is answered the store is not ready. Through on_warning it says, once a
 * server, when Redis may evict keys or keeps nothing on disk.
 *
 * Owner    caller of store_open().
 * Thread   loop thread only. Callbacks come from the loop or from within store_tick, never inside
 * another call to the store; they may call the store, but not close it.
 * Memory   the requests under way: the caller has at most one a shard.
 */
#ifndef STORE_H
#define STORE_H
#include "check/fault.h"
#include "check/reason.h"
#include "memory/span.h"
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct store;
struct store_options {
    uv_loop_t *loop;
    const char *url;
    const char *owner;                           /* copied: whose state this is; "" : anybody's */
    void (*on_state)(void *context, bool ready); /* it became ready, or lost */
    /* event: "redis_evicts" or "redis_not_persistent"; text: what was found and the remedy. May be
     * NULL. */
    void (*on_warning)(void *context, const char *event, const char *text);
    void *context;
};
struct store_entry {
    struct span field, bytes; /* bytes.bytes NULL: remove the field */
};
/* As `from` of a write: whatever offset is stored. Only for a shard whose damaged state was read
 * under this epoch, and with the removal of each of its fields. */
#define STORE_ANYWHERE "*"
struct store_snapshot {
    enum fault fault; /* NONE; STATE_MALFORMED: a checksum is wrong (the field is in `detail`), the
                         entries are good for their fields alone, offset is STORE_ANYWHERE;
                         STATE_FOREIGN: another owner's (who is in `detail`), nothing else is set */
    int64_t epoch;
    struct span offset; /* empty: there is none */
    struct span detail;
    const struct store_entry *entries;
    size_t entry_count; /* all borrowed for the call */
};
enum store_outcome { STORE_APPLIED, STORE_CONFLICT, STORE_FENCED };

/* Connects by and by: store_tick does everything that time asks for. */
MUST_USE enum fault store_open(const struct store_options *options, struct store **out_store,
                               struct reason *out_reason);
void store_set_owner(struct store *store, const char *owner); /* before the first read; copied */
void store_tick(
    struct store *store); /* at least each 250 ms: connects, asks, gives up, sends again */
bool store_is_ready(const struct store *store); /* connected, answers, no request was refused or
                                                   lost and is still unanswered */
const char *
store_why(const struct store *store); /* why it is not ready: "no answer", or Redis's own words */
/* Texts are copied. The callback comes once, whenever Redis answers. */
void store_read(struct store *store, const char *tag, int64_t epoch_least,
                void (*on_read)(void *context, const struct store_snapshot *snapshot),
                void *context);
void store_write(struct store *store, const char *tag, int64_t epoch, struct span from,
                 struct span to, const struct store_entry *entries, size_t entry_count,
                 void (*on_written)(void *context, enum store_outcome outcome), void *context);
/* Forgets all requests of this context: their callbacks do not come. */
void store_forget(struct store *store, void *context);
size_t store_waiting(const struct store *store);
void store_close(struct store *store); /* handles are closed on the loop: run it once more after;
                                          NULL accepted */
#endif
