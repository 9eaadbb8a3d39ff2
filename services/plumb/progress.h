/* progress.h: a bar on stderr, where that is a terminal; else nothing.
 *
 * Thread   one.     Cost  drawn at most ten times a second.
 */
#ifndef PROGRESS_H
#define PROGRESS_H
#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *text; /* borrowed: what is going on */
    bool is_terminal;
    int64_t began_ns, drawn_ns;
};
void progress_begin(struct progress *progress, const char *text);
void progress_show(struct progress *progress, double share, uint64_t count,
                   const char *unit);         /* share 0: not known */
void progress_end(struct progress *progress); /* wipes the line */
#endif
