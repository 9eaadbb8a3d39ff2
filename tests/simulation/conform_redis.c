/* conform_redis.c: the same random operations through store.h and link.h, against a real Redis or
 * the simulated one; both must print the same.
 *
 * usage: conform_redis FIRST_SEED COUNT redis://HOST:PORT       (built with link.c)
 *        conform_redis_simulated FIRST_SEED COUNT               (built with sim_link.c)
 *
 * Goal: what the simulation proves about our code holds of Redis: sim_redis.c does what Redis does.
 * Method: one line a result; each operation is awaited before the next, but for a write whose
 * connection is cut while it is under way.
 */
#include "check/check.h"
#include "clock/wall.h"
#include "memory/buffer.h"
#include "memory/heap.h"
#include "redis/link.h"
#include "redis/store.h"
#include "redis/store_script.h"
#include "redis/store_url.h"
#ifdef CONFORM_SIMULATED
#include "sim_link.h"
#include "sim_redis.h"
#endif

#include <stdarg.h>
#include <unistd.h>

enum { SHARDS = 3, FIELDS = 6, OPERATIONS = 60, PATIENCE_MS = 10000 };

struct conform {
    uv_loop_t loop;
    const char *url;
    struct store *store;
    struct link *link; /* for raw commands; NULL: not open */
    uint64_t random;
    bool answered;
    int64_t epochs[SHARDS]; /* as read last; 0: not read */
    long versions[SHARDS];  /* the offset that is stored, as far as we know; 0: none */
};

static uint64_t draw(struct conform *conform, uint64_t below)
{
    conform->random += 0x9e3779b97f4a7c15u; /* splitmix64 */
    uint64_t z = conform->random;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % below;
}

static void turn(struct conform *conform)
{
    store_tick(conform->store);
#ifdef CONFORM_SIMULATED
    if (!sim_link_step(sim_process_current()))
        (void)usleep(1000);
#else
    if (uv_run(&conform->loop, UV_RUN_NOWAIT) != 0)
        (void)usleep(100);
#endif
}

static void await(struct conform *conform, const char *what)
{
    const int64_t until_ns = monotonic_now_ns() + (int64_t)PATIENCE_MS * 1000000;
    while (!conform->answered) {
        turn(conform);
        if (monotonic_now_ns() > until_ns) {
            (void)printf("%s: no answer (%s)\n", what, store_why(conform->store));
            exit(1);
        }
    }
}

/* ---- Raw commands */

static void on_raw_down(void *context)
{
    struct conform *conform = context;
    conform->link = NULL;
}

static void print_span(struct span text)
{
    for (size_t i = 0; i < text.size; i++)
        (void)printf(text.bytes[i] > ' ' && text.bytes[i] < 127 ? "%c" : "\\%02x",
                     (unsigned)text.bytes[i]);
}

static int order_of_pairs(const void *left, const void *right)
{
    const struct link_reply *a = left, *b = right;
    return span_order(a->text, b->text);
}

static void print_reply(const struct link_reply *reply, bool sorted)
{
    struct span text = reply->text;
    if (reply->kind == LINK_ERROR) { /* Redis's prose may change, its code does not */
        const uint8_t *space = memchr(text.bytes, ' ', text.size);
        text.size = space == NULL ? text.size : (size_t)(space - text.bytes);
    }
    (void)printf("%d:", (int)reply->kind);
    if (reply->kind == LINK_INTEGER)
        (void)printf("%lld", (long long)reply->integer);
    print_span(text);
    if (reply->kind != LINK_LIST)
        return;
    struct link_reply *elements = heap_copied(reply->elements, reply->count * sizeof *elements);
    if (sorted && reply->count > 0) /* pairs come in Redis's own order */
        qsort(elements, reply->count / 2, 2 * sizeof *elements, order_of_pairs);
    for (size_t i = 0; i < reply->count; i++) {
        (void)printf(i == 0 ? "[" : ",");
        print_reply(&elements[i], false);
    }
    (void)printf("]");
    heap_release(elements);
}

static void on_raw(void *context, const struct link_reply *reply)
{
    struct conform *conform = context;
    conform->answered = true;
    print_reply(reply, true);
    (void)printf("\n");
}

static void open_raw(struct conform *conform)
{
    struct store_url url = {.host = "simulated"};
    struct reason reason;
    if (conform->link != NULL)
        return;
    if (conform->url != NULL)
        ENSURE(store_url_parse(conform->url, &url, &reason) == FAULT_NONE);
    const struct link_options options = {.loop = &conform->loop,
                                         .host = url.host,
                                         .port = url.port,
                                         .user = "",
                                         .password = "",
                                         .on_down = on_raw_down,
                                         .context = conform};
    conform->link = link_open(&options);
}

