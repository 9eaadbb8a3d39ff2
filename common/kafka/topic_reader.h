/* topic_reader.h: reads a whole topic, as it is now, for the tools: from the beginning, or from
 * where it was left, to its end.
 *
 * Only committed records (read_committed); what is appended meanwhile is not waited for. Records of
 * one partition come in order, the partitions in any.
 *
 * Owner    caller of topic_reader_open(); the client must outlive it.     Thread  one at a time.
 * Faults   KAFKA_UNREACHABLE when nothing comes for 10 s, OPTION_INVALID where the topic does not
 * exist; with a reason. Memory   librdkafka's fetch buffers.
 */
#ifndef TOPIC_READER_H
#define TOPIC_READER_H
#include "kafka/kafka_client.h"

struct topic_reader;
MUST_USE enum fault topic_reader_open(struct kafka_client *client, enum topic topic,
                                      struct topic_reader **out_reader, struct reason *out_reason);
/* The next run begins at most so many offsets before each partition's end. */
MUST_USE enum fault topic_reader_tail(struct topic_reader *reader, int64_t offsets,
                                      struct reason *out_reason);
/* The next run, and only that, reads one partition: from offset `first` (or the first that there
 * still is) to before `end`, as far as the log goes. */
void topic_reader_range(struct topic_reader *reader, int32_t partition, int64_t first, int64_t end);
/* From within on_record: the run ends with this record. */
void topic_reader_stop(struct topic_reader *reader);
/* To the end as it is now. The record's arrival_ms is Kafka's timestamp (-1: none); all is borrowed
 * for the call. A further run goes on where this one ended. */
MUST_USE enum fault topic_reader_run(struct topic_reader *reader,
                                     void (*on_record)(void *context, const struct record *record),
                                     void *context, struct reason *out_reason);
int32_t topic_reader_partitions(const struct topic_reader *reader);
int64_t topic_reader_next(const struct topic_reader *reader,
                          int32_t partition); /* the first offset not read; -1: none yet */

/* Offsets that a consumer group has committed on the topic, -1 where none;
 * [topic_reader_partitions]. */
MUST_USE enum fault topic_reader_committed(const struct topic_reader *reader, const char *group,
                                           int64_t *out_offsets, struct reason *out_reason);
void topic_reader_close(struct topic_reader *reader); /* NULL accepted */
#endif
