/* store.h: shards' state in Redis, at an offset: one scripted call to write, one to read.
 *
 * A shard has two keys under one hash tag: TAG:at (hash: epoch, offset) and TAG:state (hash: field
 * → bytes). A write is a delta from one offset to another: applied only if the stored offset is
 * `from` and the stored epoch is ours; already at `to`: done; anything else is a conflict: restore.
 * Reading takes a new epoch, which fences off whoever had the shard before.
 *
 * The connection is kept by the store: it reconnects with back-off; a request unanswered for 5 s
 * closes the connection; requests whose outcome is unknown are sent again (the fence makes that
 * safe).
 *
 * Owner    caller of store_open().     Thread  loop thread only; callbacks run there, never inside
 * a call to the store. Memory   the requests under way: the caller has at most one a shard.
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
    void (*on_state)(void *context, bool ready); /* it became ready, or lost */
    void *context;
};
struct store_entry {
    struct span field, bytes; /* bytes.bytes NULL: remove the field */
};
struct store_snapshot {
    int64_t epoch;
    struct span offset; /* empty: there is none */
    const struct store_entry *entries;
    size_t entry_count; /* all borrowed for the call */
};
enum store_outcome { STORE_APPLIED, STORE_CONFLICT, STORE_FENCED };

MUST_USE enum fault store_open(const struct store_options *options, struct store **out_store,
                               struct reason *out_reason);
bool store_is_ready(const struct store *store); /* connected, answers, nothing unanswered for 5 s,
                                                   the last write not refused */
const char *
store_why(const struct store *store); /* why it is not ready: "no answer", or Redis's own words */
/* Texts are copied. The callback comes once, whenever Redis answers. */
void store_read(struct store *store, const char *tag,
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
