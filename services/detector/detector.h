/* detector.h: compares each closed window with its reference and publishes measurements.
 *
 * One shard per partition of window.panes. A pane adds to each rolling window that a monitor of its
 * contract reads and that contains it: on-time rows in one accumulator, late rows in another. A
 * window is measured at revision 0 when stream time passes its end + lateness (what came on time),
 * and at revision 1 when it passes its end + correction, if something came late (all rows); then it
 * is forgotten (finding.h says which contract's numbers). A window with no rows says nothing.
 *
 * Order of publishing: the time at which the window counts, window end, window start, model,
 * version, role, segment, revision, then the contract's monitors and their columns: the same
 * sequence however time was cut into steps.
 *
 * State    the open windows' accumulators as records of window.panes, and which windows are
 *          measured at revision 0.
 * Cost     handle O(columns · cells) a rolling window; advance O(open windows), and
 *          O(columns · cells) a window that closes.
 */
#ifndef DETECTOR_H
#define DETECTOR_H
#include "service/service.h"

extern const struct service detector_service;
#endif
