/* null_redis.c: answers what our services ask of Redis, and keeps nothing: what a flush costs its
 * client when the server costs nothing, or hardly comes about.
 *
 *   null_redis LAG_MS          says "port N", then serves until it is ended
 *
 * A write of state is answered LAG_MS after it came, and whatever follows it on that connection not
 * before (Redis answers in order). With a lag of 4,500 ms, just below the store's patience of 5 s,
 * a service has one write under way almost always and begins none: a write that takes so long is
 * followed by the next after 5 s (write_interval_ns in transaction.c). SIGUSR1: from now on at
 * once.
 *
 * A question for state (its script has 'FOREIGN' in it) is answered: epoch as asked + 1, nothing
 * stored.
 */
#include "clock/wall.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS_MAX = 32, ANSWERS_MAX = 4096, WORDS_KEPT = 5, ANSWER_SIZE = 96 };
enum { INPUT_MAX = 64 * 1024 * 1024 };

struct answer {
    int64_t due_ns;
    char text[ANSWER_SIZE];
};

struct client {
    int socket; /* 0: none */
    char *input;
    size_t size, room;
    struct answer answers[ANSWERS_MAX]; /* a ring */
    size_t first, count;
};

static struct client clients[CLIENTS_MAX];
static int64_t lag_ns;
static volatile sig_atomic_t hurry;
static uint64_t write_count;

static void on_hurry(int number)
{
    (void)number;
    hurry = 1;
}

static void answer(struct client *client, int64_t due_ns, const char *text)
{
    if (client->count == ANSWERS_MAX) {
        (void)fprintf(stderr, "null_redis: too many requests under way\n");
        exit(70);
    }
    struct answer *slot = &client->answers[(client->first + client->count++) % ANSWERS_MAX];
    slot->due_ns = due_ns;
    (void)snprintf(slot->text, sizeof slot->text, "%s", text);
}

static bool is(const char *word, size_t size, const char *text)
{
    return size == strlen(text) && memcmp(word, text, size) == 0;
}

/* The first words of a request; of the scripts' sums, "r" and "w" are ours. */
static void respond(struct client *client, char *const words[], const size_t sizes[], size_t count)
{
    static const char info[] = "aof_enabled:1\r\nmaxmemory_policy:noeviction\r\n";
    char text[ANSWER_SIZE] = "+OK\r\n";
    int64_t due_ns = 0;
    if (is(words[0], sizes[0], "PING")) {
        (void)snprintf(text, sizeof text, "+PONG\r\n");
    } else if (is(words[0], sizes[0], "INFO")) {
        (void)snprintf(text, sizeof text, "$%zu\r\n%s\r\n", sizeof info - 1, info);
    } else if (is(words[0], sizes[0], "SCRIPT") && count >= 3) {
        const bool reads = memmem(words[2], sizes[2], "'FOREIGN'", 9) != NULL;
        (void)snprintf(text, sizeof text, "$1\r\n%s\r\n", reads ? "r" : "w");
    } else if (count >= WORDS_KEPT) {
        const bool reads =
            is(words[1], sizes[1], "r") || memmem(words[1], sizes[1], "'FOREIGN'", 9) != NULL;
        if (reads) {
            (void)snprintf(text, sizeof text, "*3\r\n:%lld\r\n$0\r\n\r\n*0\r\n",
                           strtoll(words[4], NULL, 10) + 1);
        } else {
            (void)snprintf(text, sizeof text, "+APPLIED\r\n");
            due_ns = monotonic_now_ns() + lag_ns;
            write_count++;
        }
    }
    answer(client, due_ns, text);
}

/* How many bytes the first request of the input has; 0: it is not whole. Ends the process where it
 * is none. */
