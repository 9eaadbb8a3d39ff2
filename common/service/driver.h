/* driver.h: the Kafka and Redis driver of one service, between configure and unwire. Private to
 * common/service.
 *
 * One cycle: take records → fold them → publish → commit outputs, clocks and input offsets in one
 * transaction (off the loop) → when due, write each shard's delta to Redis → again. Whatever goes
 * wrong ends in one place: abort, drop the shards, read their state and the committed offsets,
 * replay silently up to these, go on (driver_rewind).
 *
 *   STARTING ──► IDLE ──► RESTORING ──► RUNNING ◄──► COMMITTING
 *                 ▲            ▲            │             │
 *                 └─ revoked ──┴── ABORTING ◄─────────────┘        any ──► STOPPED
 *
 * Thread   loop thread; `job` runs on a libuv worker and owns sink and source while it does (busy).
 */
#ifndef DRIVER_H
#define DRIVER_H
#include "http/listener.h"
#include "kafka/sink.h"
#include "kafka/source.h"
#include "redis/store.h"
#include "registry/registry.h"
#include "service/digest.h"
#include "service/mark.h"
#include "service/shard.h"

#include <stdatomic.h>

enum driver_state {
    DRIVER_STARTING,  /* tables are not read yet, or the group is not joined */
    DRIVER_IDLE,      /* no partitions */
    DRIVER_RESTORING, /* partitions given; offsets and state are being read */
    DRIVER_RUNNING,
    DRIVER_COMMITTING, /* the job has the transaction; nothing is taken */
    DRIVER_ABORTING,   /* the job gets rid of it, then everything is restored */
    DRIVER_STOPPED,
};

enum driver_arrival { ARRIVAL_BROKER, ARRIVAL_HEADER, ARRIVAL_EVENT_TIME };

/* One shard with its place in Kafka and Redis. */
struct seat {
    struct driver *driver; /* borrowed */
    struct shard *shard;   /* owned; NULL until restored */
    struct shard_input inputs[SERVICE_TOPICS_MAX];
    size_t input_count;
    int64_t
        live_from[SERVICE_TOPICS_MAX]; /* committed offset: what lies before is replayed silently */
    bool committed[SERVICE_TOPICS_MAX];    /* there is a committed offset */
    struct mark marks[SERVICE_TOPICS_MAX]; /* what was committed with it */
    bool reached[SERVICE_TOPICS_MAX];      /* nothing before live_from is left to be replayed */
    bool caught_up[SERVICE_TOPICS_MAX];    /* reached, and stream time is what it was there */
    char *tag;                             /* owned: {plumb:service:topic:partition} */
    char *stored; /* owned: the offset text that Redis holds, "POSITIONS DIGEST"; NULL: not read yet
                   */
    int64_t epoch;
    enum fault distrust;         /* why what Redis holds is not used; NONE: it may be */
    struct store_entry *entries; /* owned: read from Redis or Kafka but not loaded yet */
    size_t entry_count;
    char *positions;         /* owned: endless: the offsets that Kafka's snapshot covers; NULL:
                                not read */
    struct arena *arena;     /* owned: of entries */
    struct digest *digest;   /* owned: of all entries of the state, as they were last saved */
    struct changes *unsaved; /* owned: what Redis does not hold yet */
    int64_t sent_ms;         /* the last clock sent */
    bool clocked;            /* a clock of it is in the transaction: so must its offset be */
    bool ended[SERVICE_TOPICS_MAX];  /* read to its end at least once */
    bool at_end[SERVICE_TOPICS_MAX]; /* nothing more is there to be read for now */
    struct source_message *waiting;  /* owned, [waiting_count]: --arrival event-time: taken from
                                        Kafka, but not from the shard's input: what comes behind
                                        decides how they arrived */
    size_t waiting_count, waiting_capacity, waiting_size;
    int64_t before_ms; /* event time of the event before; 0: none */
    bool writing;      /* a delta is under way */
    int64_t written_ns, write_began_ns, write_cost_ns;
};

