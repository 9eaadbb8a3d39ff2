#include "http/listener.h"
#include "memory/heap.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 64, CONNECTIONS_MAX = 64, IDLE_SECONDS_MAX = 10 };

struct listener {
    const struct listener_route *routes; /* borrowed */
    void *context;                       /* borrowed */
    struct MHD_Daemon *daemon;           /* owned: its thread, its socket */
    uint16_t port;
};

static enum fault address_parse(const char *address, uint16_t port, struct addrinfo **out_list,
                                struct reason *out_reason);
static enum fault socket_open(const char *address, uint16_t port, int *out_socket,
                              struct reason *out_reason);
static uint16_t socket_port(int socket_fd);
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *upload, size_t *upload_size, void **request);

enum fault listener_open(const char *address, uint16_t port, const struct listener_route *routes,
                         void *context, struct listener **out_listener, struct reason *out_reason)
{
    REQUIRE(address != NULL);
    REQUIRE(routes != NULL);
    REQUIRE(out_listener != NULL);
    int socket_fd;
    const enum fault fault = socket_open(address, port, &socket_fd, out_reason);
    if (fault != FAULT_NONE)
        return fault;

    struct listener *listener = heap_zeroed(1, sizeof *listener);
    listener->routes = routes;
    listener->context = context;
    listener->port = socket_port(socket_fd);
    listener->daemon = MHD_start_daemon(
        MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_request, listener,
        MHD_OPTION_LISTEN_SOCKET, socket_fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS_MAX, MHD_OPTION_END);
    if (listener->daemon == NULL) { /* the server took the socket and has closed it */
        reason_set(out_reason, "no HTTP server on %s:%u: %s", address, (unsigned)port,
                   strerror(errno));
        heap_release(listener);
        return FAULT_PORT_IN_USE;
    }
    *out_listener = listener;
    return FAULT_NONE;
}

uint16_t listener_port(const struct listener *listener)
{
    REQUIRE(listener != NULL);
    return listener->port;
}

void listener_close(struct listener *listener)
{
    if (listener == NULL)
        return;
    MHD_stop_daemon(listener->daemon); /* ends the thread, then closes the socket */
    heap_release(listener);
}

static enum fault address_parse(const char *address, uint16_t port, struct addrinfo **out_list,
                                struct reason *out_reason)
{
    char service[8];
    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    const int error = getaddrinfo(address, service, &hints, out_list);
    if (error == 0)
        return FAULT_NONE;
    reason_set(out_reason, "'%s' is no address to listen on: %s", address, gai_strerror(error));
    return FAULT_OPTION_INVALID;
}

/* Opened here, not by the server, so that the reason can name what the operating system said. */
static enum fault socket_open(const char *address, uint16_t port, int *out_socket,
                              struct reason *out_reason)
{
    struct addrinfo *list = NULL;
    const enum fault fault = address_parse(address, port, &list, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    int socket_fd = -1;
    int error = 0;
    for (const struct addrinfo *one = list; one != NULL && socket_fd < 0; one = one->ai_next) {
        socket_fd = socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, one->ai_protocol);
        if (socket_fd < 0) {
            error = errno;
            continue;
        }
        const int on = 1; /* else a restarted service finds its port taken for a minute */
        (void)setsockopt(socket_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (bind(socket_fd, one->ai_addr, one->ai_addrlen) != 0 ||
            listen(socket_fd, BACKLOG) != 0) {
            error = errno;
            (void)close(socket_fd);
            socket_fd = -1;
        }
    }
    freeaddrinfo(list);
    if (socket_fd < 0) {
        reason_set(out_reason, "cannot listen on %s:%u: %s", address, (unsigned)port,
                   strerror(error));
        return FAULT_PORT_IN_USE;
    }
    *out_socket = socket_fd;
    return FAULT_NONE;
}

static uint16_t socket_port(int socket_fd)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    char text[8];
    REQUIRE(getsockname(socket_fd, (struct sockaddr *)&bound, &size) == 0); /* it is bound */
    REQUIRE(getnameinfo((struct sockaddr *)&bound, size, NULL, 0, text, sizeof text,
                        NI_NUMERICSERV) == 0);
    return (uint16_t)strtoul(text, NULL, 10);
}

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned status,
                               const char *content_type, struct span body)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        body.size, (void *)(uintptr_t)body.bytes, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    enum MHD_Result result =
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    if (result == MHD_YES)
        result = MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (result == MHD_YES && status == MHD_HTTP_METHOD_NOT_ALLOWED)
        result = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    if (result == MHD_YES)
        result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result respond_absent(const struct listener *listener,
                                      struct MHD_Connection *connection)
{
    struct buffer body = {0};
    buffer_format(&body, "not found; there is:");
    for (const struct listener_route *route = listener->routes; route->path != NULL; route++)
        buffer_format(&body, " %s", route->path);
    buffer_append_byte(&body, '\n');
    const enum MHD_Result result =
        respond(connection, MHD_HTTP_NOT_FOUND, "text/plain; charset=utf-8", buffer_span(&body));
    buffer_fini(&body);
    return result;
}

/* Called first with the head of a request, then with pieces of its body (which nobody wants), then
 * to answer. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *upload, size_t *upload_size, void **request)
{
    struct listener *listener = context;
    (void)version;
    (void)upload;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return respond(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain; charset=utf-8",
                       span_text("GET and HEAD only\n"));
    if (*request == NULL) {
        *request = listener; /* any non-NULL: the head was seen */
        return MHD_YES;
    }
    if (*upload_size > 0) {
        *upload_size = 0;
        return MHD_YES;
    }
    for (const struct listener_route *route = listener->routes; route->path != NULL; route++) {
        if (strcmp(route->path, path) != 0)
            continue;
        struct listener_answer answer = {.status = MHD_HTTP_OK,
                                         .content_type = "text/plain; charset=utf-8"};
        route->answer(listener->context, &answer);
        const enum MHD_Result result =
            respond(connection, answer.status, answer.content_type, buffer_span(&answer.body));
        buffer_fini(&answer.body);
        return result;
    }
    return respond_absent(listener, connection);
}
