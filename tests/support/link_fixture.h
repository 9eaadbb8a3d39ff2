/* link_fixture.h: link.h and the monotonic clock, played by a test: it answers for the servers.
 *
 * For one test file only: it defines what the libraries redis and clock would.
 */
#ifndef LINK_FIXTURE_H
#define LINK_FIXTURE_H
#include "clock/wall.h"
#include "memory/heap.h"
#include "redis/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>

#include <cmocka.h>

enum { SENT_MAX = 64, LINKS_MAX = 32, WORDS_MAX = 24 };

/* ---- The clock and the links */

static int64_t now_ms;

int64_t monotonic_now_ns(void)
{
    return now_ms * 1000000;
}

struct sent {
    char *words[WORDS_MAX]; /* owned */
    size_t count;
    void (*on_reply)(void *context, const struct link_reply *reply);
    void *context;
};

struct link {
    struct link_options options;
    char host[64];
    bool open;
    struct sent sent[SENT_MAX];
    size_t sent_count, answered; /* those before are answered */
};

static struct link links[LINKS_MAX];
static size_t link_count;

struct link *link_open(const struct link_options *options)
{
    assert_true(link_count < LINKS_MAX);
    struct link *link = &links[link_count++];
    link->options = *options;
    (void)snprintf(link->host, sizeof link->host, "%s:%d", options->host, options->port);
    link->open = true;
    return link;
}

void link_send(struct link *link, const struct span *arguments, size_t count,
               void (*on_reply)(void *context, const struct link_reply *reply), void *context)
{
    assert_true(link->open);
    assert_true(link->sent_count < SENT_MAX && count <= WORDS_MAX);
    struct sent *sent = &link->sent[link->sent_count++];
    for (size_t i = 0; i < count; i++)
        sent->words[i] = span_copied(arguments[i]);
    sent->count = count;
    sent->on_reply = on_reply;
    sent->context = context;
}

void link_close(struct link *link)
{
    if (link != NULL)
        link->open = false;
}

/* ---- The servers' side */

static inline struct link *newest(const char *host)
{
    for (size_t i = link_count; i > 0; i--) {
        if (strcmp(links[i - 1].host, host) == 0)
            return &links[i - 1];
    }
    fail_msg("no link to %s", host);
    return &links[0];
}

static inline bool is_idle(const struct link *link)
{
    return link->answered == link->sent_count;
}

/* The oldest command without an answer. */
static inline struct sent *waiting(struct link *link, const char *command)
{
    assert_true(link->open);
    assert_false(is_idle(link));
    assert_string_equal(link->sent[link->answered].words[0], command);
    return &link->sent[link->answered];
}

static inline void answer(struct link *link, const char *command, struct link_reply reply)
{
    const struct sent *sent = waiting(link, command);
    link->answered++;
    if (sent->on_reply != NULL)
        sent->on_reply(sent->context, &reply);
}

static inline void answer_text(struct link *link, const char *command, enum link_kind kind,
                               const char *text)
{
    answer(link, command, (struct link_reply){.kind = kind, .text = span_text(text)});
}

static inline void go_down(struct link *link)
{
    link->open = false;
    link->options.on_down(link->options.context);
}

static inline void greet(struct link *link, const char *info)
{
    answer_text(link, "PING", LINK_STATUS, "PONG");
    answer_text(link, "SCRIPT", LINK_TEXT, "sum-of-read");
    answer_text(link, "SCRIPT", LINK_TEXT, "sum-of-write");
    answer_text(link, "INFO", LINK_TEXT, info);
}

#endif
