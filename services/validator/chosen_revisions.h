/* chosen_revisions.h: which revision of each model's contract one shard has stamped last: the
 * validator's state.
 *
 * Owner    embedded in the shard: {0}, chosen_revisions_open … chosen_revisions_close.
 * Memory   one entry a model.
 */
#ifndef CHOSEN_REVISIONS_H
#define CHOSEN_REVISIONS_H
#include "container/table.h"
#include "model/contract.h"
#include "service/service.h"

struct chosen_revisions {
    struct table *models; /* owned: model → owned entry */
};

void chosen_revisions_open(struct chosen_revisions *chosen);
/* A record at offset was stamped with the contract. true: the contract is new here, and came late:
 * records of a time at which it was already in force have gone by with an older revision. */
bool chosen_revisions_stamp(struct chosen_revisions *chosen, const struct contract *contract,
                            int64_t event_time_ms, int64_t offset);
void chosen_revisions_save(struct chosen_revisions *chosen, struct changes *changes);
/* STATE_MALFORMED. */
MUST_USE enum fault chosen_revisions_load(struct chosen_revisions *chosen, struct span field,
                                          struct span bytes);
void chosen_revisions_close(struct chosen_revisions *chosen);
#endif
