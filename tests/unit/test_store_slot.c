/* Goal: keys go to the slots where Redis Cluster has them, and its redirections are understood.
 * Method: the specification's CRC16 check value and slots as CLUSTER KEYSLOT gives them; answers
 * with IPv4, IPv6, no host, and what is no redirection. */
#include "redis/store_slot.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_slots(void **context)
{
    (void)context;
    static const struct {
        const char *key;
        uint16_t slot;
    } known[] = {
        {"123456789", 0x31c3}, /* CRC16/XMODEM's check value, below 16384 */
        {"", 0},
        {"foo", 12182},
        {"bar", 5061},
        {"{foo}.bar", 12182},
        {"x{foo}y{bar}", 12182},
        {"{foo", 13308},
    };
    for (size_t i = 0; i < COUNT_OF(known); i++)
        assert_int_equal(store_slot(span_text(known[i].key)), known[i].slot);
    assert_int_not_equal(store_slot(span_text("{}foo")), store_slot(span_text("{}bar")));
    assert_int_equal(store_slot(span_text("{plumb:windower:inference.validated:3}:state")),
                     store_slot(span_text("plumb:windower:inference.validated:3")));
}

static void test_redirections(void **context)
{
    (void)context;
    struct store_redirect redirect;
    assert_true(store_redirect_read(span_text("MOVED 3999 127.0.0.1:6381"), &redirect));
    assert_false(redirect.ask);
    assert_int_equal(redirect.slot, 3999);
    assert_string_equal(redirect.host, "127.0.0.1");
    assert_int_equal(redirect.port, 6381);
    assert_true(store_redirect_read(span_text("ASK 16383 2001:db8::1:7000"), &redirect));
    assert_true(redirect.ask);
    assert_string_equal(redirect.host, "2001:db8::1");
    assert_int_equal(redirect.port, 7000);
    assert_true(store_redirect_read(span_text("MOVED 1 :7000"), &redirect));
    assert_string_equal(redirect.host, "");
    assert_true(store_redirect_read(span_text("MOVED 1 ?:7000"), &redirect));
    assert_string_equal(redirect.host, "");
}

static void test_no_redirections(void **context)
{
    (void)context;
    static const char *const texts[] = {
        "",           "MOVED",           "MOVED 16384 a:1", "MOVED x a:1",    "MOVED 1 a",
        "MOVED 1 a:", "MOVED 1 a:65536", "MOVED 1 a:0",     "TRYAGAIN 1 a:1", "ERR no",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct store_redirect redirect = {.port = 7};
        assert_false(store_redirect_read(span_text(texts[i]), &redirect));
        assert_int_equal(redirect.port, 7);
    }
    char longer[512];
    memset(longer, 'a', sizeof longer);
    memcpy(longer, "MOVED 1 ", 8);
    struct store_redirect redirect;
    assert_false(store_redirect_read(span_of(longer, sizeof longer), &redirect));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_redirections),
        cmocka_unit_test(test_no_redirections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
