/* listener.h: a small HTTP server on libmicrohttpd's own thread: it answers also while the loop is
 * busy.
 *
 * Routes answer from what is safe to read from that thread. GET and HEAD only; 404 and 405
 * otherwise. Faults   open: PORT_IN_USE with a reason that names address and port.
 */
#ifndef LISTENER_H
#define LISTENER_H
#include "check/fault.h"
#include "check/reason.h"
#include "memory/buffer.h"

struct listener_answer {
    unsigned status;          /* 200 unless set */
    const char *content_type; /* text/plain unless set */
    struct buffer body;
};
struct listener_route {
    const char *path; /* "/metrics"; NULL ends a table */
    void (*answer)(void *context, struct listener_answer *out_answer); /* on the server's thread */
};
struct listener;
/* port 0: any free one (listener_port tells). */
MUST_USE enum fault listener_open(const char *address, uint16_t port,
                                  const struct listener_route *routes, void *context,
                                  struct listener **out_listener, struct reason *out_reason);
uint16_t listener_port(const struct listener *listener);
void listener_close(struct listener *listener);
#endif
