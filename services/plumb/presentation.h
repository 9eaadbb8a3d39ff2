/* presentation.h: the objects that plumb prints of our records, the same from a topic and from
 * plumb analyze (INTERFACES.md, Output).
 *
 * Each has "record" first, then the fields in the order listed there; what a record lacks is null.
 * Owner    the caller gets new references.     Thread  one at a time.
 */
#ifndef PRESENTATION_H
#define PRESENTATION_H
#include "kafka/record.h"
#include <jansson.h>

/* topic: MEASUREMENTS, ALERTS, RETRAIN_TRIGGERS, ROLLOUT_DECISIONS, SERVING_SIGNALS or
 * WINDOW_PANES. value: a decoded record. */
json_t *presentation_of(enum topic topic, const json_t *value);
json_t *presentation_of_dead_letter(const struct record *record); /* from its headers */
/* Of a record that a run results in (measurement, alert, trigger, decision, signal, dead letter);
 * NULL: of any other. */
json_t *presentation_record(const struct record *record);

/* Columns of a table of such objects, by their "record"; NULL: no such record. */
const struct listing_column *presentation_columns(const char *record);
/* What a list of them is ordered by, first and then: which record; the time said (alert, trigger,
 * decision, signal), the window's end, or a dead letter's line. 0 for other objects. */
int presentation_rank(const json_t *object);
int64_t presentation_order(const json_t *object);
#endif
