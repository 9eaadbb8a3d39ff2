/* wall.h: the only place that asks the operating system for the time. A service's handle never does
 * (DESIGN.md 2.3). */
#ifndef WALL_H
#define WALL_H
#include <stdint.h>

int64_t wall_now_ms(void);      /* since the epoch, UTC */
int64_t monotonic_now_ns(void); /* since some start; never falls */
/* "1997-05-06 00:00:30" in UTC, for people; the buffer holds at least 32 bytes. Returns buffer. */
char *wall_text(int64_t time_ms, char *buffer);
#endif
