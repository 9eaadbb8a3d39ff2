/* known_writers.h: the schemas that one shard's records were written with, found by what the
 * records say of them, and announced to those who read after us.
 *
 * A fingerprint is looked up in the catalog. An id or GUID is, too: what model.schemas says of it
 * here, else what the registry answers. That answer goes into model.schemas in the same transaction
 * as the first record read by it, with that record's offset: so a restart without the registry, a
 * replay and every other instance know what this shard knew, from there on and not before.
 *
 * Owner    embedded in the shard: known_writers_open … known_writers_close.
 * Faults   find: TABLE_BEHIND: an answer is awaited, nothing was changed.
 * Memory   one writer a schema, one entry an id.
 */
#ifndef KNOWN_WRITERS_H
#define KNOWN_WRITERS_H
#include "container/table.h"
#include "framing.h"
#include "model/catalog.h"
#include "service/service.h"
#include "writer.h"

struct known_writer {
    struct writer *writer; /* owned */
    bool announced;        /* the validated record's schema is where readers find it */
};
struct known_writers {
    const struct catalog *catalog; /* borrowed */
    enum writer_kind kind;
    struct table *by_fingerprint; /* owned: → owned struct known_writer */
    struct table *by_name; /* owned: id or GUID, once announced → borrowed from the above */
};

void known_writers_open(struct known_writers *writers, const struct catalog *catalog,
                        enum writer_kind kind);
/* *out_known NULL with the rejection set: the schema is unknown, or cannot be read. */
MUST_USE enum fault known_writers_find(struct known_writers *writers, const struct record *record,
                                       const struct framed *framed, struct known_writer **out_known,
                                       struct rejection *rejection);
/* The schema of its validated records, where readers find it. */
void known_writers_announce(struct known_writers *writers, struct known_writer *known,
                            struct outputs *outputs);
/* What this record calls its schema, and the schema. */
void known_writers_announce_name(struct known_writers *writers, const struct record *record,
                                 const char *id, struct known_writer *known,
                                 struct outputs *outputs);
void known_writers_close(struct known_writers *writers);
#endif
