/* label.h: what a label must have, whichever framing it came in: an event_id, a label that is not
 * null, a label_time.
 *
 * Faults   false with the rejection set: missing_field, invalid_field.
 */
#ifndef LABEL_H
#define LABEL_H
#include "rejection.h"
#include <jansson.h>

struct label {
    struct span event_id; /* borrowed from the value */
};
MUST_USE bool label_check(const json_t *value, struct label *out_label,
                          struct rejection *rejection);
#endif
