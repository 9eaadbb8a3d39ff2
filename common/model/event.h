/* event.h: reads an inference event (or label) out of Avro bytes, whatever the writer's schema,
 * without a copy.
 *
 * An event_reader is made once per (writer schema, contract), as a plan (avro/plan.h): it finds
 * each field by name, so a model's own record may take the place of the features map, and extra
 * fields are passed over. Columns are looked up in `features`, or where their contract's source
 * says.
 *
 * Owner    caller of event_reader_create(); the schema and contract must outlive it. What
 *          event_read fills borrows from the bytes and the reader.
 * Thread   one at a time.
 * Faults   create: SCHEMA_INVALID with a reason (a required field is missing or has a wrong type),
 *          LIMIT_EXCEEDED. read: RECORD_MALFORMED, LIMIT_EXCEEDED; hostile bytes are safe (plan.h).
 * Memory   all at create.
 */
#ifndef EVENT_H
#define EVENT_H
#include "avro/plan.h"
#include "model/contract.h"

enum event_role { ROLE_CHAMPION, ROLE_SHADOW, ROLE_CANARY };
enum event_status { STATUS_OK, STATUS_ERROR, STATUS_FALLBACK, STATUS_CACHED, STATUS_ABSTAINED };
const char *event_role_name(enum event_role role); /* "CHAMPION" */
const char *event_status_name(enum event_status status);

struct event {
    struct span event_id, request_id, model_name, model_version,
        entity_id;         /* request_id defaults to event_id */
    int64_t event_time_ms; /* from timestamp-millis or -micros */
    enum event_role role;
    enum event_status status;
    struct value prediction, confidence, latency_ms;
    /* Borrowed from the reader, in the contract's order: [column_count] and [score_count]. */
    const struct value *columns, *scores;
    size_t unknown_features; /* features that the contract does not name */
};

struct event_reader;
/* contract NULL: the envelope only (event_id … entity_id, prediction, confidence, latency). */
MUST_USE enum fault event_reader_create(const struct schema *writer,
                                        const struct contract *contract,
                                        struct event_reader **out_reader,
                                        struct reason *out_reason);
/* Same, where the event is the field `event` of the schema's top record (inference.validated):
 * reads enrichment too. */
MUST_USE enum fault event_read(struct event_reader *reader, struct span bytes,
                               struct event *out_event, struct reason *out_reason);
void event_reader_destroy(struct event_reader *reader); /* NULL accepted */
#endif
