/* Goal: schemas mean what the Avro specification says, have its canonical form and fingerprint, and
 * what is no schema is refused with the path of the error. Method: the specification's vectors;
 * canonical forms and fingerprints made with fastavro 1.13.1; one refusal for each rule; the
 * limits.
 */
#include "avro/schema.h"
#include "memory/buffer.h"
#include "memory/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct schema *parsed(const char *text)
{
    struct schema *schema = NULL;
    struct reason reason = {""};
    if (schema_parse(span_text(text), &schema, &reason) != FAULT_NONE)
        fail_msg("%s: %s", text, reason.text);
    return schema;
}

static const struct {
    const char *text, *canonical;
    uint64_t fingerprint;
} forms[] = {
    /* The specification's own two, then fastavro's. */
    {"\"int\"", "\"int\"", UINT64_C(0x7275d51a3f395c8f)},
    {"\"null\"", "\"null\"", UINT64_C(0x63dd24e7cc258f8a)},
    {"{\"type\": \"int\"}", "\"int\"", UINT64_C(0x7275d51a3f395c8f)},
    {"\"boolean\"", "\"boolean\"", UINT64_C(0x9f42fc78a4d4f764)},
    {"\"long\"", "\"long\"", UINT64_C(0xd054e14493f41db7)},
    {"\"float\"", "\"float\"", UINT64_C(0x4d7c02cb3ea8d790)},
    {"\"double\"", "\"double\"", UINT64_C(0x8e7535c032ab957e)},
    {"\"bytes\"", "\"bytes\"", UINT64_C(0x4fc016dac3201965)},
    {"\"string\"", "\"string\"", UINT64_C(0x8f014872634503c7)},
    {"{\"type\":\"fixed\", \"name\":\"foo\", \"namespace\":\"x.y\", \"size\":15}",
     "{\"name\":\"x.y.foo\",\"type\":\"fixed\",\"size\":15}", UINT64_C(0x7c880d2890fb8ef1)},
    {"{\"type\":\"enum\",\"name\":\"PigValue\",\"namespace\":\"x\",\"aliases\":[\"q\"],"
     "\"symbols\":[\"A\"],\"default\":\"A\"}",
     "{\"name\":\"x.PigValue\",\"type\":\"enum\",\"symbols\":[\"A\"]}",
     UINT64_C(0xfde8268dc24001a4)},
    {"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"d\",\"type\":{\"type\":\"long\","
     "\"logicalType\":\"timestamp-micros\"}},{\"name\":\"x\",\"type\":[\"int\",{\"type\":"
     "\"string\",\"avro.java.string\":\"String\"}]}]}",
     "{\"name\":\"R\",\"type\":\"record\",\"fields\":[{\"name\":\"d\",\"type\":\"long\"},"
     "{\"name\":\"x\",\"type\":[\"int\",\"string\"]}]}",
     UINT64_C(0x28d4062a7c9d29f5)},
    /* References: recursive, by simple name, by full name out of another namespace. */
    {"{\"type\":\"record\",\"name\":\"a.b.C\",\"fields\":[{\"name\":\"n\",\"type\":[\"null\","
     "\"C\"],\"default\":null},{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\","
     "\"symbols\":[\"A\",\"B\"],\"doc\":\"x\"}},{\"name\":\"m\",\"type\":{\"type\":\"map\","
     "\"values\":\"E\"}},{\"name\":\"z\",\"type\":{\"type\":\"record\",\"name\":\"D\","
     "\"namespace\":\"\",\"fields\":[{\"name\":\"q\",\"type\":{\"type\":\"array\",\"items\":"
     "\"a.b.C\"}}]}}]}",
     "{\"name\":\"a.b.C\",\"type\":\"record\",\"fields\":[{\"name\":\"n\",\"type\":[\"null\","
     "\"a.b.C\"]},{\"name\":\"e\",\"type\":{\"name\":\"a.b.E\",\"type\":\"enum\",\"symbols\":["
     "\"A\",\"B\"]}},{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"a.b.E\"}},{\"name\":"
     "\"z\",\"type\":{\"name\":\"D\",\"type\":\"record\",\"fields\":[{\"name\":\"q\",\"type\":{"
     "\"type\":\"array\",\"items\":\"a.b.C\"}}]}}]}",
     UINT64_C(0x13e466a1b0f06929)},
};

