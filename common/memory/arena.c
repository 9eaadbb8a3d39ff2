#include "memory/arena.h"
#include "memory/heap.h"

#include <stddef.h>

enum { ARENA_BLOCK_SIZE = 64 * 1024 };

struct block {
    struct block *next; /* owned */
    size_t used, size;
    max_align_t bytes[];
};

struct arena {
    struct block *newest; /* owned list, newest first; only the newest has room */
};

static struct block *block_create(size_t size, struct block *next)
{
    struct block *block = heap_zeroed(1, offsetof(struct block, bytes) + size);
    block->size = size;
    block->next = next;
    return block;
}

struct arena *arena_create(void)
{
    struct arena *arena = heap_zeroed(1, sizeof *arena);
    arena->newest = block_create(ARENA_BLOCK_SIZE, NULL);
    return arena;
}

void *arena_take(struct arena *arena, size_t size)
{
    REQUIRE(arena != NULL);
    REQUIRE(size < SIZE_MAX / 2);
    const size_t align = _Alignof(max_align_t);
    const size_t whole = (size + align - 1) / align * align;
    if (arena->newest->size - arena->newest->used < whole) {
        const size_t block_size = whole > ARENA_BLOCK_SIZE ? whole : ARENA_BLOCK_SIZE;
        arena->newest = block_create(block_size, arena->newest);
    }
    struct block *block = arena->newest;
    void *memory = (uint8_t *)block->bytes + block->used;
    block->used += whole;
    return memory;
}

struct span arena_span(struct arena *arena, struct span span)
{
    uint8_t *copy = arena_take(arena, span.size + 1);
    if (span.size != 0)
        memcpy(copy, span.bytes, span.size);
    return span_of(copy, span.size);
}

void arena_reset(struct arena *arena)
{
    REQUIRE(arena != NULL);
    while (arena->newest->next != NULL) {
        struct block *block = arena->newest;
        arena->newest = block->next;
        heap_release(block);
    }
    memset(arena->newest->bytes, 0, arena->newest->used);
    arena->newest->used = 0;
}

void arena_destroy(struct arena *arena)
{
    if (arena == NULL)
        return;
    for (struct block *block = arena->newest; block != NULL;) {
        struct block *next = block->next;
        heap_release(block);
        block = next;
    }
    heap_release(arena);
}
