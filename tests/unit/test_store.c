/* Goal: what the store does when Redis forgets, refuses, moves, is silent or goes away. Method:
 * over links and a clock of this file: each test says what each server answers, and looks at what
 * is sent to whom, and at what the caller is told. */
#include "link_fixture.h"
#include "memory/arena.h"
#include "memory/heap.h"
#include "redis/store.h"
#include "redis/store_blob.h"

/* ---- The caller's side */

static struct store *store;
static bool ready;
static int state_count, answer_count, warning_count;
static enum store_outcome outcome;
static enum fault fault;
static int64_t epoch;
static char offset[32], detail[64], value[32], warning[64];
static size_t entry_count;
static void *forget_on_state;
static char key[] = "context";

static void on_state(void *context, bool now)
{
    assert_ptr_equal(context, key);
    ready = now;
    state_count++;
    if (forget_on_state != NULL)
        store_forget(store, forget_on_state);
}

static void on_warning(void *context, const char *event, const char *text)
{
    assert_ptr_equal(context, key);
    assert_true(text[0] != '\0');
    (void)snprintf(warning, sizeof warning, "%s", event);
    warning_count++;
}

static void keep(char *out, size_t capacity, struct span text)
{
    (void)snprintf(out, capacity, "%.*s", (int)text.size, (const char *)text.bytes);
}

static void on_read(void *context, const struct store_snapshot *snapshot)
{
    assert_ptr_equal(context, key);
    fault = snapshot->fault;
    epoch = snapshot->epoch;
    entry_count = snapshot->entry_count;
    keep(offset, sizeof offset, snapshot->offset);
    keep(detail, sizeof detail, snapshot->detail);
    if (entry_count > 0)
        keep(value, sizeof value, snapshot->entries[0].bytes);
    answer_count++;
}

static void on_written(void *context, enum store_outcome now)
{
    assert_ptr_equal(context, key);
    outcome = now;
    answer_count++;
}

static void read_state(void)
{
    store_read(store, "{tag}", 7, on_read, key);
}

static void write_state(void)
{
    const struct store_entry entries[] = {{span_text("a"), span_text("1")},
                                          {span_text("gone"), span_of(NULL, 0)},
                                          {span_text("b"), span_text("")}};
    store_write(store, "{tag}", 8, span_text("10"), span_text("20"), entries, COUNT_OF(entries),
                on_written, key);
}

static void pass(int64_t ms)
{
    for (int64_t i = 0; i < ms; i += 50) {
        now_ms += 50;
        store_tick(store);
    }
}

static int set_up(void **context)
{
    (void)context;
    now_ms = 1000;
    ready = false;
    state_count = answer_count = warning_count = 0;
    warning[0] = '\0';
    forget_on_state = NULL;
    const struct store_options options = {.loop = NULL,
                                          .url = "redis://seed",
                                          .owner = "us",
                                          .on_state = on_state,
                                          .on_warning = on_warning,
                                          .context = key};
    struct reason reason;
    assert_int_equal(store_open(&options, &store, &reason), FAULT_NONE);
    store_tick(store);
    assert_int_equal(link_count, 1);
    return 0;
}

static int tear_down(void **context)
{
    (void)context;
    store_close(store);
    for (size_t i = 0; i < link_count; i++) {
        assert_false(links[i].open);
        for (size_t k = 0; k < links[i].sent_count; k++) {
            for (size_t w = 0; w < links[i].sent[k].count; w++)
                heap_release(links[i].sent[k].words[w]);
        }
    }
    memset(links, 0, sizeof links);
    link_count = 0;
    return 0;
}

static struct link *connected(void)
{
    struct link *link = newest("seed:6379");
    assert_false(ready);
    greet(link, "aof_enabled:1\r\n");
    assert_true(ready && store_is_ready(store));
    return link;
}

/* ---- Tests */

