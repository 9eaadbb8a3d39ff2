/* event.h: reads an inference event (or label) out of Avro bytes, whatever the writer's schema,
 * without a copy.
 *
 * An event_reader is made once per (writer schema, contract): it finds each field by name, so a
 * model's own record may take the place of the features map, and extra fields are passed over.
 * Columns are looked up in `features`. This is the interface behind which the decoder may become as
 * fast as it likes.
 *
 * Owner    caller of event_reader_create(); the schema and contract must outlive it. What
 * event_read fills borrows from the bytes. Thread   one at a time. Faults   create: SCHEMA_INVALID
 * with a reason (a required field is missing or has a wrong type). read: RECORD_MALFORMED,
 *          LIMIT_EXCEEDED; hostile bytes are safe (bounds, depth <= 100, items <= bytes left).
 * Memory   all at create.
 */
#ifndef EVENT_H
#define EVENT_H
#include "avro/schema.h"
#include "model/contract.h"

enum value_kind {
    VALUE_MISSING,
    VALUE_NULL,
    VALUE_BOOLEAN,
    VALUE_LONG,
    VALUE_DOUBLE,
    VALUE_TEXT,
    VALUE_OTHER
};
struct value {
    enum value_kind kind; /* OTHER: an array, map, record or bytes where a column was expected */
    bool boolean;
    int64_t integer;
    double number;    /* set for LONG too (converted), so numeric code reads one field */
    struct span text; /* TEXT */
};

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
    struct value
        *columns; /* borrowed from the reader: [contract->column_count], in the contract's order */
    struct value
        *scores; /* borrowed from the reader: [contract->score_count], in the contract's order */
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

/* The text of a value as a category: "1" for 1 and 1.0, "true", the text itself; shortest digits
 * that read back the same for other doubles. Writes at most 40 bytes to scratch; TEXT is returned
 * as it is. */
struct span value_category(const struct value *value, char scratch[40]);
#endif
