#include "sim_dump.h"
#include "avro/schema.h"
#include "avro/wire.h"
#include "memory/heap.h"
#include "model/enrichment.h"

#include <inttypes.h>
#include <math.h>

struct sim_dump {
    FILE *file;                   /* borrowed */
    const struct sim_log *log;    /* borrowed */
    struct buffer line;           /* one line, before it is written */
    struct enrichment enrichment; /* reused */
};

/* ---- JSON text out of Avro bytes, member by member: our own records, so they read */

static void write_integer(struct buffer *text, int64_t value)
{
    char digits[24];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        digits[--at] = '-';
    buffer_append(text, digits + at, sizeof digits - at);
}

static void write_real(struct buffer *text, double value)
{
    if (isnan(value))
        buffer_append_span(text, span_text("NaN"));
    else if (isinf(value))
        buffer_append_span(text, span_text(value < 0 ? "-Infinity" : "Infinity"));
    else if (value == floor(value) && fabs(value) < 1e15)
        buffer_format(text, "%.1f", value); /* a real, not an integer, where it is read */
    else
        buffer_format(text, "%.17g", value);
}

static void write_text(struct buffer *text, struct span value)
{
    buffer_append_byte(text, '"');
    for (size_t i = 0; i < value.size; i++) {
        const uint8_t byte = value.bytes[i];
        if (byte == '"' || byte == '\\')
            buffer_append_byte(text, '\\');
        if (byte < 0x20)
            buffer_format(text, "\\u%04x", byte);
        else
            buffer_append_byte(text, byte);
    }
    buffer_append_byte(text, '"');
}

static int64_t read_long(struct wire_reader *reader)
{
    int64_t value = 0;
    REQUIRE(wire_read_long(reader, &value));
    return value;
}

static struct span read_bytes(struct wire_reader *reader)
{
    struct span bytes = {0};
    REQUIRE(wire_read_bytes(reader, &bytes));
    return bytes;
}

static void write_value(struct buffer *text, struct wire_reader *reader,
                        const struct schema_node *node);

static void write_record(struct buffer *text, struct wire_reader *reader,
                         const struct schema_node *node)
{
    for (size_t i = 0; i < node->field_count; i++) {
        buffer_append_byte(text, i == 0 ? '{' : ',');
        write_text(text, span_text(node->fields[i].name));
        buffer_append_byte(text, ':');
        write_value(text, reader, node->fields[i].type);
    }
    buffer_append_byte(text, '}');
}

/* An array, or a map where keyed. */
static void write_items(struct buffer *text, struct wire_reader *reader,
                        const struct schema_node *node, bool keyed)
{
    buffer_append_byte(text, keyed ? '{' : '[');
    bool first = true;
    for (int64_t count; (count = read_long(reader)) != 0;) {
        if (count < 0) { /* the block says its size */
            count = -count;
            (void)read_long(reader);
        }
        for (; count > 0; count--) {
            if (!first)
                buffer_append_byte(text, ',');
            first = false;
            if (keyed) {
                write_text(text, read_bytes(reader));
                buffer_append_byte(text, ':');
            }
            write_value(text, reader, node->fields[0].type);
        }
    }
    buffer_append_byte(text, keyed ? '}' : ']');
}

static void write_value(struct buffer *text, struct wire_reader *reader,
                        const struct schema_node *node)
{
    bool boolean = false;
    double real = 0;
    switch (node->kind) {
    case SCHEMA_NULL:
        buffer_append_span(text, span_text("null"));
        return;
    case SCHEMA_BOOLEAN:
        REQUIRE(wire_read_boolean(reader, &boolean));
        buffer_append_span(text, span_text(boolean ? "true" : "false"));
        return;
    case SCHEMA_INT:
    case SCHEMA_LONG:
        write_integer(text, read_long(reader));
        return;
    case SCHEMA_DOUBLE:
        REQUIRE(wire_read_double(reader, &real));
        write_real(text, real);
        return;
    case SCHEMA_STRING:
        write_text(text, read_bytes(reader));
        return;
    case SCHEMA_RECORD:
        write_record(text, reader, node);
        return;
    case SCHEMA_ENUM:
        write_text(text, span_text(node->symbols[read_long(reader)]));
        return;
    case SCHEMA_ARRAY:
    case SCHEMA_MAP:
        write_items(text, reader, node, node->kind == SCHEMA_MAP);
        return;
    case SCHEMA_UNION:
        write_value(text, reader, node->fields[read_long(reader)].type);
        return;
    case SCHEMA_FLOAT:
    case SCHEMA_BYTES:
    case SCHEMA_FIXED:
        break;
    }
    UNREACHABLE("none of our records has it");
}

