#include "redis/store.h"
#include "clock/wall.h"
#include "memory/heap.h"
#include "redis/store_url.h"

#include <hiredis/adapters/libuv.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>

enum {
    STORE_TICK_MS = 250,
    STORE_TIMEOUT_MS = 5000,
    STORE_BACKOFF_MAX_MS = 2000,
    STORE_PING_MS = 2000,
    STORE_REFUSED_MS = 1000
};

/* KEYS: TAG:at, TAG:state. ARGV: epoch, from, to, n, n × (field, bytes), then fields to remove. */
static const char write_script[] =
    "local at = redis.call('HMGET', KEYS[1], 'epoch', 'offset') "
    "if at[1] ~= ARGV[1] then return 'FENCED' end "
    "local now = at[2] or '' "
    "if now == ARGV[3] then return 'APPLIED' end "
    "if now ~= ARGV[2] then return 'CONFLICT' end "
    "local n = tonumber(ARGV[4]) "
    "for i = 1, n do redis.call('HSET', KEYS[2], ARGV[3 + 2 * i], ARGV[4 + 2 * i]) end "
    "for i = 5 + 2 * n, #ARGV do redis.call('HDEL', KEYS[2], ARGV[i]) end "
    "redis.call('HSET', KEYS[1], 'offset', ARGV[3]) "
    "return 'APPLIED'";
static const char read_script[] =
    "local epoch = redis.call('HINCRBY', KEYS[1], 'epoch', 1) "
    "return {epoch, redis.call('HGET', KEYS[1], 'offset') or '', redis.call('HGETALL', KEYS[2])}";

struct request {
    struct request *next; /* owned list */
    struct store *store;  /* borrowed */
    int argument_count;
    char **arguments; /* owned, each owned */
    size_t *sizes;    /* owned */
    bool sent;
    bool forgotten; /* the answer is dropped */
    int64_t sent_ns;
    void (*on_read)(void *context, const struct store_snapshot *snapshot);
    void (*on_written)(void *context, enum store_outcome outcome);
    void *context; /* borrowed */
};

struct store {
    struct store_options options;
    struct store_url url;
    redisAsyncContext *link; /* owned by hiredis once attached; NULL: not connected */
    uv_timer_t *tick;        /* owned; freed in its close callback */
    struct request *first;   /* in order of asking; sent ones lead */
    bool ready, pinging, closing;
    bool refused; /* it answers, but refuses writes; tried again every STORE_REFUSED_MS */
    int64_t refused_at_ns;
    char why[160];         /* why it is not ready */
    int64_t connect_at_ns; /* not before */
    int64_t link_at_ns;    /* when the connection was begun */
    int64_t ping_at_ns;    /* when the last PING was sent */
    int64_t backoff_ms;
};

static void request_destroy(struct request *request)
{
    for (int i = 0; i < request->argument_count; i++)
        heap_release(request->arguments[i]);
    heap_release(request->arguments);
    heap_release(request->sizes);
    heap_release(request);
}

static void set_ready(struct store *store, bool ready)
{
    if (store->ready == ready)
        return;
    store->ready = ready;
    if (!store->closing)
        store->options.on_state(store->options.context, ready);
}

/* The connection is gone: what was sent is sent again on the next one. */
static void lost(struct store *store)
{
    store->link = NULL;
    store->refused = false;
    (void)snprintf(store->why, sizeof store->why, "no answer");
    store->pinging = false;
    for (struct request **place = &store->first; *place != NULL;) {
        struct request *request = *place;
        request->sent = false;
        if (request->forgotten) { /* never again: a second read would take another epoch */
            *place = request->next;
            request_destroy(request);
        } else {
            place = &request->next;
        }
    }
    store->backoff_ms = store->backoff_ms == 0 ? 100 : store->backoff_ms * 2;
    if (store->backoff_ms > STORE_BACKOFF_MAX_MS)
        store->backoff_ms = STORE_BACKOFF_MAX_MS;
    store->connect_at_ns = monotonic_now_ns() + store->backoff_ms * 1000000;
    set_ready(store, false);
}

static void drop_link(struct store *store)
{
    redisAsyncContext *link = store->link;
    if (link == NULL)
        return;
    lost(store); /* first: hiredis calls the pending callbacks with NULL replies, which then find no
                    link */
    link->data = NULL;
    redisAsyncFree(link);
}

static void on_connect(const redisAsyncContext *link, int status)
{
    struct store *store = link->data;
    if (store != NULL && status != REDIS_OK)
        lost(store); /* hiredis frees the context itself */
}

static void on_disconnect(const redisAsyncContext *link, int status)
{
    (void)status;
    struct store *store = link->data;
    if (store != NULL)
        lost(store);
}

static void take_out(struct store *store, struct request *request)
{
    struct request **place = &store->first;
    while (*place != request)
        place = &(*place)->next;
    *place = request->next;
}

