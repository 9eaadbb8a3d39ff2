#include "id_table.h"
#include "memory/heap.h"

#include <xxhash.h>

enum { CAPACITY_MIN = 1024 };
_Static_assert(sizeof(struct id_hash) == 16, "an id costs 16 bytes");

static uint8_t tag_of(const struct id_hash *entry)
{
    return (uint8_t)(entry->high & 0xff);
}

static bool is_id(const struct id_hash *entry, struct id_hash hash)
{
    return entry->low == hash.low && (entry->high ^ hash.high) <= 0xff;
}

struct id_hash id_hash_of(struct span id)
{
    const XXH128_hash_t hash = XXH3_128bits(id.bytes, id.size);
    return (struct id_hash){.low = hash.low64, .high = hash.high64 & ~(uint64_t)0xff};
}

void id_hash_write(struct id_hash hash, uint8_t out[ID_HASH_SIZE])
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(hash.low >> (8 * i));
    for (int i = 1; i < 8; i++)
        out[7 + i] = (uint8_t)(hash.high >> (8 * i));
}

struct id_hash id_hash_read(const uint8_t bytes[ID_HASH_SIZE])
{
    struct id_hash hash = {0};
    for (int i = 0; i < 8; i++)
        hash.low |= (uint64_t)bytes[i] << (8 * i);
    for (int i = 1; i < 8; i++)
        hash.high |= (uint64_t)bytes[7 + i] << (8 * i);
    return hash;
}

/* Where the id is, living or dead; else where it would go: the first dead place passed by, or the
 * free one at the end. */
static size_t place_of(const struct id_table *table, struct id_hash hash)
{
    const size_t mask = table->capacity - 1;
    size_t dead = SIZE_MAX;
    for (size_t index = (size_t)hash.low & mask;; index = (index + 1) & mask) {
        const struct id_hash *entry = &table->entries[index];
        const uint8_t tag = tag_of(entry);
        if (tag == 0)
            return dead == SIZE_MAX ? index : dead;
        if (is_id(entry, hash))
            return index;
        if (dead == SIZE_MAX && !table->is_live[tag])
            dead = index;
    }
}

/* Without the dead. */
static void build_anew(struct id_table *table)
{
    struct id_hash *old = table->entries;
    const size_t old_capacity = table->capacity;
    size_t living = 0;
    for (size_t i = 0; i < old_capacity; i++)
        living += table->is_live[tag_of(&old[i])];
    table->capacity = CAPACITY_MIN;
    while (table->capacity / 2 < living + 1)
        table->capacity *= 2;
    table->entries = heap_zeroed(table->capacity, sizeof *table->entries);
    table->used = living;
    const size_t mask = table->capacity - 1;
    for (size_t i = 0; i < old_capacity; i++) {
        if (!table->is_live[tag_of(&old[i])])
            continue;
        size_t index = (size_t)old[i].low & mask;
        while (tag_of(&table->entries[index]) != 0)
            index = (index + 1) & mask;
        table->entries[index] = old[i];
    }
    heap_release(old);
    memset(table->is_dirty, 0, sizeof table->is_dirty);
}

uint8_t id_table_open_tag(struct id_table *table)
{
    uint8_t tag = table->last;
    do
        tag = (uint8_t)(tag == ID_TABLE_TAGS - 1 ? 1 : tag + 1);
    while (table->is_live[tag]); /* few are */
    if (table->is_dirty[tag])
        build_anew(table);
    table->is_live[tag] = true;
    table->last = tag;
    return tag;
}

void id_table_close_tag(struct id_table *table, uint8_t tag)
{
    REQUIRE(table->is_live[tag]);
    table->is_live[tag] = false;
    table->is_dirty[tag] = true;
}

uint8_t id_table_find(const struct id_table *table, struct id_hash hash)
{
    if (table->capacity == 0)
        return 0;
    const struct id_hash *entry = &table->entries[place_of(table, hash)];
    const uint8_t tag = tag_of(entry);
    return table->is_live[tag] && is_id(entry, hash) ? tag : 0;
}

void id_table_expect(const struct id_table *table, struct id_hash hash)
{
    if (table->capacity != 0)
        __builtin_prefetch(&table->entries[(size_t)hash.low & (table->capacity - 1)]);
}

void id_table_put(struct id_table *table, struct id_hash hash, uint8_t tag)
{
    REQUIRE(tag != 0 && table->is_live[tag]);
    if (table->used >= table->capacity / 4 * 3)
        build_anew(table);
    struct id_hash *entry = &table->entries[place_of(table, hash)];
    table->used += tag_of(entry) == 0;
    *entry = (struct id_hash){.low = hash.low, .high = hash.high | tag};
}

void id_table_fini(struct id_table *table)
{
    heap_release(table->entries);
    *table = (struct id_table){0};
}
