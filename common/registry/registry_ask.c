#include "registry/registry_ask.h"
#include "memory/heap.h"

enum { ATTEMPTS_MAX = 3, RETRY_FIRST_MS = 100, ROUNDS_COUNTED = 20 };

#define ACCEPT                                                                                     \
    "application/vnd.schemaregistry.v1+json, application/vnd.schemaregistry+json, "                \
    "application/json"
#define CONTENT_TYPE "application/vnd.schemaregistry.v1+json"

struct registry_ask {
    struct registry_pen *pen; /* borrowed */
    struct registry_ask *before, *after;
    enum registry_patience patience;
    char *path, *body; /* owned; body NULL: GET */
    size_t url;        /* of the next attempt */
    unsigned attempts; /* made */
    unsigned missing;  /* the attempt that first found nothing; 0: none did */
    uv_timer_t timer;  /* the wait before the next */
    registry_reply_fn *on_reply;
    void *context; /* borrowed */
};

static void attempt(struct registry_ask *ask);

static void on_ask_closed(uv_handle_t *timer)
{
    heap_release(timer->data);
}

static void ask_destroy(struct registry_ask *ask)
{
    if (ask->before != NULL)
        ask->before->after = ask->after;
    else
        ask->pen->first = ask->after;
    if (ask->after != NULL)
        ask->after->before = ask->before;
    heap_release(ask->path);
    heap_release(ask->body);
    uv_close((uv_handle_t *)&ask->timer, on_ask_closed);
}

void registry_ask(struct registry_pen *pen, const struct registry_question *question,
                  registry_reply_fn *on_reply, void *context)
{
    REQUIRE(pen->url_count > 0);
    REQUIRE(question->path[0] == '/');
    struct registry_ask *ask = heap_zeroed(1, sizeof *ask);
    *ask = (struct registry_ask){.pen = pen,
                                 .after = pen->first,
                                 .patience = question->patience,
                                 .path = heap_text(question->path),
                                 .url = pen->url_now,
                                 .on_reply = on_reply,
                                 .context = context};
    if (question->body != NULL) {
        char *text = json_dumps(question->body, JSON_COMPACT);
        ENSURE(text != NULL);
        ask->body = text;
    }
    if (pen->first != NULL)
        pen->first->before = ask;
    pen->first = ask;
    ENSURE(uv_timer_init(pen->loop, &ask->timer) == 0);
    ask->timer.data = ask;
    attempt(ask);
}

void registry_pen_close(struct registry_pen *pen)
{
    http_client_close(pen->http); /* first: no answer comes to an ask that is gone */
    pen->http = NULL;
    while (pen->first != NULL)
        ask_destroy(pen->first);
}

/* ---- judging an answer ---- */

static long error_code_of(const json_t *body)
{
    const json_t *code = json_object_get(body, "error_code");
    return json_is_integer(code) ? (long)json_integer_value(code) : 0;
}

/* The registry's own word that there is nothing by that name, not a web server's that there is no
 * such page: a wrong URL must not turn every event into a dead letter. */
static bool says_missing(const struct registry_ask *ask, long status, const json_t *body)
{
    if (status == 404)
        return ask->patience == REGISTRY_UNTIL_GUID || error_code_of(body) / 100 == 404 ||
               error_code_of(body) == 404;
    return (status == 400 || status == 422) && error_code_of(body) != 0;
}

/* One that follows another may not know yet what was registered a moment ago. */
static bool all_were_asked(struct registry_ask *ask)
{
    if (ask->missing == 0)
        ask->missing = ask->attempts;
    return ask->attempts - ask->missing + 1 >= ask->pen->url_count;
}

static bool may_pass(long status)
{
    return status == 408 || status == 429 || status >= 500;
}

/* Whether this is the last word. */
static bool is_final(struct registry_ask *ask, const struct http_answer *answer, const json_t *body)
{
    if (answer->fault == FAULT_LIMIT_EXCEEDED)
        return true;
    if (ask->patience == REGISTRY_ATTEMPTS) {
        const bool again = answer->fault == FAULT_HTTP_UNREACHABLE || may_pass(answer->status) ||
                           (answer->status == 200 && body == NULL);
        return !again || ask->attempts >= ATTEMPTS_MAX * ask->pen->url_count;
    }
    if (answer->fault != FAULT_NONE)
        return false;
    if (answer->status == 200)
        return json_is_string(json_object_get(body, "schema"));
    return says_missing(ask, answer->status, body) && all_were_asked(ask);
}