static void answer_read(struct request *request, const redisReply *reply)
{
    const redisReply *pairs = reply->element[2];
    const size_t count = pairs->elements / 2;
    struct store_entry *entries = heap_zeroed(count, sizeof *entries);
    for (size_t i = 0; i < count; i++) {
        const redisReply *field = pairs->element[2 * i], *bytes = pairs->element[2 * i + 1];
        entries[i].field = span_of(field->str, (size_t)field->len);
        entries[i].bytes = span_of(bytes->str, (size_t)bytes->len);
    }
    const redisReply *offset = reply->element[1];
    const struct store_snapshot snapshot = {.epoch = reply->element[0]->integer,
                                            .offset = span_of(offset->str, (size_t)offset->len),
                                            .entries = entries,
                                            .entry_count = count};
    request->on_read(request->context, &snapshot);
    heap_release(entries);
}

/* MISCONF (no disk space), NOREPLICAS, OOM, READONLY, LOADING: the connection is well, the request
 * stays and is tried again. */
static void refuse(struct store *store, const redisReply *reply)
{
    store->refused = true;
    store->refused_at_ns = monotonic_now_ns();
    (void)snprintf(store->why, sizeof store->why, "%s",
                   reply->type == REDIS_REPLY_ERROR ? reply->str : "an answer of the wrong kind");
    set_ready(store, false);
}

static bool is_snapshot(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 &&
           reply->element[0]->type == REDIS_REPLY_INTEGER &&
           reply->element[1]->type == REDIS_REPLY_STRING &&
           reply->element[2]->type == REDIS_REPLY_ARRAY;
}

static void on_reply(redisAsyncContext *link, void *raw, void *context)
{
    if (link->data == NULL || raw == NULL)
        return; /* outcome unknown: it stays in the list and is sent again, if it was not forgotten
                   and freed */
    struct request *request = context;
    struct store *store = request->store;
    const redisReply *reply = raw;
    const bool written = request->on_written != NULL;
    const bool good = written
                          ? reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS
                          : is_snapshot(reply);
    if (!good) {
        refuse(store, reply);
        request->sent = false;
        if (request->forgotten) { /* never again: a second read would take another epoch */
            take_out(store, request);
            request_destroy(request);
        }
        return;
    }
    store->refused = false;
    set_ready(store, true);
    take_out(store, request);
    if (!request->forgotten && written)
        request->on_written(request->context, strcmp(reply->str, "APPLIED") == 0  ? STORE_APPLIED
                                              : strcmp(reply->str, "FENCED") == 0 ? STORE_FENCED
                                                                                  : STORE_CONFLICT);
    else if (!request->forgotten)
        answer_read(request, reply);
    request_destroy(request);
}

static void send_request(struct store *store, struct request *request)
{
    request->sent = true;
    request->sent_ns = monotonic_now_ns();
    if (redisAsyncCommandArgv(store->link, on_reply, request, request->argument_count,
                              (const char **)(uintptr_t)request->arguments,
                              request->sizes) != REDIS_OK)
        request->sent = false;
}

static void send_waiting(struct store *store)
{
    if (store->link == NULL || !store->ready)
        return;
    for (struct request *request = store->first; request != NULL && store->link != NULL;
         request = request->next) {
        if (!request->sent)
            send_request(store, request);
    }
}

/* While it refuses, one request at a time asks whether it still does. */
static void try_again(struct store *store, int64_t now_ns)
{
    struct request *first = store->first;
    if (now_ns - store->refused_at_ns < (int64_t)STORE_REFUSED_MS * 1000000)
        return;
    if (first == NULL)
        store->refused = false; /* nobody waits any more: the next write will tell */
    else if (!first->sent)
        send_request(store, first);
}

static void on_ping(redisAsyncContext *link, void *raw, void *context)
{
    struct store *store = context;
    const redisReply *reply = raw;
    if (link->data == NULL || reply == NULL)
        return;
    store->pinging = false;
    if (reply->type == REDIS_REPLY_ERROR) { /* NOAUTH, LOADING */
        drop_link(store);
        return;
    }
    store->backoff_ms = 0;
    if (!store->refused)
        set_ready(store, true);
    send_waiting(store);
}

static void ping(struct store *store)
{
    store->pinging = true;
    store->ping_at_ns = monotonic_now_ns();
    (void)redisAsyncCommand(store->link, on_ping, store, "PING");
}

static void connect_link(struct store *store)
{
    store->link_at_ns = monotonic_now_ns();
    redisAsyncContext *link = redisAsyncConnect(store->url.host, store->url.port);
    if (link == NULL || link->err != 0) {
        if (link != NULL)
            redisAsyncFree(link);
        lost(store);
        return;
    }
    link->data = store;
    store->link = link;
    (void)redisLibuvAttach(link, store->options.loop);
    (void)redisAsyncSetConnectCallback(link, on_connect);
    (void)redisAsyncSetDisconnectCallback(link, on_disconnect);
    if (store->url.password[0] != '\0' && store->url.user[0] != '\0')
        (void)redisAsyncCommand(link, NULL, NULL, "AUTH %s %s", store->url.user,
                                store->url.password);
    else if (store->url.password[0] != '\0')
        (void)redisAsyncCommand(link, NULL, NULL, "AUTH %s", store->url.password);
    if (store->url.database != 0)
        (void)redisAsyncCommand(link, NULL, NULL, "SELECT %d", store->url.database);
    ping(store);
}

