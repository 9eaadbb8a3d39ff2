/* Goal: what a shard would start from is told as restore.c would do it, and whatever the facts are,
 * after its repair a shard starts. Method: tables of facts with the outlook written by hand; then
 * random facts, of which the repaired ones must never be refused. */
#include "services/plumb/outlook.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* One input: log 0..1000, K = 500, replay from 450, of 4 partitions; S = 500. */
static struct outlook_facts facts_of(bool endless)
{
    struct outlook_facts facts = {.endless = endless,
                                  .input_count = 1,
                                  .stored = true,
                                  .has_positions = true,
                                  .positions = {500}};
    facts.inputs[0] = (struct outlook_input){.topic = TOPIC_INFERENCE_VALIDATED,
                                             .partition = 1,
                                             .partitions = 4,
                                             .committed = 500,
                                             .mark = {.clock_ms = 7000,
                                                      .time_ms = 8000,
                                                      .replay = endless ? 500 : 450,
                                                      .epoch = 3,
                                                      .partitions = 4},
                                             .first = 0,
                                             .end = 1000};
    return facts;
}

static void expect(const struct outlook_facts *facts, enum outlook_kind kind, enum fault fault,
                   int64_t from, const char *text)
{
    const struct outlook outlook = outlook_of(facts);
    assert_string_equal(outlook.text.text, text);
    assert_int_equal(outlook.kind, kind);
    assert_int_equal(outlook.fault, fault);
    if (kind != OUTLOOK_REFUSED)
        assert_int_equal(outlook.from[0], from);
}

static void test_from_redis(void **context)
{
    (void)context;
    struct outlook_facts facts = facts_of(false);
    expect(&facts, OUTLOOK_RESUMES, FAULT_NONE, 500, "resumes at 500");
    facts.positions[0] = 460;
    expect(&facts, OUTLOOK_REPLAYS, FAULT_NONE, 460, "replays 460..500");
    facts.positions[0] = 449; /* older than what a replay needs */
    expect(&facts, OUTLOOK_REBUILDS, FAULT_NONE, 450,
           "rebuilds from 450, up to 500 (what Redis holds is too old)");
    facts.positions[0] = 501;
    expect(&facts, OUTLOOK_REFUSED, FAULT_STATE_AHEAD, 0,
           "refused: STATE_AHEAD, Redis is at 501 and Kafka's offsets at 500");
    facts.damaged = true; /* a damaged one is not believed where it stands */
    expect(&facts, OUTLOOK_REBUILDS, FAULT_NONE, 450,
           "rebuilds from 450, up to 500 (what Redis holds is damaged)");
    facts.foreign = true;
    assert_int_equal(outlook_of(&facts).fault, FAULT_STATE_FOREIGN);
    facts.changed = TOPIC_INFERENCE_VALIDATED;
    facts.changed_was = 4;
    facts.changed_now = 5;
    expect(&facts, OUTLOOK_REFUSED, FAULT_PARTITIONS_CHANGED, 0,
           "refused: PARTITIONS_CHANGED, inference.validated had 4 partitions and has 5");
}

static void test_from_kafka(void **context)
{
    (void)context;
    struct outlook_facts facts = facts_of(false);
    facts.stored = facts.has_positions = false;
    expect(&facts, OUTLOOK_REBUILDS, FAULT_NONE, 450, "rebuilds from 450, up to 500");
    facts.inputs[0].mark.replay = 500;
    expect(&facts, OUTLOOK_REBUILDS, FAULT_NONE, 500, "rebuilds from 500: it needs nothing before");
    facts.inputs[0].mark.replay = 450;
    facts.inputs[0].first = 470;
    expect(
        &facts, OUTLOOK_REFUSED, FAULT_STATE_GAP, 0,
        "gap: records before 470 are gone from inference.validated:1, and it would begin at 450");
    facts.inputs[0].mark = mark_read(span_text("")); /* moved by hand: all of the log */
    expect(&facts, OUTLOOK_REPLAYS, FAULT_NONE, 470, "replays 0..500");
    facts.inputs[0].committed = -1;
    expect(&facts, OUTLOOK_BEGINS, FAULT_NONE, 470, "begins: nothing was committed yet");
}

