/* plan_bytes.h: the values of Avro binary, passed over and read, over bytes that nobody vouches
 * for. For plan.c only, in line: each is a few instructions of a loop over millions.
 *
 * Each function returns where the next value begins, NULL where there is none.
 */
#ifndef PLAN_BYTES_H
#define PLAN_BYTES_H
#include "avro/plan_steps.h"
#include "avro/utf8.h"

enum { VARINT_SIZE_MAX = 10, DOUBLE_SIZE = 8 };

/* Kept out of line: what is rare would take the loop's registers. */
#define APART __attribute__((noinline))

static inline size_t left(const uint8_t *at, const uint8_t *end)
{
    return (size_t)(end - at);
}

static inline uint64_t little_endian(const uint8_t *bytes)
{
    return (uint64_t)bytes[0] | (uint64_t)bytes[1] << 8 | (uint64_t)bytes[2] << 16 |
           (uint64_t)bytes[3] << 24 | (uint64_t)bytes[4] << 32 | (uint64_t)bytes[5] << 40 |
           (uint64_t)bytes[6] << 48 | (uint64_t)bytes[7] << 56;
}

static inline double double_at(const uint8_t *bytes)
{
    const uint64_t bits = little_endian(bytes);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Eight bytes at once, seven bits of each moved together: where the varint ends within them. */
static inline const uint8_t *read_eight(const uint8_t *at, uint64_t *out)
{
    const uint64_t bytes = little_endian(at), ends = ~bytes & UINT64_C(0x8080808080808080);
    if (ends == 0)
        return NULL;
    const unsigned size = (unsigned)__builtin_ctzll(ends) / 8 + 1;
    uint64_t value = bytes & (UINT64_MAX >> (64 - 8 * size)) & UINT64_C(0x7f7f7f7f7f7f7f7f);
    value = (value & UINT64_C(0x007f007f007f007f)) | (value & UINT64_C(0x7f007f007f007f00)) >> 1;
    value = (value & UINT64_C(0x00003fff00003fff)) | (value & UINT64_C(0x3fff00003fff0000)) >> 2;
    *out = (value & UINT64_C(0x000000000fffffff)) | (value & UINT64_C(0x0fffffff00000000)) >> 4;
    return at + size;
}

static APART const uint8_t *read_long_varint(const uint8_t *at, const uint8_t *end, uint64_t *out)
{
    const uint8_t *next = left(at, end) >= 8 ? read_eight(at, out) : NULL;
    if (next != NULL)
        return next;
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_SIZE_MAX && at != end; i++) {
        const uint8_t byte = *at++;
        if (i == VARINT_SIZE_MAX - 1 && byte > 1) /* 9 * 7 bits are taken: one is left */
            return NULL;
        value |= (uint64_t)(byte & 0x7F) << (7 * i);
        if ((byte & 0x80) == 0) {
            *out = value;
            return at;
        }
    }
    return NULL;
}

/* Still zig-zag. Most lengths, indexes and small integers are of one byte. */
static inline const uint8_t *read_varint(const uint8_t *at, const uint8_t *end, uint64_t *out)
{
    if (at != end && *at < 0x80) {
        *out = *at;
        return at + 1;
    }
    return read_long_varint(at, end, out);
}

static inline int64_t integer_of(uint64_t varint)
{
    const uint64_t magnitude = varint >> 1;
    return (int64_t)((varint & 1) != 0 ? ~magnitude : magnitude);
}

static inline const uint8_t *read_index(const uint8_t *at, const uint8_t *end, uint64_t count,
                                        uint64_t *out)
{
    uint64_t varint = 0;
    at = read_varint(at, end, &varint);
    *out = varint >> 1;
    return at != NULL && (varint & 1) == 0 && *out < count ? at : NULL;
}

/* The branch of a union of two, one of them null. */
static inline const uint8_t *read_nullable(const uint8_t *at, const uint8_t *end,
                                           uint8_t null_index, bool *out_null)
{
    uint64_t index = 0;
    if (at != end && (*at & ~2) == 0) {
        *out_null = *at >> 1 == null_index;
        return at + 1;
    }
    at = read_index(at, end, 2, &index);
    *out_null = index == null_index;
    return at;
}

