/* Goal: psi, its noise bound and the comparison are the documented numbers.
 * Method: values worked out by hand or with 50 digits (mpmath; formulas beside them), chi²
 * quantiles from tables. */
#include "check/check.h"
#include "statistic/divergence.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
/* after the four above */
#include <cmocka.h>

static void assert_near(double expected, double actual)
{
    assert_true(fabs(expected - actual) <= 1e-12 * fabs(expected));
}

static void test_psi(void **state)
{
    (void)state;
    /* (0.25 - 0.5) ln(0.25/0.5) + (0.75 - 0.5) ln(0.75/0.5) = 0.25 ln 3 */
    const uint64_t reference[] = {5, 5}, current[] = {1, 3};
    double parts[2];
    size_t used;
    assert_near(0.25 * log(3), divergence_psi(reference, current, 2, parts, &used));
    assert_int_equal(used, 2);
    assert_near(0.25 * log(2), parts[0]);
    assert_near(0.25 * log(1.5), parts[1]);
    assert_true(divergence_psi(reference, reference, 2, NULL, &used) == 0);
}

static void test_empty_shares(void **state)
{
    (void)state;
    /* A cell empty in both is left out; an empty share is 1e-4; the others keep their shares. */
    const uint64_t reference[] = {10, 0, 0, 10}, current[] = {10, 10, 0, 0};
    double parts[4];
    size_t used;
    const double expected = 2 * (0.5 - 1e-4) * log(0.5 / 1e-4);
    assert_near(expected, divergence_psi(reference, current, 4, parts, &used));
    assert_int_equal(used, 3);
    assert_true(parts[0] == 0 && parts[2] == 0);
    assert_near(expected / 2, parts[1]);
    assert_near(expected / 2, parts[3]);
}

static void test_noise(void **state)
{
    (void)state;
    /* chi²(0.999): 1 degree 10.827566170662733, 10 degrees 29.588298445074418, 22
     * degrees 48.267942290835 */
    assert_near(10.827566170662733 * (0.01 + 0.02), divergence_psi_noise(2, 100, 50));
    assert_near(29.588298445074418 * (0.01 + 0.01), divergence_psi_noise(11, 100, 100));
    assert_true(fabs(divergence_psi_noise(23, 2, 2) - 48.267942290835) < 1e-9);
    assert_true(divergence_psi_noise(1, 100, 100) == 0);
    assert_true(divergence_psi_noise(0, 100, 100) == 0);
}

static void test_reaches(void **state)
{
    (void)state;
    assert_true(divergence_reaches(0.25, 0.25));
    assert_true(divergence_reaches(nextafter(0.25, 0), 0.25));
    assert_true(divergence_reaches(0.25, nextafter(0.25, 1)));
    assert_true(divergence_reaches(0.1 + 0.2, 0.3));
    assert_false(divergence_reaches(0.25 * (1 - 1e-11), 0.25));
    assert_true(divergence_reaches(0.26, 0.25));
    assert_false(divergence_reaches(0.0, 1e-300));
    assert_true(divergence_reaches(0.0, -0.0));
    assert_false(divergence_reaches((double)NAN, 0.25));
    assert_false(divergence_reaches(0.25, (double)NAN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_psi),
        cmocka_unit_test(test_empty_shares),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_reaches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
