/* Goal: the listener answers its routes and nothing else, also to rude clients, and says which port
 * is taken. Method: plain sockets to a real listener on a free port of 127.0.0.1. */
#include "http/listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static void answer_text(void *context, struct listener_answer *out_answer)
{
    buffer_append_span(&out_answer->body, span_text(context));
}

static void answer_not_ready(void *context, struct listener_answer *out_answer)
{
    (void)context;
    out_answer->status = 503;
    out_answer->content_type = "application/json";
    buffer_append_span(&out_answer->body, span_text("{}"));
}

static const struct listener_route routes[] = {
    {"/healthz", answer_text}, {"/readyz", answer_not_ready}, {.path = NULL}};

static struct listener *opened(void)
{
    static char body[] = "body of the answer\n";
    struct listener *listener = NULL;
    struct reason reason = {""};
    assert_int_equal(listener_open("127.0.0.1", 0, routes, body, &listener, &reason), FAULT_NONE);
    assert_int_not_equal(listener_port(listener), 0);
    return listener;
}

static char reply[16384];
static const char *asked(uint16_t port, const char *request)
{
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(client >= 0);
    const struct timeval patience = {.tv_sec = 5};
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(client, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(client, request, strlen(request), MSG_NOSIGNAL),
                     (ssize_t)strlen(request));
    size_t size = 0;
    for (ssize_t got; size < sizeof reply - 1 &&
                      (got = recv(client, reply + size, sizeof reply - 1 - size, 0)) > 0;)
        size += (size_t)got;
    reply[size] = '\0';
    (void)close(client);
    return reply;
}

#define CLOSE "Host: x\r\nConnection: close\r\n\r\n"

static void test_get(void **state)
{
    (void)state;
    struct listener *listener = opened();
    const char *got = asked(listener_port(listener), "GET /healthz HTTP/1.1\r\n" CLOSE);
    assert_int_equal(strncmp(got, "HTTP/1.1 200 OK\r\n", 17), 0);
    assert_non_null(strstr(got, "Content-Type: text/plain"));
    assert_non_null(strstr(got, "Content-Length: 19\r\n"));
    assert_non_null(strstr(got, "\r\n\r\nbody of the answer\n"));
    got = asked(listener_port(listener), "GET /healthz?verbose=1 HTTP/1.1\r\n" CLOSE);
    assert_int_equal(strncmp(got, "HTTP/1.1 200 OK\r\n", 17), 0);
    listener_close(listener);
}

static void test_status_and_type(void **state)
{
    (void)state;
    struct listener *listener = opened();
    const char *got = asked(listener_port(listener), "GET /readyz HTTP/1.1\r\n" CLOSE);
    assert_int_equal(strncmp(got, "HTTP/1.1 503 ", 13), 0);
    assert_non_null(strstr(got, "Content-Type: application/json\r\n"));
    listener_close(listener);
}

static void test_head_has_no_body(void **state)
{
    (void)state;
    struct listener *listener = opened();
    const char *got = asked(listener_port(listener), "HEAD /healthz HTTP/1.1\r\n" CLOSE);
    assert_int_equal(strncmp(got, "HTTP/1.1 200 OK\r\n", 17), 0);
    assert_non_null(strstr(got, "Content-Length: 19\r\n"));
    assert_null(strstr(got, "body of"));
    listener_close(listener);
}

static void test_refusals(void **state)
{
    (void)state;
    struct listener *listener = opened();
    const uint16_t port = listener_port(listener);
    const char *got = asked(port, "GET /healthz/x HTTP/1.1\r\n" CLOSE);
    assert_int_equal(strncmp(got, "HTTP/1.1 404 ", 13), 0);
    assert_non_null(strstr(got, "/healthz /readyz"));
    got = asked(port, "POST /healthz HTTP/1.1\r\nContent-Length: 3\r\n" CLOSE "abc");
    assert_int_equal(strncmp(got, "HTTP/1.1 405 ", 13), 0);
    assert_non_null(strstr(got, "Allow: GET, HEAD\r\n"));
    got = asked(port, "DELETE /nowhere HTTP/1.1\r\n" CLOSE);
    assert_int_equal(strncmp(got, "HTTP/1.1 405 ", 13), 0);
    got = asked(port, "GET /healthz HTTP/1.1\r\nContent-Length: 3\r\n" CLOSE "abc");
    assert_int_equal(strncmp(got, "HTTP/1.1 200 ", 13), 0);
    got = asked(port, "no request at all\r\n\r\n");
    assert_int_not_equal(strncmp(got, "HTTP/1.1 200 ", 13), 0);
    got = asked(port, "GET /healthz HTTP/1.1\r\n" CLOSE);
    assert_int_equal(strncmp(got, "HTTP/1.1 200 ", 13), 0);
    listener_close(listener);
}

static void test_port_in_use(void **state)
{
    (void)state;
    struct listener *listener = opened(), *second = NULL;
    const uint16_t port = listener_port(listener);
    char expected[64];
    (void)snprintf(expected, sizeof expected, "127.0.0.1:%u", (unsigned)port);
    struct reason reason = {""};
    assert_int_equal(listener_open("127.0.0.1", port, routes, NULL, &second, &reason),
                     FAULT_PORT_IN_USE);
    assert_non_null(strstr(reason.text, expected));
    assert_null(second);
    listener_close(listener);
    static char body[] = "again\n";
    assert_int_equal(listener_open("127.0.0.1", port, routes, body, &second, &reason), FAULT_NONE);
    assert_int_equal(listener_port(second), port);
    listener_close(second);
    listener_close(NULL);
}

static void test_address_invalid(void **state)
{
    (void)state;
    struct listener *listener = NULL;
    struct reason reason = {""};
    assert_int_equal(listener_open("999.1.1.1.1", 0, routes, NULL, &listener, &reason),
                     FAULT_OPTION_INVALID);
    assert_non_null(strstr(reason.text, "999.1.1.1.1"));
    assert_int_equal(listener_open("203.0.113.1", 0, routes, NULL, &listener, &reason),
                     FAULT_PORT_IN_USE); /* not an address of this machine */
    assert_null(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_status_and_type),
        cmocka_unit_test(test_head_has_no_body),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_port_in_use),
        cmocka_unit_test(test_address_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
