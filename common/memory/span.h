/* span.h: borrowed bytes, passed by value. */
#ifndef SPAN_H
#define SPAN_H
#include "check/check.h"
#include <stdbool.h>

struct span {
    const uint8_t *bytes; /* borrowed; may be NULL when size is 0 */
    size_t size;
};

struct span span_of(const void *bytes, size_t size);
struct span span_text(const char *text); /* without the final zero; NULL gives the empty span */
bool span_is(struct span span, const char *text);
bool span_equal(struct span left, struct span right);
int span_order(struct span left, struct span right); /* as memcmp, the shorter first */
char *span_copied(struct span span);                 /* heap, zero-terminated */
#endif
