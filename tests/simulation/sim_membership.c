/* sim_membership.c: a consumer's side of its group, as librdkafka does it with the eager protocol:
 * join, be given partitions, hear of a rebalance or that one is no member, give all back, join
 * again. */
#include "memory/heap.h"
#include "sim_source.h"

struct sim_member *sim_membership_member(const struct source *source)
{
    return source->group == NULL || source->member_id[0] == '\0'
               ? NULL
               : sim_group_member(source->group, source->member_id);
}

static void set_member_id(struct source *source, const char *id)
{
    heap_release(source->member_id);
    source->member_id = heap_text(id);
}

/* The partitions are to be given back; who has none joins again at once. */
static void revoke(struct source *source, bool lost)
{
    if (source->given_count == 0) {
        source->join = SIM_JOIN_WANTED;
        return;
    }
    sim_source_purge(source);
    source->paused = true;
    source->join = SIM_JOIN_REVOKING;
    sim_source_push(source, (struct sim_event){.kind = lost ? SIM_EVENT_LOST : SIM_EVENT_REVOKED});
}

static void run_join(const struct sim_step *step)
{
    struct source *source = step->object;
    struct sim_member *member = sim_group_join(source->group, sim_membership_member(source),
                                               source->options.client, source->session_ms);
    for (size_t i = member->topic_count; i < source->topic_count; i++) {
        member->topics = heap_resized(member->topics, i + 1, sizeof(char *));
        member->topics[member->topic_count++] = heap_text(source->topics[i]);
    }
    set_member_id(source, member->id);
    source->heard_ms = sim_clock_now_ms();
    source->join = SIM_JOIN_WAITING;
}

static void run_sync(const struct sim_step *step)
{
    struct source *source = step->object;
    struct sim_member *member = sim_membership_member(source);
    member->given = false;
    source->generation = source->group->generation;
    source->given =
        heap_resized(source->given, member->log_count + 1, sizeof(struct sim_partition *));
    source->given_count = member->log_count;
    if (member->log_count > 0)
        memcpy(source->given, member->logs, member->log_count * sizeof(struct sim_partition *));
    source->join = SIM_JOIN_ASSIGNING;
    sim_source_push(source, (struct sim_event){.kind = SIM_EVENT_ASSIGNED});
}

/* A heartbeat is answered by: a rebalance is under way. */
static void run_rebalance(const struct sim_step *step)
{
    struct source *source = step->object;
    if (source->join == SIM_JOIN_WAITING)
        source->join = SIM_JOIN_WANTED;
    else
        revoke(source, false);
}

/* A heartbeat is answered by: no such member; or none was for a whole session. The generation stays
 * known, so what is still committed in its name is refused. */
static void run_loss(const struct sim_step *step)
{
    struct source *source = step->object;
    set_member_id(source, "");
    source->heard_ms = sim_clock_now_ms();
    if (source->join == SIM_JOIN_WAITING)
        source->join = SIM_JOIN_WANTED;
    else if (source->join == SIM_JOIN_STEADY)
        revoke(source, true);
}

static void describe(const struct sim_step *step, struct reason *out_text)
{
    const struct source *source = step->object;
    reason_set(out_text, "%s in %s", source->options.client, source->group->name);
}

bool sim_membership_is_waiting(const struct source *source)
{
    const struct sim_process *process = source->process;
    return (source->join == SIM_JOIN_WAITING || source->join == SIM_JOIN_STEADY) &&
           (process == NULL || (!process->dead && !process->paused));
}

void sim_membership_steps(struct source *source)
{
    static const struct sim_step_kind join = {"join", run_join, describe};
    static const struct sim_step_kind sync = {"assignment", run_sync, describe};
    static const struct sim_step_kind rebalance = {"rebalance heard of", run_rebalance, describe};
    static const struct sim_step_kind unknown = {"membership lost", run_loss, describe};
    static const struct sim_step_kind timeout = {"no heartbeat answered", run_loss, describe};
    const struct sim_process *process = source->process;
    const struct sim_member *member = sim_membership_member(source);
    const bool settled = sim_membership_is_waiting(source);
    if (settled && sim_clock_now_ms() - source->heard_ms >= source->session_ms)
        sim_step_add(&timeout, source, 0);
    if (!sim_process_is_heard(process))
        return;
    if (source->join == SIM_JOIN_WANTED)
        sim_step_add(&join, source, 0);
    else if (member == NULL && (settled || source->member_id[0] != '\0') &&
             source->join != SIM_JOIN_NONE)
        sim_step_add(&unknown, source, 0);
    else if (member != NULL && settled && source->group->rebalancing && !member->joined)
        sim_step_add(&rebalance, source, 0);
    else if (member != NULL && source->join == SIM_JOIN_WAITING && member->given)
        sim_step_add(&sync, source, 0);
}

void sim_membership_assigned(struct source *source, bool anything)
{
    if (source->join == SIM_JOIN_ASSIGNING)
        source->join = SIM_JOIN_STEADY;
    else if (source->join == SIM_JOIN_REVOKING && !anything)
        source->join = SIM_JOIN_WANTED;
}

void sim_membership_leave(struct source *source)
{
    struct sim_member *member = sim_membership_member(source);
    if (member != NULL && sim_process_is_heard(source->process))
        sim_group_leave(source->group, member);
}
