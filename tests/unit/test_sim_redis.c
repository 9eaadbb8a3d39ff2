/* Goal: what the simulated Redis and its links do beyond what Redis does: roll-backs, copies, and a
 * request's fates. Method: the real store over them, under a clock and a plan of this file.
 * (conform_redis.c shows that it otherwise does what Redis does.) */
#include "clock/wall.h"
#include "memory/heap.h"
#include "redis/store.h"
#include "sim_link.h"
#include "sim_redis.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* ---- The clock and the process */

static int64_t now_ms;
static struct sim_process process, *current;
static enum sim_call fatal_call; /* the next call of this kind … */
static enum sim_fate fatal_fate; /* … ends so; then all go well again */

int64_t monotonic_now_ns(void)
{
    return now_ms * 1000000;
}

int64_t wall_now_ms(void)
{
    return now_ms;
}

int64_t sim_clock_now_ms(void)
{
    return wall_now_ms();
}

struct sim_process *sim_process_current(void)
{
    return current;
}

void sim_process_enter(struct sim_process *entered)
{
    current = entered;
}

enum sim_fate sim_process_fate(struct sim_process *asking, enum sim_call call)
{
    assert_ptr_equal(asking, &process);
    if (call != fatal_call)
        return SIM_GOES_WELL;
    fatal_call = SIM_CALL_COUNT;
    return fatal_fate;
}

/* ---- The caller */

static struct store *store;
static int read_count, written_count;
static enum store_outcome outcome;
static int64_t epoch;
static char offset[16], value[16];

static void on_state(void *context, bool ready)
{
    (void)context, (void)ready;
}

static void on_read(void *context, const struct store_snapshot *snapshot)
{
    (void)context;
    assert_ptr_equal(current, &process);
    assert_int_equal(snapshot->fault, FAULT_NONE);
    epoch = snapshot->epoch;
    (void)snprintf(offset, sizeof offset, "%.*s", (int)snapshot->offset.size,
                   (const char *)snapshot->offset.bytes);
    value[0] = '\0';
    if (snapshot->entry_count > 0)
        (void)snprintf(value, sizeof value, "%.*s", (int)snapshot->entries[0].bytes.size,
                       (const char *)snapshot->entries[0].bytes.bytes);
    read_count++;
}

static void on_written(void *context, enum store_outcome now)
{
    (void)context;
    outcome = now;
    written_count++;
}

/* All that is to happen within some time. */
static void pass(int64_t ms)
{
    for (int64_t i = 0; i < ms; i += 50) {
        now_ms += 50;
        if (!process.dead && !process.paused)
            store_tick(store);
        while (sim_link_step(&process))
            ;
    }
}

static void read_state(void)
{
    const int before = read_count;
    store_read(store, "{tag}", 0, on_read, NULL);
    pass(2000);
    assert_int_equal(read_count, before + 1);
}

static void write_state(const char *from, const char *to)
{
    const struct store_entry entry = {span_text("field"), span_text(to)};
    store_write(store, "{tag}", epoch, span_text(from), span_text(to), &entry, 1, on_written, NULL);
}

static void assert_stored(const char *expected)
{
    read_state();
    assert_string_equal(offset, expected);
    assert_string_equal(value, expected); /* the entry is as old as the offset */
}

static int set_up(void **context)
{
    (void)context;
    now_ms = 1000;
    process = (struct sim_process){.name = "test"};
    fatal_call = SIM_CALL_COUNT;
    read_count = written_count = 0;
    sim_redis_start();
    sim_process_enter(&process);
    const struct store_options options = {.url = "redis://simulated", .on_state = on_state};
    struct reason reason;
    assert_int_equal(store_open(&options, &store, &reason), FAULT_NONE);
    pass(100);
    assert_true(store_is_ready(store));
    read_state();
    return 0;
}

static int tear_down(void **context)
{
    (void)context;
    store_close(store);
    sim_link_drop_stranded();
    sim_redis_stop();
    return 0;
}

static void write_three(void)
{
    static const char *const offsets[] = {"", "1", "2", "3"};
    for (int i = 0; i < 3; i++) {
        write_state(offsets[i], offsets[i + 1]);
        pass(1000);
        assert_int_equal(outcome, STORE_APPLIED);
    }
    assert_int_equal(written_count, 3);
}

/* ---- Tests */

static void test_roll_back(void **context)
{
    (void)context;
    const size_t start = sim_redis_mark();
    write_three();
    assert_int_equal(sim_redis_mark(), start + 3);
    assert_int_equal(sim_redis_mark_at(now_ms - 1050), start + 2);
    sim_redis_roll_back_by(1);
    assert_stored("2");
    write_state("2", "4");
    pass(1000);
    assert_stored("4");
    sim_redis_roll_back(start + 1);
    assert_stored("1");
    const int64_t then_ms = now_ms;
    pass(100);
    write_state("1", "5");
    pass(1000);
    sim_redis_roll_back_to(then_ms);
    assert_stored("1");
    sim_redis_roll_back_by(1000);
    read_state();
    assert_true(epoch == 1 && offset[0] == '\0' && value[0] == '\0');
    assert_int_equal(outcome, STORE_APPLIED);
}

