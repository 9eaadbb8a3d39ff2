/* Goal: datum_encode and datum_decode mean by bytes what avro-c means, for any schema and value;
 * what is accepted of damaged bytes avro-c reads alike. Method: random schemas (all kinds we
 * support, names, references, recursion) and random values; our bytes read by avro-c must hold the
 * value and be written by it again to the same bytes, and the value filled into avro-c by the rules
 * of the test must come back from its bytes. Then bits are flipped, bytes cut, doubled and put in:
 * never a crash, and what we accept avro-c reads as the same value. Damaged bytes that we refuse
 * are not given to avro-c: it believes their claims of size. A failure prints its seed;
 * PLUMB_SEED=n begins there. */
#include "avro/datum.h"
#include "memory/heap.h"
#include "tests/support/oracle.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { SCHEMAS = 300, VALUES = 6, DAMAGES = 40 };

static uint64_t seed, state_of_chance;

/* splitmix64 */
static uint64_t chance(void)
{
    uint64_t mixed = state_of_chance += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

static size_t below(size_t bound)
{
    return (size_t)(chance() % bound);
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
    buffer_format(&maker->text, "\"%s\"", names[below(COUNT_OF(names))]);
}

static void make_record(struct schema_maker *maker, size_t depth)
{
    const size_t number = maker->named++, fields = 1 + below(4);
    buffer_format(&maker->text, "{\"type\":\"record\",\"name\":\"T%zu\",\"fields\":[", number);
    for (size_t i = 0; i < fields; i++) {
        buffer_format(&maker->text, "%s{\"name\":\"f%zu\",\"type\":", i == 0 ? "" : ",", i);
        if (below(8) == 0)
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
    for (size_t i = below(3); i > 0; i--)
        buffer_format(&maker->text, ",\"S%zu\"", i);
    buffer_format(&maker->text, "]}");
}

/* Branches of different kinds, in random order; each kind at most once. */
static void make_union(struct schema_maker *maker, size_t depth)
{
    static const char *const kinds[] = {"\"null\"",  "\"boolean\"", "\"int\"",   "\"long\"",
                                        "\"float\"", "\"double\"",  "\"string\""};
    const size_t first = below(COUNT_OF(kinds)), count = 1 + below(4);
    buffer_append_byte(&maker->text, '[');
    for (size_t i = 0; i < count; i++)
        buffer_format(&maker->text, "%s%s", i == 0 ? "" : ",",
                      kinds[(first + 3 * i) % COUNT_OF(kinds)]);
    if (below(2) == 0) {
        buffer_append_byte(&maker->text, ',');
        make_type(maker, depth + 1, true);
    }
    buffer_append_byte(&maker->text, ']');
}

static void make_type(struct schema_maker *maker, size_t depth, bool in_union)
{
    const size_t pick = depth > 4 ? (in_union ? 1 : 0) : below(8) + (in_union ? 1 : 0);
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
        buffer_format(&maker->text, "\"T%zu\"", maker->records[below(maker->record_count)]);
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
    return json_sprintf("%s%s%s", pieces[below(COUNT_OF(pieces))], pieces[below(COUNT_OF(pieces))],
                        pieces[below(COUNT_OF(pieces))]);
}

static int64_t make_long(void)
{
    return (int64_t)(chance() >> below(64)) * (below(2) == 0 ? 1 : -1);
}

static double make_double(void)
{
    for (;;) {
        const uint64_t bits = chance();
        double value;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value))
            return below(3) == 0 ? (double)(int64_t)below(1000) / 8 : value;
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
    for (size_t i = depth > 6 ? 0 : below(5); i > 0; i--) {
        json_t *item = make_value(node->fields[0].type, depth + 1);
        char key[16];
        (void)snprintf(key, sizeof key, "k%zu", below(100));
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
    const size_t index = depth > 6 ? 0 : below(node->field_count);
    return make_value(node->fields[index].type, depth + 1);
}

static json_t *make_value(const struct schema_node *node, size_t depth)
{
    switch (node->kind) {
    case SCHEMA_NULL:
        return json_null();
    case SCHEMA_BOOLEAN:
        return json_boolean(below(2));
    case SCHEMA_INT:
        return json_integer((int32_t)make_long());
    case SCHEMA_LONG:
        return json_integer(make_long());
    case SCHEMA_FLOAT:
        return json_real((double)(int64_t)below(100000) / 64);
    case SCHEMA_DOUBLE:
        return json_real(make_double());
    case SCHEMA_STRING:
        return make_text();
    case SCHEMA_ENUM:
        return json_string(node->symbols[below(node->symbol_count)]);
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

/* ---- the property ---- */

/* Keys and symbols with a zero byte end early in avro-c; texts elsewhere do not. */
static bool has_zero_key(const json_t *value)
{
    bool found = false;
    for (size_t i = 0; i < json_array_size(value); i++)
        found = found || has_zero_key(json_array_get(value, i));
    json_t *object = (json_t *)(uintptr_t)value; /* jansson's walk takes no const */
    for (void *walk = json_object_iter(object); walk != NULL;
         walk = json_object_iter_next(object, walk))
        found = found || strlen(json_object_iter_key(walk)) != json_object_iter_key_len(walk) ||
                has_zero_key(json_object_iter_value(walk));
    return found;
}

/* Damage can make two keys of a map equal: with us the last entry counts, avro-c mixes both. Then
 * our bytes of the value are fewer (or none, where a NaN became null as well). */
static bool has_lost_bytes(const struct schema *schema, const json_t *value, size_t size)
{
    struct buffer bytes = {0};
    struct reason reason = {""};
    const bool lost =
        datum_encode(schema, value, &bytes, &reason) != FAULT_NONE || bytes.size < size;
    buffer_fini(&bytes);
    return lost;
}

/* One damage: a bit flipped, a byte replaced, the end cut, a part doubled. */
static void damage(struct buffer *bytes)
{
    if (bytes->size == 0) {
        buffer_append_byte(bytes, (uint8_t)chance());
        return;
    }
    const size_t at = below(bytes->size);
    switch (below(4)) {
    case 0:
        bytes->bytes[at] ^= (uint8_t)(1U << below(8));
        return;
    case 1:
        bytes->bytes[at] = (uint8_t)chance();
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

static struct span written(struct oracle *oracle)
{
    size_t size = 0;
    const void *bytes = oracle_write(oracle, &size);
    assert_non_null(bytes);
    return span_of(bytes, size);
}

static size_t accepted, refused;

static void check_damaged(const struct schema *schema, struct oracle *oracle, struct span sound)
{
    struct buffer bytes = {0};
    buffer_append_span(&bytes, sound);
    for (size_t i = 1 + below(3); i > 0; i--)
        damage(&bytes);
    json_t *value = NULL;
    struct reason reason = {""};
    const enum fault fault = datum_decode(schema, buffer_span(&bytes), &value, &reason);
    if (fault == FAULT_NONE) {
        accepted++;
        assert_true(oracle_read(oracle, bytes.bytes, bytes.size));
        assert_true(oracle_holds(oracle, value) || has_zero_key(value) ||
                    has_lost_bytes(schema, value, bytes.size));
        json_decref(value);
    } else {
        refused++;
        assert_true(fault == FAULT_RECORD_MALFORMED || fault == FAULT_LIMIT_EXCEEDED);
        assert_true(reason.text[0] != '\0');
    }
    buffer_fini(&bytes);
}

static void check_value(const struct schema *schema, struct oracle *oracle, const json_t *value)
{
    struct buffer bytes = {0};
    struct reason reason = {""};
    if (datum_encode(schema, value, &bytes, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    assert_true(oracle_read(oracle, bytes.bytes, bytes.size));
    assert_true(oracle_holds(oracle, value));
    assert_true(span_equal(written(oracle), buffer_span(&bytes)));

    assert_true(oracle_fill(oracle, value));
    json_t *again = NULL;
    if (datum_decode(schema, written(oracle), &again, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    assert_true(json_equal(again, value));
    json_decref(again);

    for (size_t i = 0; i < DAMAGES; i++)
        check_damaged(schema, oracle, buffer_span(&bytes));
    buffer_fini(&bytes);
}

static void check_schema(void)
{
    struct schema_maker maker = {.record_count = 0};
    make_type(&maker, 0, false);
    struct schema *schema = NULL;
    struct reason reason = {""};
    const struct span text = buffer_span(&maker.text);
    if (schema_parse(text, &schema, &reason) != FAULT_NONE)
        fail_msg("%.*s: %s", (int)text.size, (const char *)text.bytes, reason.text);
    struct oracle *oracle = oracle_open((const char *)text.bytes, text.size);
    assert_non_null(oracle);
    for (size_t i = 0; i < VALUES; i++) {
        json_t *value = make_value(schema_root(schema), 0);
        check_value(schema, oracle, value);
        json_decref(value);
    }
    oracle_close(oracle);
    schema_destroy(schema);
    buffer_fini(&maker.text);
}

static void prop_datum(void **state)
{
    (void)state;
    const char *given = getenv("PLUMB_SEED");
    const uint64_t first = given == NULL ? 20240607 : strtoull(given, NULL, 10);
    for (size_t i = 0; i < SCHEMAS; i++) {
        seed = first + i;
        state_of_chance = seed;
        check_schema();
    }
    assert_true(accepted > 100 && refused > 100); /* else the damage says nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(prop_datum)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed != 0)
        (void)fprintf(stderr, "replay: PLUMB_SEED=%" PRIu64 "\n", seed);
    return failed;
}
