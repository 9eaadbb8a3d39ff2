/* conform_members.h: the group of conform_kafka.c: its members, who are served until nothing
 * changes, and what both files know of the run.
 *
 * Owner    conform_kafka.c.     Thread  one.
 */
#ifndef CONFORM_MEMBERS_H
#define CONFORM_MEMBERS_H
#include "kafka/sink.h"

enum {
    SINKS = 4,
    SOURCES = 3,
    TOPICS = 3,
    PARTITIONS = 6, /* of all three topics */
    OPERATIONS = 45,
    OPEN_MAX = 10, /* operations that a transaction stays open */
    QUIET_MS = 800,
    DEADLINE_MS = 30000,
};
extern const enum topic topics[TOPICS];

struct member {
    struct source *source;                  /* owned; NULL: not in the group */
    rd_kafka_topic_partition_list_t *given; /* owned: to be assigned; NULL: nothing to do */
    rd_kafka_topic_partition_list_t *held;  /* owned; NULL: none */
    bool revoked, lost;
    int64_t called_ms;
};
struct producer {
    struct sink *sink; /* owned; NULL: not open */
    char *id;
    bool begun; /* as far as we know */
    int begun_at;
};
struct conform_run {
    char *names[TOPIC_COUNT]; /* owned, as the other texts */
    char *group;
    struct option_set *options;
    struct member members[SOURCES];
    struct producer producers[SINKS];
    size_t subscribed; /* topics a member subscribes to */
    uint64_t random;
    int operation;
};
extern struct conform_run run;

/* The which-th of all partitions. */
void place_of(int which, enum topic *out_topic, int32_t *out_partition);
void members_join(size_t which);
void members_leave(size_t which);
void members_serve(struct member *member); /* polls it, and answers what its group asks */
/* Until all partitions are held once and nobody is called back any more; prints who holds what. */
void members_settle(void);
void members_print(void);
#endif
