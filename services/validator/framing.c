#include "framing.h"
#include "avro/wire.h"

#define HEADER_NAME "__value_schema_id"

enum { ID_MARK = 0, ID_SIZE = 5, GUID_MARK = 1, GUID_SIZE = 17 };

enum framing framing_named(const char *choice)
{
    static const char *const names[] = {[FRAMING_AUTO] = "auto",
                                        [FRAMING_CONFLUENT] = "confluent",
                                        [FRAMING_HEADER] = "header",
                                        [FRAMING_SINGLE_OBJECT] = "single-object",
                                        [FRAMING_JSON] = "json"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strcmp(names[i], choice) == 0)
            return (enum framing)i;
    UNREACHABLE("the options allow no other");
}

/* A mark and the id or GUID behind it. *out_size: of both. */
static bool name_read(struct span bytes, char name[FRAMED_NAME_SIZE], size_t *out_size)
{
    const uint8_t *at = bytes.bytes;
    if (bytes.size >= ID_SIZE && at[0] == ID_MARK) {
        const uint32_t id =
            (uint32_t)at[1] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 8 | (uint32_t)at[4];
        (void)snprintf(name, FRAMED_NAME_SIZE, "%lu", (unsigned long)id);
        *out_size = ID_SIZE;
        return true;
    }
    if (bytes.size < GUID_SIZE || at[0] != GUID_MARK)
        return false;
    size_t length = 0;
    for (size_t i = 1; i < GUID_SIZE; i++) {
        const bool dash = i == 5 || i == 7 || i == 9 || i == 11;
        length += (size_t)snprintf(name + length, FRAMED_NAME_SIZE - length, "%s%02x",
                                   dash ? "-" : "", (unsigned)at[i]);
    }
    *out_size = GUID_SIZE;
    return true;
}

static bool is_json(struct span value)
{
    size_t at = 0;
    while (at < value.size && (value.bytes[at] == ' ' || value.bytes[at] == '\t' ||
                               value.bytes[at] == '\r' || value.bytes[at] == '\n'))
        at++;
    return at < value.size && value.bytes[at] == '{';
}

static bool refuse(const char *why, struct rejection *rejection)
{
    return rejection_set(rejection, REJECTION_malformed, span_text(NULL), "%s", why);
}

/* The name in the header, and nothing before the value. */
static bool header_read(const struct header *header, struct span value, struct framed *framed,
                        struct rejection *rejection)
{
    size_t size;
    if (!name_read(header->value, framed->name, &size) || size != header->value.size)
        return refuse("the header " HEADER_NAME " is neither an id nor a GUID", rejection);
    framed->form = FRAMED_NAME;
    framed->body = value;
    return true;
}

/* At least one byte follows: no value of ours is empty. */
static bool prefix_read(struct span value, struct framed *framed)
{
    size_t size;
    if (!name_read(value, framed->name, &size) || size == value.size)
        return false;
    framed->form = FRAMED_NAME;
    framed->body = span_of(value.bytes + size, value.size - size);
    return true;
}

static bool json_read(struct span value, struct framed *framed)
{
    framed->form = FRAMED_JSON;
    framed->body = value;
    return is_json(value);
}

static bool fingerprint_read(struct span value, struct framed *framed)
{
    framed->form = FRAMED_FINGERPRINT;
    return wire_read_frame(value, &framed->fingerprint, &framed->body);
}

bool framing_read(enum framing framing, const struct record *record, struct framed *out_framed,
                  struct rejection *rejection)
{
    const struct span value = record->value;
    const bool looks = framing == FRAMING_AUTO || framing == FRAMING_HEADER;
    const struct header *header = looks ? record_header(record, HEADER_NAME) : NULL;
    if (header != NULL)
        return header_read(header, value, out_framed, rejection);
    switch (framing) {
    case FRAMING_HEADER:
        return refuse("there is no header " HEADER_NAME, rejection);
    case FRAMING_CONFLUENT:
        return prefix_read(value, out_framed) || refuse("no id in front of the value", rejection);
    case FRAMING_SINGLE_OBJECT:
        return fingerprint_read(value, out_framed) ||
               refuse("no Avro in single-object encoding", rejection);
    case FRAMING_JSON:
        return json_read(value, out_framed) || refuse("no JSON object", rejection);
    case FRAMING_AUTO:
        break;
    }
    return fingerprint_read(value, out_framed) || prefix_read(value, out_framed) ||
           json_read(value, out_framed) ||
           refuse("neither a JSON object nor Avro behind a fingerprint, an id or a GUID",
                  rejection);
}
