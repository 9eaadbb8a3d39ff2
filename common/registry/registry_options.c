#include "registry/registry_options.h"
#include "clock/wall.h"
#include "memory/heap.h"

#include <errno.h>

enum { CONNECT_MAX_MS = 3000, BODY_MAX = 4 * 1024 * 1024, URLS_MAX = 16, SECRET_SIZE_MAX = 65536 };

const struct option_row registry_option_rows[] = {
    {"schema-registry", OPTION_TEXT, NULL, NULL,
     "Confluent-compatible schema registry: URL[,URL...]; also SCHEMA_REGISTRY_URL (default: none)",
     true},
    {"schema-registry.user", OPTION_TEXT, NULL, NULL, "its user (basic authentication)", false},
    {"schema-registry.password", OPTION_TEXT, NULL, NULL,
     "its user's password; better by file or environment", true},
    {"schema-registry.password-file", OPTION_TEXT, NULL, NULL, "file with the password", false},
    {"schema-registry.token", OPTION_TEXT, NULL, NULL,
     "bearer token instead; better by file or environment", true},
    {"schema-registry.token-file", OPTION_TEXT, NULL, NULL, "file with the token", false},
    {"schema-registry.ca", OPTION_TEXT, NULL, NULL, "PEM file of the authorities to trust", false},
    {"schema-registry.cert", OPTION_TEXT, NULL, NULL, "PEM file of our own certificate", false},
    {"schema-registry.key", OPTION_TEXT, NULL, NULL, "PEM file of its key", false},
    {"schema-registry.timeout", OPTION_DURATION, "10s", NULL, "time for one request", false},
    {"schema-registry.retry-max", OPTION_DURATION, "10s", NULL, "longest wait between attempts",
     false},
    {"schema-registry.missing-ttl", OPTION_DURATION, "30s", NULL,
     "how long an id that the registry does not know is not asked for again", false},
    {NULL, OPTION_FLAG, NULL, NULL, NULL, false},
};

/* The first line of the file. */
static enum fault secret_read(const char *option, const char *file_name, char **out_secret,
                              struct reason *out_reason)
{
    FILE *file = fopen(file_name, "rb");
    char *text = heap_zeroed(1, SECRET_SIZE_MAX);
    const size_t size = file == NULL ? 0 : fread(text, 1, SECRET_SIZE_MAX - 1, file);
    const bool broken = file == NULL || ferror(file) != 0;
    if (broken)
        reason_set(out_reason, "--%s: %.100s: %s", option, file_name, strerror(errno));
    else if (size == SECRET_SIZE_MAX - 1)
        reason_set(out_reason, "--%s: %.100s: too long for a secret", option, file_name);
    if (file != NULL)
        (void)fclose(file);
    text[strcspn(text, "\r\n")] = '\0';
    if (!broken && size < SECRET_SIZE_MAX - 1 && text[0] == '\0')
        reason_set(out_reason, "--%s: %.100s: its first line is empty", option, file_name);
    else if (!broken && size < SECRET_SIZE_MAX - 1) {
        *out_secret = text;
        return FAULT_NONE;
    }
    heap_release(text);
    return FAULT_OPTION_INVALID;
}

/* The option itself, or the file that it names with -file behind it; NULL where neither is given.
 */
static enum fault secret_of(const struct option_set *options, const char *option, char **out_secret,
                            struct reason *out_reason)
{
    char *with_file = heap_format("%s-file", option);
    const char *file_name = option_text(options, with_file);
    enum fault fault = FAULT_NONE;
    *out_secret = NULL;
    if (file_name != NULL)
        fault = secret_read(with_file, file_name, out_secret, out_reason);
    else if (option_text(options, option) != NULL)
        *out_secret = heap_text(option_text(options, option));
    heap_release(with_file);
    return fault;
}

static bool file_is_there(const struct option_set *options, const char *option,
                          struct reason *out_reason)
{
    const char *file_name = option_text(options, option);
    if (file_name == NULL)
        return true;
    FILE *file = fopen(file_name, "rb");
    if (file == NULL) {
        reason_set(out_reason, "--%s: %.100s: %s", option, file_name, strerror(errno));
        return false;
    }
    (void)fclose(file);
    return true;
}

