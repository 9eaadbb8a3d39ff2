/* registry_ask.h: one question to the registry, asked again where that helps. Private to
 * common/registry.
 *
 * An attempt goes to the URL that answered last, the next to the one after it. When all have
 * failed, the wait is drawn between half and the whole of first * 2^rounds, at most retry_max; what
 * a server asks for by Retry-After is honoured up to that.
 *
 * Owner    the pen: an ask destroys itself after its reply, or with registry_pen_close.
 */
#ifndef REGISTRY_ASK_H
#define REGISTRY_ASK_H
#include "registry/registry.h"

enum registry_patience {
    REGISTRY_ATTEMPTS, /* what may pass is asked again, three times */
    REGISTRY_UNTIL_ID, /* until there is a schema, or the registry's own word that there is none */
    REGISTRY_UNTIL_GUID, /* the same; any 404 is that word: registries without GUIDs have no other
                          */
};

/* Where questions are asked: URLs and what is known of them. */
struct registry_pen {
    uv_loop_t *loop;           /* borrowed */
    struct http_client *http;  /* owned */
    char **urls;               /* owned list of owned texts, [url_count] */
    char **places;             /* owned: the same without credentials, for people */
    size_t url_count, url_now; /* url_now: the one that answered last */
    int64_t retry_max_ms;
    uint64_t random;
    uint64_t requests, failures;
    struct reason why; /* of the last attempt; "" : it was answered */
    void (*on_change)(void *context);
    void *context;              /* borrowed */
    struct registry_ask *first; /* owned list */
};

struct registry_question {
    enum registry_patience patience;
    const char *path;   /* begins with a slash; copied, as the body */
    const json_t *body; /* NULL: GET; else POST */
};
void registry_ask(struct registry_pen *pen, const struct registry_question *question,
                  registry_reply_fn *on_reply, void *context);
void registry_pen_close(struct registry_pen *pen); /* no reply comes any more */
#endif