static void raw(struct conform *conform, size_t count, ...)
{
    struct span words[8];
    REQUIRE(count <= COUNT_OF(words));
    va_list list;
    va_start(list, count);
    for (size_t i = 0; i < count; i++)
        words[i] = span_text(va_arg(list, const char *));
    va_end(list);
    open_raw(conform);
    (void)printf("%s ", (const char *)words[0].bytes);
    conform->answered = false;
    link_send(conform->link, words, count, on_raw, conform);
    await(conform, "raw");
}

/* All connections end, with whatever is under way. */
static void cut(struct conform *conform)
{
#ifdef CONFORM_SIMULATED
    sim_link_cut(sim_process_current());
    sim_link_drop_stranded();
#else
    open_raw(conform);
    const struct span words[6] = {span_text("CLIENT"), span_text("KILL"),   span_text("TYPE"),
                                  span_text("normal"), span_text("SKIPME"), span_text("no")};
    link_send(conform->link, words, 6, NULL, NULL);
#endif
    while (conform->link != NULL)
        turn(conform);
}

/* ---- The store */

static void on_state(void *context, bool ready)
{
    (void)context, (void)ready;
}

static int order_of_entries(const void *left, const void *right)
{
    const struct store_entry *a = left, *b = right;
    return span_order(a->field, b->field);
}

static int shard_asked; /* by the request under way */

static void on_read(void *context, const struct store_snapshot *snapshot)
{
    struct conform *conform = context;
    conform->answered = true;
    (void)printf("read %d: %s epoch %lld at '", shard_asked, fault_name(snapshot->fault),
                 (long long)snapshot->epoch);
    print_span(snapshot->offset);
    (void)printf("' (");
    print_span(snapshot->detail);
    (void)printf(")");
    struct store_entry *entries =
        heap_copied(snapshot->entries, snapshot->entry_count * sizeof *entries);
    if (snapshot->entry_count > 0)
        qsort(entries, snapshot->entry_count, sizeof *entries, order_of_entries);
    for (size_t i = 0; i < snapshot->entry_count; i++) {
        (void)printf(" ");
        print_span(entries[i].field);
        (void)printf("=");
        print_span(entries[i].bytes);
    }
    heap_release(entries);
    (void)printf("\n");
    if (snapshot->fault != FAULT_NONE)
        return;
    char *offset = span_copied(snapshot->offset);
    conform->epochs[shard_asked] = snapshot->epoch;
    conform->versions[shard_asked] = strtol(offset, NULL, 10);
    heap_release(offset);
}

static void on_written(void *context, enum store_outcome outcome)
{
    static const char *const names[] = {"applied", "conflict", "fenced"};
    struct conform *conform = context;
    conform->answered = true;
    (void)printf("write %d: %s\n", shard_asked, names[outcome]);
}

static void tag_of(uint64_t shard, char out_tag[32])
{
    (void)snprintf(out_tag, 32, "{plumb:conform:%d}", (int)shard);
}

static void key_of(uint64_t shard, char out_key[40])
{
    (void)snprintf(out_key, 40, "{plumb:conform:%d}:state", (int)shard);
}

static void read_shard(struct conform *conform)
{
    char tag[32];
    shard_asked = (int)draw(conform, SHARDS);
    tag_of((uint64_t)shard_asked, tag);
    const int64_t least = draw(conform, 3) == 0 ? (int64_t)draw(conform, 1000) : 0;
    conform->answered = false;
    store_read(conform->store, tag, least, on_read, conform);
}

static struct span draw_value(struct conform *conform, uint8_t bytes[32])
{
    const size_t size = draw(conform, 32);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)draw(conform, 256);
    return span_of(bytes, size);
}

static void write_shard(struct conform *conform)
{
    char tag[32], from[24] = "", to[24], names[FIELDS][8];
    uint8_t values[FIELDS][32];
    struct store_entry entries[FIELDS];
    shard_asked = (int)draw(conform, SHARDS);
    tag_of((uint64_t)shard_asked, tag);
    int64_t epoch = conform->epochs[shard_asked];
    long version = conform->versions[shard_asked];
    if (draw(conform, 6) == 0)
        epoch += (int64_t)draw(conform, 3) - 1;
    if (draw(conform, 6) == 0) /* -1: the same write once more */
        version += (long)draw(conform, 3) - 1;
    if (version > 0)
        (void)snprintf(from, sizeof from, "%ld", version);
    (void)snprintf(to, sizeof to, "%ld", version < 0 ? 1 : version + 1);
    const size_t count = draw(conform, FIELDS + 1);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(names[i], sizeof names[i], "f%d", (int)draw(conform, FIELDS));
        entries[i].field = span_text(names[i]);
        entries[i].bytes = draw_value(conform, values[i]);
        if (draw(conform, 4) == 0)
            entries[i].bytes = span_of(NULL, 0);
    }
    conform->versions[shard_asked] = version < 0 ? 1 : version + 1;
    conform->answered = false;
    store_write(conform->store, tag, epoch, span_text(from), span_text(to), entries, count,
                on_written, conform);
}

