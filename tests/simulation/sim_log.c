#include "sim_log.h"
#include "avro/schema.h"
#include "avro/wire.h"
#include "memory/heap.h"
#include "sim_model.h"
#include "sim_random.h"

#include <math.h>

enum { FEATURES_MAX = 8, HEADERS_MAX = 2, LABEL_EVERY = 8 };

enum kind { KIND_NULL, KIND_BOOLEAN, KIND_LONG, KIND_DOUBLE, KIND_TEXT };
struct item {
    const char *name;
    enum kind kind;
    bool boolean;
    int64_t integer;
    double number;
    const char *text; /* static */
};

struct event {
    size_t index;
    int64_t time_ms;
    const char *model, *version;
    bool is_shadow, is_error; /* role, status */
    struct item features[FEATURES_MAX];
    size_t feature_count;
    struct item prediction, score, latency;
};

struct making {
    uint64_t random;
    struct sim_log *log;
    struct sim_models models;
    struct sim_pace pace;
    size_t events, capacity;
    uint64_t fingerprints[2]; /* of events and labels */
    struct buffer text, value;
};

/* ---- one value */

static struct item item_null(const char *name)
{
    return (struct item){.name = name};
}

static struct item item_number(const char *name, double number)
{
    return (struct item){.name = name, .kind = KIND_DOUBLE, .number = number};
}

static struct item item_long(const char *name, int64_t integer)
{
    return (struct item){.name = name, .kind = KIND_LONG, .integer = integer};
}

static struct item item_boolean(const char *name, bool boolean)
{
    return (struct item){.name = name, .kind = KIND_BOOLEAN, .boolean = boolean};
}

static struct item item_text(const char *name, const char *text)
{
    return (struct item){.name = name, .kind = KIND_TEXT, .text = text};
}

/* As Python reads it: with NaN and Infinity. A point or exponent keeps it a real for jansson. Few
 * digits where these read back the same: most of a dump's cost is to read numbers. */
static void write_number(struct buffer *text, double number)
{
    char digits[32];
    (void)snprintf(digits, sizeof digits, "%.9g", number);
    if (isnan(number))
        buffer_append_span(text, span_text("NaN"));
    else if (isinf(number))
        buffer_append_span(text, span_text(number < 0 ? "-Infinity" : "Infinity"));
    else if (number == floor(number) && fabs(number) < 1e15)
        buffer_format(text, "%.1f", number);
    else if (strtod(digits, NULL) == number)
        buffer_append_span(text, span_text(digits));
    else
        buffer_format(text, "%.17g", number);
}

static void write_item(struct buffer *text, const struct item *item)
{
    switch (item->kind) {
    case KIND_NULL:
        buffer_append_span(text, span_text("null"));
        break;
    case KIND_BOOLEAN:
        buffer_append_span(text, span_text(item->boolean ? "true" : "false"));
        break;
    case KIND_LONG:
        buffer_format(text, "%lld", (long long)item->integer);
        break;
    case KIND_DOUBLE:
        write_number(text, item->number);
        break;
    case KIND_TEXT:
        buffer_format(text, "\"%s\"", item->text);
        break;
    }
}

/* As a union of null, boolean, long, double, string. */
static void encode_item(struct buffer *value, const struct item *item)
{
    wire_write_long(value, (int64_t)item->kind);
    if (item->kind == KIND_BOOLEAN)
        wire_write_boolean(value, item->boolean);
    else if (item->kind == KIND_LONG)
        wire_write_long(value, item->integer);
    else if (item->kind == KIND_DOUBLE)
        wire_write_double(value, item->number);
    else if (item->kind == KIND_TEXT)
        wire_write_bytes(value, span_text(item->text));
}

/* ---- one event, as JSON and as Avro in the field order of inference.events.avsc */