static bool is_overdue(int64_t since_ns, int64_t now_ns)
{
    return now_ns - since_ns > (int64_t)STORE_TIMEOUT_MS * 1000000;
}

static void on_tick(uv_timer_t *timer)
{
    struct store *store = timer->data;
    const int64_t now_ns = monotonic_now_ns();
    if (store->link == NULL) {
        if (now_ns >= store->connect_at_ns)
            connect_link(store);
        return;
    }
    const struct request *oldest = store->first;
    if ((store->pinging && is_overdue(store->ping_at_ns, now_ns)) ||
        (oldest != NULL && oldest->sent && is_overdue(oldest->sent_ns, now_ns))) {
        drop_link(store);
        return;
    }
    if (!store->pinging && now_ns - store->ping_at_ns > (int64_t)STORE_PING_MS * 1000000)
        ping(store);
    if (store->refused)
        try_again(store, now_ns);
    send_waiting(store);
}

enum fault store_open(const struct store_options *options, struct store **out_store,
                      struct reason *out_reason)
{
    struct store_url url;
    const enum fault fault = store_url_parse(options->url, &url, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    struct store *store = heap_zeroed(1, sizeof *store);
    store->options = *options;
    store->url = url;
    store->tick = heap_zeroed(1, sizeof *store->tick);
    store->tick->data = store;
    (void)uv_timer_init(options->loop, store->tick);
    (void)uv_timer_start(store->tick, on_tick, 0, STORE_TICK_MS);
    *out_store = store;
    return FAULT_NONE;
}

const char *store_why(const struct store *store)
{
    return store->why;
}

bool store_is_ready(const struct store *store)
{
    return store->ready;
}

static void argument(struct request *request, struct span text)
{
    request->sizes[request->argument_count] = text.size;
    request->arguments[request->argument_count++] = span_copied(text);
}

static struct request *request_create(struct store *store, const char *script, const char *tag,
                                      size_t more)
{
    struct request *request = heap_zeroed(1, sizeof *request);
    request->store = store;
    request->arguments = heap_zeroed(5 + more, sizeof *request->arguments);
    request->sizes = heap_zeroed(5 + more, sizeof *request->sizes);
    char *at = heap_format("%s:at", tag), *state = heap_format("%s:state", tag);
    argument(request, span_text("EVAL"));
    argument(request, span_text(script));
    argument(request, span_text("2"));
    argument(request, span_text(at));
    argument(request, span_text(state));
    heap_release(at);
    heap_release(state);
    struct request **last = &store->first;
    while (*last != NULL)
        last = &(*last)->next;
    *last = request;
    return request;
}

void store_read(struct store *store, const char *tag,
                void (*on_read)(void *context, const struct store_snapshot *snapshot),
                void *context)
{
    struct request *request = request_create(store, read_script, tag, 0);
    request->on_read = on_read;
    request->context = context;
    send_waiting(store);
}

void store_write(struct store *store, const char *tag, int64_t epoch, struct span from,
                 struct span to, const struct store_entry *entries, size_t entry_count,
                 void (*on_written)(void *context, enum store_outcome outcome), void *context)
{
    REQUIRE(!span_equal(from, to));
    struct request *request = request_create(store, write_script, tag, 4 + 2 * entry_count);
    size_t puts = 0;
    for (size_t i = 0; i < entry_count; i++)
        puts += entries[i].bytes.bytes != NULL;
    char number[24];
    (void)snprintf(number, sizeof number, "%lld", (long long)epoch);
    argument(request, span_text(number));
    argument(request, from);
    argument(request, to);
    (void)snprintf(number, sizeof number, "%zu", puts);
    argument(request, span_text(number));
    for (size_t i = 0; i < entry_count; i++) {
        if (entries[i].bytes.bytes == NULL)
            continue;
        argument(request, entries[i].field);
        argument(request, entries[i].bytes);
    }
    for (size_t i = 0; i < entry_count; i++) {
        if (entries[i].bytes.bytes == NULL)
            argument(request, entries[i].field);
    }
    request->on_written = on_written;
    request->context = context;
    send_waiting(store);
}

void store_forget(struct store *store, void *context)
{
    for (struct request **place = &store->first; *place != NULL;) {
        struct request *request = *place;
        if (request->context == context)
            request->forgotten = true;
        if (request->forgotten && !request->sent) {
            *place = request->next;
            request_destroy(request);
        } else {
            place = &request->next;
        }
    }
}

size_t store_waiting(const struct store *store)
{
    size_t count = 0;
    for (const struct request *request = store->first; request != NULL; request = request->next)
        count += !request->forgotten;
    return count;
}

static void on_closed(uv_handle_t *handle)
{
    heap_release(handle);
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    store->closing = true;
    drop_link(store);
    while (store->first != NULL) {
        struct request *request = store->first;
        store->first = request->next;
        request_destroy(request);
    }
    uv_close((uv_handle_t *)store->tick, on_closed);
    heap_release(store);
}
