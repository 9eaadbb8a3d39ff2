/* sim_group.c: the group coordinator: members, generations, the range assignment, committed
 * offsets. Eager: whoever is in the group gives everything back before it joins the next
 * generation. */
#include "memory/heap.h"
#include "sim_broker.h"

static struct {
    struct sim_group **list; /* owned, in the order of first use */
    size_t count;
    uint64_t sequence; /* of offset commits */
} coordinator;

struct sim_group *sim_group_find(const char *name)
{
    for (size_t i = 0; i < coordinator.count; i++) {
        if (strcmp(coordinator.list[i]->name, name) == 0)
            return coordinator.list[i];
    }
    struct sim_group *group = heap_zeroed(1, sizeof *group);
    group->name = heap_text(name);
    coordinator.list =
        heap_resized(coordinator.list, coordinator.count + 1, sizeof(struct sim_group *));
    coordinator.list[coordinator.count++] = group;
    return group;
}

struct sim_member *sim_group_member(const struct sim_group *group, const char *id)
{
    for (size_t i = 0; i < group->member_count; i++) {
        if (strcmp(group->members[i]->id, id) == 0)
            return group->members[i];
    }
    return NULL;
}

static void begin_rebalance(struct sim_group *group)
{
    if (group->rebalancing)
        return;
    group->rebalancing = true;
    for (size_t i = 0; i < group->member_count; i++)
        group->members[i]->joined = false;
}

struct sim_member *sim_group_join(struct sim_group *group, struct sim_member *member,
                                  const char *client, int64_t session_ms)
{
    begin_rebalance(group);
    if (member == NULL) {
        member = heap_zeroed(1, sizeof *member);
        member->id = heap_format("%s-%06llu", client, (unsigned long long)group->member_sequence++);
        group->members =
            heap_resized(group->members, group->member_count + 1, sizeof(struct sim_member *));
        group->members[group->member_count++] = member;
    }
    member->session_ms = session_ms;
    member->heard_ms = sim_clock_now_ms();
    member->joined = true;
    member->given = false;
    return member;
}

static void member_destroy(struct sim_member *member)
{
    for (size_t i = 0; i < member->topic_count; i++)
        heap_release(member->topics[i]);
    heap_release(member->topics);
    heap_release(member->logs);
    heap_release(member->id);
    heap_release(member);
}

void sim_group_leave(struct sim_group *group, struct sim_member *member)
{
    size_t i = 0;
    while (group->members[i] != member)
        i++;
    group->member_count--;
    memmove(group->members + i, group->members + i + 1,
            (group->member_count - i) * sizeof(struct sim_member *));
    member_destroy(member);
    begin_rebalance(group);
    if (group->member_count == 0) {
        group->rebalancing = false;
        group->generation++;
    }
}

/* As Kafka's coordinators do: a request that names neither member nor generation is not fenced. */
bool sim_group_admits(const struct sim_group *group, const char *member_id, int32_t generation)
{
    if (generation < 0 && member_id[0] == '\0')
        return true;
    return sim_group_member(group, member_id) != NULL && generation == group->generation;
}

static struct sim_offset *offset_of(const struct sim_group *group, const struct sim_partition *log)
{
    for (size_t i = 0; i < group->offset_count; i++) {
        if (group->offsets[i].log == log)
            return &group->offsets[i];
    }
    return NULL;
}

void sim_group_commit(struct sim_group *group, struct sim_offset offset)
{
    struct sim_offset *old = offset_of(group, offset.log);
    if (old == NULL) {
        group->offsets =
            heap_resized(group->offsets, group->offset_count + 1, sizeof *group->offsets);
        group->offsets[group->offset_count++] = offset;
        return;
    }
    if (offset.sequence < old->sequence) { /* its marker was overtaken */
        heap_release(offset.metadata);
        return;
    }
    heap_release(old->metadata);
    *old = offset;
}

uint64_t sim_group_sequence(void)
{
    return ++coordinator.sequence;
}

const struct sim_offset *sim_group_offset(const struct sim_group *group,
                                          const struct sim_partition *log)
{
    return offset_of(group, log);
}

void sim_group_hush(void)
{
    for (size_t i = 0; i < coordinator.count; i++) {
        for (size_t k = 0; k < coordinator.list[i]->member_count; k++)
            coordinator.list[i]->members[k]->silent = true;
    }
}

/* ---- The assignment */

static int by_id(const void *left, const void *right)
{
    const struct sim_member *const *a = left, *const *b = right;
    return strcmp((*a)->id, (*b)->id);
}

static int by_text(const void *left, const void *right)
{
    const char *const *a = left, *const *b = right;
    return strcmp(*a, *b);
}

static bool subscribes(const struct sim_member *member, const char *topic)
{
    for (size_t i = 0; i < member->topic_count; i++) {
        if (strcmp(member->topics[i], topic) == 0)
            return true;
    }
    return false;
}

