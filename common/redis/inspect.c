#include "redis/inspect.h"
#include "memory/heap.h"
#include "redis/store_blob.h"
#include "redis/store_script.h"
#include "redis/store_url.h"

#include <hiredis/hiredis.h>

enum { INSPECT_TIMEOUT_S = 5, INSPECT_MOVES_MAX = 8 };

struct inspect {
    struct store_url url; /* as it was given; host and port: where the link goes */
    redisContext *link;   /* owned; NULL: not connected */
};

static enum fault refused(const struct inspect *inspect, const char *why, struct reason *out_reason)
{
    reason_set(out_reason, "Redis at %s:%d: %s (--redis redis://HOST:PORT)", inspect->url.host,
               (int)inspect->url.port, why);
    return FAULT_REDIS_UNREACHABLE;
}

static void hang_up(struct inspect *inspect)
{
    if (inspect->link != NULL)
        redisFree(inspect->link);
    inspect->link = NULL;
}

/* One command; NULL with a reason where nothing came back. The caller frees the reply. */
static redisReply *ask(struct inspect *inspect, int count, const char **words,
                       struct reason *out_reason)
{
    redisReply *reply = redisCommandArgv(inspect->link, count, words, NULL);
    if (reply == NULL) {
        (void)refused(inspect,
                      inspect->link->errstr[0] == '\0' ? "no answer within 5 s"
                                                       : inspect->link->errstr,
                      out_reason);
        hang_up(inspect);
    }
    return reply;
}

/* A command whose answer only matters if it is an error. */
static enum fault demand(struct inspect *inspect, int count, const char **words,
                         struct reason *out_reason)
{
    redisReply *reply = ask(inspect, count, words, out_reason);
    if (reply == NULL)
        return FAULT_REDIS_UNREACHABLE;
    enum fault fault = FAULT_NONE;
    if (reply->type == REDIS_REPLY_ERROR)
        fault = refused(inspect, reply->str, out_reason);
    freeReplyObject(reply);
    if (fault != FAULT_NONE)
        hang_up(inspect);
    return fault;
}

static enum fault log_in(struct inspect *inspect, struct reason *out_reason)
{
    const struct store_url *url = &inspect->url;
    enum fault fault = FAULT_NONE;
    if (url->password[0] != '\0' && url->user[0] != '\0')
        fault = demand(inspect, 3, (const char *[]){"AUTH", url->user, url->password}, out_reason);
    else if (url->password[0] != '\0')
        fault = demand(inspect, 2, (const char *[]){"AUTH", url->password}, out_reason);
    char database[16];
    (void)snprintf(database, sizeof database, "%d", url->database);
    if (fault == FAULT_NONE && url->database != 0)
        fault = demand(inspect, 2, (const char *[]){"SELECT", database}, out_reason);
    return fault;
}

static enum fault dial(struct inspect *inspect, struct reason *out_reason)
{
    if (inspect->link != NULL)
        return FAULT_NONE;
    const struct timeval patience = {.tv_sec = INSPECT_TIMEOUT_S};
    inspect->link = redisConnectWithTimeout(inspect->url.host, inspect->url.port, patience);
    if (inspect->link == NULL)
        return refused(inspect, "no connection", out_reason);
    if (inspect->link->err != 0 || redisSetTimeout(inspect->link, patience) != REDIS_OK) {
        const enum fault fault = refused(inspect, inspect->link->errstr, out_reason);
        hang_up(inspect);
        return fault;
    }
    return log_in(inspect, out_reason);
}

