#include "memory/span.h"
#include "memory/heap.h"

struct span span_of(const void *bytes, size_t size)
{
    return (struct span){.bytes = bytes, .size = size};
}

struct span span_text(const char *text)
{
    return span_of(text, text == NULL ? 0 : strlen(text));
}

bool span_is(struct span span, const char *text)
{
    return span_equal(span, span_text(text));
}

bool span_equal(struct span left, struct span right)
{
    return left.size == right.size &&
           (left.size == 0 || memcmp(left.bytes, right.bytes, left.size) == 0);
}

int span_order(struct span left, struct span right)
{
    const size_t shared = left.size < right.size ? left.size : right.size;
    const int order = shared == 0 ? 0 : memcmp(left.bytes, right.bytes, shared);
    if (order != 0)
        return order;
    return (left.size > right.size) - (left.size < right.size);
}

char *span_copied(struct span span)
{
    char *text = heap_zeroed(span.size + 1, 1);
    if (span.size != 0)
        memcpy(text, span.bytes, span.size);
    return text;
}
