/* sim_model.h: the contracts and baselines of one seed's log, as records of their tables.
 *
 * "m" has revision 1 since ever and revision 2 from the middle of the log on. By seed they differ
 * in lateness and correction, in baselines (other cuts, or none for version 2), in windows, in the
 * pane, in what they do about violations. "n" has one revision, from three minutes after the first
 * arrival on. Contract texts are JSON, which YAML takes as well: so the oracle reads them without
 * our parser.
 *
 * Owner    the arena given.     Thread  one.
 */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H
#include "kafka/record.h"
#include "memory/arena.h"

enum sim_revision { SIM_M1, SIM_M2, SIM_N1, SIM_REVISION_COUNT };
enum { SIM_SKEW_MINUTES = 5 };
struct sim_terms {
    int64_t pane_ms, lateness_ms, correction_ms;
};
/* All times in contracts are in minutes of so many milliseconds. */
struct sim_span {
    int64_t first_ms, middle_ms, minute_ms;
};
struct sim_models {
    struct sim_terms terms[SIM_REVISION_COUNT];
    struct record *tables; /* baselines, then contracts */
    size_t table_count;
};
void sim_model_make(uint64_t seed, const struct sim_span *span, struct arena *arena,
                    struct sim_models *out_models);
#endif