static void test_write_says_what_to_apply(void **context)
{
    (void)context;
    struct link *seed = connected();
    write_state();
    const struct sent *sent = waiting(seed, "EVALSHA");
    static const char *const words[] = {"EVALSHA", "sum-of-write", "1", "{tag}:state", "8", "us"};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        assert_string_equal(sent->words[i], words[i]);
    assert_memory_equal(sent->words[6], "10P1", 4);
    assert_memory_equal(sent->words[7], "20P1", 4);
    assert_string_equal(sent->words[8], "2");
    assert_string_equal(sent->words[9], "a");
    assert_memory_equal(sent->words[10], "1P1", 3);
    assert_string_equal(sent->words[11], "b");
    assert_memory_equal(sent->words[12], "P1", 2);
    assert_string_equal(sent->words[13], "gone");
    assert_int_equal(sent->count, 14);
    answer_text(seed, "EVALSHA", LINK_TEXT, "CONFLICT");
    assert_int_equal(answer_count, 1);
    assert_int_equal(outcome, STORE_CONFLICT);
    assert_int_equal(store_waiting(store), 0);
}

static void test_unknown_outcome_is_sent_again(void **context)
{
    (void)context;
    struct link *seed = connected();
    write_state();
    (void)waiting(seed, "EVALSHA");
    go_down(seed);
    assert_false(ready);
    assert_string_equal(store_why(store), "no answer");
    pass(50);
    assert_int_equal(link_count, 1); /* not at once */
    pass(100);
    assert_int_equal(link_count, 2);
    struct link *second = newest("seed:6379");
    answer_text(second, "PING", LINK_STATUS, "PONG");
    assert_false(ready); /* not before it is answered */
    answer_text(second, "SCRIPT", LINK_TEXT, "sum-of-read");
    answer_text(second, "SCRIPT", LINK_ERROR, "NOPERM no SCRIPT for you");
    answer_text(second, "INFO", LINK_ERROR, "NOPERM no INFO for you");
    const struct sent *sent = waiting(second, "EVAL"); /* the sums were not known yet */
    for (size_t i = 2; i < sent->count; i++)
        assert_string_equal(sent->words[i], seed->sent[4].words[i]);
    answer_text(second, "EVAL", LINK_TEXT, "APPLIED");
    assert_true(ready);
    assert_int_equal(answer_count, 1);
    write_state();
    (void)waiting(second, "EVAL"); /* nor ever will be */
    assert_int_equal(warning_count, 0);
}

static void test_forgotten_script_is_spelled_out(void **context)
{
    (void)context;
    struct link *seed = connected();
    write_state();
    answer_text(seed, "EVALSHA", LINK_ERROR, "NOSCRIPT No matching script.");
    const struct sent *sent = waiting(seed, "EVAL");
    assert_non_null(strstr(sent->words[1], "HDEL"));
    assert_string_equal(sent->words[3], "{tag}:state");
    answer_text(seed, "EVAL", LINK_TEXT, "APPLIED");
    assert_true(ready && answer_count == 1 && state_count == 1);
    write_state();
    (void)waiting(seed, "EVALSHA");
}

static void test_refused_waits_and_is_tried_again(void **context)
{
    (void)context;
    static const char *const texts[] = {"MISCONF no disk",     "NOREPLICAS few", "OOM full",
                                        "LOADING yet",         "TRYAGAIN",       "CLUSTERDOWN no",
                                        "WRONGTYPE a surprise"};
    struct link *seed = connected();
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        answer_count = 0;
        write_state();
        answer_text(seed, "EVALSHA", LINK_ERROR, texts[i]);
        assert_false(ready);
        assert_string_equal(store_why(store), texts[i]);
        pass(900);
        if (!is_idle(seed)) /* a PING is no proof of writes */
            answer_text(seed, "PING", LINK_STATUS, "PONG");
        assert_false(ready);
        assert_true(is_idle(seed));
        pass(150);
        if (strcmp(seed->sent[seed->answered].words[0], "PING") == 0)
            answer_text(seed, "PING", LINK_STATUS, "PONG");
        answer_text(seed, "EVALSHA", LINK_TEXT, "APPLIED");
        assert_true(ready && answer_count == 1 && link_count == 1);
    }
}