/* A length that the bytes left can hold. */
static inline const uint8_t *read_size(const uint8_t *at, const uint8_t *end, size_t *out)
{
    uint64_t varint = 0;
    at = read_varint(at, end, &varint);
    if (at == NULL || (varint & 1) != 0 || varint >> 1 > left(at, end))
        return NULL;
    *out = (size_t)(varint >> 1);
    return at;
}

/* ---- passed over ---- */

static inline const uint8_t *pass_fixed(const uint8_t *at, const uint8_t *end, size_t size)
{
    return size <= left(at, end) ? at + size : NULL;
}

static inline const uint8_t *pass_bytes(const uint8_t *at, const uint8_t *end)
{
    size_t size = 0;
    at = read_size(at, end, &size);
    return at == NULL ? NULL : at + size;
}

static inline const uint8_t *pass_boolean(const uint8_t *at, const uint8_t *end)
{
    return at != end && *at <= 1 ? at + 1 : NULL;
}

static inline const uint8_t *pass_int(const uint8_t *at, const uint8_t *end)
{
    uint64_t varint = 0;
    at = read_varint(at, end, &varint);
    return varint <= UINT32_MAX ? at : NULL;
}

static APART const uint8_t *pass_nullable_fixed(const uint8_t *at, const uint8_t *end,
                                                const struct step *step)
{
    const uint8_t null_byte = (uint8_t)(step->null_index * 2), other_byte = null_byte ^ 2;
    const size_t size = step->argument;
    uint32_t count = step->slot;
    if (left(at, end) / (1 + size) >= count) { /* whatever comes: one look is enough */
        for (; count > 0; count--) {
            if (*at == other_byte)
                at += 1 + size;
            else if (*at == null_byte)
                at++;
            else
                break; /* no such branch, or written in more bytes than it needs */
        }
    }
    for (; count > 0 && at != NULL; count--) {
        bool is_null = false;
        at = read_nullable(at, end, step->null_index, &is_null);
        if (at != NULL && !is_null)
            at = pass_fixed(at, end, size);
    }
    return at;
}

static APART const uint8_t *pass_nullable_bytes(const uint8_t *at, const uint8_t *end,
                                                const struct step *step)
{
    for (uint32_t i = 0; i < step->slot && at != NULL; i++) {
        bool is_null = false;
        at = read_nullable(at, end, step->null_index, &is_null);
        if (at != NULL && !is_null)
            at = pass_bytes(at, end);
    }
    return at;
}

/* ---- read ---- */

static inline void set_double(struct value *out, double number)
{
    out->kind = VALUE_DOUBLE;
    out->number = number;
}

static inline void set_long(struct value *out, int64_t integer)
{
    out->kind = VALUE_LONG;
    out->integer = integer;
    out->number = (double)integer;
}

static inline const uint8_t *read_boolean(const uint8_t *at, const uint8_t *end, struct value *out)
{
    if (at == end || *at > 1)
        return NULL;
    out->kind = VALUE_BOOLEAN;
    out->boolean = *at == 1;
    return at + 1;
}

static inline const uint8_t *read_integer(const uint8_t *at, const uint8_t *end, uint64_t most,
                                          struct value *out)
{
    uint64_t varint = 0;
    at = read_varint(at, end, &varint);
    if (at == NULL || varint > most)
        return NULL;
    set_long(out, integer_of(varint));
    return at;
}

static APART const uint8_t *read_time(const uint8_t *at, const uint8_t *end, int64_t divisor,
                                      struct value *out)
{
    uint64_t varint = 0;
    at = read_varint(at, end, &varint);
    if (at == NULL)
        return NULL;
    const int64_t time = integer_of(varint);
    set_long(out, time / divisor - (time % divisor < 0 ? 1 : 0)); /* before 1970 down, too */
    return at;
}

