/* datum.h: Avro binary to and from JSON values in memory, for records of low volume (panes,
 * measurements, alerts …).
 *
 * Unions are plain: a JSON value takes the first branch that it fits (null; boolean; integer to int
 * or long, else to float or double; real to double, or to float where that is exact, else the
 * other; string to string or enum; array; object to the first record whose required fields it has,
 * or to map; of equal keys in a map the last counts). Missing fields take the schema's default;
 * members that are no field are passed over. NaN and the infinities decode to null. bytes and fixed
 * are not supported: none of our records has them (a value that reaches one is a fault).
 *
 * Faults   encode: RECORD_MALFORMED with a reason that names the path ("plumbline.Pane.end: …").
 *          decode: RECORD_MALFORMED, LIMIT_EXCEEDED. Hostile bytes are safe: depth <= 100, items <=
 *          what the bytes left can hold (an item of no size counts as one byte), values in all <=
 *          100,000 + 16 a byte, integers and enum indices checked, UTF-8 checked by jansson.
 * Memory   what jansson allocates.
 * Cost     O(size).
 */
#ifndef DATUM_H
#define DATUM_H
#include "avro/schema.h"
#include "memory/buffer.h"

/* Appends; on fault nothing is appended. */
MUST_USE enum fault datum_encode(const struct schema *schema, const json_t *value,
                                 struct buffer *out_bytes, struct reason *out_reason);
/* The whole of bytes must be one value. */
MUST_USE enum fault datum_decode(const struct schema *schema, struct span bytes, json_t **out_value,
                                 struct reason *out_reason);
#endif
