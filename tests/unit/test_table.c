/* Goal: a table holds what was put, through growth and removal. Method: against a plain array of
 * keys, with removals in between, so that probe sequences are cut and closed again. */
#include "container/table.h"
#include "memory/heap.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct span key_of(int i, char text[16])
{
    (void)snprintf(text, 16, "key-%d", i);
    return span_text(text);
}

static void test_put_find_remove(void **context)
{
    (void)context;
    enum { COUNT = 5000 };
    struct table *table = table_create();
    int *values = heap_zeroed(COUNT, sizeof *values);
    char text[16];
    for (int i = 0; i < COUNT; i++)
        assert_null(table_put(table, key_of(i, text), &values[i]));
    for (int i = 0; i < COUNT; i += 3)
        assert_ptr_equal(table_remove(table, key_of(i, text)), &values[i]);
    assert_null(table_remove(table, key_of(0, text)));
    for (int i = 0; i < COUNT; i++)
        assert_ptr_equal(table_find(table, key_of(i, text)), i % 3 == 0 ? NULL : &values[i]);
    assert_int_equal(table_count(table), COUNT - (COUNT + 2) / 3);
    assert_ptr_equal(table_put(table, key_of(1, text), &values[0]), &values[1]);
    table_destroy(table);
    heap_release(values);
}

static void test_sorted(void **context)
{
    (void)context;
    struct table *table = table_create();
    static int values[3];
    (void)table_put(table, span_text("b"), &values[1]);
    (void)table_put(table, span_text("ab"), &values[0]);
    (void)table_put(table, span_text("b\x01"), &values[2]);
    struct table_entry *entries = table_sorted(table);
    for (size_t i = 0; i < 3; i++)
        assert_ptr_equal(entries[i].value, &values[i]);
    heap_release(entries);
    table_destroy(table);
    table_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_find_remove),
        cmocka_unit_test(test_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
