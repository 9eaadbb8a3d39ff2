/* sim_dump.h: what a simulated run left in its topics, as lines of JSON for oracle.py.
 *
 * Call sim_dump_record() for every record that a subscriber sees (read_committed), of every topic,
 * inputs and clocks too, in the order of offsets within each partition; topics may be mixed in any
 * way. Topics that the oracle does not look at are passed over; contracts and baselines come from
 * the log. The lines, one array each:
 *   ["begin", seed, records of the log, "header" or "broker": who says when they arrived, horizon
 * of duplicates]
 *   ["table", topic, {record}]                                   contracts and baselines
 *   ["in", topic, partition, offset, line, arrival, form, value] sim_log.h says which forms
 *   ["valid", partition, offset, source, source offset, arrival, kind, lateness, revision,
 * duplicate]
 *   ["dead", source topic, source partition, source offset, reason, column]
 *   ["out", topic, partition, offset, {record}]                  panes … decisions
 *   ["clock", topic, partition, offset, source, time]
 *   ["expected", topic, {record}]                                alerts, triggers, decisions
 *   ["end"]
 * Where the broker says when records arrived, "in" has the append time in the place of the arrival,
 * and the last member of "valid" and "clock" is that of the line itself.
 *
 * Owner    caller of sim_dump_begin(); log and file must outlive it.
 * Thread   one at a time.
 * Cost     about 1 µs an input record, 10 µs a pane. Nothing is kept but one line.
 */
#ifndef SIM_DUMP_H
#define SIM_DUMP_H
#include "sim_log.h"

#include <stdio.h>

struct sim_dump;
struct sim_dump *sim_dump_begin(FILE *file, const struct sim_log *log);
/* partition and offset are the record's place; arrival_ms its append time, not looked at where the
 * log knows when records arrived. */
void sim_dump_record(struct sim_dump *dump, const struct record *record);
/* A record of alerts, retrain.triggers or rollout.decisions of an undisturbed run of the same log:
 * the oracle compares what came with all of these, places apart. Other topics are passed over. */
void sim_dump_expected(struct sim_dump *dump, const struct record *record);
void sim_dump_end(struct sim_dump *dump); /* writes the last line and gives the dump back */
#endif
