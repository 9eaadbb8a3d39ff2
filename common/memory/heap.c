#include "memory/heap.h"

#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

static void *given(void *memory)
{
    if (memory == NULL) {
        (void)fputs("plumb: out of memory\n", stderr);
        _exit(70);
    }
    return memory;
}

void *heap_zeroed(size_t count, size_t size)
{
    return given(calloc(count == 0 ? 1 : count, size == 0 ? 1 : size));
}

void *heap_resized(void *memory, size_t count, size_t size)
{
    REQUIRE(size != 0);
    return given(reallocarray(memory, count == 0 ? 1 : count, size));
}

void *heap_copied(const void *bytes, size_t size)
{
    void *copy = given(malloc(size == 0 ? 1 : size));
    if (size != 0)
        memcpy(copy, bytes, size);
    return copy;
}

char *heap_text(const char *text)
{
    REQUIRE(text != NULL);
    return heap_copied(text, strlen(text) + 1);
}

char *heap_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    return given(text);
}

void heap_release(void *memory)
{
    free(memory);
}
