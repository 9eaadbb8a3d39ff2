/* place.h: where in a value or schema a walk stands, as a chain of frames on the walker's stack.
 *
 * Costs nothing until a fault is told: "Pane.columns[3].sum". No frame: "".
 * Owner    the walker's stack frames.
 */
#ifndef PLACE_H
#define PLACE_H
#include "check/check.h"

struct place {
    const struct place *up; /* borrowed; NULL at the top */
    const char *name;       /* borrowed; NULL: an item, by index */
    size_t index;
};

enum { PLACE_TEXT_SIZE = 160 };
/* Writes the path into out_text and returns it; a path too long keeps its first part. */
const char *place_text(const struct place *place, char out_text[PLACE_TEXT_SIZE]);
#endif
