#include "http_double.h"
#include "memory/heap.h"

#include <netinet/in.h>

enum { REQUEST_SIZE_MAX = 1024 * 1024 };

struct http_double {
    uv_tcp_t listener;
    http_double_fn *answer;
    void *context; /* borrowed */
    struct visitor *first;
    unsigned count;
    int port;
};

struct visitor {
    uv_tcp_t tcp;
    struct http_double *server; /* borrowed */
    struct visitor *before, *after;
    struct buffer received;
    struct buffer reply;
    uv_write_t write;
    bool hangs_up;
    char piece[65536];
};

static void on_visitor_closed(uv_handle_t *handle)
{
    struct visitor *visitor = handle->data;
    buffer_fini(&visitor->received);
    buffer_fini(&visitor->reply);
    heap_release(visitor);
}

static void hang_up(struct visitor *visitor)
{
    if (uv_is_closing((uv_handle_t *)&visitor->tcp))
        return;
    if (visitor->before != NULL)
        visitor->before->after = visitor->after;
    else
        visitor->server->first = visitor->after;
    if (visitor->after != NULL)
        visitor->after->before = visitor->before;
    uv_close((uv_handle_t *)&visitor->tcp, on_visitor_closed);
}

static void on_written(uv_write_t *write, int status)
{
    struct visitor *visitor = write->data;
    if (status != 0 || visitor->hangs_up)
        hang_up(visitor);
}

static void send_reply(struct visitor *visitor, struct http_double_reply *reply)
{
    if (reply->manner == HTTP_DOUBLE_GONE)
        hang_up(visitor);
    if (reply->manner == HTTP_DOUBLE_GONE || reply->manner == HTTP_DOUBLE_SILENT)
        return;
    const bool cut = reply->manner == HTTP_DOUBLE_CUT;
    buffer_clear(&visitor->reply);
    buffer_format(&visitor->reply, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n",
                  reply->status == 0 ? 200 : reply->status, reply->body.size + (cut ? 1000 : 0),
                  reply->headers == NULL ? "" : reply->headers);
    buffer_append_span(&visitor->reply, buffer_span(&reply->body));
    visitor->hangs_up = cut;
    visitor->write.data = visitor;
    const uv_buf_t bytes = uv_buf_init((char *)visitor->reply.bytes, (unsigned)visitor->reply.size);
    ENSURE(uv_write(&visitor->write, (uv_stream_t *)&visitor->tcp, &bytes, 1, on_written) == 0);
}

/* One request at a time: clients wait for their answer. */
static void serve(struct visitor *visitor)
{
    buffer_append_byte(&visitor->received, 0);
    visitor->received.size--;
    const char *head = (const char *)visitor->received.bytes;
    const char *end = strstr(head, "\r\n\r\n");
    if (end == NULL)
        return;
    const size_t head_size = (size_t)(end - head) + 4;
    const char *length = strstr(head, "Content-Length: ");
    const size_t body_size =
        length == NULL || length > end ? 0 : strtoul(length + strlen("Content-Length: "), NULL, 10);
    if (visitor->received.size < head_size + body_size)
        return;
    struct http_double_request request = {
        .head = head, .body = span_of(visitor->received.bytes + head_size, body_size)};
    ENSURE(sscanf(head, "%7s %511s", request.method, request.path) == 2);
    struct http_double_reply reply = {.status = 0};
    visitor->server->count++;
    visitor->server->answer(visitor->server->context, &request, &reply);
    buffer_clear(&visitor->received);
    send_reply(visitor, &reply);
    buffer_fini(&reply.body);
}

static void on_room(uv_handle_t *handle, size_t size, uv_buf_t *out)
{
    struct visitor *visitor = handle->data;
    (void)size;
    *out = uv_buf_init(visitor->piece, sizeof visitor->piece);
}

static void on_bytes(uv_stream_t *stream, ssize_t size, const uv_buf_t *bytes)
{
    struct visitor *visitor = stream->data;
    if (size < 0 || visitor->received.size > REQUEST_SIZE_MAX) {
        hang_up(visitor);
        return;
    }
    buffer_append(&visitor->received, bytes->base, (size_t)size);
    serve(visitor);
}

static void on_visit(uv_stream_t *listener, int status)
{
    struct http_double *server = listener->data;
    if (status != 0)
        return;
    struct visitor *visitor = heap_zeroed(1, sizeof *visitor);
    visitor->server = server;
    visitor->after = server->first;
    if (server->first != NULL)
        server->first->before = visitor;
    server->first = visitor;
    ENSURE(uv_tcp_init(listener->loop, &visitor->tcp) == 0);
    visitor->tcp.data = visitor;
    ENSURE(uv_accept(listener, (uv_stream_t *)&visitor->tcp) == 0);
    ENSURE(uv_read_start((uv_stream_t *)&visitor->tcp, on_room, on_bytes) == 0);
}

struct http_double *http_double_open(uv_loop_t *loop, http_double_fn *answer, void *context)
{
    struct http_double *server = heap_zeroed(1, sizeof *server);
    struct sockaddr_in address;
    int size = sizeof address;
    server->answer = answer;
    server->context = context;
    ENSURE(uv_ip4_addr("127.0.0.1", 0, &address) == 0);
    ENSURE(uv_tcp_init(loop, &server->listener) == 0);
    server->listener.data = server;
    ENSURE(uv_tcp_bind(&server->listener, (const struct sockaddr *)&address, 0) == 0);
    ENSURE(uv_listen((uv_stream_t *)&server->listener, 128, on_visit) == 0);
    ENSURE(uv_tcp_getsockname(&server->listener, (struct sockaddr *)&address, &size) == 0);
    server->port = ntohs(address.sin_port);
    return server;
}

int http_double_port(const struct http_double *server)
{
    return server->port;
}

unsigned http_double_count(const struct http_double *server)
{
    return server->count;
}

static void on_listener_closed(uv_handle_t *handle)
{
    heap_release(handle->data);
}

void http_double_close(struct http_double *server)
{
    while (server->first != NULL)
        hang_up(server->first);
    uv_close((uv_handle_t *)&server->listener, on_listener_closed);
}
