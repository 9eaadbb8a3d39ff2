/* windower.h: counts validated events into panes and publishes each pane when it closes.
 *
 * One shard per partition of inference.validated. An event goes into exactly one pane: of its
 * model, version, role and contract revision (as the validator stamped it), of the pane that its
 * event time lies in, on time or late as the validator found. On-time panes close when stream time
 * passes their end + lateness, late ones when it passes end + correction: nothing that belongs to
 * them can follow (DESIGN.md 2.4). Too late and future events and duplicates are only counted: seen
 * = on_time + late + too_late + future + rejected + duplicate. Labels and pairs are not counted
 * here.
 *
 * Order of publishing: the time at which a pane closes, then its key: the same sequence however
 * time was cut into steps. State: the open panes, as records of window.panes (field =
 * pane_key_write, further chunks with #1, #2 …). Cost: handle O(columns · log cells); advance O(1)
 * while nothing is due.
 */
#ifndef WINDOWER_H
#define WINDOWER_H
#include "service/service.h"

extern const struct service windower_service;
#endif
