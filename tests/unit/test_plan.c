/* Goal: what a plan makes of a schema: resolution (other names, fallbacks, shapes), logical types,
 * nesting, and bytes that lie about themselves, within 1 ms and without memory. Method: bytes
 * written by hand; what plans read of any schema is prop_plan's. */
#include "avro/plan.h"
#include "avro/wire.h"
#include "clock/wall.h"
#include "memory/heap.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { PATH_MAX = 6, WANTS_MAX = 6 };

/* A plan for wants written as "a.b", with "|" between the names that a field may have. */
struct fixture {
    struct schema *schema;
    struct plan *plan;
    struct buffer bytes;
    struct reason reason;
    enum fault fault;
    char *texts[WANTS_MAX];
    const char *segments[WANTS_MAX][2][PATH_MAX];
    struct plan_path paths[WANTS_MAX][2];
    struct plan_want wants[WANTS_MAX];
    size_t want_count;
};

static void fixture_want(struct fixture *fixture, const char *text, enum plan_shape shape)
{
    const size_t i = fixture->want_count++;
    char *next = fixture->texts[i] = heap_text(text);
    size_t path = 0, size = 0;
    for (;;) {
        fixture->segments[i][path][size++] = next;
        next += strcspn(next, ".|");
        const char stop = *next;
        fixture->paths[i][path] = (struct plan_path){fixture->segments[i][path], size};
        if (stop == '\0')
            break;
        *next++ = '\0';
        path += stop == '|';
        size = stop == '|' ? 0 : size;
    }
    fixture->wants[i] =
        (struct plan_want){.paths = fixture->paths[i], .path_count = path + 1, .shape = shape};
}

/* The schema of a record, its fields written with ' for ". */
static void fixture_make(struct fixture *fixture, const char *fields)
{
    char *text = heap_format("{'type':'record','name':'R','fields':[%s]}", fields);
    for (char *byte = text; *byte != '\0'; byte++)
        *byte = *byte == '\'' ? '"' : *byte;
    if (schema_parse(span_text(text), &fixture->schema, &fixture->reason) != FAULT_NONE)
        fail_msg("%s", fixture->reason.text);
    heap_release(text);
    fixture->fault = plan_create(fixture->schema, fixture->wants, fixture->want_count,
                                 &fixture->plan, &fixture->reason);
}

static enum fault fixture_run(struct fixture *fixture)
{
    return plan_run(fixture->plan, buffer_span(&fixture->bytes), &fixture->reason);
}

static const struct value *fixture_value(struct fixture *fixture, size_t want)
{
    if (fixture_run(fixture) != FAULT_NONE)
        fail_msg("%s", fixture->reason.text);
    return &plan_values(fixture->plan)[want];
}

static void fixture_close(struct fixture *fixture)
{
    plan_destroy(fixture->plan);
    schema_destroy(fixture->schema);
    buffer_fini(&fixture->bytes);
    for (size_t i = 0; i < fixture->want_count; i++)
        heap_release(fixture->texts[i]);
}

static struct fixture fixture_of(const char *want, enum plan_shape shape, const char *fields)
{
    struct fixture fixture = {.want_count = 0};
    fixture_want(&fixture, want, shape);
    fixture_make(&fixture, fields);
    if (fixture.fault != FAULT_NONE)
        fail_msg("%s", fixture.reason.text);
    return fixture;
}

/* ---- resolution ---- */

static void test_other_names_and_fallbacks(void **state)
{
    (void)state;
    struct fixture fixture = {.want_count = 0};
    fixture_want(&fixture, "amount|total", PLAN_ANY); /* an alias: the schema has the second */
    fixture_want(&fixture, "absent|gone", PLAN_ANY);
    fixture.wants[1].fallback = (struct value){.kind = VALUE_LONG, .integer = 7, .number = 7};
    fixture_want(&fixture, "total", PLAN_ANY); /* the same place once more */
    fixture_make(&fixture, "{'name':'first','type':'string'},{'name':'total','type':'int'}");
    wire_write_bytes(&fixture.bytes, span_text("x"));
    wire_write_long(&fixture.bytes, -3);
    assert_int_equal(fixture_value(&fixture, 0)->integer, -3);
    assert_true(plan_values(fixture.plan)[0].number + 3 == 0.0); /* promoted */
    assert_int_equal(plan_values(fixture.plan)[1].integer, 7);
    assert_int_equal(plan_values(fixture.plan)[2].integer, -3);
    fixture_close(&fixture);
}

