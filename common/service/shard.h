/* shard.h: one shard of a service: its fold, its stream times and its position, the same under
 * every driver.
 *
 * A shard takes one record at a time; what the record and the time it moves lead to goes into
 * outputs. Taking the same records in the same order gives the same state and outputs, however they
 * were cut into batches.
 *
 * Owner    the driver.     Thread  loop thread only.
 */
#ifndef SHARD_H
#define SHARD_H
#include "service/outputs.h"
#include "service/stream_time.h"

struct shard;

struct shard_input {
    enum topic topic;
    int32_t partition;
};

/* inputs: one for a service whose inputs are not joined; all its inputs with one partition number
 * where they are. */
struct shard *shard_create(const struct service *service, const struct shard_input *inputs,
                           size_t input_count, const struct catalog *catalog,
                           const struct option_set *options);
/* FAULT_NONE, or TABLE_BEHIND: nothing was taken, the same record must come again. Clock records
 * are taken here, too. */
MUST_USE enum fault shard_take(struct shard *shard, const struct record *record,
                               struct outputs *outputs);
/* Origin services: the driver says that nothing with an earlier arrival follows on this input
 * (DESIGN.md 2.3). */
MUST_USE enum fault shard_raise(struct shard *shard, enum topic topic, int64_t time_ms,
                                struct outputs *outputs);
/* Origin services: the time that a record speaks of, if it has one. TABLE_BEHIND as above. */
MUST_USE enum fault shard_event_time(const struct shard *shard, const struct record *record,
                                     bool *out_has, int64_t *out_time_ms);
/* The arrival of a record of an origin input: never falling. */
int64_t shard_lift(const struct shard *shard, enum topic topic, int64_t arrival_ms);
int64_t shard_time(const struct shard *shard); /* the clock it may send: the least stream time of
                                                  its inputs; 0: none yet */
size_t shard_input_count(const struct shard *shard);
struct shard_input shard_input(const struct shard *shard, size_t index);
bool shard_has(const struct shard *shard, enum topic topic, int32_t partition);
int64_t shard_position(const struct shard *shard, enum topic topic); /* next offset to take */
void shard_set_position(struct shard *shard, enum topic topic, int64_t offset);
int64_t shard_stream_time(const struct shard *shard, enum topic topic); /* 0: none yet */
/* The first offset from which a replay into an empty shard gives this state; at most the position.
 */
int64_t shard_needs(const struct shard *shard, enum topic topic);
/* What a replay from there has to be told (service.h). Appends to out; at most MARK_RECALL_SIZE - 1
 * characters. */
void shard_recall(const struct shard *shard, struct buffer *out);
void shard_remind(struct shard *shard, struct span word, int64_t end);
/* What Kafka remembers of an input at the position reached: stream time is at least this. Told to
 * the service as other time is. */
MUST_USE enum fault shard_reach(struct shard *shard, enum topic topic, int64_t stream_time_ms,
                                struct outputs *outputs);
/* "inference.validated:3=1200[,…]": the offsets that the state covers, by the topics' own names. */
void shard_positions_write(const struct shard *shard, struct buffer *out);
bool shard_positions_read(struct shard *shard, struct span text);

void shard_save(struct shard *shard,
                struct changes *changes); /* the service's entries and stream time */
MUST_USE enum fault shard_load(struct shard *shard, struct span field, struct span bytes);
void shard_destroy(struct shard *shard); /* NULL accepted */
#endif
