/* Goal: an id becomes its schema, whatever registries do meanwhile: what is known stays known, what
 * is not is asked for with pauses, and only the registry's own word makes an id unknown.
 * Method: doubles of a registry on the test's loop (support/http_double.h) that serve a table of
 * answers, count what is asked, and misbehave for a number of requests. */
#include "http_double.h"
#include "memory/heap.h"
#include "registry/registry.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define GUID         "89791762-2336-4186-9674-299b90a802e2"
#define ANSWER(text) "{\"schema\":" text "}"
#define NAMED(title, type)                                                                         \
    "\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"" title                                       \
    "\\\",\\\"fields\\\":[{\\\"name\\\":\\\"f\\\",\\\"type\\\":\\\"" type "\\\"}]}\""
#define REFERS(subject, version)                                                                   \
    ",\"references\":[{\"name\":\"x\",\"subject\":\"" subject "\",\"version\":" version "}]}"

struct line {
    const char *path;
    int status;
    const char *body;
};

static const struct line served[] = {
    {"/schemas/ids/1", 200, ANSWER("\"\\\"long\\\"\"")},
    {"/schemas/guids/" GUID, 200, ANSWER("\"\\\"string\\\"\"")},
    {"/schemas/guids/00000000-2336-4186-9674-299b90a802e2", 404, ""},
    {"/schemas/ids/2", 200, "{\"schema\":" NAMED("a.R", "a.S") REFERS("s/1", "3")},
    {"/subjects/s%2F1/versions/3", 200, "{\"schema\":" NAMED("a.S", "a.T") REFERS("t", "1")},
    {"/subjects/t/versions/1", 200, "{\"schema\":" NAMED("a.T", "int") REFERS("s/1", "3")},
    {"/schemas/ids/3", 200, "{\"schema\":\"\\\"int\\\"\",\"schemaType\":\"PROTOBUF\"}"},
    {"/schemas/ids/4", 200, ANSWER("\"nonsense\"")},
    {"/schemas/ids/5", 200, "{\"schema\":" NAMED("a.R", "a.S") REFERS("gone", "1")},
    {"/subjects/gone/versions/1", 404, "{\"error_code\":40401,\"message\":\"Subject not found\"}"},
    {"/schemas/ids/6", 200, "{\"schema\":" NAMED("a.R", "a.S") REFERS("chain0", "1")},
    {"/schemas/ids/405", 404, "{\"error_code\":40403,\"message\":\"Schema 405 not found\"}"},
    {"/schemas/ids/404", 404, "{\"error_code\":40403,\"message\":\"Schema 404 not found\"}"},
};

struct site {
    struct http_double *server;
    enum http_double_manner manner; /* for `bad` requests */
    int bad;                        /* requests still to be answered badly */
    int bad_status;                 /* 0: by manner */
    const char *bad_body;
};

struct world {
    uv_loop_t loop;
    uv_timer_t tick;
    struct site sites[2];
    size_t site_count;
    struct option_set *options;
    struct registry *registry;
    unsigned changes;
    struct reason reason;
    const struct schema *schema;
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
    struct site *site = context;
    if (site->bad > 0) {
        site->bad--;
        out_reply->manner = site->manner;
        out_reply->status = site->bad_status;
        buffer_append_span(&out_reply->body, span_text(site->bad_body));
        return;
    }
    if (strncmp(request->path, "/subjects/chain", 15) ==
        0) { /* each refers to the next, for ever */
        const int number = (int)strtol(request->path + 15, NULL, 10);
        buffer_format(&out_reply->body,
                      "{\"schema\":" NAMED(
                          "a.C%d", "int") ",\"references\":[{"
                                          "\"name\":\"x\",\"subject\":\"chain%d\",\"version\":1}]}",
                      number, number + 1);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(served); i++) {
        if (strcmp(served[i].path, request->path) != 0)
            continue;
        out_reply->status = served[i].status;
        buffer_append_span(&out_reply->body, span_text(served[i].body));
        return;
    }
    out_reply->status = 404;
    buffer_append_span(&out_reply->body, span_text("<html>no such page</html>"));
}

