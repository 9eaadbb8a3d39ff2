#include "redis/store_blob.h"

#define XXH_STATIC_LINKING_ONLY /* the state is on the stack */
#include <xxhash.h>

uint64_t store_blob_sum(struct span field, struct span bytes)
{
    XXH64_state_t state;
    (void)XXH64_reset(&state, 0);
    if (field.size > 0)
        (void)XXH64_update(&state, field.bytes, field.size);
    (void)XXH64_update(&state, "", 1);
    if (bytes.size > 0)
        (void)XXH64_update(&state, bytes.bytes, bytes.size);
    return XXH64_digest(&state);
}

static void frame_write(uint8_t frame[STORE_BLOB_FRAME_SIZE], struct span field, struct span bytes)
{
    const uint64_t sum = store_blob_sum(field, bytes);
    frame[0] = 'P';
    frame[1] = '1';
    for (int i = 0; i < 8; i++)
        frame[2 + i] = (uint8_t)(sum >> (8 * i));
}

struct span store_blob_framed(struct arena *arena, struct span field, struct span bytes)
{
    const size_t size = bytes.size + STORE_BLOB_FRAME_SIZE;
    uint8_t *framed = arena_take(arena, size);
    if (bytes.size > 0)
        memcpy(framed, bytes.bytes, bytes.size);
    frame_write(framed + bytes.size, field, bytes);
    return span_of(framed, size);
}

bool store_blob_read(struct span field, struct span stored, struct span *out_bytes)
{
    if (stored.size < STORE_BLOB_FRAME_SIZE)
        return false;
    const struct span bytes = span_of(stored.bytes, stored.size - STORE_BLOB_FRAME_SIZE);
    uint8_t frame[STORE_BLOB_FRAME_SIZE];
    frame_write(frame, field, bytes);
    if (memcmp(frame, stored.bytes + bytes.size, sizeof frame) != 0)
        return false;
    *out_bytes = bytes;
    return true;
}
