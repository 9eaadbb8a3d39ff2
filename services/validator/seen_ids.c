#include "seen_ids.h"
#include "avro/schema.h"
#include "avro/wire.h"
#include "id_table.h"
#include "memory/heap.h"

#define STATE_STEM "state.seen-ids"
enum {
    HORIZON_SLICES = 10,
    SLICES_MAX = HORIZON_SLICES + 1, /* the newest, too */
    CHUNK_IDS = 1024,
    FIELD_SIZE = 64
};
_Static_assert((int)SLICES_MAX <= (int)ID_TABLE_TAGS_LIVE_MAX, "each slice has a tag");

struct slice {
    int64_t number; /* arrival / width */
    int64_t first;  /* offset of its first sighting */
    uint64_t count; /* sightings */
    uint64_t saved; /* of these, in chunks that are stored */
    uint64_t kept;  /* of these, in full chunks that are stored: not in `ids` any more */
    uint8_t tag;
    struct buffer ids; /* owned: the others, ID_HASH_SIZE bytes each; empty once all that an older
                          slice has is stored */
};

/* Where a slice begins in the log that is replayed. */
struct boundary {
    int64_t number, first;
};

/* A slice that is forgotten, whose chunks are to be removed. */
struct gone {
    int64_t number;
    uint64_t saved;
};

struct seen_ids {
    int64_t width_ms, slices; /* an id is seen for so many slices after its own */
    uint64_t ids_max;
    struct id_table table;               /* tag: of the slice of its last sighting */
    struct slice remembered[SLICES_MAX]; /* oldest first, [count]; none is empty */
    size_t count;
    uint64_t total;               /* sightings in them */
    int64_t now;                  /* number of the slice that time has come to; -1: not known */
    struct gone gone[SLICES_MAX]; /* since the last save: at most those that it wrote */
    size_t gone_count;
    struct boundary boundaries[SLICES_MAX]; /* oldest first; of the replay before replay_end */
    size_t boundary_count;
    int64_t replay_end;
};

static void slice_forget_oldest(struct seen_ids *seen);
static int64_t slice_number(const struct seen_ids *seen, int64_t time_ms);
static void come_to(struct seen_ids *seen, int64_t number);
static struct slice *slice_at(struct seen_ids *seen, int64_t number, int64_t first);
static void slice_save(const struct seen_ids *seen, struct slice *slice, bool grows,
                       struct buffer *scratch, struct changes *changes);
static size_t field_write(const struct seen_ids *seen, int64_t number, uint64_t chunk,
                          char out[FIELD_SIZE]);

struct seen_ids *seen_ids_create(const struct seen_ids_options *options)
{
    REQUIRE(options->horizon_ms >= 1);
    REQUIRE(options->ids_max >= 1);
    struct seen_ids *seen = heap_zeroed(1, sizeof *seen);
    const int64_t horizon_ms = options->horizon_ms;
    seen->width_ms = horizon_ms / HORIZON_SLICES + (horizon_ms % HORIZON_SLICES != 0);
    seen->slices = horizon_ms / seen->width_ms + (horizon_ms % seen->width_ms != 0);
    seen->ids_max = options->ids_max;
    seen->now = -1;
    return seen;
}

/* The slice that a record in replay was in; false: in one that is not needed. */
static bool boundary_find(const struct seen_ids *seen, int64_t offset, int64_t *out_number)
{
    for (size_t i = seen->boundary_count; i > 0; i--) {
        if (seen->boundaries[i - 1].first <= offset) {
            *out_number = seen->boundaries[i - 1].number;
            return true;
        }
    }
    return false;
}

void seen_ids_expect(const struct seen_ids *seen, struct span id)
{
    id_table_expect(&seen->table, id_hash_of(id));
}

