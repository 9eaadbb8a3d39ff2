#include "redis/store.h"
#include "clock/wall.h"
#include "memory/arena.h"
#include "memory/heap.h"
#include "redis/store_server.h"
#include "redis/store_slot.h"

enum {
    REFUSED_MS = 1000,    /* a refused request is sent again after */
    FORGOTTEN_MS = 60000, /* a server that nobody wants any more */
    HOPS_MAX = 5,         /* redirections in a row */
    NS_PER_MS = 1000000,
};

struct request {
    struct request *next; /* owned list */
    struct store *store;  /* borrowed */
    enum store_script script;
    struct arena *arena; /* owned: of the arguments */
    struct store_arguments arguments;
    uint16_t slot;
    struct store_server *server; /* borrowed: has it and has not answered; NULL: it waits */
    struct store_server *ask;    /* borrowed: try there, this once */
    int64_t sent_ns;
    int64_t again_at_ns; /* it was refused: not before */
    size_t refusals;
    int hops;
    bool spelled;   /* the script's sum was not known there */
    bool stuck;     /* refused, or its server was lost, and not answered since */
    bool forgotten; /* the answer is dropped */
    void (*on_read)(void *context, const struct store_snapshot *snapshot);
    void (*on_written)(void *context, enum store_outcome outcome);
    void *context; /* borrowed */
};

struct store {
    struct store_options options;
    struct store_url url;
    char *owner;                  /* owned */
    struct store_server *servers; /* owned list; the first is the URL's, and stays */
    struct store_server **slots;  /* owned, [STORE_SLOT_COUNT]; NULL: nothing was learned */
    struct request *first;        /* owned list, in order of asking */
    bool ready;
    char why[160]; /* why it is not ready */
};

static void on_server_ready(void *context, struct store_server *server);
static void on_server_lost(void *context, struct store_server *server, const char *why);
static void on_server_warning(void *context, const char *event, const char *text);
static void on_answer(void *context, const struct link_reply *reply);

/* ---- Servers and slots */

static struct store_server *server_at(struct store *store, const char *host, int port)
{
    struct store_server **place = &store->servers;
    while (*place != NULL) {
        if (store_server_is(*place, host, port))
            return *place;
        place = &(*place)->next;
    }
    const struct store_server_options options = {.loop = store->options.loop,
                                                 .url = &store->url,
                                                 .host = host,
                                                 .port = port,
                                                 .on_ready = on_server_ready,
                                                 .on_lost = on_server_lost,
                                                 .on_warning = on_server_warning,
                                                 .context = store};
    *place = store_server_create(&options);
    return *place;
}

static void learn(struct store *store, uint16_t slot, struct store_server *server)
{
    if (store->slots == NULL && server == NULL)
        return;
    if (store->slots == NULL)
        store->slots = heap_zeroed(STORE_SLOT_COUNT, sizeof(struct store_server *));
    if (store->slots[slot] != NULL)
        store->slots[slot]->slot_count--;
    store->slots[slot] = server;
    if (server != NULL)
        server->slot_count++;
}

static void unlearn(struct store *store, struct store_server *server)
{
    for (size_t slot = 0; slot < STORE_SLOT_COUNT && server->slot_count > 0; slot++) {
        if (store->slots[slot] == server)
            learn(store, (uint16_t)slot, NULL);
    }
}

static size_t ready_count(const struct store *store)
{
    size_t count = 0;
    for (const struct store_server *server = store->servers; server != NULL; server = server->next)
        count += server->ready;
    return count;
}

/* Where nothing is known, the URL's server tells; where that is lost, or has told nothing of use,
 * another. */
static struct store_server *any_server(struct store *store, size_t turn)
{
    const size_t count = ready_count(store);
    if (count == 0)
        return store->servers;
    size_t left = turn % count;
    for (struct store_server *server = store->servers; server != NULL; server = server->next) {
        if (server->ready && left-- == 0)
            return server;
    }
    UNREACHABLE("counted a moment ago");
    return NULL;
}

static struct store_server *server_for(struct store *store, const struct request *request)
{
    if (request->ask != NULL)
        return request->ask;
    if (store->slots != NULL && store->slots[request->slot] != NULL)
        return store->slots[request->slot];
    return any_server(store, request->refusals);
}

static bool is_wanted(const struct store *store, const struct store_server *server, size_t ready)
{
    if (server == store->servers || server->slot_count > 0 || ready == 0)
        return true;
    for (const struct request *request = store->first; request != NULL; request = request->next) {
        if (request->ask == server)
            return true;
    }
    return false;
}

/* ---- Requests */

static void take_out(struct request *request)
{
    struct request **place = &request->store->first;
    while (*place != request)
        place = &(*place)->next;
    *place = request->next;
}

static void request_destroy(struct request *request)
{
    arena_destroy(request->arena);
    heap_release(request);
}