static void test_log_made_anew(void **context)
{
    (void)context;
    struct outlook_facts facts = facts_of(false);
    facts.inputs[0].end = 20;
    assert_int_equal(outlook_of(&facts).fault, FAULT_STATE_GAP);
    const struct outlook_repair repair = outlook_repair(&facts, false);
    assert_true(repair.deletes && repair.inputs[0].anew && repair.inputs[0].commits);
    assert_int_equal(repair.inputs[0].offset, 0);
    assert_int_equal(repair.inputs[0].mark.clock_ms, 7000);
    assert_int_equal(repair.after.from[0], 0);
}

static void test_endless(void **context)
{
    (void)context;
    struct outlook_facts facts = facts_of(true);
    expect(&facts, OUTLOOK_RESUMES, FAULT_NONE, 500, "resumes at 500");
    facts.positions[0] = 499; /* never replayed */
    expect(&facts, OUTLOOK_REFUSED, FAULT_STATE_GAP, 0,
           "refused: STATE_GAP, service.snapshots has no state at 500 (it has none)");
    facts.has_head = facts.head_is_whole = true;
    facts.head[0] = 500;
    expect(&facts, OUTLOOK_SNAPSHOT, FAULT_NONE, 500, "reads service.snapshots at 500");
    facts.head[0] = 480;
    expect(&facts, OUTLOOK_REFUSED, FAULT_STATE_GAP, 0,
           "refused: STATE_GAP, service.snapshots has no state at 500 (it is at 480)");
    facts.head[0] = 500;
    facts.head_is_whole = false;
    assert_int_equal(outlook_of(&facts).fault, FAULT_STATE_GAP);
    const struct outlook_repair repair = outlook_repair(&facts, false);
    assert_true(repair.writes_head && repair.deletes && !repair.inputs[0].commits);
    assert_int_equal(repair.after.kind, OUTLOOK_SNAPSHOT);
    facts = facts_of(true);
    facts.stored = facts.has_positions = false;
    facts.inputs[0].committed = -1;
    facts.inputs[0].mark = mark_read(span_text(""));
    expect(&facts, OUTLOOK_BEGINS, FAULT_NONE, 0, "begins: nothing was committed yet");
}

static void test_positions(void **context)
{
    (void)context;
    struct outlook_facts facts = facts_of(true);
    facts.inputs[1] = facts.inputs[0];
    facts.inputs[1].topic = TOPIC_MEASUREMENTS;
    facts.input_count = 2;
    struct buffer text = {0};
    const int64_t positions[SERVICE_TOPICS_MAX] = {12, 34};
    outlook_positions_write(&facts, positions, &text);
    assert_true(span_is(buffer_span(&text), "inference.validated:1=12,measurements:1=34"));
    buffer_append_byte(&text, 0);
    int64_t read[SERVICE_TOPICS_MAX];
    assert_true(outlook_positions_read(&facts, (const char *)text.bytes, read));
    assert_true(read[0] == 12 && read[1] == 34);
    static const char *const wrong[] = {
        "", "inference.validated:1=12",
        "inference.validated:1=12,measurements:1=", "inference.validated:1=12,measurements:1=3 "};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_false(outlook_positions_read(&facts, wrong[i], read));
    buffer_fini(&text);
}

