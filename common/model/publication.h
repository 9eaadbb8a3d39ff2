/* publication.h: contracts and baselines as records of their tables, for whoever publishes them:
 * plumb, analyze and tests.
 *
 * Keys: model@revision; model@version@hash#column.     Owner  the caller of what is returned.
 * Thread any.
 */
#ifndef PUBLICATION_H
#define PUBLICATION_H
#include "kafka/record.h"
#include "memory/buffer.h"
#include "model/baseline.h"
#include "model/contract.h"

struct publication {
    int32_t revision;
    int64_t effective_from_ms, applied_at_ms;
    const struct baseline *const *baselines; /* that the revision names */
    size_t baseline_count;
};
/* Appends key and framed value. */
void publication_contract(const struct contract *contract, const struct publication *publication,
                          struct buffer *out_key, struct buffer *out_value);
void publication_baseline(const struct baseline *baseline, size_t index, struct buffer *out_key,
                          struct buffer *out_value);
#endif
