/* survey.h: all that is known of a service's shards, in Redis and in Kafka, read without
 * taking an epoch: a service that runs does not notice.
 *
 * Redis is read before Kafka's offsets: a snapshot follows its commit, so a running service is not
 * taken for one whose state is ahead.
 *
 * Owner    caller of survey_take(): survey_fini gives all back.     Thread  one at a time.
 * Faults   KAFKA_UNREACHABLE, REDIS_UNREACHABLE, KAFKA_FATAL, OPTION_INVALID (a topic is missing,
 * or joined inputs differ in partitions); with a reason.
 * Memory   every shard's entries; of service.snapshots the names of entries.
 */
#ifndef SURVEY_H
#define SURVEY_H
#include "container/table.h"
#include "kafka/group_offsets.h"
#include "outlook.h"
#include "redis/inspect.h"

struct survey_shard {
    char *tag;                  /* owned: {plumb:service:topic:partition} */
    char *snapshot;             /* owned: endless: its name in service.snapshots */
    struct table *fields;       /* owned: endless: entries there → the shard itself */
    char *head;                 /* owned: endless: the head's positions; NULL: there is no head */
    int64_t head_entries;       /* what the head says of their number */
    struct inspect_shard redis; /* owned */
    struct outlook_facts facts;
};

struct survey {
    const struct service *service; /* borrowed */
    char *group, *owner;           /* owned: the consumer group; whose state it would be */
    struct group_offsets *offsets; /* owned */
    bool alive;                    /* the group has members */
    int32_t snapshot_partitions;   /* 0: there is no service.snapshots */
    struct survey_shard *shards;   /* owned, [shard_count] */
    size_t shard_count;
};
struct survey_options {
    const struct service *service;
    const char *group; /* NULL: plumb-SERVICE */
    struct kafka_client *client;
    struct inspect *inspect;
};
MUST_USE enum fault survey_take(const struct survey_options *options, struct survey *out_survey,
                                struct reason *out_reason);
void survey_fini(struct survey *survey); /* {0} accepted */

/* The services that keep state, in the order of the flow; NULL ends. */
extern const struct service *const survey_services[];
#endif
