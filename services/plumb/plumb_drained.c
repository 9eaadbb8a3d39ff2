/* plumb drained: waits until all that was sent is judged.
 *
 * The highest clock in inference.events is T. When every partition of measurements and of alerts
 * has a clock >= T from each of its sources, every window that T closes was measured, and what
 * follows from it was said. What follows from alerts and measurements in turn (triggers, decisions)
 * is the retrainer's, which sends no clocks: where its group is known, its committed offsets must
 * have passed these clocks.
 */
#include "arguments.h"
#include "clock/wall.h"
#include "connection.h"
#include "kafka/group_offsets.h"
#include "kafka/topic_reader.h"
#include "memory/heap.h"
#include "plumb.h"
#include "progress.h"
#include "service/stream_time.h"

enum { TAIL_OFFSETS = 4000, PAUSE_MS = 200 };
static const char retrainer_group[] = "plumb-retrainer";

static const struct option_row rows[] = {
    {.name = "timeout",
     .kind = OPTION_NUMBER,
     .fallback = "600",
     .help = "give up after so many seconds"},
    {.name = NULL},
};

/* One topic that must have come so far. */
struct goal {
    enum topic topic;
    struct topic_reader *reader; /* owned */
    struct stream_time **times;  /* owned, [partitions] */
    int64_t *clock_offsets; /* owned: of the clock with which a partition reached the goal; -1: not
                               yet */
    int64_t wanted_ms;
};

struct drained_run {
    struct kafka_client *client;
    struct goal goals[2];
    int64_t deadline_ns, sent_ms;
    struct progress progress;
};

static void on_sent(void *context, const struct record *record)
{
    int64_t *highest_ms = context;
    struct stream_time_clock clock;
    if (stream_time_clock_read(record, &clock) && clock.time_ms > *highest_ms)
        *highest_ms = clock.time_ms;
}

static int fail(enum fault fault, const struct reason *reason)
{
    const int code = plumb_fail("drained", fault, reason);
    return fault == FAULT_OPTION_INVALID ? PLUMB_CONFIGURATION : code;
}

/* T: senders put a clock into every partition again and again, so that the tail of the topic has
 * it. */
static int find_sent(struct drained_run *run)
{
    struct topic_reader *reader;
    struct reason reason;
    enum fault fault = topic_reader_open(run->client, TOPIC_INFERENCE_EVENTS, &reader, &reason);
    if (fault != FAULT_NONE)
        return fail(fault, &reason);
    fault = topic_reader_tail(reader, TAIL_OFFSETS, &reason);
    if (fault == FAULT_NONE)
        fault = topic_reader_run(reader, on_sent, &run->sent_ms, &reason);
    if (fault == FAULT_NONE && run->sent_ms == 0)
        fault = topic_reader_tail(reader, INT64_MAX / 2, &reason);
    if (fault == FAULT_NONE && run->sent_ms == 0)
        fault = topic_reader_run(reader, on_sent, &run->sent_ms, &reason);
    topic_reader_close(reader);
    if (fault != FAULT_NONE)
        return fail(fault, &reason);
    if (run->sent_ms > 0)
        return PLUMB_DONE;
    plumb_say("drained", "%s has no clock record: nothing says how far time has come",
              kafka_client_topic(run->client, TOPIC_INFERENCE_EVENTS));
    return PLUMB_CHECK_SAYS_NO;
}

static void on_clock(void *context, const struct record *record)
{
    struct goal *goal = context;
    struct stream_time_clock clock;
    if (!stream_time_clock_read(record, &clock))
        return;
    struct stream_time *time = goal->times[record->partition];
    stream_time_sources(time, clock.set, record->offset);
    (void)stream_time_observe(time, clock.source, clock.time_ms, record->offset);
    if (goal->clock_offsets[record->partition] < 0 && stream_time_now(time) >= goal->wanted_ms)
        goal->clock_offsets[record->partition] = record->offset;
}

static enum fault goal_open(struct drained_run *run, struct goal *goal, enum topic topic,
                            struct reason *reason)
{
    goal->topic = topic;
    goal->wanted_ms = run->sent_ms;
    const enum fault fault = topic_reader_open(run->client, topic, &goal->reader, reason);
    if (fault != FAULT_NONE)
        return fault;
    const size_t count = (size_t)topic_reader_partitions(goal->reader);
    goal->times = heap_zeroed(count, sizeof *goal->times);
    goal->clock_offsets = heap_zeroed(count, sizeof *goal->clock_offsets);
    for (size_t i = 0; i < count; i++) {
        goal->times[i] = stream_time_create();
        goal->clock_offsets[i] = -1;
    }
    return FAULT_NONE;
}

static void goal_close(struct goal *goal)
{
    for (int32_t i = 0; goal->times != NULL && i < topic_reader_partitions(goal->reader); i++)
        stream_time_destroy(goal->times[i]);
    heap_release(goal->times);
    heap_release(goal->clock_offsets);
    topic_reader_close(goal->reader);
}

static bool goal_is_reached(const struct goal *goal)
{
    for (int32_t i = 0; i < topic_reader_partitions(goal->reader); i++)
        if (goal->clock_offsets[i] < 0)
            return false;
    return true;
}

