/* alerter.h: turns measurements into alerts: one open alert per cause, with owner, severity,
 * runbook and evidence.
 *
 * One shard per partition of measurements. Measurements wait until stream time passes the time at
 * which they count (finding.h), then act in finding_order(): any interleaving of the same records
 * gives the same alerts. All measurements of one group in one window are decided together
 * (group.h). A window acts once a column: by its first revision with enough data; later ones
 * correct the record only.
 *
 * State    measurements waiting; groups in which something breaches; which columns of a window have
 *          acted, until its last revision has counted.
 * Cost     handle O(1); advance O(waiting log waiting + windows that may still be corrected).
 */
#ifndef ALERTER_H
#define ALERTER_H
#include "service/service.h"

extern const struct service alerter_service;
#endif