/* A key of another kind is refused, again and again, until somebody removes it. */
static void meet_wrong_kind(struct conform *conform)
{
    char key[40];
    read_shard(conform);
    const int shard = shard_asked;
    await(conform, "read");
    key_of((uint64_t)shard, key);
    raw(conform, 3, "SET", key, "text");
    raw(conform, 2, "HGETALL", key);
    conform->answered = false;
    char tag[32];
    tag_of((uint64_t)shard, tag);
    store_read(conform->store, tag, 0, on_read, conform);
    while (store_is_ready(conform->store))
        turn(conform);
    const char *why = store_why(conform->store);
    (void)printf("refused: %.*s waiting %d\n", (int)strcspn(why, " "), why,
                 (int)store_waiting(conform->store));
    store_forget(conform->store, conform);
    while (!store_is_ready(conform->store))
        turn(conform);
    raw(conform, 2, "DEL", key);
}

static void spoil(struct conform *conform)
{
    static const char *const fields[] = {"f1",     "f2",     ".epoch",  ".epoch",
                                         ".owner", ".owner", ".offset", "stray"};
    static const char *const values[] = {"garbage",          "",     "17",
                                         "9999999999999999", "0x10", "somebody"};
    char key[40];
    key_of(draw(conform, SHARDS), key);
    raw(conform, 4, "HSET", key, fields[draw(conform, COUNT_OF(fields))],
        values[draw(conform, COUNT_OF(values))]);
}

static void operate(struct conform *conform)
{
    char key[40];
    const uint64_t kind = draw(conform, 100);
    key_of(draw(conform, SHARDS), key);
    if (kind < 30) {
        read_shard(conform);
        await(conform, "read");
    } else if (kind < 70) {
        write_shard(conform);
        await(conform, "write");
    } else if (kind < 78) {
        spoil(conform);
    } else if (kind < 83) {
        raw(conform, 2, "HGETALL", key);
    } else if (kind < 87) {
        raw(conform, 2, "SCRIPT", "FLUSH");
    } else if (kind < 90) {
        raw(conform, 2, "DEL", key);
    } else if (kind < 91) {
        raw(conform, 1, "FLUSHALL");
    } else if (kind < 93) {
        raw(conform, 1, draw(conform, 2) == 0 ? "NOSUCHCOMMAND" : "HGET");
    } else if (kind < 95) {
        raw(conform, 4, "HDEL", key, "f1", "stray");
    } else if (kind < 96) {
        raw(conform, 4, "EVALSHA", "0000000000000000000000000000000000000000", "1", key);
    } else if (kind < 98) {
        write_shard(conform);
        cut(conform);
        await(conform, "write");
    } else {
        meet_wrong_kind(conform);
    }
}

static void run_seed(struct conform *conform, uint64_t seed)
{
    struct reason reason;
    (void)printf("seed %llu\n", (unsigned long long)seed);
    conform->random = seed;
    memset(conform->epochs, 0, sizeof conform->epochs);
    memset(conform->versions, 0, sizeof conform->versions);
    const struct store_options options = {.loop = &conform->loop,
                                          .url = conform->url == NULL ? "redis://simulated"
                                                                      : conform->url,
                                          .owner = seed % 4 == 0 ? "" : "us",
                                          .on_state = on_state,
                                          .context = conform};
    ENSURE(store_open(&options, &conform->store, &reason) == FAULT_NONE);
    raw(conform, 1, "FLUSHALL");
    raw(conform, 2, "SCRIPT", "FLUSH");
    for (int i = 0; i < OPERATIONS; i++)
        operate(conform);
    link_close(conform->link);
    conform->link = NULL;
    store_close(conform->store);
    (void)uv_run(&conform->loop, UV_RUN_DEFAULT);
}

int main(int argc, char *argv[])
{
#ifdef CONFORM_SIMULATED
    const int words = 3;
    sim_redis_start();
#else
    const int words = 4;
#endif
    if (argc != words) {
        (void)fprintf(stderr, "usage: %s FIRST_SEED COUNT [REDIS_URL]\n", argv[0]);
        return 2;
    }
    struct conform conform = {.url = argv[3]};
    ENSURE(uv_loop_init(&conform.loop) == 0);
    const uint64_t first = strtoull(argv[1], NULL, 10), count = strtoull(argv[2], NULL, 10);
    for (uint64_t seed = first; seed < first + count; seed++)
        run_seed(&conform, seed);
    ENSURE(uv_loop_close(&conform.loop) == 0);
#ifdef CONFORM_SIMULATED
    sim_redis_stop();
#endif
    return 0;
}