static void send_waiting(struct store *store)
{
    const int64_t now_ns = monotonic_now_ns();
    for (struct request *request = store->first; request != NULL; request = request->next) {
        if (request->server != NULL || now_ns < request->again_at_ns)
            continue;
        struct store_server *server = server_for(store, request);
        if (!server->ready)
            continue;
        if (request->ask != NULL)
            store_server_asking(server);
        request->server = server;
        request->ask = NULL;
        request->sent_ns = now_ns;
        store_server_call(server, request->script, request->spelled, &request->arguments, on_answer,
                          request);
    }
}

/* Says so when the store has become ready, or is no more. */
static void refresh(struct store *store)
{
    bool ready = ready_count(store) > 0;
    for (const struct request *request = store->first; request != NULL; request = request->next)
        ready = ready && (!request->stuck || request->forgotten);
    if (ready == store->ready)
        return;
    store->ready = ready;
    store->options.on_state(store->options.context, ready);
}

/* The outcome of all that it had is unknown: sent again, to whoever has the slots then. */
static void on_server_lost(void *context, struct store_server *server, const char *why)
{
    struct store *store = context;
    (void)snprintf(store->why, sizeof store->why, "%s", why);
    for (struct request **place = &store->first; *place != NULL;) {
        struct request *request = *place;
        const bool had = request->server == server;
        if (had && request->forgotten) { /* never again: a second read would take another epoch */
            *place = request->next;
            request_destroy(request);
            continue;
        }
        if (had || (request->server == NULL && server_for(store, request) == server)) {
            request->stuck = true;
            request->hops = 0;
        }
        if (had)
            request->server = NULL;
        if (request->ask == server)
            request->ask = NULL;
        place = &request->next;
    }
    unlearn(store, server);
    refresh(store);
}

static void on_server_ready(void *context, struct store_server *server)
{
    struct store *store = context;
    (void)server;
    send_waiting(store);
    refresh(store);
}

static void on_server_warning(void *context, const char *event, const char *text)
{
    const struct store *store = context;
    if (store->options.on_warning != NULL)
        store->options.on_warning(store->options.context, event, text);
}

/* ---- Answers */

/* By its code, or by that of the command in a script, as Redis 6 says it: "ERR … -READONLY …". */
static bool is_error(struct span text, const char *code)
{
    char *words = span_copied(text);
    char *inner = heap_format("-%s ", code);
    const bool is = strncmp(words, inner + 1, strlen(code)) == 0 || strstr(words, inner) != NULL;
    heap_release(inner);
    heap_release(words);
    return is;
}

/* The answer says that it is to be sent again at once, elsewhere or otherwise. */
static bool is_redirected(struct request *request, struct store_server *server, struct span text)
{
    struct store *store = request->store;
    struct store_redirect redirect;
    if (request->hops >= HOPS_MAX)
        return false;
    if (!request->spelled && is_error(text, "NOSCRIPT")) {
        request->spelled = true;
    } else if (store_redirect_read(text, &redirect)) {
        const char *host = redirect.host[0] == '\0' ? server->host : redirect.host;
        struct store_server *target = server_at(store, host, redirect.port);
        if (redirect.ask)
            request->ask = target;
        else
            learn(store, redirect.slot, target);
    } else {
        return false;
    }
    request->hops++;
    return true;
}

/* The request stays: it is sent again by and by. */
static void refuse(struct request *request, struct store_server *server, struct span text)
{
    struct store *store = request->store;
    char *words = span_copied(text);
    (void)snprintf(store->why, sizeof store->why, "%s", words);
    request->stuck = true;
    request->hops = 0;
    request->refusals++;
    request->again_at_ns = monotonic_now_ns() + (int64_t)REFUSED_MS * NS_PER_MS;
    if (is_error(text, "CLUSTERDOWN"))
        learn(store, request->slot, NULL); /* another server may know better */
    if (is_error(text, "READONLY") || is_error(text, "MASTERDOWN"))
        store_server_lose(server, words); /* a replica by now: the name may mean another server */
    heap_release(words);
}

static void give(struct request *request, const struct store_snapshot *snapshot,
                 enum store_outcome outcome)
{
    request->stuck = false; /* and yet in the list: on_state may forget it */
    refresh(request->store);
    take_out(request);
    if (!request->forgotten && request->script == STORE_SCRIPT_WRITE)
        request->on_written(request->context, outcome);
    else if (!request->forgotten)
        request->on_read(request->context, snapshot);
    request_destroy(request);
}

static void on_answer(void *context, const struct link_reply *reply)
{
    struct request *request = context;
    struct store *store = request->store;
    struct store_server *server = request->server;
    struct store_snapshot snapshot = {.fault = FAULT_NONE};
    enum store_outcome outcome = STORE_APPLIED;
    const bool good = request->script == STORE_SCRIPT_WRITE
                          ? store_script_outcome(reply, &outcome)
                          : store_script_snapshot(reply, request->arena, &snapshot);
    if (good) {
        give(request, &snapshot, outcome);
        return;
    }
    request->server = NULL;
    if (request->forgotten) { /* never again: a second read would take another epoch */
        take_out(request);
        request_destroy(request);
        refresh(store);
        return;
    }
    if (reply->kind != LINK_ERROR)
        refuse(request, server, span_text("an answer of the wrong kind"));
    else if (!is_redirected(request, server, reply->text))
        refuse(request, server, reply->text);
    send_waiting(store);
    refresh(store);
}

