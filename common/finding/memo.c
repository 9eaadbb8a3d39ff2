#include "finding/memo.h"
#include "avro/datum.h"
#include "avro/wire.h"
#include "container/table.h"
#include "memory/heap.h"

struct memo_entry {
    json_t *value; /* owned */
    bool changed;  /* since the last save */
    bool stored;   /* the last save left it in the stored state */
};

struct memo {
    const char *prefix, *stem;
    struct table *entries; /* name → struct memo_entry, owned */
    struct table *gone;    /* names that are stored but no longer here → the memo itself */
};

struct memo *memo_create(const char *prefix, const char *stem)
{
    REQUIRE(prefix != NULL && stem != NULL);
    struct memo *memo = heap_zeroed(1, sizeof *memo);
    memo->prefix = prefix;
    memo->stem = stem;
    memo->entries = table_create();
    memo->gone = table_create();
    return memo;
}

json_t *memo_find(const struct memo *memo, struct span name)
{
    const struct memo_entry *entry = table_find(memo->entries, name);
    return entry == NULL ? NULL : entry->value;
}

void memo_put(struct memo *memo, struct span name, json_t *value)
{
    REQUIRE(value != NULL);
    struct memo_entry *entry = table_find(memo->entries, name);
    if (entry == NULL) {
        entry = heap_zeroed(1, sizeof *entry);
        entry->stored = table_remove(memo->gone, name) != NULL;
        (void)table_put(memo->entries, name, entry);
    }
    if (entry->value != value) /* a value changed in place is put again to say so */
        json_decref(entry->value);
    entry->value = value;
    entry->changed = true;
}

static void memo_release(struct memo_entry *entry)
{
    json_decref(entry->value);
    heap_release(entry);
}

void memo_remove(struct memo *memo, struct span name)
{
    struct memo_entry *entry = table_find(memo->entries, name);
    if (entry == NULL)
        return;
    if (entry->stored)
        (void)table_put(memo->gone, name, memo);
    (void)table_remove(memo->entries, name); /* last: the name may be borrowed from this table */
    memo_release(entry);
}

size_t memo_count(const struct memo *memo)
{
    return table_count(memo->entries);
}

struct memo_item *memo_sorted(const struct memo *memo)
{
    const size_t count = memo_count(memo);
    struct table_entry *entries = table_sorted(memo->entries);
    struct memo_item *items = heap_zeroed(count + 1, sizeof *items);
    for (size_t i = 0; i < count; i++) {
        const struct memo_entry *entry = entries[i].value;
        items[i] = (struct memo_item){.name = entries[i].key, .value = entry->value};
    }
    heap_release(entries);
    return items;
}

static void memo_field(const struct memo *memo, struct span name, struct buffer *out_field)
{
    buffer_clear(out_field);
    buffer_append_span(out_field, span_text(memo->prefix));
    buffer_append_byte(out_field, '|');
    buffer_append_span(out_field, name);
}

void memo_save(struct memo *memo, struct changes *changes)
{
    struct buffer field = {0};
    struct span name;
    size_t cursor = 0;
    while (table_next(memo->gone, &cursor, &name) != NULL) {
        memo_field(memo, name, &field);
        changes_remove(changes, buffer_span(&field));
    }
    table_destroy(memo->gone);
    memo->gone = table_create();
    cursor = 0;
    for (struct memo_entry *entry; (entry = table_next(memo->entries, &cursor, &name)) != NULL;) {
        if (!entry->changed)
            continue;
        memo_field(memo, name, &field);
        changes_put_json(changes, buffer_span(&field), memo->stem, entry->value);
        entry->changed = false;
        entry->stored = true;
    }
    buffer_fini(&field);
}

bool memo_owns(const struct memo *memo, struct span field)
{
    const struct span prefix = span_text(memo->prefix);
    return field.size > prefix.size && memcmp(field.bytes, prefix.bytes, prefix.size) == 0 &&
           field.bytes[prefix.size] == '|';
}

enum fault memo_load(struct memo *memo, struct span field, struct span bytes)
{
    REQUIRE(memo_owns(memo, field));
    json_t *value = NULL;
    const enum fault fault = memo_decode(memo->stem, bytes, &value);
    if (fault != FAULT_NONE)
        return fault;
    const size_t skip = strlen(memo->prefix) + 1;
    const struct span name = span_of(field.bytes + skip, field.size - skip);
    memo_put(memo, name, value);
    struct memo_entry *entry = table_find(memo->entries, name);
    entry->changed = false;
    entry->stored = true;
    return FAULT_NONE;
}

void memo_destroy(struct memo *memo)
{
    if (memo == NULL)
        return;
    size_t cursor = 0;
    for (struct memo_entry *entry; (entry = table_next(memo->entries, &cursor, NULL)) != NULL;)
        memo_release(entry);
    table_destroy(memo->entries);
    table_destroy(memo->gone);
    heap_release(memo);
}

enum fault memo_decode(const char *stem, struct span bytes, json_t **out_value)
{
    const struct schema *schema = schema_embedded(stem);
    uint64_t fingerprint = 0;
    struct span body = {0};
    struct reason reason;
    if (!wire_read_frame(bytes, &fingerprint, &body) || fingerprint != schema_fingerprint(schema) ||
        datum_decode(schema, body, out_value, &reason) != FAULT_NONE)
        return FAULT_STATE_MALFORMED;
    return FAULT_NONE;
}