static void say(struct registry_ask *ask, const struct http_answer *answer, const json_t *body)
{
    struct reason *why = &ask->pen->why;
    const char *place = ask->pen->places[ask->url];
    const char *message = json_string_value(json_object_get(body, "message"));
    if (answer->fault != FAULT_NONE)
        reason_set(why, "%.100s: %s", place, answer->why);
    else if (answer->status == 200)
        reason_set(why, "%.100s%.60s: not a schema registry's answer", place, ask->path);
    else
        reason_set(why, "%.100s%.60s: status %ld%s%.80s", place, ask->path, answer->status,
                   message == NULL ? "" : ": ", message == NULL ? "" : message);
}

/* ---- attempts ---- */

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int64_t wait_ms(struct registry_ask *ask, int64_t retry_after_ms)
{
    struct registry_pen *pen = ask->pen;
    const size_t rounds = ask->attempts / pen->url_count;
    if (ask->attempts % pen->url_count != 0)
        return 0; /* another URL first */
    int64_t most_ms = RETRY_FIRST_MS;
    for (size_t i = 1; i < rounds && i < ROUNDS_COUNTED && most_ms < pen->retry_max_ms; i++)
        most_ms *= 2;
    if (most_ms > pen->retry_max_ms)
        most_ms = pen->retry_max_ms;
    const int64_t drawn_ms =
        most_ms / 2 + (int64_t)(next_random(&pen->random) % (uint64_t)(most_ms - most_ms / 2 + 1));
    const int64_t asked_ms =
        retry_after_ms < pen->retry_max_ms ? retry_after_ms : pen->retry_max_ms;
    return drawn_ms > asked_ms ? drawn_ms : asked_ms;
}

static void on_wait_over(uv_timer_t *timer)
{
    attempt(timer->data);
}

static void try_again(struct registry_ask *ask, int64_t pause_ms)
{
    ask->url = (ask->url + 1) % ask->pen->url_count;
    ENSURE(uv_timer_start(&ask->timer, on_wait_over, (uint64_t)pause_ms, 0) == 0);
}

static void reply(struct registry_ask *ask, const struct http_answer *answer, const json_t *body)
{
    const bool good = answer->fault == FAULT_NONE && answer->status / 100 == 2;
    char *why = heap_text(ask->pen->why.text);
    ask->on_reply(ask->context, &(struct registry_reply){.fault = answer->fault,
                                                         .status = answer->status,
                                                         .body = body,
                                                         .why = good ? "" : why});
    heap_release(why);
    ask_destroy(ask);
}

static void on_answer(void *context, const struct http_answer *answer)
{
    struct registry_ask *ask = context;
    struct registry_pen *pen = ask->pen;
    json_t *body = answer->fault != FAULT_NONE || answer->body.size == 0
                       ? NULL
                       : json_loadb((const char *)answer->body.bytes, answer->body.size,
                                    JSON_REJECT_DUPLICATES, NULL);
    const bool final = is_final(ask, answer, body);
    const bool trouble = answer->fault != FAULT_NONE || may_pass(answer->status) || !final;
    say(ask, answer, body);
    if (trouble)
        pen->failures++;
    else
        pen->url_now = ask->url;
    void (*on_change)(void *) = pen->on_change;
    void *change_context = pen->context;
    if (final)
        reply(ask, answer, body);
    else
        try_again(ask, wait_ms(ask, answer->retry_after_ms));
    if (!trouble)
        pen->why.text[0] = '\0';
    json_decref(body);
    if (on_change != NULL)
        on_change(change_context);
}

static void attempt(struct registry_ask *ask)
{
    struct registry_pen *pen = ask->pen;
    ask->attempts++;
    pen->requests++;
    char *url = heap_format("%s%s", pen->urls[ask->url], ask->path);
    const struct http_request request = {
        .method = ask->body == NULL ? "GET" : "POST",
        .url = url,
        .accept = ACCEPT,
        .content_type = ask->body == NULL ? NULL : CONTENT_TYPE,
        .body = span_text(ask->body),
    };
    if (!http_client_send(pen->http, &request, on_answer, ask))
        try_again(ask, RETRY_FIRST_MS); /* as many as may be are under way */
    heap_release(url);
}