/* ---- The store */

enum fault store_open(const struct store_options *options, struct store **out_store,
                      struct reason *out_reason)
{
    REQUIRE(options != NULL && options->on_state != NULL);
    struct store_url url;
    const enum fault fault = store_url_parse(options->url, &url, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    struct store *store = heap_zeroed(1, sizeof *store);
    store->options = *options;
    store->url = url;
    store->owner = heap_text(options->owner == NULL ? "" : options->owner);
    (void)snprintf(store->why, sizeof store->why, "no answer");
    (void)server_at(store, store->url.host, store->url.port);
    *out_store = store;
    return FAULT_NONE;
}

void store_set_owner(struct store *store, const char *owner)
{
    heap_release(store->owner);
    store->owner = heap_text(owner);
}

static bool is_overdue(const struct store *store, const struct store_server *server, int64_t now_ns)
{
    for (const struct request *request = store->first; request != NULL; request = request->next) {
        if (request->server == server &&
            now_ns - request->sent_ns > (int64_t)STORE_TIMEOUT_MS * NS_PER_MS)
            return true;
    }
    return false;
}

/* Servers come by MOVED; in years of fail-overs they would be many. */
static void sweep(struct store *store, int64_t now_ns)
{
    const size_t ready = ready_count(store);
    for (struct store_server **place = &store->servers; *place != NULL;) {
        struct store_server *server = *place;
        if (server->link != NULL || is_wanted(store, server, ready) ||
            now_ns - server->connect_at_ns < (int64_t)FORGOTTEN_MS * NS_PER_MS) {
            place = &server->next;
        } else {
            *place = server->next;
            store_server_destroy(server);
        }
    }
}

void store_tick(struct store *store)
{
    const int64_t now_ns = monotonic_now_ns();
    const size_t ready = ready_count(store);
    for (struct store_server *server = store->servers; server != NULL; server = server->next) {
        if (is_overdue(store, server, now_ns))
            store_server_lose(server, "no answer");
        else
            store_server_tick(server, is_wanted(store, server, ready), now_ns);
    }
    sweep(store, now_ns);
    send_waiting(store);
    refresh(store);
}

const char *store_why(const struct store *store)
{
    return store->why;
}

bool store_is_ready(const struct store *store)
{
    return store->ready;
}

static struct request *request_create(struct store *store, enum store_script script, void *context)
{
    struct request *request = heap_zeroed(1, sizeof *request);
    request->store = store;
    request->script = script;
    request->context = context;
    request->arena = arena_create();
    return request;
}

static void ask(struct request *request)
{
    struct store *store = request->store;
    request->slot = store_slot(request->arguments.spans[STORE_SCRIPT_KEY_INDEX]);
    struct request **last = &store->first;
    while (*last != NULL)
        last = &(*last)->next;
    *last = request;
    send_waiting(store);
}

void store_read(struct store *store, const char *tag, int64_t epoch_least,
                void (*on_read)(void *context, const struct store_snapshot *snapshot),
                void *context)
{
    struct request *request = request_create(store, STORE_SCRIPT_READ, context);
    request->arguments = store_script_read(request->arena, tag, store->owner, epoch_least);
    request->on_read = on_read;
    ask(request);
}

void store_write(struct store *store, const char *tag, int64_t epoch, struct span from,
                 struct span to, const struct store_entry *entries, size_t entry_count,
                 void (*on_written)(void *context, enum store_outcome outcome), void *context)
{
    REQUIRE(to.size > 0);
    REQUIRE(!span_equal(from, to));
    struct request *request = request_create(store, STORE_SCRIPT_WRITE, context);
    const struct store_write write = {.tag = tag,
                                      .owner = store->owner,
                                      .epoch = epoch,
                                      .from = from,
                                      .to = to,
                                      .entries = entries,
                                      .entry_count = entry_count};
    request->arguments = store_script_write(request->arena, &write);
    request->on_written = on_written;
    ask(request);
}

void store_forget(struct store *store, void *context)
{
    for (struct request **place = &store->first; *place != NULL;) {
        struct request *request = *place;
        if (request->context == context)
            request->forgotten = true;
        if (request->forgotten && request->server == NULL) {
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

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    while (store->servers != NULL) {
        struct store_server *server = store->servers;
        store->servers = server->next;
        store_server_destroy(server);
    }
    while (store->first != NULL) {
        struct request *request = store->first;
        store->first = request->next;
        request_destroy(request);
    }
    heap_release(store->slots);
    heap_release(store->owner);
    heap_release(store);
}
