/* produce.h: one record into a producer's queue, its bytes and headers copied.
 *
 * Faults   librdkafka's code: _QUEUE_FULL means make room (poll) and come again.     Cost one copy.
 */
#ifndef PRODUCE_H
#define PRODUCE_H
#include "kafka/record.h"
#include <librdkafka/rdkafka.h>

/* topic: the producer's own handle of the record's topic. */
MUST_USE rd_kafka_resp_err_t produce_record(rd_kafka_t *producer, rd_kafka_topic_t *topic,
                                            const struct record *record);
#endif
