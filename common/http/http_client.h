/* http_client.h: requests to HTTP servers on the loop; each is answered once, in bounded time and
 * memory.
 *
 * http and https only; a redirect is an answer, not followed; a server's certificate and name are
 * always verified. Proxies are those of the environment (http_proxy, https_proxy, no_proxy).
 *
 * Life     http_client_open, then http_client_send …, then http_client_close.
 * Owner    caller of http_client_open(). The client's own memory goes once the loop has turned
 * after http_client_close.
 * Thread   loop thread only; on_answer runs from the loop, never inside http_client_send; it may
 * send, not close. SIGPIPE is ignored from the first open on.
 * Faults   none of open. An answer: HTTP_UNREACHABLE (nobody there, time is up, broken off),
 * LIMIT_EXCEEDED (a body over body_max), OPTION_INVALID (no such URL or scheme).
 * Memory   for each request under way: libcurl's buffers and at most body_max; at most
 * HTTP_REQUESTS_MAX are.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H
#include "check/fault.h"
#include "memory/buffer.h"

#include <stdbool.h>
#include <uv.h>

enum { HTTP_REQUESTS_MAX = 64 };

struct http_client;
struct http_client_options {
    uv_loop_t *loop;              /* borrowed */
    int64_t connect_ms, total_ms; /* > 0: time for a connection, and for the whole */
    size_t body_max;              /* > 0 */
    const char *user, *password;  /* basic authentication; copied, as the texts below; NULL: none */
    const char *token;            /* bearer; NULL: none */
    const char *ca, *cert, *key;  /* PEM files; NULL: the system's authorities, no certificate */
};
struct http_request {
    const char *method;       /* "GET" */
    const char *url;          /* copied, as all below */
    const char *accept;       /* NULL: anything */
    const char *content_type; /* NULL: no body */
    struct span body;
};
struct http_answer {
    enum fault fault;       /* NONE: there is an answer, whatever its status */
    long status;            /* 0 on fault */
    struct span body;       /* borrowed for the call, as all below */
    const char *why;        /* on fault: a line for people, without credentials; else "" */
    int64_t retry_after_ms; /* what the server asks for; 0: nothing */
};
typedef void http_answer_fn(void *context, const struct http_answer *answer);

struct http_client *http_client_open(const struct http_client_options *options);
/* false: HTTP_REQUESTS_MAX are under way; nothing was sent, no answer comes. */
MUST_USE bool http_client_send(struct http_client *client, const struct http_request *request,
                               http_answer_fn *on_answer, void *context);
void http_client_close(struct http_client *client); /* no answer comes any more; NULL accepted */
/* A text as one part of a path: what is not unreserved is percent-encoded. */
void http_escape(struct buffer *out, const char *text);
#endif
