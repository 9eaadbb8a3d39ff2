#include "statistic/divergence.h"
#include "check/check.h"

#include <gsl/gsl_cdf.h>
#include <math.h>

static const double EMPTY_SHARE = 1e-4;

static uint64_t mass(const uint64_t *counts, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += counts[i];
    return sum;
}

double divergence_psi(const uint64_t *reference, const uint64_t *current, size_t count,
                      double *out_parts, size_t *out_used)
{
    const uint64_t n_reference = mass(reference, count), n_current = mass(current, count);
    REQUIRE(n_reference > 0);
    REQUIRE(n_current > 0);
    double sum = 0;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        double part = 0;
        if (reference[i] != 0 || current[i] != 0) {
            const double p =
                reference[i] == 0 ? EMPTY_SHARE : (double)reference[i] / (double)n_reference;
            const double q = current[i] == 0 ? EMPTY_SHARE : (double)current[i] / (double)n_current;
            part = (q - p) * log(q / p);
            used++;
        }
        if (out_parts != NULL)
            out_parts[i] = part;
        sum += part;
    }
    *out_used = used;
    return sum;
}

double divergence_psi_noise(size_t used, uint64_t n_reference, uint64_t n_current)
{
    REQUIRE(n_reference > 0);
    REQUIRE(n_current > 0);
    if (used < 2)
        return 0;
    return gsl_cdf_chisq_Pinv(0.999, (double)(used - 1)) *
           (1 / (double)n_reference + 1 / (double)n_current);
}

static double rounded(double value)
{
    char text[40];
    (void)snprintf(text, sizeof text, "%.11e", value);
    return strtod(text, NULL);
}

bool divergence_reaches(double value, double bound)
{
    return rounded(value) >= rounded(bound);
}
