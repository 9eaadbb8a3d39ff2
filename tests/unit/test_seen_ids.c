/* Goal: an id is seen for the horizon after its last sighting, to the slice; never are more
 * remembered than the bound allows; what is saved is what is loaded; a replay that is reminded
 * gives the same state; hostile bytes are refused. Method: one module, arrivals by hand; state by
 * its stored chunks, which equal states have in common. */
#include "memory/heap.h"
#include "service/outputs.h"
#include "services/validator/id_table.h"
#include "services/validator/seen_ids.h"

#include "avro/schema.h"
#include "avro/wire.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MINUTE INT64_C(60000)
#define START  (INT64_C(28333333) * MINUTE)

/* ---- fixture ---- */

struct fixture {
    struct seen_ids *seen;
    struct changes *changes;
    int64_t offset;
    size_t forgotten; /* by the last add */
};

static struct seen_ids *create(int64_t horizon_ms, uint64_t ids_max)
{
    return seen_ids_create(&(struct seen_ids_options){horizon_ms, ids_max});
}

static struct fixture fixture_of(int64_t horizon_ms, uint64_t ids_max)
{
    return (struct fixture){.seen = create(horizon_ms, ids_max), .changes = changes_create()};
}

static void fixture_fini(struct fixture *fixture)
{
    seen_ids_destroy(fixture->seen);
    changes_destroy(fixture->changes);
}

static bool add(struct fixture *fixture, const char *id, int64_t arrival_ms)
{
    return seen_ids_add(fixture->seen, span_text(id), arrival_ms, fixture->offset++,
                        &fixture->forgotten);
}

static bool add_number(struct fixture *fixture, size_t number, int64_t arrival_ms)
{
    char id[24];
    (void)snprintf(id, sizeof id, "%zu", number);
    return add(fixture, id, arrival_ms);
}

static size_t save(struct fixture *fixture)
{
    changes_clear(fixture->changes);
    seen_ids_save(fixture->seen, fixture->changes);
    return changes_size(fixture->changes);
}

static const struct change *change_of(const struct fixture *fixture, const char *field)
{
    for (size_t i = 0; i < changes_size(fixture->changes); i++) {
        if (span_is(changes_at(fixture->changes, i)->field, field))
            return changes_at(fixture->changes, i);
    }
    fail_msg("%s was not said", field);
    return NULL;
}

static void assert_needs(const struct fixture *fixture, int64_t needs)
{
    assert_int_equal(seen_ids_needs(fixture->seen), needs);
}

static void assert_word(const struct fixture *fixture, const char *expected)
{
    struct buffer word = {0};
    seen_ids_recall(fixture->seen, &word);
    if (!span_is(buffer_span(&word), expected))
        fail_msg("told is '%.*s', not '%s'", (int)word.size, (const char *)word.bytes, expected);
    buffer_fini(&word);
}

/* ---- the horizon ---- */

static void test_edges_of_slices(void **context)
{
    (void)context;
    /* Sighted at the end of a minute: seen until ten minutes after that minute's end. */
    static const struct {
        int64_t first_ms, again_ms;
        bool seen;
    } cases[] = {
        {0, 0, true},
        {0, 10 * MINUTE, true}, /* the horizon itself */
        {0, 11 * MINUTE - 1, true},
        {0, 11 * MINUTE, false},
        {MINUTE - 1, 11 * MINUTE - 1, true}, /* the horizon itself */
        {MINUTE - 1, 11 * MINUTE, false},    /* one millisecond after it */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture fixture = fixture_of(10 * MINUTE, 100);
        assert_false(add(&fixture, "a", START + cases[i].first_ms));
        assert_int_equal(add(&fixture, "a", START + cases[i].again_ms), cases[i].seen);
        fixture_fini(&fixture);
    }
}

