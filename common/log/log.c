#include "log/log.h"
#include "clock/wall.h"
#include "log/escape.h"
#include "memory/buffer.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

enum { REPEATS_MAX = 256, TEXT_SIZE_MAX = 1024, NAME_SIZE_MAX = 64 };
static const int64_t repeat_ns = 10LL * 1000 * 1000 * 1000;

/* One warning that was written lately. identity is a hash: two warnings that share it are counted
 * as one, which costs a line. */
struct repeat {
    uint64_t identity;         /* 0: free */
    char event[NAME_SIZE_MAX]; /* for the line that says what was suppressed */
    enum log_level level;
    int64_t until_ns; /* monotonic: until then repeats are counted, not written */
    uint64_t suppressed;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
/* All below: under the mutex. */
static char service_name[NAME_SIZE_MAX] = "plumb";
static enum log_level level_least = LOG_INFO;
static bool as_json;
static bool at_exit_is_set;
static struct repeat repeats[REPEATS_MAX];
static struct buffer
    line; /* kept between lines, so that logging does not allocate once it has grown */

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static void say_suppressed(int64_t now_ns);
static void say_at_exit(void);
static bool is_repeat(enum log_level level, const char *event, const struct log_fact *facts,
                      int64_t now_ns, uint64_t *out_suppressed);
static void line_begin(enum log_level level, const char *event);
static void line_number(const char *name, int64_t number);
static void line_text(const char *name, struct span text);
static void line_end(void);

void log_open(const char *service, enum log_level least, int json)
{
    REQUIRE(service != NULL);
    (void)pthread_mutex_lock(&mutex);
    (void)snprintf(service_name, sizeof service_name, "%s", service);
    level_least = least;
    as_json = json != 0;
    if (!at_exit_is_set)
        at_exit_is_set = atexit(say_at_exit) == 0;
    (void)pthread_mutex_unlock(&mutex);
}

int log_level_parse(const char *text, enum log_level *out_level)
{
    REQUIRE(out_level != NULL);
    for (size_t i = 0; text != NULL && i < COUNT_OF(level_names); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *out_level = (enum log_level)i;
            return 1;
        }
    }
    return 0;
}

void log_facts(enum log_level level, const char *event, const struct log_fact *facts)
{
    REQUIRE((unsigned)level < COUNT_OF(level_names));
    REQUIRE(event != NULL);
    REQUIRE(facts != NULL);
    const int error_before = errno; /* whoever logs an errno may still need it */
    (void)pthread_mutex_lock(&mutex);
    const int64_t now_ns = monotonic_now_ns();
    uint64_t suppressed = 0;
    const bool is_written =
        level >= level_least && !is_repeat(level, event, facts, now_ns, &suppressed);
    say_suppressed(now_ns);
    if (is_written) {
        line_begin(level, event);
        for (const struct log_fact *fact = facts; fact->kind != LOG_FACT_END; fact++) {
            if (fact->kind == LOG_FACT_NUMBER)
                line_number(fact->name, fact->number);
            else
                line_text(fact->name, span_text(fact->text));
        }
        if (suppressed > 0)
            line_number("suppressed", (int64_t)suppressed);
        line_end();
    }
    (void)pthread_mutex_unlock(&mutex);
    errno = error_before;
}

static void say(const struct repeat *repeat)
{
    if (repeat->identity == 0 || repeat->suppressed == 0)
        return;
    line_begin(repeat->level, repeat->event);
    line_number("suppressed", (int64_t)repeat->suppressed);
    line_end();
}

/* Those whose 10 s are over and that did not come again, or nobody would learn how many they were.
 */
static void say_suppressed(int64_t now_ns)
{
    for (size_t i = 0; i < REPEATS_MAX; i++) {
        struct repeat *repeat = &repeats[i];
        if (repeat->identity == 0 || now_ns < repeat->until_ns)
            continue;
        say(repeat);
        repeat->identity = 0;
    }
}

static void say_at_exit(void)
{
    (void)pthread_mutex_lock(&mutex);
    say_suppressed(INT64_MAX);
    buffer_fini(&line);
    (void)pthread_mutex_unlock(&mutex);
}

