#include "model/enrichment.h"
#include "avro/wire.h"
#include "memory/heap.h"

enum { SCHEMA_DIGITS = 16 };

/* Room for one more item behind `count`. */
static void *grown(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity < 8 ? 8 : *capacity * 2;
    return heap_resized(items, *capacity, size);
}

static void write_reasons(struct buffer *out, const struct enrichment *enrichment)
{
    if (enrichment->reason_count != 0)
        wire_write_long(out, (int64_t)enrichment->reason_count);
    for (size_t i = 0; i < enrichment->reason_count; i++) {
        wire_write_bytes(out, enrichment->reasons[i].reason);
        wire_write_bytes(out, enrichment->reasons[i].column);
    }
    wire_write_long(out, 0);
}

static void write_segments(struct buffer *out, const struct enrichment *enrichment)
{
    if (enrichment->segment_count != 0)
        wire_write_long(out, (int64_t)enrichment->segment_count);
    for (size_t i = 0; i < enrichment->segment_count; i++) {
        wire_write_bytes(out, enrichment->segments[i].name);
        wire_write_bytes(out, enrichment->segments[i].value);
    }
    wire_write_long(out, 0);
}

/* The branches of a union are numbered: null is 0, the other 1. */
void enrichment_write(struct buffer *out, const struct enrichment *enrichment)
{
    static const char digits[] = "0123456789abcdef";
    char schema[SCHEMA_DIGITS];
    for (int i = 0; i < SCHEMA_DIGITS; i++) /* printf would be a third of all that is done here */
        schema[i] = digits[enrichment->schema >> (60 - 4 * i) & 15];
    wire_write_bytes(out, enrichment->source);
    wire_write_long(out, enrichment->offset);
    wire_write_long(out, enrichment->arrival_ms);
    wire_write_long(out, (int64_t)enrichment->kind);
    wire_write_bytes(out, span_of(schema, SCHEMA_DIGITS));
    wire_write_long(out, enrichment->contract_revision);
    wire_write_long(out, (int64_t)enrichment->lateness);
    write_reasons(out, enrichment);
    wire_write_boolean(out, enrichment->duplicate);
    wire_write_long(out, enrichment->has_out_of_distribution);
    if (enrichment->has_out_of_distribution) {
        wire_write_double(out, enrichment->out_of_distribution_share);
        wire_write_double(out, enrichment->out_of_distribution_largest_z);
    }
    write_segments(out, enrichment);
    wire_write_long(out, enrichment->lookup.bytes != NULL);
    if (enrichment->lookup.bytes != NULL)
        wire_write_bytes(out, enrichment->lookup);
}

static bool read_long_in(struct wire_reader *reader, int64_t least, int64_t most,
                         int64_t *out_value)
{
    return wire_read_long(reader, out_value) && *out_value >= least && *out_value <= most;
}

static bool read_schema(struct wire_reader *reader, uint64_t *out_schema)
{
    struct span digits;
    if (!wire_read_bytes(reader, &digits) || digits.size != SCHEMA_DIGITS)
        return false;
    uint64_t schema = 0;
    for (size_t i = 0; i < SCHEMA_DIGITS; i++) {
        const uint8_t digit = digits.bytes[i];
        const bool is_letter = digit >= 'a' && digit <= 'f';
        if (!is_letter && (digit < '0' || digit > '9'))
            return false;
        schema = schema << 4 | (uint64_t)(is_letter ? digit - 'a' + 10 : digit - '0');
    }
    *out_schema = schema;
    return true;
}

/* Before each item of an array or map: *left is how many are left in the block, counted down; at
 * its end the next block's head is read, and *out_is_item false is the end. A negative count is
 * followed by the block's size, which nobody needs here. Items that the bytes left cannot hold end
 * in a read that fails, so no count is trusted. */
static bool read_item_head(struct wire_reader *reader, int64_t *left, bool *out_is_item)
{
    if (*left == 0) {
        int64_t size;
        if (!wire_read_long(reader, left) || *left == INT64_MIN)
            return false;
        if (*left < 0) {
            *left = -*left;
            if (!wire_read_long(reader, &size))
                return false;
        }
    }
    *out_is_item = *left > 0;
    *left -= *out_is_item;
    return true;
}

typedef void add_fn(struct enrichment *enrichment, struct span first, struct span second);