/* The least time of any partition, for the progress line. */
static double goal_share(const struct goal *goal, int64_t *first_ms)
{
    int64_t least_ms = INT64_MAX;
    for (int32_t i = 0; i < topic_reader_partitions(goal->reader); i++)
        if (stream_time_now(goal->times[i]) < least_ms)
            least_ms = stream_time_now(goal->times[i]);
    if (*first_ms == 0)
        *first_ms = least_ms;
    return goal->wanted_ms <= *first_ms
               ? 1
               : (double)(least_ms - *first_ms) / (double)(goal->wanted_ms - *first_ms);
}

static bool is_over(struct drained_run *run)
{
    kafka_client_poll(run->client, PAUSE_MS);
    return monotonic_now_ns() >= run->deadline_ns;
}

static int wait_for_clocks(struct drained_run *run)
{
    int64_t first_ms = 0;
    uint64_t looks = 0;
    for (;;) {
        bool reached = true;
        for (size_t i = 0; i < COUNT_OF(run->goals); i++) {
            struct reason reason;
            struct goal *goal = &run->goals[i];
            if (goal_is_reached(goal))
                continue;
            const enum fault fault = topic_reader_run(goal->reader, on_clock, goal, &reason);
            if (fault != FAULT_NONE && fault_class(fault) != FAULT_CLASS_RETRY)
                return fail(fault, &reason);
            reached = reached && fault == FAULT_NONE && goal_is_reached(goal);
        }
        if (reached)
            return PLUMB_DONE;
        progress_show(&run->progress, goal_share(&run->goals[0], &first_ms), ++looks, "looks");
        if (is_over(run))
            return PLUMB_TRY_AGAIN;
    }
}

/* Has the retrainer's group taken everything up to the goal's clocks? true also where there is no
 * such group: none that has members or has ever committed. */
static enum fault is_taken(const struct drained_run *run, const struct goal *goal, bool *out_taken,
                           struct reason *reason)
{
    const int32_t count = topic_reader_partitions(goal->reader);
    int64_t *committed = heap_zeroed((size_t)count, sizeof *committed);
    bool lives = false;
    enum fault fault = group_offsets_alive(run->client, retrainer_group, &lives, reason);
    if (fault == FAULT_NONE)
        fault = topic_reader_committed(goal->reader, retrainer_group, committed, reason);
    bool taken = true;
    for (int32_t i = 0; fault == FAULT_NONE && i < count; i++) {
        lives = lives || committed[i] >= 0;
        taken = taken && committed[i] > goal->clock_offsets[i];
    }
    heap_release(committed);
    *out_taken = taken || !lives;
    return fault;
}

static int wait_for_retrainer(struct drained_run *run)
{
    for (;;) {
        bool all = true;
        for (size_t i = 0; i < COUNT_OF(run->goals); i++) {
            struct reason reason;
            bool taken = false;
            const enum fault fault = is_taken(run, &run->goals[i], &taken, &reason);
            if (fault != FAULT_NONE && fault_class(fault) != FAULT_CLASS_RETRY)
                return fail(fault, &reason);
            all = all && fault == FAULT_NONE && taken;
        }
        if (all)
            return PLUMB_DONE;
        if (is_over(run))
            return PLUMB_TRY_AGAIN;
    }
}

static int wait_for_all(struct drained_run *run, int64_t timeout_s)
{
    struct reason reason;
    run->deadline_ns = monotonic_now_ns() + timeout_s * 1000000000;
    int code = find_sent(run);
    if (code != PLUMB_DONE)
        return code;
    enum fault fault = goal_open(run, &run->goals[0], TOPIC_MEASUREMENTS, &reason);
    if (fault == FAULT_NONE)
        fault = goal_open(run, &run->goals[1], TOPIC_ALERTS, &reason);
    if (fault != FAULT_NONE)
        return fail(fault, &reason);
    progress_begin(&run->progress, "draining");
    code = wait_for_clocks(run);
    if (code == PLUMB_DONE)
        code = wait_for_retrainer(run);
    progress_end(&run->progress);
    if (code == PLUMB_TRY_AGAIN)
        plumb_say("drained", "not yet after %lld s", (long long)timeout_s);
    return code;
}

int plumb_drained_run(int argc, char **argv)
{
    int code;
    struct option_set *options =
        arguments_read(&(struct arguments_spec){.command = "drained",
                                                .usage = "plumb drained [--timeout SECONDS]",
                                                .summary = "Waits until all that was sent is "
                                                           "judged; exit 75 when time is up.",
                                                .rows = rows,
                                                .parts = ARGUMENTS_KAFKA},
                       argc, argv, &code);
    if (options == NULL)
        return code;
    const int64_t timeout_s = option_number(options, "timeout");
    struct drained_run run = {0};
    if (timeout_s < 0 || timeout_s > 1000000) {
        plumb_say("drained", "--timeout: from 0 to 1000000");
        code = PLUMB_USAGE;
    } else {
        code = connection_open("drained", options, &run.client);
    }
    if (code == PLUMB_DONE)
        code = wait_for_all(&run, timeout_s);
    for (size_t i = 0; i < COUNT_OF(run.goals); i++)
        goal_close(&run.goals[i]);
    kafka_client_close(run.client);
    option_set_destroy(options);
    return code;
}
