/* trigger.h: the records that the retrainer publishes, made of the episodes that are ready.
 *
 * Thread   any (pure).
 */
#ifndef TRIGGER_H
#define TRIGGER_H
#include "finding/finding.h"

struct trigger_episode {
    char fingerprint[IDENTITY_HEX_SIZE];
    json_t *value; /* borrowed: episode.h */
};

struct trigger_case { /* all borrowed */
    const char *model, *version, *when;
    int32_t windows;                        /* that the contract asks for */
    int64_t time_ms;                        /* of the deciding window */
    const struct trigger_episode *episodes; /* ready, ascending by fingerprint */
    size_t episode_count;                   /* >= 1 */
};

json_t *trigger_record(const struct trigger_case *ready); /* by schema retrain.triggers */
json_t *trigger_refusal(const struct trigger_case *ready,
                        const char *blocked_by); /* by schema rollout.decisions */
#endif