static void on_change(void *context)
{
    ((struct world *)context)->changes++;
}

static void world_open_with(struct world *world, size_t sites, char **more, int more_count)
{
    *world = (struct world){.site_count = sites};
    assert_int_equal(uv_loop_init(&world->loop), 0);
    assert_int_equal(uv_timer_init(&world->loop, &world->tick), 0);
    assert_int_equal(uv_timer_start(&world->tick, on_tick, 2, 2), 0);
    struct buffer urls = {0};
    for (size_t i = 0; i < sites; i++) {
        world->sites[i].server = http_double_open(&world->loop, on_request, &world->sites[i]);
        buffer_format(&urls, "%shttp://%s127.0.0.1:%d/", i == 0 ? "" : ", ",
                      i == 0 ? "me:secret@" : "", http_double_port(world->sites[i].server));
    }
    buffer_append_byte(&urls, 0);
    static const struct option_row *const tables[] = {registry_option_rows};
    world->options = option_set_create(tables, 1);
    char *words[16] = {
        (char *)(uintptr_t) "--schema-registry",           (char *)urls.bytes,
        (char *)(uintptr_t) "--schema-registry.timeout",   (char *)(uintptr_t) "100ms",
        (char *)(uintptr_t) "--schema-registry.retry-max", (char *)(uintptr_t) "20ms"};
    for (int i = 0; i < more_count; i++)
        words[6 + i] = more[i];
    assert_int_equal(option_set_read(world->options, 6 + more_count, words, &world->reason),
                     FAULT_NONE);
    assert_int_equal(registry_open(world->options, &world->loop, on_change, world, &world->registry,
                                   &world->reason),
                     FAULT_NONE);
    assert_non_null(world->registry);
    buffer_fini(&urls);
}

static void world_open(struct world *world, size_t sites)
{
    world_open_with(world, sites, NULL, 0);
}

static void world_close(struct world *world)
{
    registry_close(world->registry);
    for (size_t i = 0; i < world->site_count; i++)
        http_double_close(world->sites[i].server);
    uv_close((uv_handle_t *)&world->tick, NULL);
    (void)uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    option_set_destroy(world->options);
}

static enum registry_state find_now(struct world *world, const char *name)
{
    return registry_find(world->registry, span_text(name), &world->schema, &world->reason);
}

/* Asked as the driver asks: again whenever something changed. */
static enum registry_state find(struct world *world, const char *name)
{
    enum registry_state state;
    while ((state = find_now(world, name)) == REGISTRY_AWAITED) {
        const unsigned before = world->changes;
        while (world->changes == before)
            turn(world);
    }
    return state;
}

static unsigned asked(const struct world *world)
{
    unsigned sum = 0;
    for (size_t i = 0; i < world->site_count; i++)
        sum += http_double_count(world->sites[i].server);
    return sum;
}

static void test_ids_and_guids(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 1);
    assert_int_equal(find_now(&world, "1"), REGISTRY_AWAITED);
    assert_int_equal(find_now(&world, "1"), REGISTRY_AWAITED); /* asked once */
    assert_int_equal(find(&world, "1"), REGISTRY_FOUND);
    assert_string_equal(schema_canonical(world.schema), "\"long\"");
    const struct schema *first = world.schema;
    assert_int_equal(find_now(&world, "1"), REGISTRY_FOUND);
    assert_ptr_equal(world.schema, first);
    assert_int_equal(asked(&world), 1);
    assert_int_equal(find(&world, GUID), REGISTRY_FOUND);
    assert_string_equal(schema_canonical(world.schema), "\"string\"");
    assert_int_equal(registry_counts(world.registry).found, 2);
    assert_int_equal(registry_counts(world.registry).failures, 0);
    assert_string_equal(registry_why(world.registry), "");
    world_close(&world);
}

