/* episode.h: one firing period of an alert, and the windows that count towards a retraining, as a
 * JSON value (schemas/state.retrain-episode.avsc), which is also how it is stored.
 *
 * Thread   any (pure).
 */
#ifndef EPISODE_H
#define EPISODE_H
#include "finding/finding.h"

/* Takes a FIRING record of the topic alerts; episode NULL: begins it (new reference), else changes
 * it in place. */
json_t *episode_take(json_t *episode, const json_t *alert);
/* Splits "drift.critical"; false: the kind is not of that class, or the text no condition. */
bool episode_condition(const char *when, enum finding_kind kind,
                       enum finding_severity *out_severity);
/* Counts one decided window: findings of one group, window and revision, [count]. True: the
 * condition is now ready: `windows` windows have counted, and it has made no trigger yet. */
bool episode_count(json_t *episode, const char *when, int32_t windows,
                   const struct finding *findings, size_t count);
/* What a condition has counted: {"when", "decided_end", "windows", "refused", "triggered"}; NULL:
 * nothing. */
json_t *episode_counted(const json_t *episode, const char *when);
bool episode_is_refused(const json_t *episode, const char *when);
void episode_refuse(json_t *episode, const char *when);
void episode_trigger(json_t *episode, const char *when);
/* A quality alert that fires CRITICAL. */
bool episode_breaks_data(const json_t *episode, const char *model);
#endif
