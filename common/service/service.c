/* service.c: the life of every service, in five functions: configure, wire, run, drain (driver.c),
 * unwire. */
#include "service/service.h"
#include "clock/wall.h"
#include "log/log.h"
#include "memory/heap.h"
#include "service/driver.h"

#include <sys/resource.h>

enum { TICK_MS = 50, PROBE_INTERVAL_MS = 2000, PROBE_TIMEOUT_MS = 4000, OBSERVE_TICKS = 20 };

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
    if (service->check != NULL && service->check(options, &reason) != FAULT_NONE)
        return refuse(&reason, 2);
    if (option_flag(options, "print-config")) {
        option_print(options);
        return 0;
    }
    return option_flag(options, "check") ? 0 : -1;
}

static void on_wake(uv_async_t *wake)
{
    driver_turn(wake->data);
}

static void on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    driver_stop(signal->data, 0);
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
    driver_say_reachable(&driver->ready_kafka, driver->probe_fault == FAULT_NONE, "Kafka",
                         "no answer");
}

static void on_tick(uv_timer_t *tick)
{
    struct driver *driver = tick->data;
    const int64_t now_ns = monotonic_now_ns();
    driver_tick(driver);
    if (now_ns / ((int64_t)TICK_MS * 1000000) % OBSERVE_TICKS == 0)
        driver_observe(driver);
    if (!driver->probing && !driver->stopping &&
        now_ns - driver->probe_at_ns > (int64_t)PROBE_INTERVAL_MS * 1000000) {
        driver->probing = true;
        driver->probe.data = driver;
        ENSURE(uv_queue_work(driver->loop, &driver->probe, on_probe, on_probed) == 0);
    }
}

/* Waits as long as it takes, says so once a cause; a signal ends it. */
static enum fault wait_for_kafka(struct driver *driver, struct reason *out_reason)
{
    enum fault said = FAULT_NONE;
    for (;;) {
        store_tick(driver->store);
        (void)uv_run(driver->loop, UV_RUN_NOWAIT);
        if (driver->stopping)
            return FAULT_NONE;
        enum fault fault = driver_find_topics(driver, out_reason);
        if (fault == FAULT_NONE)
            fault = sink_init(driver->sink, 2000, out_reason);
        if (fault == FAULT_NONE) {
            driver_say_reachable(&driver->ready_kafka, true, "Kafka", "");
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
    if (!driver->service->origin || driver->arrival != ARRIVAL_BROKER || driver->stopping)
        return FAULT_NONE;
    for (size_t i = 0; i < SERVICE_TOPICS_MAX && driver->service->inputs[i] != TOPIC_NONE; i++) {
        const enum topic topic = driver->service->inputs[i];
        bool append;
        const enum fault fault = source_append_time(driver->source, topic, &append, out_reason);
        if (fault != FAULT_NONE)
            return fault;
        if (append)
            continue;
        reason_set(
            out_reason,
            "topic %s has message.timestamp.type=CreateTime; --arrival broker needs "
            "LogAppendTime: set it (plumb topics plan) or use --arrival header or event-time",
            driver->names[topic]);
        return FAULT_OPTION_INVALID;
    }
    return FAULT_NONE;
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
    open_loop(driver);
    enum fault fault = driver_open(driver, out_reason);
    if (fault == FAULT_NONE)
        fault = wait_for_kafka(driver, out_reason);
    if (fault == FAULT_NONE)
        fault = check_append_time(driver, out_reason);
    if (fault == FAULT_NONE && !driver->stopping)
        fault = driver_begin_reading(driver, out_reason);
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
    if (driver->loop == NULL)
        return;
    driver->state = DRIVER_STOPPED;
    (void)uv_timer_stop(&driver->tick);
    while (driver->probing) /* the worker still uses the source; its time-out bounds the wait */
        (void)uv_run(driver->loop, UV_RUN_ONCE);
    driver_close(driver);
    (void)uv_run(driver->loop, UV_RUN_NOWAIT);
    uv_walk(driver->loop, on_walk, NULL);
    while (uv_run(driver->loop, UV_RUN_DEFAULT) != 0) {
    }
    (void)uv_loop_close(driver->loop);
    heap_release(driver->loop);
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
    atomic_store(&driver->heartbeat_ns, monotonic_now_ns()); /* /healthz answers from here on */
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
    struct option_set *options = driver_options_create(service);
    int exit_code = configure(service, options, argc, argv);
    if (exit_code < 0) {
        enum log_level level = LOG_INFO;
        (void)log_level_parse(option_text(options, "log-level"), &level);
        log_open(service->name, level, strcmp(option_text(options, "log-format"), "json") == 0);
        struct driver *driver = heap_zeroed(1, sizeof *driver);
        driver->service = service;
        driver->options = options;
        driver->metrics = driver_metrics_create(service);
        exit_code = run(driver);
        if (option_flag(options, "bounded") && exit_code == 0)
            print_figures(driver);
        metric_set_destroy(driver->metrics);
        heap_release(driver);
    }
    option_set_destroy(options);
    return exit_code;
}
