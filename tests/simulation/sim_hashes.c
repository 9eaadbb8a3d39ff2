#include "sim_hashes.h"
#include "memory/heap.h"

/* What one field was before a write. */
struct change {
    size_t write;
    int64_t time_ms;
    char *key, *field; /* owned */
    size_t key_size, field_size;
    bool is_text;
    struct span *old; /* owned; NULL: it was absent */
};

struct hash {
    bool is_text;
    struct table *fields; /* owned; values are struct span *, owned with their bytes */
};

struct sim_hashes {
    struct table *keys;  /* owned; values are struct hash *, owned */
    struct change *past; /* owned, [change_count], oldest first */
    size_t change_count, change_capacity;
    size_t write_count; /* that changed something */
    bool writing;       /* the write under way has not changed anything yet */
    int64_t now_ms;
};

static struct span *value_create(struct span bytes)
{
    struct span *value = heap_zeroed(1, sizeof *value + bytes.size + 1);
    uint8_t *copy = (uint8_t *)(value + 1);
    if (bytes.size > 0)
        memcpy(copy, bytes.bytes, bytes.size);
    *value = span_of(copy, bytes.size);
    return value;
}

struct sim_hashes *sim_hashes_create(void)
{
    struct sim_hashes *hashes = heap_zeroed(1, sizeof *hashes);
    hashes->keys = table_create();
    return hashes;
}

static void hash_destroy(struct hash *hash)
{
    size_t cursor = 0;
    for (void *value; (value = table_next(hash->fields, &cursor, NULL)) != NULL;)
        heap_release(value);
    table_destroy(hash->fields);
    heap_release(hash);
}

static void change_fini(struct change *change)
{
    heap_release(change->key);
    heap_release(change->field);
    heap_release(change->old);
}

void sim_hashes_destroy(struct sim_hashes *hashes)
{
    if (hashes == NULL)
        return;
    size_t cursor = 0;
    for (struct hash *hash; (hash = table_next(hashes->keys, &cursor, NULL)) != NULL;)
        hash_destroy(hash);
    table_destroy(hashes->keys);
    for (size_t i = 0; i < hashes->change_count; i++)
        change_fini(&hashes->past[i]);
    heap_release(hashes->past);
    heap_release(hashes);
}

enum sim_key sim_hashes_kind(const struct sim_hashes *hashes, struct span key)
{
    const struct hash *hash = table_find(hashes->keys, key);
    return hash == NULL ? SIM_KEY_NONE : hash->is_text ? SIM_KEY_TEXT : SIM_KEY_HASH;
}

struct span sim_hashes_get(const struct sim_hashes *hashes, struct span key, struct span field)
{
    const struct hash *hash = table_find(hashes->keys, key);
    const struct span *value = hash == NULL ? NULL : table_find(hash->fields, field);
    return value == NULL ? span_of(NULL, 0) : *value;
}

struct table_entry *sim_hashes_fields(const struct sim_hashes *hashes, struct span key,
                                      size_t *out_count)
{
    const struct hash *hash = table_find(hashes->keys, key);
    *out_count = hash == NULL ? 0 : table_count(hash->fields);
    return hash == NULL ? NULL : table_sorted(hash->fields);
}

struct table_entry *sim_hashes_keys(const struct sim_hashes *hashes, size_t *out_count)
{
    *out_count = table_count(hashes->keys);
    return table_sorted(hashes->keys);
}

void sim_hashes_begin_write(struct sim_hashes *hashes, int64_t now_ms)
{
    hashes->writing = true;
    hashes->now_ms = now_ms;
}

/* Puts or (NULL) removes; returns what was there. */
static struct span *replace(struct sim_hashes *hashes, struct span key, struct span field,
                            bool is_text, struct span *value)
{
    struct hash *hash = table_find(hashes->keys, key);
    if (hash == NULL && value == NULL)
        return NULL;
    if (hash == NULL) {
        hash = heap_zeroed(1, sizeof *hash);
        hash->is_text = is_text;
        hash->fields = table_create();
        (void)table_put(hashes->keys, key, hash);
    }
    struct span *old =
        value == NULL ? table_remove(hash->fields, field) : table_put(hash->fields, field, value);
    if (table_count(hash->fields) == 0)
        hash_destroy(table_remove(hashes->keys, key));
    return old;
}

void sim_hashes_put(struct sim_hashes *hashes, struct span key, struct span field,
                    struct span bytes)
{
    const bool is_text = field.bytes == NULL;
    REQUIRE(sim_hashes_kind(hashes, key) != (is_text ? SIM_KEY_HASH : SIM_KEY_TEXT));
    struct span *value = bytes.bytes == NULL ? NULL : value_create(bytes);
    struct span *old = replace(hashes, key, field, is_text, value);
    if (old == NULL && value == NULL)
        return;
    hashes->write_count += hashes->writing;
    hashes->writing = false;
    if (hashes->change_count == hashes->change_capacity) {
        hashes->change_capacity = hashes->change_capacity == 0 ? 64 : 2 * hashes->change_capacity;
        hashes->past = heap_resized(hashes->past, hashes->change_capacity, sizeof *hashes->past);
    }
    hashes->past[hashes->change_count++] = (struct change){.write = hashes->write_count,
                                                           .time_ms = hashes->now_ms,
                                                           .key = span_copied(key),
                                                           .key_size = key.size,
                                                           .field = span_copied(field),
                                                           .field_size = field.size,
                                                           .is_text = is_text,
                                                           .old = old};
}

void sim_hashes_remove(struct sim_hashes *hashes, struct span key)
{
    const bool is_text = sim_hashes_kind(hashes, key) == SIM_KEY_TEXT;
    char *name = span_copied(key); /* the caller's may be the table's own */
    size_t count;
    struct table_entry *fields = sim_hashes_fields(hashes, key, &count);
    for (size_t i = 0; i < count; i++) {
        char *field = span_copied(fields[i].key);
        sim_hashes_put(hashes, span_of(name, key.size),
                       is_text ? span_of(NULL, 0) : span_of(field, fields[i].key.size),
                       span_of(NULL, 0));
        heap_release(field);
    }
    heap_release(fields);
    heap_release(name);
}

size_t sim_hashes_writes(const struct sim_hashes *hashes)
{
    return hashes->write_count;
}

size_t sim_hashes_writes_at(const struct sim_hashes *hashes, int64_t time_ms)
{
    size_t writes = hashes->write_count;
    for (size_t i = hashes->change_count; i > 0 && hashes->past[i - 1].time_ms > time_ms; i--)
        writes = hashes->past[i - 1].write - 1;
    return writes;
}

void sim_hashes_roll_back(struct sim_hashes *hashes, size_t writes)
{
    while (hashes->change_count > 0 && hashes->past[hashes->change_count - 1].write > writes) {
        struct change *change = &hashes->past[--hashes->change_count];
        const struct span field =
            change->is_text ? span_of(NULL, 0) : span_of(change->field, change->field_size);
        heap_release(replace(hashes, span_of(change->key, change->key_size), field, change->is_text,
                             change->old));
        change->old = NULL; /* it is in its place again */
        change_fini(change);
    }
    if (hashes->write_count > writes)
        hashes->write_count = writes;
}