/* scheme://[user:password@]host[:port][/path] without a final slash. */
static bool url_add(struct registry_pen *pen, struct span url, struct reason *out_reason)
{
    while (url.size > 0 && url.bytes[0] == ' ')
        url = span_of(url.bytes + 1, url.size - 1);
    while (url.size > 0 && (url.bytes[url.size - 1] == ' ' || url.bytes[url.size - 1] == '/'))
        url.size--;
    char *text = span_copied(url);
    const size_t scheme = strncmp(text, "http://", 7) == 0    ? 7
                          : strncmp(text, "https://", 8) == 0 ? 8
                                                              : 0;
    const size_t host = scheme + strcspn(text + scheme, "/@");
    const size_t begin = text[host] == '@' ? host + 1 : scheme;
    const bool plain = strcspn(text, " \t?#\"<>") == strlen(text);
    if (scheme == 0 || !plain || text[begin] == '\0' || text[begin] == '/' ||
        pen->url_count == URLS_MAX) {
        heap_release(text);
        reason_set(out_reason, "--schema-registry: http[s]://host[:port][/path][,...], at most %d",
                   URLS_MAX);
        return false;
    }
    pen->urls = heap_resized(pen->urls, pen->url_count + 1, sizeof *pen->urls);
    pen->places = heap_resized(pen->places, pen->url_count + 1, sizeof *pen->places);
    pen->urls[pen->url_count] = text;
    pen->places[pen->url_count] = heap_format("%.*s%s", (int)scheme, text, text + begin);
    pen->url_count++;
    return true;
}

static bool urls_read(struct registry_pen *pen, const char *text, struct reason *out_reason)
{
    for (;;) {
        const size_t size = strcspn(text, ",");
        if (!url_add(pen, span_of(text, size), out_reason))
            return false;
        if (text[size] == '\0')
            return true;
        text += size + 1;
    }
}

static enum fault open_http(const struct option_set *options, struct registry_pen *pen,
                            struct reason *out_reason)
{
    char *password = NULL, *token = NULL;
    enum fault fault = secret_of(options, "schema-registry.password", &password, out_reason);
    if (fault == FAULT_NONE)
        fault = secret_of(options, "schema-registry.token", &token, out_reason);
    if (fault == FAULT_NONE) {
        const int64_t total_ms = option_duration_ms(options, "schema-registry.timeout");
        pen->http = http_client_open(&(struct http_client_options){
            .loop = pen->loop,
            .connect_ms = total_ms < CONNECT_MAX_MS ? total_ms : CONNECT_MAX_MS,
            .total_ms = total_ms,
            .body_max = BODY_MAX,
            .user = option_text(options, "schema-registry.user"),
            .password = password,
            .token = token,
            .ca = option_text(options, "schema-registry.ca"),
            .cert = option_text(options, "schema-registry.cert"),
            .key = option_text(options, "schema-registry.key"),
        });
    }
    heap_release(password);
    heap_release(token);
    return fault;
}

enum fault registry_options_read(const struct option_set *options, struct registry_pen *pen,
                                 bool *out_wanted, struct reason *out_reason)
{
    const char *urls = option_text(options, "schema-registry");
    *out_wanted = urls != NULL && urls[0] != '\0';
    if (!*out_wanted)
        return FAULT_NONE;
    static const char *const durations[] = {"schema-registry.timeout", "schema-registry.retry-max",
                                            "schema-registry.missing-ttl"};
    static const char *const files[] = {"schema-registry.ca", "schema-registry.cert",
                                        "schema-registry.key"};
    for (size_t i = 0; i < COUNT_OF(durations); i++) {
        if (option_duration_ms(options, durations[i]) <= 0) {
            reason_set(out_reason, "--%s: must be more than nothing", durations[i]);
            return FAULT_OPTION_INVALID;
        }
    }
    for (size_t i = 0; i < COUNT_OF(files); i++)
        if (!file_is_there(options, files[i], out_reason))
            return FAULT_OPTION_INVALID;
    if (!urls_read(pen, urls, out_reason))
        return FAULT_OPTION_INVALID;
    pen->retry_max_ms = option_duration_ms(options, "schema-registry.retry-max");
    pen->random = (uint64_t)monotonic_now_ns() ^ (uint64_t)wall_now_ms() << 20;
    return open_http(options, pen, out_reason);
}
