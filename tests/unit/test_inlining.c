/* Goal: a schema and what it refers to become one text that parses alone and means the same: each
 * type once, where it is first named, in its own namespace.
 * Method: texts in, schema_parse's canonical form out. */
#include "avro/schema.h"
#include "memory/buffer.h"
#include "memory/heap.h"
#include "registry/inlining.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char *form_of(const char *text)
{
    struct reason reason = {""};
    struct schema *schema;
    if (schema_parse(span_text(text), &schema, &reason) != FAULT_NONE)
        return heap_text(reason.text);
    char *form = heap_text(schema_canonical(schema));
    schema_destroy(schema);
    return form;
}

static char *canonical(const char *root, const char *const *references)
{
    struct span spans[8];
    size_t count = 0;
    for (; references[count] != NULL; count++)
        spans[count] = span_text(references[count]);
    struct reason reason = {""};
    char *text = inlining_text(span_text(root), spans, count, &reason);
    char *form = text == NULL ? heap_text(reason.text) : form_of(text);
    heap_release(text);
    return form;
}

#define REFERENCES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void assert_means(const char *root, const char *const *references, const char *same)
{
    char *form = canonical(root, references);
    char *wanted = form_of(same); /* by no way of ours but the parser's */
    assert_string_equal(form, wanted);
    heap_release(form);
    heap_release(wanted);
}

#define FIELD(name, type)     "{\"name\":\"" name "\",\"type\":" type "}"
#define RECORD(title, fields) "{\"type\":\"record\",\"name\":\"" title "\",\"fields\":[" fields "]}"

static void test_first_use_is_written_out(void **state)
{
    (void)state;
    const char *money = RECORD("shop.Money", FIELD("n", "\"long\""));
    assert_means(
        RECORD("shop.Order", FIELD("a", "\"Money\"") "," FIELD("b", "[\"null\",\"shop.Money\"]")),
        REFERENCES(money),
        RECORD("shop.Order", FIELD("a", RECORD("shop.Money", FIELD("n", "\"long\""))) "," FIELD(
                                 "b", "[\"null\",\"shop.Money\"]")));
    assert_means(
        RECORD("x.R", FIELD("a", "{\"type\":\"array\",\"items\":\"shop.Money\"}") "," FIELD(
                          "b", "{\"type\":\"map\",\"values\":\"shop.Money\"}")),
        REFERENCES(money),
        RECORD("x.R",
               FIELD("a", "{\"type\":\"array\",\"items\":" RECORD(
                              "shop.Money",
                              FIELD("n", "\"long\"")) "}") "," FIELD("b",
                                                                     "{\"type\":\"map\",\"values\":"
                                                                     "\"shop.Money\"}")));
    assert_means("\"shop.Money\"", REFERENCES(money), money);
    assert_means(RECORD("x.R", FIELD("a", "{\"type\":\"shop.Money\"}")), REFERENCES(money),
                 RECORD("x.R", FIELD("a", RECORD("shop.Money", FIELD("n", "\"long\"")))));
}

/* A type without a namespace stays without one inside a record that has one; a name means the
 * nearer namespace first. */
static void test_namespaces(void **state)
{
    (void)state;
    const char *bare = RECORD("Bare", FIELD("n", "\"int\""));
    const char *near = RECORD("shop.Bare", FIELD("n", "\"long\""));
    assert_means(RECORD("shop.R", FIELD("a", "\"Bare\"")), REFERENCES(bare),
                 RECORD("shop.R", FIELD("a", "{\"type\":\"record\",\"name\":\"Bare\",\"namespace\":"
                                             "\"\",\"fields\":[" FIELD("n", "\"int\"") "]}")));
    assert_means(RECORD("shop.R", FIELD("a", "\"Bare\"")), REFERENCES(bare, near),
                 RECORD("shop.R", FIELD("a", RECORD("shop.Bare", FIELD("n", "\"long\"")))));
}

/* References of references, in any order, some named by two of them, some recursive. */
static void test_references_of_references(void **state)
{
    (void)state;
    const char *a = RECORD("n.A", FIELD("b", "\"B\"") "," FIELD("self", "[\"null\",\"A\"]"));
    const char *b =
        RECORD("n.B", FIELD("c", "{\"type\":\"enum\",\"name\":\"C\",\"symbols\":[\"X\"]}"));
    const char *whole = RECORD(
        "n.R", FIELD("c", "{\"type\":\"enum\",\"name\":\"C\",\"symbols\":[\"X\"]}") "," FIELD(
                   "a", RECORD("A", FIELD("b", RECORD("B", FIELD("c", "\"C\""))) "," FIELD(
                                        "self", "[\"null\",\"A\"]"))));
    const char *root = RECORD("n.R", FIELD("c", "\"n.C\"") "," FIELD("a", "\"n.A\""));
    assert_means(root, REFERENCES(a, b), whole);
    assert_means(root, REFERENCES(b, a), whole);
}

static void test_what_is_wrong_is_said(void **state)
{
    (void)state;
    char *text = canonical(RECORD("x.R", FIELD("a", "\"y.Nowhere\"")), REFERENCES("\"int\""));
    assert_non_null(strstr(text, "y.Nowhere"));
    heap_release(text);
    text = canonical("{", REFERENCES("\"int\""));
    assert_non_null(strstr(text, "the schema is not JSON"));
    heap_release(text);
    text = canonical("\"x.A\"", REFERENCES("nonsense"));
    assert_non_null(strstr(text, "refers to is not JSON"));
    heap_release(text);
    /* Nested deeper than any schema may be: refused by the parser, not by the stack. */
    struct buffer deep = {0};
    for (int i = 0; i < 1000; i++)
        buffer_format(&deep, "{\"type\":\"array\",\"items\":");
    buffer_format(&deep, "\"x.A\"");
    for (int i = 0; i < 1000; i++)
        buffer_append_byte(&deep, '}');
    buffer_append_byte(&deep, 0);
    text = canonical((const char *)deep.bytes, REFERENCES((const char *)deep.bytes));
    assert_non_null(strstr(text, "nested deeper"));
    heap_release(text);
    buffer_fini(&deep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_use_is_written_out),
        cmocka_unit_test(test_namespaces),
        cmocka_unit_test(test_references_of_references),
        cmocka_unit_test(test_what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
