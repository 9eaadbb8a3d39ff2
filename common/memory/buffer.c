#include "memory/buffer.h"
#include "memory/heap.h"

#include <stdarg.h>

static void reserve(struct buffer *buffer, size_t more)
{
    REQUIRE(more < SIZE_MAX / 4);
    const size_t wanted = buffer->size + more;
    if (wanted <= buffer->capacity)
        return;
    size_t capacity = buffer->capacity < 64 ? 64 : buffer->capacity;
    while (capacity < wanted)
        capacity *= 2;
    buffer->bytes = heap_resized(buffer->bytes, capacity, 1);
    buffer->capacity = capacity;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t size)
{
    REQUIRE(buffer != NULL);
    if (size == 0)
        return;
    reserve(buffer, size);
    memcpy(buffer->bytes + buffer->size, bytes, size);
    buffer->size += size;
}

void buffer_append_span(struct buffer *buffer, struct span span)
{
    buffer_append(buffer, span.bytes, span.size);
}

void buffer_append_byte(struct buffer *buffer, uint8_t byte)
{
    reserve(buffer, 1);
    buffer->bytes[buffer->size++] = byte;
}

void buffer_format(struct buffer *buffer, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    REQUIRE(size >= 0);
    reserve(buffer, (size_t)size + 1);
    (void)vsnprintf((char *)buffer->bytes + buffer->size, (size_t)size + 1, format, again);
    va_end(again);
    buffer->size += (size_t)size;
}

struct span buffer_span(const struct buffer *buffer)
{
    return span_of(buffer->bytes, buffer->size);
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
}

void buffer_fini(struct buffer *buffer)
{
    heap_release(buffer->bytes);
    *buffer = (struct buffer){0};
}
