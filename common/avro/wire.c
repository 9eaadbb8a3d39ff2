#include "avro/wire.h"

enum { FRAME_FIRST = 0xC3, FRAME_SECOND = 0x01, VARINT_SIZE_MAX = 10 };

static size_t left(const struct wire_reader *reader)
{
    return reader->next == NULL ? 0 : (size_t)(reader->end - reader->next);
}

static uint64_t little_endian(const uint8_t *bytes, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = size; i > 0; i--)
        value = value << 8 | bytes[i - 1];
    return value;
}

static void write_little_endian(struct buffer *buffer, uint64_t value, unsigned size)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    buffer_append(buffer, bytes, size);
}

struct wire_reader wire_reader_of(struct span bytes)
{
    /* No arithmetic on a null pointer: an empty span may have one. */
    return (struct wire_reader){bytes.bytes,
                                bytes.size == 0 ? bytes.bytes : bytes.bytes + bytes.size};
}

bool wire_read_long(struct wire_reader *reader, int64_t *out_value)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_SIZE_MAX && reader->next != reader->end; i++) {
        const uint8_t byte = *reader->next++;
        if (i == VARINT_SIZE_MAX - 1 && byte > 1) /* 9 * 7 bits are taken: one is left */
            return false;
        value |= (uint64_t)(byte & 0x7F) << (7 * i);
        if ((byte & 0x80) == 0) {
            const uint64_t magnitude = value >> 1;
            *out_value = (int64_t)((value & 1) != 0 ? ~magnitude : magnitude);
            return true;
        }
    }
    return false;
}

bool wire_read_boolean(struct wire_reader *reader, bool *out_value)
{
    if (left(reader) < 1 || *reader->next > 1)
        return false;
    *out_value = *reader->next++ == 1;
    return true;
}

bool wire_read_float(struct wire_reader *reader, float *out_value)
{
    if (left(reader) < 4)
        return false;
    const uint32_t bits = (uint32_t)little_endian(reader->next, 4);
    memcpy(out_value, &bits, sizeof bits);
    reader->next += 4;
    return true;
}

bool wire_read_double(struct wire_reader *reader, double *out_value)
{
    if (left(reader) < 8)
        return false;
    const uint64_t bits = little_endian(reader->next, 8);
    memcpy(out_value, &bits, sizeof bits);
    reader->next += 8;
    return true;
}

bool wire_read_bytes(struct wire_reader *reader, struct span *out_value)
{
    int64_t size = 0;
    if (!wire_read_long(reader, &size) || size < 0 || (uint64_t)size > left(reader))
        return false;
    *out_value = span_of(reader->next, (size_t)size);
    reader->next += size;
    return true;
}

bool wire_skip(struct wire_reader *reader, size_t size)
{
    if (size > left(reader))
        return false;
    if (size != 0)
        reader->next += size;
    return true;
}

void wire_write_long(struct buffer *buffer, int64_t value)
{
    const uint64_t sign = value < 0 ? UINT64_MAX : 0;
    uint64_t rest = (uint64_t)value << 1 ^ sign; /* zig-zag */
    if (rest <= 0x7F) {
        buffer_append_byte(buffer, (uint8_t)rest);
        return;
    }
    uint8_t bytes[VARINT_SIZE_MAX];
    size_t size = 0;
    while (rest > 0x7F) {
        bytes[size++] = (uint8_t)(rest | 0x80);
        rest >>= 7;
    }
    bytes[size++] = (uint8_t)rest;
    buffer_append(buffer, bytes, size);
}

void wire_write_boolean(struct buffer *buffer, bool value)
{
    buffer_append_byte(buffer, value ? 1 : 0);
}

void wire_write_float(struct buffer *buffer, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    write_little_endian(buffer, bits, 4);
}

void wire_write_double(struct buffer *buffer, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    write_little_endian(buffer, bits, 8);
}

void wire_write_bytes(struct buffer *buffer, struct span value)
{
    REQUIRE(value.size <= INT64_MAX);
    wire_write_long(buffer, (int64_t)value.size);
    buffer_append_span(buffer, value);
}

void wire_write_frame(struct buffer *buffer, uint64_t fingerprint)
{
    buffer_append_byte(buffer, FRAME_FIRST);
    buffer_append_byte(buffer, FRAME_SECOND);
    write_little_endian(buffer, fingerprint, 8);
}

bool wire_read_frame(struct span bytes, uint64_t *out_fingerprint, struct span *out_body)
{
    if (bytes.size < WIRE_FRAME_SIZE || bytes.bytes[0] != FRAME_FIRST ||
        bytes.bytes[1] != FRAME_SECOND)
        return false;
    *out_fingerprint = little_endian(bytes.bytes + 2, 8);
    *out_body = span_of(bytes.bytes + WIRE_FRAME_SIZE, bytes.size - WIRE_FRAME_SIZE);
    return true;
}
