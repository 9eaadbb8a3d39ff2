/* wire.h: the primitives of Avro binary and the single-object framing, over bytes that nobody
 * vouches for.
 *
 * A reader is a cursor; each read checks what is left and returns false at the end of the bytes, on
 * a varint over 10 bytes or on a negative length. After a false the cursor may stand anywhere: give
 * the whole record up.
 */
#ifndef WIRE_H
#define WIRE_H
#include "memory/buffer.h"
#include "memory/span.h"
#include <stdbool.h>
#include <stdint.h>

struct wire_reader {
    const uint8_t *next, *end; /* borrowed */
};

struct wire_reader wire_reader_of(struct span bytes); /* at the first byte */
MUST_USE bool wire_read_long(struct wire_reader *reader, int64_t *out_value);
MUST_USE bool wire_read_boolean(struct wire_reader *reader, bool *out_value);
MUST_USE bool wire_read_float(struct wire_reader *reader, float *out_value);
MUST_USE bool wire_read_double(struct wire_reader *reader, double *out_value);
/* Also strings; a slice, not a copy. */
MUST_USE bool wire_read_bytes(struct wire_reader *reader, struct span *out_value);
MUST_USE bool wire_skip(struct wire_reader *reader, size_t size);

void wire_write_long(struct buffer *buffer, int64_t value);
void wire_write_boolean(struct buffer *buffer, bool value);
void wire_write_float(struct buffer *buffer, float value);
void wire_write_double(struct buffer *buffer, double value);
void wire_write_bytes(struct buffer *buffer, struct span value);

/* Single-object encoding: C3 01, then the schema's fingerprint, little-endian. */
enum { WIRE_FRAME_SIZE = 10 };
void wire_write_frame(struct buffer *buffer, uint64_t fingerprint);
MUST_USE bool wire_read_frame(struct span bytes, uint64_t *out_fingerprint, struct span *out_body);
#endif
