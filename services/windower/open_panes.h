/* open_panes.h: the panes of one shard that are still counted into, found fast, closed in order,
 * saved by what changed.
 *
 * Owner    caller of open_panes_create(); the catalog must outlive it. A pane found is borrowed
 * until the next take. Thread   one at a time. Faults   find, load: TABLE_BEHIND where the contract
 * or its baseline has not been read wholly; load: STATE_MALFORMED. Nothing was changed then. Cost
 * find O(open panes of one model, version, role and revision), in practice the last one again; take
 * O(1) while nothing is due; save O(open panes) + what changed.
 */
#ifndef OPEN_PANES_H
#define OPEN_PANES_H
#include "service/service.h"
#include "window/pane.h"

struct open_panes;
struct open_panes *open_panes_create(const struct catalog *catalog);
/* The pane of this event time; made where there is none yet. */
MUST_USE enum fault open_panes_find(struct open_panes *set, const struct contract *contract,
                                    const struct event *event, enum pane_part part,
                                    struct pane **out_pane);
/* Takes out the panes that close before stream_time_ms, in the order of publishing; the caller
 * destroys each and releases the list. Their stored fields are removed by the next save. */
size_t open_panes_take(struct open_panes *set, int64_t stream_time_ms, struct pane ***out_list);
/* The first offset that an open pane has counted; INT64_MAX: none is open. */
int64_t open_panes_first_offset(const struct open_panes *set);
void open_panes_save(struct open_panes *set, struct changes *changes);
MUST_USE enum fault open_panes_load(struct open_panes *set, const json_t *record);
size_t open_panes_count(const struct open_panes *set);
void open_panes_destroy(struct open_panes *set); /* NULL accepted */
#endif
