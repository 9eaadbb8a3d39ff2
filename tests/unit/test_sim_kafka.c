/* Goal: what conform_kafka.c cannot make a real Kafka do, the simulated one does as sim_process.h
 * says: calls that fail, are lost or kill; markers one by one; silence; steps that repeat exactly.
 * Method: one producer and one consumer, step by step, with a plan of one fate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "kafka/sink.h"
#include "memory/heap.h"
#include "sim_kafka.h"
#include "sim_process.h"

static struct sim_process process;
static enum sim_call planned_call;
static enum sim_fate planned_fate;
static const char *names[TOPIC_COUNT];
static struct reason reason;

static enum sim_fate plan(struct sim_process *caller, enum sim_call call)
{
    (void)caller;
    const enum sim_fate fate = call == planned_call ? planned_fate : SIM_GOES_WELL;
    if (call == planned_call)
        planned_fate = SIM_GOES_WELL;
    return fate;
}

static int set_up(void **state)
{
    (void)state;
    for (int i = TOPIC_NONE + 1; i < TOPIC_COUNT; i++)
        names[i] = topic_row((enum topic)i)->name;
    process = (struct sim_process){.name = "p"};
    planned_fate = SIM_GOES_WELL;
    sim_process_plan = plan;
    sim_clock_set(1000);
    sim_kafka_start(&(struct sim_kafka_options){.cluster = "c", .seed = 1});
    sim_kafka_topic_create("alerts", 2);
    sim_process_enter(&process);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sim_kafka_stop();
    sim_process_enter(NULL);
    sim_process_plan = NULL;
    return 0;
}

static struct sink *open_sink(void)
{
    const struct sink_options options = {.transactional_id = "t", .client = "c", .names = names};
    struct sink *sink;
    assert_int_equal(sink_open(&options, &sink, &reason), FAULT_NONE);
    assert_int_equal(sink_init(sink, 1000, &reason), FAULT_NONE);
    return sink;
}

static struct source *opened; /* the consumer whose callbacks come */
static int assigned_count, revoked_count, lost_count;

static void on_wake(void *context)
{
    (void)context; /* the test polls */
}

static void on_assigned(void *context, const rd_kafka_topic_partition_list_t *partitions)
{
    (void)context;
    assigned_count++;
    assert_int_equal(source_assign(opened, partitions, &reason), FAULT_NONE);
}

static void on_revoked(void *context, bool lost)
{
    (void)context;
    rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(0);
    revoked_count++;
    lost_count += lost;
    assert_int_equal(source_assign(opened, none, &reason), FAULT_NONE);
    rd_kafka_topic_partition_list_destroy(none);
}

/* A member of its group: nobody else may commit offsets. */
static struct source *open_source(void)
{
    const struct source_options options = {.group = "g",
                                           .client = "c",
                                           .names = names,
                                           .on_wake = on_wake,
                                           .on_assigned = on_assigned,
                                           .on_revoked = on_revoked};
    static const enum topic topics[] = {TOPIC_ALERTS};
    struct source_message message;
    assigned_count = revoked_count = lost_count = 0;
    assert_int_equal(source_open(&options, &opened, &reason), FAULT_NONE);
    assert_int_equal(source_subscribe(opened, topics, 1, &reason), FAULT_NONE);
    sim_kafka_settle();
    assert_int_equal(source_poll(opened, 0, &message, &reason), SOURCE_EMPTY);
    assert_int_equal(assigned_count, 1);
    sim_kafka_settle();
    return opened;
}

static rd_kafka_topic_partition_list_t *offset_of_one(int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, "alerts", 0)->offset = offset;
    return list;
}

/* One record and one offset in a transaction; the fate of one call of it. */
static enum fault transact(struct sink *sink, struct source *source, enum sim_call call,
                           enum sim_fate fate)
{
    planned_call = call;
    planned_fate = fate;
    const struct record record = {.topic = TOPIC_ALERTS, .value = span_text("v")};
    rd_kafka_topic_partition_list_t *offsets = offset_of_one(7);
    enum fault fault = sink_begin(sink, &reason);
    if (fault == FAULT_NONE)
        fault = sink_publish(sink, &record, &reason);
    if (fault == FAULT_NONE)
        fault = sink_commit(sink, offsets, source, &reason);
    rd_kafka_topic_partition_list_destroy(offsets);
    return fault;
}

static int visible(void)
{
    int count = 0;
    struct sim_kafka_record record;
    for (int64_t cursor = 0; sim_kafka_read("alerts", 0, &cursor, &record);)
        count++;
    return count;
}

static void test_markers_come_one_by_one(void **state)
{
    (void)state;
    struct sink *sink = open_sink();
    struct source *source = open_source();
    assert_int_equal(transact(sink, source, SIM_COMMIT, SIM_GOES_WELL), FAULT_NONE);
    assert_int_equal(visible(), 0);
    assert_int_equal(sim_kafka_steps(), 2);
    rd_kafka_topic_partition_list_t *list = offset_of_one(0);
    assert_int_equal(source_committed(source, list, 100, &reason), FAULT_KAFKA_UNREACHABLE);
    sim_kafka_step(1); /* the offsets first */
    assert_int_equal(source_committed(source, list, 100, &reason), FAULT_NONE);
    assert_int_equal(list->elems[0].offset, 7);
    assert_int_equal(visible(), 0);
    sim_kafka_settle();
    assert_int_equal(visible(), 1);
    assert_int_equal(sim_kafka_end_offset("alerts", 0), 2);
    rd_kafka_topic_partition_list_destroy(list);
}

