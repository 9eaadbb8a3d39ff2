/* validator_rows.h: what the validator can be told and what it counts: its tables of options and
 * metrics. `plumb analyze` takes those of duplicates, too, so that a live run and it agree.
 */
#ifndef VALIDATOR_ROWS_H
#define VALIDATOR_ROWS_H
#include "config/option.h"
#include "metric/metric.h"
#include "seen_ids.h"

#define VALIDATOR_ROWS_HORIZON_MS INT64_C(600000) /* as text: "10m" */
#define VALIDATOR_ROWS_OPTIONS                                                                     \
    {.name = "duplicates-horizon",                                                                 \
     .kind = OPTION_DURATION,                                                                      \
     .fallback = "10m",                                                                            \
     .help = "an event whose event_id came within this time is a duplicate; 0s: none is"},         \
    {                                                                                              \
        .name = "duplicates-max", .kind = OPTION_NUMBER, .fallback = "1000000",                    \
        .help = "ids remembered for that in a partition, at most (up to 64 bytes each)"            \
    }

extern const struct option_row validator_rows_options[];
extern const struct metric_row validator_rows_metrics[];

/* OPTION_INVALID. */
MUST_USE enum fault validator_rows_check(const struct option_set *options,
                                         struct reason *out_reason);
/* Checked before; options NULL: the defaults. false: duplicates are not looked for. */
bool validator_rows_seen_ids(const struct option_set *options, struct seen_ids_options *out_seen);
#endif