static void test_read_only_is_left(void **context)
{
    (void)context;
    static const char *const texts[] = {
        "READONLY You can't write against a read only replica.",
        "ERR Error running script: @user_script:1: -READONLY You can't write"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct link *seed = i == 0 ? connected() : newest("seed:6379");
        write_state();
        answer_text(seed, "EVALSHA", LINK_ERROR, texts[i]);
        assert_false(seed->open);
        assert_memory_equal(store_why(store), texts[i], 8);
        pass(200);
        struct link *next = newest("seed:6379"); /* whoever has the name by now */
        assert_ptr_not_equal(next, seed);
        greet(next, "");
        assert_false(ready);
        pass(1000);
        answer_text(next, "EVALSHA", LINK_TEXT, "APPLIED");
        assert_true(ready);
    }
    assert_int_equal(answer_count, 2);
}

static void test_moved_is_followed_and_remembered(void **context)
{
    (void)context;
    struct link *seed = connected();
    write_state();
    answer_text(seed, "EVALSHA", LINK_ERROR, "MOVED 8338 other:7001");
    pass(50);
    struct link *other = newest("other:7001");
    assert_non_null(other);
    assert_true(is_idle(seed) && ready); /* a new server is no outage */
    answer_text(other, "PING", LINK_STATUS, "PONG");
    answer_text(other, "SCRIPT", LINK_TEXT, "1");
    answer_text(other, "SCRIPT", LINK_TEXT, "2");
    answer_text(other, "INFO", LINK_TEXT, "");
    answer_text(other, "EVAL", LINK_TEXT, "APPLIED");
    write_state(); /* now it is known where */
    (void)waiting(other, "EVALSHA");
    go_down(other);
    assert_false(ready);
    pass(50);
    const struct sent *sent = waiting(seed, "EVALSHA"); /* who has the slot now? */
    assert_string_equal(sent->words[1], "sum-of-write");
    answer_text(seed, "EVALSHA", LINK_ERROR, "MOVED 8338 third:7002");
    pass(50);
    greet(newest("third:7002"), "");
    answer_text(newest("third:7002"), "EVAL", LINK_TEXT, "APPLIED");
    assert_true(ready);
    assert_int_equal(answer_count, 2);
}

/* greet() answers in the order in which greeting sends; the waiting request follows INFO. */
static void test_seed_may_be_lost(void **context)
{
    (void)context;
    struct link *seed = connected();
    write_state();
    answer_text(seed, "EVALSHA", LINK_ERROR, "MOVED 8338 other:7001");
    pass(50);
    struct link *other = newest("other:7001");
    greet(other, "");
    go_down(seed);
    assert_true(ready); /* nothing waits for it */
    answer_text(other, "EVAL", LINK_ERROR, "CLUSTERDOWN The cluster is down");
    pass(1050);
    if (strcmp(other->sent[other->answered].words[0], "PING") == 0)
        answer_text(other, "PING", LINK_STATUS, "PONG");
    answer_text(other, "EVALSHA", LINK_TEXT, "APPLIED"); /* any server that answers is asked */
    assert_true(ready);
}

static void test_ask_is_for_once(void **context)
{
    (void)context;
    struct link *seed = connected();
    write_state();
    answer_text(seed, "EVALSHA", LINK_ERROR, "ASK 8338 :7001"); /* the same host */
    pass(50);
    struct link *target = newest("seed:7001");
    greet(target, "");
    answer_text(target, "ASKING", LINK_STATUS, "OK");
    answer_text(target, "EVAL", LINK_TEXT, "APPLIED");
    write_state();
    (void)waiting(seed, "EVALSHA");
    assert_true(is_idle(target));
}

static void test_circle_of_redirections_is_slow(void **context)
{
    (void)context;
    struct link *seed = connected();
    write_state();
    size_t hops = 0;
    while (!is_idle(seed)) {
        answer_text(seed, "EVALSHA", LINK_ERROR, "MOVED 8338 seed:6379");
        assert_true(++hops < 10);
    }
    assert_false(ready);
    assert_memory_equal(store_why(store), "MOVED", 5);
    pass(1050);
    answer_text(seed, "EVALSHA", LINK_TEXT, "APPLIED");
    assert_true(ready);
}

