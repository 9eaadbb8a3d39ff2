/* Goal: the digest knows a set of entries whatever their order, and misses none: one less, one
 * more, an older one. Method: the same set made in two ways; then each kind of difference. */
#include "service/digest.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static bool agrees(const struct digest *digest, const struct buffer *stored)
{
    struct span positions;
    return digest_read(digest, buffer_span(stored), &positions) && span_is(positions, "t:0=5");
}

static void test_digest(void **context)
{
    (void)context;
    struct digest *one = digest_create(), *other = digest_create();
    struct buffer stored = {0};
    digest_put(one, span_text("a"), span_text("1"));
    digest_put(one, span_text("b"), span_text("2"));
    digest_write(one, span_text("t:0=5"), &stored);
    assert_false(agrees(other, &stored));
    digest_put(other, span_text("b"), span_text("1"));
    digest_put(other, span_text("c"), span_text("3"));
    digest_put(other, span_text("a"), span_text("1"));
    assert_false(agrees(other, &stored)); /* one more, and an older one */
    digest_remove(other, span_text("c"));
    assert_false(agrees(other, &stored));
    digest_put(other, span_text("b"), span_text("2"));
    assert_true(agrees(other, &stored));
    digest_remove(other, span_text("never there"));
    assert_true(agrees(other, &stored));
    digest_remove(other, span_text("a"));
    assert_false(agrees(other, &stored)); /* one less */
    assert_int_equal(digest_count(other), 1);
    buffer_fini(&stored);
    digest_destroy(one);
    digest_destroy(other);
}

/* Entries are put and removed as a shard saves them. */
static void test_changes(void **context)
{
    (void)context;
    struct digest *one = digest_create(), *other = digest_create();
    struct changes *changes = changes_create();
    struct buffer stored = {0};
    digest_put(other, span_text("b"), span_text("2"));
    digest_write(other, span_text("t:0=5"), &stored);
    digest_put(one, span_text("a"), span_text("1"));
    changes_put(changes, span_text("b"), span_text("1"));
    changes_remove(changes, span_text("a"));
    changes_put(changes, span_text("b"), span_text("2")); /* the last word counts */
    digest_add(one, changes);
    assert_true(agrees(one, &stored));
    changes_destroy(changes);
    buffer_fini(&stored);
    digest_destroy(one);
    digest_destroy(other);
}

static void test_texts_of_others(void **context)
{
    (void)context;
    struct digest *empty = digest_create();
    struct span positions;
    assert_false(digest_read(empty, span_text(""), &positions));
    assert_false(digest_read(empty, span_text("t:0=5"), &positions));
    assert_false(digest_read(empty, span_text("t:0=5 1"), &positions));
    assert_true(digest_read(empty, span_text("t:0=5 0000000000000000"), &positions));
    digest_destroy(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_digest),
                                       cmocka_unit_test(test_changes),
                                       cmocka_unit_test(test_texts_of_others)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
