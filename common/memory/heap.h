/* heap.h: the only place that calls malloc. It never returns NULL: out of memory ends the process
 * (exit 70).
 *
 * Why not a fault: a crash is safe by design (state is fenced at an offset in Redis, Kafka is the
 * truth), an operation cut in half is not. Input never decides a size unchecked: limits come first
 * (LIMIT_EXCEEDED). Thread   any.
 */
#ifndef HEAP_H
#define HEAP_H
#include "check/check.h"

void *heap_zeroed(size_t count,
                  size_t size); /* count * size zero bytes; overflow ends the process */
void *heap_resized(void *memory, size_t count,
                   size_t size); /* like realloc; NULL memory accepted */
void *heap_copied(const void *bytes, size_t size);
char *heap_text(const char *text); /* a copy */
char *heap_format(const char *format, ...) PRINTF_LIKE(1, 2);
void heap_release(void *memory); /* NULL accepted */
#endif