/* What a record leaves out is what it was before the first one. */
static void test_values_do_not_stay(void **state)
{
    (void)state;
    struct fixture fixture = {.want_count = 0};
    fixture_want(&fixture, "m.a", PLAN_ANY);
    fixture_want(&fixture, "u.x", PLAN_ANY);
    fixture_want(&fixture, "m", PLAN_ITEMS);
    fixture_make(&fixture, "{'name':'m','type':{'type':'map','values':'long'}},"
                           "{'name':'u','type':['null',{'type':'record','name':'U','fields':["
                           "{'name':'x','type':'long'}]}]}");
    wire_write_long(&fixture.bytes, 2);
    wire_write_bytes(&fixture.bytes, span_text("a"));
    wire_write_long(&fixture.bytes, 5);
    wire_write_bytes(&fixture.bytes, span_text("b"));
    wire_write_long(&fixture.bytes, 6);
    wire_write_long(&fixture.bytes, 0);
    wire_write_long(&fixture.bytes, 1);
    wire_write_long(&fixture.bytes, 9);
    assert_int_equal(fixture_value(&fixture, 0)->integer, 5);
    assert_int_equal(plan_values(fixture.plan)[1].integer, 9);
    assert_int_equal(plan_values(fixture.plan)[2].integer, 1); /* b */
    buffer_clear(&fixture.bytes);
    wire_write_long(&fixture.bytes, 0);
    wire_write_long(&fixture.bytes, 0);
    assert_int_equal(fixture_value(&fixture, 0)->kind, VALUE_MISSING);
    assert_int_equal(plan_values(fixture.plan)[1].kind, VALUE_MISSING);
    assert_int_equal(plan_values(fixture.plan)[2].integer, 0);
    fixture_close(&fixture);
}

static void test_items_of_arrays(void **state)
{
    (void)state;
    struct fixture fixture = {.want_count = 0};
    fixture_want(&fixture, "list.1", PLAN_ANY);
    fixture_want(&fixture, "list.3.x", PLAN_ANY); /* no record there */
    fixture_make(&fixture, "{'name':'list','type':{'type':'array','items':'string'}}");
    for (int block = 0; block < 2; block++) { /* the index goes on from block to block */
        wire_write_long(&fixture.bytes, 1);
        wire_write_bytes(&fixture.bytes, span_text(block == 0 ? "no" : "yes"));
    }
    wire_write_long(&fixture.bytes, 0);
    assert_true(span_is(fixture_value(&fixture, 0)->text, "yes"));
    assert_int_equal(plan_values(fixture.plan)[1].kind, VALUE_MISSING);
    fixture_close(&fixture);
}

/* Of equal keys the last counts, and all of it. */
static void test_a_key_that_comes_again(void **state)
{
    (void)state;
    struct fixture fixture = {.want_count = 0};
    fixture_want(&fixture, "m.a.x", PLAN_ANY);
    fixture_want(&fixture, "m.a", PLAN_ITEMS);
    fixture_make(&fixture, "{'name':'m','type':{'type':'map','values':['null',{'type':'record',"
                           "'name':'U','fields':[{'name':'x','type':'long'},"
                           "{'name':'y','type':'null'}]}]}}");
    wire_write_long(&fixture.bytes, 2);
    wire_write_bytes(&fixture.bytes, span_text("a"));
    wire_write_long(&fixture.bytes, 1);
    wire_write_long(&fixture.bytes, 5);
    wire_write_bytes(&fixture.bytes, span_text("a"));
    wire_write_long(&fixture.bytes, 0);
    wire_write_long(&fixture.bytes, 0);
    assert_int_equal(fixture_value(&fixture, 0)->kind, VALUE_MISSING);
    assert_int_equal(plan_values(fixture.plan)[1].kind, VALUE_NULL);
    fixture_close(&fixture);
}

static const struct {
    const char *want, *fields, *reason;
    enum plan_shape shape;
} refused[] = {
    {"gone", "{'name':'x','type':'int'}", "gone: the field is missing", PLAN_ANY},
    {"x.y", "{'name':'x','type':'int'}", "x.y: the field is missing", PLAN_ANY},
    {"x.00", "{'name':'x','type':{'type':'array','items':'int'}}", "x.00: the field is missing",
     PLAN_ANY},
    {"x.-1", "{'name':'x','type':{'type':'array','items':'int'}}", "x.-1: the field is missing",
     PLAN_ANY},
    {"x", "{'name':'x','type':['null','int']}", "x: must be a string", PLAN_TEXT},
    {"x", "{'name':'x','type':'int'}", "x: must be a long", PLAN_TIME},
    {"x", "{'name':'x','type':{'type':'long','logicalType':'time-micros'}}", "x: must be a long",
     PLAN_TIME},
    {"x", "{'name':'x','type':{'type':'array','items':'int'}}", "x: must be a record or a map",
     PLAN_ITEMS},
};

