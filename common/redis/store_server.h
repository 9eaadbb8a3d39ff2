/* store_server.h: one Redis server as the store sees it: a link that is made again with back-off,
 * asked PING, and told our scripts. Private to store.c.
 *
 * A server is down until it has answered PING, and again once it is lost: its link ended, it did
 * not answer for 5 s, or store.c gave it up. Each new connection asks INFO, once; a warning is said
 * when it is news for this server.
 *
 * Owner    caller of store_server_create(); texts are copied.
 * Thread   loop thread only; callbacks come from the loop or from store_server_tick and
 * store_server_lose. on_ready and on_lost may do anything but destroy the server.
 */
#ifndef STORE_SERVER_H
#define STORE_SERVER_H
#include "redis/store_script.h"
#include "redis/store_url.h"

enum { STORE_TIMEOUT_MS = 5000 };

struct store_server;
struct store_server_options {
    uv_loop_t *loop;
    const struct store_url *url; /* borrowed: who we are; host and port are below */
    const char *host;
    int port;
    void (*on_ready)(void *context, struct store_server *server);
    void (*on_lost)(void *context, struct store_server *server, const char *why);
    void (*on_warning)(void *context, const char *event, const char *text);
    void *context;
};
struct store_server {
    struct store_server *next; /* store.c's list */
    struct store_server_options options;
    char *host;        /* owned */
    struct link *link; /* owned; NULL: not connected */
    bool ready;        /* it has answered PING on this link */
    bool pinging;
    int64_t ping_at_ns;             /* when the last PING was sent */
    int64_t connect_at_ns;          /* not before */
    int64_t backoff_ms;             /* 0: all is well */
    char *sums[STORE_SCRIPT_COUNT]; /* owned: what it calls our scripts; NULL: not known */
    bool evicts, not_persistent;    /* what it was found to do was said */
    size_t slot_count;              /* store.c's: slots known to be here */
};

struct store_server *store_server_create(const struct store_server_options *options);
bool store_server_is(const struct store_server *server, const char *host, int port);
/* Connects where it is wanted and due, asks PING, gives up what does not answer. */
void store_server_tick(struct store_server *server, bool wanted, int64_t now_ns);
void store_server_lose(struct store_server *server, const char *why); /* on_lost follows */
/* EVALSHA or, where its sum is not known or `spelled` is set, EVAL. Only while ready. */
void store_server_call(struct store_server *server, enum store_script script, bool spelled,
                       const struct store_arguments *arguments,
                       void (*on_reply)(void *context, const struct link_reply *reply),
                       void *context);
void store_server_asking(struct store_server *server); /* what follows is meant for a moving slot */
void store_server_destroy(struct store_server *server); /* without callbacks */
#endif
