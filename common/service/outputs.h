/* outputs.h: what one batch of handle() and advance() calls published, counted and changed, in
 * memory, in order.
 *
 * A driver takes it from here to Kafka, Redis and the metrics; a test looks at it. Spans handed in
 * are copied. Owner    caller of outputs_create().     Thread  one at a time.     Memory  an arena,
 * given back by outputs_clear.
 */
#ifndef OUTPUTS_H
#define OUTPUTS_H
#include "service/service.h"
#include "service/tally.h"

struct outputs *outputs_create(void);
size_t outputs_size(const struct outputs *outputs);
const struct output *outputs_at(const struct outputs *outputs, size_t index);
const struct tally *outputs_counts(const struct outputs *outputs);
/* The record that a consumer would see; borrowed from the outputs. */
struct record outputs_record(const struct outputs *outputs, size_t index, int32_t partition,
                             int64_t offset);
void outputs_clear(struct outputs *outputs);
void outputs_destroy(struct outputs *outputs);

struct change {
    struct span field, bytes; /* bytes.bytes NULL: removed */
};
/* The last word on each field, in the order in which fields were first said. */
struct changes *changes_create(void);
size_t changes_size(const struct changes *changes);
const struct change *changes_at(const struct changes *changes, size_t index);
void changes_add(struct changes *changes,
                 const struct changes *more); /* later than what is there */
void changes_clear(struct changes *changes);
void changes_destroy(struct changes *changes);
#endif
