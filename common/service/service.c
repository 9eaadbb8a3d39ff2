/* service.c: the life of every service, in five functions: configure, wire, run, drain (driver.c),
 * unwire. */
#include "service/service.h"
#include "clock/wall.h"
#include "log/log.h"
#include "memory/heap.h"
#include "service/driver.h"

#include <sys/resource.h>
#include <unistd.h> /* _exit */

enum {
    TICK_MS = 50,
    PROBE_INTERVAL_MS = 2000,
    PROBE_TIMEOUT_MS = 4000,
    DRAIN_MAX_MS = 25000,
    OBSERVE_TICKS = 20
};

static const struct option_row life_rows[] = {
    {"config", OPTION_TEXT, NULL, NULL, "YAML file of options, NAME: value", false},
    {"kafka.*", OPTION_PREFIX, NULL, NULL, "any librdkafka property, as kafka.bootstrap.servers",
     false},
    {"topic.*", OPTION_PREFIX, NULL, NULL, "another name for a topic, as topic.inference.events",
     false},
    {"redis", OPTION_TEXT, "redis://127.0.0.1:6379", NULL,
     "redis://[user:password@]host[:port][/database]", true},
    {"group", OPTION_TEXT, NULL, NULL, "consumer group (default plumb-SERVICE)", false},
    {"instance", OPTION_TEXT, "0", NULL,
     "tells instances of a service apart: stable, one process each", false},
    {"transaction-interval", OPTION_DURATION, "250ms", NULL,
     "how often outputs, offsets and clocks are committed", false},
    {"http-address", OPTION_TEXT, "127.0.0.1", NULL,
     "address for /metrics /healthz /readyz /version", false},
    {"http-port", OPTION_NUMBER, "0", NULL, "port for them; 0 takes a free one and logs it", false},
    {"log-level", OPTION_CHOICE, "info", "debug|info|warn|error", "least level to log", false},
    {"log-format", OPTION_CHOICE, "logfmt", "logfmt|json", "format of log lines", false},
    {"bounded", OPTION_FLAG, NULL, NULL, "process what is there, then stop", false},
    {"check", OPTION_FLAG, NULL, NULL, "check the options, then stop", false},
    {"print-config", OPTION_FLAG, NULL, NULL, "print the options with their origin, then stop",
     false},
    {"help", OPTION_FLAG, NULL, NULL, "print this", false},
    {"version", OPTION_FLAG, NULL, NULL, "print the version", false},
    {NULL, OPTION_FLAG, NULL, NULL, NULL, false},
};
static const struct option_row origin_rows[] = {
    {"arrival", OPTION_CHOICE, "broker", "broker|header",
     "what a record's arrival is: the broker's append time, or the header plumb-arrival", false},
    {"inputs", OPTION_TEXT, "inference.events,ground.truth", NULL,
     "the input topics that somebody feeds; others are no source of time", false},
    {NULL, OPTION_FLAG, NULL, NULL, NULL, false},
};

static void name_topics(struct driver *driver)
{
    for (int i = TOPIC_NONE + 1; i < TOPIC_COUNT; i++)
        driver->names[i] = topic_row((enum topic)i)->name;
    const char *name, *value;
    for (size_t i = 0; option_prefixed(driver->options, "topic.", i, &name, &value); i++) {
        const enum topic topic = topic_find(name);
        if (topic != TOPIC_NONE)
            driver->names[topic] = value;
    }
}

static int refuse(const struct reason *reason, int exit_code)
{
    (void)fprintf(stderr, "%s\n", reason->text);
    return exit_code;
}

