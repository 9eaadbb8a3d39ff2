/* inlining.h: a schema whose named types lie in other schemas (a registry's references) as one text
 * that stands alone: each such type is written out where it is first named.
 *
 * Owner    the caller releases the text.     Thread  any.
 * Faults   none: what is no schema, or names what nobody defines, comes out as it is; schema_parse
 * says what is wrong. NULL with a reason: one of the texts is not JSON.
 * Memory   each definition once, however often it is named. Depth <= 200.
 */
#ifndef INLINING_H
#define INLINING_H
#include "check/reason.h"
#include "memory/span.h"
#include <stddef.h>

char *inlining_text(struct span root, const struct span *references, size_t count,
                    struct reason *out_reason);
#endif
