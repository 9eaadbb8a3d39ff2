#include "sim_redis.h"
#include "memory/arena.h"
#include "memory/buffer.h"
#include "memory/heap.h"
#include "sim_hashes.h"
#include "sim_process.h"

#include <xxhash.h>

enum { SUM_SIZE = 41 };

/* The one server. */
static struct {
    struct sim_hashes *hashes; /* owned; NULL: not started */
    bool knows[STORE_SCRIPT_COUNT];
    char *refusal;       /* owned; NULL: writes are taken */
    struct arena *arena; /* owned: of the last answer */
} server;

struct sim_redis_copy {
    struct arena *arena; /* owned */
    struct copied {
        struct span key, field, value;
    } * entries; /* in the arena */
    size_t count;
};

void sim_redis_start(void)
{
    REQUIRE(server.hashes == NULL);
    server.hashes = sim_hashes_create();
    server.arena = arena_create();
}

void sim_redis_stop(void)
{
    sim_hashes_destroy(server.hashes);
    arena_destroy(server.arena);
    heap_release(server.refusal);
    memset(&server, 0, sizeof server);
}

/* ---- Answers */

static const struct link_reply *reply(struct link_reply answer)
{
    struct link_reply *kept = arena_take(server.arena, sizeof *kept);
    answer.text = arena_span(server.arena, answer.text);
    *kept = answer;
    return kept;
}

static const struct link_reply *reply_text(enum link_kind kind, const char *text)
{
    return reply((struct link_reply){.kind = kind, .text = span_text(text)});
}

static const struct link_reply *reply_value(struct span value)
{
    return reply(
        (struct link_reply){.kind = value.bytes == NULL ? LINK_NIL : LINK_TEXT, .text = value});
}

static const struct link_reply *reply_number(size_t number)
{
    return reply((struct link_reply){.kind = LINK_INTEGER, .integer = (int64_t)number});
}

static const struct link_reply *wrong_kind(void)
{
    return reply_text(LINK_ERROR,
                      "WRONGTYPE Operation against a key holding the wrong kind of value");
}

static struct link_reply *list_of(size_t count)
{
    return arena_take(server.arena, (count + 1) * sizeof(struct link_reply));
}

static const struct link_reply *reply_pairs(struct span key)
{
    size_t count;
    struct table_entry *fields = sim_hashes_fields(server.hashes, key, &count);
    struct link_reply *pairs = list_of(2 * count);
    for (size_t i = 0; i < count; i++) {
        const struct span *value = fields[i].value;
        pairs[2 * i] = *reply_value(fields[i].key);
        pairs[2 * i + 1] = *reply_value(*value);
    }
    heap_release(fields);
    return reply((struct link_reply){.kind = LINK_LIST, .elements = pairs, .count = 2 * count});
}

/* ---- The scripts, by hand: line by line what store_script.c says in Lua */

static int64_t epoch_of(struct span text)
{
    int64_t epoch = 0;
    if (text.size == 0 || text.size > STORE_EPOCH_DIGITS_MAX)
        return 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return 0;
        epoch = epoch * 10 + (text.bytes[i] - '0');
    }
    return epoch;
}

static const struct link_reply *run_read(struct span key, const struct span *arguments)
{
    struct sim_hashes *hashes = server.hashes;
    const struct span epoch_field = span_text(STORE_FIELD_EPOCH);
    const struct span owner_field = span_text(STORE_FIELD_OWNER);
    const struct span owner = sim_hashes_get(hashes, key, owner_field);
    struct link_reply *parts = list_of(3);
    if (owner.size > 0 && arguments[1].size > 0 && !span_equal(owner, arguments[1])) {
        parts[0] = *reply_text(LINK_TEXT, "FOREIGN");
        parts[1] = *reply_value(owner);
        return reply((struct link_reply){.kind = LINK_LIST, .elements = parts, .count = 2});
    }
    int64_t epoch = epoch_of(sim_hashes_get(hashes, key, epoch_field));
    const int64_t least = epoch_of(arguments[0]);
    epoch = (least > epoch ? least : epoch) + 1;
    char text[24];
    (void)snprintf(text, sizeof text, "%lld", (long long)epoch);
    sim_hashes_put(hashes, key, epoch_field, span_text(text));
    if (arguments[1].size > 0)
        sim_hashes_put(hashes, key, owner_field, arguments[1]);
    const struct span offset = sim_hashes_get(hashes, key, span_text(STORE_FIELD_OFFSET));
    parts[0] = *reply_number((size_t)epoch);
    parts[1] = *reply_value(offset.bytes == NULL ? span_text("") : offset);
    parts[2] = *reply_pairs(key);
    return reply((struct link_reply){.kind = LINK_LIST, .elements = parts, .count = 3});
}