bool seen_ids_add(struct seen_ids *seen, struct span id, int64_t arrival_ms, int64_t offset,
                  size_t *out_forgotten)
{
    int64_t number = slice_number(seen, arrival_ms);
    *out_forgotten = 0;
    if (offset < seen->replay_end && !boundary_find(seen, offset, &number))
        return false;
    come_to(seen, number);
    const struct id_hash hash = id_hash_of(id);
    const uint8_t tag = id_table_find(&seen->table, hash);
    const struct slice *newest = seen->count == 0 ? NULL : &seen->remembered[seen->count - 1];
    if (newest != NULL && newest->number == seen->now && newest->tag == tag)
        return true;
    for (; seen->total >= seen->ids_max; ++*out_forgotten)
        slice_forget_oldest(seen);
    struct slice *slice = slice_at(seen, seen->now, offset);
    uint8_t bytes[ID_HASH_SIZE];
    id_hash_write(hash, bytes);
    buffer_append(&slice->ids, bytes, sizeof bytes);
    slice->count++;
    seen->total++;
    id_table_put(&seen->table, hash, slice->tag);
    return tag != 0;
}

void seen_ids_advance(struct seen_ids *seen, int64_t time_ms)
{
    come_to(seen, slice_number(seen, time_ms));
}

uint64_t seen_ids_count(const struct seen_ids *seen)
{
    return seen->total;
}

int64_t seen_ids_needs(const struct seen_ids *seen)
{
    return seen->count == 0 ? INT64_MAX : seen->remembered[0].first;
}

/* "60000:28333333@1200,1@1260,…": width, number and first offset; then what is to be added to these
 * for the next. */
void seen_ids_recall(const struct seen_ids *seen, struct buffer *out_word)
{
    int64_t number = 0, first = 0;
    for (size_t i = 0; i < seen->count; i++) {
        const struct slice *slice = &seen->remembered[i];
        if (i == 0)
            buffer_format(out_word, "%lld:", (long long)seen->width_ms);
        buffer_format(out_word, "%s%lld@%lld", i == 0 ? "" : ",",
                      (long long)(slice->number - number), (long long)(slice->first - first));
        number = slice->number;
        first = slice->first;
    }
}

/* The digits before a sign, which is passed over; -1: no such number. */
static int64_t number_read(struct span *text, char sign)
{
    int64_t number = 0;
    size_t size = 0;
    for (; size < text->size && text->bytes[size] != (uint8_t)sign; size++) {
        const int digit = text->bytes[size] - '0';
        if (digit < 0 || digit > 9 || number > (INT64_MAX - 9) / 10)
            return -1;
        number = 10 * number + digit;
    }
    if (size == 0)
        return -1;
    const size_t passed = size < text->size ? size + 1 : size;
    *text = span_of(text->bytes + passed, text->size - passed);
    return number;
}

/* Slices of another width begin in ours that they end in: so an id is seen for as long at least. */
static bool word_read(struct seen_ids *seen, struct span word)
{
    const int64_t width_ms = number_read(&word, ':');
    int64_t theirs = 0, first = 0;
    while (width_ms > 0 && word.size > 0) {
        const int64_t more = number_read(&word, '@'), on = number_read(&word, ',');
        if (more < 0 || on < 0 || theirs > INT64_MAX / 2 - more || first > INT64_MAX / 2 - on)
            return false;
        theirs += more;
        first += on;
        if (theirs >= INT64_MAX / width_ms - 1)
            return false;
        const int64_t number = slice_number(seen, (theirs + 1) * width_ms - 1);
        const size_t count = seen->boundary_count;
        if (count > 0 && seen->boundaries[count - 1].number == number)
            continue;
        if (count == SLICES_MAX)
            return false;
        seen->boundaries[seen->boundary_count++] = (struct boundary){number, first};
    }
    return width_ms > 0;
}

void seen_ids_remind(struct seen_ids *seen, struct span word, int64_t end)
{
    seen->boundary_count = 0;
    seen->replay_end = end;
    if (!word_read(seen, word))
        seen->boundary_count = 0;
}

void seen_ids_save(struct seen_ids *seen, struct changes *changes)
{
    for (size_t i = 0; i < seen->gone_count; i++) {
        for (uint64_t chunk = 0; chunk * CHUNK_IDS < seen->gone[i].saved; chunk++) {
            char field[FIELD_SIZE];
            const size_t size = field_write(seen, seen->gone[i].number, chunk, field);
            changes_remove(changes, span_of(field, size));
        }
    }
    seen->gone_count = 0;
    struct buffer scratch = {0};
    for (size_t i = 0; i < seen->count; i++)
        slice_save(seen, &seen->remembered[i], i == seen->count - 1, &scratch, changes);
    buffer_fini(&scratch);
}

