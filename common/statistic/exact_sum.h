/* exact_sum.h: the exact sum of doubles: the same bits in any order and any grouping (Neal 2015,
 * small superaccumulator).
 *
 * Finite values only (REQUIRE); callers count NaN and infinities apart. A sum beyond the range of
 * double rounds to ±Inf. Owner    embedded; {0} is the empty sum. Memory   one fixed struct of
 * about 600 bytes. Cost     add and add_square a few ns; record, round, equal O(limbs). Exact for
 * up to 2^62 adds (carries are propagated in time).
 */
#ifndef EXACT_SUM_H
#define EXACT_SUM_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { EXACT_SUM_LIMBS = 70 };
struct exact_sum {
    int64_t limbs[EXACT_SUM_LIMBS]; /* limb i counts 2^(32 i - 1074); carries may be outstanding */
    int32_t pending;                /* bounds what a limb may hold: |limb| < (pending + 1) * 2^34 */
};

void exact_sum_add(struct exact_sum *sum, double value);
/* value²: exact but for its bits below 2^-1074, which are cut off (a double could not show them
 * either). For |value| >= 2^512, whose square is no double, 2^1024 is added: the sum rounds to Inf,
 * as it should. A function of the value alone, so order and grouping do not matter here either. */
void exact_sum_add_square(struct exact_sum *sum, double value);
void exact_sum_merge(struct exact_sum *into, const struct exact_sum *from);
double exact_sum_round(const struct exact_sum *sum); /* nearest, ties to even */
bool exact_sum_equal(const struct exact_sum *left, const struct exact_sum *right); /* same value */
/* Canonical: equal sums have equal records. {"first": index of the lowest limb not zero, "limbs":
 * [from there to the highest not zero, all of the sum's sign, |limb| < 2^32]}; {"first": 0,
 * "limbs": []} for zero. */
json_t *exact_sum_record(const struct exact_sum *sum);
/* Only canonical records are taken. false: out_sum is untouched. */
bool exact_sum_read(const json_t *record, struct exact_sum *out_sum);
#endif
