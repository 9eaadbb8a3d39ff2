/* Goal: a request is answered once, whatever the server does, within its time and its size; and
 * closing the client while requests are under way leaves nothing behind (ASan's leak check).
 * Method: a server on the same loop that answers as told (support/http_double.h). */
#include "http/http_client.h"
#include "http_double.h"
#include "memory/heap.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct world {
    uv_loop_t loop;
    uv_timer_t tick;
    struct http_double *server;
    struct http_client *client;
    struct http_double_reply reply; /* what the server says; its body is repeated */
    const char *body;
    size_t body_size;
    char method[8], path[512], head[4096];
    struct buffer sent; /* the body that the server got */
    /* The answer */
    unsigned answers;
    enum fault fault;
    long status;
    int64_t retry_after_ms;
    struct buffer received;
    char why[256];
};

/* A tick ends each wait: UV_RUN_ONCE goes on waiting for input when a timer of ours has run. */
static void on_tick(uv_timer_t *tick)
{
    (void)tick;
}

static void turn(struct world *world)
{
    (void)uv_run(&world->loop, UV_RUN_ONCE);
}

static void on_request(void *context, const struct http_double_request *request,
                       struct http_double_reply *out_reply)
{
    struct world *world = context;
    *out_reply = world->reply;
    buffer_append(&out_reply->body, world->body, world->body_size);
    (void)snprintf(world->method, sizeof world->method, "%s", request->method);
    (void)snprintf(world->path, sizeof world->path, "%s", request->path);
    (void)snprintf(world->head, sizeof world->head, "%s", request->head);
    buffer_clear(&world->sent);
    buffer_append_span(&world->sent, request->body);
}

static void on_answer(void *context, const struct http_answer *answer)
{
    struct world *world = context;
    world->answers++;
    world->fault = answer->fault;
    world->status = answer->status;
    world->retry_after_ms = answer->retry_after_ms;
    buffer_clear(&world->received);
    buffer_append_span(&world->received, answer->body);
    (void)snprintf(world->why, sizeof world->why, "%s", answer->why);
}

static void world_open(struct world *world, const struct http_client_options *options)
{
    *world = (struct world){.body = "hello", .body_size = 5};
    assert_int_equal(uv_loop_init(&world->loop), 0);
    assert_int_equal(uv_timer_init(&world->loop, &world->tick), 0);
    assert_int_equal(uv_timer_start(&world->tick, on_tick, 2, 2), 0);
    world->server = http_double_open(&world->loop, on_request, world);
    struct http_client_options whole = options == NULL ? (struct http_client_options){0} : *options;
    whole.loop = &world->loop;
    whole.connect_ms = whole.connect_ms == 0 ? 1000 : whole.connect_ms;
    whole.total_ms = whole.total_ms == 0 ? 1000 : whole.total_ms;
    whole.body_max = whole.body_max == 0 ? 100000 : whole.body_max;
    world->client = http_client_open(&whole);
}

static void world_close(struct world *world)
{
    http_client_close(world->client);
    http_double_close(world->server);
    uv_close((uv_handle_t *)&world->tick, NULL);
    (void)uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0); /* no handle is left */
    buffer_fini(&world->sent);
    buffer_fini(&world->received);
}

static void request_to(struct world *world, const char *url, const char *post)
{
    const unsigned before = world->answers;
    const struct http_request request = {.method = post == NULL ? "GET" : "POST",
                                         .url = url,
                                         .accept = "text/x",
                                         .content_type = post == NULL ? NULL : "text/y",
                                         .body = span_text(post)};
    assert_true(http_client_send(world->client, &request, on_answer, world));
    assert_int_equal(world->answers, before); /* never from inside */
    while (world->answers == before)
        turn(world);
    assert_int_equal(world->answers, before + 1);
}

static void ask(struct world *world, const char *path, const char *post)
{
    char *url = heap_format("http://127.0.0.1:%d%s", http_double_port(world->server), path);
    request_to(world, url, post);
    heap_release(url);
}

static void test_requests(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, NULL);
    ask(&world, "/a/b?c=d", NULL);
    assert_int_equal(world.fault, FAULT_NONE);
    assert_int_equal(world.status, 200);
    assert_true(span_is(buffer_span(&world.received), "hello"));
    assert_string_equal(world.method, "GET");
    assert_string_equal(world.path, "/a/b?c=d");
    assert_non_null(strstr(world.head, "Accept: text/x\r\n"));
    assert_null(strstr(world.head, "Authorization"));

    char *large = heap_zeroed(1, 200001);
    memset(large, 'x', 200000);
    ask(&world, "/p", large);
    assert_string_equal(world.method, "POST");
    assert_int_equal(world.sent.size, 200000);
    assert_non_null(strstr(world.head, "Content-Type: text/y\r\n"));
    heap_release(large);
    ask(&world, "/p", "");
    assert_int_equal(world.status, 200);

    world.reply.status = 429;
    world.reply.headers = "Retry-After: 7\r\n";
    ask(&world, "/", NULL);
    assert_int_equal(world.fault, FAULT_NONE);
    assert_int_equal(world.status, 429);
    assert_int_equal(world.retry_after_ms, 7000);
    world.reply.status = 302; /* an answer, nothing to follow */
    world.reply.headers = "Location: /other\r\n";
    ask(&world, "/", NULL);
    assert_int_equal(world.status, 302);
    assert_int_equal(http_double_count(world.server), 5);
    world_close(&world);
}

