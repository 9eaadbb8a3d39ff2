/* sim_pace.h: how time goes by in the log of one seed: when records arrive, and when what they tell
 * of happened: on time, late, too late, ahead of their arrival, and on each of these bounds.
 *
 * Where a header says when a record arrived, the log spans more than an hour and is sent as fast as
 * may be. Where the broker does, simulated time has to go by: a minute is 1.2 s there, in
 * contracts, too, and records come in bursts with pauses between, in which partitions are idle.
 *
 * Owner    the log being made.     Thread  one.
 */
#ifndef SIM_PACE_H
#define SIM_PACE_H
#include "sim_model.h"

enum sim_arrival { SIM_ARRIVAL_HEADER, SIM_ARRIVAL_BROKER };
struct sim_pace {
    enum sim_arrival arrival;
    int64_t minute_ms;
    int64_t first_ms, middle_ms;   /* the first arrival; where the second revision takes effect */
    int64_t arrival_ms;            /* of the record that is made now */
    const struct sim_terms *terms; /* borrowed: [SIM_REVISION_COUNT] */
};
/* Draws the first arrival of a log of so many events. */
void sim_pace_init(struct sim_pace *pace, enum sim_arrival arrival, uint64_t *random,
                   size_t events);
void sim_pace_go_on(struct sim_pace *pace, uint64_t *random); /* to the next event's arrival */
void sim_pace_be_quiet(struct sim_pace *pace);                /* so long that windows are empty */
/* When an event happened that arrives now; on a bound the arrival is moved, too. */
int64_t sim_pace_event_time(struct sim_pace *pace, uint64_t *random);
/* Which event's id this one has: some come again, some of them soon, some after the horizon. */
size_t sim_pace_again(uint64_t *random, size_t index);
int64_t sim_pace_close_ms(const struct sim_pace *pace); /* every window begun closes before */
#endif