/* less: a field to leave out; "": none. */
static void write_event(struct buffer *text, const struct event *event, const char *less)
{
    buffer_format(text, "{\"event_id\":\"e%zu\"", event->index);
    if (strcmp(less, "event_time") != 0)
        buffer_format(text, ",\"event_time\":%lld", (long long)event->time_ms);
    buffer_format(text, ",\"model_name\":\"%s\"", event->model);
    if (strcmp(less, "model_version") != 0)
        buffer_format(text, ",\"model_version\":\"%s\"", event->version);
    if (event->is_shadow)
        buffer_append_span(text, span_text(",\"role\":\"SHADOW\""));
    if (event->is_error)
        buffer_append_span(text, span_text(",\"status\":\"ERROR\""));
    buffer_append_span(text, span_text(",\"features\":{"));
    for (size_t i = 0; i < event->feature_count; i++) {
        buffer_format(text, "%s\"%s\":", i == 0 ? "" : ",", event->features[i].name);
        write_item(text, &event->features[i]);
    }
    buffer_append_span(text, span_text("},\"prediction\":"));
    write_item(text, &event->prediction);
    if (event->score.kind != KIND_NULL) {
        buffer_append_span(text, span_text(",\"scores\":{\"up\":"));
        write_item(text, &event->score);
        buffer_append_byte(text, '}');
    }
    if (event->latency.kind != KIND_NULL) {
        buffer_append_span(text, span_text(",\"latency_ms\":"));
        write_item(text, &event->latency);
    }
    buffer_append_byte(text, '}');
}

static void encode_event(struct buffer *value, const struct event *event)
{
    char id[32];
    (void)snprintf(id, sizeof id, "e%zu", event->index);
    wire_write_bytes(value, span_text(id));
    wire_write_long(value, 0); /* request_id */
    wire_write_long(value, event->time_ms);
    wire_write_bytes(value, span_text(event->model));
    wire_write_bytes(value, span_text(event->version));
    wire_write_long(value, event->is_shadow ? 1 : 0);
    wire_write_long(value, event->is_error ? 1 : 0);
    wire_write_long(value, 0); /* error_code */
    wire_write_long(value, 0); /* entity_id */
    wire_write_long(value, (int64_t)event->feature_count);
    for (size_t i = 0; i < event->feature_count; i++) {
        wire_write_bytes(value, span_text(event->features[i].name));
        encode_item(value, &event->features[i]);
    }
    if (event->feature_count > 0)
        wire_write_long(value, 0);
    encode_item(value, &event->prediction);
    wire_write_long(value, event->score.kind != KIND_NULL);
    if (event->score.kind != KIND_NULL) {
        wire_write_long(value, 1);
        wire_write_bytes(value, span_text("up"));
        wire_write_double(value, event->score.number);
        wire_write_long(value, 0);
    }
    wire_write_long(value, 0); /* confidence */
    wire_write_long(value, event->latency.kind != KIND_NULL);
    if (event->latency.kind != KIND_NULL)
        wire_write_double(value, event->latency.number);
    for (int i = 0; i < 3; i++) /* attributions, embedding, generation */
        wire_write_long(value, 0);
    wire_write_long(value, 0); /* tags */
}

/* ---- what the events say */

/* Six decimals: few digits, yet all bits of a double. */
static double short_number(double number)
{
    return floor(number * 1e6) / 1e6;
}

/* Finite or not, and wide in exponent: sums of these are exact or wrong. */
static double odd_number(uint64_t *random)
{
    static const double odd[] = {
        0.0,     -0.0,        5e-324,           -5e-324,           1e308,      -1.7e308,
        1e200,   1e-200,      0x1p512,          -0x1p511,          0x1.8p-538, 3e-170,
        -2e-160, 0x1.fp-1030, (double)INFINITY, -(double)INFINITY, (double)NAN};
    return odd[sim_below(random, COUNT_OF(odd))];
}

static void add(struct event *event, struct item item)
{
    event->features[event->feature_count++] = item;
}

