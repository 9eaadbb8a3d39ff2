/* sim_partition.h: one partition of the simulated Kafka: records, who wrote them, and what became
 * of them.
 *
 * A record of a transaction is open until the marker of its producer is written; the marker takes
 * an offset too. Records are shared (refs) with the messages that hold them.
 *
 * Owner    sim_topic.     Thread  one.
 * Cost     append O(1) amortised; decide O(records since the transaction's first).
 */
#ifndef SIM_PARTITION_H
#define SIM_PARTITION_H
#include "kafka/record.h"

enum sim_mark {
    SIM_MARK_PLAIN, /* of no transaction */
    SIM_MARK_OPEN,
    SIM_MARK_COMMITTED,
    SIM_MARK_ABORTED,
    SIM_MARK_CONTROL, /* the marker itself */
};
struct sim_bytes { /* a record's content, in one piece of memory */
    size_t refs;
    int64_t time_ms;
    struct span key, value; /* into this piece, as the headers */
    struct header *headers;
    size_t header_count;
};
struct sim_entry {
    struct sim_bytes *bytes; /* shared (refs); NULL: a marker */
    const void *writer;      /* borrowed: the transaction, while open */
    enum sim_mark mark;
};
struct sim_open {
    const void *writer; /* borrowed */
    int64_t offset;     /* of its first record here */
};
struct sim_partition {
    const char *topic; /* borrowed */
    int32_t partition;
    int64_t start;             /* offset of entries[first] */
    struct sim_entry *entries; /* owned */
    size_t first, count, capacity;
    struct sim_open *open; /* owned */
    size_t open_count;
};

struct sim_bytes *sim_bytes_create(const struct record *record, int64_t time_ms); /* one ref */
struct sim_bytes *sim_bytes_share(struct sim_bytes *bytes);
void sim_bytes_release(struct sim_bytes *bytes); /* NULL accepted */

/* Takes one ref of bytes. writer NULL: of no transaction. Returns the offset. */
int64_t sim_partition_append(struct sim_partition *log, struct sim_bytes *bytes,
                             const void *writer);
/* The writer's marker: what is open of it is committed or aborted. */
void sim_partition_decide(struct sim_partition *log, const void *writer, bool commit);
int64_t sim_partition_end(const struct sim_partition *log);
int64_t sim_partition_stable(const struct sim_partition *log); /* the last stable offset */
const struct sim_entry *sim_partition_at(const struct sim_partition *log, int64_t offset);
void sim_partition_trim(struct sim_partition *log, int64_t offset);
void sim_partition_fini(struct sim_partition *log);
#endif
