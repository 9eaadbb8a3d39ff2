/* source_json.h: events and labels that come as JSON text: parsed within limits, checked field by
 * field, encoded as our own schema's.
 *
 * The text is an object with the schema's names. Fields that the schema does not name are passed
 * over and counted. An integer stays a long; times are integers, milliseconds since the epoch, in
 * the years 1 to 9999; required texts are not empty.
 *
 * Owner    caller of source_json_parse (json_decref).     Thread  any.
 * Faults   false with the rejection set: malformed, limit_exceeded, missing_field, invalid_field,
 * type_mismatch (a feature that is a list or an object). Memory   what jansson takes: proportional
 * to the text, which the caller bounds. Depth <= 100.
 */
#ifndef SOURCE_JSON_H
#define SOURCE_JSON_H
#include "avro/schema.h"
#include "memory/buffer.h"
#include "rejection.h"

MUST_USE bool source_json_parse(struct span text, json_t **out_value, struct rejection *rejection);
/* Drops what the schema does not name from value, then appends its bytes; out_unknown: how many
 * were dropped. */
MUST_USE bool source_json_encode(const struct schema *schema, json_t *value, struct buffer *out,
                                 size_t *out_unknown, struct rejection *rejection);
#endif