static void test_refused_schemas(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        struct fixture fixture = {.want_count = 0};
        fixture_want(&fixture, refused[i].want, refused[i].shape);
        fixture.wants[0].required = true;
        fixture_make(&fixture, refused[i].fields);
        assert_int_equal(fixture.fault, FAULT_SCHEMA_INVALID);
        assert_null(fixture.plan);
        if (strncmp(fixture.reason.text, refused[i].reason, strlen(refused[i].reason)) != 0)
            fail_msg("%s, not %s", fixture.reason.text, refused[i].reason);
        fixture_close(&fixture);
    }
}

/* ---- logical types ---- */

static int64_t time_of(const char *logical, int64_t written)
{
    char *fields = heap_format("{'name':'t','type':{'type':'long','logicalType':'%s'}}", logical);
    struct fixture fixture = fixture_of("t", PLAN_TIME, fields);
    wire_write_long(&fixture.bytes, written);
    const int64_t time_ms = fixture_value(&fixture, 0)->integer;
    fixture_close(&fixture);
    heap_release(fields);
    return time_ms;
}

static void test_times(void **state)
{
    (void)state;
    assert_int_equal(time_of("timestamp-millis", -1), -1);
    assert_int_equal(time_of("timestamp-micros", 1999), 1);
    assert_int_equal(time_of("timestamp-micros", -1), -1); /* down, not to zero */
    assert_int_equal(time_of("timestamp-nanos", 1999999), 1);
    assert_int_equal(time_of("timestamp-nanos", INT64_MIN), INT64_MIN / 1000000 - 1);
    assert_int_equal(time_of("local-timestamp-micros", 5000), 5);
}

static double decimal_of(const char *type, const void *bytes, size_t size, bool sized)
{
    char *fields = heap_format("{'name':'d','type':{%s,'logicalType':'decimal','precision':20,"
                               "'scale':2}}",
                               type);
    struct fixture fixture = fixture_of("d", PLAN_ANY, fields);
    if (sized)
        wire_write_bytes(&fixture.bytes, span_of(bytes, size));
    else
        buffer_append(&fixture.bytes, bytes, size);
    assert_int_equal(fixture_value(&fixture, 0)->kind, VALUE_DOUBLE);
    const double number = plan_values(fixture.plan)[0].number;
    fixture_close(&fixture);
    heap_release(fields);
    return number;
}

static void assert_number(double number, double expected)
{
    assert_true(number - expected == 0.0);
}

static void test_decimals(void **state)
{
    (void)state;
    assert_number(decimal_of("'type':'bytes'", "\x30\x39", 2, true), 123.45);
    assert_number(decimal_of("'type':'bytes'", "\xff\xff", 2, true), -0.01);
    assert_number(decimal_of("'type':'bytes'", "", 0, true), 0);
    assert_number(decimal_of("'type':'bytes'", "\x80", 1, true), -1.28);
    assert_number(decimal_of("'type':'fixed','name':'F','size':4", "\x00\x00\x00\x64", 4, false),
                  1);
    assert_number(decimal_of("'type':'bytes'", "\x01\0\0\0\0\0\0\0\0", 9, true), 0x1p64 / 100);
}

static void test_uuid_and_date(void **state)
{
    (void)state;
    static const uint8_t id[16] = {0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3,
                                   0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00};
    struct fixture fixture = {.want_count = 0};
    fixture_want(&fixture, "id", PLAN_TEXT);
    fixture_want(&fixture, "day", PLAN_ANY);
    fixture_want(&fixture, "raw", PLAN_ANY);
    fixture_make(&fixture,
                 "{'name':'id','type':{'type':'fixed','name':'I','size':16,'logicalType':'uuid'}},"
                 "{'name':'day','type':{'type':'int','logicalType':'date'}},"
                 "{'name':'raw','type':'bytes'}");
    buffer_append(&fixture.bytes, id, sizeof id);
    wire_write_long(&fixture.bytes, 20000);
    wire_write_bytes(&fixture.bytes, span_text("any"));
    assert_true(span_is(fixture_value(&fixture, 0)->text, "123e4567-e89b-12d3-a456-426614174000"));
    assert_int_equal(plan_values(fixture.plan)[1].integer, 20000);
    assert_int_equal(plan_values(fixture.plan)[2].kind, VALUE_OTHER);
    fixture_close(&fixture);
}

