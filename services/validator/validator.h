/* validator.h: takes each record of inference.events and ground.truth to exactly one of
 * inference.validated and inference.dead-letter.
 *
 * One shard per (topic, partition). A value is JSON of the fields' names, or Avro behind its
 * schema's fingerprint, or behind a schema registry's id or GUID (framing.h; known_writers.h says
 * how the last two become known). An event is held against the newest revision of its model's
 * contract that was in force at its time; a label needs no contract. What passes is keyed by
 * event_id: frame, enrichment, then the writer's bytes as they came (JSON: encoded once, by our own
 * schema). The schema of such a record is published to model.schemas before the first that needs
 * it. The producer's headers travel along.
 *
 * An event that passes and whose event_id came before, within --duplicates-horizon of arrival, is
 * marked as a duplicate (seen_ids.h): it is in no window. A refused event is not remembered: it may
 * come again, corrected. Labels are no duplicates: a later one is a revision.
 *
 * State: the ids seen; and for each model the revision chosen last, since which offset, and the
 * latest event time stamped: a revision that takes effect before it came late and is counted
 * (contract_late_total). No record's fate depends on the latter. Ledger: events_seen_total =
 * events_counted_total + events_late_total + events_too_late_total + events_future_total +
 * events_rejected_total (all reasons) + events_duplicate_total; labels_seen_total =
 * labels_validated_total + labels_rejected_total.
 *
 * Faults: handle and event_time: TABLE_BEHIND while the registry is asked; nothing was changed.
 * Cost: O(size of the record); Avro allocates nothing once its schema and contract have been met.
 */
#ifndef VALIDATOR_H
#define VALIDATOR_H
#include "service/service.h"

extern const struct service validator_service;
#endif
