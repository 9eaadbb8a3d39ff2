/* outlook.h: what a service would do with a shard at its start, and what it takes to make it start.
 *
 * The rules are those of common/service/restore.c and endless.c, over facts that were read without
 * disturbing anything: where Redis's state stands (S), where Kafka's offsets do (K) with their
 * marks, what the log still has, and which snapshot service.snapshots holds. Not judged are entries
 * whose checksum is right and which the service all the same cannot load: they are rebuilt.
 *
 * Thread   any (pure).
 */
#ifndef OUTLOOK_H
#define OUTLOOK_H
#include "service/mark.h"
#include "service/service.h"

struct outlook_input {
    enum topic topic;
    int32_t partition, partitions; /* partitions: of the topic now */
    int64_t committed;             /* K; -1: none */
    struct mark mark;              /* what was committed with it */
    int64_t first, end;            /* of the log */
};

struct outlook_facts {
    bool endless;
    struct outlook_input inputs[SERVICE_TOPICS_MAX];
    size_t input_count;
    /* An input of the service whose partition count is not that of its mark; TOPIC_NONE: none is.
     * It stops all its shards. */
    enum topic changed;
    int32_t changed_was, changed_now;
    bool stored;        /* Redis has the shard */
    bool foreign;       /* … and it is another owner's */
    bool damaged;       /* … and an entry's checksum or the offset is wrong */
    bool has_positions; /* … and it stands at: */
    int64_t positions[SERVICE_TOPICS_MAX];
    bool has_head; /* endless: service.snapshots has the shard's head, which stands at: */
    int64_t head[SERVICE_TOPICS_MAX];
    bool head_is_whole; /* … and all its entries are there */
    size_t head_found;  /* entries that are there */
};

enum outlook_kind {
    OUTLOOK_RESUMES,  /* at S = K */
    OUTLOOK_REPLAYS,  /* S..K */
    OUTLOOK_REBUILDS, /* from where the mark says, with nothing */
    OUTLOOK_SNAPSHOT, /* reads service.snapshots at K */
    OUTLOOK_BEGINS,   /* nothing was committed: from the log's beginning */
    OUTLOOK_REFUSED
};
struct outlook {
    enum outlook_kind kind;
    enum fault fault; /* REFUSED: STATE_AHEAD, PARTITIONS_CHANGED, STATE_FOREIGN, STATE_GAP */
    int64_t from[SERVICE_TOPICS_MAX]; /* the first offset that is read; not where REFUSED */
    struct reason text;               /* for people */
};
struct outlook outlook_of(const struct outlook_facts *facts);
const char *outlook_kind_name(enum outlook_kind kind); /* "resumes" … "refused" */

/* What a reset does with one shard. */
struct outlook_repair {
    bool deletes;     /* what Redis holds of it */
    bool writes_head; /* endless: an empty snapshot at the offsets then committed */
    struct outlook_repair_input {
        bool commits; /* `offset` and `mark` */
        int64_t offset;
        struct mark mark;
        bool anew;        /* the log ends before K: the topic was made anew */
        int64_t skipped;  /* offsets that were never read and are gone */
        int64_t unopened; /* offsets that open windows would be rebuilt from and that are gone */
    } inputs[SERVICE_TOPICS_MAX];
    struct outlook after; /* what the service does then: never REFUSED */
};
/* all: also a shard that would start as it is. */
struct outlook_repair outlook_repair(const struct outlook_facts *facts, bool all);

/* "inference.validated:3=1200[,…]" in the inputs' order; false: something else. */
bool outlook_positions_read(const struct outlook_facts *facts, const char *text,
                            int64_t out_positions[SERVICE_TOPICS_MAX]);
void outlook_positions_write(const struct outlook_facts *facts, const int64_t *positions,
                             struct buffer *out);
#endif
