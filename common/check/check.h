/* check.h: assertions that stay on, and the calls that nobody may make.
 *
 * REQUIRE states what the caller owes, ENSURE what we owe, UNREACHABLE what cannot be. All three
 * are on in release: they print file, line and condition, then abort. A crash is always safe here
 * (DESIGN.md, promise 1); a wrong number is not. AUDIT(x_is_valid(x)) is for costly invariants and
 * is on only where PLUMB_AUDIT is defined (debug, asan, tests). Never assert on input, network or
 * disk: those are faults (fault.h).
 *
 * Thread   any.
 * Cost     one predicted branch each.
 */
#ifndef CHECK_H
#define CHECK_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST_USE                 __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((__format__(__printf__, text, first)))

_Noreturn void check_failed(const char *kind, const char *condition, const char *file, int line);

#define REQUIRE(condition)                                                                         \
    ((condition) ? (void)0 : check_failed("REQUIRE", #condition, __FILE__, __LINE__))
#define ENSURE(condition)                                                                          \
    ((condition) ? (void)0 : check_failed("ENSURE", #condition, __FILE__, __LINE__))
#define UNREACHABLE(why) check_failed("UNREACHABLE", why, __FILE__, __LINE__)
#ifdef PLUMB_AUDIT
#define AUDIT(condition)                                                                           \
    ((condition) ? (void)0 : check_failed("AUDIT", #condition, __FILE__, __LINE__))
#else
#define AUDIT(condition) ((void)sizeof((condition) ? 1 : 0))
#endif

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Unbounded or locale-bound; use snprintf, strtol, memcpy with a size that was checked. Under clang
 * the fortified headers make macros of some of them, which cannot be poisoned: gcc watches for
 * both. */
#ifndef __clang__
#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol gets
#endif
#endif