static void test_rolled_back_epoch_fences(void **context)
{
    (void)context;
    read_state();
    sim_redis_roll_back_by(1);
    write_state("", "1"); /* by an epoch that Redis does not remember */
    pass(100);
    assert_int_equal(outcome, STORE_FENCED);
}

static void test_copy_flush_and_forgotten_scripts(void **context)
{
    (void)context;
    write_three();
    struct sim_redis_copy *copy = sim_redis_copy();
    write_state("3", "6");
    pass(100);
    sim_redis_forget_scripts();
    sim_redis_restore_copy(copy);
    assert_stored("3");
    sim_redis_flush_all();
    struct span bytes;
    assert_false(sim_redis_value("{tag}:state", "field", &bytes));
    sim_redis_roll_back_by(1);
    assert_stored("3");
    assert_true(sim_redis_value("{tag}:state", "field", &bytes));
    sim_redis_copy_destroy(copy);
}

static void test_fates_of_a_write(void **context)
{
    (void)context;
    static const enum sim_fate fates[] = {SIM_FAILS, SIM_IS_LOST, SIM_IS_REFUSED};
    static const char *const offsets[] = {"", "1", "2", "3", "4", "5", "6"};
    for (int i = 0; i < 6; i++) {
        fatal_call = i % 2 == 0 ? SIM_STATE_WRITE : SIM_STATE_REPLY;
        fatal_fate = fates[i / 2];
        write_state(offsets[i], offsets[i + 1]);
        pass(2000);
        assert_int_equal(fatal_call, SIM_CALL_COUNT);
        assert_int_equal(written_count, i + 1);
        assert_int_equal(outcome, STORE_APPLIED);
    }
    assert_stored("6");
}

static void test_refusal(void **context)
{
    (void)context;
    sim_redis_refuse("NOREPLICAS too few");
    write_state("", "1");
    pass(3000);
    assert_int_equal(written_count, 0);
    assert_false(store_is_ready(store));
    assert_string_equal(store_why(store), "NOREPLICAS too few");
    sim_redis_refuse(NULL);
    pass(2000);
    assert_true(written_count == 1 && store_is_ready(store));
}

static void test_death(void **context)
{
    (void)context;
    static const struct {
        enum sim_call call;
        enum sim_fate fate;
        const char *stored;
        int told;
    } cases[] = {
        {SIM_STATE_WRITE, SIM_DIES_BEFORE, "", 0},
        {SIM_STATE_WRITE, SIM_DIES_AFTER, "1", 0},
        {SIM_STATE_REPLY, SIM_DIES_BEFORE, "1", 0},
        {SIM_STATE_REPLY, SIM_DIES_AFTER, "1", 1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        fatal_call = cases[i].call;
        fatal_fate = cases[i].fate;
        write_state("", "1");
        pass(1000);
        assert_true(process.dead);
        assert_int_equal(written_count, cases[i].told);
        sim_redis_put("{tag}:state", span_text("other"), span_text("x"));
        struct span bytes;
        assert_int_equal(sim_redis_value("{tag}:state", "field", &bytes),
                         cases[i].stored[0] != '\0');
        assert_int_equal(tear_down(NULL), 0); /* what the dead one closes has no effect */
        assert_int_equal(set_up(NULL), 0);
    }
}

static void test_away_paused_and_stranded(void **context)
{
    (void)context;
    process.redis_is_away = true;
    write_state("", "1");
    pass(5500); /* given up, on a connection that still may deliver it */
    assert_false(store_is_ready(store));
    assert_int_equal(sim_link_stranded(), 1);
    process.redis_is_away = false;
    pass(3000);
    assert_int_equal(written_count, 1);
    write_state("1", "2");
    pass(100);
    sim_link_step_stranded(); /* late, and without effect */
    assert_int_equal(sim_link_stranded(), 0);
    assert_stored("2");
    write_state("2", "3");
    process.paused = true;
    pass(1000);
    assert_int_equal(written_count, 2);
    process.paused = false;
    pass(100);
    assert_int_equal(written_count, 3);
    write_state("3", "4");
    sim_link_cut(&process);
    assert_int_equal(sim_link_stranded(), 1);
    sim_link_drop_stranded();
    pass(1000);
    assert_int_equal(written_count, 4);
    assert_stored("4");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_roll_back),
        TEST(test_rolled_back_epoch_fences),
        TEST(test_copy_flush_and_forgotten_scripts),
        TEST(test_fates_of_a_write),
        TEST(test_refusal),
        TEST(test_death),
        TEST(test_away_paused_and_stranded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
