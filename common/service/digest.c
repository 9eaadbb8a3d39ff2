#include "service/digest.h"
#include "container/table.h"
#include "memory/heap.h"
#include "redis/store_blob.h"

struct digest {
    struct table *sums; /* owned: field → its checksum, as a pointer that is never NULL */
    uint64_t total;     /* of the checksums */
};

struct digest *digest_create(void)
{
    struct digest *digest = heap_zeroed(1, sizeof *digest);
    digest->sums = table_create();
    return digest;
}

void digest_put(struct digest *digest, struct span field, struct span bytes)
{
    const uint64_t sum = store_blob_sum(field, bytes) | 1;
    const void *old = table_put(digest->sums, field, (void *)(uintptr_t)sum);
    digest->total += sum - (uint64_t)(uintptr_t)old;
}

void digest_remove(struct digest *digest, struct span field)
{
    digest->total -= (uint64_t)(uintptr_t)table_remove(digest->sums, field);
}

void digest_add(struct digest *digest, const struct changes *changes)
{
    for (size_t i = 0; i < changes_size(changes); i++) {
        const struct change *change = changes_at(changes, i);
        if (change->bytes.bytes == NULL)
            digest_remove(digest, change->field);
        else
            digest_put(digest, change->field, change->bytes);
    }
}

size_t digest_count(const struct digest *digest)
{
    return table_count(digest->sums);
}

void digest_write(const struct digest *digest, struct span positions, struct buffer *out)
{
    buffer_append_span(out, positions);
    buffer_format(out, " %016llx", (unsigned long long)digest->total);
}

bool digest_read(const struct digest *digest, struct span stored, struct span *out_positions)
{
    struct buffer text = {0};
    size_t size = 0;
    while (size < stored.size && stored.bytes[size] != ' ')
        size++;
    const struct span positions = span_of(stored.bytes, size);
    digest_write(digest, positions, &text);
    const bool same = span_equal(buffer_span(&text), stored);
    buffer_fini(&text);
    if (same)
        *out_positions = positions;
    return same;
}

void digest_destroy(struct digest *digest)
{
    if (digest == NULL)
        return;
    table_destroy(digest->sums);
    heap_release(digest);
}