static void test_repairs(void **context)
{
    (void)context;
    struct outlook_facts facts = facts_of(false);
    struct outlook_repair repair = outlook_repair(&facts, false);
    assert_false(repair.deletes || repair.inputs[0].commits || repair.writes_head);
    repair = outlook_repair(&facts, true); /* all the same: nothing is moved */
    assert_true(repair.deletes && !repair.inputs[0].commits);

    facts.changed = TOPIC_INFERENCE_VALIDATED; /* the state is good: it stays */
    facts.inputs[0].partitions = 5;
    repair = outlook_repair(&facts, false);
    assert_true(repair.inputs[0].commits && !repair.deletes);
    assert_int_equal(repair.inputs[0].mark.partitions, 5);
    assert_int_equal(repair.inputs[0].mark.time_ms, 8000);
    assert_int_equal(repair.inputs[0].offset, 500);

    facts = facts_of(false); /* never read, and gone */
    facts.inputs[0].first = 620;
    repair = outlook_repair(&facts, false);
    assert_true(repair.deletes && repair.inputs[0].commits);
    assert_int_equal(repair.inputs[0].offset, 620);
    assert_int_equal(repair.inputs[0].skipped, 120);
    assert_int_equal(repair.inputs[0].unopened, 50); /* 450..500 */
    assert_int_equal(repair.inputs[0].mark.replay, 620);

    facts = facts_of(false); /* the state is lost, and part of what it is rebuilt from */
    facts.stored = facts.has_positions = false;
    facts.inputs[0].first = 470;
    repair = outlook_repair(&facts, false);
    assert_true(!repair.deletes && repair.inputs[0].commits && repair.inputs[0].skipped == 0);
    assert_int_equal(repair.inputs[0].unopened, 20);
    assert_int_equal(repair.inputs[0].offset, 500);
    assert_int_equal(repair.after.from[0], 470);
}

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static int64_t pick(uint64_t *state, int64_t from, int64_t to)
{
    return from + (int64_t)(next(state) % (uint64_t)(to - from + 1));
}

static struct outlook_facts random_facts(uint64_t *state)
{
    struct outlook_facts facts = facts_of(pick(state, 0, 1) == 1);
    facts.input_count = facts.endless ? (size_t)pick(state, 1, 2) : 1;
    for (size_t i = 0; i < facts.input_count; i++) {
        struct outlook_input *input = &facts.inputs[i];
        *input = facts.inputs[0];
        input->first = pick(state, 0, 6);
        input->end = pick(state, input->first, 9);
        input->committed = pick(state, -1, 9);
        input->mark.replay = pick(state, -1, 9);
        input->mark.partitions = (int32_t)pick(state, 3, 4);
        if (input->committed < 0 || pick(state, 0, 4) == 0)
            input->mark = mark_read(span_text(""));
        facts.positions[i] = pick(state, 0, 9);
        facts.head[i] = pick(state, 0, 9);
        if (input->mark.partitions == 3)
            facts.changed = input->topic;
    }
    facts.stored = pick(state, 0, 3) > 0;
    facts.has_positions = facts.stored && pick(state, 0, 3) > 0;
    facts.damaged = facts.stored && pick(state, 0, 3) == 0;
    facts.foreign = facts.stored && pick(state, 0, 3) == 0;
    facts.has_head = facts.endless && pick(state, 0, 1) == 1;
    facts.head_is_whole = facts.has_head && pick(state, 0, 3) > 0;
    facts.head_found = (size_t)pick(state, 0, 1);
    return facts;
}

static void test_what_is_repaired_starts(void **context)
{
    (void)context;
    uint64_t state = 0x9e3779b97f4a7c15u;
    for (int i = 0; i < 200000; i++) {
        const struct outlook_facts facts = random_facts(&state);
        const bool refused = outlook_of(&facts).kind == OUTLOOK_REFUSED;
        const struct outlook_repair repair = outlook_repair(&facts, false);
        assert_int_not_equal(repair.after.kind, OUTLOOK_REFUSED);
        for (size_t k = 0; k < facts.input_count; k++) {
            const struct outlook_input *input = &facts.inputs[k];
            assert_true(repair.after.from[k] >= input->first);
            assert_true(repair.after.from[k] <= input->end);
            assert_int_equal(repair.inputs[k].mark.clock_ms, input->mark.clock_ms);
            assert_int_equal(repair.inputs[k].mark.time_ms, input->mark.time_ms);
            assert_true(refused || !repair.inputs[k].commits); /* nothing is moved that starts */
        }
        assert_true(refused || !repair.deletes);
        assert_int_not_equal(outlook_repair(&facts, true).after.kind, OUTLOOK_REFUSED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_from_redis),
                                       cmocka_unit_test(test_from_kafka),
                                       cmocka_unit_test(test_log_made_anew),
                                       cmocka_unit_test(test_endless),
                                       cmocka_unit_test(test_positions),
                                       cmocka_unit_test(test_repairs),
                                       cmocka_unit_test(test_what_is_repaired_starts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
