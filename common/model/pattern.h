/* pattern.h: the regular expressions of contracts, on PCRE2, in the dialect of JSON Schema as far
 * as PCRE2 speaks it.
 *
 * A pattern is searched for: without ^ and $ it may stand anywhere in the value. Texts are UTF-8;
 * \d and \w are ASCII; $ is the end of the value and nothing else; . is anything but a line feed;
 * \u00e9 is a character. Refused are verbs, (*…), and recursion into the whole, (?R): no JSON
 * Schema has them, and a search is compiled into the pattern (pattern.c), where they would mean
 * another thing.
 *
 * Each search is bounded, whatever the pattern and the value: values over PATTERN_VALUE_MAX bytes
 * are not searched, a search ends after PATTERN_STEPS_MAX steps, and takes at most
 * PATTERN_ROOM_KIB. No just-in-time compiler: it would be faster, but counts its steps otherwise,
 * and whether a value passes must not depend on the machine.
 *
 * Owner    caller of pattern_compile(), pattern_room_create().
 * Thread   a pattern: any; a room: one at a time.
 * Faults   compile: CONTRACT_INVALID with the reason, PCRE2's own and the offset in the pattern.
 * Memory   a room grows to at most PATTERN_ROOM_KIB at its first searches and keeps that; nothing
 * is allocated otherwise. Cost     search: at most 20,000 steps, each at most O(size of the value):
 * 50 ms for the worst patterns known, microseconds for what contracts hold.
 */
#ifndef PATTERN_H
#define PATTERN_H
#include "check/fault.h"
#include "check/reason.h"
#include "memory/span.h"

enum {
    PATTERN_TEXT_MAX = 1024,
    PATTERN_VALUE_MAX = 4096,
    PATTERN_STEPS_MAX = 20000,
    PATTERN_ROOM_KIB = 1024
};

struct pattern;
struct pattern_room; /* what a search works in */

enum pattern_answer { PATTERN_FOUND, PATTERN_ABSENT, PATTERN_TOO_LONG, PATTERN_TOO_COSTLY };

MUST_USE enum fault pattern_compile(const char *text, struct pattern **out_pattern,
                                    struct reason *out_reason);
struct pattern_room *pattern_room_create(void);
enum pattern_answer pattern_search(const struct pattern *pattern, struct span value,
                                   struct pattern_room *room);
void pattern_room_destroy(struct pattern_room *room); /* NULL accepted */
void pattern_destroy(struct pattern *pattern);        /* NULL accepted */
#endif
