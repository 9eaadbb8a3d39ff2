/* produce.h: one record into a producer's queue, its bytes and headers copied.
 *
 * Faults   librdkafka's code: _QUEUE_FULL means make room (poll) and come again.     Cost one copy.
 */
#ifndef PRODUCE_H
#define PRODUCE_H
#include "kafka/record.h"
#include <librdkafka/rdkafka.h>

MUST_USE rd_kafka_resp_err_t produce_record(rd_kafka_t *producer, const char *topic,
                                            const struct record *record);
#endif
