/* sim_fault.h: the faults of one seed: what happens to whom at which step of the commit cycle.
 *
 * One fault at a time is armed: a kind, a victim, a cell. It strikes when the victim next comes to
 * that cell; what it does (a pause, an outage) may last while later ones strike. Cells that a
 * service seldom comes to (restore, replay) are brought about first, by a crash that counts too.
 *
 * Owner    the scheduler (simulation.c).     Thread  one.
 */
#ifndef SIM_FAULT_H
#define SIM_FAULT_H
#include "sim_instance.h"

/* Steps of the commit cycle between which a fault strikes. */
enum sim_cell {
    SIM_CELL_PUBLISHED, /* outputs are published, send_offsets comes next */
    SIM_CELL_OFFSETS,   /* offsets are in the transaction, commit comes next */
    SIM_CELL_COMMITTED, /* the transaction is committed, the snapshot comes to Redis next */
    SIM_CELL_SNAPSHOT,  /* Redis has the snapshot, its answer comes next */
    SIM_CELL_ANSWERED,  /* the answer has come */
    SIM_CELL_RESTORE,   /* the committed offsets or the state are being read */
    SIM_CELL_REPLAY,    /* records before the committed offset are read again */
    SIM_CELL_COUNT
};

enum sim_fault_kind {
    SIM_FAULT_CRASH,           /* kill -9 */
    SIM_FAULT_STOP,            /* SIGTERM, and started again */
    SIM_FAULT_PAUSE,           /* SIGSTOP, shorter than the session */
    SIM_FAULT_ZOMBIE,          /* SIGSTOP, longer than the session, then it goes on */
    SIM_FAULT_TWIN,            /* another process with the same identity */
    SIM_FAULT_NEWCOMER,        /* an instance more, for a while: rebalances */
    SIM_FAULT_KAFKA_AWAY,      /* for this process */
    SIM_FAULT_KAFKA_REFUSES,   /* the call: an error that ends the transaction */
    SIM_FAULT_KAFKA_FAILS,     /* the call: no effect, a time-out */
    SIM_FAULT_KAFKA_LOSES,     /* the call: it took effect, or will, and a time-out */
    SIM_FAULT_REDIS_AWAY,      /* for this process */
    SIM_FAULT_REDIS_CUT,       /* the connection, with all that is unanswered */
    SIM_FAULT_REDIS_REFUSES,   /* writes, for a while */
    SIM_FAULT_REDIS_TAIL,      /* killed: the last second is lost */
    SIM_FAULT_REDIS_OLD,       /* an older copy is restored */
    SIM_FAULT_REDIS_PROMOTED,  /* a stale replica: old data, no scripts, new connections */
    SIM_FAULT_REDIS_FLUSHED,   /* FLUSHALL */
    SIM_FAULT_REDIS_NO_SCRIPT, /* SCRIPT FLUSH */
    SIM_FAULT_KIND_COUNT
};
const char *sim_fault_name(enum sim_fault_kind kind);
const char *sim_cell_name(enum sim_cell cell);
/* Some calls fail only where they are made. */
bool sim_fault_applies(enum sim_fault_kind kind, enum sim_cell cell);

struct sim_faults {
    struct sim_instance *instances; /* borrowed, [instance_count]: the services' own, then spares */
    size_t instance_count, own_count;
    uint64_t random;
    bool stalls;                   /* the favourite is one that makes time pass without records */
    enum sim_fault_kind favourite; /* of this seed: half of its faults; what only comes of several
                                      of one kind is found so */
    unsigned wanted;               /* how many are to strike */
    unsigned struck;               /* how many have */
    bool armed;
    enum sim_fault_kind kind;
    enum sim_cell cell;
    size_t victim;
    bool ready;              /* the victim has been brought to where the cell can come */
    bool answered;           /* an answer came since it was armed */
    int64_t next_at_ms;      /* armed then; where armed: given up then */
    int64_t refuse_until_ms; /* Redis refuses writes until then; 0: it does not */
    uint32_t counts[SIM_FAULT_KIND_COUNT][SIM_CELL_COUNT];
    bool trace;
};
void sim_faults_begin(struct sim_faults *faults);
/* Arms, gives up, ends outages; at least at each due time. */
void sim_faults_time(struct sim_faults *faults);
int64_t sim_faults_due_ms(const struct sim_faults *faults);
bool sim_faults_are_over(const struct sim_faults *faults);
void sim_faults_end(struct sim_faults *faults); /* everything is as it should be from now on */
#endif
