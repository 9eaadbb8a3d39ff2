#include "metric/metric.h"
#include "container/table.h"
#include "log/escape.h"
#include "memory/heap.h"
#include "metric/process_usage.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

enum { SERIES_MAX = 10000 };

struct series {
    _Atomic double value;
};

struct metric {
    const struct metric_row *row; /* borrowed */
    struct series single;         /* where the row has no label */
    struct table
        *labelled; /* owned, label → owned struct series; NULL where the row has no label */
};

struct metric_set {
    struct metric *metrics; /* owned, [count], in the order of the tables */
    size_t count;
    struct table
        *by_name; /* owned, name → struct metric; fixed once created: read without a lock */
    pthread_rwlock_t lock; /* over the tables `labelled` */
};

static struct metric *metric_named(struct metric_set *set, const char *name);
static struct series *series_of(struct metric_set *set, struct metric *metric, const char *label);
static void metric_write(const struct metric *metric, struct buffer *out);
static void number_write(struct buffer *out, double number);

struct metric_set *metric_set_create(const struct metric_row *const tables[], size_t table_count)
{
    struct metric_set *set = heap_zeroed(1, sizeof *set);
    set->by_name = table_create();
    REQUIRE(pthread_rwlock_init(&set->lock, NULL) == 0);
    for (size_t t = 0; t < table_count; t++)
        for (const struct metric_row *row = tables[t]; row != NULL && row->name != NULL; row++)
            set->count++;
    set->metrics = heap_zeroed(set->count + 1, sizeof *set->metrics);
    struct metric *metric = set->metrics;
    for (size_t t = 0; t < table_count; t++) {
        for (const struct metric_row *row = tables[t]; row != NULL && row->name != NULL; row++) {
            metric->row = row;
            metric->labelled = row->label == NULL ? NULL : table_create();
            REQUIRE(table_put(set->by_name, span_text(row->name), metric) == NULL);
            metric++;
        }
    }
    return set;
}

void metric_count(struct metric_set *set, const char *name, const char *label, double more)
{
    struct series *series = series_of(set, metric_named(set, name), label);
    double before = atomic_load(&series->value);
    while (!atomic_compare_exchange_weak(&series->value, &before, before + more))
        ; /* another thread counted in between: before is what it left */
}

void metric_set_value(struct metric_set *set, const char *name, const char *label, double value)
{
    atomic_store(&series_of(set, metric_named(set, name), label)->value, value);
}

double metric_value(struct metric_set *set, const char *name, const char *label)
{
    const struct metric *metric = metric_named(set, name);
    if (metric->labelled == NULL)
        return atomic_load(&metric->single.value);
    REQUIRE(label != NULL);
    (void)pthread_rwlock_rdlock(&set->lock);
    struct series *series = table_find(metric->labelled, span_text(label));
    const double value = series == NULL ? 0.0 : atomic_load(&series->value);
    (void)pthread_rwlock_unlock(&set->lock);
    return value;
}

void metric_render(struct metric_set *set, struct buffer *out)
{
    REQUIRE(set != NULL);
    REQUIRE(out != NULL);
    (void)pthread_rwlock_rdlock(&set->lock);
    for (size_t i = 0; i < set->count; i++)
        metric_write(&set->metrics[i], out);
    (void)pthread_rwlock_unlock(&set->lock);
    buffer_format(out,
                  "# HELP plumb_build_info The version that runs; always 1.\n"
                  "# TYPE plumb_build_info gauge\n"
                  "plumb_build_info{version=\"%s\"} 1\n",
                  PLUMB_VERSION);
    process_usage_render(out);
}

void metric_set_destroy(struct metric_set *set)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->count; i++) {
        if (set->metrics[i].labelled == NULL)
            continue;
        size_t cursor = 0;
        for (void *series; (series = table_next(set->metrics[i].labelled, &cursor, NULL)) != NULL;)
            heap_release(series);
        table_destroy(set->metrics[i].labelled);
    }
    table_destroy(set->by_name);
    heap_release(set->metrics);
    (void)pthread_rwlock_destroy(&set->lock);
    heap_release(set);
}

static struct metric *metric_named(struct metric_set *set, const char *name)
{
    REQUIRE(set != NULL);
    REQUIRE(name != NULL);
    struct metric *metric = table_find(set->by_name, span_text(name));
    REQUIRE(metric != NULL); /* every metric has a row */
    return metric;
}

static struct series *series_of(struct metric_set *set, struct metric *metric, const char *label)
{
    if (metric->labelled == NULL) {
        REQUIRE(label == NULL);
        return &metric->single;
    }
    REQUIRE(label != NULL);
    (void)pthread_rwlock_rdlock(&set->lock);
    struct series *series = table_find(metric->labelled, span_text(label));
    (void)pthread_rwlock_unlock(&set->lock);
    if (series != NULL)
        return series; /* a series lives as long as the set */
    (void)pthread_rwlock_wrlock(&set->lock);
    struct span key = span_text(label);
    series = table_find(metric->labelled, key);
    if (series == NULL && table_count(metric->labelled) >= SERIES_MAX) {
        key = span_text("other");
        series = table_find(metric->labelled, key);
    }
    if (series == NULL) {
        series = heap_zeroed(1, sizeof *series);
        (void)table_put(metric->labelled, key, series);
    }
    (void)pthread_rwlock_unlock(&set->lock);
    return series;
}

/* Sorted by label: two scrapes of the same state are the same bytes. */
static void metric_write(const struct metric *metric, struct buffer *out)
{
    const struct metric_row *row = metric->row;
    buffer_format(out, "# HELP plumb_%s %s\n# TYPE plumb_%s %s\n", row->name, row->help, row->name,
                  row->kind == METRIC_COUNTER ? "counter" : "gauge");
    if (metric->labelled == NULL) {
        buffer_format(out, "plumb_%s ", row->name);
        number_write(out, atomic_load(&metric->single.value));
        return;
    }
    struct table_entry *entries = table_sorted(metric->labelled);
    for (size_t i = 0; i < table_count(metric->labelled); i++) {
        struct series *series = entries[i].value;
        buffer_format(out, "plumb_%s{%s=\"", row->name, row->label);
        escape_label(out, entries[i].key);
        buffer_append(out, "\"} ", 3);
        number_write(out, atomic_load(&series->value));
    }
    heap_release(entries);
}

/* The fewest digits that read back as the same number. */
static void number_write(struct buffer *out, double number)
{
    if (isnan(number)) {
        buffer_append(out, "NaN\n", 4);
        return;
    }
    if (isinf(number)) {
        buffer_append(out, number > 0 ? "+Inf\n" : "-Inf\n", 5);
        return;
    }
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, number);
        const double again = strtod(text, NULL);
        if (again >= number && again <= number)
            break;
    }
    buffer_format(out, "%s\n", text);
}