static void test_canonical(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        struct schema *schema = parsed(forms[i].text);
        assert_string_equal(schema_canonical(schema), forms[i].canonical);
        assert_true(schema_fingerprint(schema) == forms[i].fingerprint);
        assert_true(span_is(schema_text(schema), forms[i].text));
        /* The form is a schema with itself as canonical form; but the last has a type of no
         * namespace inside one, and the form does not say so. */
        struct schema *again = parsed(schema_canonical(schema));
        if (i + 1 < COUNT_OF(forms))
            assert_string_equal(schema_canonical(again), forms[i].canonical);
        schema_destroy(again);
        schema_destroy(schema);
    }
}

static void test_nodes(void **state)
{
    (void)state;
    struct schema *schema = parsed(
        "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"n\",\"fields\":["
        "{\"name\":\"t\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"},"
        "\"doc\":\"When.\"},"
        "{\"name\":\"u\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}},"
        "{\"name\":\"v\",\"type\":{\"type\":\"long\",\"logicalType\":\"time-micros\"}},"
        "{\"name\":\"w\",\"type\":{\"type\":\"string\",\"logicalType\":\"timestamp-millis\"}},"
        "{\"name\":\"o\",\"type\":[\"null\",\"double\"],\"default\":null},"
        "{\"name\":\"f\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":16}},"
        "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}}]}");
    const struct schema_node *root = schema_root(schema);
    assert_int_equal(root->kind, SCHEMA_RECORD);
    assert_string_equal(root->full_name, "n.R");
    assert_int_equal(root->field_count, 7);
    assert_string_equal(schema_field(root, "t")->doc, "When.");
    assert_int_equal(schema_field(root, "t")->type->logical, LOGICAL_TIMESTAMP_MILLIS);
    assert_int_equal(schema_field(root, "u")->type->logical, LOGICAL_TIMESTAMP_MICROS);
    assert_int_equal(schema_field(root, "v")->type->logical, LOGICAL_OTHER);
    assert_int_equal(schema_field(root, "w")->type->logical, LOGICAL_NONE);
    const struct schema_field *option = schema_field(root, "o");
    assert_int_equal(option->type->kind, SCHEMA_UNION);
    assert_int_equal(option->type->field_count, 2);
    assert_int_equal(option->type->fields[1].type->kind, SCHEMA_DOUBLE);
    assert_true(json_is_null(option->fallback));
    assert_null(option->doc);
    assert_null(schema_field(root, "t")->fallback);
    assert_int_equal(schema_field(root, "f")->type->fixed_size, 16);
    assert_string_equal(schema_field(root, "f")->type->full_name, "n.F");
    assert_int_equal(schema_field(root, "e")->type->symbol_count, 2);
    assert_string_equal(schema_field(root, "e")->type->symbols[1], "B");
    assert_null(schema_field(root, "x"));
    assert_int_equal(schema_node_count(schema), 10);
    schema_destroy(schema);
}

static void test_recursive(void **state)
{
    (void)state;
    struct schema *schema = parsed("{\"type\":\"record\",\"name\":\"L\",\"fields\":[{\"name\":"
                                   "\"next\",\"type\":[\"null\",\"L\"]}]}");
    const struct schema_node *root = schema_root(schema);
    assert_ptr_equal(root->fields[0].type->fields[1].type, root);
    schema_destroy(schema);
}