struct driver {
    const struct service *service;           /* borrowed */
    const struct option_set *options;        /* borrowed */
    struct metric_set *metrics;              /* borrowed */
    const char *names[TOPIC_COUNT];          /* topic names, by option or default */
    int32_t partitions[TOPIC_COUNT];         /* of inputs, outputs and tables */
    char *group, *client, *transactional_id; /* owned */
    enum driver_arrival arrival;             /* origin services: --arrival */
    int64_t transaction_interval_ns;

    uv_loop_t *loop;
    uv_async_t wake;
    uv_timer_t tick;
    uv_signal_t terminate, interrupt;
    uv_work_t work, probe;
    bool busy, probing, stepping, subscribed, lost;
    enum fault probe_fault;
    int64_t probe_at_ns;
    enum fault (*job)(struct driver *driver); /* what work runs */
    enum fault job_fault;
    struct reason job_reason;
    void (*after_job)(struct driver *driver);

    enum driver_state state;
    struct source *source, *tables; /* owned */
    struct sink *sink;              /* owned */
    struct store *store;            /* owned */
    struct catalog *catalog;        /* owned */
    bool *
        table_ended[TOPIC_COUNT]; /* owned: partitions of tables that were read to their end once */
    size_t tables_left;           /* partitions of tables not read to their end yet */
    struct registry *registry;    /* owned; NULL: none is named, or not by this service */
    struct registry_counts registry_counted;         /* told to the metrics */
    char awaited_schema[REGISTRY_NAME_SIZE_MAX + 1]; /* by the blocked record; "": none */
    char awaited_before[REGISTRY_NAME_SIZE_MAX + 1]; /* the last one, since awaited_since_ns */
    int64_t awaited_since_ns, awaited_said_ns;       /* 0: not said yet */
    int64_t *schemas_end, *schemas_read; /* owned, of model.schemas' partitions: where a replay's
                                            knowledge ends, and what is read */
    struct seat **seats;                 /* owned, [seat_count] */
    size_t seat_count;
    rd_kafka_topic_partition_list_t *assignment; /* owned; NULL: none */
    rd_kafka_topic_partition_list_t *offsets;    /* owned: of the job under way */
    bool revoking;                               /* the group wants the partitions back */
    struct outputs *outputs;                     /* owned */
    struct tally *tally;                         /* owned: counts of this turn of the loop */
    struct changes *changes;                     /* owned */
    struct source_message blocked; /* a record that names what the tables do not hold yet */
    bool transaction_open, taken;  /* taken: something since the last commit */
    int64_t transaction_at_ns;
    int64_t restore_at_ns; /* restoring: not again before */
    int64_t
        restore_since_ns; /* restoring: since when Kafka's snapshot is waited for; 0: it is not */
    bool asked_time;      /* for the broker's, by publishing a clock */
    int64_t stepped_ns;   /* when the loop was last seen to turn; 0: not yet */
    int64_t turned_ns;    /* when records were last asked for; 0: not yet */
    int64_t stalled_ns;   /* when they were for the first time after a stall; 0: none yet */
    bool urgent;          /* outputs that someone waits for are in the transaction */
    bool stopping, abandoned; /* abandoned: second signal, or the drain's deadline */
    int64_t stopping_at_ns;
    int exit_code;
    uint64_t record_count; /* taken live */
    int64_t first_record_ns, last_record_ns;
    size_t ends_left; /* --bounded: partitions not read to their end yet */

    /* Read by the HTTP server's thread. */
    atomic_int ready_tables, ready_group, ready_kafka, ready_redis, ready_records;
    atomic_llong heartbeat_ns;
};

/* loop.c: replaced in a simulation */
void driver_wake(struct driver *driver); /* any thread: the loop calls driver_turn soon */
/* job on another thread, then after on the loop; busy meanwhile. */
void driver_run_job(struct driver *driver, enum fault (*job)(struct driver *driver),
                    void (*after)(struct driver *driver));
