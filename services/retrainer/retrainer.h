/* retrainer.h: asks for a new training when what the contract names has lasted: at most one trigger
 * per model and cool-down, never on broken data, naming the exact data.
 *
 * One shard per partition number of alerts and measurements together. Records of both wait until
 * the stream times of both topics have passed them, then act by time, alerts before measurements of
 * the same time, alerts by (fingerprint, window end), measurements in finding_order(): any
 * interleaving gives the same triggers.
 *
 * Rule (per model, version and role, for each condition of `retrain: when`): an alert of that class
 * fires with at least that severity, and for `for` decided windows of its group, one after the
 * other and from its window on, a measurement of one of its columns was in BREACH and reached the
 * severity. A decided window without such a measurement begins the count anew, a resolve ends it.
 * Windows count in their order: what a correction says of a window already decided changes nothing.
 * All alerts that are ready at one time make one trigger. Blocked by data_quality (a quality alert
 * of the model fires CRITICAL), cooldown or budget, it is refused, said once an episode (an alert's
 * firing period), and tried again with each further window that counts. An episode makes at most
 * one trigger.
 *
 * State    records waiting, both stream times, open alerts with their counted windows, times of the
 *          last triggers a model.
 * Cost     handle O(1); advance O(waiting log waiting), and O(open alerts) a time at which
 * something is ready.
 */
#ifndef RETRAINER_H
#define RETRAINER_H
#include "service/service.h"

extern const struct service retrainer_service;
#endif
