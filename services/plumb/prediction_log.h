/* prediction_log.h: an EVENTS file and a LABELS file as one stream of records with arrival times
 * (INTERFACES.md, plumb analyze).
 *
 * Arrival: a line's own `arrival_time`, where it has one. Else an event arrives at the highest
 * event_time so far in its file; an event that is more than `skew` ahead of both the event before
 * and the event after it does not raise that (its clock is wrong), one that has no event before or
 * after it does. A label arrives at the highest label_time so far. A line whose time cannot be read
 * arrives at the highest so far. Within a file arrival never falls. The files are merged by
 * arrival; at equal arrival events come first, then lower lines. Times before 1970 or after 9999
 * are no times.
 *
 * Files are JSONL (.gz), events also CSV (csv_event.h). A line's bytes are passed on as they are;
 * empty lines are passed over. The event after is looked for among the next 1,024 lines and 16 MiB;
 * beyond that there is none.
 *
 * Owner    caller of prediction_log_open(); what next gave is borrowed until the next call. Thread
 * one at a time. Faults   FILE_UNREADABLE, FILE_MALFORMED with a reason. Memory   one line a file,
 * up to 17 MiB of lines where malformed lines follow an event from the future.
 */
#ifndef PREDICTION_LOG_H
#define PREDICTION_LOG_H
#include "kafka/topic.h"
#include "model/contract.h"

struct prediction_log;
struct prediction_log_options {
    const char *events; /* file name; NULL: none */
    const char *labels; /* file name; NULL: none */
    int64_t skew_ms;
};
struct prediction_record {
    enum topic topic;  /* INFERENCE_EVENTS or GROUND_TRUTH */
    struct span key;   /* event_id; bytes NULL where it cannot be read */
    struct span value; /* the line */
    int64_t arrival_ms;
    size_t line; /* in its file, from 1 */
};
MUST_USE enum fault prediction_log_open(const struct prediction_log_options *options,
                                        struct prediction_log **out_log, struct reason *out_reason);
/* *out_is_record false: the end of both files. */
MUST_USE enum fault prediction_log_next(struct prediction_log *log, bool *out_is_record,
                                        struct prediction_record *out_record,
                                        struct reason *out_reason);
int64_t prediction_log_highest_ms(
    const struct prediction_log *log); /* the highest arrival given so far; 0: none */
/* The time that closes every window begun so far: over all contracts and their windows, the end of
 * the window that holds the highest arrival, + correction + 1 ms. */
int64_t prediction_log_close_ms(const struct prediction_log *log,
                                const struct contract *const *contracts, size_t contract_count);
double prediction_log_share(
    const struct prediction_log *log); /* how much of the files is read, 0 … 1; 0 where not known */
void prediction_log_close(struct prediction_log *log); /* NULL accepted */
#endif