static void test_references(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 1);
    assert_int_equal(find(&world, "2"), REGISTRY_FOUND);
    assert_string_equal(
        schema_canonical(world.schema),
        "{\"name\":\"a.R\",\"type\":\"record\",\"fields\":[{\"name\":\"f\",\"type\":{\"name\":"
        "\"a.S\",\"type\":\"record\",\"fields\":[{\"name\":\"f\",\"type\":{\"name\":\"a.T\","
        "\"type\":\"record\",\"fields\":[{\"name\":\"f\",\"type\":\"int\"}]}}]}}]}");
    assert_int_equal(asked(&world), 3); /* the circle is asked for once */
    assert_int_equal(find(&world, "5"), REGISTRY_REFUSED);
    assert_non_null(strstr(world.reason.text, "not to be had"));
    assert_int_equal(find(&world, "6"), REGISTRY_REFUSED);
    assert_non_null(strstr(world.reason.text, "more schemas than may be"));
    assert_true(asked(&world) < 30);
    world_close(&world);
}

static void test_what_is_no_schema(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 1);
    assert_int_equal(find(&world, "3"), REGISTRY_REFUSED);
    assert_non_null(strstr(world.reason.text, "PROTOBUF"));
    assert_int_equal(find(&world, "4"), REGISTRY_REFUSED);
    const unsigned before = asked(&world);
    assert_int_equal(find_now(&world, "4"), REGISTRY_REFUSED); /* remembered */
    assert_int_equal(asked(&world), before);
    char *huge = heap_zeroed(1, 5 * 1024 * 1024 + 1);
    memset(huge, ' ', 5 * 1024 * 1024);
    world.sites[0].bad = 1;
    world.sites[0].bad_body = huge;
    assert_int_equal(find(&world, "9"), REGISTRY_REFUSED);
    assert_non_null(strstr(world.reason.text, "too large"));
    heap_release(huge);
    world_close(&world);
}

static void test_missing_is_remembered_for_a_while(void **state)
{
    (void)state;
    struct world world;
    char *more[] = {(char *)(uintptr_t) "--schema-registry.missing-ttl",
                    (char *)(uintptr_t) "30ms"};
    world_open_with(&world, 1, more, 2);
    assert_int_equal(find(&world, "404"), REGISTRY_MISSING);
    const unsigned before = asked(&world);
    assert_int_equal(find_now(&world, "404"), REGISTRY_MISSING);
    assert_int_equal(asked(&world), before);
    uv_sleep(40);
    uv_update_time(&world.loop);
    assert_int_equal(find_now(&world, "404"), REGISTRY_AWAITED);
    assert_int_equal(find(&world, "404"), REGISTRY_MISSING);
    assert_int_equal(asked(&world), before + 1);
    assert_int_equal(find(&world, "00000000-2336-4186-9674-299b90a802e2"), REGISTRY_MISSING);
    world_close(&world);
}

/* Everything that may pass is waited out, with pauses; the word of something that is no registry
 * makes nothing unknown. */
