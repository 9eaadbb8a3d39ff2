/* seen_ids.h: which event ids came before, within a horizon of arrival time, in one shard.
 *
 * Time is cut into slices, a tenth of the horizon wide (10 minutes: arrival minutes). An id was
 * seen if it came in this slice or in one of the ten before: so certainly within the horizon, and
 * not after the horizon and a slice. Every sighting counts, not the first alone: an id that comes
 * again is seen from then on. So the state is what came in the last slices, whatever was before:
 * without that, an id that came in minutes 1 and 5 would be forgotten in minute 12, but not by a
 * shard that was rebuilt from minute 2 on.
 *
 * The bound: a sighting (an id and a slice) is remembered once, and at most ids_max of them. Before
 * one too many the oldest slice is forgotten, where there is no other the newest so far: a horizon
 * that is shorter for a while. Since what is forgotten is the oldest, the slices that are left
 * depend on nothing before them, as if the bound did not exist.
 *
 * A replay from seen_ids_needs() gives the same state, once seen_ids_remind() has told it at which
 * offset each slice began (a word of at most 290 characters). Arrivals cannot tell: the driver
 * lifted some of them by clocks that are in no log.
 *
 * Stored: field "ids.START.CHUNK" (START in ms), 1,024 ids in the order in which they came; a chunk
 * that is full is never written again (schemas/state.seen-ids.avsc). The last one of the newest
 * slice is, as it grows: 15 KiB at most.
 *
 * Owner    caller of seen_ids_create().     Thread   one at a time.
 * Faults   load: STATE_MALFORMED; STATE_CONFLICT where slices had another width (another horizon).
 * Memory   that of an id_table of at most ids_max ids (a million: 32 MiB, and 64 while it is built
 *          anew), and 15 bytes for each sighting since the last save.
 * Cost     O(1) a sighting, amortised: 0.13 to 0.27 µs among a million ids, of whom one in many
 *          waits 40 ms, while the table is built anew. A slice that expires O(1), a save
 *          O(sightings since the last).
 */
#ifndef SEEN_IDS_H
#define SEEN_IDS_H
#include "service/service.h"

struct seen_ids;
struct seen_ids_options {
    int64_t horizon_ms; /* >= 1 */
    uint64_t ids_max;   /* >= 1 */
};
struct seen_ids *seen_ids_create(const struct seen_ids_options *options);
/* A sighting of the id follows: a hint. In a table of a million what it costs is to wait for
 * memory. */
void seen_ids_expect(const struct seen_ids *seen, struct span id);
/* A sighting; arrivals before the time known count as that. true: the id was seen before.
 * *out_forgotten: slices forgotten early to make room. */
bool seen_ids_add(struct seen_ids *seen, struct span id, int64_t arrival_ms, int64_t offset,
                  size_t *out_forgotten);
/* Nothing that arrives before follows. */
void seen_ids_advance(struct seen_ids *seen, int64_t time_ms);
uint64_t seen_ids_count(const struct seen_ids *seen); /* sightings remembered; <= ids_max */
/* See service.h. */
int64_t seen_ids_needs(const struct seen_ids *seen);
void seen_ids_recall(const struct seen_ids *seen, struct buffer *out_word);
void seen_ids_remind(struct seen_ids *seen, struct span word, int64_t end);
#define SEEN_IDS_FIELD "ids."
void seen_ids_save(struct seen_ids *seen, struct changes *changes);
MUST_USE enum fault seen_ids_load(struct seen_ids *seen, struct span field, struct span bytes);
void seen_ids_destroy(struct seen_ids *seen); /* NULL accepted */
#endif
