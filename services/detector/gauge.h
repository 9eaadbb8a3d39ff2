/* gauge.h: measures one closed window by the monitors of its contract.
 *
 * Every monitor of the window's length × each of its columns gives one measurement; of two monitors
 * that would measure the same, the one that contract_monitor() names. Drift: PSI against the
 * baseline (native cells). Quality: shares of rows.
 *
 * Thread   any (pure).
 * Cost     O(columns · cells).
 */
#ifndef GAUGE_H
#define GAUGE_H
#include "window/pane.h"

enum { GAUGE_ROWS_MIN = 30, GAUGE_CONTRIBUTIONS_MAX = 5 };

/* A new JSON array of values by schema measurements, in the order of the monitors and their
 * columns. The window's contract is that of the pane's layout; revision: 0 on time, 1 corrected. */
json_t *gauge_measure(const struct pane *window, int32_t revision);
#endif