static const struct link_reply *run_write(struct span key, const struct span *arguments,
                                          size_t count)
{
    struct sim_hashes *hashes = server.hashes;
    const struct span epoch = sim_hashes_get(hashes, key, span_text(STORE_FIELD_EPOCH));
    const struct span now = sim_hashes_get(hashes, key, span_text(STORE_FIELD_OFFSET));
    const struct span owner = sim_hashes_get(hashes, key, span_text(STORE_FIELD_OWNER));
    if (epoch.bytes == NULL || !span_equal(epoch, arguments[0]))
        return reply_text(LINK_TEXT, "FENCED");
    if (arguments[1].size > 0 && !span_equal(owner, arguments[1]))
        return reply_text(LINK_TEXT, "FENCED");
    if (span_equal(now, arguments[3]))
        return reply_text(LINK_TEXT, "APPLIED");
    if (!span_is(arguments[2], STORE_ANYWHERE) && !span_equal(now, arguments[2]))
        return reply_text(LINK_TEXT, "CONFLICT");
    const size_t puts = (size_t)epoch_of(arguments[4]);
    for (size_t i = 0; i < puts; i++)
        sim_hashes_put(hashes, key, arguments[5 + 2 * i], arguments[6 + 2 * i]);
    for (size_t i = 5 + 2 * puts; i < count; i++)
        sim_hashes_put(hashes, key, arguments[i], span_of(NULL, 0));
    sim_hashes_put(hashes, key, span_text(STORE_FIELD_OFFSET), arguments[3]);
    return reply_text(LINK_TEXT, "APPLIED");
}

static void sum_of(enum store_script script, char out_sum[SUM_SIZE])
{
    const char *text = store_script_text(script);
    const XXH128_hash_t hash = XXH3_128bits(text, strlen(text));
    (void)snprintf(out_sum, SUM_SIZE, "%016llx%016llx%08x", (unsigned long long)hash.high64,
                   (unsigned long long)hash.low64, (unsigned)script);
}

static enum store_script script_of_text(struct span text)
{
    for (int i = 0; i < STORE_SCRIPT_COUNT; i++) {
        if (span_is(text, store_script_text((enum store_script)i)))
            return (enum store_script)i;
    }
    return STORE_SCRIPT_COUNT;
}

enum store_script sim_redis_script_of(const struct span *arguments, size_t count)
{
    if (count < 2)
        return STORE_SCRIPT_COUNT;
    if (span_is(arguments[0], "EVAL"))
        return script_of_text(arguments[1]);
    for (int i = 0; i < STORE_SCRIPT_COUNT && span_is(arguments[0], "EVALSHA"); i++) {
        char sum[SUM_SIZE];
        sum_of((enum store_script)i, sum);
        if (server.knows[i] && span_is(arguments[1], sum))
            return (enum store_script)i;
    }
    return STORE_SCRIPT_COUNT;
}

static const struct link_reply *run_script(const struct span *arguments, size_t count)
{
    const enum store_script script = sim_redis_script_of(arguments, count);
    if (script == STORE_SCRIPT_COUNT && span_is(arguments[0], "EVALSHA"))
        return reply_text(LINK_ERROR, "NOSCRIPT No matching script. Please use EVAL.");
    if (script == STORE_SCRIPT_COUNT || count < (script == STORE_SCRIPT_READ ? 6 : 9) ||
        !span_is(arguments[2], "1"))
        return reply_text(LINK_ERROR, "ERR the simulated Redis runs only the scripts of the store");
    server.knows[script] = true;
    if (server.refusal != NULL)
        return reply_text(LINK_ERROR, server.refusal);
    if (sim_hashes_kind(server.hashes, arguments[3]) == SIM_KEY_TEXT)
        return wrong_kind();
    return script == STORE_SCRIPT_READ ? run_read(arguments[3], arguments + 4)
                                       : run_write(arguments[3], arguments + 4, count - 4);
}

/* ---- Other commands; each gets at least the words that its row asks for */

static const struct link_reply *run_ping(const struct span *arguments, size_t count)
{
    return count > 1 ? reply_value(arguments[1]) : reply_text(LINK_STATUS, "PONG");
}

static const struct link_reply *run_ok(const struct span *arguments, size_t count)
{
    (void)arguments, (void)count;
    return reply_text(LINK_STATUS, "OK");
}

