#include "redis/link.h"
#include "memory/heap.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>

#define LINK_MAGIC 0x6c696e6bu
struct link {
    uint32_t magic;
    redisAsyncContext *connection; /* owned by hiredis; NULL: it is gone, handle is being closed */
    union {
        uv_handle_t any;
        uv_poll_t poll; /* of the connection's socket */
        uv_idle_t idle; /* where there never was a socket: only there to be closed */
    } handle;
    int events;    /* watched by handle.poll */
    bool closed;   /* by the caller: nothing is reported any more */
    char *refusal; /* owned: Redis's words where it refused AUTH or SELECT; NULL */
    void (*on_down)(void *context);
    void *context; /* borrowed */
};

/* A command under way. */
struct order {
    struct link *link; /* borrowed */
    void (*on_reply)(void *context, const struct link_reply *reply);
    void *context; /* borrowed */
};

static void greet(struct link *link, const struct link_options *options);

static struct link *link_of(void *pointer)
{
    struct link *link = pointer;
    REQUIRE(link != NULL && link->magic == LINK_MAGIC);
    return link;
}

/* Both ends of a link come here, by the close callback: on_down is thus never inside a call. */
static void on_closed(uv_handle_t *handle)
{
    struct link *link = link_of(handle->data);
    if (!link->closed)
        link->on_down(link->context);
    link->magic = 0;
    heap_release(link->refusal);
    heap_release(link);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct link *link = link_of(poll->data);
    /* After an error libuv watches no more; hiredis finds the error by reading. (Its own adapter
     * returns here, and a refused connection is never noticed.) */
    const int happened = status != 0 ? UV_READABLE : events;
    if (link->connection != NULL && (happened & UV_READABLE) != 0)
        redisAsyncHandleRead(link->connection);
    if (link->connection != NULL && (happened & UV_WRITABLE) != 0)
        redisAsyncHandleWrite(link->connection);
}

static void watch(struct link *link, int events)
{
    if (uv_is_closing(&link->handle.any))
        return;
    link->events = events;
    if (events == 0)
        (void)uv_poll_stop(&link->handle.poll);
    else
        (void)uv_poll_start(&link->handle.poll, events, on_poll);
}

static void add_read(void *context)
{
    struct link *link = link_of(context);
    watch(link, link->events | UV_READABLE);
}

static void stop_read(void *context)
{
    struct link *link = link_of(context);
    watch(link, link->events & ~UV_READABLE);
}

static void add_write(void *context)
{
    struct link *link = link_of(context);
    watch(link, link->events | UV_WRITABLE);
}

static void stop_write(void *context)
{
    struct link *link = link_of(context);
    watch(link, link->events & ~UV_WRITABLE);
}

/* hiredis frees the connection, for whatever reason; all pending callbacks have come with NULL. */
static void on_cleanup(void *context)
{
    struct link *link = link_of(context);
    link->connection = NULL;
    uv_close(&link->handle.any, on_closed);
}

