/* group_offsets.h: where a consumer group stands, for the tools: its committed offsets with what
 * was committed with them, the ends of the log; and moving them.
 *
 * Owner    caller of group_offsets_open(); the client must outlive it.     Thread  one at a time.
 * Faults   KAFKA_UNREACHABLE when nothing answers for 10 s, KAFKA_FATAL where Kafka refuses (to
 * commit: the group has members), OPTION_INVALID (a property); with a reason.
 */
#ifndef GROUP_OFFSETS_H
#define GROUP_OFFSETS_H
#include "kafka/kafka_client.h"

struct group_offset {
    enum topic topic;
    int32_t partition;
    int64_t offset; /* committed; -1: none */
    char *metadata; /* owned by the object; "" : none */
    int64_t first;  /* the first offset that the log still has */
    int64_t end;    /* behind its last stable record */
};

struct group_offsets;
MUST_USE enum fault group_offsets_open(struct kafka_client *client, const char *group,
                                       struct group_offsets **out_offsets,
                                       struct reason *out_reason);
/* Of partitions 0 … count - 1 of the topic, in place of what was read of it before. */
MUST_USE enum fault group_offsets_read(struct group_offsets *offsets, enum topic topic,
                                       int32_t count, struct reason *out_reason);
/* NULL: not read. Borrowed until the next read of that topic. */
const struct group_offset *group_offsets_find(const struct group_offsets *offsets, enum topic topic,
                                              int32_t partition);
/* What the next commit sets; the text is copied. */
void group_offsets_set(struct group_offsets *offsets, enum topic topic, int32_t partition,
                       int64_t offset, const char *metadata);
/* All that was set, at once. */
MUST_USE enum fault group_offsets_commit(struct group_offsets *offsets, struct reason *out_reason);
void group_offsets_close(struct group_offsets *offsets); /* NULL accepted */

/* Has the group members now? */
MUST_USE enum fault group_offsets_alive(const struct kafka_client *client, const char *group,
                                        bool *out_alive, struct reason *out_reason);
#endif