static void test_other_horizons(void **context)
{
    (void)context;
    static const int64_t horizons_ms[] = {1,     2,     9,       10,       11,           15,
                                          60000, 60001, 3600000, 86400000, INT64_MAX / 2};
    for (size_t i = 0; i < COUNT_OF(horizons_ms); i++) {
        const int64_t horizon_ms = horizons_ms[i], slice_ms = (horizon_ms + 9) / 10;
        for (int64_t early = 0; early < 3; early++) {
            struct fixture fixture = fixture_of(horizon_ms, 100);
            const int64_t begin_ms = early * slice_ms / 2;
            assert_false(add(&fixture, "a", begin_ms));
            assert_true(add(&fixture, "a", begin_ms + horizon_ms));
            assert_false(add(&fixture, "b", begin_ms + horizon_ms));
            if (horizon_ms < INT64_MAX / 8)
                assert_false(add(&fixture, "b", begin_ms + 2 * horizon_ms + 2 * slice_ms));
            fixture_fini(&fixture);
        }
    }
}

/* Each sighting counts: the state is what came in the last slices. */
static void test_a_sighting_refreshes(void **context)
{
    (void)context;
    struct fixture fixture = fixture_of(10 * MINUTE, 100);
    assert_false(add(&fixture, "a", START));
    assert_true(add(&fixture, "a", START + 9 * MINUTE));
    assert_true(add(&fixture, "a", START + 19 * MINUTE));
    assert_needs(&fixture, 1);
    assert_int_equal(seen_ids_count(fixture.seen), 2);
    assert_false(add(&fixture, "a", START + 30 * MINUTE));
    assert_needs(&fixture, 3);
    fixture_fini(&fixture);
}

static void test_time_forgets(void **context)
{
    (void)context;
    struct fixture fixture = fixture_of(10 * MINUTE, 100);
    assert_needs(&fixture, INT64_MAX);
    assert_word(&fixture, "");
    assert_false(add(&fixture, "a", START));
    assert_false(add(&fixture, "b", START + MINUTE));
    assert_word(&fixture, "60000:28333333@0,1@1");
    seen_ids_advance(fixture.seen, START + 11 * MINUTE);
    assert_needs(&fixture, 1);
    assert_true(add(&fixture, "b", START)); /* it arrives at the time known: not before */
    assert_word(&fixture, "60000:28333334@1,10@1");
    seen_ids_advance(fixture.seen, START + 1000 * MINUTE);
    assert_needs(&fixture, INT64_MAX);
    assert_int_equal(seen_ids_count(fixture.seen), 0);
    fixture_fini(&fixture);
}

/* An entry's tag is one of 255: no id may be taken for seen because the tag of its slice came
 * again.
 */
static void test_tags_come_again(void **context)
{
    (void)context;
    struct fixture fixture = fixture_of(10 * MINUTE, 100);
    for (size_t i = 0; i < 3000; i++) {
        assert_false(add_number(&fixture, i, START + (int64_t)i * MINUTE));
        if (i >= 255)
            assert_false(add_number(&fixture, i - 255, START + (int64_t)i * MINUTE));
    }
    fixture_fini(&fixture);
}

/* ---- the bound ---- */

static void test_bound_forgets_the_oldest(void **context)
{
    (void)context;
    struct fixture fixture = fixture_of(10 * MINUTE, 3);
    assert_false(add(&fixture, "a", START));
    assert_false(add(&fixture, "b", START + MINUTE));
    assert_false(add(&fixture, "c", START + 2 * MINUTE));
    assert_true(
        add(&fixture, "c", START + 2 * MINUTE)); /* once a slice: nothing to make room for */
    assert_int_equal(fixture.forgotten, 0);
    assert_false(add(&fixture, "d", START + 2 * MINUTE));
    assert_int_equal(fixture.forgotten, 1);
    assert_int_equal(seen_ids_count(fixture.seen), 3);
    assert_needs(&fixture, 1);
    assert_true(
        add(&fixture, "b", START + 2 * MINUTE)); /* it was seen; to remember it, it is forgotten */
    assert_int_equal(fixture.forgotten, 1);
    assert_false(add(&fixture, "a", START + 2 * MINUTE));
    assert_int_equal(fixture.forgotten, 1); /* all that the only slice has */
    assert_int_equal(seen_ids_count(fixture.seen), 1);
    assert_needs(&fixture, 6);
    assert_word(&fixture, "60000:28333335@6");
    assert_true(add(&fixture, "a", START + 2 * MINUTE));
    assert_false(add(&fixture, "c", START + 2 * MINUTE));
    fixture_fini(&fixture);
}

