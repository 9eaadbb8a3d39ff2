/* Goal: JSON values become the Avro bytes that the specification says and come back, unions and
 * defaults as datum.h promises, and hostile bytes cost no more than bytes. Method: bytes written by
 * hand from the specification; each refusal with its path; claims of items, depth and sizes that
 * the bytes do not hold. prop_datum.c compares with avro-c. */
#include "avro/datum.h"
#include "avro/wire.h"
#include "memory/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define FIELD_OR(name, type, fallback)                                                             \
    "{\"name\":\"" name "\",\"type\":" type ",\"default\":" fallback "}"
#define RECORD(name, fields) "{\"type\":\"record\",\"name\":\"" name "\",\"fields\":[" fields "]}"
#define ARRAY(items)         "{\"type\":\"array\",\"items\":" items "}"
#define MAP(values)          "{\"type\":\"map\",\"values\":" values "}"
#define LIST                 RECORD("L", FIELD("next", "[\"null\",\"L\"]"))

static struct schema *parsed(const char *text)
{
    struct schema *schema = NULL;
    struct reason reason = {""};
    if (schema_parse(span_text(text), &schema, &reason) != FAULT_NONE)
        fail_msg("%s: %s", text, reason.text);
    return schema;
}

static json_t *json(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert_non_null(value);
    return value;
}

static const struct {
    const char *schema, *value;
    const char *bytes;
    size_t size;
    const char *again; /* what decodes; NULL: the value itself */
} vectors[] = {
    {"\"null\"", "null", "", 0, NULL},
    {"\"boolean\"", "true", "\x01", 1, NULL},
    {"\"int\"", "-64", "\x7f", 1, NULL},
    {"\"long\"", "-9223372036854775808", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, NULL},
    {"\"float\"", "0.5", "\x00\x00\x00\x3f", 4, NULL},
    {"\"double\"", "1.0", "\x00\x00\x00\x00\x00\x00\xf0\x3f", 8, NULL},
    {"\"double\"", "1", "\x00\x00\x00\x00\x00\x00\xf0\x3f", 8, "1.0"},
    {"\"string\"", "\"a\\u0000\\u00fc\"", "\x08\x61\x00\xc3\xbc", 5, NULL},
    {"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}", "\"B\"", "\x02", 1, NULL},
    /* The specification's examples of record, array and union. */
    {RECORD("test", FIELD("a", "\"long\"") "," FIELD("b", "\"string\"")),
     "{\"b\": \"foo\", \"a\": 27, \"c\": 1}", "\x36\x06\x66\x6f\x6f", 5,
     "{\"a\": 27, \"b\": \"foo\"}"},
    {ARRAY("\"long\""), "[3, 27]", "\x04\x06\x36\x00", 4, NULL},
    {ARRAY("\"long\""), "[]", "\x00", 1, NULL},
    {MAP("\"long\""), "{\"b\": 1, \"a\": 2}", "\x04\x02\x62\x02\x02\x61\x04\x00", 8, NULL},
    {"[\"null\",\"string\"]", "null", "\x00", 1, NULL},
    {"[\"null\",\"string\"]", "\"a\"", "\x02\x02\x61", 3, NULL},
    /* The first branch that fits. */
    {"[\"double\",\"int\",\"long\"]", "7", "\x02\x0e", 2, NULL},
    {"[\"double\",\"int\",\"long\"]", "4294967296", "\x04\x80\x80\x80\x80\x20", 6, NULL},
    {"[\"null\",\"double\"]", "7", "\x02\x00\x00\x00\x00\x00\x00\x1c\x40", 9, "7.0"},
    {"[\"float\",\"double\"]", "0.5", "\x00\x00\x00\x00\x3f", 5, NULL},
    {"[\"float\",\"double\"]", "0.1", "\x02\x9a\x99\x99\x99\x99\x99\xb9\x3f", 9, NULL},
    {"[\"string\",{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}]", "\"A\"", "\x00\x02\x41",
     3, NULL},
    {"[{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]},\"string\"]", "\"B\"", "\x02\x02\x42",
     3, NULL},
    {"[" RECORD("P", FIELD("a", "\"int\"")) "," RECORD("Q", FIELD("b", "\"int\"")) "]",
     "{\"b\": 1}", "\x02\x02", 2, NULL},
    {"[\"null\"," RECORD("P", FIELD("a", "\"int\"")) "," MAP("\"int\"") "]", "{\"b\": 1}",
     "\x04\x02\x02\x62\x02\x00", 6, NULL},
    /* Defaults of what is missing, also within a default. */
    {RECORD("D", FIELD_OR("a", "[\"null\",\"long\"]", "null") "," FIELD_OR(
                     "b", RECORD("I", FIELD_OR("x", "\"int\"", "3") "," FIELD("y", "\"int\"")),
                     "{\"y\":1}")),
     "{}", "\x00\x06\x02", 3, "{\"a\": null, \"b\": {\"x\": 3, \"y\": 1}}"},
    {LIST, "{\"next\": {\"next\": null}}", "\x02\x00", 2, NULL},
};

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct schema *schema = parsed(vectors[i].schema);
        json_t *value = json(vectors[i].value);
        struct buffer bytes = {0};
        struct reason reason = {""};
        if (datum_encode(schema, value, &bytes, &reason) != FAULT_NONE)
            fail_msg("%s of %s: %s", vectors[i].value, vectors[i].schema, reason.text);
        assert_int_equal(bytes.size, vectors[i].size);
        assert_memory_equal(bytes.size == 0 ? (const void *)"" : bytes.bytes, vectors[i].bytes,
                            vectors[i].size);
        json_t *again = NULL;
        assert_int_equal(datum_decode(schema, buffer_span(&bytes), &again, &reason), FAULT_NONE);
        json_t *expected = vectors[i].again == NULL ? json_incref(value) : json(vectors[i].again);
        assert_true(json_equal(again, expected));
        json_decref(expected);
        json_decref(again);
        /* Every prefix is refused; so is one byte more. */
        for (size_t size = 0; size < bytes.size; size++)
            assert_int_not_equal(datum_decode(schema, span_of(bytes.bytes, size), &again, &reason),
                                 FAULT_NONE);
        buffer_append_byte(&bytes, 0);
        assert_int_equal(datum_decode(schema, buffer_span(&bytes), &again, &reason),
                         FAULT_RECORD_MALFORMED);
        buffer_fini(&bytes);
        json_decref(value);
        schema_destroy(schema);
    }
}