/* Items of two strings each: reasons and segments. */
static bool read_pairs(struct wire_reader *reader, struct enrichment *enrichment, add_fn *add)
{
    int64_t left = 0;
    bool is_item;
    while (read_item_head(reader, &left, &is_item)) {
        struct span first, second;
        if (!is_item)
            return true;
        if (!wire_read_bytes(reader, &first) || !wire_read_bytes(reader, &second))
            return false;
        add(enrichment, first, second);
    }
    return false;
}

static bool read_head(struct wire_reader *reader, struct enrichment *enrichment)
{
    int64_t kind, revision, lateness;
    if (!wire_read_bytes(reader, &enrichment->source) ||
        !wire_read_long(reader, &enrichment->offset) ||
        !wire_read_long(reader, &enrichment->arrival_ms) ||
        !read_long_in(reader, ENRICHMENT_EVENT, ENRICHMENT_PAIR, &kind) ||
        !read_schema(reader, &enrichment->schema) ||
        !read_long_in(reader, INT32_MIN, INT32_MAX, &revision) ||
        !read_long_in(reader, ENRICHMENT_ON_TIME, ENRICHMENT_NONE, &lateness))
        return false;
    enrichment->kind = (enum enrichment_kind)kind;
    enrichment->contract_revision = (int32_t)revision;
    enrichment->lateness = (enum enrichment_lateness)lateness;
    return true;
}

static bool read_tail(struct wire_reader *reader, struct enrichment *enrichment)
{
    int64_t branch;
    if (!read_pairs(reader, enrichment, enrichment_add_reason) ||
        !wire_read_boolean(reader, &enrichment->duplicate) || !read_long_in(reader, 0, 1, &branch))
        return false;
    enrichment->has_out_of_distribution = branch == 1;
    if (branch == 1 && (!wire_read_double(reader, &enrichment->out_of_distribution_share) ||
                        !wire_read_double(reader, &enrichment->out_of_distribution_largest_z)))
        return false;
    if (!read_pairs(reader, enrichment, enrichment_add_segment) ||
        !read_long_in(reader, 0, 1, &branch))
        return false;
    return branch == 0 || wire_read_bytes(reader, &enrichment->lookup);
}

enum fault enrichment_read(struct span body, struct enrichment *enrichment, size_t *out_used)
{
    struct wire_reader reader = wire_reader_of(body);
    enrichment_clear(enrichment);
    if (!read_head(&reader, enrichment) || !read_tail(&reader, enrichment))
        return FAULT_RECORD_MALFORMED;
    *out_used = (size_t)(reader.next - body.bytes);
    return FAULT_NONE;
}

bool enrichment_peek(struct span body, struct span *out_source, int64_t *out_arrival_ms)
{
    struct wire_reader reader = wire_reader_of(body);
    int64_t offset;
    return wire_read_bytes(&reader, out_source) && wire_read_long(&reader, &offset) &&
           wire_read_long(&reader, out_arrival_ms);
}

void enrichment_add_reason(struct enrichment *enrichment, struct span reason, struct span column)
{
    enrichment->reasons = grown(enrichment->reasons, enrichment->reason_count,
                                &enrichment->reason_capacity, sizeof *enrichment->reasons);
    enrichment->reasons[enrichment->reason_count++] =
        (struct enrichment_reason){.reason = reason, .column = column};
}

void enrichment_add_segment(struct enrichment *enrichment, struct span name, struct span value)
{
    enrichment->segments = grown(enrichment->segments, enrichment->segment_count,
                                 &enrichment->segment_capacity, sizeof *enrichment->segments);
    enrichment->segments[enrichment->segment_count++] =
        (struct enrichment_segment){.name = name, .value = value};
}

void enrichment_clear(struct enrichment *enrichment)
{
    *enrichment = (struct enrichment){.reasons = enrichment->reasons,
                                      .reason_capacity = enrichment->reason_capacity,
                                      .segments = enrichment->segments,
                                      .segment_capacity = enrichment->segment_capacity};
}

void enrichment_fini(struct enrichment *enrichment)
{
    heap_release(enrichment->reasons);
    heap_release(enrichment->segments);
    *enrichment = (struct enrichment){0};
}

const char *enrichment_lateness_name(enum enrichment_lateness lateness)
{
    static const char *const names[] = {
        [ENRICHMENT_ON_TIME] = "on_time",   [ENRICHMENT_LATE] = "late",
        [ENRICHMENT_TOO_LATE] = "too_late", [ENRICHMENT_FUTURE] = "future",
        [ENRICHMENT_NONE] = "none",
    };
    REQUIRE((size_t)lateness < COUNT_OF(names));
    return names[lateness];
}
