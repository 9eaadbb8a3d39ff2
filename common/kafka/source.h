/* source.h: a consumer whose messages are polled on the loop; it wakes the loop when some have
 * come.
 *
 * on_wake runs on a librdkafka thread and only when the queue goes from empty to not empty: poll
 * until empty, or wake yourself again. Owner    caller of source_open().     Thread  loop thread,
 * except source_committed and source_end (block; any thread, one at a time). Faults OPTION_INVALID,
 * KAFKA_FATAL with a reason.
 */
#ifndef SOURCE_H
#define SOURCE_H
#include "kafka/kafka_conf.h"
#include "kafka/record.h"

struct source;
struct source_options {
    const struct option_set *options;
    const char *group;              /* NULL: no group, partitions are assigned by source_assign */
    const char *client;             /* client.id */
    const char *const *names;       /* topic names by enum topic, [TOPIC_COUNT] */
    void (*on_wake)(void *context); /* on another thread */
    /* Group only, from source_poll: the caller answers later with source_assign (also to an empty
     * list). */
    void (*on_assigned)(void *context, const rd_kafka_topic_partition_list_t *partitions);
    void (*on_revoked)(void *context, bool lost);
    void *context;
};
enum source_event { SOURCE_EMPTY, SOURCE_RECORD, SOURCE_END, SOURCE_TROUBLE };
struct source_message {
    void *message; /* owned; source_release */
    enum topic topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* the broker's append time or the producer's; -1: none */
    bool append_time;     /* timestamp_ms is the broker's */
};
MUST_USE enum fault source_open(const struct source_options *options, struct source **out_source,
                                struct reason *out_reason);
MUST_USE enum fault source_subscribe(struct source *source, const enum topic *topics, size_t count,
                                     struct reason *out_reason);
/* RECORD: out_message is filled. END: topic, partition, offset (where the next record will be).
 * TROUBLE: out_reason begins with librdkafka's name of the error. EMPTY: nothing came within
 * timeout_ms. */
enum source_event source_poll(struct source *source, int timeout_ms,
                              struct source_message *out_message, struct reason *out_reason);
/* The message as a record. Headers are read, into at most header_max places, only if wanted or
 * where there is no value (clock records are told by them). */
struct record source_record(const struct source_message *message, struct header *headers,
                            size_t header_max, bool want_headers);
void source_release(struct source_message *message);
MUST_USE enum fault source_assign(struct source *source,
                                  const rd_kafka_topic_partition_list_t *partitions,
                                  struct reason *out_reason);
/* Committed offsets and metadata into the list. Blocks up to timeout_ms. */
MUST_USE enum fault source_committed(struct source *source,
                                     rd_kafka_topic_partition_list_t *partitions, int timeout_ms,
                                     struct reason *out_reason);
/* Where the next record of a partition will be, open transactions included. KAFKA_UNREACHABLE.
 * Blocks up to timeout_ms. */
MUST_USE enum fault source_end(struct source *source, enum topic topic, int32_t partition,
                               int timeout_ms, int64_t *out_offset);
/* Partition counts by topic name; -1 where a topic does not exist. Blocks up to timeout_ms. */
MUST_USE enum fault source_partitions(struct source *source, const enum topic *topics, size_t count,
                                      int32_t *out_counts, int timeout_ms,
                                      struct reason *out_reason);
/* Whether message.timestamp.type is LogAppendTime. Blocks up to 5 s. */
MUST_USE enum fault source_append_time(struct source *source, enum topic topic, bool *out_append,
                                       struct reason *out_reason);
/* Identifies the Kafka cluster, so that state of another one is told apart. Blocks up to
 * timeout_ms; "" where it is not known. The text lives as long as the source. */
const char *source_cluster(struct source *source, int timeout_ms);
/* Who this consumer was in its group when it was given its partitions; NULL: it has none. Offsets
 * are committed in this name: asked for later, librdkafka answers for a member that was thrown out
 * with a name and generation of nobody, and of nobody Kafka takes transactional offsets unfenced.
 */
const rd_kafka_consumer_group_metadata_t *source_membership(const struct source *source);
const char *source_name(const struct source *source, enum topic topic);
/* What the guarantees hang on, whatever else is configured: read_committed, no commits but in
 * transactions, no reset. NULL-ended. */
extern const struct kafka_property source_guarantees[];
/* NULL accepted; blocks until librdkafka has let go. reachable false: Kafka is away, do not wait
 * for it. */
void source_close(struct source *source, bool reachable);
#endif
