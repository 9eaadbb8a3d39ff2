/* requeued.h: which dead letters were sent back already.
 *
 * For each letter a mark, in the compacted topic service.snapshots, published in the very
 * transaction that sends the letter back: both happen or neither does. Why there: offsets of a
 * consumer group would lie outside of what compaction keeps (Kafka forgets an idle group after 7
 * days) and their metadata holds 4 KiB, not any choice of letters; the plumb.requeued headers in
 * the source topic go with its retention, before the letters do; a marker in the dead-letter topic
 * would be a letter to every other reader. A mark is made of the letter's time, so a topic that was
 * made anew, with the same offsets, has none.
 *
 * Marks of 1,024 offsets that follow one another are one record (key NAME/PARTITION#CHUNK, value
 * six bytes a mark: index and mark, little-endian); a chunk whose letters retention removed is
 * deleted.
 *
 * Owner    caller of requeued_create().     Thread  one at a time.
 * Memory   4 bytes for each offset of a chunk from which a letter was sent back.
 * Cost     O(1); requeued_forget O(chunks).
 */
#ifndef REQUEUED_H
#define REQUEUED_H
#include "letter.h"
#include "memory/buffer.h"

struct requeued;
struct requeued *requeued_create(const char *topic); /* the dead-letter topic's name here */
/* A record of service.snapshots; what is not ours, or does not read, is passed over. Of one
 * chunk several versions may come, in the order in which they were written. */
void requeued_load(struct requeued *requeued, struct span key, struct span value);
bool requeued_has(const struct requeued *requeued, const struct letter *letter);
void requeued_add(struct requeued *requeued, const struct letter *letter);
/* The topic has nothing before `first` any more. */
void requeued_forget(struct requeued *requeued, int32_t partition, int64_t first);
/* Walks the records that make what changed since last time durable: cursor 0, until false. An empty
 * value: delete. */
bool requeued_next(struct requeued *requeued, size_t *cursor, struct buffer *out_key,
                   struct buffer *out_value);
void requeued_settle(struct requeued *requeued);  /* they are durable */
void requeued_destroy(struct requeued *requeued); /* NULL accepted */
#endif
