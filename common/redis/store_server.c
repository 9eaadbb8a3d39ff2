#include "redis/store_server.h"
#include "clock/wall.h"
#include "memory/heap.h"
#include "redis/store_advice.h"

enum { BACKOFF_LEAST_MS = 100, BACKOFF_MOST_MS = 2000, PING_MS = 2000, NS_PER_MS = 1000000 };

static void on_down(void *context);
static void on_ping(void *context, const struct link_reply *reply);
static void introduce(struct store_server *server);

static void send_words(struct store_server *server, const char *const *words, size_t count,
                       void (*on_reply)(void *context, const struct link_reply *reply))
{
    struct span spans[3];
    REQUIRE(count <= COUNT_OF(spans));
    for (size_t i = 0; i < count; i++)
        spans[i] = span_text(words[i]);
    link_send(server->link, spans, count, on_reply, server);
}

struct store_server *store_server_create(const struct store_server_options *options)
{
    struct store_server *server = heap_zeroed(1, sizeof *server);
    server->options = *options;
    server->host = heap_text(options->host);
    server->options.host = server->host;
    return server;
}

bool store_server_is(const struct store_server *server, const char *host, int port)
{
    return server->options.port == port && strcmp(server->host, host) == 0;
}

static void ping(struct store_server *server, int64_t now_ns)
{
    server->pinging = true;
    server->ping_at_ns = now_ns;
    send_words(server, (const char *const[]){"PING"}, 1, on_ping);
}

static void connect_link(struct store_server *server, int64_t now_ns)
{
    const struct store_url *url = server->options.url;
    const struct link_options options = {.loop = server->options.loop,
                                         .host = server->host,
                                         .port = server->options.port,
                                         .user = url->user,
                                         .password = url->password,
                                         .database = url->database,
                                         .on_down = on_down,
                                         .context = server};
    server->link = link_open(&options);
    ping(server, now_ns);
}

void store_server_tick(struct store_server *server, bool wanted, int64_t now_ns)
{
    if (server->link == NULL) {
        if (wanted && now_ns >= server->connect_at_ns)
            connect_link(server, now_ns);
        return;
    }
    const int64_t silence_ns = now_ns - server->ping_at_ns;
    if (server->pinging && silence_ns > (int64_t)STORE_TIMEOUT_MS * NS_PER_MS)
        store_server_lose(server, "no answer");
    else if (!server->pinging && silence_ns > (int64_t)PING_MS * NS_PER_MS)
        ping(server, now_ns);
}

static void forget_sums(struct store_server *server)
{
    for (size_t i = 0; i < STORE_SCRIPT_COUNT; i++) {
        heap_release(server->sums[i]);
        server->sums[i] = NULL;
    }
}

void store_server_lose(struct store_server *server, const char *why)
{
    char *said = heap_text(why); /* it may lie in an answer of this link */
    link_close(server->link);
    server->link = NULL;
    server->ready = server->pinging = false;
    forget_sums(server);
    server->backoff_ms = server->backoff_ms == 0 ? BACKOFF_LEAST_MS : server->backoff_ms * 2;
    if (server->backoff_ms > BACKOFF_MOST_MS)
        server->backoff_ms = BACKOFF_MOST_MS;
    server->connect_at_ns = monotonic_now_ns() + server->backoff_ms * NS_PER_MS;
    server->options.on_lost(server->options.context, server, said);
    heap_release(said);
}

void store_server_call(struct store_server *server, enum store_script script, bool spelled,
                       const struct store_arguments *arguments,
                       void (*on_reply)(void *context, const struct link_reply *reply),
                       void *context)
{
    REQUIRE(server->ready);
    const char *sum = spelled ? NULL : server->sums[script];
    arguments->spans[0] = span_text(sum == NULL ? "EVAL" : "EVALSHA");
    arguments->spans[1] = span_text(sum == NULL ? store_script_text(script) : sum);
    link_send(server->link, arguments->spans, arguments->count, on_reply, context);
}

void store_server_asking(struct store_server *server)
{
    REQUIRE(server->ready);
    send_words(server, (const char *const[]){"ASKING"}, 1, NULL);
}

void store_server_destroy(struct store_server *server)
{
    link_close(server->link);
    forget_sums(server);
    heap_release(server->host);
    heap_release(server);
}

static void on_down(void *context)
{
    struct store_server *server = context;
    server->link = NULL;
    store_server_lose(server, "no answer");
}

static void on_ping(void *context, const struct link_reply *reply)
{
    struct store_server *server = context;
    server->pinging = false;
    if (reply->kind == LINK_ERROR) { /* NOAUTH, WRONGPASS, LOADING, MASTERDOWN */
        char *words = span_copied(reply->text);
        store_server_lose(server, words);
        heap_release(words);
        return;
    }
    server->backoff_ms = 0;
    if (server->ready)
        return;
    server->ready = true;
    introduce(server);
    server->options.on_ready(server->options.context, server);
}

/* Refused (an ACL without SCRIPT): then the scripts are spelled out each time. */
static void on_sum(struct store_server *server, enum store_script script,
                   const struct link_reply *reply)
{
    if (reply->kind != LINK_TEXT)
        return;
    heap_release(server->sums[script]);
    server->sums[script] = span_copied(reply->text);
}

static void on_read_sum(void *context, const struct link_reply *reply)
{
    on_sum(context, STORE_SCRIPT_READ, reply);
}

static void on_write_sum(void *context, const struct link_reply *reply)
{
    on_sum(context, STORE_SCRIPT_WRITE, reply);
}

static void warn(struct store_server *server, bool *said, bool found, const char *event,
                 const char *text)
{
    const bool news = found && !*said;
    *said = found;
    if (news)
        server->options.on_warning(server->options.context, event, text);
}

/* ["save", "3600 1 300 100"]; "" is: never. */
static void on_save_points(void *context, const struct link_reply *reply)
{
    struct store_server *server = context;
    if (reply->kind != LINK_LIST || reply->count != 2 || reply->elements[1].kind != LINK_TEXT)
        return;
    warn(
        server, &server->not_persistent, reply->elements[1].text.size == 0, "redis_not_persistent",
        "neither an append-only file nor save points: a Redis that restarts is empty, and state is "
        "rebuilt from Kafka; set appendonly yes");
}

static void on_info(void *context, const struct link_reply *reply)
{
    struct store_server *server = context;
    if (reply->kind != LINK_TEXT)
        return; /* an ACL without INFO: nothing can be told */
    struct reason reason = {""};
    const bool evicts = store_advice_evicts(reply->text, &reason);
    if (store_advice_has_no_log(reply->text))
        send_words(server, (const char *const[]){"CONFIG", "GET", "save"}, 3, on_save_points);
    else
        server->not_persistent = false;
    warn(server, &server->evicts, evicts, "redis_evicts", reason.text);
}

static void introduce(struct store_server *server)
{
    const char *const read[3] = {"SCRIPT", "LOAD", store_script_text(STORE_SCRIPT_READ)};
    const char *const write[3] = {"SCRIPT", "LOAD", store_script_text(STORE_SCRIPT_WRITE)};
    send_words(server, read, 3, on_read_sum);
    send_words(server, write, 3, on_write_sum);
    send_words(server, (const char *const[]){"INFO"}, 1, on_info);
}