static void test_bound_holds(void **context)
{
    (void)context;
    struct fixture fixture = fixture_of(10 * MINUTE, 500);
    for (size_t i = 0; i < 20000; i++) {
        assert_false(add_number(&fixture, i, START + (int64_t)i * 97));
        assert_true(seen_ids_count(fixture.seen) <= 500);
        assert_true(add_number(&fixture, i, START + (int64_t)i * 97));
    }
    fixture_fini(&fixture);
}

/* ---- storage ---- */

static void test_chunks(void **context)
{
    (void)context;
    struct fixture fixture = fixture_of(10 * MINUTE, 10000);
    assert_int_equal(save(&fixture), 0);
    for (size_t i = 0; i < 1500; i++)
        assert_false(add_number(&fixture, i, START));
    assert_int_equal(save(&fixture), 2);
    assert_true(change_of(&fixture, "ids.1699999980000.0")->bytes.size > 1024 * ID_HASH_SIZE);
    assert_int_equal(save(&fixture), 0);
    assert_true(add_number(&fixture, 7, START));
    assert_int_equal(save(&fixture), 0); /* once a slice */
    for (size_t i = 1500; i < 2048; i++)
        assert_false(add_number(&fixture, i, START));
    assert_int_equal(save(&fixture), 1); /* a full chunk is not written again */
    (void)change_of(&fixture, "ids.1699999980000.1");
    assert_false(add_number(&fixture, 3000, START));
    assert_true(add_number(&fixture, 3, START + MINUTE));
    assert_int_equal(save(&fixture), 2);
    (void)change_of(&fixture, "ids.1699999980000.2");
    (void)change_of(&fixture, "ids.1700000040000.0");
    seen_ids_advance(fixture.seen, START + 11 * MINUTE);
    assert_int_equal(save(&fixture), 3);
    for (int i = 0; i < 3; i++) {
        char field[40];
        (void)snprintf(field, sizeof field, "ids.1699999980000.%d", i);
        assert_null(change_of(&fixture, field)->bytes.bytes);
    }
    assert_int_equal(save(&fixture), 0);
    fixture_fini(&fixture);
}

/* What was forgotten before it was ever stored is not removed; what comes in its place is kept. */
static void test_chunks_of_a_slice_begun_anew(void **context)
{
    (void)context;
    struct fixture fixture = fixture_of(10 * MINUTE, 1500);
    for (size_t i = 0; i < 1500; i++)
        assert_false(add_number(&fixture, i, START));
    assert_int_equal(save(&fixture), 2);
    for (size_t i = 1500; i < 3100; i++) /* forgets twice */
        assert_false(add_number(&fixture, i, START));
    assert_int_equal(save(&fixture), 2);
    assert_non_null(change_of(&fixture, "ids.1699999980000.0")->bytes.bytes);
    assert_null(change_of(&fixture, "ids.1699999980000.1")->bytes.bytes);
    fixture_fini(&fixture);
}

/* From the last save, which must be of all. */
static struct fixture loaded(const struct fixture *fixture, int64_t horizon_ms, bool backwards)
{
    struct fixture other = fixture_of(horizon_ms, 10000);
    const size_t count = changes_size(fixture->changes);
    for (size_t i = 0; i < count; i++) {
        const struct change *change = changes_at(fixture->changes, backwards ? count - 1 - i : i);
        assert_int_equal(seen_ids_load(other.seen, change->field, change->bytes), FAULT_NONE);
    }
    other.offset = fixture->offset;
    return other;
}

static void test_load_in_any_order(void **context)
{
    (void)context;
    for (int backwards = 0; backwards < 2; backwards++) {
        struct fixture fixture = fixture_of(10 * MINUTE, 10000);
        for (size_t i = 0; i < 2500; i++)
            (void)add_number(&fixture, i % 2000, START + (int64_t)i * 200);
        assert_true(save(&fixture) > 8);
        struct fixture other = loaded(&fixture, 10 * MINUTE, backwards);
        assert_int_equal(save(&other), 0);
        assert_int_equal(seen_ids_count(other.seen), seen_ids_count(fixture.seen));
        for (size_t i = 2500; i < 9000; i++) {
            const int64_t arrival_ms = START + (int64_t)i * 200;
            assert_int_equal(add_number(&fixture, i * 7 % 5000, arrival_ms),
                             add_number(&other, i * 7 % 5000, arrival_ms));
        }
        const size_t count = save(&fixture);
        assert_int_equal(save(&other), count);
        for (size_t i = 0; i < count; i++) {
            const struct change *left = changes_at(fixture.changes, i);
            const struct change *right = changes_at(other.changes, i);
            assert_true(span_equal(left->field, right->field));
            assert_true(span_equal(left->bytes, right->bytes));
        }
        fixture_fini(&fixture);
        fixture_fini(&other);
    }
}

