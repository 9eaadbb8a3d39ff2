/* tally.h: counts of a while, by metric and label, summed before they go where they are read.
 *
 * A service counts the same few things for every record, in the same order: so the entry behind the
 * one counted last is tried first, and a look-up by name is the exception.
 *
 * Owner    caller of tally_create(). Texts are copied.     Thread  one at a time.
 * Memory   an entry for each metric and label seen, kept; given back at 4,096 when cleared.
 * Cost     add: two comparisons of texts where the order is kept, else a hash.
 */
#ifndef TALLY_H
#define TALLY_H
#include <stddef.h>

struct tally;
struct tally_entry {
    const char *metric, *label; /* label NULL: none */
    double more;
};

struct tally *tally_create(void);
void tally_add(struct tally *tally, const char *metric, const char *label, double more);
/* What was added since the last clear, in the order in which it was first. */
size_t tally_size(const struct tally *tally);
const struct tally_entry *tally_at(const struct tally *tally, size_t index);
void tally_clear(struct tally *tally);
void tally_destroy(struct tally *tally); /* NULL accepted */
#endif
