/* sim_fetch.c: what a consumer's fetches bring: records up to the last stable offset, without the
 * aborted ones, and where a partition ends. */
#include "sim_source.h"

enum { QUEUE_MAX = 4000 };

/* Where reading ends for now. */
static int64_t limit_of(const struct source *source, const struct sim_partition *log)
{
    return source->read_committed ? sim_partition_stable(log) : sim_partition_end(log);
}

void sim_fetch_begin(struct source *source, struct sim_partition *log, int64_t offset)
{
    struct sim_fetch *fetch = &source->fetches[source->fetch_count++];
    *fetch = (struct sim_fetch){.log = log, .end_told = -1, .position = -1, .kept = -1};
    const struct sim_offset *committed =
        offset == RD_KAFKA_OFFSET_STORED || offset == RD_KAFKA_OFFSET_INVALID
            ? sim_group_offset(source->group, log)
            : NULL;
    if (committed != NULL)
        fetch->offset = committed->offset;
    else if (offset >= 0)
        fetch->offset = offset;
    else if (offset == RD_KAFKA_OFFSET_BEGINNING || source->reset == SIM_RESET_EARLIEST)
        fetch->offset = log->start;
    else if (offset == RD_KAFKA_OFFSET_END || source->reset == SIM_RESET_LATEST)
        fetch->offset = limit_of(source, log);
    else
        fetch->offset = -1; /* nothing committed and no reset: out of range */
}

static bool is_in_range(const struct sim_fetch *fetch)
{
    return fetch->offset >= fetch->log->start && fetch->offset <= sim_partition_end(fetch->log);
}

static void out_of_range(struct source *source, struct sim_fetch *fetch)
{
    if (source->reset == SIM_RESET_ERROR) {
        fetch->stopped = true;
        sim_source_push(source, (struct sim_event){.kind = SIM_EVENT_TROUBLE,
                                                   .log = fetch->log,
                                                   .offset = fetch->offset});
        return;
    }
    fetch->offset =
        source->reset == SIM_RESET_EARLIEST ? fetch->log->start : limit_of(source, fetch->log);
}

static void run_fetch(const struct sim_step *step)
{
    static const uint64_t sizes[] = {1, 8, 64, 512};
    struct source *source = step->object;
    struct sim_fetch *fetch = &source->fetches[step->detail];
    if (!is_in_range(fetch)) {
        out_of_range(source, fetch);
        return;
    }
    const int64_t limit = limit_of(source, fetch->log);
    if (fetch->offset >= limit) {
        fetch->end_told = fetch->offset;
        fetch->slow_until_ms = sim_clock_now_ms() + sim_broker_slow_fetch_ms(false);
        sim_source_push(
            source,
            (struct sim_event){.kind = SIM_EVENT_END, .log = fetch->log, .offset = fetch->offset});
        return;
    }
    uint64_t left = sizes[sim_broker_draw(COUNT_OF(sizes))];
    while (left > 0 && fetch->offset < limit) {
        const struct sim_entry *entry = sim_partition_at(fetch->log, fetch->offset++);
        if (entry->mark == SIM_MARK_CONTROL ||
            (entry->mark == SIM_MARK_ABORTED && source->read_committed))
            continue;
        left--;
        sim_source_push(source, (struct sim_event){.kind = SIM_EVENT_RECORD,
                                                   .log = fetch->log,
                                                   .offset = fetch->offset - 1,
                                                   .bytes = sim_bytes_share(entry->bytes)});
    }
    fetch->slow_until_ms = sim_clock_now_ms() + sim_broker_slow_fetch_ms(fetch->offset < limit);
}

static void describe_fetch(const struct sim_step *step, struct reason *out_text)
{
    const struct source *source = step->object;
    const struct sim_fetch *fetch = &source->fetches[step->detail];
    reason_set(out_text, "%s of %s[%d] at %lld", source->options.client, fetch->log->topic,
               (int)fetch->log->partition, (long long)fetch->offset);
}

static void run_auto_commit(const struct sim_step *step)
{
    struct source *source = step->object;
    struct sim_fetch *fetch = &source->fetches[step->detail];
    fetch->kept = fetch->position;
    sim_group_commit(source->group, (struct sim_offset){.group = source->group,
                                                        .log = fetch->log,
                                                        .offset = fetch->position,
                                                        .sequence = sim_group_sequence()});
}

void sim_fetch_steps(struct source *source)
{
    static const struct sim_step_kind fetch_kind = {"fetch", run_fetch, describe_fetch};
    static const struct sim_step_kind commit_kind = {"auto commit", run_auto_commit,
                                                     describe_fetch};
    if (!sim_process_is_heard(source->process))
        return;
    for (size_t i = 0; i < source->fetch_count; i++) {
        const struct sim_fetch *fetch = &source->fetches[i];
        const bool has_more = fetch->offset < limit_of(source, fetch->log) || !is_in_range(fetch) ||
                              (source->tells_end && fetch->end_told != fetch->offset);
        if (!fetch->stopped && !source->paused && has_more &&
            fetch->slow_until_ms <= sim_clock_now_ms() &&
            source->event_count - source->event_first < QUEUE_MAX)
            sim_step_add(&fetch_kind, source, i);
        if (source->commits && source->stores && fetch->position > fetch->kept)
            sim_step_add(&commit_kind, source, i);
    }
}
