/* plumb send: sends a prediction log as a serving app and a label source would, with its arrival
 * times (header plumb-arrival), and clock records that let time move (DESIGN.md 2.3): nothing with
 * an earlier arrival follows from here.
 */
#include "arguments.h"
#include "clock/wall.h"
#include "connection.h"
#include "memory/heap.h"
#include "model/catalog.h"
#include "plumb.h"
#include "prediction_log.h"
#include "progress.h"
#include "service/stream_time.h"

enum { CLOCK_PERIOD_NS = 250000000, CONTRACTS_MAX = 64 };

/* One sender, one source: its records are in the order of their arrival over all partitions of both
 * topics. */
static const char source_name[] = "plumb-send:0", source_set[] = "plumb-send:1";

static const struct option_row rows[] = {
    {.name = "labels", .kind = OPTION_TEXT, .help = "JSONL(.gz) file of labels"},
    {.name = "rate", .kind = OPTION_NUMBER, .help = "at most so many records a second"},
    {.name = "speed",
     .kind = OPTION_TEXT,
     .help = "by the log's own time, so many times faster than real time"},
    {.name = "close",
     .kind = OPTION_FLAG,
     .help = "at the end let time pass the end of every window begun"},
    {.name = "contract",
     .kind = OPTION_TEXT,
     .help = "whose windows --close closes, may be repeated; else all in model.contracts"},
    {.name = "clock-interval",
     .kind = OPTION_NUMBER,
     .fallback = "1000",
     .help = "records after which a clock record follows at the latest"},
    {.name = "skew",
     .kind = OPTION_DURATION,
     .fallback = "5m",
     .help = "an event further ahead of its neighbours does not move time"},
    {.name = NULL},
};

struct send_run {
    const struct option_set *options;
    struct kafka_client *client;
    struct prediction_log *log;
    struct contract *given[CONTRACTS_MAX]; /* owned: of --contract */
    size_t given_count;
    struct catalog *catalog;         /* owned: of model.contracts */
    const struct contract **applied; /* owned list: the catalog's */
    size_t applied_count;
    int32_t partitions[TOPIC_COUNT];
    double speed; /* 0: none */
    int64_t rate; /* 0: none */
    int64_t began_ns, first_arrival_ms;
    uint64_t sent, sent_at_clock;
    int64_t sent_ms, clock_ms,
        clocked_ns; /* arrival of the last record sent; last clock; when that was */
    struct progress progress;
};

/* ---- What is sent */

static void send_record(struct send_run *run, const struct prediction_record *line)
{
    char arrival[24], number[24];
    (void)snprintf(arrival, sizeof arrival, "%lld", (long long)line->arrival_ms);
    (void)snprintf(number, sizeof number, "%zu", line->line);
    const struct header headers[] = {{"plumb-arrival", span_text(arrival)},
                                     {"plumb-line", span_text(number)}};
    const struct span route = line->key.bytes != NULL ? line->key : line->value;
    const struct record record = {
        .topic = line->topic,
        .partition = topic_partition(route, run->partitions[line->topic]),
        .key = line->key,
        .value = line->value,
        .headers = headers,
        .header_count = COUNT_OF(headers),
    };
    kafka_client_produce(run->client, &record);
    run->sent++;
    run->sent_ms = line->arrival_ms;
}

/* To every partition of both topics. */
static void send_clock(struct send_run *run, int64_t time_ms)
{
    static const enum topic topics[] = {TOPIC_INFERENCE_EVENTS, TOPIC_GROUND_TRUTH};
    struct buffer value = {0};
    stream_time_clock_write(&value, time_ms, source_name, source_set);
    const struct header header = {STREAM_TIME_HEADER, buffer_span(&value)};
    for (size_t i = 0; i < COUNT_OF(topics); i++) {
        for (int32_t partition = 0; partition < run->partitions[topics[i]]; partition++) {
            char *key = heap_format("plumb-clock:%s:%d", kafka_client_topic(run->client, topics[i]),
                                    (int)partition);
            const struct record record = {.topic = topics[i],
                                          .partition = partition,
                                          .key = span_text(key),
                                          .headers = &header,
                                          .header_count = 1};
            kafka_client_produce(run->client, &record);
            heap_release(key);
        }
    }
    buffer_fini(&value);
    run->clock_ms = time_ms;
    run->clocked_ns = monotonic_now_ns();
    run->sent_at_clock = run->sent;
}