static void check_fate(enum sim_call call, enum sim_fate fate, enum fault fault, int count)
{
    struct sink *sink = open_sink();
    struct source *source = open_source();
    assert_int_equal(transact(sink, source, call, fate), fault);
    sim_kafka_settle();
    assert_int_equal(visible(), count);
    process.dead = false;
    sink_close(sink);
    sink = open_sink(); /* the same id: ends what is open */
    sim_kafka_settle();
    assert_int_equal(visible(), count);
    assert_int_equal(sim_kafka_committed("g", "alerts", 0, NULL), count > 0 ? 7 : -1);
}

static void test_a_failed_commit_is_no_commit(void **state)
{
    (void)state;
    check_fate(SIM_COMMIT, SIM_FAILS, FAULT_OUTCOME_UNKNOWN, 0);
}

static void test_a_lost_commit_is_one(void **state)
{
    (void)state;
    check_fate(SIM_COMMIT, SIM_IS_LOST, FAULT_OUTCOME_UNKNOWN, 1);
}

static void test_a_refused_commit_is_to_be_aborted(void **state)
{
    (void)state;
    check_fate(SIM_COMMIT, SIM_IS_REFUSED, FAULT_TRANSACTION_ABORTED, 0);
}

static void test_death_before_commit(void **state)
{
    (void)state;
    check_fate(SIM_COMMIT, SIM_DIES_BEFORE, FAULT_NONE, 0);
}

static void test_death_after_commit(void **state)
{
    (void)state;
    check_fate(SIM_COMMIT, SIM_DIES_AFTER, FAULT_NONE, 1);
}

static void test_lost_offsets(void **state)
{
    (void)state;
    check_fate(SIM_SEND_OFFSETS, SIM_IS_LOST, FAULT_TRANSACTION_ABORTED, 0);
}

static void test_an_undelivered_record_ends_the_transaction(void **state)
{
    (void)state;
    check_fate(SIM_PUBLISH, SIM_FAILS, FAULT_TRANSACTION_ABORTED, 0);
}

static void test_a_late_end_is_fenced(void **state)
{
    (void)state;
    int late = 0;
    for (int i = 0; i < 16; i++) {
        struct sink *sink = open_sink();
        struct source *source = open_source();
        const int before = visible();
        assert_int_equal(transact(sink, source, SIM_COMMIT, SIM_IS_LOST), FAULT_OUTCOME_UNKNOWN);
        sink_close(sink);
        sink = open_sink(); /* before anything under way arrives */
        sim_kafka_settle();
        late += visible() == before;
        source_close(source, true);
        sink_close(sink);
    }
    assert_in_range(late, 1, 15);
}

static void test_a_time_out_fences(void **state)
{
    (void)state;
    struct sink *sink = open_sink();
    const struct record record = {.topic = TOPIC_ALERTS, .value = span_text("v")};
    assert_int_equal(sink_begin(sink, &reason), FAULT_NONE);
    assert_int_equal(sink_publish(sink, &record, &reason), FAULT_NONE);
    sim_kafka_settle();
    assert_int_equal(sim_kafka_due_ms(), 1000 + SINK_TRANSACTION_TIMEOUT_MS);
    sim_clock_set(sim_kafka_due_ms());
    sim_kafka_settle();
    assert_int_equal(sim_kafka_open_transactions(), 0);
    assert_int_equal(sink_abort(sink, &reason), FAULT_FENCED);
}

static void test_a_paused_member_is_expelled(void **state)
{
    (void)state;
    struct source *source = open_source();
    struct source_message message;
    sim_clock_set(60000); /* alive all the while */
    assert_int_equal(sim_kafka_steps(), 0);
    process.paused = true;
    sim_kafka_settle();
    assert_int_equal(sim_kafka_due_ms(), 66000);
    sim_clock_set(66000);
    sim_kafka_settle();
    process.paused = false;
    sim_kafka_settle();
    while (source_poll(source, 0, &message, &reason) != SOURCE_EMPTY)
        ;
    assert_int_equal(revoked_count, 1);
    assert_int_equal(lost_count, 1);
    sim_kafka_settle();
    while (source_poll(source, 0, &message, &reason) != SOURCE_EMPTY)
        ;
    assert_int_equal(assigned_count, 2);
    sim_kafka_forget(&process);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_markers_come_one_by_one),
        TEST(test_a_failed_commit_is_no_commit),
        TEST(test_a_lost_commit_is_one),
        TEST(test_a_refused_commit_is_to_be_aborted),
        TEST(test_death_before_commit),
        TEST(test_death_after_commit),
        TEST(test_lost_offsets),
        TEST(test_an_undelivered_record_ends_the_transaction),
        TEST(test_a_late_end_is_fenced),
        TEST(test_a_time_out_fences),
        TEST(test_a_paused_member_is_expelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