void driver_leave(struct driver *driver); /* the loop ends */
void driver_exit(int exit_code);          /* at once: a crash, which is safe */
/* life.c: what an instance is made of, whatever turns its loop */
enum fault driver_open(struct driver *driver, struct reason *out_reason); /* ids and clients */
/* One look at the topics: FAULT_NONE when all are there; TABLE_BEHIND: one is missing. Blocks. */
enum fault driver_find_topics(struct driver *driver, struct reason *out_reason);
/* Whose state is in Redis, now that Kafka answers; then the tables are read. */
enum fault driver_begin_reading(struct driver *driver, struct reason *out_reason);
void driver_close(struct driver *driver); /* half-built accepted; the loop must turn once more */
void driver_say_reachable(atomic_int *flag, bool now, const char *what, const char *why);
struct option_set *driver_options_create(const struct service *service);
struct metric_set *driver_metrics_create(const struct service *service);
/* driver.c */
void driver_turn(struct driver *driver); /* something came: tables, then the step */
void driver_tick(struct driver *driver); /* each 50 ms: all that time asks for */
void driver_step(struct driver *driver); /* does what is next; called after every event */
void driver_stop(struct driver *driver, int exit_code); /* asks for a drain */
void driver_fail(struct driver *driver, enum fault fault, const char *event,
                 const char *text); /* STOP: said, then drained or ended */
enum fault
driver_take(struct driver *driver,
            struct source_message *message); /* one record into its shard; TABLE_BEHIND: kept */
enum fault driver_publish(struct driver *driver); /* its outputs, into the transaction */
/* Folds a message; arrival_ms: of an origin's record that waited, else NULL. See driver_take. */
enum fault driver_fold(struct driver *driver, struct seat *seat,
                       const struct source_message *message, const int64_t *arrival_ms, bool live);
/* arrival.c */
int64_t driver_arrival(const struct driver *driver, const struct seat *seat,
                       const struct source_message *message, const struct record *record);
/* --arrival event-time: takes the message; folds what can be. TABLE_BEHIND: again later. */
enum fault driver_queue(struct driver *driver, struct seat *seat, struct source_message *message);
/* Folds what waits; ended: nothing comes behind it. */
enum fault driver_settle(struct driver *driver, struct seat *seat, bool ended);
/* The replay of an input is done: time is what it was there. TABLE_BEHIND: again later. */
enum fault driver_catch_up(struct driver *driver, struct seat *seat, size_t input);
bool driver_is_caught_up(const struct seat *seat);
/* endless.c: state in service.snapshots */
enum fault driver_publish_endless(struct driver *driver); /* what changed, into the transaction */
enum fault
driver_read_endless(struct driver *driver); /* a job: of seats whose entries are wanted */
/* restore.c */
void driver_restore(struct driver *driver); /* assignment → offsets → state → assign */
void driver_restore_step(struct driver *driver);
void driver_drop_seats(struct driver *driver);
struct seat *driver_seat(struct driver *driver, enum topic topic,
                         int32_t partition); /* NULL: not ours (any more) */
/* transaction.c */
enum fault driver_begin(struct driver *driver);
void driver_commit(struct driver *driver);
void driver_rewind(struct driver *driver); /* abort, then restore */
bool driver_write_state(
    struct driver *driver,
    bool all); /* deltas that are due (or all); true: none is under way or needed */
/* named_schemas.c */
enum fault driver_open_registry(struct driver *driver, struct reason *out_reason);
/* What the blocked record waits for. false: an answer is expected at once. */
bool driver_say_awaited(struct driver *driver);
void driver_observe_registry(struct driver *driver);
enum fault driver_find_schemas_end(struct driver *driver); /* a job */
bool driver_has_schemas(const struct driver *driver);      /* model.schemas is read up to there */
/* status.c */
extern const struct listener_route driver_routes[];
extern const struct metric_row driver_metric_rows[];
void driver_observe(struct driver *driver); /* gauges */
/* tables.c */
enum fault driver_open_tables(struct driver *driver, struct reason *out_reason);
void driver_poll_tables(struct driver *driver);
#endif