static const struct link_reply *run_auth(const struct span *arguments, size_t count)
{
    (void)arguments, (void)count;
    return reply_text(LINK_ERROR, "ERR AUTH <password> called without any password configured");
}

static const struct link_reply *run_asking(const struct span *arguments, size_t count)
{
    (void)arguments, (void)count;
    return reply_text(LINK_ERROR, "ERR This instance has cluster support disabled");
}

static const struct link_reply *run_info(const struct span *arguments, size_t count)
{
    (void)arguments, (void)count;
    return reply_text(LINK_TEXT, "# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n"
                                 "# Persistence\r\naof_enabled:1\r\n");
}

static const struct link_reply *run_config(const struct span *arguments, size_t count)
{
    if (count != 3 || !span_is(arguments[1], "GET") || !span_is(arguments[2], "save"))
        return reply((struct link_reply){.kind = LINK_LIST});
    struct link_reply *parts = list_of(2);
    parts[0] = *reply_text(LINK_TEXT, "save");
    parts[1] = *reply_text(LINK_TEXT, "");
    return reply((struct link_reply){.kind = LINK_LIST, .elements = parts, .count = 2});
}

static const struct link_reply *run_script_command(const struct span *arguments, size_t count)
{
    if (span_is(arguments[1], "FLUSH")) {
        sim_redis_forget_scripts();
        return reply_text(LINK_STATUS, "OK");
    }
    const enum store_script script = count == 3 && span_is(arguments[1], "LOAD")
                                         ? script_of_text(arguments[2])
                                         : STORE_SCRIPT_COUNT;
    if (script == STORE_SCRIPT_COUNT)
        return reply_text(LINK_ERROR,
                          "ERR the simulated Redis loads only the scripts of the store");
    server.knows[script] = true;
    char sum[SUM_SIZE];
    sum_of(script, sum);
    return reply_text(LINK_TEXT, sum);
}

static const struct link_reply *run_flush_all(const struct span *arguments, size_t count)
{
    (void)arguments, (void)count;
    sim_redis_flush_all();
    return reply_text(LINK_STATUS, "OK");
}

static const struct link_reply *run_del(const struct span *arguments, size_t count)
{
    size_t removed = 0;
    for (size_t i = 1; i < count; i++) {
        removed += sim_hashes_kind(server.hashes, arguments[i]) != SIM_KEY_NONE;
        sim_hashes_remove(server.hashes, arguments[i]);
    }
    return reply_number(removed);
}

static const struct link_reply *run_set(const struct span *arguments, size_t count)
{
    (void)count;
    sim_hashes_remove(server.hashes, arguments[1]);
    sim_hashes_put(server.hashes, arguments[1], span_of(NULL, 0), arguments[2]);
    return reply_text(LINK_STATUS, "OK");
}

static const struct link_reply *run_hash_command(const struct span *arguments, size_t count)
{
    struct sim_hashes *hashes = server.hashes;
    const struct span key = arguments[1];
    if (sim_hashes_kind(hashes, key) == SIM_KEY_TEXT)
        return wrong_kind();
    if (span_is(arguments[0], "HGET"))
        return reply_value(sim_hashes_get(hashes, key, arguments[2]));
    if (span_is(arguments[0], "HGETALL"))
        return reply_pairs(key);
    const bool removes = span_is(arguments[0], "HDEL");
    const size_t step = removes ? 1 : 2;
    size_t changed = 0;
    for (size_t i = 2; i + step <= count; i += step) {
        const bool was = sim_hashes_get(hashes, key, arguments[i]).bytes != NULL;
        changed += was == removes;
        sim_hashes_put(hashes, key, arguments[i], removes ? span_of(NULL, 0) : arguments[i + 1]);
    }
    return reply_number(changed);
}

static const struct command {
    const char *name;
    size_t words;  /* at least */
    bool is_write; /* refused when writes are (a script says so itself) */
    const struct link_reply *(*run)(const struct span *arguments, size_t count);
} commands[] = {
    {"PING", 1, false, run_ping},
    {"INFO", 1, false, run_info},
    {"AUTH", 2, false, run_auth},
    {"SELECT", 2, false, run_ok},
    {"ASKING", 1, false, run_asking},
    {"CONFIG", 2, false, run_config},
    {"SCRIPT", 2, false, run_script_command},
    {"EVAL", 3, false, run_script},
    {"EVALSHA", 3, false, run_script},
    {"FLUSHALL", 1, true, run_flush_all},
    {"DEL", 2, true, run_del},
    {"SET", 3, true, run_set},
    {"HSET", 4, true, run_hash_command},
    {"HDEL", 3, true, run_hash_command},
    {"HGET", 3, false, run_hash_command},
    {"HGETALL", 2, false, run_hash_command},
};