static void test_order_of_fields(void **state)
{
    (void)state;
    struct schema *schema = parsed(
        RECORD("R", FIELD("z", "\"int\"") "," FIELD("a", "\"int\"") "," FIELD("m", "\"int\"")));
    json_t *value = NULL;
    struct reason reason = {""};
    assert_int_equal(datum_decode(schema, span_of("\x02\x04\x06", 3), &value, &reason), FAULT_NONE);
    char *text = json_dumps(value, JSON_COMPACT);
    assert_string_equal(text, "{\"z\":1,\"a\":2,\"m\":3}");
    heap_release(text);
    json_decref(value);
    schema_destroy(schema);
}

static void test_nan(void **state)
{
    (void)state;
    struct schema *schema = parsed(ARRAY("\"double\""));
    struct buffer bytes = {0};
    wire_write_long(&bytes, 2);
    wire_write_double(&bytes, strtod("nan", NULL));
    wire_write_double(&bytes, strtod("-inf", NULL));
    wire_write_long(&bytes, 0);
    json_t *value = NULL;
    struct reason reason = {""};
    assert_int_equal(datum_decode(schema, buffer_span(&bytes), &value, &reason), FAULT_NONE);
    assert_true(json_is_null(json_array_get(value, 0)));
    assert_true(json_is_null(json_array_get(value, 1)));
    json_decref(value);
    buffer_fini(&bytes);
    schema_destroy(schema);
}

#define PANE                                                                                       \
    RECORD("n.Pane", FIELD("end", "\"long\"") "," FIELD(                                           \
                         "columns", ARRAY(RECORD("C", FIELD("sum", "[\"null\",\"double\"]")))))
