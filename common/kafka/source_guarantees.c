/* source_guarantees.c: the properties of every consumer of ours that exactly-once hangs on. By
 * itself, because the simulated Kafka obeys it too. */
#include "kafka/source.h"

const struct kafka_property source_guarantees[] = {
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"enable.partition.eof", "true"},
    {"isolation.level", "read_committed"},
    {"partition.assignment.strategy", "range"},
    /* A poll can wait long while Redis is away; liveness is judged by /healthz, death by the
     * session time-out. */
    {"max.poll.interval.ms", "86400000"},
    {"allow.auto.create.topics", "false"},
    {NULL, NULL},
};