/* Where the arrival has moved on since the last clock, and that was long ago, by records or by
 * time. */
static void send_clock_if_due(struct send_run *run)
{
    if (run->sent_ms <= run->clock_ms)
        return;
    const uint64_t interval = (uint64_t)option_number(run->options, "clock-interval");
    if (run->sent - run->sent_at_clock >= interval ||
        monotonic_now_ns() - run->clocked_ns >= CLOCK_PERIOD_NS)
        send_clock(run, run->sent_ms);
}

/* ---- When it is sent */

static void wait_until(struct send_run *run, int64_t due_ns)
{
    for (int64_t left_ns; (left_ns = due_ns - monotonic_now_ns()) > 0;) {
        const int64_t step_ms = left_ns / 1000000 + 1;
        kafka_client_poll(run->client, step_ms > 50 ? 50 : (int)step_ms);
        send_clock_if_due(run);
        progress_show(&run->progress, prediction_log_share(run->log), run->sent, "records");
    }
}

static void wait_for_turn(struct send_run *run, int64_t arrival_ms)
{
    if (run->sent == 0)
        run->first_arrival_ms = arrival_ms;
    if (run->rate > 0)
        wait_until(run, run->began_ns + (int64_t)((double)run->sent * 1e9 / (double)run->rate));
    if (run->speed > 0)
        wait_until(run, run->began_ns + (int64_t)((double)(arrival_ms - run->first_arrival_ms) *
                                                  1e6 / run->speed));
}

/* ---- The run */

static int send_log(struct send_run *run)
{
    run->began_ns = run->clocked_ns = monotonic_now_ns();
    for (;;) {
        struct prediction_record line;
        struct reason reason;
        bool is_record;
        const enum fault fault = prediction_log_next(run->log, &is_record, &line, &reason);
        if (fault != FAULT_NONE)
            return plumb_fail("send", fault, &reason);
        /* Where something was not delivered, nothing may follow: a clock would overtake what is
         * lost. */
        if (!is_record || kafka_client_failed(run->client) > 0)
            return PLUMB_DONE;
        wait_for_turn(run, line.arrival_ms);
        send_record(run, &line);
        send_clock_if_due(run);
        progress_show(&run->progress, prediction_log_share(run->log), run->sent, "records");
    }
}

/* complete: the whole log was read. Else the last windows may lack rows, and are not closed. */
static int send_end(struct send_run *run, bool complete)
{
    int64_t time_ms = run->sent_ms;
    if (complete && option_flag(run->options, "close") && time_ms > 0)
        time_ms = run->given_count > 0
                      ? prediction_log_close_ms(
                            run->log, (const struct contract *const *)run->given, run->given_count)
                      : prediction_log_close_ms(run->log, run->applied, run->applied_count);
    while (kafka_client_flush(run->client, 200) > 0)
        progress_show(&run->progress, 1, run->sent, "records");
    if (time_ms > run->clock_ms && kafka_client_failed(run->client) == 0)
        send_clock(run, time_ms);
    while (kafka_client_flush(run->client, 200) > 0)
        progress_show(&run->progress, 1, run->sent, "records");
    progress_end(&run->progress);
    return connection_settle("send", run->client);
}

static void on_contract(void *context, const struct record *record)
{
    struct reason reason;
    if (record->value.size > 0 && catalog_apply(context, record, &reason) != FAULT_NONE)
        plumb_say("send", "a contract in Kafka does not read: %s", reason.text);
}

static int read_given_contracts(struct send_run *run)
{
    struct reason reason;
    const char *file;
    for (size_t i = 0; (file = option_repeated(run->options, "contract", i)) != NULL; i++) {
        if (run->given_count == CONTRACTS_MAX) {
            plumb_say("send", "--contract: at most %d", (int)CONTRACTS_MAX);
            return PLUMB_USAGE;
        }
        const enum fault fault = plumb_contract_read(file, &run->given[run->given_count], &reason);
        if (fault != FAULT_NONE)
            return plumb_fail("send", fault, &reason);
        run->given_count++;
    }
    return PLUMB_DONE;
}

