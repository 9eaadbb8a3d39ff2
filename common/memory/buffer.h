/* buffer.h: bytes that grow at the end.
 *
 * Owner    embedded in the caller: {0} is an empty buffer; buffer_fini gives the memory back.
 * Cost     append amortised O(size).
 */
#ifndef BUFFER_H
#define BUFFER_H
#include "memory/span.h"

struct buffer {
    uint8_t *bytes; /* owned */
    size_t size, capacity;
};

void buffer_append(struct buffer *buffer, const void *bytes, size_t size);
void buffer_append_span(struct buffer *buffer, struct span span);
void buffer_append_byte(struct buffer *buffer, uint8_t byte);
void buffer_format(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
struct span buffer_span(const struct buffer *buffer); /* borrowed until the next append */
void buffer_clear(struct buffer *buffer);             /* keeps the memory */
void buffer_fini(struct buffer *buffer);
#endif