/* What one stored chunk says. */
struct chunk {
    int64_t number, first;
    uint64_t index;
    struct span ids;
};

/* FAULT_NONE, STATE_CONFLICT, STATE_MALFORMED. */
static enum fault chunk_read(const struct seen_ids *seen, struct span field, struct span bytes,
                             struct chunk *out_chunk)
{
    uint64_t fingerprint;
    struct span body,
        rest = span_of(field.bytes + strlen(SEEN_IDS_FIELD), field.size - strlen(SEEN_IDS_FIELD));
    int64_t width_ms, start_ms;
    if (!wire_read_frame(bytes, &fingerprint, &body) ||
        fingerprint != schema_fingerprint(schema_embedded(STATE_STEM)))
        return FAULT_STATE_MALFORMED;
    struct wire_reader reader = wire_reader_of(body);
    if (!wire_read_long(&reader, &width_ms) || !wire_read_long(&reader, &start_ms) ||
        !wire_read_long(&reader, &out_chunk->first) || !wire_read_bytes(&reader, &out_chunk->ids) ||
        reader.next != reader.end)
        return FAULT_STATE_MALFORMED;
    const int64_t named_ms = number_read(&rest, '.'), index = number_read(&rest, '.');
    const size_t size = out_chunk->ids.size;
    if (width_ms < 1 || start_ms < 0 || start_ms % width_ms != 0 || start_ms != named_ms ||
        out_chunk->first < 0 || index < 0 || rest.size > 0 || size == 0 ||
        size % ID_HASH_SIZE != 0 || size > CHUNK_IDS * ID_HASH_SIZE)
        return FAULT_STATE_MALFORMED;
    if (width_ms != seen->width_ms)
        return FAULT_STATE_CONFLICT;
    out_chunk->number = start_ms / width_ms;
    out_chunk->index = (uint64_t)index;
    char canonical[FIELD_SIZE];
    const size_t canonical_size = field_write(seen, out_chunk->number, out_chunk->index, canonical);
    return span_equal(field, span_of(canonical, canonical_size)) ? FAULT_NONE
                                                                 : FAULT_STATE_MALFORMED;
}

/* Chunks come in any order: an id keeps the newest slice that it is in. */
static enum fault ids_load(struct seen_ids *seen, struct slice *slice, struct span ids)
{
    for (size_t at = 0; at < ids.size; at += ID_HASH_SIZE) {
        const struct id_hash hash = id_hash_read(ids.bytes + at);
        const uint8_t tag = id_table_find(&seen->table, hash);
        if (tag == slice->tag)
            return FAULT_STATE_MALFORMED; /* a slice has an id once */
        const struct slice *other = tag == 0 ? NULL : seen->remembered;
        while (other != NULL && other->tag != tag)
            other++;
        if (other == NULL || other->number < slice->number)
            id_table_put(&seen->table, hash, slice->tag);
        slice->count++;
        slice->saved++;
        seen->total++;
    }
    return FAULT_NONE;
}

enum fault seen_ids_load(struct seen_ids *seen, struct span field, struct span bytes)
{
    REQUIRE(field.size >= strlen(SEEN_IDS_FIELD));
    struct chunk chunk;
    const enum fault fault = chunk_read(seen, field, bytes, &chunk);
    if (fault != FAULT_NONE)
        return fault;
    const int64_t newest =
        seen->count == 0 ? chunk.number : seen->remembered[seen->count - 1].number;
    const int64_t oldest = seen->count == 0 ? chunk.number : seen->remembered[0].number;
    if (newest - chunk.number > seen->slices || chunk.number - oldest > seen->slices)
        return FAULT_STATE_MALFORMED;
    if (chunk.number > seen->now)
        seen->now = chunk.number;
    struct slice *slice = slice_at(seen, chunk.number, chunk.first);
    const bool is_full = chunk.ids.size == CHUNK_IDS * ID_HASH_SIZE;
    if (slice->first != chunk.first || (!is_full && slice->ids.size > 0))
        return FAULT_STATE_MALFORMED;
    if (is_full)
        slice->kept += CHUNK_IDS;
    else
        buffer_append_span(&slice->ids, chunk.ids);
    return ids_load(seen, slice, chunk.ids);
}

