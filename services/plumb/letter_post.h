/* letter_post.h: the dead letters in Kafka: read as chosen, one partition after the other in the
 * order of their offsets; with what was sent back already; and the records at the source that they
 * speak of.
 *
 * Owner    caller of letter_post_open().     Thread  one.
 * Faults   are said on stderr; the result is the exit code, 0 where all went well.
 * Memory   model.schemas where values are read, marks (requeued.h), librdkafka's fetch queue (64
 * MiB or 100,000 records, as it is set by default); no more with more letters.
 */
#ifndef LETTER_POST_H
#define LETTER_POST_H
#include "kafka/kafka_client.h"
#include "letter_choice.h"
#include "model/catalog.h"
#include "requeued.h"

struct letter_post {
    const char *command;              /* borrowed */
    const struct option_set *options; /* borrowed */
    struct kafka_client *client;      /* owned, as all below */
    struct catalog *catalog;          /* NULL until letter_post_read_schemas */
    struct requeued *requeued;        /* NULL until letter_post_read_requeued */
    struct topic_reader *letters, *sources[TOPIC_COUNT];
};
MUST_USE int letter_post_open(const char *command, const struct option_set *options,
                              struct letter_post *out_post);
MUST_USE int letter_post_read_schemas(struct letter_post *post);
/* Also where the topic is not there yet: then nothing was sent back. */
MUST_USE int letter_post_read_requeued(struct letter_post *post);

/* What one letter is looked at with; borrowed for the call. false: no more letters, please. */
typedef bool letter_visit_fn(void *context, const struct letter *letter,
                             const struct record *record);
struct letter_tally {
    uint64_t visited,
        passed_over; /* passed over: sent back already, where the choice is only_open */
};
/* Reads the schemas first, where the choice names a model. only_open needs
 * letter_post_read_requeued. */
MUST_USE int letter_post_visit(struct letter_post *post, const struct letter_choice *choice,
                               letter_visit_fn *visit, void *context,
                               struct letter_tally *out_tally);

/* The record that the letter was made of, lent to on_record, if it is still there: *out_found. It
 * is not where the topic was made anew and another key stands at the offset. */
MUST_USE int letter_post_source(struct letter_post *post, const struct letter *letter,
                                const struct record *record,
                                void (*on_record)(void *context, const struct record *source),
                                void *context, bool *out_found);
void letter_post_close(struct letter_post *post);
#endif
