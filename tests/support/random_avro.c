#include "tests/support/random_avro.h"
#include "memory/heap.h"

#include <math.h>
#include <stdio.h>

static uint64_t state_of_chance;

/* splitmix64 */
uint64_t random_avro_chance(void)
{
    uint64_t mixed = state_of_chance += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

size_t random_avro_below(size_t bound)
{
    return (size_t)(random_avro_chance() % bound);
}

/* ---- random schemas ---- */

struct schema_maker {
    struct buffer text;
    size_t named;      /* types named so far: T0 … */
    size_t records[8]; /* the first closed records, for references */
    size_t record_count;
};

static void make_type(struct schema_maker *maker, size_t depth, bool in_union);

/* No null outside unions: an array of values of no size is refused where it has more of them than
 * bytes. */
static void make_primitive(struct schema_maker *maker)
{
    static const char *const names[] = {"boolean", "int", "long", "float", "double", "string"};
    buffer_format(&maker->text, "\"%s\"", names[random_avro_below(COUNT_OF(names))]);
}

static void make_record(struct schema_maker *maker, size_t depth)
{
    const size_t number = maker->named++, fields = 1 + random_avro_below(4);
    buffer_format(&maker->text, "{\"type\":\"record\",\"name\":\"T%zu\",\"fields\":[", number);
    for (size_t i = 0; i < fields; i++) {
        buffer_format(&maker->text, "%s{\"name\":\"f%zu\",\"type\":", i == 0 ? "" : ",", i);
        if (random_avro_below(8) == 0)
            buffer_format(&maker->text, "[\"null\",\"T%zu\"]", number); /* recursive */
        else
            make_type(maker, depth + 1, false);
        buffer_append_byte(&maker->text, '}');
    }
    buffer_format(&maker->text, "]}");
    if (maker->record_count < COUNT_OF(maker->records))
        maker->records[maker->record_count++] = number;
}

static void make_enum(struct schema_maker *maker)
{
    buffer_format(&maker->text, "{\"type\":\"enum\",\"name\":\"T%zu\",\"symbols\":[\"A\"",
                  maker->named++);
    for (size_t i = random_avro_below(3); i > 0; i--)
        buffer_format(&maker->text, ",\"S%zu\"", i);
    buffer_format(&maker->text, "]}");
}

/* Branches of different kinds, in random order; each kind at most once. */
static void make_union(struct schema_maker *maker, size_t depth)
{
    static const char *const kinds[] = {"\"null\"",  "\"boolean\"", "\"int\"",   "\"long\"",
                                        "\"float\"", "\"double\"",  "\"string\""};
    const size_t first = random_avro_below(COUNT_OF(kinds)), count = 1 + random_avro_below(4);
    buffer_append_byte(&maker->text, '[');
    for (size_t i = 0; i < count; i++)
        buffer_format(&maker->text, "%s%s", i == 0 ? "" : ",",
                      kinds[(first + 3 * i) % COUNT_OF(kinds)]);
    if (random_avro_below(2) == 0) {
        buffer_append_byte(&maker->text, ',');
        make_type(maker, depth + 1, true);
    }
    buffer_append_byte(&maker->text, ']');
}

static void make_type(struct schema_maker *maker, size_t depth, bool in_union)
{
    const size_t pick = depth > 4 ? (in_union ? 1 : 0) : random_avro_below(8) + (in_union ? 1 : 0);
    switch (pick) {
    case 0:
    case 7:
        if (!in_union) {
            make_primitive(maker);
            return;
        }
        make_enum(maker);
        return;
    case 1:
        make_enum(maker);
        return;
    case 2:
        buffer_format(&maker->text, "{\"type\":\"array\",\"items\":");
        make_type(maker, depth + 1, false);
        buffer_append_byte(&maker->text, '}');
        return;
    case 3:
        buffer_format(&maker->text, "{\"type\":\"map\",\"values\":");
        make_type(maker, depth + 1, false);
        buffer_append_byte(&maker->text, '}');
        return;
    case 4:
        if (in_union)
            make_record(maker, depth);
        else
            make_union(maker, depth);
        return;
    case 5:
        if (maker->record_count == 0)
            break;
        buffer_format(&maker->text, "\"T%zu\"",
                      maker->records[random_avro_below(maker->record_count)]);
        return;
    default:
        break;
    }
    make_record(maker, depth);
}

/* ---- random values ---- */

static json_t *make_value(const struct schema_node *node, size_t depth);

static json_t *make_text(void)
{
    static const char *const pieces[] = {"", "a", "foo", "ü", "\xf0\x9f\x98\x80", "\n\"", " "};
    return json_sprintf("%s%s%s", pieces[random_avro_below(COUNT_OF(pieces))],
                        pieces[random_avro_below(COUNT_OF(pieces))],
                        pieces[random_avro_below(COUNT_OF(pieces))]);
}

static int64_t make_long(void)
{
    return (int64_t)(random_avro_chance() >> random_avro_below(64)) *
           (random_avro_below(2) == 0 ? 1 : -1);
}

static double make_double(void)
{
    for (;;) {
        const uint64_t bits = random_avro_chance();
        double value;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value))
            return random_avro_below(3) == 0 ? (double)(int64_t)random_avro_below(1000) / 8 : value;
    }
}

