/* http_double.h: an HTTP server on the test's own loop that answers as it is told, also badly:
 * silent, broken off, endless.
 *
 * Owner    caller of http_double_open(); its memory goes once the loop has turned after
 * http_double_close.     Thread  the loop's.
 */
#ifndef HTTP_DOUBLE_H
#define HTTP_DOUBLE_H
#include "memory/buffer.h"

#include <stdbool.h>
#include <uv.h>

enum http_double_manner {
    HTTP_DOUBLE_WHOLE,
    HTTP_DOUBLE_CUT,    /* says that more will come than comes, then hangs up */
    HTTP_DOUBLE_SILENT, /* never answers */
    HTTP_DOUBLE_GONE    /* hangs up at once */
};
struct http_double_request {
    char method[8], path[512];
    const char *head; /* all of it */
    struct span body;
};
struct http_double_reply {
    enum http_double_manner manner;
    int status;          /* 200 unless set */
    const char *headers; /* more lines, each ended by \r\n; NULL: none */
    struct buffer body;  /* taken */
};
struct http_double;
typedef void http_double_fn(void *context, const struct http_double_request *request,
                            struct http_double_reply *out_reply);
struct http_double *http_double_open(uv_loop_t *loop, http_double_fn *answer, void *context);
int http_double_port(const struct http_double *server);
unsigned http_double_count(const struct http_double *server); /* requests seen */
void http_double_close(struct http_double *server);
#endif