static uint64_t identity_add(uint64_t identity, const char *text)
{
    for (; text != NULL && *text != '\0'; text++)
        identity = (identity ^ (uint8_t)*text) * 0x100000001b3u; /* FNV-1a */
    return (identity ^ 0xffu) * 0x100000001b3u;
}

static bool is_repeat(enum log_level level, const char *event, const struct log_fact *facts,
                      int64_t now_ns, uint64_t *out_suppressed)
{
    if (level < LOG_WARN)
        return false; /* life-cycle lines differ by a number alone and all matter */
    uint64_t identity = identity_add(0xcbf29ce484222325u, event);
    for (const struct log_fact *fact = facts; fact->kind != LOG_FACT_END; fact++) {
        identity = identity_add(identity, fact->name);
        if (fact->kind == LOG_FACT_TEXT)
            identity = identity_add(identity, fact->text);
    }
    identity |= 1;                       /* never the free one */
    struct repeat *chosen = &repeats[0]; /* its own, else a free one, else the oldest */
    for (size_t i = 0; i < REPEATS_MAX; i++) {
        struct repeat *repeat = &repeats[i];
        if (repeat->identity == identity) {
            if (now_ns < repeat->until_ns) {
                repeat->suppressed++;
                return true;
            }
            *out_suppressed = repeat->suppressed;
            repeat->suppressed = 0;
            chosen = repeat;
            break;
        }
        if (chosen->identity != 0 && (repeat->identity == 0 || repeat->until_ns < chosen->until_ns))
            chosen = repeat;
    }
    if (chosen->identity != identity)
        say(chosen); /* full: before it is forgotten */
    *chosen = (struct repeat){.identity = identity, .level = level, .until_ns = now_ns + repeat_ns};
    (void)snprintf(chosen->event, sizeof chosen->event, "%s", event);
    return false;
}

static void line_begin(enum log_level level, const char *event)
{
    char date[32], time[48];
    const int64_t now_ms = wall_now_ms();
    (void)wall_text(now_ms, date);
    date[10] = 'T';
    (void)snprintf(time, sizeof time, "%s.%03dZ", date, (int)(now_ms % 1000));
    buffer_clear(&line);
    if (as_json)
        buffer_append_byte(&line, '{');
    line_text("time", span_text(time));
    line_text("level", span_text(level_names[level]));
    line_text("service", span_text(service_name));
    line_text("event", span_text(event));
}

static void line_name(const char *name)
{
    if (line.size > 1)
        buffer_append_byte(&line, as_json ? ',' : ' ');
    if (as_json)
        buffer_format(&line, "\"%s\":", name);
    else
        buffer_format(&line, "%s=", name);
}

static void line_number(const char *name, int64_t number)
{
    line_name(name);
    buffer_format(&line, "%lld", (long long)number);
}

/* logfmt leaves a value bare where no reader could take it for more than one. */
static bool is_bare(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t byte = text.bytes[i];
        if (byte <= ' ' || byte >= 0x7f || byte == '"' || byte == '=' || byte == '\\')
            return false;
    }
    return text.size > 0;
}

static void line_text(const char *name, struct span text)
{
    line_name(name);
    const bool is_cut = text.size > TEXT_SIZE_MAX;
    if (is_cut)
        text.size = TEXT_SIZE_MAX;
    if (!as_json && !is_cut && is_bare(text)) {
        buffer_append_span(&line, text);
        return;
    }
    buffer_append_byte(&line, '"');
    escape_json(&line, text);
    buffer_append(&line, "...", is_cut ? 3 : 0);
    buffer_append_byte(&line, '"');
}

static void line_end(void)
{
    buffer_append(&line, "}\n", as_json ? 2 : 0);
    if (!as_json)
        buffer_append_byte(&line, '\n');
    for (size_t at = 0; at < line.size;) {
        const ssize_t size = write(STDERR_FILENO, line.bytes + at, line.size - at);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return; /* stderr is gone or full: there is nobody to tell */
        at += (size_t)size;
    }
}