static void test_credentials(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, &(struct http_client_options){.user = "u", .password = "p:q"});
    ask(&world, "/", NULL);
    assert_non_null(strstr(world.head, "Authorization: Basic dTpwOnE=\r\n"));
    world_close(&world);
    world_open(&world, &(struct http_client_options){.user = "u", .token = "t0ken"});
    ask(&world, "/", NULL);
    assert_non_null(strstr(world.head, "Authorization: Bearer t0ken\r\n"));
    world_close(&world);
}

static void test_bad_servers(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, &(struct http_client_options){.total_ms = 80, .body_max = 1000});
    world.reply.manner = HTTP_DOUBLE_CUT;
    ask(&world, "/", NULL);
    assert_int_equal(world.fault, FAULT_HTTP_UNREACHABLE);
    world.reply.manner = HTTP_DOUBLE_GONE;
    ask(&world, "/", NULL);
    assert_int_equal(world.fault, FAULT_HTTP_UNREACHABLE);
    world.reply.manner = HTTP_DOUBLE_SILENT;
    ask(&world, "/", NULL);
    assert_int_equal(world.fault, FAULT_HTTP_UNREACHABLE);
    assert_true(world.why[0] != '\0');
    world.reply.manner = HTTP_DOUBLE_WHOLE;
    char *large = heap_zeroed(1, 1001);
    world.body = large;
    world.body_size = 1001;
    ask(&world, "/", NULL);
    assert_int_equal(world.fault, FAULT_LIMIT_EXCEEDED);
    assert_int_equal(world.received.size, 0);
    world.body_size = 1000;
    ask(&world, "/", NULL);
    assert_int_equal(world.fault, FAULT_NONE);
    assert_int_equal(world.received.size, 1000);
    heap_release(large);
    world_close(&world);
}

static void test_bad_urls(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, &(struct http_client_options){.total_ms = 200});
    request_to(&world, "file:///etc/hostname", NULL);
    assert_int_equal(world.fault, FAULT_OPTION_INVALID);
    request_to(&world, "ftp://127.0.0.1/", NULL);
    assert_int_equal(world.fault, FAULT_OPTION_INVALID);
    request_to(&world, "http://127.0.0.1:99999/", NULL);
    assert_int_equal(world.fault, FAULT_OPTION_INVALID);
    request_to(&world, "http://127.0.0.1:1/", NULL); /* nobody listens there */
    assert_int_equal(world.fault, FAULT_HTTP_UNREACHABLE);
    /* A plain server where TLS is spoken. */
    char *url = heap_format("https://127.0.0.1:%d/", http_double_port(world.server));
    request_to(&world, url, NULL);
    assert_int_equal(world.fault, FAULT_HTTP_UNREACHABLE);
    heap_release(url);
    world_close(&world);
}

static void test_many_at_once_and_none_after_close(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, NULL);
    char *url = heap_format("http://127.0.0.1:%d/", http_double_port(world.server));
    const struct http_request request = {.method = "GET", .url = url};
    for (int i = 0; i < HTTP_REQUESTS_MAX; i++)
        assert_true(http_client_send(world.client, &request, on_answer, &world));
    assert_false(http_client_send(world.client, &request, on_answer, &world)); /* full */
    while (world.answers < HTTP_REQUESTS_MAX)
        turn(&world);
    world.reply.manner = HTTP_DOUBLE_SILENT;
    for (int i = 0; i < 10; i++)
        assert_true(http_client_send(world.client, &request, on_answer, &world));
    while (http_double_count(world.server) < HTTP_REQUESTS_MAX + 10)
        turn(&world);
    heap_release(url);
    world_close(&world); /* with ten under way */
    assert_int_equal(world.answers, HTTP_REQUESTS_MAX);
}

static void test_escape(void **state)
{
    (void)state;
    struct buffer text = {0};
    http_escape(&text, "a-Z_9.~ /:?#%\xc3\xa4");
    assert_true(span_is(buffer_span(&text), "a-Z_9.~%20%2F%3A%3F%23%25%C3%A4"));
    buffer_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_credentials),
        cmocka_unit_test(test_bad_servers),
        cmocka_unit_test(test_bad_urls),
        cmocka_unit_test(test_many_at_once_and_none_after_close),
        cmocka_unit_test(test_escape),
    };
    (void)setenv("no_proxy", "*", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
