/* writer.h: one schema that producers write with, as a shard knows it: how to read its events, and
 * the schema of what becomes of them.
 *
 * A validated record is the enrichment, then the writer's bytes as they came. Its schema is so
 * {enrichment, event: the writer's}: for our own two schemas (schemas/inference.validated.avsc,
 * -label) it is built in, for any other it is composed here, once.
 *
 * Owner    caller of writer_create(); the schema must outlive it, the contracts all reads.
 * Thread   one at a time.
 * Faults   a schema that cannot be read makes a writer with `unusable` set: the next record of it
 * costs nothing again. Memory   a reader for each contract that its events have met; the composed
 * text.
 */
#ifndef WRITER_H
#define WRITER_H
#include "avro/schema.h"
#include "model/event.h"

enum writer_kind { WRITER_EVENT, WRITER_LABEL };

struct writer;
struct writer *writer_create(const struct schema *schema, enum writer_kind kind);
const struct schema *writer_schema(const struct writer *writer);
const char *writer_unusable(
    const struct writer *writer); /* why; NULL where it is usable. All below need that. */
uint64_t
writer_validated(const struct writer *writer); /* fingerprint of the validated record's schema */
/* The validated record's schema to publish; NULL where it is built in. */
const char *writer_validated_text(const struct writer *writer);
/* An event with the columns of a contract; contract NULL: the envelope only. Faults as event_read.
 */
MUST_USE enum fault writer_read(struct writer *writer, const struct contract *contract,
                                struct span bytes, struct event *out_event,
                                struct reason *out_reason);
void writer_destroy(struct writer *writer); /* NULL accepted */
#endif
