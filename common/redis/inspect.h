/* inspect.h: what Redis holds of a shard, for the tools: read without taking an epoch, or deleted.
 *
 * A small blocking client: it asks one server and goes where Redis Cluster sends it (MOVED, ASK).
 * Services do not use this: they have store.h, whose key layout this reads.
 *
 * Owner    caller of inspect_open(). What inspect_read filled is the caller's: inspect_shard_fini.
 * Thread   one at a time.
 * Faults   open: OPTION_INVALID (the URL). All: REDIS_UNREACHABLE when nothing answers in 5 s,
 * refuses the login or answers with an error; with a reason.
 * Memory   one shard's entries, twice while they are read.
 */
#ifndef INSPECT_H
#define INSPECT_H
#include "check/fault.h"
#include "check/reason.h"
#include "memory/arena.h"
#include <stdint.h>

struct inspect;
struct inspect_entry {
    struct span field, bytes; /* bytes without the checksum; as stored where it is damaged */
    bool damaged;
};
struct inspect_shard {
    bool exists;
    int64_t epoch;      /* 0: none */
    const char *offset; /* in the arena, as all below; "" : none */
    const char *owner;  /* "" : anybody's */
    struct inspect_entry *entries;
    size_t entry_count, damaged_count;
    uint64_t bytes;      /* of the entries, as stored */
    struct arena *arena; /* owned */
};

MUST_USE enum fault inspect_open(const char *url, struct inspect **out_inspect,
                                 struct reason *out_reason);
/* tag: "{plumb:service:topic:partition}". One that Redis does not hold is no fault: exists false.
 */
MUST_USE enum fault inspect_read(struct inspect *inspect, const char *tag,
                                 struct inspect_shard *out_shard, struct reason *out_reason);
MUST_USE enum fault inspect_delete(struct inspect *inspect, const char *tag,
                                   struct reason *out_reason);
void inspect_shard_fini(struct inspect_shard *shard); /* {0} accepted */
void inspect_close(struct inspect *inspect);          /* NULL accepted */
#endif
