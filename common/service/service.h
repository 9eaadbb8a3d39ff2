/* service.h: what a service is: a descriptor and a pure fold. Everything around it is written once,
 * here.
 *
 * A service keeps one `shard` of state per input partition. handle() takes one record into a shard
 * and publishes what follows from it; advance() does what follows from time. Both are pure: no I/O,
 * no clock, no randomness, no logging; any cut of the same records into batches gives the same
 * state and the same outputs. Two drivers run the same descriptor: Kafka with Redis (service_main)
 * and in-process with no broker (in_process.h).
 *
 * Thread   loop thread only.
 */
#ifndef SERVICE_H
#define SERVICE_H
#include "config/option.h"
#include "kafka/record.h"
#include "metric/metric.h"
#include "model/catalog.h"

/* Outputs of one batch. Spans are copied. Nothing leaves before the driver commits. */
struct outputs;
struct output {
    enum topic topic;
    struct span key;   /* bytes NULL: no key */
    struct span value; /* bytes NULL: no value */
    struct span route; /* what the partition is chosen by; empty: the key */
    const struct header *headers;
    size_t header_count;
};
void outputs_publish(struct outputs *outputs, const struct output *output);
/* Encodes value by the topic's schema, framed as single object, then publishes. REQUIREs that it
 * fits: our own records always do. */
void outputs_publish_json(struct outputs *outputs, enum topic topic, struct span key,
                          struct span route, const json_t *value);
/* The same with CloudEvents 1.0 binary headers (ce_type, ce_id, ce_time, ce_source /plumbline,
 * ce_subject) for topics that other systems subscribe to: alerts (Avro) and retrain.triggers,
 * serving.signals, rollout.decisions (JSON text). */
struct output_event {
    const char *type, *id, *subject; /* "io.plumbline.alert" … */
    int64_t time_ms;
};
void outputs_publish_event(struct outputs *outputs, enum topic topic, struct span key,
                           struct span route, const json_t *value,
                           const struct output_event *event);
/* Counts in a metric of the service, only where the records are live (not in silent replay). label
 * NULL where the row has none. */
void outputs_count(struct outputs *outputs, const char *metric, const char *label, double more);
/* Decodes a record framed by its topic's schema, or JSON text. RECORD_MALFORMED, SCHEMA_UNKNOWN. */
MUST_USE enum fault record_json(const struct record *record, json_t **out_value,
                                struct reason *out_reason);

/* Entries of state that changed since the last save: field → bytes, or removed; a field said again
 * replaces what was said of it. The driver stores them in Redis with the offset, and in
 * service.snapshots where the state is endless. Fields do not begin with a full stop. */
struct changes;
void changes_put(struct changes *changes, struct span field, struct span bytes);
void changes_put_json(struct changes *changes, struct span field, const char *schema_stem,
                      const json_t *value); /* framed */
void changes_remove(struct changes *changes, struct span field);

struct service_environment {
    const struct catalog *catalog;
    const struct option_set *options;
    enum topic topic; /* of this shard; joined inputs: the first */
    int32_t partition;
};

enum { SERVICE_TOPICS_MAX = 8 };
struct service {
    const char *name, *summary;
    enum topic inputs[SERVICE_TOPICS_MAX]; /* TOPIC_NONE ends */
    enum topic outputs[SERVICE_TOPICS_MAX];
    enum topic tables[SERVICE_TOPICS_MAX]; /* compacted topics that every instance reads whole, into
                                              the catalog */
    bool joined; /* one shard per partition number over all inputs (equal partition counts); else
                    one per (topic, partition) */
    bool origin; /* inputs come from outside: the driver gives arrivals, clocks begin here */
    bool names_schemas; /* records may call their schema by a registry's id or GUID: the driver has
                           the catalog's lookup ask it (--schema-registry) */
    bool endless; /* no span of input determines the state (open alerts, budgets): what changed goes
                     into service.snapshots in every transaction, and nothing is ever replayed */
    const struct option_row *options;
    /* What no single row can judge: OPTION_INVALID with a reason. NULL: nothing. */
    enum fault (*check)(const struct option_set *options, struct reason *out_reason);
    const struct metric_row *metrics;
    /* Where a record itself says from which source it came and when it arrived there
     * (inference.validated): lets stream time move between clocks. NULL: clocks only. false: the
     * record does not say. Source text is "topic:partition". */
    bool (*observe)(const struct record *record, char out_source[300], int64_t *out_arrival_ms);
    /* Origin services: the time that a record speaks of, as `plumb analyze` reads it; *out_has
     * false: it has none that is believed. TABLE_BEHIND: it cannot be told yet. */
    enum fault (*event_time)(void *shard, const struct record *record, bool *out_has,
                             int64_t *out_time_ms);
    void *(*open)(const struct service_environment *environment);
    /* FAULT_NONE, or TABLE_BEHIND: nothing was changed, the same record comes again when the
     * catalog has grown. */
    enum fault (*handle)(void *shard, const struct record *record, struct outputs *outputs);
    /* Stream time of an input topic rose to stream_time_ms: nothing with an earlier arrival
     * follows. TABLE_BEHIND as above. NULL: nothing follows from time. */
    enum fault (*advance)(void *shard, enum topic topic, int64_t stream_time_ms,
                          struct outputs *outputs);
    /* Not endless: the first input offset from which a replay, into an empty shard, gives this
     * state, once time is told again; INT64_MAX: none is needed. NULL: none ever is. */
    int64_t (*needs)(const void *shard);
    /* What a replay from there has to be told, because no record says it: the arrivals that an
     * origin's driver gave are in no log, and a replay does not give them again (arrival_ms is then
     * the time known before it). One word without spaces, committed with the offset; nothing
     * appended: there is nothing to tell. NULL: never. */
    void (*recall)(const void *shard, struct buffer *out_word);
    /* Into a shard that was opened, and loaded where there was something to load, before the replay
     * of the records before `end`: the word that was committed at `end`. Empty: none, or not kept.
     */
    void (*remind)(void *shard, struct span word, int64_t end);
    /* Not endless: the span of input that determines the state of a model under this contract: the
     * retention of the inputs must be longer (plumb apply). NULL: 0. */
    int64_t (*horizon_ms)(const struct contract *contract);
    void (*save)(void *shard, struct changes *changes);
    /* One stored entry; called for each, in any order, before anything else. STATE_MALFORMED.
     * STATE_CONFLICT: written under other options; as without any entry, it is rebuilt from Kafka.
     * TABLE_BEHIND: come again. */
    enum fault (*load)(void *shard, struct span field, struct span bytes);
    void (*close)(void *shard);
};

/* configure → wire → run → drain → unwire; the process's exit code. */
int service_main(const struct service *service, int argc, char *argv[]);
#endif