/* All revisions, because each may have stamped events. */
static int read_applied_contracts(struct send_run *run)
{
    run->catalog = catalog_create();
    const int code =
        connection_read_raw("send", run->client, TOPIC_MODEL_CONTRACTS, on_contract, run->catalog);
    if (code != PLUMB_DONE)
        return code;
    run->applied_count = catalog_contracts(run->catalog, &run->applied);
    if (run->applied_count == 0)
        plumb_say("send", "--close: there is no contract in Kafka, so no window to close");
    return PLUMB_DONE;
}

static int connect_to_topics(struct send_run *run)
{
    int code = connection_open("send", run->options, &run->client);
    if (code == PLUMB_DONE)
        code = connection_partitions("send", run->client, TOPIC_INFERENCE_EVENTS,
                                     &run->partitions[TOPIC_INFERENCE_EVENTS]);
    if (code == PLUMB_DONE)
        code = connection_partitions("send", run->client, TOPIC_GROUND_TRUTH,
                                     &run->partitions[TOPIC_GROUND_TRUTH]);
    return code;
}

static int run_log(struct send_run *run)
{
    const struct prediction_log_options log = {
        .events =
            option_positional_count(run->options) == 0 ? NULL : option_positional(run->options, 0),
        .labels = option_text(run->options, "labels"),
        .skew_ms = option_duration_ms(run->options, "skew"),
    };
    struct reason reason;
    const enum fault fault = prediction_log_open(&log, &run->log, &reason);
    if (fault != FAULT_NONE)
        return plumb_fail("send", fault, &reason);
    progress_begin(&run->progress, "sending");
    int code = send_log(run);
    const int end = send_end(
        run, code == PLUMB_DONE); /* also after a damaged file: what was sent is delivered */
    if (code == PLUMB_DONE)
        code = end;
    if (code == PLUMB_DONE)
        printf("%llu records sent\n", (unsigned long long)run->sent);
    return code;
}

static bool read_pace(struct send_run *run)
{
    run->rate = option_number(run->options, "rate");
    const char *speed = option_text(run->options, "speed");
    char *end = NULL;
    run->speed = speed == NULL ? 0 : strtod(speed, &end);
    if (run->rate < 0 || (speed != NULL && (end == speed || *end != '\0' || !(run->speed > 0)))) {
        plumb_say("send", "--rate and --speed: a number above 0");
        return false;
    }
    if (option_number(run->options, "clock-interval") < 1) {
        plumb_say("send", "--clock-interval: from 1 on");
        return false;
    }
    if (option_positional_count(run->options) == 0 && option_text(run->options, "labels") == NULL) {
        plumb_say("send", "give EVENTS, --labels LABELS, or both (--help)");
        return false;
    }
    return true;
}

static int send_all(struct send_run *run)
{
    int code = read_given_contracts(run);
    if (code == PLUMB_DONE)
        code = connect_to_topics(run);
    if (code == PLUMB_DONE && option_flag(run->options, "close") && run->given_count == 0)
        code = read_applied_contracts(run);
    return code == PLUMB_DONE ? run_log(run) : code;
}

int plumb_send_run(int argc, char **argv)
{
    int code;
    struct option_set *options = arguments_read(
        &(struct arguments_spec){.command = "send",
                                 .usage = "plumb send [EVENTS.jsonl[.gz]|EVENTS.csv] "
                                          "[--labels LABELS.jsonl[.gz]] [--speed N] [--close]",
                                 .summary = "Sends a prediction log to Kafka, in the order of its "
                                            "arrival times.",
                                 .rows = rows,
                                 .parts = ARGUMENTS_KAFKA,
                                 .most = 1},
        argc, argv, &code);
    if (options == NULL)
        return code;
    struct send_run run = {.options = options};
    code = read_pace(&run) ? send_all(&run) : PLUMB_USAGE;
    prediction_log_close(run.log);
    for (size_t i = 0; i < run.given_count; i++)
        contract_destroy(run.given[i]);
    heap_release(run.applied);
    catalog_destroy(run.catalog);
    kafka_client_close(run.client);
    option_set_destroy(options);
    return code;
}