/* -1: go on; else the process's exit code. */
static int configure(const struct service *service, struct option_set *options, int argc,
                     char *argv[])
{
    struct reason reason = {""};
    const enum fault fault = option_set_read(options, argc - 1, argv + 1, &reason);
    if (fault != FAULT_NONE) /* an argument is usage, a file or the environment is configuration */
        return refuse(&reason, fault == FAULT_OPTION_INVALID ? 2 : 78);
    if (option_flag(options, "help")) {
        char *usage = heap_format("plumb-%s [OPTION VALUE] ...", service->name);
        option_help(options, usage, service->summary);
        heap_release(usage);
        return 0;
    }
    if (option_flag(options, "version")) {
        (void)printf("plumb-%s %s, librdkafka %s\n", service->name, PLUMB_VERSION,
                     rd_kafka_version_str());
        return 0;
    }
    const char *name, *value;
    for (size_t i = 0; option_prefixed(options, "topic.", i, &name, &value); i++) {
        if (topic_find(name) == TOPIC_NONE) {
            reason_set(&reason, "--topic.%s: there is no such topic", name);
            return refuse(&reason, 2);
        }
    }
    if (option_flag(options, "print-config")) {
        option_print(options);
        return 0;
    }
    return option_flag(options, "check") ? 0 : -1;
}

static void on_wake(uv_async_t *wake)
{
    struct driver *driver = wake->data;
    if (driver->state == DRIVER_STOPPED)
        return; /* the clients are being closed */
    if (driver->tables != NULL)
        driver_poll_tables(driver);
    driver_step(driver);
}

static void on_source_wake(void *context)
{
    struct driver *driver = context;
    (void)uv_async_send(&driver->wake);
}

static void on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    driver_stop(signal->data, 0);
}

static void say_reachable(atomic_int *flag, bool now, const char *what, const char *why)
{
    if (atomic_exchange(flag, now) == (int)now)
        return;
    if (now)
        log_write(LOG_INFO, "reachable", LOG_TEXT("what", what));
    else
        log_write(LOG_WARN, "unreachable", LOG_TEXT("what", what), LOG_TEXT("why", why),
                  LOG_TEXT("effect", "waiting; nothing is lost"));
}

static void on_store_state(void *context, bool ready)
{
    struct driver *driver = context;
    say_reachable(&driver->ready_redis, ready, "Redis", store_why(driver->store));
    (void)uv_async_send(&driver->wake);
}

static void on_assigned(void *context, const rd_kafka_topic_partition_list_t *partitions)
{
    struct driver *driver = context;
    if (driver->assignment != NULL)
        rd_kafka_topic_partition_list_destroy(driver->assignment);
    driver->assignment = rd_kafka_topic_partition_list_copy(partitions);
    driver_restore(driver);
}

static void on_revoked(void *context, bool lost)
{
    struct driver *driver = context;
    driver->revoking = true;
    driver->lost = lost;
}

static void on_probe(uv_work_t *work)
{
    struct driver *driver = work->data;
    int32_t count;
    struct reason reason;
    driver->probe_fault = source_partitions(driver->source, driver->service->inputs, 1, &count,
                                            PROBE_TIMEOUT_MS, &reason);
}

static void on_probed(uv_work_t *work, int status)
{
    (void)status;
    struct driver *driver = work->data;
    driver->probing = false;
    driver->probe_at_ns = monotonic_now_ns();
    say_reachable(&driver->ready_kafka, driver->probe_fault == FAULT_NONE, "Kafka", "no answer");
}

static void on_tick(uv_timer_t *tick)
{
    struct driver *driver = tick->data;
    const int64_t now_ns = monotonic_now_ns();
    atomic_store(&driver->heartbeat_ns, now_ns);
    if (driver->stopping && now_ns - driver->stopping_at_ns > (int64_t)DRAIN_MAX_MS * 1000000) {
        log_write(LOG_WARN, "drain_took_too_long",
                  LOG_TEXT("effect", "what was not committed comes again"));
        _exit(driver->exit_code == 0 ? 75 : driver->exit_code);
    }
    if (!driver->busy && driver->sink != NULL) /* NULL: it could not be made anew; draining */
        sink_poll(driver->sink);
    driver_poll_tables(driver);
    driver_step(driver);
    if (now_ns / ((int64_t)TICK_MS * 1000000) % OBSERVE_TICKS == 0)
        driver_observe(driver);
    if (!driver->probing && !driver->stopping &&
        now_ns - driver->probe_at_ns > (int64_t)PROBE_INTERVAL_MS * 1000000) {
        driver->probing = true;
        driver->probe.data = driver;
        ENSURE(uv_queue_work(driver->loop, &driver->probe, on_probe, on_probed) == 0);
    }
}

