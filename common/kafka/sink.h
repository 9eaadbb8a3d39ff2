/* sink.h: a transactional producer. publish on the loop; init, commit and abort block and run off
 * it, one at a time.
 *
 * Life: open, init, then {begin, publish …, commit or abort} …, close. While init, commit or abort
 * runs on another thread nothing else is called. Faults   FENCED, KAFKA_FATAL, TRANSACTION_ABORTED
 * (call abort), OUTCOME_UNKNOWN (close and open anew), KAFKA_UNREACHABLE (again).
 */
#ifndef SINK_H
#define SINK_H
#include "kafka/source.h"

struct sink;
struct sink_options {
    const struct option_set *options;
    const char *transactional_id, *client;
    const char *bootstrap;    /* where --kafka.bootstrap.servers does not say; NULL: it does */
    const char *const *names; /* topic names by enum topic */
};
enum { SINK_TRANSACTION_TIMEOUT_MS = 15000 };
MUST_USE enum fault sink_open(const struct sink_options *options, struct sink **out_sink,
                              struct reason *out_reason);
MUST_USE enum fault sink_init(struct sink *sink, int timeout_ms,
                              struct reason *out_reason); /* fences older ones with the same id */
MUST_USE enum fault sink_begin(struct sink *sink, struct reason *out_reason);
MUST_USE enum fault sink_publish(struct sink *sink, const struct record *record,
                                 struct reason *out_reason);
/* Outputs, then input offsets, in one transaction. group: the consumer whose membership fences the
 * offsets. offsets NULL: there are none (a tool's transaction), and group is not looked at. */
MUST_USE enum fault sink_commit(struct sink *sink, const rd_kafka_topic_partition_list_t *offsets,
                                const struct source *group, struct reason *out_reason);
MUST_USE enum fault sink_abort(struct sink *sink, struct reason *out_reason);
void sink_poll(struct sink *sink);         /* serves delivery reports */
int sink_waiting(const struct sink *sink); /* records not yet acknowledged */
int64_t sink_broker_time_ms(
    const struct sink *sink); /* the broker's clock, from the newest delivery report; 0: none yet */
void sink_close(struct sink *sink); /* NULL accepted; what is open is left to the broker to abort */
#endif
