/* conform_world.h: what conform_kafka.c needs of the world beside source.h and sink.h, answered by
 * the simulation (conform_world_sim.c) or by a real Kafka (conform_world_real.c).
 *
 * Owner    conform_kafka.c, which opens it once.     Thread  one; world_on_wake: any.
 */
#ifndef CONFORM_WORLD_H
#define CONFORM_WORLD_H
#include "kafka/source.h"

struct world_topic {
    const char *name;
    int32_t partition_count;
};
/* The simulation makes the topics; in reality they are there. */
void world_open(const char *bootstrap, const struct world_topic *topics, size_t topic_count);
void world_wait(int duration_ms);
int64_t world_now_ms(void); /* monotonic */
void world_append(const char *topic, int32_t partition, const char *value);
void world_trim(const char *topic, int32_t partition, int64_t offset);
/* Sources opened in between can be frozen: their client sends nothing for so long, beginning with
 * the next rebalance it hears of. */
void world_enter(bool freezable);
void world_freeze(int duration_ms);
void world_on_wake(void *context);
void world_close(void);
#endif