static json_t *make_record_value(const struct schema_node *node, size_t depth)
{
    json_t *record = json_object();
    for (size_t i = 0; i < node->field_count; i++)
        (void)json_object_set_new(record, node->fields[i].name,
                                  make_value(node->fields[i].type, depth + 1));
    return record;
}

static json_t *make_items(const struct schema_node *node, size_t depth)
{
    json_t *items = node->kind == SCHEMA_ARRAY ? json_array() : json_object();
    for (size_t i = depth > 6 ? 0 : random_avro_below(5); i > 0; i--) {
        json_t *item = make_value(node->fields[0].type, depth + 1);
        char key[16];
        (void)snprintf(key, sizeof key, "k%zu", random_avro_below(100));
        if (node->kind == SCHEMA_ARRAY)
            (void)json_array_append_new(items, item);
        else
            (void)json_object_set_new(items, key, item);
    }
    return items;
}

/* Recursion always goes by way of a union with null first: there it ends. */
static json_t *make_choice(const struct schema_node *node, size_t depth)
{
    const size_t index = depth > 6 ? 0 : random_avro_below(node->field_count);
    return make_value(node->fields[index].type, depth + 1);
}

static json_t *make_value(const struct schema_node *node, size_t depth)
{
    switch (node->kind) {
    case SCHEMA_NULL:
        return json_null();
    case SCHEMA_BOOLEAN:
        return json_boolean(random_avro_below(2));
    case SCHEMA_INT:
        return json_integer((int32_t)make_long());
    case SCHEMA_LONG:
        return json_integer(make_long());
    case SCHEMA_FLOAT:
        return json_real((double)(int64_t)random_avro_below(100000) / 64);
    case SCHEMA_DOUBLE:
        return json_real(make_double());
    case SCHEMA_STRING:
        return make_text();
    case SCHEMA_ENUM:
        return json_string(node->symbols[random_avro_below(node->symbol_count)]);
    case SCHEMA_RECORD:
        return make_record_value(node, depth);
    case SCHEMA_ARRAY:
    case SCHEMA_MAP:
        return make_items(node, depth);
    case SCHEMA_UNION:
        return make_choice(node, depth);
    case SCHEMA_BYTES:
    case SCHEMA_FIXED:
        break;
    }
    UNREACHABLE("no such kind is made");
}

void random_avro_begin(uint64_t seed)
{
    state_of_chance = seed;
}

void random_avro_schema(struct buffer *out, bool is_record)
{
    struct schema_maker maker = {.record_count = 0};
    if (is_record)
        make_record(&maker, 0);
    else
        make_type(&maker, 0, false);
    buffer_append_span(out, buffer_span(&maker.text));
    buffer_fini(&maker.text);
}

json_t *random_avro_value(const struct schema_node *node)
{
    return make_value(node, 0);
}

/* ---- damage ---- */

void random_avro_damage(struct buffer *bytes)
{
    if (bytes->size == 0) {
        buffer_append_byte(bytes, (uint8_t)random_avro_chance());
        return;
    }
    const size_t at = random_avro_below(bytes->size);
    switch (random_avro_below(4)) {
    case 0:
        bytes->bytes[at] ^= (uint8_t)(1U << random_avro_below(8));
        return;
    case 1:
        bytes->bytes[at] = (uint8_t)random_avro_chance();
        return;
    case 2:
        bytes->size = at;
        return;
    default: {
        uint8_t *part = heap_copied(bytes->bytes + at, bytes->size - at);
        buffer_append(bytes, part, bytes->size - at);
        heap_release(part);
    }
    }
}
