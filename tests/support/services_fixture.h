/* services_fixture.h: a model with a contract and a baseline, a random log of its predictions, and
 * what a run of it gave, as comparable lines. */
#ifndef SERVICES_FIXTURE_H
#define SERVICES_FIXTURE_H
#include "service/in_process.h"

struct fixture_log {
    struct record *records; /* in order of arrival */
    size_t count;
    int64_t close_ms; /* a clock that closes everything */
};
struct fixture_lines {
    char **lines; /* one a record of measurements, alerts, triggers, decisions, dead letters;
                     without offsets */
    size_t count, capacity;
    size_t measurements, alerts, triggers, dead_letters;
};

uint64_t fixture_random(uint64_t *state); /* splitmix64 */
void fixture_log_make(struct fixture_log *log, uint64_t seed, size_t events);
void fixture_log_fini(struct fixture_log *log);
void fixture_publish_model(struct in_process *driver);
void fixture_on_output(void *context,
                       const struct record *record); /* context: struct fixture_lines */
void fixture_lines_sort(struct fixture_lines *lines);
bool fixture_lines_equal(const struct fixture_lines *left,
                         const struct fixture_lines *right); /* prints the first difference */
void fixture_lines_fini(struct fixture_lines *lines);
#endif