/* A record's value: JSON text as it is, or Avro by the topic's schema. */
static void write_record_value(struct buffer *text, const struct record *record)
{
    uint64_t fingerprint = 0;
    struct span body;
    if (!wire_read_frame(record->value, &fingerprint, &body)) {
        buffer_append_span(text, record->value);
        return;
    }
    const struct schema *schema = schema_embedded(topic_row(record->topic)->schema);
    REQUIRE(fingerprint == schema_fingerprint(schema));
    struct wire_reader reader = wire_reader_of(body);
    write_value(text, &reader, schema_root(schema));
    REQUIRE(reader.next == reader.end);
}

/* ---- lines */

static struct buffer *line_begin(struct sim_dump *dump, const char *kind)
{
    buffer_clear(&dump->line);
    buffer_format(&dump->line, "[\"%s\"", kind);
    return &dump->line;
}

static void line_integer(struct sim_dump *dump, int64_t value)
{
    buffer_append_byte(&dump->line, ',');
    write_integer(&dump->line, value);
}

static void line_text(struct sim_dump *dump, struct span value)
{
    buffer_append_byte(&dump->line, ',');
    write_text(&dump->line, value);
}

static void line_topic(struct sim_dump *dump, enum topic topic)
{
    line_text(dump, span_text(topic_row(topic)->name));
}

static void line_end(struct sim_dump *dump)
{
    buffer_append_span(&dump->line, span_text("]\n"));
    const size_t written = fwrite(dump->line.bytes, 1, dump->line.size, dump->file);
    REQUIRE(written == dump->line.size);
}

/* Our own text of digits, zero-terminated or not. */
static int64_t number_of(struct span text)
{
    char digits[24];
    REQUIRE(text.size < sizeof digits);
    memcpy(digits, text.bytes, text.size);
    digits[text.size] = '\0';
    return strtoll(digits, NULL, 10);
}

static int64_t header_number(const struct record *record, const char *name)
{
    const struct header *header = record_header(record, name);
    REQUIRE(header != NULL);
    return number_of(header->value);
}

/* The broker says when records arrive: so the dump says when they were appended. */
static bool is_timed(const struct sim_dump *dump)
{
    return dump->log->arrival == SIM_ARRIVAL_BROKER;
}

static void dump_input(struct sim_dump *dump, const struct record *record)
{
    const size_t line = (size_t)header_number(record, "plumb-line");
    REQUIRE(line < dump->log->count);
    struct buffer *text = line_begin(dump, "in");
    line_topic(dump, record->topic);
    line_integer(dump, record->partition);
    line_integer(dump, record->offset);
    line_integer(dump, (int64_t)line);
    line_integer(dump, is_timed(dump) ? record->arrival_ms : dump->log->records[line].arrival_ms);
    const char *form = dump->log->texts[line] + 1; /* [form, value] without its brackets */
    buffer_append_byte(text, ',');
    buffer_append(text, form, strlen(form) - 1);
    line_end(dump);
}

static void dump_validated(struct sim_dump *dump, const struct record *record)
{
    static const char *const kinds[] = {"EVENT", "LABEL", "PAIR"};
    struct enrichment *enrichment = &dump->enrichment;
    uint64_t fingerprint;
    struct span body;
    size_t used;
    REQUIRE(wire_read_frame(record->value, &fingerprint, &body));
    REQUIRE(enrichment_read(body, enrichment, &used) == FAULT_NONE);
    (void)line_begin(dump, "valid");
    line_integer(dump, record->partition);
    line_integer(dump, record->offset);
    line_text(dump, enrichment->source);
    line_integer(dump, enrichment->offset);
    line_integer(dump, enrichment->arrival_ms);
    line_text(dump, span_text(kinds[enrichment->kind]));
    line_text(dump, span_text(enrichment_lateness_name(enrichment->lateness)));
    line_integer(dump, enrichment->contract_revision);
    line_integer(dump, enrichment->duplicate);
    if (is_timed(dump))
        line_integer(dump, record->arrival_ms);
    line_end(dump);
}

