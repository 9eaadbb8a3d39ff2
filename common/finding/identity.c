#include "finding/identity.h"

#include <inttypes.h>
#include <xxhash.h>

void identity_text(struct identity *identity, const char *text)
{
    REQUIRE(identity != NULL);
    buffer_append_span(&identity->fields, span_text(text));
    buffer_append_byte(&identity->fields, 0);
}

void identity_integer(struct identity *identity, int64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, value);
    identity_text(identity, text);
}

void identity_hex(struct identity *identity, char out_text[IDENTITY_HEX_SIZE])
{
    REQUIRE(identity != NULL);
    const XXH128_hash_t hash = XXH3_128bits(identity->fields.bytes, identity->fields.size);
    (void)snprintf(out_text, IDENTITY_HEX_SIZE, "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64,
                   (uint64_t)hash.low64);
    buffer_fini(&identity->fields);
}

void identity_uuid(struct identity *identity, char out_text[IDENTITY_UUID_SIZE])
{
    char hex[IDENTITY_HEX_SIZE];
    identity_hex(identity, hex);
    (void)snprintf(out_text, IDENTITY_UUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8,
                   hex + 12, hex + 16, hex + 20);
}