static void test_another_horizon_is_a_conflict(void **context)
{
    (void)context;
    struct fixture fixture = fixture_of(10 * MINUTE, 100), other = fixture_of(20 * MINUTE, 100);
    assert_false(add(&fixture, "a", START));
    assert_int_equal(save(&fixture), 1);
    const struct change *change = changes_at(fixture.changes, 0);
    assert_int_equal(seen_ids_load(other.seen, change->field, change->bytes), FAULT_STATE_CONFLICT);
    assert_int_equal(seen_ids_count(other.seen), 0);
    fixture_fini(&fixture);
    fixture_fini(&other);
}

/* ---- hostile bytes ---- */

struct blob {
    const char *field;
    int64_t width_ms, start_ms, first;
    size_t ids, less; /* the last id lacks so many bytes */
    bool same_id, has_more, other_schema;
};

static enum fault load_blob(struct seen_ids *seen, const struct blob *blob)
{
    struct buffer bytes = {0}, ids = {0};
    for (size_t i = 0; i < blob->ids; i++) {
        uint8_t id[ID_HASH_SIZE] = {0};
        id[0] = blob->same_id ? 1 : (uint8_t)i;
        id[1] = blob->same_id ? 0 : (uint8_t)(i >> 8);
        buffer_append(&ids, id, sizeof id);
    }
    wire_write_frame(&bytes, schema_fingerprint(schema_embedded(
                                 blob->other_schema ? "state.window" : "state.seen-ids")));
    wire_write_long(&bytes, blob->width_ms);
    wire_write_long(&bytes, blob->start_ms);
    wire_write_long(&bytes, blob->first);
    wire_write_bytes(&bytes, span_of(ids.bytes, ids.size - blob->less));
    if (blob->has_more)
        buffer_append_byte(&bytes, 0);
    uint8_t *exact = heap_copied(bytes.bytes, bytes.size); /* ends where ASan watches */
    const enum fault fault =
        seen_ids_load(seen, span_text(blob->field), span_of(exact, bytes.size));
    heap_release(exact);
    buffer_fini(&bytes);
    buffer_fini(&ids);
    return fault;
}

