/* Goal: events, panes and measurements are held against each other as the ledger promises, each
 * difference with its place. Method: made-up records around one pane of an hour. */
#include "services/plumb/balance.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { HOUR = 3600000, CLOSES = HOUR + 30000 };
static struct differences differences;

static struct pane_key key_of(int64_t hour, enum pane_part part, int32_t revision)
{
    return (struct pane_key){.model = span_text("fraud"),
                             .version = span_text("1"),
                             .part = part,
                             .revision = revision,
                             .start_ms = hour * HOUR,
                             .end_ms = (hour + 1) * HOUR};
}

static struct balance *opened(int64_t source_first, int64_t panes_first)
{
    struct balance *balance = balance_create(&differences);
    balance_open_source(balance, 0, source_first);
    balance_open_source(balance, 1, source_first);
    balance_open_panes(balance, 0, panes_first);
    return balance;
}

static void events(struct balance *balance, struct pane_key key, int32_t partition, int count)
{
    for (int i = 0; i < count; i++)
        balance_event(balance, &key, key.start_ms + CLOSES, partition, true);
}

static void pane(struct balance *balance, struct pane_key key, int32_t partition, uint64_t rows)
{
    const struct pane_offsets source = {.partition = partition, .first = 10, .last = 99};
    balance_pane(balance, &key, &source, rows, (struct place){TOPIC_WINDOW_PANES, 0, 5});
}

static void measure(struct balance *balance, const char *id, int32_t revision, uint64_t rows)
{
    const struct pane_key window = key_of(0, PART_ON_TIME, 0);
    balance_measurement(balance, id, revision, &window, rows,
                        (struct place){TOPIC_MEASUREMENTS, 0, 6});
}

static struct balance_row settled(struct balance *balance)
{
    balance_settle(balance);
    assert_int_equal(balance_rows(balance), 1);
    return balance_row(balance, 0);
}

static void close_all(struct balance *balance)
{
    balance_destroy(balance);
    difference_fini(&differences);
}

static void expect(size_t index, const char *kind, const char *what)
{
    assert_true(index < differences.count);
    assert_string_equal(differences.list[index].kind, kind);
    assert_string_equal(differences.list[index].what, what);
}

static void test_balanced(void **context)
{
    (void)context;
    struct balance *balance = opened(0, 0);
    events(balance, key_of(0, PART_ON_TIME, 1), 0, 3);
    events(balance, key_of(0, PART_ON_TIME, 1), 1, 4);
    events(balance, key_of(0, PART_LATE, 1), 1, 2);
    events(balance, key_of(1, PART_ON_TIME, 1), 0, 5); /* still open */
    pane(balance, key_of(0, PART_ON_TIME, 1), 0, 3);
    pane(balance, key_of(0, PART_ON_TIME, 1), 1, 4);
    pane(balance, key_of(0, PART_LATE, 1), 1, 2);
    balance_clock(balance, 0, HOUR + CLOSES); /* not past it */
    balance_uncounted(balance, span_text("fraud"), BALANCE_FUTURE);
    balance_uncounted(balance, span_text("fraud"), BALANCE_REJECTED);
    measure(balance, "a", 0, 7);
    measure(balance, "b", 0, 7);
    measure(balance, "a", 1, 9);
    const struct balance_row row = settled(balance);
    assert_string_equal(row.model, "fraud");
    assert_int_equal(row.counts[BALANCE_ON_TIME], 7);
    assert_int_equal(row.counts[BALANCE_LATE], 2);
    assert_int_equal(row.counts[BALANCE_OPEN], 5);
    assert_int_equal(row.counts[BALANCE_FUTURE] + row.counts[BALANCE_REJECTED], 2);
    assert_int_equal(row.counts[BALANCE_LOST] + row.counts[BALANCE_DOUBLED], 0);
    assert_int_equal(differences.all, 0);
    close_all(balance);
}

static void test_rows_that_are_lost(void **context)
{
    (void)context;
    struct balance *balance = opened(0, 0);
    events(balance, key_of(0, PART_ON_TIME, 1), 0, 3);
    pane(balance, key_of(0, PART_ON_TIME, 1), 0, 2);
    events(balance, key_of(1, PART_ON_TIME, 1), 0, 1); /* closed, and never published */
    balance_clock(balance, 0, HOUR + CLOSES + 1);
    const struct balance_row row = settled(balance);
    assert_int_equal(row.counts[BALANCE_LOST], 2);
    assert_int_equal(row.counts[BALANCE_ON_TIME], 2);
    assert_int_equal(differences.all, 2);
    assert_string_equal(differences.list[0].kind, "lost");
    assert_string_equal(differences.list[1].kind, "lost");
    close_all(balance);
}

