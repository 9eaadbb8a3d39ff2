/* Goal: a pattern is found where JSON Schema finds it; whatever the pattern and the value, a search
 * ends soon and says when it was given up; what cannot be compiled is told with its offset. Method:
 * tables of patterns and values; patterns that take a backtracking search hours without a limit, by
 * the processor time they take here. */
#include "memory/heap.h"
#include "metric/process_usage.h"
#include "model/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct pattern *compiled(const char *text)
{
    struct pattern *pattern = NULL;
    struct reason reason = {""};
    if (pattern_compile(text, &pattern, &reason) != FAULT_NONE)
        fail_msg("%s: %s", text, reason.text);
    return pattern;
}

static enum pattern_answer search(const char *text, struct span value, struct pattern_room *room)
{
    struct pattern *pattern = compiled(text);
    const enum pattern_answer answer = pattern_search(pattern, value, room);
    pattern_destroy(pattern);
    return answer;
}

static void test_dialect(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *value;
        bool found;
    } cases[] = {
        {"b", "abc", true}, /* a search */
        {"^b", "abc", false},
        {"b$", "abc", false},
        {"c$", "abc", true},
        {"c$", "abc\n", false}, /* $ is the end, not before a line feed */
        {"^a.c$", "abc", true},
        {"^a.c$", "a\nc", false},
        {"^(?i)ABC$", "abc", true},
        {"x|c", "abc", true},
        {"^a|x", "bx", true}, /* not anchored, though it begins with ^ */
        {"(?m)^b", "a\nb", true},
        {"(a)(b)\\2\\1", "xxabba", true},
        {"^(?:(a)|b)*$", "ba", true},
        {"^\\u00e9$", "\xc3\xa9", true},
        {"^\\x{e9}$", "\xc3\xa9", false},           /* \x is followed by two digits, or is an x */
        {"^..$", "\xc3\xa9\xf0\x9f\x98\x80", true}, /* characters, not bytes */
        {"^\\w$", "\xc3\xa9", false},               /* ASCII */
        {"^\\pL$", "\xc3\xa9", true},
        {"^\\d$", "\xd9\xa3", false},
        {"[^]", "\n", true},
        {"[]", "]", false},
        {"^$", "", true},
        {"[(*]", "*", true}, /* no verb */
        {"\\(*x", "x", true},
        {"^\\Q(*\\E$", "(*", true},
        {"(?<=a)c", "ac", true},
    };
    struct pattern_room *room = pattern_room_create();
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (search(cases[i].pattern, span_text(cases[i].value), room) !=
            (cases[i].found ? PATTERN_FOUND : PATTERN_ABSENT))
            fail_msg("%s in %s", cases[i].pattern, cases[i].value);
    assert_int_equal(search("^$", span_of(NULL, 0), room), PATTERN_FOUND);
    assert_int_equal(search(".", span_of("\xff", 1), room), PATTERN_ABSENT); /* not UTF-8 */
    pattern_room_destroy(room);
    pattern_room_destroy(NULL);
    pattern_destroy(NULL);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *reason;
    } cases[] = {
        {"a(b", "pattern: missing closing parenthesis, offset 3"},
        {"[a", "pattern: missing terminating ] for character class, offset "},
        {"a)", "pattern: unmatched closing parenthesis, offset 1"},
        {"*", "pattern: quantifier does not follow a repeatable item, offset "},
        {"\\C", "pattern: using \\C is disabled by the application, offset "},
        {"(?<=a*)b", "pattern: l"},
        {"\xff", "pattern: UTF-8 error: illegal byte (0xfe or 0xff), offset 0"},
        {"(((a{1000}){1000}){1000})", "pattern: regular expression is too large, offset "},
        {"(*LIMIT_MATCH=9)a",
         "pattern: verbs and recursion into the whole are not supported, offset 0"},
        {"a(*COMMIT)b", "pattern: verbs and recursion into the whole are not supported, offset 1"},
        {"a(?R)?b", "pattern: verbs and recursion into the whole are not supported, offset 1"},
        {"a\\g<0>?b", "pattern: verbs and recursion into the whole are not supported, offset 1"},
        {"(?x)a # comment", "pattern: a comment or \\Q to its end is not supported"},
        {"\\Qabc", "pattern: a comment or \\Q to its end is not supported"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pattern *pattern = NULL;
        struct reason reason = {""};
        assert_int_equal(pattern_compile(cases[i].pattern, &pattern, &reason),
                         FAULT_CONTRACT_INVALID);
        assert_null(pattern);
        /* Beginnings: PCRE2's versions differ in some offsets, and what they say of lookbehinds. */
        if (strncmp(reason.text, cases[i].reason, strlen(cases[i].reason)) != 0)
            fail_msg("%s, not %s", reason.text, cases[i].reason);
        assert_int_equal(pattern_compile(cases[i].pattern, &pattern, NULL), FAULT_CONTRACT_INVALID);
    }
    char text[PATTERN_TEXT_MAX + 2];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = 0;
    struct pattern *pattern = NULL;
    struct reason reason = {""};
    assert_int_equal(pattern_compile(text, &pattern, &reason), FAULT_CONTRACT_INVALID);
    assert_string_equal(reason.text, "pattern is longer than 1024 bytes");
    text[PATTERN_TEXT_MAX] = 0;
    pattern_destroy(compiled(text));
}

