/* balance.h: validated events against panes, and panes against measurements.
 *
 * Each closed pane of each partition of inference.validated has as many rows as that partition has
 * validated events of its key, and was published once; panes still open are said to be so. (id,
 * revision) of measurements is unique, and a window of revision 0 counts the rows of its panes.
 * What cannot be told because retention ate one side is out of reach, not lost.
 *
 * Life     partitions are opened, then records told, a topic's in the order of each partition, then
 * balance_settle, once; then the rows are there.
 * Owner    caller of balance_create().     Thread  one at a time.
 * Memory   an account a (pane, partition), the ids of measurements.
 */
#ifndef BALANCE_H
#define BALANCE_H
#include "difference.h"
#include "window/pane.h"

enum balance_count {
    BALANCE_ON_TIME,
    BALANCE_LATE,
    BALANCE_TOO_LATE,
    BALANCE_FUTURE,
    BALANCE_REJECTED,
    BALANCE_DUPLICATE,
    BALANCE_OPEN,
    BALANCE_LOST,         /* rows that a closed pane lacks */
    BALANCE_OUT_OF_REACH, /* retention may have eaten their panes */
    BALANCE_DOUBLED,      /* rows of panes that were published again: beside the equation */
    BALANCE_COUNTS
};

struct balance;
struct balance *balance_create(struct differences *differences); /* borrowed */
/* The log's first offset, of each partition of inference.validated and of window.panes. */
void balance_open_source(struct balance *balance, int32_t partition, int64_t first);
void balance_open_panes(struct balance *balance, int32_t partition, int64_t first);

/* An event that is in no pane, or in none that could be told. model empty: not known. */
void balance_uncounted(struct balance *balance, struct span model, enum balance_count why);
/* An event that belongs into a pane, which closes when stream time passes closes_ms. counts: not,
 * where it is there for the second time or not to be counted yet: the pane must have it all the
 * same. */
void balance_event(struct balance *balance, const struct pane_key *key, int64_t closes_ms,
                   int32_t partition, bool counts);
/* The windower's clock of a partition of inference.validated. */
void balance_clock(struct balance *balance, int32_t partition, int64_t time_ms);
/* A pane's record (chunk 0): rows of that partition of inference.validated, from first_offset on.
 */
void balance_pane(struct balance *balance, const struct pane_key *key,
                  const struct pane_offsets *source, uint64_t rows, struct place place);
/* window: its key with the window's span. */
void balance_measurement(struct balance *balance, const char *id, int32_t revision,
                         const struct pane_key *window, uint64_t n_current, struct place place);

void balance_settle(struct balance *balance);
struct balance_row {
    const char *model; /* "?" : not known */
    uint64_t counts[BALANCE_COUNTS];
};
/* Sorted by model. */
size_t balance_rows(const struct balance *balance);
struct balance_row balance_row(const struct balance *balance, size_t index);
void balance_destroy(struct balance *balance); /* NULL accepted */
#endif