static void fill_x(uint64_t *random, struct event *event, bool shifted)
{
    const int64_t chance = sim_below(random, 250);
    if (chance == 0)
        return; /* missing: rejected */
    if (chance == 1)
        add(event, item_text("x", "0.5"));
    else if (chance < 4)
        add(event, item_null("x"));
    else if (chance < 8)
        add(event, item_number("x", chance % 2 == 0 ? -0.25 : 1.5));
    else if (chance == 8)
        add(event, item_long("x", 1));
    else if (chance < 12) /* on a cut of the baselines: a value belongs to the cell below */
        add(event, item_number("x", (double)sim_below(random, 21) / 20));
    else
        add(event, item_number("x", short_number(shifted ? 0.6 + 0.4 * sim_unit(random)
                                                         : sim_unit(random))));
}

static void fill_y(uint64_t *random, struct event *event)
{
    const int64_t chance = sim_below(random, 200);
    if (chance < 10)
        return;
    if (chance < 26)
        add(event, item_null("y"));
    else if (chance == 26)
        add(event, item_number("y", odd_number(random)));
    else if (chance == 27)
        add(event, item_long("y", INT64_C(9007199254740993)));
    else if (chance == 28)
        add(event, item_text("y", "much"));
    else
        add(event, item_number("y", short_number(exp(8 * sim_unit(random) - 4))));
}

static void fill_categories(uint64_t *random, struct event *event, bool shifted)
{
    static const char *const letters[] = {"a", "b", "d"};
    const int64_t chance = sim_below(random, shifted ? 14 : 80);
    if (chance == 0)
        add(event, item_text("c", "z"));
    else if (sim_one_in(random, 300))
        add(event, item_long("c", 1));
    else
        add(event, item_text("c", letters[sim_below(random, COUNT_OF(letters))]));
    if (sim_one_in(random, 150))
        add(event, item_text("k", "true"));
    else
        add(event, item_boolean("k", sim_one_in(random, 2)));
    if (sim_one_in(random, 40))
        add(event, sim_one_in(random, 2) ? item_text("t", "words") : item_long("t", 4));
    if (sim_one_in(random, 60))
        add(event, item_number("unknown_to_the_contract", 1.5));
}

static void fill_m(uint64_t *random, struct event *event, bool shifted)
{
    event->model = "m";
    event->is_shadow = sim_one_in(random, 3);
    event->version = event->is_shadow ? "2" : "1";
    fill_x(random, event, shifted);
    fill_y(random, event);
    fill_categories(random, event, shifted);
    const double up = short_number(sim_unit(random));
    event->score = item_number("up", sim_one_in(random, 500) ? odd_number(random) : up);
    if (sim_one_in(random, 100))
        event->score = item_null("up");
    const int64_t chance = sim_below(random, 100);
    if (chance < 60)
        event->prediction = item_long("", up >= 0.5);
    else if (chance < 90)
        event->prediction = item_text("", up >= 0.5 ? "up" : "down");
    else if (chance < 98)
        event->prediction = item_boolean("", up >= 0.5);
    else
        event->prediction = chance == 98 ? item_null("") : item_number("", (double)NAN);
    event->is_error = sim_one_in(random, 60);
}

static void fill_n(uint64_t *random, struct event *event, bool shifted)
{
    event->model = "n";
    event->version = "7";
    add(event,
        sim_one_in(random, 9) ? item_number("u", 4 + sim_unit(random) * 3) : item_long("u", 5));
    if (!sim_one_in(random, 3))
        add(event,
            item_number("w", sim_one_in(random, 9) ? odd_number(random) : sim_unit(random) - 0.5));
    add(event,
        sim_one_in(random, 12) ? item_number("h", 1.5) : item_long("h", 1 + sim_below(random, 4)));
    if (sim_one_in(random, 2))
        add(event, item_text("g", "customer"));
    event->prediction = item_number("", 200 * sim_unit(random) - (shifted ? 20 : 100));
    if (!sim_one_in(random, 4))
        event->latency = item_number("", sim_unit(random) * 50);
}

/* ---- records */

