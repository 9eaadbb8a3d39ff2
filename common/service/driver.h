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

/* One shard with its place in Kafka and Redis. */
struct seat {
    struct driver *driver; /* borrowed */
    struct shard *shard;   /* owned; NULL until restored */
    struct shard_input inputs[SERVICE_TOPICS_MAX];
    size_t input_count;
    int64_t
        live_from[SERVICE_TOPICS_MAX]; /* committed offset: what lies before is replayed silently */
    bool caught_up[SERVICE_TOPICS_MAX]; /* the replay of this input is done */
    char *tag;                          /* owned: {plumb:service:topic:partition} */
    char *stored; /* owned: the offset text that Redis holds; NULL: not read yet */
    int64_t epoch;
    struct store_entry *entries; /* owned: read but not loaded yet */
    size_t entry_count;
    struct arena *arena; /* owned: of entries */
    int64_t sent_ms;     /* the last clock sent */
    int64_t kept_ms;     /* the last clock that is in the metadata of a committed offset */
    bool ended[SERVICE_TOPICS_MAX];  /* read to its end at least once */
    bool at_end[SERVICE_TOPICS_MAX]; /* nothing more is there to be read for now */
    bool writing;                    /* a delta is under way */
    int64_t written_ns, write_began_ns, write_cost_ns;
    struct source_message
        *held; /* owned: live records of a joined shard that wait for its other inputs' replay */
    size_t held_count, held_capacity;
};

struct driver {
    const struct service *service;           /* borrowed */
    const struct option_set *options;        /* borrowed */
    struct metric_set *metrics;              /* borrowed */
    const char *names[TOPIC_COUNT];          /* topic names, by option or default */
    int32_t partitions[TOPIC_COUNT];         /* of inputs, outputs and tables */
    char *group, *client, *transactional_id; /* owned */
    bool arrival_is_header;                  /* origin services: --arrival header */
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
    struct seat **seats;          /* owned, [seat_count] */
    size_t seat_count;
    rd_kafka_topic_partition_list_t *assignment; /* owned; NULL: none */
    rd_kafka_topic_partition_list_t *offsets;    /* owned: of the job under way */
    bool revoking;                               /* the group wants the partitions back */
    struct outputs *outputs;                     /* owned */
    struct changes *changes;                     /* owned */
    struct source_message blocked; /* a record that names what the tables do not hold yet */
    bool transaction_open, taken;  /* taken: something since the last commit */
    int64_t transaction_at_ns;
    bool asked_time;          /* for the broker's, by publishing a clock */
    bool urgent;              /* outputs that someone waits for are in the transaction */
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

/* driver.c */
void driver_step(struct driver *driver); /* does what is next; called after every event */
void driver_run_job(struct driver *driver, enum fault (*job)(struct driver *driver),
                    void (*after)(struct driver *driver));
void driver_stop(struct driver *driver, int exit_code); /* asks for a drain */
void driver_fail(struct driver *driver, enum fault fault, const char *event,
                 const char *text); /* STOP: said, then drained or ended */
enum fault
driver_take(struct driver *driver,
            struct source_message *message); /* one record into its shard; TABLE_BEHIND: kept */
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
/* status.c */
extern const struct listener_route driver_routes[];
extern const struct metric_row driver_metric_rows[];
void driver_observe(struct driver *driver); /* gauges */
/* tables.c */
enum fault driver_open_tables(struct driver *driver, struct reason *out_reason);
void driver_poll_tables(struct driver *driver);
#endif
