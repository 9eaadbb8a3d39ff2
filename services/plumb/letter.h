/* letter.h: what a dead letter says of itself (validator/dead_letter.h has its headers), and what
 * the record was that it was made of.
 *
 * A letter is named by its place in the dead-letter topic, PARTITION:OFFSET. Its headers are what a
 * validator wrote, but they are read as bytes that nobody vouches for: what does not read is not
 * there.
 *
 * Owner    texts and headers are borrowed from the record.     Thread  any.
 */
#ifndef LETTER_H
#define LETTER_H
#include "kafka/record.h"
#include <jansson.h>

struct letter_place {
    int32_t partition;
    int64_t offset;
};
/* "3:17", nothing before or behind. */
bool letter_place_parse(struct span text, struct letter_place *out_place);
int letter_place_order(const struct letter_place *left, const struct letter_place *right);

struct letter {
    struct letter_place place;
    int64_t time_ms;                            /* when it was refused, by Kafka's clock */
    struct span reason, column, detail, stated; /* stated: the sentence that it was refused with */
    enum topic source;                          /* TOPIC_NONE: it does not say, as the next two */
    struct letter_place source_place;
    bool is_elsewhere; /* it was too large to come along, or may not: the record is at the source */
    struct letter_place earlier; /* requeued before, as this letter … */
    int32_t times;               /* … and so many times in all; 0: never */
};
struct letter letter_of(const struct record *record);
/* {record, line, reason, column, detail, letter, time, topic, partition, offset, size, earlier,
 * times}
 */
json_t *letter_object(const struct record *record);

enum { LETTER_REQUEUED_SIZE = 48 };
/* The headers of the record as the app sent it, without those that say why it was refused, and last
 * plumb.requeued: "PARTITION:OFFSET TIMES". original: the record that has the app's headers, the
 * letter itself or the one at the source. text: LETTER_REQUEUED_SIZE bytes, borrowed by the last
 * header. out_headers: original->header_count + 1. Returns how many. */
size_t letter_headers_back(const struct letter *letter, const struct record *original, char *text,
                           struct header *out_headers);
#endif
