/* difference.h: where two sides that must be equal are not: all are counted, the first are kept.
 *
 * Owner    embedded in the caller: {0} is none; difference_fini gives the texts back.
 * Thread   one at a time.
 */
#ifndef DIFFERENCE_H
#define DIFFERENCE_H
#include "kafka/topic.h"
#include <stdint.h>

enum { DIFFERENCE_MAX = 20 };
struct difference {
    const char *kind;   /* borrowed: missing doubled lost … */
    char *place, *what; /* owned */
};
struct differences {
    struct difference list[DIFFERENCE_MAX];
    size_t count;
    uint64_t all; /* also those that are not kept */
};
struct place {
    enum topic topic;
    int32_t partition;
    int64_t offset;
};
/* Takes both texts. */
void difference_add(struct differences *differences, const char *kind, char *place, char *what);
char *difference_place(struct place place); /* "window.panes:1 offset 12"; the caller releases it */
void difference_fini(struct differences *differences);
#endif
