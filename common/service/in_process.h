/* in_process.h: the driver without a broker: services over topics in memory, in one thread, to the
 * end of their input.
 *
 * The same descriptors as under Kafka; topics have partitions and are keyed alike, so the result is
 * that of a live run. Records are taken in batches of `batch` (any size gives the same), clocks are
 * sent at each batch's end. Owner    caller of in_process_create().     Thread  one. Memory   what
 * is under way between services; records are dropped when taken.
 */
#ifndef IN_PROCESS_H
#define IN_PROCESS_H
#include "service/shard.h"

struct in_process;
struct in_process_options {
    const struct service *const *services; /* NULL-ended, in the order of the flow */
    int32_t partition_count;               /* of every topic; >= 1 */
    size_t batch;                          /* records between clocks; >= 1 */
    const struct option_set *options;      /* may be NULL */
    const struct schema_lookup *lookup;    /* stands for a registry; answers at once: FOUND, MISSING
                                              or REFUSED; NULL: there is none */
    /* Every record of every output topic but clocks, in order of publishing; may be NULL. */
    void (*on_output)(void *context, const struct record *record);
    /* Every record of every topic as a subscriber sees it, inputs and clocks too; may be NULL. */
    void (*on_record)(void *context, const struct record *record);
    void *context;
};
struct in_process *in_process_create(const struct in_process_options *options);
/* A record of a table (model.contracts …), before what needs it. A fault with a reason: not taken.
 */
MUST_USE enum fault in_process_table(struct in_process *driver, const struct record *record,
                                     struct reason *out_reason);
/* A contract, effective from ever as revision 1, and its baselines, as `plumb baseline` and `plumb
 * apply` publish them. */
MUST_USE enum fault in_process_model(struct in_process *driver, const struct contract *contract,
                                     const struct baseline *const *baselines, size_t baseline_count,
                                     struct reason *out_reason);
/* A record of an input: partition by key as Kafka's producers do; arrival_ms as it is. Runs when a
 * batch is full. */
void in_process_feed(struct in_process *driver, const struct record *record);
/* A clock from outside, to every partition of every origin input. */
void in_process_clock(struct in_process *driver, int64_t time_ms);
void in_process_run(struct in_process *driver); /* everything under way, to its end */
const struct catalog *in_process_catalog(const struct in_process *driver);
double in_process_count(const struct in_process *driver, const char *service, const char *metric,
                        const char *label);
/* For tests: state of all shards of a service through save and load into fresh shards, as a crash
 * and restore would. */
MUST_USE enum fault in_process_restore(struct in_process *driver, const char *service);
/* For tests: the state of all shards as it would be stored, as text that equal states have in
 * common. */
void in_process_state(struct in_process *driver, struct buffer *out);
void in_process_destroy(struct in_process *driver);
#endif