static size_t take_request(struct client *client)
{
    char *words[WORDS_KEPT];
    size_t sizes[WORDS_KEPT];
    char *at = client->input, *end = at + client->size;
    char *line = memchr(at, '\n', client->size);
    if (line == NULL)
        return 0;
    const long count = *at == '*' ? strtol(at + 1, NULL, 10) : 0;
    if (count < 1) {
        (void)fprintf(stderr, "null_redis: not a request\n");
        exit(70);
    }
    at = line + 1;
    for (long i = 0; i < count; i++) {
        line = memchr(at, '\n', (size_t)(end - at));
        if (line == NULL)
            return 0;
        const size_t size = (size_t)strtoul(at + 1, NULL, 10);
        if ((size_t)(end - (line + 1)) < size + 2)
            return 0;
        if (i < WORDS_KEPT) {
            words[i] = line + 1;
            sizes[i] = size;
        }
        at = line + 1 + size + 2;
    }
    respond(client, words, sizes, count < WORDS_KEPT ? (size_t)count : WORDS_KEPT);
    return (size_t)(at - client->input);
}

static void drop(struct client *client)
{
    (void)close(client->socket);
    client->socket = 0;
    client->size = client->first = client->count = 0;
}

static void receive(struct client *client)
{
    if (client->room - client->size < 65536) {
        client->room = client->room == 0 ? 1 << 20 : 2 * client->room;
        client->input = client->room > INPUT_MAX ? NULL : realloc(client->input, client->room);
        if (client->input == NULL)
            exit(70);
    }
    const ssize_t got =
        recv(client->socket, client->input + client->size, client->room - client->size, 0);
    if (got <= 0) {
        drop(client);
        return;
    }
    client->size += (size_t)got;
    size_t taken;
    while (client->size > 0 && (taken = take_request(client)) > 0) {
        client->size -= taken;
        memmove(client->input, client->input + taken, client->size);
    }
}

/* How long until the next answer is due, in ms; -1: there is none. */
static int send_due(struct client *client)
{
    while (client->socket != 0 && client->count > 0) {
        const struct answer *next = &client->answers[client->first];
        const int64_t ahead_ns = next->due_ns - monotonic_now_ns();
        if (ahead_ns > 0 && !hurry)
            return (int)(ahead_ns / 1000000) + 1;
        const size_t size = strlen(next->text);
        if (send(client->socket, next->text, size, MSG_NOSIGNAL) != (ssize_t)size) {
            drop(client);
            return -1;
        }
        client->first = (client->first + 1) % ANSWERS_MAX;
        client->count--;
    }
    return -1;
}

static void accept_one(int listener)
{
    const int on = 1, socket_fd = accept(listener, NULL, NULL);
    if (socket_fd < 0)
        return;
    (void)setsockopt(socket_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (clients[i].socket == 0) {
            clients[i].socket = socket_fd;
            return;
        }
    }
    (void)close(socket_fd);
}

static void serve(int listener)
{
    for (bool said = false;;) {
        if (hurry && !said) {
            (void)printf("writes %llu\n", (unsigned long long)write_count);
            (void)fflush(stdout);
            said = true;
        }
        struct pollfd polled[CLIENTS_MAX + 1] = {{.fd = listener, .events = POLLIN}};
        int wait_ms = -1;
        for (size_t i = 0; i < CLIENTS_MAX; i++) {
            const int due_ms = send_due(&clients[i]);
            if (due_ms >= 0 && (wait_ms < 0 || due_ms < wait_ms))
                wait_ms = due_ms;
            polled[i + 1].fd = clients[i].socket == 0 ? -1 : clients[i].socket;
            polled[i + 1].events = POLLIN;
        }
        if (poll(polled, CLIENTS_MAX + 1, wait_ms) <= 0)
            continue; /* a lag is over, or a signal came */
        for (size_t i = 0; i < CLIENTS_MAX; i++) {
            if (polled[i + 1].revents != 0)
                receive(&clients[i]);
        }
        if (polled[0].revents != 0)
            accept_one(listener);
    }
}

int main(int argc, char *argv[])
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: null_redis LAG_MS\n");
        return 2;
    }
    lag_ns = strtoll(argv[1], NULL, 10) * 1000000;
    (void)signal(SIGUSR1, on_hurry);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 ||
        listen(listener, CLIENTS_MAX) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        return 69;
    (void)printf("port %d\n", ntohs(address.sin_port));
    (void)fflush(stdout);
    serve(listener);
}
