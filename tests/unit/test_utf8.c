/* Goal: what is UTF-8 is said to be, and nothing else. Method: all sequences of one and two bytes,
 * of three and four with the later bytes in and around what may follow, and ends behind each length
 * of ASCII that a step of eight bytes can begin with, against jansson's own check. */
#include "avro/utf8.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool jansson_takes(struct span text)
{
    json_t *value = json_stringn((const char *)text.bytes, text.size);
    json_decref(value);
    return value != NULL;
}

static void assert_agrees(const uint8_t *bytes, size_t size)
{
    const struct span text = span_of(bytes, size);
    if (utf8_is_valid(text) != jansson_takes(text))
        fail_msg("%02x %02x %02x %02x, of %zu", bytes[0], bytes[1], bytes[2], bytes[3], size);
}

static void test_short(void **state)
{
    (void)state;
    uint8_t bytes[4] = {0};
    for (unsigned first = 0; first < 256; first++) {
        bytes[0] = (uint8_t)first;
        assert_agrees(bytes, 1);
        for (unsigned second = 0; second < 256; second++) {
            bytes[1] = (uint8_t)second;
            assert_agrees(bytes, 2);
            for (unsigned third = 0x70; third < 0xD0; third++) { /* around what may follow */
                bytes[2] = (uint8_t)third;
                assert_agrees(bytes, 3);
            }
        }
    }
}

static void test_four(void **state)
{
    (void)state;
    static const uint8_t edges[] = {0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xFF};
    for (unsigned first = 0xE0; first < 256; first++)
        for (unsigned second = 0; second < 256; second++)
            for (size_t i = 0; i < COUNT_OF(edges) * COUNT_OF(edges); i++) {
                const uint8_t bytes[4] = {(uint8_t)first, (uint8_t)second,
                                          edges[i / COUNT_OF(edges)], edges[i % COUNT_OF(edges)]};
                assert_agrees(bytes, 4);
            }
}

static void test_behind_ascii(void **state)
{
    (void)state;
    static const char *const ends[] = {
        "", "\xC3\xBC", "\xC3", "\xF0\x9F\x98\x80", "\xED\xA0\x80", "\xFF"};
    for (size_t lead = 0; lead < 20; lead++) {
        for (size_t i = 0; i < COUNT_OF(ends); i++) {
            uint8_t bytes[48];
            memset(bytes, 'a', sizeof bytes);
            const size_t size = strlen(ends[i]);
            memcpy(bytes + lead, ends[i], size);
            assert_agrees(bytes, lead + size);
            assert_agrees(bytes, lead + size + 9);
        }
    }
    assert_true(utf8_is_valid(span_of(NULL, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short),
        cmocka_unit_test(test_four),
        cmocka_unit_test(test_behind_ascii),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
