/* framing.h: how a record says what its bytes are: JSON, or Avro behind a schema's fingerprint, id
 * or GUID.
 *
 *   header         __value_schema_id: 00 and an id (4 bytes, big-endian), or 01 and a GUID (16
 * bytes); the value is bare single-object  C3 01, then the fingerprint (8 bytes, little-endian)
 *   confluent      00 and an id, or 01 and a GUID, then the value
 *   json           an object
 *
 * `auto` looks in this order; a byte that begins none of them is malformed: a bare value has no
 * mark of its own and is never guessed. Where one framing is named, only that is taken.
 *
 * Owner    what framing_read fills borrows from the record, but for the name.     Thread  any.
 */
#ifndef FRAMING_H
#define FRAMING_H
#include "kafka/record.h"
#include "rejection.h"

enum framing {
    FRAMING_AUTO,
    FRAMING_CONFLUENT,
    FRAMING_HEADER,
    FRAMING_SINGLE_OBJECT,
    FRAMING_JSON
};
#define FRAMING_CHOICES "auto|confluent|header|single-object|json"
enum framed_form { FRAMED_JSON, FRAMED_FINGERPRINT, FRAMED_NAME };
enum { FRAMED_NAME_SIZE = 37 };

struct framed {
    enum framed_form form;
    uint64_t fingerprint;        /* FINGERPRINT */
    char name[FRAMED_NAME_SIZE]; /* NAME: "7", or a GUID in lower case */
    struct span body;
};

enum framing framing_named(const char *choice); /* one of FRAMING_CHOICES */
/* false with the rejection set: malformed. */
MUST_USE bool framing_read(enum framing framing, const struct record *record,
                           struct framed *out_framed, struct rejection *rejection);
#endif