static void test_rows_from_nowhere(void **context)
{
    (void)context;
    struct balance *balance = opened(0, 0);
    events(balance, key_of(0, PART_ON_TIME, 1), 0, 1);
    pane(balance, key_of(0, PART_ON_TIME, 1), 0, 3);
    (void)settled(balance);
    assert_int_equal(differences.all, 1);
    expect(0, "unsourced", "3 rows in the pane, 1 validated events");
    close_all(balance);
    balance = opened(11, 0); /* the first of them has been eaten since */
    events(balance, key_of(0, PART_ON_TIME, 1), 0, 1);
    pane(balance, key_of(0, PART_ON_TIME, 1), 0, 3);
    assert_int_equal(settled(balance).counts[BALANCE_ON_TIME], 1);
    assert_int_equal(differences.all, 0);
    close_all(balance);
}

static void test_a_pane_twice(void **context)
{
    (void)context;
    struct balance *balance = opened(0, 0);
    events(balance, key_of(0, PART_ON_TIME, 1), 0, 3);
    pane(balance, key_of(0, PART_ON_TIME, 1), 0, 3);
    pane(balance, key_of(0, PART_ON_TIME, 1), 1, 0); /* another partition's: its own */
    pane(balance, key_of(0, PART_ON_TIME, 1), 0, 3);
    measure(balance, "a", 0, 3);
    const struct balance_row row = settled(balance);
    assert_int_equal(row.counts[BALANCE_DOUBLED], 3);
    assert_int_equal(row.counts[BALANCE_ON_TIME], 3);
    assert_int_equal(differences.all, 1);
    expect(0, "doubled_pane", "published again at window.panes:0 offset 5, with 3 rows");
    close_all(balance);
}

static void test_a_doubled_event_must_be_in_its_pane(void **context)
{
    (void)context;
    struct balance *balance = opened(0, 0);
    const struct pane_key key = key_of(0, PART_ON_TIME, 1);
    events(balance, key, 0, 1);
    balance_event(balance, &key, CLOSES, 0, false);
    pane(balance, key, 0, 2);
    assert_int_equal(settled(balance).counts[BALANCE_ON_TIME], 1);
    assert_int_equal(differences.all, 0);
    close_all(balance);
}

static void test_eaten_panes(void **context)
{
    (void)context;
    struct balance *balance = opened(0, 3);
    events(balance, key_of(0, PART_ON_TIME, 1), 0, 2); /* before the first pane that is left */
    events(balance, key_of(2, PART_ON_TIME, 1), 0, 1); /* behind it */
    pane(balance, key_of(1, PART_ON_TIME, 1), 0, 0);
    balance_clock(balance, 0, 9 * (int64_t)HOUR);
    measure(balance, "a", 0, 2);
    const struct balance_row row = settled(balance);
    assert_int_equal(row.counts[BALANCE_OUT_OF_REACH], 2);
    assert_int_equal(row.counts[BALANCE_LOST], 1);
    assert_int_equal(differences.all, 1);
    close_all(balance);
}

static void test_measurements(void **context)
{
    (void)context;
    struct balance *balance = opened(0, 0);
    events(balance, key_of(0, PART_ON_TIME, 1), 0, 3);
    pane(balance, key_of(0, PART_ON_TIME, 1), 0, 3);
    measure(balance, "a", 0, 4);
    measure(balance, "b", 0, 5);
    measure(balance, "a", 0, 4);
    (void)settled(balance);
    assert_int_equal(differences.all, 3);
    expect(0, "window", "n_current is 5, and 4 in another measurement of its window");
    expect(1, "doubled_measurement", "a revision 0 is there twice");
    expect(2, "window", "n_current is 4, and the panes of its window have 3 rows on time");
    close_all(balance);
    balance = opened(0, 0); /* an older revision's panes count only if their cells are the same */
    events(balance, key_of(0, PART_ON_TIME, 1), 0, 3);
    events(balance, key_of(0, PART_ON_TIME, 2), 0, 4);
    pane(balance, key_of(0, PART_ON_TIME, 1), 0, 3);
    pane(balance, key_of(0, PART_ON_TIME, 2), 0, 4);
    measure(balance, "a", 0, 4);
    (void)settled(balance);
    assert_int_equal(differences.all, 0);
    close_all(balance);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_balanced),
                                       cmocka_unit_test(test_rows_that_are_lost),
                                       cmocka_unit_test(test_rows_from_nowhere),
                                       cmocka_unit_test(test_a_pane_twice),
                                       cmocka_unit_test(test_a_doubled_event_must_be_in_its_pane),
                                       cmocka_unit_test(test_eaten_panes),
                                       cmocka_unit_test(test_measurements)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
