#include "window/pane.h"
#include "memory/heap.h"
#include "window/pane_column.h"

/* Of the columns of a record; the rest up to 512 KiB is for the key and the offsets of some
 * thousand partitions. */
enum { RECORD_SIZE_MAX = 400 * 1024 };

static const char *const feed_names[] = {
    [FEED_VALIDATED] = "VALIDATED", [FEED_LABELLED] = "LABELLED", [FEED_COMPARED] = "COMPARED"};
static const char *const part_names[] = {[PART_ON_TIME] = "ON_TIME", [PART_LATE] = "LATE"};

/* A copy of the text at *next, which moves behind it. */
static struct span copied(struct span text, uint8_t **next)
{
    uint8_t *copy = *next;
    if (text.size != 0)
        memcpy(copy, text.bytes, text.size);
    *next += text.size;
    return span_of(copy, text.size);
}

struct pane *pane_create(const struct pane_key *key, const struct layout *layout)
{
    REQUIRE(key->start_ms < key->end_ms);
    struct pane *pane = heap_zeroed(1, sizeof *pane);
    pane->key = *key;
    pane->text = heap_zeroed(key->model.size + key->version.size + key->segment.size, 1);
    uint8_t *next = pane->text;
    pane->key.model = copied(key->model, &next);
    pane->key.version = copied(key->version, &next);
    pane->key.segment = copied(key->segment, &next);
    pane->layout = layout;
    pane->columns = heap_zeroed(layout->column_count, sizeof *pane->columns);
    for (size_t i = 0; i < layout->column_count; i++)
        pane_column_init(&pane->columns[i], &layout->columns[i]);
    return pane;
}

static void add_violation(struct pane *pane, const struct pane_violation *violation)
{
    const size_t index = layout_find(pane->layout, violation->column);
    if (index == pane->layout->column_count)
        return;
    struct pane_column *column = &pane->columns[index];
    if (span_is(violation->reason, "range"))
        column->range++;
    else if (span_is(violation->reason, "unseen_value"))
        column->values++;
    else if (span_is(violation->reason, "null_value") ||
             span_is(violation->reason, "missing_column"))
        column->nulls++;
    else if (span_is(violation->reason, "type_mismatch") ||
             span_is(violation->reason, "not_a_number"))
        column->type++;
}

static void add_offsets(struct pane *pane, struct pane_offsets more)
{
    size_t index = 0;
    while (index < pane->offsets_count && pane->offsets[index].partition < more.partition)
        index++;
    if (index < pane->offsets_count && pane->offsets[index].partition == more.partition) {
        struct pane_offsets *offsets = &pane->offsets[index];
        offsets->first = more.first < offsets->first ? more.first : offsets->first;
        offsets->last = more.last > offsets->last ? more.last : offsets->last;
        return;
    }
    pane->offsets = heap_resized(pane->offsets, pane->offsets_count + 1, sizeof *pane->offsets);
    memmove(&pane->offsets[index + 1], &pane->offsets[index],
            (pane->offsets_count - index) * sizeof *pane->offsets);
    pane->offsets[index] = more;
    pane->offsets_count++;
}

void pane_add(struct pane *pane, const struct event *event, const struct pane_violation *violations,
              size_t violation_count, int32_t partition, int64_t offset)
{
    const struct layout *layout = pane->layout;
    for (size_t i = 0; i < layout->column_count; i++) {
        const struct layout_column *place = &layout->columns[i];
        pane_column_add(&pane->columns[i], layout, place, layout_value(place, event));
    }
    for (size_t i = 0; i < violation_count; i++)
        add_violation(pane, &violations[i]);
    add_offsets(pane,
                (struct pane_offsets){.partition = partition, .first = offset, .last = offset});
    pane->events++;
    pane->changed = true;
}

void pane_merge(struct pane *into, const struct pane *from)
{
    REQUIRE(into != from);
    REQUIRE(layout_equal(into->layout, from->layout));
    for (size_t i = 0; i < into->layout->column_count; i++)
        pane_column_merge(&into->columns[i], &from->columns[i],
                          cells_count(into->layout->columns[i].cells));
    for (size_t i = 0; i < from->offsets_count; i++)
        add_offsets(into, from->offsets[i]);
    into->events += from->events;
    into->changed = true;
}

static void write_escaped(struct buffer *out, struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.bytes[i] == '%' || text.bytes[i] == '|')
            buffer_format(out, "%%%02X", (unsigned)text.bytes[i]);
        else
            buffer_append_byte(out, text.bytes[i]);
    }
    buffer_append_byte(out, '|');
}

