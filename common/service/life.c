/* life.c: what an instance is made of: options, ids, clients; the same whatever turns its loop. */
#include "log/log.h"
#include "memory/heap.h"
#include "service/driver.h"

static const struct option_row option_rows[] = {
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
    {"arrival", OPTION_CHOICE, "broker", "broker|header|event-time",
     "what a record's arrival is: the broker's append time, the header plumb-arrival, or the "
     "highest "
     "event time so far in its partition (backfills)",
     false},
    {"inputs", OPTION_TEXT, "inference.events,ground.truth", NULL,
     "the input topics that somebody feeds; others are no source of time", false},
    {NULL, OPTION_FLAG, NULL, NULL, NULL, false},
};

void driver_say_reachable(atomic_int *flag, bool now, const char *what, const char *why)
{
    if (atomic_exchange(flag, now) == (int)now)
        return;
    if (now)
        log_write(LOG_INFO, "reachable", LOG_TEXT("what", what));
    else
        log_write(LOG_WARN, "unreachable", LOG_TEXT("what", what), LOG_TEXT("why", why),
                  LOG_TEXT("effect", "waiting; nothing is lost"));
}

static void on_source_wake(void *context)
{
    struct driver *driver = context;
    driver_wake(driver);
}

static void on_store_state(void *context, bool ready)
{
    struct driver *driver = context;
    driver_say_reachable(&driver->ready_redis, ready, "Redis", store_why(driver->store));
    driver_wake(driver);
}

static void on_store_warning(void *context, const char *event, const char *text)
{
    (void)context;
    log_write(LOG_WARN, event, LOG_TEXT("why", text),
              LOG_TEXT("effect", "state may be lost; it is then rebuilt from Kafka"));
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

struct option_set *driver_options_create(const struct service *service)
{
    const struct option_row *tables[4];
    size_t count = 0;
    if (service->options != NULL)
        tables[count++] = service->options;
    if (service->origin)
        tables[count++] = origin_rows;
    if (service->names_schemas)
        tables[count++] = registry_option_rows;
    tables[count++] = option_rows;
    return option_set_create(tables, count);
}

struct metric_set *driver_metrics_create(const struct service *service)
{
    const struct metric_row *rows[2] = {driver_metric_rows, service->metrics};
    return metric_set_create(rows, service->metrics == NULL ? 1 : 2);
}

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

static enum fault open_clients(struct driver *driver, struct reason *out_reason)
{
    const struct store_options store = {.loop = driver->loop,
                                        .url = option_text(driver->options, "redis"),
                                        .owner = "",
                                        .on_state = on_store_state,
                                        .on_warning = on_store_warning,
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

static enum driver_arrival arrival_named(const char *name)
{
    return strcmp(name, "header") == 0       ? ARRIVAL_HEADER
           : strcmp(name, "event-time") == 0 ? ARRIVAL_EVENT_TIME
                                             : ARRIVAL_BROKER;
}

enum fault driver_open(struct driver *driver, struct reason *out_reason)
{
    const struct service *service = driver->service;
    const char *group = option_text(driver->options, "group");
    const char *instance = option_text(driver->options, "instance");
    REQUIRE(!service->joined || service->endless); /* several inputs are never replayed apart */
    driver->group = group == NULL ? heap_format("plumb-%s", service->name) : heap_text(group);
    driver->client = heap_format("plumb-%s-%s", service->name, instance);
    driver->transactional_id = heap_format("%s-%s", driver->group, instance);
    driver->arrival = arrival_named(service->origin ? option_text(driver->options, "arrival") : "");
    driver->transaction_interval_ns =
        option_duration_ms(driver->options, "transaction-interval") * 1000000;
    name_topics(driver);
    driver->catalog = catalog_create();
    driver->outputs = outputs_create();
    driver->tally = tally_create();
    driver->changes = changes_create();
    atomic_store(&driver->ready_records, 1);
    const enum fault fault = driver_open_registry(driver, out_reason);
    return fault != FAULT_NONE ? fault : open_clients(driver, out_reason);
}

static void add_topics(const enum topic *topics, enum topic *list, size_t *count)
{
    for (size_t i = 0; i < SERVICE_TOPICS_MAX && topics[i] != TOPIC_NONE; i++)
        list[(*count)++] = topics[i];
}

enum fault driver_find_topics(struct driver *driver, struct reason *out_reason)
{
    enum topic list[3 * SERVICE_TOPICS_MAX + 1];
    int32_t counts[3 * SERVICE_TOPICS_MAX + 1];
    size_t count = 0;
    add_topics(driver->service->inputs, list, &count);
    add_topics(driver->service->outputs, list, &count);
    add_topics(driver->service->tables, list, &count);
    if (driver->service->endless)
        list[count++] = TOPIC_SERVICE_SNAPSHOTS;
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

enum fault driver_begin_reading(struct driver *driver, struct reason *out_reason)
{
    char *owner = heap_format("%s/%s", source_cluster(driver->source, 5000), driver->group);
    store_set_owner(driver->store, owner);
    heap_release(owner);
    return driver_open_tables(driver, out_reason);
}

void driver_close(struct driver *driver)
{
    if (driver->catalog == NULL)
        return;
    const bool reachable = atomic_load(&driver->ready_kafka) != 0;
    driver->state = DRIVER_STOPPED;
    driver_drop_seats(driver);
    registry_close(driver->registry);
    store_close(driver->store);
    source_close(driver->source, reachable);
    source_close(driver->tables, reachable);
    sink_close(driver->sink);
    if (driver->assignment != NULL)
        rd_kafka_topic_partition_list_destroy(driver->assignment);
    if (driver->offsets != NULL)
        rd_kafka_topic_partition_list_destroy(driver->offsets);
    outputs_destroy(driver->outputs);
    tally_destroy(driver->tally);
    changes_destroy(driver->changes);
    catalog_destroy(driver->catalog);
    driver->catalog = NULL;
    for (int i = 0; i < TOPIC_COUNT; i++)
        heap_release(driver->table_ended[i]);
    heap_release(driver->schemas_end);
    heap_release(driver->schemas_read);
    heap_release(driver->group);
    heap_release(driver->client);
    heap_release(driver->transactional_id);
}
