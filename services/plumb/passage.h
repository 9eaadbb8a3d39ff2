/* passage.h: every record that the validator has passed is in exactly one of inference.validated
 * and inference.dead-letter, once.
 *
 * An input's records are ticked off in a bitmap as they turn up in the outputs. One that is in
 * neither is missing, unless retention has eaten records of an output that may have been its: then
 * it is out of reach. Outputs of one input partition stand in each output partition in the order of
 * their sources, so the first that is left of an eaten partition says how far that goes.
 *
 * Life     all inputs are opened, then all outputs, then records are told, an output's in its
 * order, then passage_settle, once. Owner    caller of passage_create().     Thread  one at a time.
 * Memory   two bits an offset of the inputs.     Cost  O(1) a record.
 */
#ifndef PASSAGE_H
#define PASSAGE_H
#include "difference.h"
#include <stdbool.h>

struct passage;
struct passage *passage_create(struct differences *differences); /* borrowed */
/* The log's first offset, and the first offset that the validator has not passed. */
void passage_open_input(struct passage *passage, enum topic topic, int32_t partition, int64_t first,
                        int64_t passed);
void passage_open_output(struct passage *passage, enum topic topic, int32_t partition,
                         int64_t first);
/* A record of an input that is no clock. */
void passage_input(struct passage *passage, struct place source);
/* An output has it. true: it counts: it was passed, is in reach, and turned up for the first time.
 */
bool passage_judged(struct passage *passage, struct place turned_up, struct place source);

struct passage_counts {
    uint64_t passed;       /* records of the topic that the validator has passed */
    uint64_t missing;      /* in neither output */
    uint64_t doubled;      /* turned up once more */
    uint64_t out_of_reach; /* in neither, and retention may have eaten what they became */
};
void passage_settle(struct passage *passage);
struct passage_counts passage_counts(const struct passage *passage, enum topic topic);
void passage_destroy(struct passage *passage); /* NULL accepted */
#endif