static void test_hostile_chunks(void **context)
{
    (void)context;
    static const struct blob blobs[] = {
        {.field = "ids.60000.0", .width_ms = MINUTE, .start_ms = MINUTE}, /* no ids */
        {.field = "ids.60000.0", .width_ms = MINUTE, .start_ms = MINUTE, .ids = 1025},
        {.field = "ids.60000.0", .width_ms = MINUTE, .start_ms = MINUTE, .ids = 2, .less = 1},
        {.field = "ids.60000.0", .width_ms = MINUTE, .start_ms = MINUTE, .ids = 2, .same_id = true},
        {.field = "ids.60000.0",
         .width_ms = MINUTE,
         .start_ms = MINUTE,
         .ids = 2,
         .has_more = true},
        {.field = "ids.60000.0", .width_ms = MINUTE, .start_ms = MINUTE, .ids = 2, .first = -1},
        {.field = "ids.60000.0",
         .width_ms = MINUTE,
         .start_ms = MINUTE,
         .ids = 2,
         .other_schema = true},
        {.field = "ids.60000.0", .width_ms = MINUTE, .start_ms = 2 * MINUTE, .ids = 2},
        {.field = "ids.60001.0", .width_ms = MINUTE, .start_ms = MINUTE + 1, .ids = 2},
        {.field = "ids.60000.0", .width_ms = 0, .start_ms = MINUTE, .ids = 2},
        {.field = "ids.60000.0", .width_ms = -MINUTE, .start_ms = MINUTE, .ids = 2},
        {.field = "ids.-60000.0", .width_ms = MINUTE, .start_ms = -MINUTE, .ids = 2},
        {.field = "ids.060000.0", .width_ms = MINUTE, .start_ms = MINUTE, .ids = 2},
        {.field = "ids.60000.00", .width_ms = MINUTE, .start_ms = MINUTE, .ids = 2},
        {.field = "ids.60000.-1", .width_ms = MINUTE, .start_ms = MINUTE, .ids = 2},
        {.field = "ids.60000.0.", .width_ms = MINUTE, .start_ms = MINUTE, .ids = 2},
        {.field = "ids.60000.0.0", .width_ms = MINUTE, .start_ms = MINUTE, .ids = 2},
        {.field = "ids.60000.", .width_ms = MINUTE, .start_ms = MINUTE, .ids = 2},
        {.field = "ids.60000", .width_ms = MINUTE, .start_ms = MINUTE, .ids = 2},
        {.field = "ids.60000.99999999999999999999",
         .width_ms = MINUTE,
         .start_ms = MINUTE,
         .ids = 2},
        {.field = "ids.", .width_ms = MINUTE, .start_ms = MINUTE, .ids = 2},
    };
    for (size_t i = 0; i < COUNT_OF(blobs); i++) {
        struct fixture fixture = fixture_of(10 * MINUTE, 10000);
        if (load_blob(fixture.seen, &blobs[i]) != FAULT_STATE_MALFORMED)
            fail_msg("blob %zu was taken", i);
        fixture_fini(&fixture);
    }
    struct fixture fixture = fixture_of(10 * MINUTE, 10000);
    struct blob blob = {.field = "ids.60000.0", .width_ms = MINUTE, .start_ms = MINUTE, .ids = 3};
    assert_int_equal(load_blob(fixture.seen, &blob), FAULT_NONE);
    blob.field = "ids.60000.1"; /* two that are not full; the ids of one slice twice */
    assert_int_equal(load_blob(fixture.seen, &blob), FAULT_STATE_MALFORMED);
    blob = (struct blob){
        .field = "ids.60000.1", .width_ms = MINUTE, .start_ms = MINUTE, .first = 9, .ids = 1024};
    assert_int_equal(load_blob(fixture.seen, &blob), FAULT_STATE_MALFORMED); /* another first */
    fixture_fini(&fixture);
}

/* Slices that no horizon holds together. */
static void test_too_many_slices(void **context)
{
    (void)context;
    struct fixture fixture = fixture_of(10 * MINUTE, 10000);
    struct blob blob = {
        .field = "ids.1200000.0", .width_ms = MINUTE, .start_ms = 20 * MINUTE, .ids = 1};
    assert_int_equal(load_blob(fixture.seen, &blob), FAULT_NONE);
    blob = (struct blob){
        .field = "ids.540000.0", .width_ms = MINUTE, .start_ms = 9 * MINUTE, .ids = 1};
    assert_int_equal(load_blob(fixture.seen, &blob), FAULT_STATE_MALFORMED);
    blob = (struct blob){
        .field = "ids.1860000.0", .width_ms = MINUTE, .start_ms = 31 * MINUTE, .ids = 1};
    assert_int_equal(load_blob(fixture.seen, &blob), FAULT_STATE_MALFORMED);
    blob = (struct blob){
        .field = "ids.600000.0", .width_ms = MINUTE, .start_ms = 10 * MINUTE, .ids = 1};
    assert_int_equal(load_blob(fixture.seen, &blob), FAULT_NONE);
    blob = (struct blob){
        .field = "ids.1260000.0", .width_ms = MINUTE, .start_ms = 21 * MINUTE, .ids = 1};
    assert_int_equal(load_blob(fixture.seen, &blob), FAULT_STATE_MALFORMED);
    fixture_fini(&fixture);
}

static void test_cut_chunks(void **context)
{
    (void)context;
    struct fixture fixture = fixture_of(10 * MINUTE, 100);
    for (size_t i = 0; i < 5; i++)
        (void)add_number(&fixture, i, START);
    assert_int_equal(save(&fixture), 1);
    const struct change *change = changes_at(fixture.changes, 0);
    for (size_t size = 0; size < change->bytes.size; size++) {
        struct seen_ids *seen = create(10 * MINUTE, 100);
        uint8_t *cut = heap_copied(change->bytes.bytes, size + (size == 0));
        assert_int_equal(seen_ids_load(seen, change->field, span_of(cut, size)),
                         FAULT_STATE_MALFORMED);
        heap_release(cut);
        seen_ids_destroy(seen);
    }
    fixture_fini(&fixture);
}

