#include "container/table.h"
#include "memory/heap.h"

#include <xxhash.h>

struct slot {
    uint64_t hash;
    uint8_t *key; /* owned; NULL where free */
    size_t key_size;
    void *value; /* borrowed; never NULL where key is set */
};

struct table {
    struct slot *slots; /* owned, [capacity] */
    size_t capacity;    /* a power of two */
    size_t count;       /* <= 3/4 capacity; open addressing, linear probes, no tombstones */
};

static size_t slot_of(const struct table *table, uint64_t hash, struct span key)
{
    size_t index = (size_t)hash & (table->capacity - 1);
    while (table->slots[index].key != NULL) {
        const struct slot *slot = &table->slots[index];
        if (slot->hash == hash && span_equal(span_of(slot->key, slot->key_size), key))
            return index;
        index = (index + 1) & (table->capacity - 1);
    }
    return index;
}

static void grow(struct table *table)
{
    struct slot *old = table->slots;
    const size_t old_capacity = table->capacity;
    table->capacity *= 2;
    table->slots = heap_zeroed(table->capacity, sizeof *table->slots);
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].key == NULL)
            continue;
        table->slots[slot_of(table, old[i].hash, span_of(old[i].key, old[i].key_size))] = old[i];
    }
    heap_release(old);
}

struct table *table_create(void)
{
    struct table *table = heap_zeroed(1, sizeof *table);
    table->capacity = 16;
    table->slots = heap_zeroed(table->capacity, sizeof *table->slots);
    return table;
}

void *table_find(const struct table *table, struct span key)
{
    REQUIRE(table != NULL);
    const struct slot *slot = &table->slots[slot_of(table, XXH3_64bits(key.bytes, key.size), key)];
    return slot->key == NULL ? NULL : slot->value;
}

void *table_put(struct table *table, struct span key, void *value)
{
    REQUIRE(table != NULL);
    REQUIRE(value != NULL);
    if ((table->count + 1) * 4 > table->capacity * 3)
        grow(table);
    const uint64_t hash = XXH3_64bits(key.bytes, key.size);
    struct slot *slot = &table->slots[slot_of(table, hash, key)];
    void *old = slot->value;
    if (slot->key == NULL) {
        slot->hash = hash;
        slot->key = heap_copied(key.bytes, key.size);
        slot->key_size = key.size;
        table->count++;
        old = NULL;
    }
    slot->value = value;
    return old;
}

void *table_remove(struct table *table, struct span key)
{
    REQUIRE(table != NULL);
    const size_t mask = table->capacity - 1;
    size_t hole = slot_of(table, XXH3_64bits(key.bytes, key.size), key);
    if (table->slots[hole].key == NULL)
        return NULL;
    void *value = table->slots[hole].value;
    heap_release(table->slots[hole].key);
    table->slots[hole] = (struct slot){0};
    table->count--;
    /* Close the gap: an entry behind the hole moves into it unless its home lies cyclically after
     * the hole. */
    for (size_t index = (hole + 1) & mask; table->slots[index].key != NULL;
         index = (index + 1) & mask) {
        const size_t home = (size_t)table->slots[index].hash & mask;
        if (((index - home) & mask) >= ((index - hole) & mask)) {
            table->slots[hole] = table->slots[index];
            table->slots[index] = (struct slot){0};
            hole = index;
        }
    }
    return value;
}

size_t table_count(const struct table *table)
{
    return table->count;
}

void *table_next(const struct table *table, size_t *cursor, struct span *out_key)
{
    REQUIRE(table != NULL);
    while (*cursor < table->capacity) {
        const struct slot *slot = &table->slots[(*cursor)++];
        if (slot->key == NULL)
            continue;
        if (out_key != NULL)
            *out_key = span_of(slot->key, slot->key_size);
        return slot->value;
    }
    return NULL;
}

static int entry_order(const void *left, const void *right)
{
    return span_order(((const struct table_entry *)left)->key,
                      ((const struct table_entry *)right)->key);
}

struct table_entry *table_sorted(const struct table *table)
{
    struct table_entry *entries = heap_zeroed(table->count, sizeof *entries);
    size_t cursor = 0, count = 0;
    struct span key;
    for (void *value; (value = table_next(table, &cursor, &key)) != NULL; count++)
        entries[count] = (struct table_entry){.key = key, .value = value};
    ENSURE(count == table->count);
    if (count > 1)
        qsort(entries, count, sizeof *entries, entry_order);
    return entries;
}

void table_destroy(struct table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->capacity; i++)
        heap_release(table->slots[i].key);
    heap_release(table->slots);
    heap_release(table);
}
