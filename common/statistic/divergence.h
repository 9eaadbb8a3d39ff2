/* divergence.h: distances between two counts over the same cells, and whether a distance can be
 * chance.
 *
 * native (INTERFACES.md "On plain files"): an empty share is 1e-4 where the other side has mass,
 * cells empty on both sides are left out, nothing is renormalised. All values in nats. Thread any.
 * Cost     O(cells).
 */
#ifndef DIVERGENCE_H
#define DIVERGENCE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Population stability index, sum over cells of (q - p) ln(q / p), added in the order of the cells.
 * Both sides must have mass (REQUIRE). out_parts (may be NULL): [count], each cell's part of the
 * sum. out_used: cells not left out. */
double divergence_psi(const uint64_t *reference, const uint64_t *current, size_t count,
                      double *out_parts, size_t *out_used);
/* Under no change psi ~ chi2(used - 1) * (1/n_reference + 1/n_current) (Yurdakul & Naranjo 2020);
 * the value that chance exceeds once in 1,000. 0 where used < 2. */
double divergence_psi_noise(size_t used, uint64_t n_reference, uint64_t n_current);
/* value >= bound, such that libm's last bit cannot turn it: both sides are rounded to 12
 * significant digits first. false where either is NaN. */
bool divergence_reaches(double value, double bound);
#endif
