#include "statistic/exact_sum.h"
#include "check/check.h"

#include <math.h>

/* A limb is a base-2^32 digit in 64 bits. One add changes a limb by less than 2^34, so 2^28 adds
 * fit before carries must move on. */
enum { LIMB_BITS = 32, PENDING_MAX = 1 << 28, LOWEST_EXPONENT = -1074 };
static const int64_t LIMB_MASK = 0xffffffff;
__extension__ typedef unsigned __int128 wide;

/* |value| = fraction * 2^(position - 1074); fraction < 2^53, position 0 to 2045. */
struct parts {
    uint64_t fraction;
    uint32_t position;
    bool is_negative;
};

static struct parts parts_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t exponent = (uint32_t)(bits >> 52) & 0x7ff;
    REQUIRE(exponent != 0x7ff);
    const uint64_t hidden = (uint64_t)(exponent != 0) << 52;
    return (struct parts){.fraction = (bits & 0xfffffffffffff) | hidden,
                          .position = exponent - (exponent != 0),
                          .is_negative = bits >> 63 != 0};
}

/* Leaves every limb but the top one in [0, 2^32); the top one carries the sign. >> of a negative
 * number rounds down with the compilers we use. */
static void propagate(struct exact_sum *sum)
{
    int64_t carry = 0;
    for (size_t i = 0; i + 1 < EXACT_SUM_LIMBS; i++) {
        const int64_t limb = sum->limbs[i] + carry;
        sum->limbs[i] = limb & LIMB_MASK;
        carry = limb >> LIMB_BITS;
    }
    sum->limbs[EXACT_SUM_LIMBS - 1] += carry;
    sum->pending = 1;
}

static void added(struct exact_sum *sum)
{
    if (++sum->pending >= PENDING_MAX)
        propagate(sum);
}

void exact_sum_add(struct exact_sum *sum, double value)
{
    const struct parts parts = parts_of(value);
    const uint32_t shift = parts.position % LIMB_BITS;
    const uint64_t low = (parts.fraction & 0xffffffff) << shift;
    const uint64_t high = (parts.fraction >> LIMB_BITS) << shift;
    /* Without a branch on the sign: (x ^ -1) + 1 is -x. */
    const int64_t flip = -(int64_t)parts.is_negative;
    int64_t *limbs = &sum->limbs[parts.position / LIMB_BITS];
    limbs[0] += ((int64_t)(low & 0xffffffff) ^ flip) - flip;
    limbs[1] += ((int64_t)((low >> LIMB_BITS) + (high & 0xffffffff)) ^ flip) - flip;
    limbs[2] += ((int64_t)(high >> LIMB_BITS) ^ flip) - flip;
    added(sum);
}

void exact_sum_add_square(struct exact_sum *sum, double value)
{
    const struct parts parts = parts_of(value);
    wide product = (wide)parts.fraction * parts.fraction; /* < 2^106 */
    int32_t position = 2 * (int32_t)parts.position + LOWEST_EXPONENT;
    if (fabs(value) >= 0x1p512) {
        product = 1;
        position = 1024 - LOWEST_EXPONENT;
    } else if (position < 0) {
        product = position > -128 ? product >> -position : 0;
        position = 0;
    }
    const uint32_t shift = (uint32_t)position % LIMB_BITS;
    const wide low = product << shift;
    int64_t *limbs = &sum->limbs[(uint32_t)position / LIMB_BITS];
    limbs[0] += (int64_t)low & LIMB_MASK;
    limbs[1] += (int64_t)(low >> 32) & LIMB_MASK;
    limbs[2] += (int64_t)(low >> 64) & LIMB_MASK;
    limbs[3] += (int64_t)(low >> 96);
    limbs[4] += (int64_t)((product >> 96) >> (LIMB_BITS - shift)); /* what low has lost */
    added(sum);
}

void exact_sum_merge(struct exact_sum *into, const struct exact_sum *from)
{
    REQUIRE(into != from);
    if (from->pending == 0)
        return;
    struct exact_sum carried;
    if (into->pending + from->pending + 1 >= PENDING_MAX) {
        carried = *from;
        propagate(&carried);
        propagate(into);
        from = &carried;
    }
    for (size_t i = 0; i < EXACT_SUM_LIMBS; i++)
        into->limbs[i] += from->limbs[i];
    into->pending += from->pending + 1;
}