static void add_record(struct making *making, enum topic topic, struct span key, struct span value,
                       const char *text)
{
    struct sim_log *log = making->log;
    REQUIRE(log->count < making->capacity);
    char number[24];
    struct header *headers = arena_take(log->arena, HEADERS_MAX * sizeof *headers);
    size_t header_count = 0;
    (void)snprintf(number, sizeof number, "%lld", (long long)making->pace.arrival_ms);
    if (log->arrival == SIM_ARRIVAL_HEADER)
        headers[header_count++] =
            (struct header){"plumb-arrival", arena_span(log->arena, span_text(number))};
    (void)snprintf(number, sizeof number, "%zu", log->count);
    headers[header_count++] =
        (struct header){"plumb-line", arena_span(log->arena, span_text(number))};
    log->texts[log->count] = text;
    log->records[log->count++] = (struct record){.topic = topic,
                                                 .arrival_ms = making->pace.arrival_ms,
                                                 .key = key,
                                                 .value = value,
                                                 .headers = headers,
                                                 .header_count = header_count};
}

static struct span kept(struct making *making, const struct buffer *bytes)
{
    return arena_span(making->log->arena, buffer_span(bytes));
}

static struct span key_of(struct making *making, size_t index)
{
    char id[32];
    (void)snprintf(id, sizeof id, "e%zu", index);
    return arena_span(making->log->arena, span_text(id));
}

static const char *text_kept(struct making *making)
{
    return (const char *)kept(making, &making->text).bytes;
}

/* making->text holds `["json",VALUE`, where VALUE begins at 8: the record's value lies within. */
static void add_json(struct making *making, enum topic topic, size_t index)
{
    static const size_t begin = sizeof "[\"json\"," - 1;
    buffer_append_byte(&making->text, ']');
    const struct span text = kept(making, &making->text);
    add_record(making, topic, key_of(making, index),
               span_of(text.bytes + begin, text.size - begin - 1), (const char *)text.bytes);
}

/* Not to be read: no JSON, or no value, or no schema, or cut off. making->value holds the event. */
static void add_unreadable(struct making *making, size_t index)
{
    static const char *const raw[] = {"{\"event_id\": broken", "hello", "", "[1, 2]", "{} {}",
                                      "{\"event_id\": 'e1'}"};
    uint64_t *random = &making->random;
    struct span key = sim_one_in(random, 3) ? span_of(NULL, 0) : key_of(making, index);
    struct span value = kept(making, &making->value);
    buffer_clear(&making->text);
    const int64_t chance = sim_below(random, 4);
    if (chance == 0) {
        const char *text = raw[sim_below(random, COUNT_OF(raw))];
        json_t *whole = json_pack("[s, s]", "raw", text);
        char *line = json_dumps(whole, JSON_COMPACT);
        buffer_append_span(&making->text, span_text(line));
        heap_release(line);
        json_decref(whole);
        value = arena_span(making->log->arena, span_text(text));
        key = key_of(making, index);
    } else if (chance == 1) {
        buffer_append_span(&making->text, span_text("[\"none\",null]"));
        value = span_of(NULL, 0);
        key = key_of(making, index);
    } else if (chance == 2) {
        buffer_append_span(&making->text, span_text("[\"alien\",null]"));
        buffer_clear(&making->value);
        wire_write_frame(&making->value, making->fingerprints[0] ^ 1);
        buffer_append_span(&making->value,
                           span_of(value.bytes + WIRE_FRAME_SIZE, value.size - WIRE_FRAME_SIZE));
        value = kept(making, &making->value);
    } else {
        value.size = (size_t)sim_below(random, (int64_t)value.size - 1) + 1;
        buffer_format(&making->text, "[\"cut\",%zu]", value.size);
    }
    add_record(making, TOPIC_INFERENCE_EVENTS, key, value, text_kept(making));
}