static void add_topics(const enum topic *topics, enum topic *list, size_t *count)
{
    for (size_t i = 0; i < SERVICE_TOPICS_MAX && topics[i] != TOPIC_NONE; i++)
        list[(*count)++] = topics[i];
}

/* One look at the topics: FAULT_NONE when all are there. */
static enum fault find_topics(struct driver *driver, struct reason *out_reason)
{
    enum topic list[3 * SERVICE_TOPICS_MAX];
    int32_t counts[3 * SERVICE_TOPICS_MAX];
    size_t count = 0;
    add_topics(driver->service->inputs, list, &count);
    add_topics(driver->service->outputs, list, &count);
    add_topics(driver->service->tables, list, &count);
    const enum fault fault =
        source_partitions(driver->source, list, count, counts, 2000, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    for (size_t i = 0; i < count; i++) {
        if (counts[i] < 1) {
            reason_set(out_reason, "topic %s does not exist; create it: plumb topics apply",
                       driver->names[list[i]]);
            return FAULT_TABLE_BEHIND;
        }
        driver->partitions[list[i]] = counts[i];
    }
    for (size_t i = 1; driver->service->joined && driver->service->inputs[i] != TOPIC_NONE; i++) {
        if (driver->partitions[driver->service->inputs[i]] !=
            driver->partitions[driver->service->inputs[0]]) {
            reason_set(out_reason, "topics %s and %s must have equally many partitions",
                       driver->names[driver->service->inputs[0]],
                       driver->names[driver->service->inputs[i]]);
            return FAULT_OPTION_INVALID;
        }
    }
    return FAULT_NONE;
}

/* Waits as long as it takes, says so once a cause; a signal ends it. */
static enum fault wait_for_kafka(struct driver *driver, struct reason *out_reason)
{
    enum fault said = FAULT_NONE;
    for (;;) {
        (void)uv_run(driver->loop, UV_RUN_NOWAIT);
        if (driver->stopping)
            return FAULT_NONE;
        enum fault fault = find_topics(driver, out_reason);
        if (fault == FAULT_NONE)
            fault = sink_init(driver->sink, 2000, out_reason);
        if (fault == FAULT_NONE) {
            say_reachable(&driver->ready_kafka, true, "Kafka", "");
            return FAULT_NONE;
        }
        if (fault_class(fault) == FAULT_CLASS_STOP)
            return fault;
        if (fault != said)
            log_write(LOG_WARN, fault == FAULT_TABLE_BEHIND ? "topic_missing" : "unreachable",
                      LOG_TEXT("what", "Kafka"), LOG_TEXT("why", out_reason->text),
                      LOG_TEXT("effect", "waiting; nothing is lost"));
        said = fault;
        atomic_store(&driver->heartbeat_ns, monotonic_now_ns());
        uv_sleep(200);
    }
}

static enum fault check_append_time(struct driver *driver, struct reason *out_reason)
{
    if (!driver->service->origin || driver->arrival_is_header || driver->stopping)
        return FAULT_NONE;
    for (size_t i = 0; i < SERVICE_TOPICS_MAX && driver->service->inputs[i] != TOPIC_NONE; i++) {
        const enum topic topic = driver->service->inputs[i];
        bool append;
        const enum fault fault = source_append_time(driver->source, topic, &append, out_reason);
        if (fault != FAULT_NONE)
            return fault;
        if (append)
            continue;
        reason_set(out_reason,
                   "topic %s has message.timestamp.type=CreateTime; --arrival broker needs "
                   "LogAppendTime: set it (plumb topics plan) or use --arrival header",
                   driver->names[topic]);
        return FAULT_OPTION_INVALID;
    }
    return FAULT_NONE;
}

static enum fault open_clients(struct driver *driver, struct reason *out_reason)
{
    const struct store_options store = {.loop = driver->loop,
                                        .url = option_text(driver->options, "redis"),
                                        .on_state = on_store_state,
                                        .context = driver};
    enum fault fault = store_open(&store, &driver->store, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    const struct source_options source = {.options = driver->options,
                                          .group = driver->group,
                                          .client = driver->client,
                                          .names = driver->names,
                                          .on_wake = on_source_wake,
                                          .on_assigned = on_assigned,
                                          .on_revoked = on_revoked,
                                          .context = driver};
    fault = source_open(&source, &driver->source, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    const struct sink_options sink = {.options = driver->options,
                                      .transactional_id = driver->transactional_id,
                                      .client = driver->client,
                                      .names = driver->names};
    return sink_open(&sink, &driver->sink, out_reason);
}

static void open_loop(struct driver *driver)
{
    driver->loop = heap_zeroed(1, sizeof *driver->loop);
    ENSURE(uv_loop_init(driver->loop) == 0);
    ENSURE(uv_async_init(driver->loop, &driver->wake, on_wake) == 0);
    ENSURE(uv_timer_init(driver->loop, &driver->tick) == 0);
    ENSURE(uv_signal_init(driver->loop, &driver->terminate) == 0);
    ENSURE(uv_signal_init(driver->loop, &driver->interrupt) == 0);
    driver->wake.data = driver->tick.data = driver;
    driver->terminate.data = driver->interrupt.data = driver;
    (void)uv_signal_start(&driver->terminate, on_signal, SIGTERM);
    (void)uv_signal_start(&driver->interrupt, on_signal, SIGINT);
}

static enum fault wire(struct driver *driver, struct reason *out_reason)
{
    const struct service *service = driver->service;
    const char *group = option_text(driver->options, "group");
    const char *instance = option_text(driver->options, "instance");
    driver->group = group == NULL ? heap_format("plumb-%s", service->name) : heap_text(group);
    driver->client = heap_format("plumb-%s-%s", service->name, instance);
    driver->transactional_id = heap_format("%s-%s", driver->group, instance);
    driver->arrival_is_header =
        service->origin && strcmp(option_text(driver->options, "arrival"), "header") == 0;
    driver->transaction_interval_ns =
        option_duration_ms(driver->options, "transaction-interval") * 1000000;
    name_topics(driver);
    driver->catalog = catalog_create();
    driver->outputs = outputs_create();
    driver->changes = changes_create();
    atomic_store(&driver->ready_records, 1);
    atomic_store(&driver->heartbeat_ns, monotonic_now_ns());
    open_loop(driver);
    enum fault fault = open_clients(driver, out_reason);
    if (fault == FAULT_NONE)
        fault = wait_for_kafka(driver, out_reason);
    if (fault == FAULT_NONE)
        fault = check_append_time(driver, out_reason);
    if (fault == FAULT_NONE && !driver->stopping)
        fault = driver_open_tables(driver, out_reason);
    if (fault == FAULT_NONE && !driver->stopping)
        (void)uv_timer_start(&driver->tick, on_tick, 0, TICK_MS);
    return fault;
}

static void on_walk(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void unwire(struct driver *driver)
{
    if (driver->catalog == NULL)
        return;
    driver->state = DRIVER_STOPPED;
    (void)uv_timer_stop(&driver->tick);
    while (driver->probing) /* the worker still uses the source; its time-out bounds the wait */
        (void)uv_run(driver->loop, UV_RUN_ONCE);
    driver_drop_seats(driver);
    store_close(driver->store);
    const bool reachable = atomic_load(&driver->ready_kafka) != 0;
    source_close(driver->source, reachable);
    source_close(driver->tables, reachable);
    sink_close(driver->sink);
    (void)uv_run(driver->loop, UV_RUN_NOWAIT);
    uv_walk(driver->loop, on_walk, NULL);
    while (uv_run(driver->loop, UV_RUN_DEFAULT) != 0) {
    }
    (void)uv_loop_close(driver->loop);
    heap_release(driver->loop);
    if (driver->assignment != NULL)
        rd_kafka_topic_partition_list_destroy(driver->assignment);
    if (driver->offsets != NULL)
        rd_kafka_topic_partition_list_destroy(driver->offsets);
    outputs_destroy(driver->outputs);
    changes_destroy(driver->changes);
    catalog_destroy(driver->catalog);
    for (int i = 0; i < TOPIC_COUNT; i++)
        heap_release(driver->table_ended[i]);
    heap_release(driver->group);
    heap_release(driver->client);
    heap_release(driver->transactional_id);
}

/* The line that the benchmarks read: job events seconds events_per_s cpu_seconds events_per_cpu_s
 * peak_rss_mb. */
static void print_figures(const struct driver *driver)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    const double seconds = (double)(driver->last_record_ns - driver->first_record_ns) / 1e9;
    const double cpu_seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    const double events = (double)driver->record_count;
    (void)printf("%s %.0f %.3f %.0f %.3f %.0f %.1f\n", driver->service->name, events, seconds,
                 seconds > 0 ? events / seconds : 0.0, cpu_seconds,
                 cpu_seconds > 0 ? events / cpu_seconds : 0.0, (double)usage.ru_maxrss / 1024.0);
}

static int run(struct driver *driver)
{
    struct listener *listener = NULL;
    struct reason reason = {""};
    enum fault fault = listener_open(option_text(driver->options, "http-address"),
                                     (uint16_t)option_number(driver->options, "http-port"),
                                     driver_routes, driver, &listener, &reason);
    if (fault == FAULT_NONE) {
        log_write(LOG_INFO, "starting", LOG_TEXT("version", PLUMB_VERSION),
                  LOG_NUMBER("http_port", listener_port(listener)));
        fault = wire(driver, &reason);
    }
    if (fault == FAULT_NONE && !driver->stopping)
        (void)uv_run(driver->loop, UV_RUN_DEFAULT);
    if (fault != FAULT_NONE) {
        log_write(LOG_ERROR, "not_started", LOG_TEXT("fault", fault_name(fault)),
                  LOG_TEXT("why", reason.text));
        const bool configuration = fault == FAULT_OPTION_INVALID || fault == FAULT_PORT_IN_USE;
        driver->exit_code = configuration ? 78 : fault_class(fault) == FAULT_CLASS_RETRY ? 69 : 70;
    }
    listener_close(listener);
    unwire(driver);
    if (fault == FAULT_NONE && driver->exit_code == 0)
        log_write(LOG_INFO, "drained", LOG_NUMBER("records", driver->record_count));
    return driver->exit_code;
}

int service_main(const struct service *service, int argc, char *argv[])
{
    const struct option_row *tables[4];
    size_t table_count = 0;
    if (service->options != NULL)
        tables[table_count++] = service->options;
    if (service->origin)
        tables[table_count++] = origin_rows;
    tables[table_count++] = life_rows;
    struct option_set *options = option_set_create(tables, table_count);
    int exit_code = configure(service, options, argc, argv);
    if (exit_code < 0) {
        enum log_level level = LOG_INFO;
        (void)log_level_parse(option_text(options, "log-level"), &level);
        log_open(service->name, level, strcmp(option_text(options, "log-format"), "json") == 0);
        const struct metric_row *rows[2] = {driver_metric_rows, service->metrics};
        struct driver *driver = heap_zeroed(1, sizeof *driver);
        driver->service = service;
        driver->options = options;
        driver->metrics = metric_set_create(rows, service->metrics == NULL ? 1 : 2);
        exit_code = run(driver);
        if (option_flag(options, "bounded") && exit_code == 0)
            print_figures(driver);
        metric_set_destroy(driver->metrics);
        heap_release(driver);
    }
    option_set_destroy(options);
    return exit_code;
}
