/* sim_kafka.h: a Kafka broker in memory, for many clients in one thread; the same steps, the same
 * history.
 *
 * It keeps what exactly-once hangs on: logs with transactions (open, committed, aborted, control
 * markers that take an offset), the last stable offset, producer epochs, consumer groups with
 * generations, offsets that belong to a transaction. source.h and sink.h are answered from it
 * (sim_source.c, sim_sink.c): link sim_kafka before the library kafka.
 *
 * Nothing happens by itself. What a real cluster and librdkafka's threads do between two calls is
 * cut into small steps: a producer's queue goes to the log, a consumer fetches from one partition,
 * a marker is written into one partition, a member hears of a rebalance, a time-out.
 * sim_kafka_steps() says how many could happen now, sim_kafka_step() does one of them: the
 * scheduler's choice is the schedule. Clients' code runs in a step only as on_wake, entered into
 * the client's process.
 *
 * Life     start, then anything in any order, then stop. One broker at a time.
 * Owner    the scheduler.     Thread  one.
 * Time     sim_clock_now_ms(): append times, session and transaction time-outs.
 */
#ifndef SIM_KAFKA_H
#define SIM_KAFKA_H
#include "kafka/record.h"

struct sim_process;

struct sim_kafka_options {
    const char *cluster; /* borrowed; what source_cluster answers */
    uint64_t seed;       /* of what no step decides: batch sizes of fetches, whether a lost commit
                            takes effect at once or later */
    int64_t slow_fetch_max_ms; /* now and then a partition's next fetch takes so long, three times
                                  where it was not read to its end; 0: never */
};
void sim_kafka_start(const struct sim_kafka_options *options);
/* Sources, sinks and messages that are still there are released too: nobody may use them then. */
void sim_kafka_stop(void);

/* ---- Topics. Naming one that does not exist is the caller's bug. */
void sim_kafka_topic_create(const char *name, int32_t partition_count);
int32_t sim_kafka_partitions(const char *name); /* -1: no such topic */
/* A plain append, outside of any transaction; returns its offset. Headers and bytes are copied. */
int64_t sim_kafka_append(const char *name, int32_t partition, struct span key, struct span value,
                         const struct header *headers, size_t header_count);
/* Retention: what lies before offset is gone. Beyond the end: everything. */
void sim_kafka_trim(const char *name, int32_t partition, int64_t offset);
int64_t sim_kafka_begin_offset(const char *name, int32_t partition);  /* the log's start */
int64_t sim_kafka_end_offset(const char *name, int32_t partition);    /* with what is open */
int64_t sim_kafka_stable_offset(const char *name, int32_t partition); /* before it all is decided */

/* ---- What time and the network bring. */
size_t sim_kafka_steps(void);      /* how many different steps could be next; 0: quiet */
void sim_kafka_step(size_t which); /* which < sim_kafka_steps() */
const char *sim_kafka_step_name(size_t which); /* for a trace; valid until the next call */
bool sim_kafka_advance(void);                  /* the first of them; false: none */
void sim_kafka_settle(void);                   /* until none is left; applications do not run */
/* When the next step comes by time alone (a time-out); INT64_MAX: none is awaited. */
int64_t sim_kafka_due_ms(void);

/* ---- What the checker looks at. */
struct sim_kafka_record {
    int64_t offset, time_ms;
    struct span key, value; /* borrowed until the broker stops or trims; value.bytes NULL: none */
    const struct header *headers;
    size_t header_count;
};
/* Committed records of a partition, below the last stable offset, in order. Cursor: the first
 * offset looked at, then just behind the one returned. false: no more. */
bool sim_kafka_read(const char *name, int32_t partition, int64_t *cursor,
                    struct sim_kafka_record *out_record);
/* The committed offset of a group, and its metadata (borrowed until the next step; may be NULL);
 * -1: none. Pending ones of a transaction are not seen. */
int64_t sim_kafka_committed(const char *group, const char *name, int32_t partition,
                            const char **out_metadata);
size_t sim_kafka_open_transactions(void); /* not decided, or decided with markers to come */

/* The process is gone (after it died): its sources, sinks and messages are released; the broker
 * hears nothing of it and finds out by its time-outs. */
void sim_kafka_forget(const struct sim_process *process);
#endif