/* JSON knows no NaN and no Infinity. */
static bool has_json(const struct event *event)
{
    bool finite = (event->score.kind != KIND_DOUBLE || isfinite(event->score.number)) &&
                  (event->prediction.kind != KIND_DOUBLE || isfinite(event->prediction.number));
    for (size_t i = 0; i < event->feature_count; i++)
        finite = finite &&
                 (event->features[i].kind != KIND_DOUBLE || isfinite(event->features[i].number));
    return finite;
}

/* JSON that breaks what the fields' own definitions ask for: lists, texts where numbers are due. */
static void add_invalid(struct making *making, struct event *event)
{
    struct buffer *text = &making->text;
    buffer_clear(text);
    buffer_append_span(text, span_text("[\"json\","));
    const int64_t chance = sim_below(&making->random, 7);
    if (chance < 2 && has_json(event)) {
        write_event(text, event, chance == 0 ? "event_time" : "model_version");
    } else {
        static const char *const broken[] = {
            ",\"features\":{\"x\":[1]},\"prediction\":1", ",\"features\":[],\"prediction\":1",
            ",\"features\":{\"x\":0.5},\"prediction\":[1]",
            ",\"features\":{},\"prediction\":1,\"scores\":{\"up\":\"high\"}",
            "000000,\"features\":{\"x\":0.5},\"prediction\":1"}; /* beyond the year 9999 */
        buffer_format(text,
                      "{\"event_id\":\"e%zu\",\"model_name\":\"m\",\"model_version\":\"1\","
                      "\"event_time\":%lld%s}",
                      event->index, (long long)event->time_ms, broken[chance < 2 ? 0 : chance - 2]);
    }
    add_json(making, TOPIC_INFERENCE_EVENTS, event->index);
}

/* Every third Avro record as a schema registry's clients frame it. */
static struct span framed(struct making *making, size_t index, uint8_t id)
{
    if (index % 3 != 0)
        return kept(making, &making->value);
    const uint8_t prefix[] = {0, 0, 0, 0, id};
    struct buffer value = {0};
    buffer_append(&value, prefix, sizeof prefix);
    buffer_append(&value, making->value.bytes + WIRE_FRAME_SIZE,
                  making->value.size - WIRE_FRAME_SIZE);
    const struct span copy = kept(making, &value);
    buffer_fini(&value);
    return copy;
}

static void add_event(struct making *making, size_t number)
{
    uint64_t *random = &making->random;
    const size_t index = sim_pace_again(random, number);
    struct event event = {.index = index, .time_ms = sim_pace_event_time(&making->pace, random)};
    const bool shifted = number > making->events / 2;
    if (sim_one_in(random, 10))
        fill_n(random, &event, shifted);
    else
        fill_m(random, &event, shifted);
    if (sim_one_in(random, 250))
        event.model = "nobody";
    const bool is_json = sim_one_in(random, 10) && has_json(&event);
    buffer_clear(&making->text);
    buffer_format(&making->text, "[\"%s\",", is_json ? "json" : "avro");
    write_event(&making->text, &event, "");
    buffer_clear(&making->value);
    wire_write_frame(&making->value, making->fingerprints[0]);
    encode_event(&making->value, &event);
    const int64_t chance = sim_below(random, 100);
    if (chance == 0) {
        add_unreadable(making, index);
    } else if (chance == 1) {
        add_invalid(making, &event);
    } else if (is_json) {
        add_json(making, TOPIC_INFERENCE_EVENTS, index);
    } else {
        buffer_append_byte(&making->text, ']');
        add_record(making, TOPIC_INFERENCE_EVENTS, key_of(making, index), framed(making, index, 1),
                   text_kept(making));
    }
}

