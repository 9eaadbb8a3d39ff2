/* sentence.h: what an alert says to a person, one template a kind.
 *
 * "electricity-price 1: PSI of vicprice 18.4 (limit 0.25), vicdemand 17.9 since 1997-05-05 00:00,
 * mostly in > 0.003467 (98 %); owner grid-ml; runbook https://…". At most SENTENCE_COLUMNS_MAX
 * columns are named, the rest counted. Times are UTC.
 *
 * Owner    the caller releases the text.
 * Thread   any (pure).
 */
#ifndef SENTENCE_H
#define SENTENCE_H
#include "finding/finding.h"

enum { SENTENCE_COLUMNS_MAX = 5 };

struct sentence_column {
    const char *name;
    double value, threshold;
    const char *cell; /* where most of the value comes from; NULL: not known */
    double share;     /* of the value, from that cell */
};

struct sentence { /* all borrowed */
    enum finding_kind kind;
    bool resolved;
    const char *model, *version, *role, *owner, *runbook;
    const char *segment;                   /* "": none */
    int64_t started_ms;                    /* event time since when */
    int64_t window_ms;                     /* resolved: the first moment within limits */
    const struct sentence_column *columns; /* strongest first */
    size_t column_count;
};

char *sentence_text(const struct sentence *sentence);
char *
sentence_summary(const struct sentence *sentence); /* one short line with no number that changes */
#endif
