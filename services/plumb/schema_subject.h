/* schema_subject.h: what a schema registry says of one subject: a question, waited for.
 *
 * Owner    caller of schema_subject_open(); what a word holds is the caller's (subject_word_fini).
 * Thread   one at a time.
 * Faults   open: OPTION_INVALID; ask: HTTP_UNREACHABLE, LIMIT_EXCEEDED, OPTION_INVALID; with a
 * reason. A refusal of the registry is no fault: status says it.
 */
#ifndef SCHEMA_SUBJECT_H
#define SCHEMA_SUBJECT_H
#include "registry/registry.h"

struct schema_subject;
struct subject_word {
    long status;
    json_t *body;      /* owned; NULL: no JSON */
    struct reason why; /* where status is not 2xx */
};

/* NULL in *out_subject where the options name no registry. */
MUST_USE enum fault schema_subject_open(const struct option_set *options, const char *name,
                                        struct schema_subject **out_subject,
                                        struct reason *out_reason);
/* path: "/subjects/%/versions", where % stands for the subject. body NULL: GET. */
MUST_USE enum fault schema_subject_ask(struct schema_subject *subject, const char *path,
                                       const json_t *body, struct subject_word *out_word,
                                       struct reason *out_reason);
void subject_word_fini(struct subject_word *word);
void schema_subject_close(struct schema_subject *subject); /* NULL accepted */
#endif
