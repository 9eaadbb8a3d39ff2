/* pane.h: the smallest window of one (model, version, role, segment, contract revision, feed, part)
 * on one partition: counts by cells, exact sums, minima and maxima. Merges exactly, in any order
 * (DESIGN.md 2.5).
 *
 * Also what the detector keeps for an open window: a window is a merge of panes, same struct,
 * longer span. Record: schemas/window.panes.avsc. Split by columns below 512 KiB: records of one
 * pane carry chunk and chunks, and merge like panes do (events and offsets only in chunk 0).
 *
 * Owner    caller of pane_create(); the layout must outlive it.
 * Thread   one at a time.
 * Faults   add_record: RECORD_MALFORMED with a reason; the pane is unchanged.
 * Memory   columns * (2 exact sums + 8 bytes a cell).
 * Cost     add O(columns · log cells).
 */
#ifndef PANE_H
#define PANE_H
#include "memory/buffer.h"
#include "statistic/exact_sum.h"
#include "window/layout.h"

enum pane_feed { FEED_VALIDATED, FEED_LABELLED, FEED_COMPARED };
enum pane_part { PART_ON_TIME, PART_LATE };

struct pane_key {                        /* all borrowed; pane_create copies */
    struct span model, version, segment; /* segment empty: none (null) */
    enum event_role role;
    enum pane_feed feed;
    enum pane_part part;
    int32_t revision;         /* of the contract */
    int64_t start_ms, end_ms; /* [start, end) */
};

struct pane_offsets { /* what was counted, as a span of inference.validated: partition, first and
                         last offset */
    int32_t partition;
    int64_t first, last;
};

struct pane_column {
    uint64_t *cells; /* owned, [cells_count(layout column)]; a row is in exactly one */
    struct exact_sum sum, squares; /* finite numbers only, as are the next three */
    double minimum, maximum;       /* valid where finite > 0 */
    uint64_t finite;
    /* Violations of the contract, by kind, as the validator let them through (schemas/reasons.def):
     * range; values: unseen_value; nulls: null_value and missing_column; type: type_mismatch and
     * not_a_number. */
    uint64_t range, values, nulls, type;
};

struct pane {
    struct pane_key key; /* spans of `text` */
    uint8_t *text;       /* owned */
    const struct layout *layout;
    uint64_t events;
    struct pane_offsets *offsets; /* owned, ascending by partition, [offsets_count] */
    size_t offsets_count;
    struct pane_column *columns; /* owned, [layout->column_count] */
    bool changed;                /* since the last save of state: for delta snapshots */
};

struct pane *pane_create(const struct pane_key *key, const struct layout *layout);
/* Reasons that the validator let through: (column name, reason name) pairs of this event. */
struct pane_violation {
    struct span column, reason;
};
void pane_add(struct pane *pane, const struct event *event, const struct pane_violation *violations,
              size_t violation_count, int32_t partition, int64_t offset);
void pane_merge(struct pane *into, const struct pane *from); /* same layout cells (REQUIRE) */
/* A text that is unique to the key, for tables and Redis fields:
 * "model|version|role|segment|revision|feed|part|start|end" with % and | escaped as %25 and %7C.
 * Appends to out. */
void pane_key_write(const struct pane_key *key, struct buffer *out);
/* Records of this pane for window.panes, each below 512 KiB encoded: a JSON array (new reference)
 * of values by schema window.panes. */
json_t *pane_records(const struct pane *pane);
/* The key of a record, borrowing from it. false: the record does not fit. */
bool pane_record_key(const json_t *record, struct pane_key *out_key);
/* Adds a record (of window.panes, or one kept as state) into a pane of the same key span or of a
 * window that contains it. RECORD_MALFORMED where its cells do not fit the layout. */
MUST_USE enum fault pane_add_record(struct pane *pane, const json_t *record,
                                    struct reason *out_reason);
void pane_destroy(struct pane *pane);            /* NULL accepted */
const char *pane_feed_name(enum pane_feed feed); /* "VALIDATED" */
const char *pane_part_name(enum pane_part part); /* "ON_TIME" */
#endif