static void test_forgotten_read_is_not_sent_again(void **context)
{
    (void)context;
    struct link *seed = connected();
    read_state();
    (void)waiting(seed, "EVALSHA");
    store_forget(store, key);
    assert_int_equal(store_waiting(store), 0);
    go_down(seed);
    pass(200);
    struct link *second = newest("seed:6379");
    greet(second, "");
    assert_true(is_idle(second) && ready);
    static const char *const answers[] = {"MISCONF", "NOSCRIPT", "MOVED 8338 other:7001"};
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        read_state();
        store_forget(store, key);
        answer_text(second, "EVALSHA", LINK_ERROR, answers[i]);
        assert_true(is_idle(second) && ready);
    }
    read_state();
    store_forget(store, key);
    const struct link_reply words[] = {{.kind = LINK_TEXT, .text = span_text("FOREIGN")},
                                       {.kind = LINK_TEXT, .text = span_text("them")}};
    answer(second, "EVALSHA",
           (struct link_reply){.kind = LINK_LIST, .elements = words, .count = 2});
    assert_int_equal(answer_count, 0);
    go_down(second);
    read_state(); /* not sent yet */
    store_forget(store, key);
    pass(500);
    greet(newest("seed:6379"), "");
    assert_true(is_idle(newest("seed:6379")));
}

/* The answer makes the store ready, and being told so the caller forgets the request. */
static void test_forgotten_while_being_answered(void **context)
{
    (void)context;
    struct link *seed = connected();
    write_state();
    answer_text(seed, "EVALSHA", LINK_ERROR, "MISCONF");
    pass(1050);
    forget_on_state = key;
    answer_text(seed, "EVALSHA", LINK_TEXT, "APPLIED");
    assert_true(ready);
    assert_int_equal(answer_count, 0);
    assert_int_equal(store_waiting(store), 0);
}

static struct link_reply text_of(struct span text)
{
    return (struct link_reply){.kind = LINK_TEXT, .text = text};
}

static void answer_snapshot(struct link *link, struct span a, struct span at)
{
    const struct link_reply pairs[] = {text_of(span_text(".epoch")),  text_of(span_text("9")),
                                       text_of(span_text("a")),       text_of(a),
                                       text_of(span_text(".offset")), text_of(at),
                                       text_of(span_text(".owner")),  text_of(span_text("us"))};
    const struct link_reply parts[] = {
        {.kind = LINK_INTEGER, .integer = 9},
        text_of(at),
        {.kind = LINK_LIST, .elements = pairs, .count = COUNT_OF(pairs)}};
    answer(link, "EVALSHA", (struct link_reply){.kind = LINK_LIST, .elements = parts, .count = 3});
}

static void test_snapshots(void **context)
{
    (void)context;
    struct link *seed = connected();
    struct arena *arena = arena_create();
    const struct span a = store_blob_framed(arena, span_text("a"), span_text("bytes"));
    const struct span b = store_blob_framed(arena, span_text("b"), span_text("bytes"));
    const struct span at = store_blob_framed(arena, span_text(".offset"), span_text("12"));
    read_state();
    const struct sent *sent = waiting(seed, "EVALSHA");
    assert_string_equal(sent->words[4], "7");
    assert_string_equal(sent->words[5], "us");
    answer_snapshot(seed, a, at);
    assert_int_equal(fault, FAULT_NONE);
    assert_int_equal(epoch, 9);
    assert_int_equal(entry_count, 1);
    assert_string_equal(offset, "12");
    assert_string_equal(value, "bytes");
    read_state();
    answer_snapshot(seed, a, span_text(""));
    assert_true(fault == FAULT_NONE && offset[0] == '\0');
    read_state();
    answer_snapshot(seed, b, at); /* another field's */
    assert_int_equal(fault, FAULT_STATE_MALFORMED);
    assert_string_equal(detail, "a");
    assert_true(epoch == 9 && entry_count == 1); /* its field is to be removed */
    assert_string_equal(offset, STORE_ANYWHERE);
    read_state();
    answer_snapshot(seed, a, span_text("12"));
    assert_int_equal(fault, FAULT_STATE_MALFORMED);
    assert_string_equal(detail, ".offset");
    read_state();
    const struct link_reply words[] = {text_of(span_text("FOREIGN")), text_of(span_text("them"))};
    answer(seed, "EVALSHA", (struct link_reply){.kind = LINK_LIST, .elements = words, .count = 2});
    assert_int_equal(fault, FAULT_STATE_FOREIGN);
    assert_string_equal(detail, "them");
    assert_int_equal(answer_count, 5);
    read_state();
    answer(seed, "EVALSHA", (struct link_reply){.kind = LINK_INTEGER});
    assert_int_equal(answer_count, 5);
    assert_string_equal(store_why(store), "an answer of the wrong kind");
    arena_destroy(arena);
}

