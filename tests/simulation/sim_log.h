/* sim_log.h: the random prediction log of one seed, with the contracts and baselines that judge it.
 *
 * Two models, "m" (binary, CHAMPION and SHADOW, two contract revisions that differ in cells,
 * lateness, windows or panes, the second effective in the middle of the log) and "n" (regression,
 * no contract before its first minutes). Events on time, late, too late, ahead of their arrival and
 * on each of these bounds; as Avro (most) and JSON; labels; and everything that a dead letter is
 * made of. One id in 25 came before, within the horizon of duplicates or not. The second half is
 * shifted, so that alerts fire and a training is asked for.
 *
 * Records are in the order of their arrival, which so never falls within a partition. Their
 * partition is the sender's to choose (topic_partition of the key, of the value where there is no
 * key) and their offset the topic's. Headers: plumb-arrival as plumb send writes it (not where the
 * broker says when they arrived: arrival_ms is when they are to be sent), and plumb-line, the
 * record's index in `records`, by which the dump finds its text.
 *
 * Owner    caller of sim_log_create(); all bytes live as long as the log.
 * Thread   any (immutable).
 * Cost     some 3 µs and 1 KB an event.
 */
#ifndef SIM_LOG_H
#define SIM_LOG_H
#include "config/option.h"
#include "kafka/record.h"
#include "sim_pace.h"

struct sim_log {
    uint64_t seed;
    enum sim_arrival arrival;
    struct record *tables; /* of model.baselines, then model.contracts; [table_count] */
    size_t table_count;
    struct record *records; /* of inference.events and ground.truth; [count] */
    size_t count;
    /* What each record says, as a line of JSON: [form, value]. form "json": value is the text,
     * parsed; "avro": the event that was encoded (NaN and Infinity as Python writes them); "raw":
     * a text that is no JSON, as a string; "cut": Avro of that event, cut off; "alien": Avro of a
     * schema that nobody knows; "none": no value. [count] */
    const char **texts;
    int64_t first_ms, middle_ms; /* the first arrival; where the second revision takes effect */
    int64_t close_ms;            /* stream time that closes every window begun */
    int64_t horizon_ms;          /* the validators' --duplicates-horizon */
    struct arena *arena;         /* owned: of all bytes */
};
/* events >= 1,000: records of inference.events; labels come on top. */
struct sim_log *sim_log_create(uint64_t seed, size_t events, enum sim_arrival arrival);
/* rows: the validator's. Its options for this log; the caller's. */
struct option_set *sim_log_options(const struct sim_log *log, const struct option_row *rows);
void sim_log_destroy(struct sim_log *log); /* NULL accepted */
#endif
