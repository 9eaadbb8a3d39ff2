/* sim_instance.h: one instance of a service in the simulation: the real driver, with this scheduler
 * in the place of its event loop.
 *
 * It defines what service/loop.c defines. A job (which runs on another thread in a real process) is
 * two steps here: it runs, and its end is heard; ticks come between.
 *
 * Life     init once; then it is started, killed, stopped, and started again.
 * Owner    the scheduler (simulation.c).     Thread  one.
 */
#ifndef SIM_INSTANCE_H
#define SIM_INSTANCE_H
#include "service/driver.h"
#include "sim_process.h"

enum sim_life {
    SIM_DOWN,     /* started at start_at_ms */
    SIM_STARTING, /* looks for its topics, takes its producer's identity */
    SIM_UP,
    SIM_GONE, /* for good */
};

struct sim_instance {
    struct sim_process process;
    const struct service *service; /* borrowed */
    struct option_set *options;    /* owned */
    struct metric_set *metrics;    /* owned */
    struct driver *driver;         /* owned; NULL: down */
    enum sim_life life;
    bool woken, job_waits, job_ended, left;
    int64_t start_at_ms, tick_at_ms;
    int64_t resume_at_ms;                 /* paused: goes on then; a spare: is killed then */
    int64_t answered_at_ms;               /* its job waits for a time-out until then */
    int64_t kafka_back_ms, redis_back_ms; /* when an outage of this process ends */
    int exit_code;
    uint64_t starts;
};

/* number tells instances of a service apart; those of the same number have the same identity.
 * arguments: further options, NULL-ended. */
void sim_instance_init(struct sim_instance *instance, const struct service *service, int number,
                       const char *const *arguments);
bool sim_instance_can_step(const struct sim_instance *instance);
/* One thing that it can do now, chosen by `choice`. */
void sim_instance_step(struct sim_instance *instance, uint64_t choice);
/* What time brings: it is started, goes on after a pause, ticks, is reached again. */
void sim_instance_time(struct sim_instance *instance);
/* The next time at which sim_instance_time does something. */
int64_t sim_instance_due_ms(const struct sim_instance *instance);
void sim_instance_kill(struct sim_instance *instance, int64_t start_at_ms); /* not from its code */
void sim_instance_stop(struct sim_instance *instance);                      /* SIGTERM */
bool sim_instance_is_replaying(const struct sim_instance *instance);
/* What others do while a call of some instance blocks; NULL: nothing. */
extern void (*sim_instance_meanwhile)(void);
void sim_instance_fini(struct sim_instance *instance);
#endif