/* The value is unit after unit, and the tail last; exactly as many bytes as are searched. */
static struct span repeated(char value[PATTERN_VALUE_MAX], const char *unit, const char *tail)
{
    const size_t tail_size = strlen(tail);
    for (size_t i = 0; i < PATTERN_VALUE_MAX - tail_size; i++)
        value[i] = unit[i % strlen(unit)];
    memcpy(value + PATTERN_VALUE_MAX - tail_size, tail, tail_size);
    return span_of(value, PATTERN_VALUE_MAX);
}

static void test_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *unit, *tail;
        enum pattern_answer answer;
    } cases[] = {
        /* Exponential in the length of a run of one letter. */
        {"^(a+)+$", "a", "!", PATTERN_TOO_COSTLY},
        {"^(([a-z])+.)+[A-Z]([a-z])+$", "a", "!", PATTERN_TOO_COSTLY},
        {"(x+x+)+y", "x", " y", PATTERN_TOO_COSTLY},
        {"^(a|aa)+$", "a", "!", PATTERN_TOO_COSTLY},
        {"(.*)(.*)(.*)(.*)(.*)x{9}", "a", "x", PATTERN_TOO_COSTLY},
        {"^(?:a?b?\\w{0,1}?)*$", "ab", "!", PATTERN_TOO_COSTLY},
        {"((a*)*)*b", "a", " b", PATTERN_TOO_COSTLY},
        /* Cheap at each of many places: PCRE2's own limit would begin anew at each. */
        {"(a+)+b", "aaaaaaaac", " b", PATTERN_TOO_COSTLY},
        /* A step that looks at the whole value. */
        {"\\w+\\s*\\w+@", "a", " @", PATTERN_TOO_COSTLY},
        {"\\w+@", "a", " @", PATTERN_ABSENT},
        /* Deep, for the limit of memory. */
        {"^(?:(.)(.)(.)(.)|b)*$", "a", "\n", PATTERN_TOO_COSTLY},
        {"^(a(?1)?b?)$", "a", "a", PATTERN_TOO_COSTLY},
        /* What contracts hold is within the limit on the longest value there is. */
        {"foo|bar|[0-9]{3}-[a-z]", "hello wo", "3-x", PATTERN_ABSENT},
        {"^[a-z ]+$", "hello wo", "", PATTERN_FOUND},
        {"x$", "hello wo", "x", PATTERN_FOUND},
    };
    struct pattern_room *room = pattern_room_create();
    char value[PATTERN_VALUE_MAX];
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct span subject = repeated(value, cases[i].unit, cases[i].tail);
        const double before = process_usage_cpu_seconds();
        if (search(cases[i].pattern, subject, room) != cases[i].answer)
            fail_msg("%s", cases[i].pattern);
        /* 50 ms at most where they were measured; sanitizers and a slow machine take more. */
        if (process_usage_cpu_seconds() - before > 2)
            fail_msg("%s took too long", cases[i].pattern);
    }
    char longer[PATTERN_VALUE_MAX + 1] = {0};
    assert_int_equal(search("^", span_of(longer, sizeof longer), room), PATTERN_TOO_LONG);
    assert_int_equal(search("^", span_of(longer, sizeof longer - 1), room), PATTERN_FOUND);
    pattern_room_destroy(room);
}

/* Each step may keep a frame as large as the pattern's groups ask for: steps alone bound no memory.
 * Without the groups the same search is within all limits. */
static void test_memory_is_bounded(void **state)
{
    (void)state;
    char text[PATTERN_TEXT_MAX + 1] = "^(?:a|b)*$|";
    char value[PATTERN_VALUE_MAX];
    const struct span subject = repeated(value, "ab", "");
    struct pattern_room *room = pattern_room_create();
    assert_int_equal(search("^(?:a|b)*$|^x", subject, room), PATTERN_FOUND);
    size_t size = strlen(text);
    for (; size + 3 < sizeof text; size += 2)
        memcpy(text + size, "()", 2);
    memcpy(text + size, "x", 2);
    assert_int_equal(search(text, subject, room), PATTERN_TOO_COSTLY);
    pattern_room_destroy(room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dialect),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
