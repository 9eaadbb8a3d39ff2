/* metric.h: counters and gauges declared once in a table, read by /metrics in the Prometheus text
 * format.
 *
 * Names get the prefix plumb_. A row has at most one label. Series are made at first use, at most
 * 10,000 a row (then the label "other"). Rendered with them: process_* (memory, CPU, files, start)
 * and plumb_build_info.
 *
 * Owner    caller of metric_set_create(); the rows must outlive it.
 * Thread   count, set, value, render: any (a value is one atomic word, making a series takes a
 * lock). Cost     O(1) a count, without a lock where the row has no label.
 */
#ifndef METRIC_H
#define METRIC_H
#include "memory/buffer.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE };
struct metric_row {
    const char *name; /* records_rejected_total; NULL ends a table */
    enum metric_kind kind;
    const char *help;
    const char *label; /* NULL: none */
};
struct metric_set;
/* A table may be NULL. REQUIREs that no name comes twice. */
struct metric_set *metric_set_create(const struct metric_row *const tables[], size_t table_count);
void metric_count(struct metric_set *set, const char *name, const char *label,
                  double more); /* label NULL where the row has none */
void metric_set_value(struct metric_set *set, const char *name, const char *label, double value);
double metric_value(struct metric_set *set, const char *name, const char *label);
void metric_render(struct metric_set *set, struct buffer *out);
void metric_set_destroy(struct metric_set *set);
#endif