#define FIELDS(fields) "{\"type\":\"record\",\"name\":\"n.R\",\"fields\":[" fields "]}"
static const struct {
    const char *text, *reason; /* the reason begins with this */
} refused[] = {
    {"", "1:0: "},
    {"{\"type\": \"record\"", "1:17: "},
    {"{\"type\":\"int\",\"type\":\"long\"}", "1:20: duplicate object key"},
    {"\"int\\u0000\"", "a type is a name"},
    {"7", "a type is a name, an object or an array"},
    {"\"integer\"", "unknown type integer"},
    {"{\"type\":\"list\"}", "unknown type list"},
    {"{\"items\":\"int\"}", "a type needs a type"},
    {"[]", "a union needs branches"},
    {"[\"int\",[\"null\"]]", "[1]: a union directly in a union"},
    {"[\"int\",\"long\",\"int\"]", "[2]: the union has this type already"},
    {"{\"type\":\"record\",\"fields\":[]}", "a named type needs a name"},
    {"{\"type\":\"record\",\"name\":\"1x\",\"fields\":[]}", "a named type needs a name, not 1x"},
    {"{\"type\":\"record\",\"name\":\"x..y\",\"fields\":[]}", "a named type needs a name, not x.."},
    {"{\"type\":\"record\",\"name\":\"x\",\"namespace\":\"a-b\",\"fields\":[]}",
     "not a namespace: a-b"},
    {"{\"type\":\"record\",\"name\":\"a.int\",\"fields\":[]}", "a named type cannot be called int"},
    {"{\"type\":\"record\",\"name\":\"x\"}", "x: a record needs fields"},
    {FIELDS("{\"type\":\"int\"}"), "n.R[0]: a field needs a name"},
    {FIELDS("{\"name\":\"a b\",\"type\":\"int\"}"), "n.R[0]: a field needs a name a b"},
    {FIELDS("{\"name\":\"a\"}"), "n.R.a: a field needs a type"},
    {FIELDS("{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"a\",\"type\":\"int\"}"),
     "n.R: named twice: a"},
    {FIELDS("{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":[\"null\",\"X\"]}}"),
     "n.R.a.items[1]: unknown type X"},
    {FIELDS("{\"name\":\"a\",\"type\":{\"type\":\"map\",\"items\":\"int\"}}"),
     "n.R.a: an array needs items, a map needs values"},
    {FIELDS("{\"name\":\"a\",\"type\":{\"type\":\"enum\",\"name\":\"R\",\"symbols\":[]}}"),
     "n.R.a: defined twice: n.R"},
    {FIELDS("{\"name\":\"a\",\"type\":{\"type\":\"enum\",\"name\":\"E\"}}"),
     "n.R.a: an enum needs symbols"},
    {FIELDS("{\"name\":\"a\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A-B\"]}}"),
     "n.R.a: not a symbol: A-B"},
    {FIELDS("{\"name\":\"a\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\","
            "\"A\"]}}"),
     "n.R.a: named twice: A"},
    {"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"],\"default\":\"B\"}",
     "the default is no symbol of E"},
    {"{\"type\":\"fixed\",\"name\":\"F\"}", "a fixed needs a size"},
    {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":-1}", "a fixed needs a size"},
    {FIELDS("{\"name\":\"a\",\"type\":\"int\",\"default\":\"1\"}"), "n.R.a: the default does not"},
    {FIELDS("{\"name\":\"a\",\"type\":\"int\",\"default\":4294967296}"),
     "n.R.a: the default does not"},
    {FIELDS("{\"name\":\"a\",\"type\":\"long\",\"default\":1.5}"), "n.R.a: the default does not"},
    {FIELDS("{\"name\":\"a\",\"type\":[\"null\",\"int\"],\"default\":\"x\"}"),
     "n.R.a: the default does not"},
    {FIELDS("{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":\"int\"},\"default\":[1,"
            "null]}"),
     "n.R.a: the default does not"},
    {FIELDS("{\"name\":\"a\",\"type\":{\"type\":\"map\",\"values\":\"int\"},\"default\":{\"k\":"
            "true}}"),
     "n.R.a: the default does not"},
    {FIELDS("{\"name\":\"a\",\"type\":{\"type\":\"record\",\"name\":\"S\",\"fields\":[{\"name\":"
            "\"b\",\"type\":\"int\"}]},\"default\":{}}"),
     "n.R.a: the default does not"},
    {FIELDS("{\"name\":\"a\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":2},\"default\":"
            "\"abc\"}"),
     "n.R.a: the default does not"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        struct schema *schema = NULL;
        struct reason reason = {""};
        assert_int_equal(schema_parse(span_text(refused[i].text), &schema, &reason),
                         FAULT_SCHEMA_INVALID);
        assert_null(schema);
        if (strncmp(reason.text, refused[i].reason, strlen(refused[i].reason)) != 0)
            fail_msg("%s: %s, not %s", refused[i].text, reason.text, refused[i].reason);
    }
}

static void test_defaults_accepted(void **state)
{
    (void)state;
    struct schema *schema = parsed(
        FIELDS("{\"name\":\"a\",\"type\":\"double\",\"default\":1},"
               "{\"name\":\"b\",\"type\":[\"null\",\"string\"],\"default\":\"second branch\"},"
               "{\"name\":\"c\",\"type\":\"bytes\",\"default\":\"\\u00ff\"},"
               "{\"name\":\"d\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":2},"
               "\"default\":\"\\u00ff\\u0000\"},"
               "{\"name\":\"e\",\"type\":{\"type\":\"array\",\"items\":\"n.R\"},\"default\":[]},"
               "{\"name\":\"f\",\"type\":{\"type\":\"record\",\"name\":\"S\",\"fields\":[{\"name\":"
               "\"b\",\"type\":\"int\",\"default\":3}]},\"default\":{}}"));
    schema_destroy(schema);
}

