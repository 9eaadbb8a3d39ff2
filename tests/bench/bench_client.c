#include "bench_client.h"
#include "clock/wall.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { TIME_EVERY = 64, WAIT_MS = 100 };

struct property {
    const char *name, *value;
};

/* As common/kafka/source.c and source_guarantees.c have them. */
static const struct property consumer_properties[] = {
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"enable.partition.eof", "true"},
    {"isolation.level", "read_committed"},
    {"partition.assignment.strategy", "range"},
    {"max.poll.interval.ms", "86400000"},
    {"allow.auto.create.topics", "false"},
    {"auto.offset.reset", "earliest"},
    {"check.crcs", "true"},
    {"fetch.wait.max.ms", "100"},
    {"session.timeout.ms", "6000"},
    {"heartbeat.interval.ms", "1500"},
    {"queued.max.messages.kbytes", "131072"}, /* as bench.py gives it to the services */
    {"queued.min.messages", "1000000"},
    {"fetch.error.backoff.ms", "100"},
    {"reconnect.backoff.max.ms", "2000"},
    {"topic.metadata.refresh.interval.ms", "30000"},
    {NULL, NULL},
};

/* As common/kafka/sink.c has them. */
static const struct property producer_properties[] = {
    {"enable.idempotence", "true"},
    {"acks", "all"},
    {"linger.ms", "5"},
    {"socket.nagle.disable", "true"},
    {"message.timeout.ms", "15000"},
    {"message.max.bytes", "4000000"},
    {"queue.buffering.max.kbytes", "262144"},
    {"reconnect.backoff.max.ms", "2000"},
    {NULL, NULL},
};

void bench_fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "%s: %s\n", what, why);
    exit(70);
}

void bench_require(const char *what, rd_kafka_error_t *error)
{
    if (error != NULL)
        bench_fail(what, rd_kafka_error_string(error));
}

bool bench_options_read(int argc, char *argv[], struct bench_options *out_options)
{
    struct bench_options options = {.group = "bench", .copied = "yes", .way = "callback"};
    const struct {
        const char *name;
        const char **text;
        int64_t *number;
    } rows[] = {
        {"--bootstrap", &options.bootstrap, NULL},
        {"--topic", &options.topic, NULL},
        {"--group", &options.group, NULL},
        {"--to", &options.to, NULL},
        {"--copied", &options.copied, NULL},
        {"--file", &options.file, NULL},
        {"--way", &options.way, NULL},
        {"--interval", NULL, &options.interval_ms},
        {"--count", NULL, &options.count},
        {"--rate", NULL, &options.rate},
    };
    for (int i = 1; i < argc; i += 2) {
        size_t row = 0;
        while (row < sizeof rows / sizeof rows[0] && strcmp(rows[row].name, argv[i]) != 0)
            row++;
        if (row == sizeof rows / sizeof rows[0] || i + 1 == argc) {
            (void)fprintf(stderr, "%s: no such option, or no value\n", argv[i]);
            return false;
        }
        if (rows[row].text != NULL)
            *rows[row].text = argv[i + 1];
        else
            *rows[row].number = strtoll(argv[i + 1], NULL, 10);
    }
    *out_options = options;
    return true;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[200];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK)
        bench_fail(name, text);
}

static rd_kafka_conf_t *conf_of(const struct bench_options *options, const struct property *list)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", options->bootstrap);
    for (; list->name != NULL; list++)
        set(conf, list->name, list->value);
    return conf;
}

rd_kafka_t *bench_consumer(const struct bench_options *options)
{
    rd_kafka_conf_t *conf = conf_of(options, consumer_properties);
    set(conf, "group.id", options->group);
    char text[200];
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (client == NULL)
        bench_fail("consumer", text);
    (void)rd_kafka_poll_set_consumer(client);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    (void)rd_kafka_topic_partition_list_add(list, options->topic, RD_KAFKA_PARTITION_UA);
    const rd_kafka_resp_err_t error = rd_kafka_subscribe(client, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        bench_fail("subscribe", rd_kafka_err2str(error));
    return client;
}

rd_kafka_t *bench_producer(const struct bench_options *options, const char *transactional_id,
                           void (*on_delivery)(rd_kafka_t *, const rd_kafka_message_t *, void *))
{
    rd_kafka_conf_t *conf = conf_of(options, producer_properties);
    if (transactional_id != NULL) {
        set(conf, "transactional.id", transactional_id);
        set(conf, "transaction.timeout.ms", "15000");
    }
    if (on_delivery != NULL)
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    char text[200];
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (client == NULL)
        bench_fail("producer", text);
    return client;
}

struct bench_reading bench_reading_begin(rd_kafka_t *consumer, const char *topic)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(consumer, topic, NULL);
    const struct rd_kafka_metadata *metadata;
    const rd_kafka_resp_err_t error = rd_kafka_metadata(consumer, 0, handle, &metadata, 10000);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        bench_fail(topic, rd_kafka_err2str(error));
    const struct bench_reading reading = {.consumer = consumer,
                                          .partitions = metadata->topics[0].partition_cnt};
    if (reading.partitions == 0)
        bench_fail(topic, "there is no such topic");
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
    return reading;
}

bool bench_reading_is_done(const struct bench_reading *reading)
{
    return reading->ended == reading->partitions;
}

bool bench_reading_count(struct bench_reading *reading, const rd_kafka_message_t *message)
{
    const bool record = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!record && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
        bench_fail("consume", rd_kafka_message_errstr(message));
    if (!record)
        reading->ended++;
    if (!record || reading->events % TIME_EVERY == 0)
        reading->last_ns = monotonic_now_ns();
    reading->events += record;
    if (reading->first_ns == 0)
        reading->first_ns = reading->last_ns;
    return record;
}

rd_kafka_message_t *bench_reading_next(struct bench_reading *reading)
{
    while (!bench_reading_is_done(reading)) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reading->consumer, WAIT_MS);
        if (message == NULL)
            continue;
        if (bench_reading_count(reading, message))
            return message;
        rd_kafka_message_destroy(message);
    }
    return NULL;
}

void bench_print(const char *job, const struct bench_reading *reading)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    const double events = (double)reading->events;
    const double seconds = (double)(reading->last_ns - reading->first_ns) / 1e9;
    const double cpu_seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    (void)printf("%s %.0f %.3f %.0f %.3f %.0f %.1f\n", job, events, seconds,
                 seconds > 0 ? events / seconds : 0.0, cpu_seconds,
                 cpu_seconds > 0 ? events / cpu_seconds : 0.0, (double)usage.ru_maxrss / 1024.0);
}