/* ---- bytes that lie ---- */

/* Indexes, lengths and counts may be written in more bytes than they need. */
static void test_long_varints(void **state)
{
    (void)state;
    struct fixture fixture = {.want_count = 0};
    fixture_want(&fixture, "a", PLAN_ANY);
    fixture_want(&fixture, "c", PLAN_ANY);
    fixture_make(&fixture, "{'name':'a','type':['null','double']},"
                           "{'name':'b','type':['null','double']},"
                           "{'name':'c','type':['null','double']},"
                           "{'name':'d','type':['null','string']}");
    static const uint8_t one[] = {0x82, 0x80, 0x00};
    for (int i = 0; i < 3; i++) {
        buffer_append(&fixture.bytes, one, sizeof one);
        wire_write_double(&fixture.bytes, i + 0.5);
    }
    buffer_append(&fixture.bytes, one, sizeof one);
    wire_write_bytes(&fixture.bytes, span_text("x"));
    assert_number(fixture_value(&fixture, 0)->number, 0.5);
    assert_number(plan_values(fixture.plan)[1].number, 2.5);
    buffer_clear(&fixture.bytes);
    wire_write_long(&fixture.bytes, 2); /* no such branch */
    assert_int_equal(fixture_run(&fixture), FAULT_RECORD_MALFORMED);
    assert_string_equal(fixture.reason.text, "a: the bytes end, or no such branch");
    fixture_close(&fixture);
}

static void assert_bomb(const char *fields, struct span bytes, enum fault fault, const char *what)
{
    struct fixture fixture = {.want_count = 0};
    fixture_want(&fixture, "x", PLAN_ANY);
    fixture_make(&fixture, fields);
    assert_int_equal(fixture.fault, FAULT_NONE);
    const int64_t began_ns = monotonic_now_ns();
    assert_int_equal(plan_run(fixture.plan, bytes, &fixture.reason), fault);
    assert_true(monotonic_now_ns() - began_ns < 1000000);
    if (strcmp(fixture.reason.text, what) != 0)
        fail_msg("%s, not %s", fixture.reason.text, what);
    fixture_close(&fixture);
}

#define X "{'name':'x','type':'long'}"
static void test_bombs(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    wire_write_long(&bytes, INT64_C(1) << 61);
    assert_bomb("{'name':'l','type':{'type':'array','items':'null'}}," X, buffer_span(&bytes),
                FAULT_LIMIT_EXCEEDED, "l: more items than bytes");
    buffer_clear(&bytes);
    wire_write_long(&bytes, INT64_MIN);
    assert_bomb("{'name':'l','type':{'type':'map','values':'null'}}," X, buffer_span(&bytes),
                FAULT_RECORD_MALFORMED, "l: the bytes end, or no count of items");
    buffer_clear(&bytes);
    wire_write_long(&bytes, INT64_C(2) << 30); /* a text of 2 GB */
    assert_bomb("{'name':'x','type':'string'}", buffer_span(&bytes), FAULT_RECORD_MALFORMED,
                "x: longer than the bytes left");
    assert_bomb("{'name':'s','type':'string'}," X, buffer_span(&bytes), FAULT_RECORD_MALFORMED,
                "s: longer than the bytes left");
    buffer_clear(&bytes);
    for (int i = 0; i < 10000; i++)
        wire_write_long(&bytes, 1);
    assert_bomb("{'name':'n','type':['null',{'type':'record','name':'N','fields':["
                "{'name':'next','type':['null','N']}]}]}," X,
                buffer_span(&bytes), FAULT_LIMIT_EXCEEDED, "n: nested deeper than 100");
    assert_bomb("{'name':'n','type':{'type':'record','name':'N','fields':["
                "{'name':'next','type':{'type':'array','items':'N'}}]}}," X,
                buffer_span(&bytes), FAULT_LIMIT_EXCEEDED, "n: nested deeper than 100");
    assert_bomb("{'name':'n','type':{'type':'record','name':'N','fields':["
                "{'name':'a','type':'N'},{'name':'b','type':'N'}]}}," X,
                buffer_span(&bytes), FAULT_LIMIT_EXCEEDED, "n: nested deeper than 100");
    buffer_fini(&bytes);
}

