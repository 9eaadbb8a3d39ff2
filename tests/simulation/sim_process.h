/* sim_process.h: one simulated process: who calls into the simulated Kafka and Redis, and what
 * becomes of each call.
 *
 * The whole simulation is one thread: before any code of an instance runs, the scheduler makes its
 * process the current one; what that code opens (source, sink, link) belongs to the process. Each
 * call first asks sim_process_fate(): the scheduler's plan decides whether it goes well.
 *
 * A process that is dead goes on running its C code until it returns to the scheduler, but no call
 * of it has an effect any more, as if it had been killed in that call.
 *
 * Owner    the scheduler (simulation.c).     Thread  one.
 */
#ifndef SIM_PROCESS_H
#define SIM_PROCESS_H
#include <stdbool.h>
#include <stdint.h>

/* The calls of a service into the outside world, in the order of a commit cycle. */
enum sim_call {
    SIM_OFFSETS_READ, /* committed offsets: in restore */
    SIM_STATE_READ,   /* Redis: the snapshot is read and an epoch taken: in restore */
    SIM_POLL,         /* a record is taken: in replay, or live */
    SIM_BEGIN,        /* a transaction is begun */
    SIM_PUBLISH,      /* a record goes into the transaction */
    SIM_SEND_OFFSETS, /* input offsets go into the transaction */
    SIM_COMMIT,
    SIM_ABORT,
    SIM_INIT,        /* the producer takes its identity and fences older ones */
    SIM_STATE_WRITE, /* Redis: a delta arrives at the server */
    SIM_STATE_REPLY, /* Redis: the answer to it is delivered */
    SIM_CALL_COUNT
};
const char *sim_call_name(enum sim_call call); /* "send_offsets" */

enum sim_fate {
    SIM_GOES_WELL,
    SIM_DIES_BEFORE, /* the process is dead: the call has no effect */
    SIM_DIES_AFTER,  /* the call has its effect, then the process is dead */
    SIM_FAILS,       /* no effect; a time-out or a lost connection is reported */
    SIM_IS_LOST,     /* the call has its effect, but a time-out is reported: outcome unknown */
    SIM_IS_REFUSED,  /* no effect; Kafka: an abortable error; Redis: an error reply (MISCONF) */
};

struct sim_process {
    char name[64];         /* "plumb-windower-1" */
    bool dead;             /* no call has an effect */
    bool paused;           /* SIGSTOP: it runs no code, sends no heartbeats */
    bool kafka_is_away;    /* every call to Kafka times out, no heartbeats arrive */
    bool redis_is_away;    /* nothing goes to Redis or comes from it */
    int64_t wall_ahead_ms; /* its machine's clock is so much ahead of the broker's */
    void *plan;            /* borrowed: the scheduler's */
};
struct sim_process *sim_process_current(void);
void sim_process_enter(struct sim_process *process); /* NULL: the scheduler itself */
/* What becomes of this call; sets process->dead where it dies before (after: by sim_process_end).
 */
enum sim_fate sim_process_fate(struct sim_process *process, enum sim_call call);
/* The scheduler's: the plan behind sim_process_fate (NULL: all goes well), and what happens while a
 * call of this process blocks for so long before it times out (NULL: nothing). */
extern enum sim_fate (*sim_process_plan)(struct sim_process *process, enum sim_call call);
extern void (*sim_process_blocked)(struct sim_process *process, int64_t duration_ms);
void sim_process_block(struct sim_process *process, int64_t duration_ms);
void sim_process_end(struct sim_process *process,
                     enum sim_fate fate); /* dead where it dies after */

/* Simulated time: clock/wall.h is answered from it. Both clocks move together; each process reads
 * the wall clock of its own machine. */
void sim_clock_set(int64_t now_ms);
int64_t sim_clock_now_ms(void);
#endif
