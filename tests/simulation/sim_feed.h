/* sim_feed.h: the producers: sends the log of a seed to the simulated Kafka.
 *
 * Where headers say when records arrived they are sent in batches of random size, a clock behind
 * each; the last tenth waits until the faults have struck: they need traffic. Where the broker says
 * it, a record is sent when its time has come, and nobody sends clocks.
 *
 * Owner    the scheduler (simulation.c).     Thread  one.
 */
#ifndef SIM_FEED_H
#define SIM_FEED_H
#include "sim_log.h"

#include <stdbool.h>

struct sim_feed {
    const struct sim_log *log; /* borrowed */
    uint64_t *random;          /* borrowed: the schedule's */
    int32_t partitions;
    size_t batch;  /* about so many at a time */
    size_t fed;    /* records of the log */
    int64_t at_ms; /* when it goes on; INT64_MAX: all is sent */
};
void sim_feed_tables(const struct sim_log *log); /* contracts and baselines */
void sim_feed_go_on(struct sim_feed *feed, bool faults_are_over);
#endif