/* Items without bytes: at most as many as there are bytes in all. */
static void test_items_of_no_size(void **state)
{
    (void)state;
    struct buffer fields = {0};
    struct fixture fixture = {.want_count = 0};
    fixture_want(&fixture, "l.5.a", PLAN_ANY);
    fixture_make(&fixture, "{'name':'l','type':{'type':'array','items':{'type':'record','name':'E',"
                           "'fields':[{'name':'a','type':'null'},{'name':'b','type':'null'}]}}}");
    wire_write_long(&fixture.bytes, 4000);
    wire_write_long(&fixture.bytes, 0);
    assert_int_equal(fixture_run(&fixture), FAULT_LIMIT_EXCEEDED);
    buffer_clear(&fixture.bytes);
    wire_write_long(&fixture.bytes, 2);
    wire_write_long(&fixture.bytes, 0);
    assert_int_equal(fixture_run(&fixture), FAULT_NONE);
    buffer_fini(&fields);
    fixture_close(&fixture);
}

/* Types that double at each level: R39 has 2^39 values, of no byte or of one byte each. */
static void assert_multiplies(const char *leaf, enum fault fault)
{
    struct buffer fields = {0};
    buffer_format(&fields,
                  "{'name':'f0','type':{'type':'record','name':'R0','fields':["
                  "{'name':'x','type':'%s'}]}}",
                  leaf);
    for (int i = 1; i < 40; i++)
        buffer_format(&fields,
                      ",{'name':'f%d','type':{'type':'record','name':'R%d','fields':["
                      "{'name':'a','type':'R%d'},{'name':'b','type':'R%d'}]}}",
                      i, i, i - 1, i - 1);
    buffer_append_byte(&fields, 0);
    struct fixture fixture = {.want_count = 0};
    fixture_want(&fixture, "f1.a.x", PLAN_ANY);
    fixture_make(&fixture, (const char *)fields.bytes);
    assert_int_equal(fixture.fault, FAULT_NONE);
    for (int i = 0; i < 1000; i++)
        buffer_append_byte(&fixture.bytes, 0);
    if (fault == FAULT_NONE)
        buffer_clear(&fixture.bytes);
    const int64_t began_ns = monotonic_now_ns();
    assert_int_equal(fixture_run(&fixture), fault);
    assert_true(monotonic_now_ns() - began_ns < 1000000);
    buffer_fini(&fields);
    fixture_close(&fixture);
}

static void test_schemas_that_multiply(void **state)
{
    (void)state;
    assert_multiplies("null", FAULT_NONE);
    assert_multiplies("boolean", FAULT_RECORD_MALFORMED);
}

/* Each type has a union of all before it: a way of six fields has a million branches. */
static void test_too_many_steps(void **state)
{
    (void)state;
    struct buffer fields = {0};
    for (int i = 0; i < 64; i++) {
        buffer_format(&fields,
                      "%s{'name':'f%d','type':{'type':'record','name':'R%d','fields':["
                      "{'name':'u','type':['null'",
                      i == 0 ? "" : ",", i, i);
        for (int k = 0; k < i; k++)
            buffer_format(&fields, ",'R%d'", k);
        buffer_format(&fields, "]}]}}");
    }
    buffer_append_byte(&fields, 0);
    struct fixture fixture = {.want_count = 0};
    fixture_want(&fixture, "f63.u.u.u.u.u", PLAN_ANY);
    fixture_make(&fixture, (const char *)fields.bytes);
    assert_int_equal(fixture.fault, FAULT_LIMIT_EXCEEDED);
    assert_string_equal(fixture.reason.text, "the schema takes more than 100000 steps to read");
    buffer_fini(&fields);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_other_names_and_fallbacks),
        cmocka_unit_test(test_values_do_not_stay),
        cmocka_unit_test(test_items_of_arrays),
        cmocka_unit_test(test_a_key_that_comes_again),
        cmocka_unit_test(test_refused_schemas),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_decimals),
        cmocka_unit_test(test_uuid_and_date),
        cmocka_unit_test(test_long_varints),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_items_of_no_size),
        cmocka_unit_test(test_schemas_that_multiply),
        cmocka_unit_test(test_too_many_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
