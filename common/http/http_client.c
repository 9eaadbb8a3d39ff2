#include "http/http_client.h"
#include "memory/heap.h"

#include <curl/curl.h>
#include <signal.h>

#define HTTP_CLIENT_MAGIC 0x68747470u

struct http_client {
    uint32_t magic;
    struct http_client_options options; /* texts owned */
    CURLM *multi;                       /* owned */
    uv_timer_t timer;                   /* what libcurl wants to be called for */
    struct exchange *first;             /* owned list */
    size_t count;                       /* <= HTTP_REQUESTS_MAX */
};

/* One request and its answer. */
struct exchange {
    struct http_client *client; /* borrowed */
    struct exchange *before, *after;
    CURL *easy;                 /* owned */
    struct curl_slist *headers; /* owned */
    struct buffer body;
    bool too_large;
    char error[CURL_ERROR_SIZE];
    http_answer_fn *on_answer;
    void *context; /* borrowed */
};

/* One socket of libcurl's. */
struct watch {
    uv_poll_t poll;
    struct http_client *client; /* borrowed */
    curl_socket_t socket;
};

static int on_socket(CURL *easy, curl_socket_t socket, int action, void *context, void *known);
static int on_timer_wanted(CURLM *multi, long timeout_ms, void *context);
static size_t on_body(char *bytes, size_t one, size_t size, void *context);
static void exchange_destroy(struct exchange *exchange);

static struct http_client *client_of(void *memory)
{
    struct http_client *client = memory;
    REQUIRE(client != NULL && client->magic == HTTP_CLIENT_MAGIC);
    return client;
}

static char *text_or_null(const char *text)
{
    return text == NULL || text[0] == '\0' ? NULL : heap_text(text);
}

struct http_client *http_client_open(const struct http_client_options *options)
{
    REQUIRE(options != NULL && options->loop != NULL);
    REQUIRE(options->connect_ms > 0 && options->total_ms > 0);
    REQUIRE(options->body_max > 0);
    static bool begun;
    if (!begun) {
        ENSURE(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
        (void)signal(SIGPIPE, SIG_IGN); /* OpenSSL writes with write(2) */
        begun = true;
    }
    struct http_client *client = heap_zeroed(1, sizeof *client);
    client->magic = HTTP_CLIENT_MAGIC;
    client->options = *options;
    client->options.user = text_or_null(options->user);
    client->options.password = text_or_null(options->password);
    client->options.token = text_or_null(options->token);
    client->options.ca = text_or_null(options->ca);
    client->options.cert = text_or_null(options->cert);
    client->options.key = text_or_null(options->key);
    client->multi = curl_multi_init();
    ENSURE(client->multi != NULL);
    ENSURE(uv_timer_init(options->loop, &client->timer) == 0);
    client->timer.data = client;
    (void)curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    (void)curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    (void)curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    (void)curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, 8L);
    return client;
}

static void set_identity(CURL *easy, const struct http_client_options *options)
{
    if (options->token != NULL) {
        (void)curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        (void)curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, options->token);
    } else if (options->user != NULL) {
        (void)curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        (void)curl_easy_setopt(easy, CURLOPT_USERNAME, options->user);
        (void)curl_easy_setopt(easy, CURLOPT_PASSWORD,
                               options->password == NULL ? "" : options->password);
    }
    if (options->ca != NULL)
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca);
    if (options->cert != NULL)
        (void)curl_easy_setopt(easy, CURLOPT_SSLCERT, options->cert);
    if (options->key != NULL)
        (void)curl_easy_setopt(easy, CURLOPT_SSLKEY, options->key);
}

static void add_header(struct exchange *exchange, const char *name, const char *value)
{
    if (value == NULL)
        return;
    char *line = heap_format("%s: %s", name, value);
    struct curl_slist *longer = curl_slist_append(exchange->headers, line);
    ENSURE(longer != NULL);
    exchange->headers = longer;
    heap_release(line);
}

static void set_limits(CURL *easy, const struct http_client_options *options)
{
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* A name server that is away would hold the loop up: libcurl joins its resolver's thread. */
    (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_ms);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)options->total_ms);
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "plumbline/" PLUMB_VERSION);
}

bool http_client_send(struct http_client *client, const struct http_request *request,
                      http_answer_fn *on_answer, void *context)
{
    REQUIRE(client != NULL && client->magic == HTTP_CLIENT_MAGIC);
    REQUIRE(request->method != NULL && request->url != NULL);
    REQUIRE(on_answer != NULL);
    if (client->count == HTTP_REQUESTS_MAX)
        return false;
    struct exchange *exchange = heap_zeroed(1, sizeof *exchange);
    exchange->client = client;
    exchange->on_answer = on_answer;
    exchange->context = context;
    CURL *easy = exchange->easy = curl_easy_init();
    ENSURE(easy != NULL);
    set_limits(easy, &client->options);
    set_identity(easy, &client->options);
    (void)curl_easy_setopt(easy, CURLOPT_URL, request->url);
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->error);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
    add_header(exchange, "Accept", request->accept);
    if (request->content_type != NULL) {
        add_header(exchange, "Content-Type", request->content_type);
        add_header(exchange, "Expect", ""); /* else a large body waits a second for a 100 */
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
        (void)curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, (const char *)request->body.bytes);
    }
    (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->headers);
    exchange->after = client->first;
    if (client->first != NULL)
        client->first->before = exchange;
    client->first = exchange;
    client->count++;
    ENSURE(curl_multi_add_handle(client->multi, easy) == CURLM_OK);
    return true;
}