/* As librdkafka's range: a topic's partitions in runs over its subscribers, the first ones get one
 * more. */
static void assign_topic(struct sim_member **sorted, size_t count, struct sim_topic *topic)
{
    size_t subscribers = 0, turn = 0;
    for (size_t i = 0; i < count; i++)
        subscribers += subscribes(sorted[i], topic->name);
    int32_t next = 0;
    for (size_t i = 0; i < count; i++) {
        struct sim_member *member = sorted[i];
        if (!subscribes(member, topic->name))
            continue;
        const int32_t each = topic->partition_count / (int32_t)subscribers;
        const int32_t share =
            each + ((int32_t)turn++ < topic->partition_count % (int32_t)subscribers);
        member->logs = heap_resized(member->logs, member->log_count + (size_t)share + 1,
                                    sizeof(struct sim_partition *));
        for (int32_t k = 0; k < share; k++)
            member->logs[member->log_count++] = &topic->logs[next++];
    }
}

static void run_completion(const struct sim_step *step)
{
    struct sim_group *group = step->object;
    group->rebalancing = false;
    group->generation++;
    struct sim_member **sorted =
        heap_copied(group->members, group->member_count * sizeof(struct sim_member *));
    qsort(sorted, group->member_count, sizeof(struct sim_member *), by_id);
    const char **topics = NULL;
    size_t topic_count = 0;
    for (size_t i = 0; i < group->member_count; i++) {
        group->members[i]->log_count = 0;
        group->members[i]->given = true;
        for (size_t k = 0; k < group->members[i]->topic_count; k++) {
            topics = heap_resized(topics, topic_count + 1, sizeof(const char *));
            topics[topic_count++] = group->members[i]->topics[k];
        }
    }
    qsort(topics, topic_count, sizeof(const char *), by_text);
    for (size_t i = 0; i < topic_count; i++) {
        struct sim_topic *topic = sim_topic_find(topics[i]);
        if (topic != NULL && (i == 0 || strcmp(topics[i], topics[i - 1]) != 0))
            assign_topic(sorted, group->member_count, topic);
    }
    heap_release(topics);
    heap_release(sorted);
}

/* ---- Steps */

static void run_expiry(const struct sim_step *step)
{
    struct sim_group *group = step->object;
    sim_group_leave(group, group->members[step->detail]);
}

static void describe_expiry(const struct sim_step *step, struct reason *out_text)
{
    const struct sim_group *group = step->object;
    reason_set(out_text, "%s of %s", group->members[step->detail]->id, group->name);
}

static void describe_group(const struct sim_step *step, struct reason *out_text)
{
    const struct sim_group *group = step->object;
    reason_set(out_text, "%s", group->name);
}

static bool all_joined(const struct sim_group *group)
{
    for (size_t i = 0; i < group->member_count; i++) {
        if (!group->members[i]->joined)
            return false;
    }
    return group->member_count > 0;
}

void sim_group_steps(void)
{
    static const struct sim_step_kind expiry = {"session time-out", run_expiry, describe_expiry};
    static const struct sim_step_kind completion = {"new generation", run_completion,
                                                    describe_group};
    const int64_t now_ms = sim_clock_now_ms();
    for (size_t i = 0; i < coordinator.count; i++) {
        struct sim_group *group = coordinator.list[i];
        for (size_t k = 0; k < group->member_count; k++) {
            const struct sim_member *member = group->members[k];
            if (now_ms - member->heard_ms >= member->session_ms)
                sim_step_add(&expiry, group, k);
        }
        if (group->rebalancing && all_joined(group))
            sim_step_add(&completion, group, 0);
    }
}

int64_t sim_group_due_ms(void)
{
    int64_t due_ms = INT64_MAX;
    for (size_t i = 0; i < coordinator.count; i++) {
        const struct sim_group *group = coordinator.list[i];
        for (size_t k = 0; k < group->member_count; k++) {
            const struct sim_member *member = group->members[k];
            const int64_t next_ms = member->heard_ms + member->session_ms;
            if (member->silent && next_ms < due_ms)
                due_ms = next_ms;
        }
    }
    return due_ms;
}

void sim_group_stop(void)
{
    for (size_t i = 0; i < coordinator.count; i++) {
        struct sim_group *group = coordinator.list[i];
        for (size_t k = 0; k < group->member_count; k++)
            member_destroy(group->members[k]);
        for (size_t k = 0; k < group->offset_count; k++)
            heap_release(group->offsets[k].metadata);
        heap_release(group->members);
        heap_release(group->offsets);
        heap_release(group->name);
        heap_release(group);
    }
    heap_release(coordinator.list);
    memset(&coordinator, 0, sizeof coordinator);
}
