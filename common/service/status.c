/* status.c: what the HTTP server's thread tells of the service: /healthz /readyz /metrics /version.
 */
#include "clock/wall.h"
#include "service/driver.h"

enum { HEARTBEAT_MAX_MS = 15000 };

const struct metric_row driver_metric_rows[] = {
    {"records_taken_total", METRIC_COUNTER, "Records folded into state, by topic", "topic"},
    {"records_published_total", METRIC_COUNTER, "Records published, by topic", "topic"},
    {"transactions_total", METRIC_COUNTER, "Transactions committed", NULL},
    {"transactions_failed_total", METRIC_COUNTER, "Transactions that did not commit", NULL},
    {"rewinds_total", METRIC_COUNTER, "Times all shards were restored from Redis and Kafka", NULL},
    {"shards", METRIC_GAUGE, "Shards of state held by this process", NULL},
    {"stream_time_timestamp_seconds", METRIC_GAUGE, "Stream time, by shard", "shard"},
    {"stream_time_lag_seconds", METRIC_GAUGE, "Wall clock less stream time, by shard", "shard"},
    {"kafka_connected", METRIC_GAUGE, "1 while Kafka answers", NULL},
    {"redis_connected", METRIC_GAUGE, "1 while Redis answers", NULL},
    {"schema_registry_total", METRIC_COUNTER,
     "Requests to the schema registry, failures, ids found and ids that it does not know", "what"},
    {"schema_registry_connected", METRIC_GAUGE,
     "0 while the last request to the schema registry failed", NULL},
    {NULL, METRIC_COUNTER, NULL, NULL},
};

void driver_observe(struct driver *driver)
{
    metric_set_value(driver->metrics, "shards", NULL, (double)driver->seat_count);
    metric_set_value(driver->metrics, "kafka_connected", NULL, atomic_load(&driver->ready_kafka));
    metric_set_value(driver->metrics, "redis_connected", NULL, atomic_load(&driver->ready_redis));
    driver_observe_registry(driver);
    if (driver->busy)
        return;
    for (size_t i = 0; i < driver->seat_count; i++) {
        const struct seat *seat = driver->seats[i];
        if (seat->shard == NULL)
            continue;
        const int64_t time_ms = shard_time(seat->shard);
        char label[128];
        (void)snprintf(label, sizeof label, "%s:%d", topic_row(seat->inputs[0].topic)->name,
                       (int)seat->inputs[0].partition);
        metric_set_value(driver->metrics, "stream_time_timestamp_seconds", label,
                         (double)time_ms / 1000.0);
        metric_set_value(driver->metrics, "stream_time_lag_seconds", label,
                         (double)(wall_now_ms() - time_ms) / 1000.0);
    }
}

static void answer_health(void *context, struct listener_answer *out_answer)
{
    const struct driver *driver = context;
    const int64_t age_ms =
        (monotonic_now_ns() - (int64_t)atomic_load(&driver->heartbeat_ns)) / 1000000;
    const bool alive = age_ms <= HEARTBEAT_MAX_MS;
    out_answer->status = alive ? 200 : 503;
    out_answer->content_type = "application/json";
    buffer_format(&out_answer->body, "{\"status\":\"%s\",\"heartbeat_age_ms\":%lld}\n",
                  alive ? "alive" : "stalled", (long long)age_ms);
}

static void answer_ready(void *context, struct listener_answer *out_answer)
{
    struct driver *driver = context;
    const struct {
        const char *name;
        int ready;
        const char *detail;
    } checks[] = {
        {"kafka", atomic_load(&driver->ready_kafka), "Kafka answers"},
        {"redis", atomic_load(&driver->ready_redis), "Redis answers"},
        {"tables", atomic_load(&driver->ready_tables),
         "contracts, versions and baselines are read"},
        {"group", atomic_load(&driver->ready_group),
         "partitions are assigned and their state is restored"},
        {"records", atomic_load(&driver->ready_records),
         "no record waits for a contract, baseline or schema"},
    };
    bool ready = true;
    for (size_t i = 0; i < COUNT_OF(checks); i++)
        ready = ready && checks[i].ready;
    out_answer->status = ready ? 200 : 503;
    out_answer->content_type = "application/json";
    buffer_format(&out_answer->body, "{\"status\":\"%s\",\"checks\":[",
                  ready ? "ready" : "unready");
    for (size_t i = 0; i < COUNT_OF(checks); i++)
        buffer_format(&out_answer->body, "%s{\"name\":\"%s\",\"status\":\"%s\",\"detail\":\"%s\"}",
                      i == 0 ? "" : ",", checks[i].name, checks[i].ready ? "pass" : "fail",
                      checks[i].detail);
    buffer_format(&out_answer->body, "]}\n");
}

static void answer_metrics(void *context, struct listener_answer *out_answer)
{
    const struct driver *driver = context;
    out_answer->content_type = "text/plain; version=0.0.4; charset=utf-8";
    metric_render(driver->metrics, &out_answer->body);
}

static void answer_version(void *context, struct listener_answer *out_answer)
{
    const struct driver *driver = context;
    out_answer->content_type = "application/json";
    buffer_format(&out_answer->body,
                  "{\"service\":\"%s\",\"version\":\"%s\",\"librdkafka\":\"%s\"}\n",
                  driver->service->name, PLUMB_VERSION, rd_kafka_version_str());
}

const struct listener_route driver_routes[] = {
    {"/healthz", answer_health},
    {"/readyz", answer_ready},
    {"/metrics", answer_metrics},
    {"/version", answer_version},
    {NULL, NULL},
};