/* hiredis 0.14 forgets this for connections that are not made at once. */
static void on_connect(const redisAsyncContext *connection, int status)
{
    const int on = 1;
    if (status == REDIS_OK)
        (void)setsockopt(connection->c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

struct link *link_open(const struct link_options *options)
{
    REQUIRE(options != NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    struct link *link = heap_zeroed(1, sizeof *link);
    link->magic = LINK_MAGIC;
    link->on_down = options->on_down;
    link->context = options->context;
    redisAsyncContext *connection = redisAsyncConnect(options->host, options->port);
    if (connection == NULL || connection->err != 0 ||
        uv_poll_init(options->loop, &link->handle.poll, connection->c.fd) != 0) {
        if (connection != NULL)
            redisAsyncFree(connection);
        ENSURE(uv_idle_init(options->loop, &link->handle.idle) == 0);
        link->handle.any.data = link;
        uv_close(&link->handle.any, on_closed);
        return link;
    }
    link->handle.any.data = link;
    link->connection = connection;
    connection->ev.data = link;
    connection->ev.addRead = add_read;
    connection->ev.delRead = stop_read;
    connection->ev.addWrite = add_write;
    connection->ev.delWrite = stop_write;
    connection->ev.cleanup = on_cleanup;
    (void)redisAsyncSetConnectCallback(connection, on_connect); /* also begins to watch */
    greet(link, options);
    return link;
}

static enum link_kind kind_of(int type)
{
    switch (type) {
    case REDIS_REPLY_STATUS:
        return LINK_STATUS;
    case REDIS_REPLY_STRING:
        return LINK_TEXT;
    case REDIS_REPLY_INTEGER:
        return LINK_INTEGER;
    case REDIS_REPLY_ERROR:
        return LINK_ERROR;
    case REDIS_REPLY_ARRAY:
        return LINK_LIST;
    default:
        return LINK_NIL;
    }
}

/* hiredis itself refuses more than seven levels. */
static void reply_init(struct link_reply *reply, const redisReply *raw)
{
    *reply = (struct link_reply){.kind = kind_of(raw->type), .integer = raw->integer};
    if (raw->str != NULL)
        reply->text = span_of(raw->str, (size_t)raw->len);
    if (reply->kind != LINK_LIST || raw->elements == 0)
        return;
    struct link_reply *elements = heap_zeroed(raw->elements, sizeof *elements);
    for (size_t i = 0; i < raw->elements; i++)
        reply_init(&elements[i], raw->element[i]);
    reply->elements = elements;
    reply->count = raw->elements;
}

static void reply_fini(const struct link_reply *reply)
{
    for (size_t i = 0; i < reply->count; i++)
        reply_fini(&reply->elements[i]);
    heap_release((void *)(uintptr_t)reply->elements);
}

static void on_raw_reply(redisAsyncContext *connection, void *raw, void *context)
{
    (void)connection;
    struct order *order = context;
    struct link *link = link_of(order->link);
    if (raw != NULL && !link->closed && order->on_reply != NULL) { /* NULL: on_down will come */
        struct link_reply reply;
        if (link->refusal != NULL)
            reply = (struct link_reply){.kind = LINK_ERROR, .text = span_text(link->refusal)};
        else
            reply_init(&reply, raw);
        order->on_reply(order->context, &reply);
        reply_fini(&reply);
    }
    heap_release(order);
}

void link_send(struct link *link, const struct span *arguments, size_t count,
               void (*on_reply)(void *context, const struct link_reply *reply), void *context)
{
    REQUIRE(link_of(link) == link);
    REQUIRE(!link->closed);
    REQUIRE(count > 0);
    if (link->connection == NULL)
        return; /* on_down is on its way */
    const char **texts = heap_zeroed(count, sizeof *texts);
    size_t *sizes = heap_zeroed(count, sizeof *sizes);
    for (size_t i = 0; i < count; i++) {
        texts[i] = arguments[i].size == 0 ? "" : (const char *)arguments[i].bytes;
        sizes[i] = arguments[i].size;
    }
    struct order *order = heap_zeroed(1, sizeof *order);
    *order = (struct order){link, on_reply, context};
    if (redisAsyncCommandArgv(link->connection, on_raw_reply, order, (int)count, texts, sizes) !=
        REDIS_OK)
        heap_release(order); /* it is disconnecting */
    heap_release(texts);
    heap_release(sizes);
}

void link_close(struct link *link)
{
    if (link == NULL)
        return;
    REQUIRE(link_of(link) == link);
    REQUIRE(!link->closed);
    link->closed = true;
    if (link->connection != NULL)
        redisAsyncFree(link->connection); /* at once, or after the callback we are in */
}

static void on_greeted(void *context, const struct link_reply *reply)
{
    struct link *link = link_of(context);
    if (reply->kind == LINK_ERROR && link->refusal == NULL)
        link->refusal = span_copied(reply->text);
}

static void greet(struct link *link, const struct link_options *options)
{
    if (options->password[0] != '\0') {
        const bool named = options->user[0] != '\0';
        const struct span words[3] = {span_text("AUTH"),
                                      span_text(named ? options->user : options->password),
                                      span_text(options->password)};
        link_send(link, words, named ? 3 : 2, on_greeted, link);
    }
    if (options->database != 0) {
        char number[16];
        (void)snprintf(number, sizeof number, "%d", options->database);
        const struct span words[2] = {span_text("SELECT"), span_text(number)};
        link_send(link, words, 2, on_greeted, link);
    }
}