enum fault inspect_open(const char *url, struct inspect **out_inspect, struct reason *out_reason)
{
    REQUIRE(out_inspect != NULL);
    struct store_url parsed;
    enum fault fault = store_url_parse(url, &parsed, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    struct inspect *inspect = heap_zeroed(1, sizeof *inspect);
    inspect->url = parsed;
    fault = dial(inspect, out_reason);
    if (fault != FAULT_NONE) {
        inspect_close(inspect);
        return fault;
    }
    *out_inspect = inspect;
    return FAULT_NONE;
}

/* "MOVED 3999 10.0.0.1:6381" or "ASK …": from now on the link goes there. An empty host is the same
 * one. false: something else. */
static bool follow(struct inspect *inspect, const redisReply *reply, bool *out_asking)
{
    *out_asking = strncmp(reply->str, "ASK ", 4) == 0;
    if (!*out_asking && strncmp(reply->str, "MOVED ", 6) != 0)
        return false;
    const char *host = strrchr(reply->str, ' ');
    const char *colon = strrchr(reply->str, ':');
    if (host == NULL || colon == NULL || colon < host)
        return false;
    const size_t size = (size_t)(colon - ++host);
    char *end;
    const long port = strtol(colon + 1, &end, 10);
    if (size >= sizeof inspect->url.host || *end != '\0' || port < 1 || port > 65535)
        return false;
    if (size > 0) {
        memcpy(inspect->url.host, host, size);
        inspect->url.host[size] = '\0';
    }
    inspect->url.port = (uint16_t)port;
    hang_up(inspect);
    return true;
}

/* VERB TAG:state at whoever holds it. The caller frees *out_reply, which is no error. */
static enum fault command(struct inspect *inspect, const char *verb, const char *tag,
                          redisReply **out_reply, struct reason *out_reason)
{
    char *key = heap_format("%s:state", tag);
    enum fault fault = FAULT_NONE;
    redisReply *reply = NULL;
    bool asking = false, moved = true;
    for (int i = 0; i < INSPECT_MOVES_MAX && moved && fault == FAULT_NONE; i++) {
        fault = dial(inspect, out_reason);
        if (fault == FAULT_NONE && asking)
            fault = demand(inspect, 1, (const char *[]){"ASKING"}, out_reason);
        if (fault != FAULT_NONE)
            break;
        reply = ask(inspect, 2, (const char *[]){verb, key}, out_reason);
        fault = reply == NULL ? FAULT_REDIS_UNREACHABLE : FAULT_NONE;
        moved =
            reply != NULL && reply->type == REDIS_REPLY_ERROR && follow(inspect, reply, &asking);
        if (reply == NULL || reply->type != REDIS_REPLY_ERROR)
            continue;
        if (!moved)
            fault = refused(inspect, reply->str, out_reason);
        freeReplyObject(reply);
        reply = NULL;
    }
    heap_release(key);
    if (fault == FAULT_NONE && reply == NULL)
        fault = refused(inspect, "it sends us from server to server", out_reason);
    if (fault == FAULT_NONE)
        *out_reply = reply;
    return fault;
}

static struct span text_of(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING ? span_of(reply->str, reply->len) : span_of(NULL, 0);
}

static const char *kept(struct arena *arena, struct span text)
{
    return (const char *)arena_span(arena, text).bytes;
}

static void take_field(struct inspect_shard *shard, struct span field, struct span stored)
{
    struct span bytes = stored;
    const bool good = store_blob_read(field, stored, &bytes);
    if (span_is(field, STORE_FIELD_EPOCH)) {
        shard->epoch = strtoll(kept(shard->arena, stored), NULL, 10);
    } else if (span_is(field, STORE_FIELD_OWNER)) {
        shard->owner = kept(shard->arena, stored);
    } else if (span_is(field, STORE_FIELD_OFFSET)) {
        shard->offset = good ? kept(shard->arena, bytes) : "";
        shard->damaged_count += !good;
    } else {
        shard->bytes += stored.size;
        shard->damaged_count += !good;
        shard->entries[shard->entry_count++] =
            (struct inspect_entry){.field = arena_span(shard->arena, field),
                                   .bytes = arena_span(shard->arena, bytes),
                                   .damaged = !good};
    }
}

enum fault inspect_read(struct inspect *inspect, const char *tag, struct inspect_shard *out_shard,
                        struct reason *out_reason)
{
    redisReply *reply = NULL;
    const enum fault fault = command(inspect, "HGETALL", tag, &reply, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    struct inspect_shard shard = {.offset = "", .owner = "", .arena = arena_create()};
    const size_t count = reply->type == REDIS_REPLY_ARRAY ? reply->elements / 2 : 0;
    shard.exists = count > 0;
    shard.entries = arena_take(shard.arena, (count + 1) * sizeof *shard.entries);
    for (size_t i = 0; i < count; i++)
        take_field(&shard, text_of(reply->element[2 * i]), text_of(reply->element[2 * i + 1]));
    freeReplyObject(reply);
    *out_shard = shard;
    return FAULT_NONE;
}

enum fault inspect_delete(struct inspect *inspect, const char *tag, struct reason *out_reason)
{
    redisReply *reply = NULL;
    const enum fault fault = command(inspect, "DEL", tag, &reply, out_reason);
    if (fault == FAULT_NONE)
        freeReplyObject(reply);
    return fault;
}

void inspect_shard_fini(struct inspect_shard *shard)
{
    arena_destroy(shard->arena);
    *shard = (struct inspect_shard){0};
}

void inspect_close(struct inspect *inspect)
{
    if (inspect == NULL)
        return;
    hang_up(inspect);
    heap_release(inspect);
}