/* Of an event that came before; by the schema ground.truth where it is Avro. */
static void add_label(struct making *making, size_t index)
{
    uint64_t *random = &making->random;
    struct buffer *text = &making->text, *value = &making->value;
    const bool is_json = sim_one_in(random, 2), is_bad = sim_one_in(random, 15);
    const bool up = sim_one_in(random, 2);
    buffer_clear(text);
    buffer_format(text, "[\"%s\",{\"event_id\":\"e%zu\",\"label\":%s,\"label_time\":%lld}",
                  is_json ? "json" : "avro", index,
                  is_bad ? "null"
                  : up   ? "true"
                         : "false",
                  (long long)making->pace.arrival_ms);
    if (is_json) {
        add_json(making, TOPIC_GROUND_TRUTH, index);
        return;
    }
    buffer_append_byte(text, ']');
    const struct span key = key_of(making, index);
    buffer_clear(value);
    wire_write_frame(value, making->fingerprints[1]);
    wire_write_bytes(value, key);
    wire_write_long(value, 0); /* request_id */
    wire_write_long(value, 0); /* model_name */
    const struct item label = is_bad ? item_null("") : item_boolean("", up);
    encode_item(value, &label);
    wire_write_long(value, making->pace.arrival_ms);
    for (int i = 0; i < 3; i++) /* source, weight, business_value */
        wire_write_long(value, 0);
    add_record(making, TOPIC_GROUND_TRUTH, key, framed(making, index, 2), text_kept(making));
}

static void make_events(struct making *making)
{
    const size_t quiet = (size_t)sim_below(&making->random, (int64_t)making->events);
    for (size_t i = 0; i < making->events; i++) {
        sim_pace_go_on(&making->pace, &making->random);
        if (i == quiet)
            sim_pace_be_quiet(&making->pace);
        add_event(making, i);
        if (i % LABEL_EVERY == 0)
            add_label(making, (size_t)sim_below(&making->random, (int64_t)i + 1));
    }
}

struct sim_log *sim_log_create(uint64_t seed, size_t events, enum sim_arrival arrival)
{
    REQUIRE(events >= 1000);
    struct sim_log *log = heap_zeroed(1, sizeof *log);
    struct making making = {.random = seed * 0x2545f4914f6cdd1du + 1,
                            .log = log,
                            .events = events,
                            .capacity = events + events / LABEL_EVERY + 1};
    making.fingerprints[0] = schema_fingerprint(schema_embedded("inference.events"));
    making.fingerprints[1] = schema_fingerprint(schema_embedded("ground.truth"));
    log->seed = seed;
    log->arrival = arrival;
    log->arena = arena_create();
    log->records = heap_zeroed(making.capacity, sizeof *log->records);
    log->texts = heap_zeroed(making.capacity, sizeof *log->texts);
    sim_pace_init(&making.pace, arrival, &making.random, events);
    log->first_ms = making.pace.first_ms;
    log->middle_ms = making.pace.middle_ms;
    log->horizon_ms = making.pace.minute_ms * (sim_one_in(&making.random, 2) ? 10 : 3) -
                      sim_below(&making.random, 2);
    sim_model_make(seed,
                   &(struct sim_span){.first_ms = log->first_ms,
                                      .middle_ms = log->middle_ms,
                                      .minute_ms = making.pace.minute_ms},
                   log->arena, &making.models);
    making.pace.terms = making.models.terms;
    log->tables = making.models.tables;
    log->table_count = making.models.table_count;
    make_events(&making);
    log->close_ms = sim_pace_close_ms(&making.pace);
    buffer_fini(&making.text);
    buffer_fini(&making.value);
    return log;
}

struct option_set *sim_log_options(const struct sim_log *log, const struct option_row *rows)
{
    struct option_set *options = option_set_create(&rows, 1);
    char horizon[32];
    (void)snprintf(horizon, sizeof horizon, "%lldms", (long long)log->horizon_ms);
    char *arguments[] = {(char *)(uintptr_t) "--duplicates-horizon", horizon};
    struct reason reason;
    ENSURE(option_set_read(options, COUNT_OF(arguments), arguments, &reason) == FAULT_NONE);
    return options;
}

void sim_log_destroy(struct sim_log *log)
{
    if (log == NULL)
        return;
    heap_release(log->records);
    heap_release(log->texts);
    arena_destroy(log->arena);
    heap_release(log);
}
