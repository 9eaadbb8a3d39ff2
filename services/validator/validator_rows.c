#include "validator_rows.h"
#include "framing.h"

#define IDS_MAX_DEFAULT 1000000
#define IDS_MAX_MOST    INT64_C(1000000000)

const struct option_row validator_rows_options[] = {
    VALIDATOR_ROWS_OPTIONS,
    {"framing.inference.events", OPTION_CHOICE, "auto", FRAMING_CHOICES,
     "how events say what their bytes are", false},
    {"framing.ground.truth", OPTION_CHOICE, "auto", FRAMING_CHOICES,
     "how labels say what their bytes are", false},
    {.name = NULL},
};

const struct metric_row validator_rows_metrics[] = {
    {"events_seen_total", METRIC_COUNTER, "Records of inference.events taken.", NULL},
    {"events_validated_total", METRIC_COUNTER, "Events that passed.", NULL},
    {"events_counted_total", METRIC_COUNTER, "Events that passed and were on time.", NULL},
    {"events_late_total", METRIC_COUNTER, "Events that passed and were late.", NULL},
    {"events_too_late_total", METRIC_COUNTER, "Events that passed, too late for any window.", NULL},
    {"events_future_total", METRIC_COUNTER, "Events that passed, ahead of their arrival.", NULL},
    {"events_duplicate_total", METRIC_COUNTER, "Events that passed, whose id came before.", NULL},
    {"duplicates_horizon_cut_total", METRIC_COUNTER,
     "Slices of the duplicates' horizon forgotten early: --duplicates-max was reached.", NULL},
    {"events_rejected_total", METRIC_COUNTER, "Events refused, by reason.", "reason"},
    {"events_flagged_total", METRIC_COUNTER, "Violations let through and marked, by reason.",
     "reason"},
    {"violations_counted_total", METRIC_COUNTER, "Violations let through and only counted.",
     "reason"},
    {"features_unknown_total", METRIC_COUNTER, "Features that the contract does not name.", NULL},
    {"fields_unknown_total", METRIC_COUNTER, "JSON fields passed over: no schema of ours has them.",
     NULL},
    {"contract_late_total", METRIC_COUNTER,
     "Contract revisions first read after records that they should have judged.", "model"},
    {"schemas_published_total", METRIC_COUNTER, "Schemas published to model.schemas.", NULL},
    {"labels_seen_total", METRIC_COUNTER, "Records of ground.truth taken.", NULL},
    {"labels_validated_total", METRIC_COUNTER, "Labels that passed.", NULL},
    {"labels_flagged_total", METRIC_COUNTER,
     "Violations by labels let through and marked, by reason.", "reason"},
    {"labels_rejected_total", METRIC_COUNTER, "Labels refused, by reason.", "reason"},
    {.name = NULL},
};

enum fault validator_rows_check(const struct option_set *options, struct reason *out_reason)
{
    const int64_t ids_max = option_number(options, "duplicates-max");
    if (ids_max >= 1 && ids_max <= IDS_MAX_MOST)
        return FAULT_NONE;
    reason_set(out_reason,
               "--duplicates-max: from 1 to %lld; to look for none: --duplicates-horizon 0s",
               (long long)IDS_MAX_MOST);
    return FAULT_OPTION_INVALID;
}

bool validator_rows_seen_ids(const struct option_set *options, struct seen_ids_options *out_seen)
{
    const struct seen_ids_options seen = {
        .horizon_ms = options == NULL ? VALIDATOR_ROWS_HORIZON_MS
                                      : option_duration_ms(options, "duplicates-horizon"),
        .ids_max =
            options == NULL ? IDS_MAX_DEFAULT : (uint64_t)option_number(options, "duplicates-max")};
    if (seen.horizon_ms == 0)
        return false;
    *out_seen = seen;
    return true;
}
