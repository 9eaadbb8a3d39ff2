/* stream_time.h: the time of one input topic of one shard: the minimum over the topic's sources of
 * the highest clock seen.
 *
 * A clock record says: nothing from this source with an earlier arrival follows; and it names the
 * sender's full set of sources. Before one from each has come, time stands still. Time never falls.
 * Owner    caller of stream_time_create().     Thread one at a time.     Cost  observe O(sources).
 */
#ifndef STREAM_TIME_H
#define STREAM_TIME_H
#include "kafka/record.h"
#include "memory/buffer.h"

struct stream_time;
struct stream_time *stream_time_create(void);
/* Raises a source; offset: of the record that says so. true: stream time rose (stream_time_now).
 * Sources that no set names do not count. */
bool stream_time_observe(struct stream_time *time, struct span source, int64_t time_ms,
                         int64_t offset);
/* set: "topic:count[,topic:count…]"; offset: of the clock record that names it. */
void stream_time_sources(struct stream_time *time, struct span set, int64_t offset);
/* The first offset from which a replay tells all of this again: each source's newest word, and the
 * set. A source that will never speak again must not be forgotten: time would stand still.
 * INT64_MAX: nothing was told. */
int64_t stream_time_needs(const struct stream_time *time);
/* Stream time is at least this, whatever its sources say (they are not all known yet). */
void stream_time_raise(struct stream_time *time, int64_t time_ms);
int64_t stream_time_now(const struct stream_time *time);
void stream_time_write(const struct stream_time *time,
                       struct buffer *out); /* text; the same state gives the same bytes */
bool stream_time_read(struct stream_time *time, struct span text);
void stream_time_destroy(struct stream_time *time);

struct stream_time_clock {
    int64_t time_ms;
    struct span source, set; /* borrowed from the record */
};
/* true: the record is a clock (header plumb-clock, no value) and well-formed. A record with the
 * header but malformed is no clock. */
bool stream_time_clock_read(const struct record *record, struct stream_time_clock *out_clock);
bool stream_time_is_clock(const struct record *record);
/* Header value and key for a clock to publish. */
void stream_time_clock_write(struct buffer *out_value, int64_t time_ms, const char *source,
                             const char *set);
#define STREAM_TIME_HEADER "plumb-clock"
#endif
