/* event_reading.h: reads the events of inference.validated with the contract each was checked
 * against.
 *
 * The model's name stands inside the event, and the reader that finds it needs the contract
 * already: so each schema remembers the contract of its last event, which is right nearly always,
 * and reads again where it is not.
 *
 * Owner    caller of event_reading_create(); the catalog must outlive it. What is filled is
 * borrowed until the next read. Thread   one at a time. Faults   TABLE_BEHIND: the schema or
 * contract has not been read yet. RECORD_MALFORMED, LIMIT_EXCEEDED, SCHEMA_INVALID: this record
 * cannot be read. Memory   a reader for each (schema, contract revision) seen; kept.
 */
#ifndef EVENT_READING_H
#define EVENT_READING_H
#include "model/catalog.h"
#include "model/event.h"

struct event_reading;
struct event_reading *event_reading_create(const struct catalog *catalog);
/* body: behind the frame whose fingerprint that is. */
MUST_USE enum fault event_reading_read(struct event_reading *reading, uint64_t fingerprint,
                                       int32_t revision, struct span body, struct event *out_event,
                                       const struct contract **out_contract);
void event_reading_destroy(struct event_reading *reading); /* NULL accepted */
#endif
