/* connection.h: how plumb's commands speak with Kafka: connect or say why not, read a topic as
 * values, publish and wait.
 *
 * All but connection_settle's waiting is bounded by 10 s without an answer. What goes wrong is said
 * on stderr; the result is the exit code, 0 where all went well. Thread   one.
 */
#ifndef CONNECTION_H
#define CONNECTION_H
#include "config/option.h"
#include "kafka/kafka_client.h"
#include <jansson.h>

MUST_USE int connection_open(const char *command, const struct option_set *options,
                             struct kafka_client **out_client);
/* Says the reason; as plumb_fail, but a topic that is not there is no error of usage: the
 * installation is not complete. */
int connection_fail(const char *command, enum fault fault, const struct reason *reason);
/* Every record of the topic that has a value, from the beginning to the end as it is now; clock
 * records are passed over, records that do not decode are counted and said. */
MUST_USE int connection_read(const char *command, struct kafka_client *client, enum topic topic,
                             void (*on_value)(void *context, const struct record *record,
                                              const json_t *value),
                             void *context);
/* The same without decoding. Without clocks. */
MUST_USE int connection_read_raw(const char *command, struct kafka_client *client, enum topic topic,
                                 void (*on_record)(void *context, const struct record *record),
                                 void *context);
MUST_USE int connection_partitions(const char *command, struct kafka_client *client,
                                   enum topic topic, int32_t *out_count);
/* Keyed by Kafka's partitioner. Does not wait: connection_settle does. */
void connection_publish(struct kafka_client *client, enum topic topic, int32_t partition_count,
                        struct span key, struct span value);
/* Waits for every delivery; 75 where some failed. */
MUST_USE int connection_settle(const char *command, struct kafka_client *client);
#endif