static void on_client_closed(uv_handle_t *timer)
{
    struct http_client *client = client_of(timer->data);
    heap_release((void *)(uintptr_t)client->options.user);
    heap_release((void *)(uintptr_t)client->options.password);
    heap_release((void *)(uintptr_t)client->options.token);
    heap_release((void *)(uintptr_t)client->options.ca);
    heap_release((void *)(uintptr_t)client->options.cert);
    heap_release((void *)(uintptr_t)client->options.key);
    heap_release(client);
}

void http_client_close(struct http_client *client)
{
    if (client == NULL)
        return;
    while (client->first != NULL)
        exchange_destroy(client->first);
    (void)curl_multi_cleanup(client->multi);
    uv_close((uv_handle_t *)&client->timer, on_client_closed);
}

void http_escape(struct buffer *out, const char *text)
{
    static const char unreserved[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *text != '\0'; text++) {
        if (strchr(unreserved, *text) != NULL)
            buffer_append_byte(out, (uint8_t)*text);
        else
            buffer_format(out, "%%%02X", (unsigned)(uint8_t)*text);
    }
}

static void exchange_destroy(struct exchange *exchange)
{
    struct http_client *client = exchange->client;
    (void)curl_multi_remove_handle(client->multi, exchange->easy);
    curl_easy_cleanup(exchange->easy);
    curl_slist_free_all(exchange->headers);
    buffer_fini(&exchange->body);
    if (exchange->before != NULL)
        exchange->before->after = exchange->after;
    else
        client->first = exchange->after;
    if (exchange->after != NULL)
        exchange->after->before = exchange->before;
    client->count--;
    heap_release(exchange);
}

/* Fewer bytes taken than given: libcurl breaks the transfer off. */
static size_t on_body(char *bytes, size_t one, size_t size, void *context)
{
    struct exchange *exchange = context;
    (void)one; /* always 1 */
    exchange->too_large = size > exchange->client->options.body_max - exchange->body.size;
    if (exchange->too_large)
        return 0;
    buffer_append(&exchange->body, bytes, size);
    return size;
}

static enum fault fault_of(const struct exchange *exchange, CURLcode code)
{
    if (code == CURLE_OK)
        return FAULT_NONE;
    if (exchange->too_large)
        return FAULT_LIMIT_EXCEEDED;
    const bool wrong_url = code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL;
    return wrong_url ? FAULT_OPTION_INVALID : FAULT_HTTP_UNREACHABLE;
}

static void finish(struct exchange *exchange, CURLcode code)
{
    struct http_answer answer = {.fault = fault_of(exchange, code), .why = ""};
    if (answer.fault == FAULT_LIMIT_EXCEEDED)
        answer.why = "the answer is too large";
    else if (answer.fault != FAULT_NONE)
        answer.why = exchange->error[0] != '\0' ? exchange->error : curl_easy_strerror(code);
    else {
        curl_off_t seconds = 0;
        (void)curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &answer.status);
        (void)curl_easy_getinfo(exchange->easy, CURLINFO_RETRY_AFTER, &seconds);
        answer.retry_after_ms = seconds > 0 && seconds < 86400 ? (int64_t)seconds * 1000 : 0;
        answer.body = buffer_span(&exchange->body);
    }
    exchange->on_answer(exchange->context, &answer);
    exchange_destroy(exchange);
}

static void finish_all(struct http_client *client)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(client->multi, &left)) != NULL;) {
        if (message->msg != CURLMSG_DONE)
            continue;
        const CURLcode code = message->data.result; /* the message goes with its handle */
        char *exchange = NULL;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
        finish((struct exchange *)(void *)exchange, code);
    }
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct http_client *client = watch->client;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    flags |= (events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0;
    flags |= (events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0;
    int running;
    (void)curl_multi_socket_action(client->multi, watch->socket, flags, &running);
    finish_all(client); /* the watch may be gone */
}

static void on_watch_closed(uv_handle_t *handle)
{
    heap_release(handle->data);
}

static int on_socket(CURL *easy, curl_socket_t socket, int action, void *context, void *known)
{
    (void)easy;
    struct http_client *client = client_of(context);
    struct watch *watch = known;
    if (action == CURL_POLL_REMOVE) {
        if (watch != NULL) {
            (void)curl_multi_assign(client->multi, socket, NULL);
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        }
        return 0;
    }
    if (watch == NULL) {
        watch = heap_zeroed(1, sizeof *watch);
        watch->client = client;
        watch->socket = socket;
        ENSURE(uv_poll_init_socket(client->options.loop, &watch->poll, socket) == 0);
        watch->poll.data = watch;
        (void)curl_multi_assign(client->multi, socket, watch);
    }
    const int events = ((action & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
                       ((action & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0);
    ENSURE(uv_poll_start(&watch->poll, events, on_ready) == 0);
    return 0;
}

static void on_timer(uv_timer_t *timer)
{
    struct http_client *client = client_of(timer->data);
    int running;
    (void)curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    finish_all(client);
}

/* Called from inside libcurl: it is not called back before the loop turns. */
static int on_timer_wanted(CURLM *multi, long timeout_ms, void *context)
{
    (void)multi;
    struct http_client *client = client_of(context);
    if (timeout_ms < 0)
        (void)uv_timer_stop(&client->timer);
    else
        (void)uv_timer_start(&client->timer, on_timer, (uint64_t)timeout_ms, 0);
    return 0;
}