static const struct {
    const char *schema, *value, *reason;
} refused[] = {
    {PANE, "[]", "n.Pane: an object is expected"},
    {PANE, "{\"columns\": []}", "n.Pane.end: is missing"},
    {PANE, "{\"end\": 1.0, \"columns\": []}", "n.Pane.end: an integer is expected"},
    {PANE, "{\"end\": 1, \"columns\": {}}", "n.Pane.columns: an array is expected"},
    {PANE, "{\"end\": 1, \"columns\": [{\"sum\": 1}, {\"sum\": \"1\"}]}",
     "n.Pane.columns[1].sum: fits no branch of the union"},
    {"\"int\"", "2147483648", ": does not fit 32 bits"},
    {"\"double\"", "null", ": a number is expected"},
    {"\"string\"", "1", ": a text is expected"},
    {"\"boolean\"", "1", ": a boolean is expected"},
    {"\"null\"", "0", ": null is expected"},
    {"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", "\"A\\u0000\"",
     "E: a symbol of the enum is expected"},
    {MAP("\"int\""), "{\"key\": null}", "key: an integer is expected"},
    {"\"bytes\"", "\"x\"", ": bytes and fixed are not supported"},
    {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":1}", "\"x\"",
     "F: bytes and fixed are not supported"},
};

static void test_encode_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        struct schema *schema = parsed(refused[i].schema);
        json_t *value = json(refused[i].value);
        struct buffer bytes = {0};
        struct reason reason = {""};
        buffer_append_byte(&bytes, 'x');
        assert_int_equal(datum_encode(schema, value, &bytes, &reason), FAULT_RECORD_MALFORMED);
        assert_string_equal(reason.text, refused[i].reason);
        assert_int_equal(bytes.size, 1); /* nothing was appended */
        buffer_fini(&bytes);
        json_decref(value);
        schema_destroy(schema);
    }
}

/* A default that misses what its own default gives, and so on for ever. */
static void test_endless_default(void **state)
{
    (void)state;
    struct schema *schema = parsed(RECORD("R", FIELD_OR("a", "\"R\"", "{}")));
    json_t *value = json_object();
    struct buffer bytes = {0};
    struct reason reason = {""};
    assert_int_equal(datum_encode(schema, value, &bytes, &reason), FAULT_RECORD_MALFORMED);
    assert_non_null(strstr(reason.text, "nested deeper than 100"));
    buffer_fini(&bytes);
    json_decref(value);
    schema_destroy(schema);
}

static void assert_hostile(const char *schema_text, struct span bytes, enum fault expected,
                           const char *text)
{
    struct schema *schema = parsed(schema_text);
    json_t *value = NULL;
    struct reason reason = {""};
    assert_int_equal(datum_decode(schema, bytes, &value, &reason), expected);
    assert_null(value);
    if (strstr(reason.text, text) == NULL)
        fail_msg("%s, not %s", reason.text, text);
    schema_destroy(schema);
}

static void test_hostile(void **state)
{
    (void)state;
    const enum fault malformed = FAULT_RECORD_MALFORMED, limit = FAULT_LIMIT_EXCEEDED;
    assert_hostile("\"int\"", span_of("\x80\x80\x80\x80\x10", 5), malformed, "more than 32 bits");
    assert_hostile("\"boolean\"", span_of("\x02", 1), malformed, "no boolean");
    assert_hostile("\"string\"", span_of("\x01", 1), malformed, "longer than the bytes left");
    assert_hostile("\"string\"", span_of("\x08\x61", 2), malformed, "longer than the bytes left");
    assert_hostile("\"string\"", span_of("\x04\xc0\x80", 3), malformed, "not UTF-8");
    assert_hostile(MAP("\"null\""), span_of("\x02\x02\xff\x00", 4), malformed, "key is not UTF-8");
    assert_hostile("[\"null\",\"int\"]", span_of("\x04", 1), malformed, "no such branch");
    assert_hostile("[\"null\",\"int\"]", span_of("\x01", 1), malformed, "no such branch");
    assert_hostile("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", span_of("\x02", 1),
                   malformed, "no such branch or symbol");
    /* 2^62 items of nothing; the least count there is; a block whose size is not what it says. */
    assert_hostile(ARRAY("\"null\""), span_of("\xfe\xff\xff\xff\xff\xff\xff\xff\x7f\x00", 10),
                   limit, "more items than bytes");
    assert_hostile(ARRAY("\"null\""), span_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", 11),
                   malformed, "no count");
    assert_hostile(ARRAY("\"int\""), span_of("\x01\x04\x02\x00\x00", 5), malformed, "another size");
    assert_hostile(ARRAY("\"int\""), span_of("\x01\x7e\x02\x00", 4), malformed, "longer");
    assert_hostile("\"bytes\"", span_of("\x00", 1), malformed, "not supported");
}

