/* kafka_client.h: a small blocking client for the tools: topics by our numbers, produce with
 * delivery counted, metadata.
 *
 * One idempotent producer (acks all) serves produce, metadata and administration (topic_admin.h);
 * reading has its own consumer (topic_reader.h). Services do not use this: they have source.h and
 * sink.h.
 *
 * Owner    caller of kafka_client_open(); options and texts are borrowed until close.     Thread
 * one at a time. Faults   open: OPTION_INVALID (a property or topic name that does not exist).
 * Others: KAFKA_UNREACHABLE when nothing answers in time, KAFKA_FATAL, OPTION_INVALID where a topic
 * does not exist; all with a reason. Memory   records under way, bounded by librdkafka's queue:
 * produce blocks while it is full.
 */
#ifndef KAFKA_CLIENT_H
#define KAFKA_CLIENT_H
#include "kafka/kafka_conf.h"
#include "kafka/record.h"

enum { KAFKA_CLIENT_TIMEOUT_MS = 10000 };

struct kafka_client;
struct kafka_client_options {
    const struct option_set *options; /* with rows kafka.* and topic.* */
    const char *bootstrap;            /* host:port[,…]; --kafka.bootstrap.servers wins */
    const char *name;                 /* client.id */
};
/* Nothing is sent yet. */
MUST_USE enum fault kafka_client_open(const struct kafka_client_options *options,
                                      struct kafka_client **out_client, struct reason *out_reason);
/* FAULT_NONE once a broker answers. */
MUST_USE enum fault kafka_client_reach(struct kafka_client *client, int timeout_ms,
                                       struct reason *out_reason);
/* The cluster's id, "" where it does not tell; the caller releases it. */
char *kafka_client_cluster(const struct kafka_client *client);
const char *kafka_client_topic(const struct kafka_client *client,
                               enum topic topic); /* its name here (--topic.NAME) */
/* How many partitions; 0: there is no such topic. */
MUST_USE enum fault kafka_client_partitions(struct kafka_client *client, enum topic topic,
                                            int32_t *out_count, struct reason *out_reason);
/* The same, where a topic that does not exist is OPTION_INVALID with the remedy. */
MUST_USE enum fault kafka_client_require(struct kafka_client *client, enum topic topic,
                                         int32_t *out_count, struct reason *out_reason);

/* To record->partition; bytes and headers are copied. A refusal at once (too large …) counts as
 * failed. */
void kafka_client_produce(struct kafka_client *client, const struct record *record);
void kafka_client_poll(struct kafka_client *client, int timeout_ms); /* serves deliveries */
/* Waits until everything is delivered or has failed, at most timeout_ms; how many are still under
 * way. */
int kafka_client_flush(struct kafka_client *client, int timeout_ms);
uint64_t kafka_client_delivered(const struct kafka_client *client);
uint64_t kafka_client_failed(const struct kafka_client *client);
const char *kafka_client_failure(
    const struct kafka_client *client); /* the first failure's text, "" where there is none */

/* For topic_reader.c, topic_admin.c and group_offsets.c. */
rd_kafka_t *kafka_client_handle(const struct kafka_client *client);
/* A consumer that never joins its group: partitions are assigned by hand, nothing is committed but
 * by rd_kafka_commit. The caller destroys it. OPTION_INVALID. */
MUST_USE enum fault kafka_client_consumer(const struct kafka_client *client, const char *group,
                                          rd_kafka_t **out_handle, struct reason *out_reason);
void kafka_client_close(
    struct kafka_client *client); /* NULL accepted; what is under way is given up */
#endif