const struct link_reply *sim_redis_execute(const struct span *arguments, size_t count)
{
    REQUIRE(server.hashes != NULL && count > 0);
    arena_reset(server.arena);
    sim_hashes_begin_write(server.hashes, sim_clock_now_ms());
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (!span_is(arguments[0], commands[i].name))
            continue;
        if (count < commands[i].words)
            return reply_text(LINK_ERROR, "ERR wrong number of arguments");
        if (commands[i].is_write && server.refusal != NULL)
            return reply_text(LINK_ERROR, server.refusal);
        return commands[i].run(arguments, count);
    }
    return reply_text(LINK_ERROR, "ERR unknown command");
}

/* ---- What the scheduler does to it */

size_t sim_redis_mark(void)
{
    return sim_hashes_writes(server.hashes);
}

size_t sim_redis_mark_at(int64_t time_ms)
{
    return sim_hashes_writes_at(server.hashes, time_ms);
}

void sim_redis_roll_back(size_t mark)
{
    sim_hashes_roll_back(server.hashes, mark);
}

void sim_redis_roll_back_to(int64_t time_ms)
{
    sim_redis_roll_back(sim_redis_mark_at(time_ms));
}

void sim_redis_roll_back_by(size_t writes)
{
    const size_t all = sim_redis_mark();
    sim_redis_roll_back(writes > all ? 0 : all - writes);
}

struct sim_redis_copy *sim_redis_copy(void)
{
    struct sim_redis_copy *copy = heap_zeroed(1, sizeof *copy);
    copy->arena = arena_create();
    size_t key_count, total = 0;
    struct table_entry *keys = sim_hashes_keys(server.hashes, &key_count);
    for (size_t pass = 0; pass < 2; pass++) { /* counted, then copied */
        if (pass == 1)
            copy->entries = arena_take(copy->arena, (total + 1) * sizeof *copy->entries);
        for (size_t k = 0; k < key_count; k++) {
            const bool is_text = sim_hashes_kind(server.hashes, keys[k].key) == SIM_KEY_TEXT;
            size_t count;
            struct table_entry *fields = sim_hashes_fields(server.hashes, keys[k].key, &count);
            total += pass == 0 ? count : 0;
            for (size_t i = 0; i < count && pass == 1; i++) {
                const struct span *value = fields[i].value;
                copy->entries[copy->count++] = (struct copied){
                    .key = arena_span(copy->arena, keys[k].key),
                    .field = is_text ? span_of(NULL, 0) : arena_span(copy->arena, fields[i].key),
                    .value = arena_span(copy->arena, *value)};
            }
            heap_release(fields);
        }
    }
    heap_release(keys);
    return copy;
}

void sim_redis_restore_copy(const struct sim_redis_copy *copy)
{
    sim_redis_flush_all();
    for (size_t i = 0; i < copy->count; i++)
        sim_hashes_put(server.hashes, copy->entries[i].key, copy->entries[i].field,
                       copy->entries[i].value);
}

void sim_redis_copy_destroy(struct sim_redis_copy *copy)
{
    if (copy == NULL)
        return;
    arena_destroy(copy->arena);
    heap_release(copy);
}

void sim_redis_flush_all(void)
{
    size_t count;
    sim_hashes_begin_write(server.hashes, sim_clock_now_ms());
    struct table_entry *keys = sim_hashes_keys(server.hashes, &count);
    for (size_t i = 0; i < count; i++)
        sim_hashes_remove(server.hashes, keys[i].key);
    heap_release(keys);
}

void sim_redis_forget_scripts(void)
{
    memset(server.knows, 0, sizeof server.knows);
}

void sim_redis_refuse(const char *text)
{
    heap_release(server.refusal);
    server.refusal = text == NULL ? NULL : heap_text(text);
}

bool sim_redis_value(const char *key, const char *field, struct span *out_value)
{
    const struct span value = sim_hashes_get(server.hashes, span_text(key), span_text(field));
    if (value.bytes == NULL)
        return false;
    *out_value = value;
    return true;
}

void sim_redis_put(const char *key, struct span field, struct span value)
{
    sim_hashes_begin_write(server.hashes, sim_clock_now_ms());
    sim_hashes_put(server.hashes, span_text(key), field, value);
}
