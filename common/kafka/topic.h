/* topic.h: our topics (schemas/topics.def) by number. */
#ifndef TOPIC_H
#define TOPIC_H
#include "memory/span.h"
#include <stdbool.h>

enum topic {
    TOPIC_NONE = 0,
#define TOPIC(enum_name, name, key, schema, from, to, cleanup, clocks) TOPIC_##enum_name,
#include "schemas/topics.def"
#undef TOPIC
    TOPIC_COUNT
};

struct topic_row {
    const char *name, *key, *schema, *from, *to, *cleanup;
    bool clocked;
};
const struct topic_row *topic_row(enum topic topic);
enum topic topic_find(const char *name); /* by its default name; TOPIC_NONE where there is none */

/* Kafka's default partitioner: murmur2(key), as the Java producer and librdkafka's murmur2 compute
 * it. */
uint32_t topic_murmur2(struct span key);
int32_t topic_partition(struct span key, int32_t partition_count);
#endif
