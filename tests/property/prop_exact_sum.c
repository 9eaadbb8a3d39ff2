/* Goal: an exact sum is the same bits whatever the order and the grouping of its adds, and is the
 * true sum. Method: random lists of doubles (any bits, near one another, cancelling, of every size)
 * are added in a random order into a random number of sums, merged in a random order, some through
 * their records; all records must be equal to that of the plain order. Sums and squares of integers
 * are compared with integers. Prints the seed of a failure; PLUMB_SEED=N runs that one alone. */
#include "clock/wall.h"
#include "memory/heap.h"
#include "statistic/exact_sum.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after the system's */
#include <cmocka.h>

enum { ROUND_COUNT = 300, VALUE_COUNT_MAX = 200, PART_COUNT_MAX = 8 };

static uint64_t next_random(uint64_t *random)
{
    uint64_t mixed = *random += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    return mixed ^ mixed >> 31;
}

static double random_value(uint64_t *random, unsigned kind)
{
    double value;
    do {
        const uint64_t bits = next_random(random);
        memcpy(&value, &bits, sizeof value);
    } while (!isfinite(value));
    if (kind == 1)
        return (double)(int32_t)next_random(random) / 1000;
    if (kind == 2)
        return ldexp(1, (int)(next_random(random) % 2098) - 1074);
    return value;
}

/* Exchanges at random (Fisher and Yates). */
static void shuffle(double *values, size_t count, uint64_t *random)
{
    for (size_t i = count; i > 1; i--) {
        const size_t other = next_random(random) % i;
        const double value = values[i - 1];
        values[i - 1] = values[other];
        values[other] = value;
    }
}

typedef void add_fn(struct exact_sum *sum, double value);

/* The record of the sum of values, in a random grouping. */
static json_t *grouped(const double *values, size_t count, add_fn *add, uint64_t *random)
{
    struct exact_sum parts[PART_COUNT_MAX] = {{{0}, 0}};
    const size_t part_count = 1 + next_random(random) % PART_COUNT_MAX;
    for (size_t i = 0; i < count; i++)
        add(&parts[next_random(random) % part_count], values[i]);
    for (size_t left = part_count; left > 1; left--) {
        const size_t from = left - 1, into = next_random(random) % (left - 1);
        if (next_random(random) % 2 == 0) {
            json_t *record = exact_sum_record(&parts[from]);
            assert_true(exact_sum_read(record, &parts[from]));
            json_decref(record);
        }
        exact_sum_merge(&parts[into], &parts[from]);
    }
    return exact_sum_record(&parts[0]);
}

static bool round_holds(uint64_t seed)
{
    uint64_t random = seed;
    double values[VALUE_COUNT_MAX];
    const size_t count = next_random(&random) % VALUE_COUNT_MAX;
    const unsigned kind = (unsigned)(next_random(&random) % 3);
    const bool is_cancelling = next_random(&random) % 3 == 0;
    for (size_t i = 0; i < count; i++)
        values[i] = is_cancelling && i % 2 == 1 ? -values[i - 1] : random_value(&random, kind);
    add_fn *add = next_random(&random) % 3 == 0 ? exact_sum_add_square : exact_sum_add;
    struct exact_sum plain = {0};
    for (size_t i = 0; i < count; i++)
        add(&plain, values[i]);
    json_t *expected = exact_sum_record(&plain);
    bool holds = true;
    for (int i = 0; i < 4 && holds; i++) {
        shuffle(values, count, &random);
        json_t *actual = grouped(values, count, add, &random);
        holds = json_equal(expected, actual) != 0;
        json_decref(actual);
    }
    if (is_cancelling && count % 2 == 0 && add == exact_sum_add)
        holds = holds && json_array_size(json_object_get(expected, "limbs")) == 0;
    json_decref(expected);
    return holds;
}

static uint64_t first_seed(size_t *rounds)
{
    const char *given = getenv("PLUMB_SEED");
    if (given == NULL)
        return (uint64_t)wall_now_ms();
    *rounds = 1;
    return strtoull(given, NULL, 10);
}

static void test_any_order(void **state)
{
    (void)state;
    size_t rounds = ROUND_COUNT;
    const uint64_t seed = first_seed(&rounds);
    for (size_t i = 0; i < rounds; i++) {
        if (!round_holds(seed + i))
            fail_msg("PLUMB_SEED=%llu", (unsigned long long)(seed + i));
    }
}

static void test_integers(void **state)
{
    (void)state;
    size_t rounds = ROUND_COUNT;
    const uint64_t seed = first_seed(&rounds);
    for (size_t i = 0; i < rounds; i++) {
        uint64_t random = seed + i;
        struct exact_sum sum = {0}, squares = {0};
        int64_t truth = 0, truth_squares = 0;
        for (int j = 0; j < 500; j++) {
            const int64_t value = (int64_t)(next_random(&random) % (1 << 21)) - (1 << 20);
            truth += value;
            truth_squares += value * value;
            exact_sum_add(&sum, (double)value);
            exact_sum_add_square(&squares, (double)value);
        }
        if (exact_sum_round(&sum) != (double)truth ||
            exact_sum_round(&squares) != (double)truth_squares)
            fail_msg("PLUMB_SEED=%llu", (unsigned long long)(seed + i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
