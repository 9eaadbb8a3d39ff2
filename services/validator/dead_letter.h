/* dead_letter.h: publishes a refused record: its key, value and headers as they came, and why.
 *
 * Headers added: Kafka Connect's names (__connect.errors.topic, .partition, .offset, .stage,
 * .class.name, .exception.message: what existing tools read), and ours: plumb.reason (stable code),
 * plumb.column, plumb.detail. The same headers of an earlier refusal are dropped, but for
 * plumb.requeued: `plumb dead-letters requeue` gives it to a record that it sends back (which
 * letter it was, how many times it was sent back), and a record that fails again keeps it in its
 * new letter, so that a loop can be seen. A record over the size limit goes without its value (and
 * without key or headers, where these alone are large): the offset says where it is. So a dead
 * letter is never larger than a record may be.
 */
#ifndef DEAD_LETTER_H
#define DEAD_LETTER_H
#include "memory/arena.h"
#include "rejection.h"
#include "service/service.h"

#define DEAD_LETTER_REQUEUED "plumb.requeued" /* "PARTITION:OFFSET TIMES" */
enum {
    DEAD_LETTER_RECORD_MAX =
        1024 * 1024,              /* key, value and headers of a record that is read at all */
    DEAD_LETTER_REQUEUED_MAX = 64 /* a longer header of that name is not ours */
};

size_t dead_letter_record_size(const struct record *record);
/* Is this header about an earlier refusal? Such travel neither here nor there. */
bool dead_letter_is_own_header(const char *name);
void dead_letter_publish(struct outputs *outputs, struct arena *arena, const struct record *record,
                         const struct rejection *rejection);
#endif
