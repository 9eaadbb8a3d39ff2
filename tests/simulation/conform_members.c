#include "conform_members.h"
#include "conform_world.h"
#include "memory/heap.h"

const enum topic topics[TOPICS] = {TOPIC_INFERENCE_EVENTS, TOPIC_GROUND_TRUTH,
                                   TOPIC_INFERENCE_VALIDATED};
struct conform_run run;

void place_of(int which, enum topic *out_topic, int32_t *out_partition)
{
    *out_topic = topics[which == 0 ? 0 : which < 3 ? 1 : 2];
    *out_partition = which == 0 ? 0 : which < 3 ? which - 1 : which - 3;
}

static void on_assigned(void *context, const rd_kafka_topic_partition_list_t *partitions)
{
    struct member *member = context;
    member->given = rd_kafka_topic_partition_list_copy(partitions);
    member->called_ms = world_now_ms();
}

static void on_revoked(void *context, bool lost)
{
    struct member *member = context;
    member->revoked = true;
    member->lost = lost;
    member->called_ms = world_now_ms();
}

static void keep(struct member *member, rd_kafka_topic_partition_list_t *list)
{
    if (member->held != NULL)
        rd_kafka_topic_partition_list_destroy(member->held);
    member->held = list;
}

static void answer(struct member *member)
{
    struct reason reason;
    if (member->revoked) {
        rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(0);
        ENSURE(source_assign(member->source, none, &reason) == FAULT_NONE);
        rd_kafka_topic_partition_list_destroy(none);
        member->revoked = false;
        keep(member, NULL);
    }
    if (member->given != NULL) {
        for (int i = 0; i < member->given->cnt; i++)
            member->given->elems[i].offset = RD_KAFKA_OFFSET_BEGINNING;
        ENSURE(source_assign(member->source, member->given, &reason) == FAULT_NONE);
        keep(member, member->given);
        member->given = NULL;
    }
}

void members_serve(struct member *member)
{
    struct source_message message = {0};
    struct reason reason;
    for (int i = 0; i < 100; i++) {
        const enum source_event event =
            source_poll(member->source, i == 0 ? 20 : 0, &message, &reason);
        if (event == SOURCE_EMPTY)
            break;
        if (event == SOURCE_RECORD)
            source_release(&message);
    }
    answer(member);
}

static size_t held_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < SOURCES; i++)
        count += run.members[i].held == NULL ? 0 : (size_t)run.members[i].held->cnt;
    return count;
}

void members_print(void)
{
    for (size_t i = 0; i < SOURCES; i++) {
        const struct member *member = &run.members[i];
        if (member->source == NULL)
            continue;
        printf("  member %zu:", i);
        for (int which = 0; which < PARTITIONS; which++) {
            enum topic topic;
            int32_t partition;
            place_of(which, &topic, &partition);
            if (member->held != NULL && rd_kafka_topic_partition_list_find(
                                            member->held, run.names[topic], partition) != NULL)
                printf(" %s[%d]", strrchr(run.names[topic], '-'), (int)partition);
        }
        printf("\n");
    }
}

/* Until all partitions are held once and nobody is called back any more. */
void members_settle(void)
{
    const int64_t began_ms = world_now_ms();
    const size_t all = run.subscribed * (run.subscribed + 1) / 2;
    for (;;) {
        size_t count = 0;
        int64_t called_ms = began_ms;
        for (size_t i = 0; i < SOURCES; i++) {
            struct member *member = &run.members[i];
            if (member->source == NULL)
                continue;
            members_serve(member);
            count++;
            if (member->called_ms > called_ms)
                called_ms = member->called_ms;
        }
        const int64_t now_ms = world_now_ms();
        if ((held_count() == all || count == 0) && now_ms - called_ms > QUIET_MS)
            break;
        if (now_ms - began_ms > DEADLINE_MS) {
            printf("  unstable\n");
            break;
        }
        world_wait(5);
    }
    members_print();
}

void members_join(size_t which)
{
    struct member *member = &run.members[which];
    static const char *const clients[SOURCES] = {"c0", "c1", "c2"};
    const struct source_options options = {.options = run.options,
                                           .group = run.group,
                                           .client = clients[which],
                                           .names = (const char *const *)run.names,
                                           .on_wake = world_on_wake,
                                           .on_assigned = on_assigned,
                                           .on_revoked = on_revoked,
                                           .context = member};
    struct reason reason;
    ENSURE(source_open(&options, &member->source, &reason) == FAULT_NONE);
    ENSURE(source_subscribe(member->source, topics, run.subscribed, &reason) == FAULT_NONE);
}

void members_leave(size_t which)
{
    struct member *member = &run.members[which];
    source_close(member->source, true);
    keep(member, NULL);
    if (member->given != NULL)
        rd_kafka_topic_partition_list_destroy(member->given);
    *member = (struct member){0};
}
