#include "kafka/topic.h"

static const struct topic_row rows[TOPIC_COUNT] = {
    [TOPIC_NONE] = {"", "", "", "", "", "", false},
#define CLOCKED true
#define PLAIN   false
#define TOPIC(enum_name, name, key, schema, from, to, cleanup, clocks)                             \
    [TOPIC_##enum_name] = {name, key, schema, from, to, cleanup, clocks},
#include "schemas/topics.def"
#undef TOPIC
#undef PLAIN
#undef CLOCKED
};

const struct topic_row *topic_row(enum topic topic)
{
    REQUIRE(topic > TOPIC_NONE && topic < TOPIC_COUNT);
    return &rows[topic];
}

enum topic topic_find(const char *name)
{
    REQUIRE(name != NULL);
    for (int i = TOPIC_NONE + 1; i < TOPIC_COUNT; i++)
        if (strcmp(rows[i].name, name) == 0)
            return (enum topic)i;
    return TOPIC_NONE;
}

/* Austin Appleby's MurmurHash2 with the seed and the final mix of
 * org.apache.kafka.common.utils.Utils.murmur2. */
uint32_t topic_murmur2(struct span key)
{
    const uint32_t multiplier = 0x5bd1e995u;
    uint32_t hash = 0x9747b28cu ^ (uint32_t)key.size;
    const uint8_t *next = key.bytes;
    size_t left = key.size;
    for (; left >= 4; next += 4, left -= 4) {
        uint32_t word = (uint32_t)next[0] | (uint32_t)next[1] << 8 | (uint32_t)next[2] << 16 |
                        (uint32_t)next[3] << 24;
        word *= multiplier;
        word ^= word >> 24;
        word *= multiplier;
        hash = hash * multiplier ^ word;
    }
    for (size_t i = left; i > 0; i--)
        hash ^= (uint32_t)next[i - 1] << (8 * (i - 1));
    if (left > 0)
        hash *= multiplier;
    hash ^= hash >> 13;
    hash *= multiplier;
    return hash ^ hash >> 15;
}

int32_t topic_partition(struct span key, int32_t partition_count)
{
    REQUIRE(partition_count > 0);
    return (int32_t)(topic_murmur2(key) & 0x7fffffffu) % partition_count;
}
