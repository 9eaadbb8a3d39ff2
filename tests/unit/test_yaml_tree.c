/* Goal: a YAML text becomes the tree it says, with places, and what we do not allow is refused with
 * its place. Method: small documents written here; every fault once, by its text. */
#include "config/yaml_tree.h"
#include "memory/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct yaml_node *parsed(const char *text)
{
    struct yaml_node *root = NULL;
    struct reason reason = {{0}};
    if (yaml_tree_parse("f", span_text(text), &root, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    return root;
}

static void assert_refused_span(struct span text, const char *expected)
{
    struct yaml_node *root = NULL;
    struct reason reason = {{0}};
    assert_int_equal(yaml_tree_parse("f", text, &root, &reason), FAULT_FILE_MALFORMED);
    assert_null(root);
    assert_string_equal(reason.text, expected);
}

static void assert_refused(const char *text, const char *expected)
{
    assert_refused_span(span_text(text), expected);
}

static void test_tree(void **state)
{
    (void)state;
    struct yaml_node *root = parsed("model: fraud   # a comment\n"
                                    "columns:\n"
                                    "  amount: {type: number, range: [0, 1e4]}\n"
                                    "  NO: \"yes\"\n"
                                    "empty:\n"
                                    "list:\n"
                                    "  - 'a: b'\n"
                                    "  - |\n"
                                    "    two\n"
                                    "    lines\n");
    assert_int_equal(root->kind, YAML_MAP);
    assert_int_equal(root->count, 4);
    assert_string_equal(root->keys[0]->text, "model");
    assert_string_equal(root->keys[3]->text, "list");
    const struct yaml_node *model = yaml_tree_get(root, "model");
    assert_non_null(model);
    assert_string_equal(model->text, "fraud");
    assert_true(model->plain);
    assert_int_equal(model->line, 1);
    assert_int_equal(model->column, 8);
    assert_null(yaml_tree_get(root, "mode"));
    const struct yaml_node *columns = yaml_tree_get(root, "columns");
    const struct yaml_node *amount = yaml_tree_get(columns, "amount");
    const struct yaml_node *range = yaml_tree_get(amount, "range");
    assert_int_equal(range->kind, YAML_LIST);
    assert_int_equal(range->count, 2);
    assert_string_equal(range->items[1]->text, "1e4");
    assert_int_equal(range->items[1]->line, 3);
    assert_int_equal(range->items[1]->column, 37);
    const struct yaml_node *quoted = yaml_tree_get(columns, "NO");
    assert_string_equal(quoted->text, "yes");
    assert_false(quoted->plain);
    assert_string_equal(yaml_tree_get(root, "empty")->text, "");
    const struct yaml_node *list = yaml_tree_get(root, "list");
    assert_string_equal(list->items[0]->text, "a: b");
    assert_string_equal(list->items[1]->text, "two\nlines\n");
    yaml_tree_destroy(root);
    yaml_tree_destroy(NULL);
}

static void test_other_roots(void **state)
{
    (void)state;
    struct yaml_node *root = parsed("--- \n- 1\n- 2\n...\n");
    assert_int_equal(root->kind, YAML_LIST);
    assert_int_equal(root->count, 2);
    yaml_tree_destroy(root);
    root = parsed("word");
    assert_int_equal(root->kind, YAML_TEXT);
    assert_string_equal(root->text, "word");
    yaml_tree_destroy(root);
    root = parsed("{}");
    assert_int_equal(root->kind, YAML_MAP);
    assert_int_equal(root->count, 0);
    assert_null(yaml_tree_get(root, "x"));
    yaml_tree_destroy(root);
}

static void test_many_entries(void **state)
{
    (void)state;
    struct buffer text = {0};
    for (unsigned i = 0; i < 1000; i++)
        buffer_format(&text, "key%u: [%u, %u]\n", i, i, i + 1);
    struct yaml_node *root = NULL;
    assert_int_equal(yaml_tree_parse("f", buffer_span(&text), &root, NULL), FAULT_NONE);
    assert_int_equal(root->count, 1000);
    assert_string_equal(yaml_tree_get(root, "key999")->items[1]->text, "1000");
    assert_int_equal(yaml_tree_get(root, "key999")->line, 1000);
    yaml_tree_destroy(root);
    buffer_fini(&text);
}

static void test_refused(void **state)
{
    (void)state;
    assert_refused("", "f:1:1: the document is empty");
    assert_refused("# only a comment\n", "f:1:1: the document is empty");
    assert_refused("a: 1\nb: 2\na: 3\n", "f:3:1: key 'a' again, first in line 1");
    assert_refused("a: &x 1\n", "f:1:4: anchors (&name) are not allowed");
    assert_refused("a: &x [1]\n", "f:1:4: anchors (&name) are not allowed");
    assert_refused("a: &x {b: 1}\n", "f:1:4: anchors (&name) are not allowed");
    assert_refused("a: *x\n", "f:1:4: aliases (*name) are not allowed");
    assert_refused("a: !!int 1\n", "f:1:4: tags (!name) are not allowed");
    assert_refused("a: !x [1]\n", "f:1:4: tags (!name) are not allowed");
    assert_refused("a: !x {b: 1}\n", "f:1:4: tags (!name) are not allowed");
    assert_refused("a: 1\n---\nb: 2\n", "f:2:1: a second document begins here: one file holds one");
    assert_refused("a: \"x\\0y\"\n", "f:1:4: a zero byte in a text");
    assert_refused("? [a]\n: 1\n", "f:1:3: a key must be a text");
    assert_refused("a: [1, 2\nb: 3\n", "f:2:2: did not find expected ',' or ']'");
    assert_refused("a: {b: 1]\n", "f:1:9: did not find expected ',' or '}'");
    assert_refused("a: 'x\n", "f:2:1: found unexpected end of stream");
    assert_refused("a:\n\tb: 1\n", "f:2:1: found character that cannot start any token");
    assert_refused("a: 1\nb: \xff\n", "f:2:4: invalid leading UTF-8 octet");
}

static void test_limits(void **state)
{
    (void)state;
    char nested[80];
    memset(nested, '[', 33);
    memset(nested + 33, ']', 33);
    nested[66] = 0;
    assert_refused(nested, "f:1:33: nested deeper than 32 levels");
    struct yaml_node *root = NULL;
    assert_int_equal(yaml_tree_parse("f", span_of(nested + 1, 64), &root, NULL), FAULT_NONE);
    yaml_tree_destroy(root);

    struct buffer long_text = {0};
    for (size_t i = 0; i <= 1024 * 1024; i++)
        buffer_append_byte(&long_text, 'a');
    assert_refused_span(buffer_span(&long_text), "f:1:1: longer than 1 MiB");
    struct buffer deep = {0};
    for (size_t i = 0; i < 512 * 1024; i++)
        buffer_append_byte(&deep, '[');
    assert_refused_span(buffer_span(&deep), "f:1:33: nested deeper than 32 levels");
    buffer_fini(&deep);
    buffer_fini(&long_text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),         cmocka_unit_test(test_other_roots),
        cmocka_unit_test(test_many_entries), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