static void test_trouble_is_waited_out(void **state)
{
    (void)state;
    static const struct {
        enum http_double_manner manner;
        int status;
        const char *body;
    } troubles[] = {
        {HTTP_DOUBLE_WHOLE, 503, ""},
        {HTTP_DOUBLE_WHOLE, 429, "{\"error_code\":42901}"},
        {HTTP_DOUBLE_WHOLE, 500, "{\"error_code\":50001,\"message\":\"store\"}"},
        {HTTP_DOUBLE_WHOLE, 401, "{\"error_code\":40101}"},
        {HTTP_DOUBLE_WHOLE, 404, "<html>no such page</html>"},
        {HTTP_DOUBLE_WHOLE, 404, "{\"error\":\"no such page\"}"},
        {HTTP_DOUBLE_WHOLE, 302, ""},
        {HTTP_DOUBLE_WHOLE, 200, "{\"schema\":"},
        {HTTP_DOUBLE_WHOLE, 200, "{\"schema\":7}"},
        {HTTP_DOUBLE_WHOLE, 200, "[]"},
        {HTTP_DOUBLE_CUT, 200, "{\"schema\":\"\\\"int\\\"\"}"},
        {HTTP_DOUBLE_GONE, 0, ""},
        {HTTP_DOUBLE_SILENT, 0, ""},
    };
    for (size_t i = 0; i < COUNT_OF(troubles); i++) {
        struct world world;
        world_open(&world, 1);
        world.sites[0].bad = 2;
        world.sites[0].manner = troubles[i].manner;
        world.sites[0].bad_status = troubles[i].status;
        world.sites[0].bad_body = troubles[i].body;
        assert_int_equal(find_now(&world, "1"), REGISTRY_AWAITED);
        while (world.changes == 0)
            turn(&world);
        assert_true(registry_why(world.registry)[0] != '\0');
        assert_null(strstr(registry_why(world.registry), "secret"));
        assert_non_null(strstr(registry_why(world.registry), "http://127.0.0.1:"));
        assert_int_equal(find(&world, "1"), REGISTRY_FOUND);
        assert_int_equal(asked(&world), 3);
        assert_string_equal(registry_why(world.registry), "");
        world_close(&world);
    }
}

/* One of two does not know yet what the other does; and where one is away, the other's word counts.
 */
static void test_each_is_asked_before_an_id_is_missing(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 2);
    world.sites[0].bad = 1;
    world.sites[0].bad_status = 404;
    world.sites[0].bad_body = "{\"error_code\":40403}";
    assert_int_equal(find(&world, "1"), REGISTRY_FOUND);
    assert_int_equal(asked(&world), 2);
    assert_int_equal(find(&world, "404"), REGISTRY_MISSING);
    assert_int_equal(asked(&world), 4);
    world.sites[1].bad = 1000000;
    world.sites[1].manner = HTTP_DOUBLE_GONE;
    assert_int_equal(find(&world, "405"), REGISTRY_MISSING);
    world_close(&world);
}

/* While all are away: never a busy loop; what is known is still known. */
static void test_away(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 2);
    assert_int_equal(find(&world, "1"), REGISTRY_FOUND);
    for (size_t i = 0; i < 2; i++)
        world.sites[i] = (struct site){
            .server = world.sites[i].server, .bad = 1000000, .bad_status = 503, .bad_body = ""};
    const unsigned before = asked(&world);
    assert_int_equal(find_now(&world, "2"), REGISTRY_AWAITED);
    const uint64_t end_ns = uv_hrtime() + 200000000;
    while (uv_hrtime() < end_ns) {
        turn(&world);
        assert_int_equal(find_now(&world, "2"), REGISTRY_AWAITED);
        assert_int_equal(find_now(&world, "1"), REGISTRY_FOUND);
    }
    /* Rounds of two, at least 10 ms apart: half of retry-max. */
    assert_true(asked(&world) > before + 4);
    assert_true(asked(&world) <= before + 2 * 21);
    assert_true(world.sites[0].bad < 1000000 && world.sites[1].bad < 1000000); /* both were asked */
    world.sites[1].bad = 0;
    assert_int_equal(find(&world, "2"), REGISTRY_FOUND);
    world_close(&world); /* also with a question under way: */
    world_open(&world, 1);
    world.sites[0].bad = 1;
    world.sites[0].manner = HTTP_DOUBLE_SILENT;
    assert_int_equal(find_now(&world, "2"), REGISTRY_AWAITED);
    world_close(&world);
}