/* The sum's magnitude as digits in [0, 2^32); true where the sum is negative. */
static bool magnitude(const struct exact_sum *sum, struct exact_sum *out_digits)
{
    *out_digits = *sum;
    propagate(out_digits);
    if (out_digits->limbs[EXACT_SUM_LIMBS - 1] >= 0)
        return false;
    for (size_t i = 0; i < EXACT_SUM_LIMBS; i++)
        out_digits->limbs[i] = -out_digits->limbs[i];
    propagate(out_digits);
    return true;
}

/* Index of the highest limb not zero, -1 for zero. */
static int32_t highest(const struct exact_sum *digits)
{
    int32_t index = EXACT_SUM_LIMBS - 1;
    while (index >= 0 && digits->limbs[index] == 0)
        index--;
    return index;
}

static uint64_t bit(const struct exact_sum *digits, int32_t position)
{
    return ((uint64_t)digits->limbs[position / LIMB_BITS] >> (position % LIMB_BITS)) & 1;
}

double exact_sum_round(const struct exact_sum *sum)
{
    struct exact_sum digits;
    const bool is_negative = magnitude(sum, &digits);
    const int32_t top = highest(&digits);
    if (top < 0)
        return 0.0;
    int32_t length = top * LIMB_BITS + 64; /* bits, counted from 2^-1074 */
    while (((uint64_t)digits.limbs[top] >> (length - 1 - top * LIMB_BITS)) == 0)
        length--;
    /* The 53 highest bits, then half a unit and what lies below it decide. */
    const int32_t lowest = length > 53 ? length - 53 : 0;
    uint64_t fraction = 0;
    for (int32_t i = length - 1; i >= lowest; i--)
        fraction = fraction << 1 |
                   (i / LIMB_BITS >= top ? (uint64_t)digits.limbs[top] >> (i - top * LIMB_BITS) & 1
                                         : bit(&digits, i));
    if (lowest > 0 && bit(&digits, lowest - 1) != 0) {
        bool is_above_half = false;
        for (int32_t i = 0; i < lowest - 1 && !is_above_half; i++)
            is_above_half = bit(&digits, i) != 0;
        if (is_above_half || (fraction & 1) != 0)
            fraction++;
    }
    const double rounded = ldexp((double)fraction, lowest + LOWEST_EXPONENT);
    return is_negative ? -rounded : rounded;
}

bool exact_sum_equal(const struct exact_sum *left, const struct exact_sum *right)
{
    struct exact_sum one = *left, other = *right;
    propagate(&one);
    propagate(&other);
    return memcmp(one.limbs, other.limbs, sizeof one.limbs) == 0;
}

json_t *exact_sum_record(const struct exact_sum *sum)
{
    struct exact_sum digits;
    const bool is_negative = magnitude(sum, &digits);
    const int32_t top = highest(&digits);
    int32_t first = 0;
    while (first < top && digits.limbs[first] == 0)
        first++;
    json_t *limbs = json_array();
    for (int32_t i = first; i <= top; i++) {
        const int64_t limb = is_negative ? -digits.limbs[i] : digits.limbs[i];
        ENSURE(json_array_append_new(limbs, json_integer(limb)) == 0);
    }
    json_t *record = json_pack("{s:i, s:o}", "first", first, "limbs", limbs);
    ENSURE(record != NULL);
    return record;
}

bool exact_sum_read(const json_t *record, struct exact_sum *out_sum)
{
    const json_t *first = json_object_get(record, "first"),
                 *limbs = json_object_get(record, "limbs");
    if (!json_is_integer(first) || !json_is_array(limbs))
        return false;
    const json_int_t start = json_integer_value(first);
    const size_t count = json_array_size(limbs);
    if (start < 0 || start >= EXACT_SUM_LIMBS || count > (size_t)(EXACT_SUM_LIMBS - start) ||
        (count == 0 && start != 0))
        return false;
    struct exact_sum sum = {.pending = 1};
    int64_t sign = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(limbs, i);
        const int64_t limb = json_integer_value(item); /* 0 for what is no integer */
        if (!json_is_integer(item) || limb < -LIMB_MASK || limb > LIMB_MASK)
            return false;
        if (limb == 0 && (i == 0 || i + 1 == count))
            return false;
        if ((limb > 0 && sign < 0) || (limb < 0 && sign > 0))
            return false;
        sign = limb == 0 ? sign : limb;
        sum.limbs[(size_t)start + i] = limb;
    }
    *out_sum = sum;
    return true;
}
