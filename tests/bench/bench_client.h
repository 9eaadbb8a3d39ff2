/* bench_client.h: bare librdkafka clients with the properties that our services' clients have, and
 * the line that every job prints. Nothing of common/kafka is in it: it is what that is measured
 * against.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

struct bench_options {
    const char *bootstrap, *topic, *group;
    const char *to;      /* where it goes; NULL: nowhere */
    const char *copied;  /* "yes": librdkafka copies, "no": it borrows until the delivery report */
    const char *way;     /* consume: poll, batch or callback */
    const char *file;    /* events: the reference, CSV */
    int64_t interval_ms; /* from commit to commit; 0: one transaction */
    int64_t count;       /* of events, or of records to copy; 0: all there are */
    int64_t rate;        /* a second, at most; 0: as fast as it goes */
};

/* --NAME VALUE …; false after saying what is wrong. */
bool bench_options_read(int argc, char *argv[], struct bench_options *out_options);

/* Both end the process with what librdkafka says where they cannot be made. on_delivery may be
 * NULL. */
rd_kafka_t *bench_consumer(const struct bench_options *options);
rd_kafka_t *bench_producer(const struct bench_options *options, const char *transactional_id,
                           void (*on_delivery)(rd_kafka_t *, const rd_kafka_message_t *, void *));

void bench_fail(const char *what, const char *why) __attribute__((noreturn));
void bench_require(const char *what, rd_kafka_error_t *error); /* NULL, or the process ends */

/* How far the consumer is; a job reads until every partition of its assignment has ended. */
struct bench_reading {
    rd_kafka_t *consumer;
    int32_t partitions, ended; /* of the topic; at their end */
    int64_t events;
    int64_t first_ns, last_ns; /* of the first record; of a late one, or of the last end */
};
struct bench_reading bench_reading_begin(rd_kafka_t *consumer, const char *topic);
/* Takes what librdkafka gave into account; true: it is a record, false: the end of a partition. */
bool bench_reading_count(struct bench_reading *reading, const rd_kafka_message_t *message);
bool bench_reading_is_done(const struct bench_reading *reading); /* all partitions have ended */
/* The next record, the caller's; NULL: all partitions have ended. */
rd_kafka_message_t *bench_reading_next(struct bench_reading *reading);

/* job events seconds events_per_s cpu_seconds events_per_cpu_s peak_rss_mb */
void bench_print(const char *job, const struct bench_reading *reading);
#endif
