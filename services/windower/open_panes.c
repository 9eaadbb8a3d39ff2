#include "open_panes.h"
#include "container/table.h"
#include "memory/heap.h"
#include "window/span_time.h"

struct entry {
    struct pane *pane;    /* owned */
    int64_t closes_ms;    /* closes when stream time is later */
    size_t stored_chunks; /* fields that the stored state has of it */
};

/* The panes of one version and role under one contract revision. */
struct family {
    const struct contract *contract; /* borrowed from the catalog */
    char *version;                   /* owned */
    enum event_role role;
    struct layout *layout; /* owned */
    struct entry *entries; /* owned, the one found last in front */
    size_t count, capacity;
};

struct open_panes {
    const struct catalog *catalog; /* borrowed */
    struct table *families;        /* contract, role, version → struct family, owned */
    struct family *last;           /* found last; NULL at first */
    int64_t next_close_ms; /* nothing closes at this time or before; INT64_MAX: nothing is open */
    size_t count;
    struct buffer key; /* scratch */
    struct table
        *gone; /* stored fields of panes that closed since the last save → the set itself */
};

/* A closed pane with what orders it. */
struct closing {
    struct pane *pane;
    int64_t closes_ms;
    char *key; /* owned */
};

struct open_panes *open_panes_create(const struct catalog *catalog)
{
    struct open_panes *set = heap_zeroed(1, sizeof *set);
    set->catalog = catalog;
    set->families = table_create();
    set->gone = table_create();
    set->next_close_ms = INT64_MAX;
    return set;
}

static enum fault make_family(struct open_panes *set, const struct contract *contract,
                              struct span version, enum event_role role, struct family **out_family)
{
    const struct baseline *baseline = NULL;
    const enum fault fault = catalog_baseline(set->catalog, contract, version, &baseline);
    if (fault != FAULT_NONE)
        return fault;
    struct family *family = heap_zeroed(1, sizeof *family);
    family->contract = contract;
    family->version = span_copied(version);
    family->role = role;
    family->layout = layout_create(contract, baseline);
    (void)table_put(set->families, buffer_span(&set->key), family);
    *out_family = family;
    return FAULT_NONE;
}

static enum fault find_family(struct open_panes *set, const struct contract *contract,
                              struct span version, enum event_role role, struct family **out_family)
{
    struct family *family = set->last;
    if (family == NULL || family->contract != contract || family->role != role ||
        !span_is(version, family->version)) {
        buffer_clear(&set->key);
        buffer_append(&set->key, &contract, sizeof contract); /* the address: one a revision */
        buffer_append_byte(&set->key, (uint8_t)role);
        buffer_append_span(&set->key, version);
        family = table_find(set->families, buffer_span(&set->key));
        if (family == NULL) {
            const enum fault fault = make_family(set, contract, version, role, &family);
            if (fault != FAULT_NONE)
                return fault;
        }
        set->last = family;
    }
    *out_family = family;
    return FAULT_NONE;
}

static struct entry *make_entry(struct open_panes *set, struct family *family, int64_t start_ms,
                                enum pane_part part)
{
    const struct contract *contract = family->contract;
    const int64_t end_ms = span_time_add(start_ms, contract->pane_ms);
    if (family->count == family->capacity) {
        family->capacity = family->capacity == 0 ? 4 : family->capacity * 2;
        family->entries = heap_resized(family->entries, family->capacity, sizeof *family->entries);
    }
    struct entry *entry = &family->entries[family->count++];
    *entry = (struct entry){
        .pane = pane_create(&(struct pane_key){.model = span_text(contract->model),
                                               .version = span_text(family->version),
                                               .role = family->role,
                                               .feed = FEED_VALIDATED,
                                               .part = part,
                                               .revision = contract->revision,
                                               .start_ms = start_ms,
                                               .end_ms = end_ms},
                            family->layout),
        .closes_ms = span_time_add(end_ms, part == PART_ON_TIME ? contract->lateness_ms
                                                                : contract->correction_ms)};
    if (entry->closes_ms < set->next_close_ms)
        set->next_close_ms = entry->closes_ms;
    set->count++;
    return entry;
}

static struct entry *find_entry(struct open_panes *set, struct family *family, int64_t start_ms,
                                enum pane_part part)
{
    size_t index = 0;
    while (index < family->count && (family->entries[index].pane->key.start_ms != start_ms ||
                                     family->entries[index].pane->key.part != part))
        index++;
    if (index == family->count)
        (void)make_entry(set, family, start_ms, part);
    const struct entry found = family->entries[index];
    family->entries[index] = family->entries[0];
    family->entries[0] = found;
    return &family->entries[0];
}

enum fault open_panes_find(struct open_panes *set, const struct contract *contract,
                           const struct event *event, enum pane_part part, struct pane **out_pane)
{
    struct family *family;
    const enum fault fault = find_family(set, contract, event->model_version, event->role, &family);
    if (fault != FAULT_NONE)
        return fault;
    const int64_t start_ms = span_time_start(event->event_time_ms, contract->pane_ms);
    *out_pane = find_entry(set, family, start_ms, part)->pane;
    return FAULT_NONE;
}

/* The stored field of a chunk, in set->key. */
static struct span field_of(struct open_panes *set, const struct pane *pane, size_t chunk)
{
    buffer_clear(&set->key);
    pane_key_write(&pane->key, &set->key);
    if (chunk > 0)
        buffer_format(&set->key, "#%zu", chunk);
    return buffer_span(&set->key);
}

static int closing_order(const void *left, const void *right)
{
    const struct closing *one = left, *other = right;
    if (one->closes_ms != other->closes_ms)
        return one->closes_ms < other->closes_ms ? -1 : 1;
    return strcmp(one->key, other->key);
}