/* A registry of ids that mean nothing cannot fill the memory. */
static void test_hostile_ids(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 1);
    world.sites[0].bad = INT32_MAX;
    world.sites[0].bad_status = 404;
    world.sites[0].bad_body = "{\"error_code\":40403}";
    char name[12];
    for (int i = 0; i < REGISTRY_NAMES_MAX; i += 50) {
        for (int k = i; k < i + 50; k++) {
            (void)snprintf(name, sizeof name, "%d", k);
            assert_int_equal(find_now(&world, name), REGISTRY_AWAITED);
        }
        assert_int_equal(find(&world, name), REGISTRY_MISSING);
    }
    while (registry_counts(world.registry).missing < REGISTRY_NAMES_MAX)
        turn(&world);
    world.sites[0].bad = 0;
    assert_int_equal(find(&world, GUID), REGISTRY_FOUND); /* the others made room */
    world_close(&world);
}

struct called {
    bool done;
    enum fault fault;
    long status;
    char why[256];
};

static void on_reply(void *context, const struct registry_reply *reply)
{
    struct called *called = context;
    *called = (struct called){.done = true, .fault = reply->fault, .status = reply->status};
    (void)snprintf(called->why, sizeof called->why, "%s", reply->why);
}

static struct called call(struct world *world, const char *path)
{
    struct called called = {.done = false};
    registry_call(world->registry, path, NULL, on_reply, &called);
    while (!called.done)
        turn(world);
    return called;
}

static void test_calls_end(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 1);
    struct called called = call(&world, "/subjects/t/versions/1");
    assert_int_equal(called.fault, FAULT_NONE);
    assert_int_equal(called.status, 200);
    assert_string_equal(called.why, "");
    called = call(&world, "/subjects/gone/versions/1");
    assert_int_equal(called.status, 404);
    assert_non_null(strstr(called.why, "Subject not found"));
    world.sites[0].bad = 1000;
    world.sites[0].manner = HTTP_DOUBLE_GONE;
    const unsigned before = asked(&world);
    called = call(&world, "/subjects/t/versions/1");
    assert_int_equal(called.fault, FAULT_HTTP_UNREACHABLE);
    /* libcurl itself goes once more where a connection that it kept turns out to be closed. */
    assert_in_range(asked(&world), before + 3, before + 4);
    world_close(&world);
}

static void assert_refused(const char *first, const char *second, const char *third,
                           const char *fourth)
{
    uv_loop_t loop;
    struct registry *registry;
    struct reason reason = {""};
    static const struct option_row *const tables[] = {registry_option_rows};
    struct option_set *options = option_set_create(tables, 1);
    char *words[] = {(char *)(uintptr_t)first, (char *)(uintptr_t)second, (char *)(uintptr_t)third,
                     (char *)(uintptr_t)fourth};
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(option_set_read(options, third == NULL ? 2 : 4, words, &reason), FAULT_NONE);
    assert_int_equal(registry_open(options, &loop, NULL, NULL, &registry, &reason),
                     FAULT_OPTION_INVALID);
    assert_non_null(strstr(reason.text, "--schema-registry"));
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    option_set_destroy(options);
}

static void test_options(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "ftp://x",    "x:8081",       "http://",     "http://a,,http://b",
        "http://a?b", "http:///path", "http://u:p@", "http://a b"};
    for (size_t i = 0; i < COUNT_OF(urls); i++)
        assert_refused("--schema-registry", urls[i], NULL, NULL);
    assert_refused("--schema-registry", "http://a", "--schema-registry.password-file", "/nowhere");
    assert_refused("--schema-registry", "http://a", "--schema-registry.token-file", "/dev/null");
    assert_refused("--schema-registry", "https://a", "--schema-registry.ca", "/nowhere");
    assert_refused("--schema-registry", "http://a", "--schema-registry.timeout", "0s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_and_guids),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_what_is_no_schema),
        cmocka_unit_test(test_missing_is_remembered_for_a_while),
        cmocka_unit_test(test_trouble_is_waited_out),
        cmocka_unit_test(test_each_is_asked_before_an_id_is_missing),
        cmocka_unit_test(test_away),
        cmocka_unit_test(test_hostile_ids),
        cmocka_unit_test(test_calls_end),
        cmocka_unit_test(test_options),
    };
    (void)setenv("no_proxy", "*", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
