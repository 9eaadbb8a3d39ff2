/* arena.h: memory of one batch, given back all at once.
 *
 * Owner    caller of arena_create(). What arena_take gave is valid until arena_reset or
 * arena_destroy. Thread   one at a time. Memory   blocks of 64 KiB (larger takes get their own);
 * reset keeps the first block only. Cost     take O(1).
 */
#ifndef ARENA_H
#define ARENA_H
#include "memory/span.h"

struct arena;
struct arena *arena_create(void);
void *arena_take(struct arena *arena, size_t size); /* zeroed, aligned for any type */
struct span arena_span(struct arena *arena,
                       struct span span); /* a copy, zero-terminated behind its end */
void arena_reset(struct arena *arena);
void arena_destroy(struct arena *arena); /* NULL accepted */
#endif
