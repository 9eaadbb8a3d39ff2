/* link.h: one connection to one Redis server, on the loop: commands out, replies back, in order.
 *
 * It knows nothing of scripts, slots or retries: that is store.c. A test puts a simulated server in
 * its place by defining these functions itself. AUTH and SELECT are sent first; where one is
 * refused, everything after it is answered with that refusal.
 *
 * Life     link_open, then link_send …, until on_down or link_close. Connecting goes on behind
 * link_open; what is sent meanwhile waits in order.
 * Owner    caller of link_open(). After on_down the link is gone: the caller forgets the pointer.
 * Thread   loop thread only; callbacks run from the loop, never inside a call to the link; they may
 * call it. SIGPIPE is ignored from the first link_open on: hiredis writes with write(2).
 * Faults   none: whatever goes wrong is on_down, once, and the outcome of everything unanswered is
 * unknown.
 * Memory   the commands under way, copied.
 */
#ifndef LINK_H
#define LINK_H
#include "memory/span.h"
#include <stdint.h>
#include <uv.h>

struct link;
enum link_kind { LINK_NIL, LINK_STATUS, LINK_TEXT, LINK_INTEGER, LINK_ERROR, LINK_LIST };
struct link_reply {
    enum link_kind kind;
    struct span text; /* STATUS, TEXT, ERROR; borrowed for the call, as all below */
    int64_t integer;  /* INTEGER */
    const struct link_reply *elements; /* LIST, [count]; at most two deep */
    size_t count;
};
struct link_options {
    uv_loop_t *loop;  /* borrowed */
    const char *host; /* copied, as the texts below */
    int port;
    const char *user, *password; /* "" : none */
    int database;                /* 0: nothing is selected */
    void (*on_down)(void *context);
    void *context; /* borrowed */
};
struct link *link_open(const struct link_options *options);
/* Bytes are copied. on_reply comes once, or on_down does; NULL: the answer is dropped. */
void link_send(struct link *link, const struct span *arguments, size_t count,
               void (*on_reply)(void *context, const struct link_reply *reply), void *context);
void link_close(struct link *link); /* no callback comes any more; NULL accepted */
#endif
