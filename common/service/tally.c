#include "service/tally.h"
#include "container/table.h"
#include "memory/buffer.h"
#include "memory/heap.h"

enum { ENTRIES_MAX = 4096 };

struct entry {
    struct tally_entry said; /* first: what tally_at lends; texts owned */
    bool is_listed;
    struct entry *next; /* counted behind this one the last time; NULL: not known */
};

struct tally {
    struct table *by_name; /* owned: metric, zero, label → owned entry */
    struct entry **listed; /* owned: those added to since the last clear, [size] */
    size_t size, capacity;
    struct entry *last; /* added to last; NULL: none since the entries were given back */
    struct buffer key;
};

struct tally *tally_create(void)
{
    struct tally *tally = heap_zeroed(1, sizeof *tally);
    tally->by_name = table_create();
    return tally;
}

static bool is_of(const struct entry *entry, const char *metric, const char *label)
{
    const char *known = entry->said.label;
    return (entry->said.metric == metric || strcmp(entry->said.metric, metric) == 0) &&
           (known == NULL || label == NULL ? known == label : strcmp(known, label) == 0);
}

static struct entry *look_up(struct tally *tally, const char *metric, const char *label)
{
    buffer_clear(&tally->key);
    buffer_append(&tally->key, metric, strlen(metric) + 1);
    if (label != NULL)
        buffer_append(&tally->key, label, strlen(label) + 1);
    struct entry *entry = table_find(tally->by_name, buffer_span(&tally->key));
    if (entry != NULL)
        return entry;
    entry = heap_zeroed(1, sizeof *entry);
    entry->said.metric = heap_text(metric);
    entry->said.label = label == NULL ? NULL : heap_text(label);
    (void)table_put(tally->by_name, buffer_span(&tally->key), entry);
    return entry;
}

static void list(struct tally *tally, struct entry *entry)
{
    if (tally->size == tally->capacity) {
        tally->capacity = tally->capacity == 0 ? 16 : tally->capacity * 2;
        tally->listed = heap_resized(tally->listed, tally->capacity, sizeof(struct entry *));
    }
    tally->listed[tally->size++] = entry;
    entry->is_listed = true;
    entry->said.more = 0;
}

void tally_add(struct tally *tally, const char *metric, const char *label, double more)
{
    REQUIRE(tally != NULL);
    REQUIRE(metric != NULL);
    struct entry *last = tally->last;
    struct entry *entry = last == NULL ? NULL : last->next;
    if (entry == NULL || !is_of(entry, metric, label)) {
        entry = look_up(tally, metric, label);
        if (last != NULL)
            last->next = entry;
    }
    if (!entry->is_listed)
        list(tally, entry);
    entry->said.more += more;
    tally->last = entry;
}

size_t tally_size(const struct tally *tally)
{
    return tally->size;
}

const struct tally_entry *tally_at(const struct tally *tally, size_t index)
{
    REQUIRE(index < tally->size);
    return &tally->listed[index]->said;
}

static void give_back(struct tally *tally)
{
    size_t cursor = 0;
    for (struct entry *entry; (entry = table_next(tally->by_name, &cursor, NULL)) != NULL;) {
        heap_release((void *)(uintptr_t)entry->said.metric);
        heap_release((void *)(uintptr_t)entry->said.label);
        heap_release(entry);
    }
    table_destroy(tally->by_name);
    tally->last = NULL;
}

void tally_clear(struct tally *tally)
{
    for (size_t i = 0; i < tally->size; i++)
        tally->listed[i]->is_listed = false;
    tally->size = 0;
    if (table_count(tally->by_name) < ENTRIES_MAX)
        return;
    give_back(tally);
    tally->by_name = table_create();
}

void tally_destroy(struct tally *tally)
{
    if (tally == NULL)
        return;
    give_back(tally);
    heap_release(tally->listed);
    buffer_fini(&tally->key);
    heap_release(tally);
}