static APART const uint8_t *read_float(const uint8_t *at, const uint8_t *end, struct value *out)
{
    if (left(at, end) < 4)
        return NULL;
    const uint32_t bits =
        (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
    float number;
    memcpy(&number, &bits, sizeof number);
    set_double(out, (double)number);
    return at + 4;
}

static APART const uint8_t *read_doubles(const uint8_t *at, const uint8_t *end,
                                         const uint32_t *targets, size_t count, struct value *base)
{
    if (left(at, end) / DOUBLE_SIZE < count)
        return NULL;
    for (size_t i = 0; i < count; i++)
        set_double(&base[targets[i]], double_at(at + i * DOUBLE_SIZE));
    return at + count * DOUBLE_SIZE;
}

static inline const uint8_t *read_nullable_double(const uint8_t *at, const uint8_t *end,
                                                  uint8_t null_index, struct value *out)
{
    bool is_null = false;
    at = read_nullable(at, end, null_index, &is_null);
    if (at == NULL)
        return NULL;
    if (is_null) {
        out->kind = VALUE_NULL;
        return at;
    }
    if (left(at, end) < DOUBLE_SIZE)
        return NULL;
    set_double(out, double_at(at));
    return at + DOUBLE_SIZE;
}

/* While all that may still come is there, one look at the bytes left is enough. */
static APART const uint8_t *read_nullable_doubles(const uint8_t *at, const uint8_t *end,
                                                  const struct step *step, const uint32_t *targets,
                                                  struct value *base)
{
    const uint8_t null_byte = (uint8_t)(step->null_index * 2), number_byte = null_byte ^ 2;
    const uint32_t *const last = targets + step->argument;
    if (left(at, end) / (1 + DOUBLE_SIZE) >= step->argument) {
        for (; targets < last; targets++) {
            if (*at == number_byte) {
                if (*targets != SLOT_NONE)
                    set_double(&base[*targets], double_at(at + 1));
                at += 1 + DOUBLE_SIZE;
            } else if (*at == null_byte) {
                if (*targets != SLOT_NONE)
                    base[*targets].kind = VALUE_NULL;
                at++;
            } else {
                break; /* no such branch, or written in more bytes than it needs */
            }
        }
    }
    struct value ignored;
    for (; targets < last && at != NULL; targets++)
        at = read_nullable_double(at, end, step->null_index,
                                  *targets == SLOT_NONE ? &ignored : &base[*targets]);
    return at;
}

static inline const uint8_t *read_text(const uint8_t *at, const uint8_t *end, struct value *out)
{
    size_t size = 0;
    at = read_size(at, end, &size);
    if (at == NULL)
        return NULL;
    out->kind = VALUE_TEXT;
    out->text.bytes = at;
    out->text.size = size;
    return utf8_is_ascii(at, size) || utf8_is_valid(out->text) ? at + size : NULL;
}

static inline const uint8_t *read_nullable_text(const uint8_t *at, const uint8_t *end,
                                                uint8_t null_index, struct value *out)
{
    bool is_null = false;
    at = read_nullable(at, end, null_index, &is_null);
    if (at != NULL && !is_null)
        return read_text(at, end, out);
    out->kind = VALUE_NULL;
    return at;
}

static APART const uint8_t *read_symbol(const uint8_t *at, const uint8_t *end,
                                        const struct enumeration *enumeration, struct value *out)
{
    uint64_t index = 0;
    at = read_index(at, end, enumeration->count, &index);
    if (at == NULL)
        return NULL;
    out->kind = VALUE_TEXT;
    out->text = enumeration->symbols[index];
    return at;
}

/* Two's complement, most significant byte first. Exact up to 53 bits before the division. */
static APART const uint8_t *read_decimal(const uint8_t *at, const uint8_t *end,
                                         const struct decimal *decimal, struct value *out)
{
    size_t size = decimal->size;
    at = decimal->is_fixed ? pass_fixed(at, end, 0) : read_size(at, end, &size);
    if (at == NULL || size > left(at, end))
        return NULL;
    const bool negative = size > 0 && at[0] >= 0x80;
    double magnitude = 0;
    for (size_t i = 0; i < size; i++)
        magnitude = magnitude * 256 + (negative ? at[i] ^ 0xFF : at[i]);
    set_double(out, (negative ? -(magnitude + 1) : magnitude) / decimal->divisor);
    return at + size;
}

static APART const uint8_t *read_uuid(const uint8_t *at, const uint8_t *end, char text[UUID_SIZE],
                                      struct value *out)
{
    static const char digits[] = "0123456789abcdef";
    if (left(at, end) < 16)
        return NULL;
    size_t size = 0;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[size++] = '-';
        text[size++] = digits[at[i] >> 4];
        text[size++] = digits[at[i] & 15];
    }
    out->kind = VALUE_TEXT;
    out->text = span_of(text, UUID_SIZE);
    return at + 16;
}
#endif