void pane_key_write(const struct pane_key *key, struct buffer *out)
{
    write_escaped(out, key->model);
    write_escaped(out, key->version);
    buffer_format(out, "%s|", event_role_name(key->role));
    write_escaped(out, key->segment);
    buffer_format(out, "%ld|%s|%s|%lld|%lld", (long)key->revision, pane_feed_name(key->feed),
                  pane_part_name(key->part), (long long)key->start_ms, (long long)key->end_ms);
}

static json_t *record_of_offsets(const struct pane *pane)
{
    json_t *offsets = json_array();
    for (size_t i = 0; i < pane->offsets_count; i++) {
        const struct pane_offsets *span = &pane->offsets[i];
        json_t *record =
            json_pack("{s:I, s:I, s:I}", "partition", (json_int_t)span->partition, "first",
                      (json_int_t)span->first, "last", (json_int_t)span->last);
        ENSURE(json_array_append_new(offsets, record) == 0);
    }
    return offsets;
}

static json_t *text_record(struct span text)
{
    json_t *record = json_stringn((const char *)text.bytes, text.size);
    ENSURE(record != NULL); /* names in validated records are UTF-8 */
    return record;
}

/* Chunk 0 alone says how many events there were and where. */
static json_t *record_of_chunk(const struct pane *pane, json_t *columns, bool is_first)
{
    const struct pane_key *key = &pane->key;
    json_t *record =
        json_pack("{s:o, s:o, s:s, s:o, s:s, s:s, s:i, s:I, s:I, s:I, s:o, s:o}", "model",
                  text_record(key->model), "version", text_record(key->version), "role",
                  event_role_name(key->role), "segment",
                  key->segment.size == 0 ? json_null() : text_record(key->segment), "feed",
                  pane_feed_name(key->feed), "part", pane_part_name(key->part), "contract_revision",
                  (int)key->revision, "start", (json_int_t)key->start_ms, "end",
                  (json_int_t)key->end_ms, "events", (json_int_t)(is_first ? pane->events : 0),
                  "offsets", is_first ? record_of_offsets(pane) : json_array(), "columns", columns);
    ENSURE(record != NULL);
    return record;
}

/* Takes columns from *index on, as many as stay below the limit, one at least. */
static json_t *records_of_columns(const struct pane *pane, size_t *index)
{
    const struct layout *layout = pane->layout;
    json_t *columns = json_array();
    for (size_t size = 0; *index < layout->column_count; ++*index) {
        const struct pane_column *column = &pane->columns[*index];
        size += pane_column_size_max(column, &layout->columns[*index]);
        if (size > RECORD_SIZE_MAX && json_array_size(columns) > 0)
            break;
        ENSURE(json_array_append_new(columns,
                                     pane_column_record(column, &layout->columns[*index])) == 0);
    }
    return columns;
}

json_t *pane_records(const struct pane *pane)
{
    json_t *records = json_array();
    size_t index = 0;
    do { /* once also without a column: the events alone */
        json_t *columns = records_of_columns(pane, &index);
        json_t *record = record_of_chunk(pane, columns, json_array_size(records) == 0);
        ENSURE(json_array_append_new(records, record) == 0);
    } while (index < pane->layout->column_count);
    const size_t count = json_array_size(records);
    for (size_t i = 0; i < count; i++) {
        json_t *record = json_array_get(records, i);
        ENSURE(json_object_set_new(record, "chunk", json_integer((json_int_t)i)) == 0);
        ENSURE(json_object_set_new(record, "chunks", json_integer((json_int_t)count)) == 0);
    }
    return records;
}

static bool read_text(const json_t *record, const char *name, struct span *out_text)
{
    const json_t *text = json_object_get(record, name);
    if (!json_is_string(text))
        return false;
    *out_text = span_of(json_string_value(text), json_string_length(text));
    return true;
}

static bool read_integer(const json_t *record, const char *name, int64_t least, int64_t *out_value)
{
    const json_t *value = json_object_get(record, name);
    if (!json_is_integer(value) || json_integer_value(value) < least)
        return false;
    *out_value = json_integer_value(value);
    return true;
}

/* The index of a name in a list; count where it is not there. */
static size_t place_of(const json_t *record, const char *name, const char *const *names,
                       size_t count)
{
    struct span text;
    size_t index = 0;
    if (!read_text(record, name, &text))
        return count;
    while (index < count && !span_is(text, names[index]))
        index++;
    return index;
}

