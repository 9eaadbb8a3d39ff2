/* sim_broker.h: what the sim_*.c files of the simulated Kafka share; the scheduler looks at
 * sim_kafka.h alone.
 *
 * Owner    sim_kafka.c, from sim_kafka_start to sim_kafka_stop.     Thread  one.
 */
#ifndef SIM_BROKER_H
#define SIM_BROKER_H
#include "check/reason.h"
#include "sim_kafka.h"
#include "sim_partition.h"
#include "sim_process.h"

/* ---- Topics (sim_kafka.c) */
struct sim_topic {
    char *name;                 /* owned */
    struct sim_partition *logs; /* owned, [partition_count] */
    int32_t partition_count;
};
struct sim_topic *sim_topic_find(const char *name); /* NULL: none */
/* NULL: no such partition. */
struct sim_partition *sim_topic_log(const char *name, int32_t partition);

/* ---- Steps (sim_kafka.c) */
struct sim_step;
struct sim_step_kind {
    const char *name;
    void (*run)(const struct sim_step *step);
    void (*describe)(const struct sim_step *step, struct reason *out_text); /* NULL: the name */
};
struct sim_step {
    const struct sim_step_kind *kind; /* borrowed */
    void *object;                     /* borrowed: what it happens to */
    size_t detail;
};
void sim_step_add(const struct sim_step_kind *kind, void *object, size_t detail);
/* How long the next fetch of a partition takes; is_behind: it was not read to its end. */
int64_t sim_broker_slow_fetch_ms(bool is_behind);
uint64_t sim_broker_draw(uint64_t below); /* below it, the same for the same seed */
const char *sim_broker_cluster(void);
bool sim_process_is_heard(const struct sim_process *process); /* what it sends arrives */

/* ---- Offsets of a group */
struct sim_group;
struct sim_offset {
    struct sim_group *group;   /* borrowed */
    struct sim_partition *log; /* borrowed */
    int64_t offset;
    char *metadata;    /* owned; NULL: none */
    uint64_t sequence; /* in the order of arriving: of two, the later one holds */
};

/* ---- Transactions, by transactional.id (sim_transaction.c) */
enum sim_transaction_state {
    SIM_TRANSACTION_NONE,
    SIM_TRANSACTION_OPEN,
    SIM_TRANSACTION_COMMITTING, /* decided; markers are still to come */
    SIM_TRANSACTION_ABORTING,
};
struct sim_transaction {
    char *id; /* owned */
    int32_t epoch;
    enum sim_transaction_state state;
    int64_t began_ms;
    int64_t timeout_ms;
    struct sim_partition **logs; /* owned list, borrowed logs: where a marker goes */
    size_t log_count;
    struct sim_group **groups; /* owned list, borrowed groups: likewise */
    size_t group_count;
    struct sim_offset *offsets; /* owned */
    size_t offset_count;
};
struct sim_transaction *sim_transaction_find(const char *id); /* made where it is new */
/* Ends what an older producer left open, and fences it. Returns the new epoch. */
int32_t sim_transaction_init(struct sim_transaction *transaction, int64_t timeout_ms);
/* All below: false: fenced, no effect. A transaction that is decided is completed first. */
bool sim_transaction_enlist(struct sim_transaction *transaction, int32_t epoch,
                            struct sim_partition *log);
bool sim_transaction_enlist_group(struct sim_transaction *transaction, int32_t epoch,
                                  struct sim_group *group);
void sim_transaction_offset(struct sim_transaction *transaction, struct sim_offset offset);
bool sim_transaction_end(struct sim_transaction *transaction, int32_t epoch, bool commit);
/* The same, but the request arrives some time later. */
void sim_transaction_end_later(struct sim_transaction *transaction, int32_t epoch, bool commit);
bool sim_transaction_holds(const struct sim_group *group,
                           const struct sim_partition *log); /* pending */
size_t sim_transaction_count(void);                          /* open or not completed */
void sim_transaction_steps(void);
int64_t sim_transaction_due_ms(void);
void sim_transaction_stop(void);

/* ---- Groups (sim_group.c) */
struct sim_member {
    char *id;      /* owned */
    char **topics; /* owned: what it subscribes to */
    size_t topic_count;
    bool joined;                 /* waits in the rebalance under way, or took part in the last */
    bool given;                  /* its partitions of this generation are not told yet */
    struct sim_partition **logs; /* owned list: its partitions */
    size_t log_count;
    int64_t heard_ms, session_ms;
    bool silent; /* at the last look */
};
struct sim_group {
    char *name; /* owned */
    int32_t generation;
    bool rebalancing;
    struct sim_member **members; /* owned, in the order of coming */
    size_t member_count;
    uint64_t member_sequence;
    struct sim_offset *offsets; /* owned: committed */
    size_t offset_count;
};
struct sim_group *sim_group_find(const char *name); /* made where it is new */
struct sim_member *sim_group_member(const struct sim_group *group, const char *id);
/* member NULL: a new one. Returns it, joined. */
struct sim_member *sim_group_join(struct sim_group *group, struct sim_member *member,
                                  const char *client, int64_t session_ms);
void sim_group_leave(struct sim_group *group, struct sim_member *member);
/* Whether the offsets of a transaction are taken from a member with this identity. */
bool sim_group_admits(const struct sim_group *group, const char *member_id, int32_t generation);
uint64_t sim_group_sequence(void); /* the next */
/* Takes the offset's metadata. */
void sim_group_commit(struct sim_group *group, struct sim_offset offset);
const struct sim_offset *sim_group_offset(const struct sim_group *group,
                                          const struct sim_partition *log); /* NULL: none */
void sim_group_hush(void); /* all members are silent until heard */
void sim_group_steps(void);
int64_t sim_group_due_ms(void);
void sim_group_stop(void);

/* ---- Clients (sim_source.c, sim_sink.c) */
void sim_source_hear(void); /* heartbeats of all that are heard now */
void sim_source_steps(void);
int64_t sim_source_due_ms(void);
void sim_source_forget(const struct sim_process *process); /* NULL: all */
void sim_sink_steps(void);
int64_t sim_sink_due_ms(void);
void sim_sink_forget(const struct sim_process *process); /* NULL: all */
#endif