static void test_silence_closes(void **context)
{
    (void)context;
    struct link *seed = connected();
    pass(1000);
    write_state();
    pass(1500);
    answer_text(seed, "EVALSHA", LINK_TEXT, "APPLIED");
    (void)waiting(seed, "PING");
    pass(4500);
    assert_true(seed->open && ready);
    pass(600);
    assert_false(seed->open || ready);
    const size_t before = link_count;
    pass(30000); /* it takes connections, and says nothing */
    assert_in_range(link_count - before, 3, 6);
    while (!newest("seed:6379")->open)
        pass(50);
    greet(newest("seed:6379"), "");
    assert_true(ready);
    assert_int_equal(state_count, 3); /* once ready, once not, once ready */
}

static void test_log_in_refused(void **context)
{
    (void)context;
    answer_text(newest("seed:6379"), "PING", LINK_ERROR, "WRONGPASS invalid password");
    assert_false(ready || newest("seed:6379")->open);
    assert_string_equal(store_why(store), "WRONGPASS invalid password");
    pass(200);
    assert_int_equal(link_count, 2);
}

static void test_warnings(void **context)
{
    (void)context;
    static const struct {
        const char *info, *event;
    } cases[] = {
        {"maxmemory:100\r\nmaxmemory_policy:allkeys-lru\r\naof_enabled:1\r\n", "redis_evicts"},
        {"maxmemory:100\r\nmaxmemory_policy:allkeys-lru\r\naof_enabled:1\r\n", ""}, /* no news */
        {"maxmemory:100\r\nmaxmemory_policy:volatile-lru\r\n", ""},
        {"maxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n", ""},
        {"maxmemory:100\r\nmaxmemory_policy:noeviction\r\n", ""},
        {"# Memory\r\nmaxmemory:100\r\nmaxmemory_policy:allkeys-random\r\n", "redis_evicts"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        warning[0] = '\0';
        greet(newest("seed:6379"), cases[i].info);
        assert_string_equal(warning, cases[i].event);
        assert_true(is_idle(newest("seed:6379")));
        go_down(newest("seed:6379"));
        pass(2100);
    }
    static const char *const points[] = {"3600 1", "", NULL};
    for (size_t i = 0; i < COUNT_OF(points); i++) {
        struct link *seed = newest("seed:6379");
        warning[0] = '\0';
        greet(seed, "aof_enabled:0\r\n");
        if (points[i] == NULL) {
            answer_text(seed, "CONFIG", LINK_ERROR, "NOPERM");
        } else {
            const struct link_reply words[] = {text_of(span_text("save")),
                                               text_of(span_text(points[i]))};
            answer(seed, "CONFIG",
                   (struct link_reply){.kind = LINK_LIST, .elements = words, .count = 2});
        }
        assert_string_equal(warning, i == 1 ? "redis_not_persistent" : "");
        go_down(seed);
        pass(2100);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_write_says_what_to_apply),
        TEST(test_unknown_outcome_is_sent_again),
        TEST(test_forgotten_script_is_spelled_out),
        TEST(test_refused_waits_and_is_tried_again),
        TEST(test_read_only_is_left),
        TEST(test_moved_is_followed_and_remembered),
        TEST(test_seed_may_be_lost),
        TEST(test_ask_is_for_once),
        TEST(test_circle_of_redirections_is_slow),
        TEST(test_forgotten_read_is_not_sent_again),
        TEST(test_forgotten_while_being_answered),
        TEST(test_snapshots),
        TEST(test_silence_closes),
        TEST(test_log_in_refused),
        TEST(test_warnings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
