/* Goal: what is chosen is what was asked for, and what cannot be meant is refused. Method: options
 * as a command reads them; letters written by hand. */
#include "services/plumb/letter_choice.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct option_row rows[] = {LETTER_CHOICE_ROWS, {.name = NULL}};

static struct option_set *options_of(const char *const *words, size_t count)
{
    const struct option_row *const tables[] = {rows};
    struct option_set *set = option_set_create(tables, 1);
    char *arguments[16];
    for (size_t i = 0; i < count; i++)
        arguments[i] = (char *)(uintptr_t)words[i];
    struct reason reason;
    assert_int_equal(option_set_read(set, (int)count, arguments, &reason), FAULT_NONE);
    return set;
}

static struct letter letter(int32_t partition, int64_t offset, const char *reason,
                            const char *column)
{
    return (struct letter){.place = {partition, offset},
                           .time_ms = offset,
                           .reason = span_text(reason),
                           .column = span_text(column)};
}

static bool fits(const struct letter_choice *choice, int32_t partition, int64_t offset,
                 const char *reason, const char *column)
{
    const struct letter found = letter(partition, offset, reason, column);
    return letter_choice_fits(choice, &found);
}

static void test_filters(void **state)
{
    (void)state;
    static const char *const words[] = {"--reason", "range", "--column=amount", "--since", "10",
                                        "--until",  "20",    "--limit",         "3"};
    struct option_set *options = options_of(words, COUNT_OF(words));
    struct letter_choice choice;
    assert_true(letter_choice_read("test", options, &choice));
    assert_int_equal(choice.limit, 3);
    assert_true(fits(&choice, 0, 10, "range", "amount") && fits(&choice, 9, 19, "range", "amount"));
    assert_false(fits(&choice, 0, 9, "range", "amount") || fits(&choice, 0, 20, "range", "amount"));
    assert_false(fits(&choice, 0, 10, "ranges", "amount") || fits(&choice, 0, 10, "range", "a"));
    assert_false(fits(&choice, 0, 10, NULL, NULL));
    letter_choice_fini(&choice);
    option_set_destroy(options);
}

static void test_places(void **state)
{
    (void)state;
    static const char *const words[] = {"1:5", "0:2000", "0:7", "1:5", "0:8", "0:1008"};
    struct option_set *options = options_of(words, COUNT_OF(words));
    struct letter_choice choice;
    assert_true(letter_choice_places("test", options, &choice));
    assert_int_equal(choice.place_count, 5);
    assert_true(fits(&choice, 0, 7, NULL, NULL) && fits(&choice, 1, 5, "range", NULL));
    assert_false(fits(&choice, 0, 5, NULL, NULL) || fits(&choice, 1, 7, NULL, NULL));
    /* 0:7, 0:8, 0:1008 and 0:2000 lie near enough to be one read; 1:5 is another partition. */
    assert_int_equal(letter_choice_run(&choice, 0), 4);
    assert_int_equal(letter_choice_run(&choice, 4), 1);
    assert_int_equal(letter_choice_run(&choice, 5), 0);
    letter_choice_fini(&choice);
    option_set_destroy(options);
}

static void test_all(void **state)
{
    (void)state;
    struct option_set *options = options_of(NULL, 0);
    struct letter_choice choice;
    assert_true(letter_choice_read("test", options, &choice));
    assert_true(fits(&choice, 0, 0, NULL, NULL) && fits(&choice, 5, INT64_MAX - 1, "x", "y"));
    assert_int_equal(letter_choice_run(&choice, 0), 0);
    letter_choice_fini(&choice);
    option_set_destroy(options);
}

static void test_what_cannot_be_meant(void **state)
{
    (void)state;
    static const char *const words[][2] = {
        {"--reason", "rnge"}, {"--limit", "0"},     {"--limit", "-1"}, {"--since", "noon"},
        {"--until", "x"},     {"1:2", "somewhere"}, {"1:2", "3:"},
    };
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        struct option_set *options = options_of(words[i], 2);
        struct letter_choice choice;
        assert_false(letter_choice_read("test", options, &choice));
        option_set_destroy(options);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_what_cannot_be_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