static void dump_dead_letter(struct sim_dump *dump, const struct record *record)
{
    const struct header *topic = record_header(record, "__connect.errors.topic");
    const struct header *reason = record_header(record, "plumb.reason");
    const struct header *column = record_header(record, "plumb.column");
    REQUIRE(topic != NULL && reason != NULL);
    (void)line_begin(dump, "dead");
    line_text(dump, topic->value);
    line_integer(dump, header_number(record, "__connect.errors.partition"));
    line_integer(dump, header_number(record, "__connect.errors.offset"));
    line_text(dump, reason->value);
    line_text(dump, column == NULL ? span_of(NULL, 0) : column->value);
    line_end(dump);
}

/* Header value: "time source set". */
static void dump_clock(struct sim_dump *dump, const struct record *record, struct span clock)
{
    size_t time_size = 0;
    while (time_size < clock.size && clock.bytes[time_size] != ' ')
        time_size++;
    REQUIRE(time_size < clock.size);
    const uint8_t *source = clock.bytes + time_size + 1, *end = clock.bytes + clock.size;
    size_t source_size = 0;
    while (source + source_size < end && source[source_size] != ' ')
        source_size++;
    (void)line_begin(dump, "clock");
    line_topic(dump, record->topic);
    line_integer(dump, record->partition);
    line_integer(dump, record->offset);
    line_text(dump, span_of(source, source_size));
    line_integer(dump, number_of(span_of(clock.bytes, time_size)));
    if (is_timed(dump))
        line_integer(dump, record->arrival_ms);
    line_end(dump);
}

static void dump_output(struct sim_dump *dump, const struct record *record)
{
    struct buffer *text = line_begin(dump, "out");
    line_topic(dump, record->topic);
    line_integer(dump, record->partition);
    line_integer(dump, record->offset);
    buffer_append_byte(text, ',');
    write_record_value(text, record);
    line_end(dump);
}

/* kind "table" or "expected": a record whose place says nothing. */
static void dump_placeless(struct sim_dump *dump, const char *kind, const struct record *record)
{
    struct buffer *text = line_begin(dump, kind);
    line_topic(dump, record->topic);
    buffer_append_byte(text, ',');
    write_record_value(text, record);
    line_end(dump);
}

static bool is_judgement(enum topic topic)
{
    return topic == TOPIC_ALERTS || topic == TOPIC_RETRAIN_TRIGGERS ||
           topic == TOPIC_ROLLOUT_DECISIONS;
}

struct sim_dump *sim_dump_begin(FILE *file, const struct sim_log *log)
{
    REQUIRE(file != NULL);
    struct sim_dump *dump = heap_zeroed(1, sizeof *dump);
    dump->file = file;
    dump->log = log;
    (void)line_begin(dump, "begin");
    line_integer(dump, (int64_t)log->seed);
    line_integer(dump, (int64_t)log->count);
    line_text(dump, span_text(is_timed(dump) ? "broker" : "header"));
    line_integer(dump, log->horizon_ms);
    line_end(dump);
    for (size_t i = 0; i < log->table_count; i++)
        dump_placeless(dump, "table", &log->tables[i]);
    return dump;
}

void sim_dump_record(struct sim_dump *dump, const struct record *record)
{
    REQUIRE(dump != NULL);
    const struct header *clock =
        record->value.size == 0 ? record_header(record, "plumb-clock") : NULL;
    if (clock != NULL)
        dump_clock(dump, record, clock->value);
    else if (record->topic == TOPIC_INFERENCE_EVENTS || record->topic == TOPIC_GROUND_TRUTH)
        dump_input(dump, record);
    else if (record->topic == TOPIC_INFERENCE_VALIDATED)
        dump_validated(dump, record);
    else if (record->topic == TOPIC_INFERENCE_DEAD_LETTER)
        dump_dead_letter(dump, record);
    else if (record->topic == TOPIC_WINDOW_PANES || record->topic == TOPIC_MEASUREMENTS ||
             is_judgement(record->topic))
        dump_output(dump, record);
}

void sim_dump_expected(struct sim_dump *dump, const struct record *record)
{
    REQUIRE(dump != NULL);
    if (is_judgement(record->topic) && record_header(record, "plumb-clock") == NULL)
        dump_placeless(dump, "expected", record);
}

void sim_dump_end(struct sim_dump *dump)
{
    REQUIRE(dump != NULL);
    (void)line_begin(dump, "end");
    line_end(dump);
    enrichment_fini(&dump->enrichment);
    buffer_fini(&dump->line);
    heap_release(dump);
}