static void test_sized_block(void **state)
{
    (void)state;
    struct schema *schema = parsed(ARRAY("\"int\""));
    json_t *value = NULL;
    struct reason reason = {""};
    assert_int_equal(
        datum_decode(schema, span_of("\x03\x04\x02\x04\x02\x06\x00", 7), &value, &reason),
        FAULT_NONE);
    json_t *expected = json("[1, 2, 3]");
    assert_true(json_equal(value, expected));
    json_decref(expected);
    json_decref(value);
    schema_destroy(schema);
}

/* Many blocks, each with as many items of no size as there are bytes: n² items, were each block
 * taken alone. */
static void test_many_blocks_of_nothing(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    for (int i = 0; i < 1000; i++)
        wire_write_long(&bytes, 1000);
    wire_write_long(&bytes, 0);
    assert_hostile(ARRAY("\"null\""), buffer_span(&bytes), FAULT_LIMIT_EXCEEDED,
                   "more items than bytes");
    buffer_fini(&bytes);
}

static void test_depth(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    for (int i = 0; i < 10000; i++)
        wire_write_long(&bytes, 1);
    assert_hostile(LIST, buffer_span(&bytes), FAULT_LIMIT_EXCEEDED, "nested deeper than 100");
    /* A record of itself takes no bytes at all. */
    assert_hostile(RECORD("R", FIELD("a", "\"R\"")), span_of(NULL, 0), FAULT_LIMIT_EXCEEDED,
                   "nested deeper than 100");
    buffer_fini(&bytes);
}

/* Thirty records, each of two of the next: 2^30 values out of no bytes. */
static void test_values_of_nothing(void **state)
{
    (void)state;
    struct buffer text = {0};
    for (int i = 0; i < 30; i++)
        buffer_format(&text,
                      "{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[{\"name\":\"a\","
                      "\"type\":",
                      i);
    buffer_format(&text, "\"null\"}]}");
    for (int i = 29; i > 0; i--)
        buffer_format(&text, "},{\"name\":\"b\",\"type\":\"R%d\"}]}", i);
    buffer_append_byte(&text, 0);
    assert_hostile((const char *)text.bytes, span_of(NULL, 0), FAULT_LIMIT_EXCEEDED,
                   "more values than the bytes can mean");
    buffer_fini(&text);
}

/* One record of ours, whole, by its embedded schema. */
static void test_measurement(void **state)
{
    (void)state;
    json_t *value = json(
        "{\"id\":\"m\",\"revision\":0,\"model\":\"f\",\"version\":\"1\",\"role\":\"CHAMPION\","
        "\"window_start\":0,\"window_end\":60000,\"kind\":\"DRIFT\",\"column\":\"x\",\"metric\":"
        "\"psi\",\"reference\":\"baseline\",\"value\":0.125,\"n_reference\":100,\"n_current\":10,"
        "\"state\":\"OK\",\"contributions\":[{\"cell\":\"null\",\"share\":1}],\"offsets\":[{"
        "\"partition\":0,\"first\":1,\"last\":2}],\"contract_revision\":1}");
    const struct schema *schema = schema_embedded("measurements");
    struct buffer bytes = {0};
    struct reason reason = {""};
    if (datum_encode(schema, value, &bytes, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    json_t *again = NULL;
    assert_int_equal(datum_decode(schema, buffer_span(&bytes), &again, &reason), FAULT_NONE);
    assert_int_equal(json_object_size(again), 24);
    assert_true(json_is_null(json_object_get(again, "segment")));
    assert_true(json_real_value(json_object_get(again, "value")) == 0.125);
    buffer_fini(&bytes);
    json_decref(again);
    json_decref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_order_of_fields),
        cmocka_unit_test(test_nan),
        cmocka_unit_test(test_encode_refused),
        cmocka_unit_test(test_endless_default),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_sized_block),
        cmocka_unit_test(test_many_blocks_of_nothing),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_values_of_nothing),
        cmocka_unit_test(test_measurement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