/* ---- replay ---- */

/* Arrivals are not told again; the word says where each slice began. */
static void test_reminded_replay(void **context)
{
    (void)context;
    struct fixture fixture = fixture_of(10 * MINUTE, 100);
    static const struct {
        const char *id;
        int64_t minute;
    } log[] = {{"old", 0}, {"a", 5}, {"b", 5}, {"a", 8}, {"c", 14}, {"b", 15}};
    for (size_t i = 0; i < COUNT_OF(log); i++)
        (void)add(&fixture, log[i].id, START + log[i].minute * MINUTE);
    assert_needs(&fixture, 1);
    assert_word(&fixture, "60000:28333338@1,3@2,6@1,1@1");
    assert_true(save(&fixture) > 0);
    struct fixture other = fixture_of(10 * MINUTE, 100);
    seen_ids_remind(other.seen, span_text("60000:28333338@1,3@2,6@1,1@1"), 6);
    for (other.offset = 0; other.offset < 6;)
        (void)add(&other, log[other.offset].id, 0);
    assert_word(&other, "60000:28333338@1,3@2,6@1,1@1");
    assert_int_equal(save(&other), changes_size(fixture.changes));
    for (size_t i = 0; i < changes_size(other.changes); i++)
        assert_true(
            span_equal(changes_at(other.changes, i)->bytes, changes_at(fixture.changes, i)->bytes));
    assert_false(add(&other, "old", START + 15 * MINUTE));
    assert_true(add(&other, "a", START + 18 * MINUTE)); /* from here on arrivals are told */
    fixture_fini(&fixture);
    fixture_fini(&other);
}

static void test_reminder_of_another_horizon(void **context)
{
    (void)context;
    struct fixture fixture = fixture_of(20 * MINUTE, 100);
    /* Minutes 3 to 6 of two-minute slices: what began in a slice is as old as its youngest part. */
    seen_ids_remind(fixture.seen, span_text("60000:3@10,1@5,1@5,1@5"), 30);
    for (fixture.offset = 8; fixture.offset < 30;)
        (void)add_number(&fixture, (size_t)fixture.offset, 0);
    assert_word(&fixture, "120000:1@10,1@5,1@10");
    fixture_fini(&fixture);
}

static void test_hostile_words(void **context)
{
    (void)context;
    static const char *const words[] = {
        "",
        ":",
        "60000",
        "60000:",
        "60000:1",
        "60000:1@",
        "60000:@1",
        "60000:1@2,",
        "60000:1@2,3",
        "60000:-1@2",
        "0:1@2",
        "60000:1@2;3@4",
        "x",
        "60000:9223372036854775807@1",
        "60000:1@9223372036854775807,1@9223372036854775807",
        "9223372036854775807:2@1",
        "60000:99999999999999999999@1",
        "60000:1@1,1@1,1@1,1@1,1@1,1@1,1@1,1@1,1@1,1@1,1@1,1@1,1@1,1@1,1@1,1@1,1@1,1@1,1@1"};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        struct fixture fixture = fixture_of(10 * MINUTE, 100);
        seen_ids_remind(fixture.seen, span_text(words[i]), 5);
        for (size_t k = 0; k < 5; k++)
            (void)add_number(&fixture, k, 0);
        assert_false(add(&fixture, "live", START)); /* what is live counts, whatever was told */
        assert_true(add(&fixture, "live", START));
        fixture_fini(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges_of_slices),
        cmocka_unit_test(test_other_horizons),
        cmocka_unit_test(test_a_sighting_refreshes),
        cmocka_unit_test(test_time_forgets),
        cmocka_unit_test(test_tags_come_again),
        cmocka_unit_test(test_bound_forgets_the_oldest),
        cmocka_unit_test(test_bound_holds),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_chunks_of_a_slice_begun_anew),
        cmocka_unit_test(test_load_in_any_order),
        cmocka_unit_test(test_another_horizon_is_a_conflict),
        cmocka_unit_test(test_hostile_chunks),
        cmocka_unit_test(test_too_many_slices),
        cmocka_unit_test(test_cut_chunks),
        cmocka_unit_test(test_reminded_replay),
        cmocka_unit_test(test_reminder_of_another_horizon),
        cmocka_unit_test(test_hostile_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
