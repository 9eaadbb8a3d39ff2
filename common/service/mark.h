/* mark.h: what Kafka remembers of an input at its committed offset: the metadata of that offset,
 * committed in the same transaction.
 *
 * "clock=1700000000000 time=1700000000000 replay=1234 epoch=7 before=0 of=4", and " recall=WORD"
 * where the service has one. A field that is missing is unknown: somebody else moved the offset.
 *
 * Thread   any (pure).
 */
#ifndef MARK_H
#define MARK_H
#include "memory/buffer.h"

enum { MARK_RECALL_SIZE = 512 }; /* Kafka takes 4,096 characters (offset.metadata.max.bytes) */

struct mark {
    int64_t clock_ms;   /* the last clock that was sent: none falls below it; 0: unknown */
    int64_t time_ms;    /* stream time of the input; 0: unknown */
    int64_t replay;     /* from this offset on a replay rebuilds the state; -1: unknown */
    int64_t before_ms;  /* --arrival event-time: of the last event taken; 0: unknown */
    int64_t epoch;      /* of the assignment that committed it; 0: unknown */
    int32_t partitions; /* of the input topic then; 0: unknown */
    char recall[MARK_RECALL_SIZE]; /* what a replay is told (service.h); "": nothing */
};
void mark_write(const struct mark *mark, struct buffer *out);
struct mark mark_read(struct span metadata);
#endif
