#include "model/pattern.h"
#include "memory/heap.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct pattern {
    pcre2_code *code; /* owned */
};

struct pattern_room {
    pcre2_match_context *limits; /* owned */
    pcre2_match_data *match;     /* owned */
};

/* The answers of JSON Schema's own dialect (ECMA 262) where PCRE2 has both. */
static const uint32_t dialect = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY |
                                PCRE2_ALT_BSUX | PCRE2_MATCH_UNSET_BACKREF |
                                PCRE2_ALLOW_EMPTY_CLASS;

static bool text_check(const char *text, struct reason *reason);
static pcre2_code *compiled(const char *text, uint32_t options, struct reason *reason);
static pcre2_code *searching(const char *text, struct reason *reason);

static void *take(PCRE2_SIZE size, void *unused)
{
    (void)unused;
    return heap_zeroed(1, size);
}

static void give(void *memory, void *unused)
{
    (void)unused;
    heap_release(memory);
}

static pcre2_general_context *heap_context(void)
{
    pcre2_general_context *heap = pcre2_general_context_create(take, give, NULL);
    ENSURE(heap != NULL); /* heap_zeroed does not fail */
    return heap;
}

enum fault pattern_compile(const char *text, struct pattern **out_pattern,
                           struct reason *out_reason)
{
    REQUIRE(text != NULL);
    REQUIRE(out_pattern != NULL);
    if (!text_check(text, out_reason))
        return FAULT_CONTRACT_INVALID;
    pcre2_code *code = compiled(text, dialect, out_reason);
    if (code == NULL)
        return FAULT_CONTRACT_INVALID;
    uint32_t options = 0;
    ENSURE(pcre2_pattern_info(code, PCRE2_INFO_ALLOPTIONS, &options) == 0);
    if ((options & PCRE2_ANCHORED) == 0) {
        pcre2_code_free(code);
        code = searching(text, out_reason);
        if (code == NULL)
            return FAULT_CONTRACT_INVALID;
    }
    struct pattern *pattern = heap_zeroed(1, sizeof *pattern);
    pattern->code = code;
    *out_pattern = pattern;
    return FAULT_NONE;
}

struct pattern_room *pattern_room_create(void)
{
    pcre2_general_context *heap = heap_context();
    struct pattern_room *room = heap_zeroed(1, sizeof *room);
    room->limits = pcre2_match_context_create(heap);
    room->match = pcre2_match_data_create(1, heap);
    ENSURE(room->limits != NULL && room->match != NULL);
    (void)pcre2_set_match_limit(room->limits, PATTERN_STEPS_MAX);
    (void)pcre2_set_heap_limit(room->limits, PATTERN_ROOM_KIB);
    pcre2_general_context_free(heap); /* they hold copies of it */
    return room;
}

enum pattern_answer pattern_search(const struct pattern *pattern, struct span value,
                                   struct pattern_room *room)
{
    REQUIRE(pattern != NULL);
    REQUIRE(room != NULL);
    if (value.size > PATTERN_VALUE_MAX)
        return PATTERN_TOO_LONG;
    const PCRE2_SPTR subject = value.bytes == NULL ? (PCRE2_SPTR) "" : value.bytes;
    const int found =
        pcre2_match(pattern->code, subject, value.size, 0, 0, room->match, room->limits);
    if (found >= 0) /* 0: it has groups, for which the room has no place */
        return PATTERN_FOUND;
    const bool is_costly = found == PCRE2_ERROR_MATCHLIMIT || found == PCRE2_ERROR_DEPTHLIMIT ||
                           found == PCRE2_ERROR_HEAPLIMIT || found == PCRE2_ERROR_RECURSELOOP;
    return is_costly ? PATTERN_TOO_COSTLY : PATTERN_ABSENT; /* what is not UTF-8 has no match */
}

void pattern_room_destroy(struct pattern_room *room)
{
    if (room == NULL)
        return;
    pcre2_match_context_free(room->limits);
    pcre2_match_data_free(room->match);
    heap_release(room);
}

void pattern_destroy(struct pattern *pattern)
{
    if (pattern == NULL)
        return;
    pcre2_code_free(pattern->code);
    heap_release(pattern);
}

static bool starts_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* Behind the escape, or \Q…\E, that begins here. */
static const char *escape_end(const char *escape)
{
    if (escape[1] != 'Q')
        return escape + (escape[1] == 0 ? 1 : 2);
    const char *end = strstr(escape, "\\E");
    return end == NULL ? escape + strlen(escape) : end + 2;
}

/* Where a verb, or a recursion into the whole, begins; NULL: nowhere. A class within brackets is
 * passed over, if not always to its end ([[:alpha:](*] is refused): better refused than taken for
 * another pattern than it is. */
static const char *untaken(const char *text)
{
    static const char *const beginnings[] = {"(*", "(?R", "(?0", "\\g<0", "\\g'0", "\\g{0"};
    bool in_class = false;
    for (const char *next = text; *next != 0;) {
        for (size_t i = 0; !in_class && i < COUNT_OF(beginnings); i++)
            if (starts_with(next, beginnings[i]))
                return next;
        if (*next == '\\') {
            next = escape_end(next);
            continue;
        }
        in_class = in_class ? *next != ']' : *next == '[';
        next++;
    }
    return NULL;
}

static bool text_check(const char *text, struct reason *reason)
{
    if (strlen(text) > PATTERN_TEXT_MAX) {
        reason_set(reason, "pattern is longer than %d bytes", PATTERN_TEXT_MAX);
        return false;
    }
    const char *found = untaken(text);
    if (found != NULL)
        reason_set(reason,
                   "pattern: verbs and recursion into the whole are not supported, offset %td",
                   found - text);
    return found == NULL;
}

static pcre2_code *compiled(const char *text, uint32_t options, struct reason *reason)
{
    pcre2_general_context *heap = heap_context();
    pcre2_compile_context *context = pcre2_compile_context_create(heap);
    ENSURE(context != NULL);
    (void)pcre2_set_newline(context, PCRE2_NEWLINE_LF); /* however the library was built */
    int error = 0;
    PCRE2_SIZE offset = 0;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, options, &error, &offset, context);
    pcre2_compile_context_free(context);
    pcre2_general_context_free(heap);
    if (code == NULL) {
        unsigned char message[128] = "";
        (void)pcre2_get_error_message(error, message, sizeof message);
        reason_set(reason, "pattern: %s, offset %zu", (const char *)message, (size_t)offset);
    }
    return code;
}

/* PCRE2 counts its steps anew at each place where a search may begin; a value has as many of these
 * as bytes, so that its limit bounds nothing. Hence the search is made a part of the pattern, and
 * all of it is one match at the value's beginning. */
static pcre2_code *searching(const char *text, struct reason *reason)
{
    char *whole = heap_format("(?s:.*?)(?:%s)", text);
    pcre2_code *code = compiled(whole, dialect | PCRE2_ANCHORED, NULL);
    heap_release(whole);
    if (code == NULL)
        reason_set(reason, "pattern: a comment or \\Q to its end is not supported");
    return code;
}
