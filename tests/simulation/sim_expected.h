/* sim_expected.h: what an undisturbed run of a log says: alerts, triggers and decisions of a
 * simulated run are compared with it.
 *
 * Where the broker says when records arrived, it is fed with what the validator stamped them with
 * (read back from the simulated Kafka), dead letters with their append time, in the order of these.
 *
 * Owner    the scheduler (simulation.c).     Thread  one.
 */
#ifndef SIM_EXPECTED_H
#define SIM_EXPECTED_H
#include "service/service.h"
#include "sim_dump.h"

/* services: NULL-ended, the validator first. Into the dump. */
void sim_expected_run(const struct service *const *services, const struct sim_log *log,
                      struct sim_dump *dump);
#endif