/* {"type":"array","items": … depth times … "int" */
static enum fault parse_nested(size_t depth)
{
    struct buffer text = {0};
    for (size_t i = 0; i < depth; i++)
        buffer_format(&text, "{\"type\":\"array\",\"items\":");
    buffer_format(&text, "\"int\"");
    for (size_t i = 0; i < depth; i++)
        buffer_append_byte(&text, '}');
    struct schema *schema = NULL;
    struct reason reason = {""};
    const enum fault fault = schema_parse(buffer_span(&text), &schema, &reason);
    schema_destroy(schema);
    buffer_fini(&text);
    return fault;
}

static enum fault parse_wide(size_t fields)
{
    struct buffer text = {0};
    buffer_format(&text, "{\"type\":\"record\",\"name\":\"W\",\"fields\":[");
    for (size_t i = 0; i < fields; i++)
        buffer_format(&text, "%s{\"name\":\"f%zu\",\"type\":\"int\"}", i == 0 ? "" : ",", i);
    buffer_format(&text, "]}");
    struct schema *schema = NULL;
    struct reason reason = {""};
    const enum fault fault = schema_parse(buffer_span(&text), &schema, &reason);
    schema_destroy(schema);
    buffer_fini(&text);
    return fault;
}

static void test_limits(void **state)
{
    (void)state;
    assert_int_equal(parse_nested(100), FAULT_NONE);
    assert_int_equal(parse_nested(101), FAULT_LIMIT_EXCEEDED);
    assert_int_equal(parse_nested(2000), FAULT_LIMIT_EXCEEDED);
    assert_int_equal(parse_nested(10000), FAULT_SCHEMA_INVALID); /* over jansson's own limit */
    assert_int_equal(parse_wide(9999), FAULT_NONE);
    assert_int_equal(parse_wide(10000), FAULT_LIMIT_EXCEEDED);
    const size_t size = 1024 * 1024 + 1;
    char *spaces = heap_zeroed(size, 1);
    memset(spaces, ' ', size);
    memcpy(spaces, "\"int\"", 5);
    struct schema *schema = NULL;
    struct reason reason = {""};
    assert_int_equal(schema_parse(span_of(spaces, size), &schema, &reason), FAULT_LIMIT_EXCEEDED);
    assert_int_equal(schema_parse(span_of(spaces, size - 1), &schema, &reason), FAULT_NONE);
    schema_destroy(schema);
    heap_release(spaces);
}

/* A default whose check would try every branch at every level: 2^90 ways, were branches tried. */
static void test_default_is_linear(void **state)
{
    (void)state;
    struct buffer text = {0};
    buffer_format(&text, "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"x\",\"type\":"
                         "[\"null\",{\"type\":\"record\",\"name\":\"S\",\"fields\":[{\"name\":"
                         "\"x\",\"type\":[\"null\",\"R\",\"S\"]}]},\"R\"],\"default\":");
    for (size_t i = 0; i < 90; i++)
        buffer_format(&text, "{\"x\":");
    buffer_append_byte(&text, '7');
    for (size_t i = 0; i < 90; i++)
        buffer_append_byte(&text, '}');
    buffer_format(&text, "}]}");
    struct schema *schema = NULL;
    struct reason reason = {""};
    assert_int_equal(schema_parse(buffer_span(&text), &schema, &reason), FAULT_SCHEMA_INVALID);
    buffer_fini(&text);
}

static void test_embedded(void **state)
{
    (void)state;
    static const char *const stems[] = {
#define TOPIC(symbol, name, key, schema, from, to, cleanup, clocks) schema,
#include "schemas/topics.def"
#undef TOPIC
        "inference.validated-label",
        "inference.validated-pair",
    };
    for (size_t i = 0; i < COUNT_OF(stems); i++) {
        if (stems[i][0] == '\0')
            continue;
        const struct schema *schema = schema_embedded(stems[i]);
        assert_ptr_equal(schema_embedded(stems[i]), schema);
        const struct schema_node *root = schema_root(schema);
        assert_int_equal(root->kind, SCHEMA_RECORD);
        assert_memory_equal(root->full_name, "plumbline.", 10);
        for (size_t k = 0; k < root->field_count; k++)
            assert_non_null(root->fields[k].doc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_recursive),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_defaults_accepted),
        cmocka_unit_test(test_default_is_linear),
        cmocka_unit_test(test_embedded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