bool pane_record_key(const json_t *record, struct pane_key *out_key)
{
    const char *const roles[] = {event_role_name(ROLE_CHAMPION), event_role_name(ROLE_SHADOW),
                                 event_role_name(ROLE_CANARY)};
    const size_t role = place_of(record, "role", roles, COUNT_OF(roles));
    const size_t feed = place_of(record, "feed", feed_names, COUNT_OF(feed_names));
    const size_t part = place_of(record, "part", part_names, COUNT_OF(part_names));
    struct pane_key key = {0};
    int64_t revision;
    if (role == COUNT_OF(roles) || feed == COUNT_OF(feed_names) || part == COUNT_OF(part_names) ||
        !read_text(record, "model", &key.model) || !read_text(record, "version", &key.version) ||
        !read_integer(record, "contract_revision", INT32_MIN, &revision) || revision > INT32_MAX ||
        !read_integer(record, "start", INT64_MIN, &key.start_ms) ||
        !read_integer(record, "end", INT64_MIN, &key.end_ms) || key.start_ms >= key.end_ms)
        return false;
    if (!json_is_null(json_object_get(record, "segment")) &&
        !read_text(record, "segment", &key.segment))
        return false;
    key.role = (enum event_role)role;
    key.feed = (enum pane_feed)feed;
    key.part = (enum pane_part)part;
    key.revision = (int32_t)revision;
    *out_key = key;
    return true;
}

static bool read_offsets(const json_t *record, struct pane *part)
{
    const json_t *offsets = json_object_get(record, "offsets");
    if (!json_is_array(offsets))
        return false;
    for (size_t i = 0; i < json_array_size(offsets); i++) {
        const json_t *item = json_array_get(offsets, i);
        int64_t partition, first, last;
        if (!read_integer(item, "partition", 0, &partition) || partition > INT32_MAX ||
            !read_integer(item, "first", 0, &first) || !read_integer(item, "last", first, &last))
            return false;
        add_offsets(part, (struct pane_offsets){
                              .partition = (int32_t)partition, .first = first, .last = last});
    }
    return true;
}

/* Columns of a record, read one by one before any is added: part->columns[i] belongs at places[i].
 */
static enum fault read_columns(const json_t *columns, struct pane *part, size_t *places,
                               size_t *out_count, struct reason *reason)
{
    const struct layout *layout = part->layout;
    for (*out_count = 0; *out_count < json_array_size(columns); ++*out_count) {
        const json_t *item = json_array_get(columns, *out_count);
        struct span name;
        if (!read_text(item, "name", &name)) {
            reason_set(reason, "a column without a name");
            return FAULT_RECORD_MALFORMED;
        }
        const size_t place = layout_find(layout, name);
        if (place == layout->column_count || *out_count == layout->column_count ||
            !pane_column_read(item, &layout->columns[place], &part->columns[*out_count])) {
            reason_set(reason, "column %.*s does not fit the contract's cells", (int)name.size,
                       (const char *)name.bytes);
            return FAULT_RECORD_MALFORMED;
        }
        places[*out_count] = place;
    }
    return FAULT_NONE;
}

enum fault pane_add_record(struct pane *pane, const json_t *record, struct reason *out_reason)
{
    const struct layout *layout = pane->layout;
    struct pane part = {.layout =
                            layout}; /* what the record holds, until all of it is known to fit */
    part.columns = heap_zeroed(layout->column_count, sizeof *part.columns);
    size_t *places = heap_zeroed(layout->column_count, sizeof *places);
    size_t count = 0;
    int64_t events = 0;
    struct pane_key key;
    enum fault fault = FAULT_RECORD_MALFORMED;
    if (!pane_record_key(record, &key) || key.start_ms < pane->key.start_ms ||
        key.end_ms > pane->key.end_ms || !read_integer(record, "events", 0, &events) ||
        !read_offsets(record, &part))
        reason_set(out_reason, "not a record of this pane");
    else
        fault = read_columns(json_object_get(record, "columns"), &part, places, &count, out_reason);
    if (fault == FAULT_NONE) {
        for (size_t i = 0; i < count; i++)
            pane_column_merge(&pane->columns[places[i]], &part.columns[i],
                              cells_count(layout->columns[places[i]].cells));
        for (size_t i = 0; i < part.offsets_count; i++)
            add_offsets(pane, part.offsets[i]);
        pane->events += (uint64_t)events;
        pane->changed = true;
    }
    for (size_t i = 0; i < count; i++)
        pane_column_fini(&part.columns[i]);
    heap_release(part.columns);
    heap_release(part.offsets);
    heap_release(places);
    return fault;
}

void pane_destroy(struct pane *pane)
{
    if (pane == NULL)
        return;
    for (size_t i = 0; i < pane->layout->column_count; i++)
        pane_column_fini(&pane->columns[i]);
    heap_release(pane->columns);
    heap_release(pane->offsets);
    heap_release(pane->text);
    heap_release(pane);
}

const char *pane_feed_name(enum pane_feed feed)
{
    REQUIRE((size_t)feed < COUNT_OF(feed_names));
    return feed_names[feed];
}

const char *pane_part_name(enum pane_part part)
{
    REQUIRE((size_t)part < COUNT_OF(part_names));
    return part_names[part];
}