/* Moves what is due out of the family into the list; the rest says when something closes next. */
static void take_due(struct open_panes *set, struct family *family, int64_t stream_time_ms,
                     struct closing *list, size_t *count)
{
    for (size_t i = 0; i < family->count;) {
        const struct entry entry = family->entries[i];
        if (entry.closes_ms >= stream_time_ms) {
            if (entry.closes_ms < set->next_close_ms)
                set->next_close_ms = entry.closes_ms;
            i++;
            continue;
        }
        for (size_t chunk = 0; chunk < entry.stored_chunks; chunk++)
            (void)table_put(set->gone, field_of(set, entry.pane, chunk), set);
        list[*count] = (struct closing){.pane = entry.pane,
                                        .closes_ms = entry.closes_ms,
                                        .key = span_copied(field_of(set, entry.pane, 0))};
        ++*count;
        family->entries[i] = family->entries[--family->count];
        set->count--;
    }
}

size_t open_panes_take(struct open_panes *set, int64_t stream_time_ms, struct pane ***out_list)
{
    if (stream_time_ms <= set->next_close_ms) {
        *out_list = NULL;
        return 0;
    }
    struct closing *closing = heap_zeroed(set->count, sizeof *closing);
    size_t count = 0, cursor = 0;
    set->next_close_ms = INT64_MAX;
    for (struct family *family; (family = table_next(set->families, &cursor, NULL)) != NULL;)
        take_due(set, family, stream_time_ms, closing, &count);
    if (count > 1)
        qsort(closing, count, sizeof *closing, closing_order);
    struct pane **list = heap_zeroed(count, sizeof(struct pane *));
    for (size_t i = 0; i < count; i++) {
        list[i] = closing[i].pane;
        heap_release(closing[i].key);
    }
    heap_release(closing);
    *out_list = list;
    return count;
}

int64_t open_panes_first_offset(const struct open_panes *set)
{
    int64_t first = INT64_MAX;
    size_t cursor = 0;
    for (const struct family *family;
         (family = table_next(set->families, &cursor, NULL)) != NULL;) {
        for (size_t i = 0; i < family->count; i++) {
            const struct pane *pane = family->entries[i].pane;
            for (size_t k = 0; k < pane->offsets_count; k++) /* one: a shard has one partition */
                first = pane->offsets[k].first < first ? pane->offsets[k].first : first;
        }
    }
    return first;
}

static void save_entry(struct open_panes *set, struct entry *entry, struct changes *changes)
{
    if (!entry->pane->changed)
        return;
    json_t *records = pane_records(entry->pane);
    const size_t chunks = json_array_size(records);
    for (size_t i = 0; i < chunks; i++)
        changes_put_json(changes, field_of(set, entry->pane, i), "window.panes",
                         json_array_get(records, i));
    for (size_t i = chunks; i < entry->stored_chunks; i++)
        changes_remove(changes, field_of(set, entry->pane, i));
    entry->stored_chunks = chunks;
    entry->pane->changed = false;
    json_decref(records);
}

/* What went comes first: a pane of the same key may have been opened since. */
void open_panes_save(struct open_panes *set, struct changes *changes)
{
    size_t cursor = 0;
    struct span field;
    if (table_count(set->gone) > 0) {
        while (table_next(set->gone, &cursor, &field) != NULL)
            changes_remove(changes, field);
        table_destroy(set->gone);
        set->gone = table_create();
    }
    cursor = 0;
    for (struct family *family; (family = table_next(set->families, &cursor, NULL)) != NULL;) {
        for (size_t i = 0; i < family->count; i++)
            save_entry(set, &family->entries[i], changes);
    }
}

enum fault open_panes_load(struct open_panes *set, const json_t *record)
{
    struct pane_key key;
    const json_t *chunk = json_object_get(record, "chunk");
    if (!pane_record_key(record, &key) || key.feed != FEED_VALIDATED || key.segment.size != 0 ||
        !json_is_integer(chunk) || json_integer_value(chunk) < 0)
        return FAULT_STATE_MALFORMED;
    const struct contract *contract = catalog_contract(set->catalog, key.model, key.revision);
    if (contract == NULL)
        return FAULT_TABLE_BEHIND;
    struct family *family;
    const enum fault fault = find_family(set, contract, key.version, key.role, &family);
    if (fault != FAULT_NONE)
        return fault;
    if (key.start_ms != span_time_start(key.start_ms, contract->pane_ms) ||
        key.end_ms - key.start_ms != contract->pane_ms)
        return FAULT_STATE_MALFORMED;
    struct entry *entry = find_entry(set, family, key.start_ms, key.part);
    struct reason reason;
    if (pane_add_record(entry->pane, record, &reason) != FAULT_NONE)
        return FAULT_STATE_MALFORMED;
    entry->pane->changed = false;
    const size_t chunks = (size_t)json_integer_value(chunk) + 1;
    if (chunks > entry->stored_chunks)
        entry->stored_chunks = chunks;
    return FAULT_NONE;
}

size_t open_panes_count(const struct open_panes *set)
{
    return set->count;
}

void open_panes_destroy(struct open_panes *set)
{
    if (set == NULL)
        return;
    size_t cursor = 0;
    for (struct family *family; (family = table_next(set->families, &cursor, NULL)) != NULL;) {
        for (size_t i = 0; i < family->count; i++)
            pane_destroy(family->entries[i].pane);
        layout_destroy(family->layout);
        heap_release(family->entries);
        heap_release(family->version);
        heap_release(family);
    }
    table_destroy(set->families);
    table_destroy(set->gone);
    buffer_fini(&set->key);
    heap_release(set);
}
