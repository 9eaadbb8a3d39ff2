#include "log/escape.h"

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

static bool is_tail(uint8_t byte)
{
    return (byte & 0xc0u) == 0x80u;
}

/* Bytes of the UTF-8 sequence at the start of text; 0 where there is none (overlong forms and
 * surrogates are none). */
static size_t sequence_size(struct span text)
{
    const uint8_t *b = text.bytes;
    if (b[0] < 0x80)
        return 1;
    if (b[0] >= 0xc2 && b[0] <= 0xdf)
        return text.size >= 2 && is_tail(b[1]) ? 2 : 0;
    if (b[0] >= 0xe0 && b[0] <= 0xef) {
        if (text.size < 3 || !is_tail(b[1]) || !is_tail(b[2]))
            return 0;
        const bool overlong = b[0] == 0xe0 && b[1] < 0xa0;
        const bool surrogate = b[0] == 0xed && b[1] > 0x9f;
        return overlong || surrogate ? 0 : 3;
    }
    if (b[0] >= 0xf0 && b[0] <= 0xf4) {
        if (text.size < 4 || !is_tail(b[1]) || !is_tail(b[2]) || !is_tail(b[3]))
            return 0;
        const bool outside = (b[0] == 0xf0 && b[1] < 0x90) || (b[0] == 0xf4 && b[1] > 0x8f);
        return outside ? 0 : 4;
    }
    return 0;
}

static void json_byte(struct buffer *out, uint8_t byte)
{
    switch (byte) {
    case '"':
        buffer_append(out, "\\\"", 2);
        break;
    case '\\':
        buffer_append(out, "\\\\", 2);
        break;
    case '\n':
        buffer_append(out, "\\n", 2);
        break;
    case '\r':
        buffer_append(out, "\\r", 2);
        break;
    case '\t':
        buffer_append(out, "\\t", 2);
        break;
    default:
        if (byte < 0x20 || byte == 0x7f)
            buffer_format(out, "\\u%04x", (unsigned)byte);
        else
            buffer_append_byte(out, byte);
    }
}

static void label_byte(struct buffer *out, uint8_t byte)
{
    if (byte == '"' || byte == '\\') {
        buffer_append_byte(out, '\\');
        buffer_append_byte(out, byte);
    } else if (byte == '\n') {
        buffer_append(out, "\\n", 2);
    } else {
        buffer_append_byte(out, byte < 0x20 || byte == 0x7f ? ' ' : byte);
    }
}

static void escape(struct buffer *out, struct span text, void (*byte)(struct buffer *, uint8_t))
{
    for (size_t at = 0; at < text.size;) {
        const size_t size = sequence_size(span_of(text.bytes + at, text.size - at));
        if (size == 1)
            byte(out, text.bytes[at]);
        else if (size == 0)
            buffer_append(out, replacement, sizeof replacement - 1);
        else
            buffer_append(out, text.bytes + at, size);
        at += size == 0 ? 1 : size;
    }
}

void escape_json(struct buffer *out, struct span text)
{
    escape(out, text, json_byte);
}

void escape_label(struct buffer *out, struct span text)
{
    escape(out, text, label_byte);
}
