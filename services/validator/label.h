/* label.h: what a label must have, whichever framing it came in: an event_id, a label that is not
 * null, a label_time, and, where it names its model, a text.
 *
 * Faults   false with the rejection set: missing_field, invalid_field.
 */
#ifndef LABEL_H
#define LABEL_H
#include "model/event.h"
#include "rejection.h"
#include <jansson.h>

struct label { /* all borrowed from the value */
    struct span event_id;
    struct span model_name; /* empty: it does not say */
    int64_t label_time_ms;
    struct value value;
};
MUST_USE bool label_check(const json_t *value, struct label *out_label,
                          struct rejection *rejection);
#endif
