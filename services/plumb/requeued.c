#include "requeued.h"
#include "container/table.h"
#include "memory/heap.h"

enum { CHUNK_OFFSETS = 1024, MARK_SIZE = 6 };

struct chunk {
    int32_t partition;
    int64_t number; /* of its first offset: number * CHUNK_OFFSETS */
    bool changed, gone;
    uint32_t marks[CHUNK_OFFSETS]; /* 0: none */
};

struct requeued {
    char *prefix;         /* owned: of every key */
    struct table *chunks; /* owned: (partition, number) → owned struct chunk */
};

struct chunk_key {
    int64_t partition, number; /* no padding: the bytes are the key */
};

struct requeued *requeued_create(const char *topic)
{
    struct requeued *requeued = heap_zeroed(1, sizeof *requeued);
    requeued->prefix = heap_format("plumb-requeue/%s/", topic);
    requeued->chunks = table_create();
    return requeued;
}

static struct chunk *chunk_find(const struct requeued *requeued, int32_t partition, int64_t number)
{
    const struct chunk_key key = {partition, number};
    return table_find(requeued->chunks, span_of(&key, sizeof key));
}

static struct chunk *chunk_take(struct requeued *requeued, int32_t partition, int64_t number)
{
    struct chunk *chunk = chunk_find(requeued, partition, number);
    if (chunk != NULL)
        return chunk;
    chunk = heap_zeroed(1, sizeof *chunk);
    chunk->partition = partition;
    chunk->number = number;
    const struct chunk_key key = {partition, number};
    (void)table_put(requeued->chunks, span_of(&key, sizeof key), chunk);
    return chunk;
}

void requeued_load(struct requeued *requeued, struct span key, struct span value)
{
    const size_t prefix = strlen(requeued->prefix);
    if (key.size <= prefix || memcmp(key.bytes, requeued->prefix, prefix) != 0 ||
        value.size % MARK_SIZE != 0)
        return;
    /* "3#17" reads as a place, but for its sign in the middle. */
    char text[32];
    struct letter_place place;
    const size_t size = key.size - prefix;
    if (size >= sizeof text)
        return;
    memcpy(text, key.bytes + prefix, size);
    char *const sign = memchr(text, '#', size);
    if (sign == NULL)
        return;
    *sign = ':';
    if (!letter_place_parse(span_of(text, size), &place))
        return;
    struct chunk *chunk = chunk_find(requeued, place.partition, place.offset);
    if (value.size == 0 && chunk != NULL) /* deleted, and compaction has not come by yet */
        memset(chunk->marks, 0, sizeof chunk->marks);
    for (size_t i = 0; i < value.size; i += MARK_SIZE) {
        const uint8_t *at = value.bytes + i;
        const uint32_t index = (uint32_t)at[0] | (uint32_t)at[1] << 8;
        const uint32_t mark =
            (uint32_t)at[2] | (uint32_t)at[3] << 8 | (uint32_t)at[4] << 16 | (uint32_t)at[5] << 24;
        if (chunk == NULL)
            chunk = chunk_take(requeued, place.partition, place.offset);
        if (index < CHUNK_OFFSETS)
            chunk->marks[index] = mark;
    }
}

static uint32_t mark_of(const struct letter *letter)
{
    const uint32_t mark = (uint32_t)((uint64_t)letter->time_ms & UINT32_MAX);
    return mark == 0 ? 1 : mark;
}

bool requeued_has(const struct requeued *requeued, const struct letter *letter)
{
    const struct chunk *chunk =
        chunk_find(requeued, letter->place.partition, letter->place.offset / CHUNK_OFFSETS);
    return chunk != NULL && chunk->marks[letter->place.offset % CHUNK_OFFSETS] == mark_of(letter);
}

void requeued_add(struct requeued *requeued, const struct letter *letter)
{
    struct chunk *chunk =
        chunk_take(requeued, letter->place.partition, letter->place.offset / CHUNK_OFFSETS);
    chunk->marks[letter->place.offset % CHUNK_OFFSETS] = mark_of(letter);
    chunk->changed = true;
    chunk->gone = false;
}

static bool has_marks(const struct chunk *chunk)
{
    for (size_t i = 0; i < CHUNK_OFFSETS; i++)
        if (chunk->marks[i] != 0)
            return true;
    return false;
}

void requeued_forget(struct requeued *requeued, int32_t partition, int64_t first)
{
    size_t cursor = 0;
    for (struct chunk *chunk; (chunk = table_next(requeued->chunks, &cursor, NULL)) != NULL;)
        if (chunk->partition == partition && (chunk->number + 1) * CHUNK_OFFSETS <= first &&
            has_marks(chunk))
            chunk->changed = chunk->gone = true;
}

bool requeued_next(struct requeued *requeued, size_t *cursor, struct buffer *out_key,
                   struct buffer *out_value)
{
    const struct chunk *chunk = table_next(requeued->chunks, cursor, NULL);
    while (chunk != NULL && !chunk->changed)
        chunk = table_next(requeued->chunks, cursor, NULL);
    if (chunk == NULL)
        return false;
    buffer_clear(out_key);
    buffer_clear(out_value);
    buffer_format(out_key, "%s%d#%lld", requeued->prefix, (int)chunk->partition,
                  (long long)chunk->number);
    for (uint32_t i = 0; i < CHUNK_OFFSETS && !chunk->gone; i++) {
        const uint32_t mark = chunk->marks[i];
        const uint8_t bytes[MARK_SIZE] = {
            (uint8_t)i,           (uint8_t)(i >> 8),     (uint8_t)mark,
            (uint8_t)(mark >> 8), (uint8_t)(mark >> 16), (uint8_t)(mark >> 24)};
        if (mark != 0)
            buffer_append(out_value, bytes, sizeof bytes);
    }
    return true;
}

void requeued_settle(struct requeued *requeued)
{
    size_t cursor = 0;
    for (struct chunk *chunk; (chunk = table_next(requeued->chunks, &cursor, NULL)) != NULL;) {
        chunk->changed = false;
        if (chunk->gone)
            memset(chunk->marks, 0, sizeof chunk->marks);
    }
}

void requeued_destroy(struct requeued *requeued)
{
    if (requeued == NULL)
        return;
    size_t cursor = 0;
    for (struct chunk *chunk; (chunk = table_next(requeued->chunks, &cursor, NULL)) != NULL;)
        heap_release(chunk);
    table_destroy(requeued->chunks);
    heap_release(requeued->prefix);
    heap_release(requeued);
}
