/* rolling.h: an open rolling window: what its panes add up to, apart by contract revision and by
 * part (on time, late).
 *
 * Owner    caller of rolling_create(). Layouts must outlive it.
 * Thread   one at a time.
 * Faults   add: RECORD_MALFORMED; the window is as before.
 * Memory   one struct pane a (contract revision, part): two, but where a contract changed within
 * the window.
 */
#ifndef ROLLING_H
#define ROLLING_H
#include "service/service.h"
#include "window/pane.h"

struct rolling_part {
    struct pane *pane; /* owned */
    size_t stored;     /* entries that the last save left in the stored state */
};

struct rolling {
    struct rolling_part *parts; /* owned, ascending by contract revision, then part; [part_count] */
    size_t part_count;
    int64_t since; /* the first offset of window.panes that is in it */
    bool closed;   /* measured at revision 0 */
    bool changed;  /* closed or since, since the last save */
    bool stored;   /* the last save left both in the stored state */
};

struct rolling *rolling_create(int64_t since);
/* The window's name: its key with contract revision 0 and part ON_TIME, as pane_key_write has it.
 * Appends to out. */
void rolling_name_write(const struct pane_key *window, struct buffer *out);
/* Adds a record into the accumulator of its contract revision and part; `window` is the record's
 * key with the window's span. */
MUST_USE enum fault rolling_add(struct rolling *rolling, const struct pane_key *window,
                                const struct layout *layout, const json_t *record);
/* The accumulator of the highest contract revision. REQUIREs a part. */
const struct pane *rolling_newest(const struct rolling *rolling);
bool rolling_has_late(const struct rolling *rolling);
/* What a revision of the window is measured from, by the layout of the highest contract revision
 * with rows in it: on-time parts for 0, all for 1. Parts whose cells differ are left out, their
 * rows counted. NULL: no rows. Caller destroys. */
struct pane *rolling_total(const struct rolling *rolling, int32_t revision, uint64_t *out_left_out);
/* Entries "pane|KEY|CHUNK" (records of window.panes) and "closed|NAME" of what changed. */
void rolling_save(struct rolling *rolling, struct span name, struct changes *changes);
/* The fields that the stored state holds for it, zero-terminated one after the other. Appends to
 * out. */
void rolling_fields_write(const struct rolling *rolling, struct span name, struct buffer *out);
void rolling_destroy(struct rolling *rolling); /* NULL accepted */
#endif