void seen_ids_destroy(struct seen_ids *seen)
{
    if (seen == NULL)
        return;
    for (size_t i = 0; i < seen->count; i++)
        buffer_fini(&seen->remembered[i].ids);
    id_table_fini(&seen->table);
    heap_release(seen);
}

/* ---- slices ---- */

static void slice_forget_oldest(struct seen_ids *seen)
{
    REQUIRE(seen->count > 0);
    struct slice *slice = &seen->remembered[0];
    if (slice->saved > 0) {
        ENSURE(seen->gone_count < SLICES_MAX);
        seen->gone[seen->gone_count++] = (struct gone){slice->number, slice->saved};
    }
    id_table_close_tag(&seen->table, slice->tag);
    buffer_fini(&slice->ids);
    seen->total -= slice->count;
    seen->count--;
    memmove(slice, slice + 1, seen->count * sizeof *slice);
}

static int64_t slice_number(const struct seen_ids *seen, int64_t time_ms)
{
    return time_ms <= 0 ? 0 : time_ms / seen->width_ms;
}

static void come_to(struct seen_ids *seen, int64_t number)
{
    if (number <= seen->now)
        return;
    seen->now = number;
    while (seen->count > 0 && seen->remembered[0].number < number - seen->slices)
        slice_forget_oldest(seen);
}

/* The slice of that number, begun where it is not there yet. */
static struct slice *slice_at(struct seen_ids *seen, int64_t number, int64_t first)
{
    size_t place = seen->count;
    while (place > 0 && seen->remembered[place - 1].number > number)
        place--;
    if (place > 0 && seen->remembered[place - 1].number == number)
        return &seen->remembered[place - 1];
    ENSURE(seen->count < SLICES_MAX);
    struct slice *slice = &seen->remembered[place];
    memmove(slice + 1, slice, (seen->count - place) * sizeof *slice);
    seen->count++;
    *slice =
        (struct slice){.number = number, .first = first, .tag = id_table_open_tag(&seen->table)};
    return slice;
}

/* ---- storage ---- */

static size_t field_write(const struct seen_ids *seen, int64_t number, uint64_t chunk,
                          char out[FIELD_SIZE])
{
    const int size = snprintf(out, FIELD_SIZE, SEEN_IDS_FIELD "%lld.%llu",
                              (long long)(number * seen->width_ms), (unsigned long long)chunk);
    ENSURE(size > 0 && size < FIELD_SIZE);
    return (size_t)size;
}

/* Chunks that have grown. grows: it is the newest, whose last chunk is written again with more. */
static void slice_save(const struct seen_ids *seen, struct slice *slice, bool grows,
                       struct buffer *scratch, struct changes *changes)
{
    if (slice->saved == slice->count)
        return;
    for (size_t at = 0; at < slice->ids.size; at += CHUNK_IDS * ID_HASH_SIZE) {
        const size_t rest = slice->ids.size - at, most = CHUNK_IDS * ID_HASH_SIZE;
        char field[FIELD_SIZE];
        const size_t field_size =
            field_write(seen, slice->number, slice->kept / CHUNK_IDS + at / most, field);
        buffer_clear(scratch);
        wire_write_frame(scratch, schema_fingerprint(schema_embedded(STATE_STEM)));
        wire_write_long(scratch, seen->width_ms);
        wire_write_long(scratch, slice->number * seen->width_ms);
        wire_write_long(scratch, slice->first);
        wire_write_bytes(scratch, span_of(slice->ids.bytes + at, rest < most ? rest : most));
        changes_put(changes, span_of(field, field_size), buffer_span(scratch));
    }
    slice->saved = slice->count;
    const size_t whole = slice->ids.size / (CHUNK_IDS * ID_HASH_SIZE) * (CHUNK_IDS * ID_HASH_SIZE);
    slice->kept += whole / ID_HASH_SIZE;
    slice->ids.size -= whole;
    if (grows)
        memmove(slice->ids.bytes, slice->ids.bytes + whole, slice->ids.size);
    else
        buffer_fini(&slice->ids);
}
