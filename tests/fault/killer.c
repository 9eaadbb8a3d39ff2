/* killer.c: an unchanged program dies, stops or is refused at a named place. For LD_PRELOAD.
 *
 *   PLUMB_KILL=HOOK:COUNT[,…]   SIGKILL to itself the COUNTth time that HOOK is reached
 *   PLUMB_STOP=HOOK:COUNT[,…]   SIGSTOP likewise; whoever sends SIGCONT sets it going again
 *   PLUMB_FAIL=HOOK:COUNT[,…]   only "publish" (this call is refused) and "transaction.begin" (this
 *                               producer begins no transaction any more, for as long as it lives)
 *
 * Each is said on stderr ("killer hook=… count=… does=…") before it is done. The wrapped functions
 * are those that common/kafka and common/redis call; the real ones are the next in the search
 * order.
 */
#include <dlfcn.h>
#include <hiredis/async.h>
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum hook {
    HOOK_TRANSACTION_BEGIN, /* before rd_kafka_begin_transaction */
    HOOK_PUBLISH,           /* before a record is given to the producer */
    HOOK_OFFSETS_BEFORE,    /* rd_kafka_send_offsets_to_transaction */
    HOOK_OFFSETS_AFTER,
    HOOK_COMMIT_BEFORE,
    HOOK_COMMIT_AFTER, /* it succeeded, and the program does not know it yet */
    HOOK_ABORT_BEFORE,
    HOOK_ABORT_AFTER,
    HOOK_INIT_AFTER, /* the producer has its identity */
    HOOK_COMMITTED_AFTER,
    HOOK_ASSIGN_AFTER,   /* of inputs, not of tables */
    HOOK_READ_SENT,      /* the question for a shard's state has been handed to the kernel */
    HOOK_READ_ANSWERED,  /* it has taken its new epoch, and the program does not know it yet */
    HOOK_STATE_QUEUED,   /* a snapshot is in the program's own buffer */
    HOOK_STATE_SENT,     /* it has been handed to the kernel */
    HOOK_STATE_ANSWERED, /* it is in Redis, and the program does not know it yet */
    HOOK_TAKE,           /* a record of an input has come, also in replay */
    HOOK_COUNT,
};
static const char *const names[HOOK_COUNT] = {
    "transaction.begin", "publish",      "offsets.before", "offsets.after", "commit.before",
    "commit.after",      "abort.before", "abort.after",    "init.after",    "committed.after",
    "assign.after",      "read.sent",    "read.answered",  "state.queued",  "state.sent",
    "state.answered",    "take",
};

enum verb { VERB_NONE, VERB_KILL, VERB_STOP, VERB_FAIL };
struct order {
    enum verb verb;
    enum hook hook;
    long count;
};
enum { ORDERS_MAX = 32 };
static struct order orders[ORDERS_MAX];
static size_t order_count;
static atomic_long reached[HOOK_COUNT];
static _Atomic(rd_kafka_t *) refusing; /* this producer begins no transaction any more */

/* ---- Orders */

/* What does VERB at NAME: one write, so that no line is torn. */
static void say(const char *name, long count, const char *verb)
{
    char line[160];
    const int size =
        snprintf(line, sizeof line, "killer hook=%s count=%ld does=%s\n", name, count, verb);
    if (size > 0)
        (void)!write(STDERR_FILENO, line, (size_t)size);
}

static void read_order(const char *text, enum verb verb)
{
    const char *colon = strchr(text, ':');
    for (int i = 0; colon != NULL && i < HOOK_COUNT; i++) {
        if (strlen(names[i]) != (size_t)(colon - text) ||
            strncmp(names[i], text, strlen(names[i])) != 0 || order_count == ORDERS_MAX)
            continue;
        orders[order_count++] = (struct order){verb, (enum hook)i, strtol(colon + 1, NULL, 10)};
        return;
    }
    say(text, 0, "no such hook");
    _exit(99);
}

static void read_orders(const char *variable, enum verb verb)
{
    const char *text = getenv(variable);
    while (text != NULL && *text != '\0') {
        read_order(text, verb);
        text += strcspn(text, ",");
        text += *text == ',';
    }
}

__attribute__((constructor)) static void begin(void)
{
    read_orders("PLUMB_KILL", VERB_KILL);
    read_orders("PLUMB_STOP", VERB_STOP);
    read_orders("PLUMB_FAIL", VERB_FAIL);
}

/* True: the call is to be refused. */
static int reach(enum hook hook)
{
    const long count = atomic_fetch_add(&reached[hook], 1) + 1;
    for (size_t i = 0; i < order_count; i++) {
        if (orders[i].hook != hook || orders[i].count != count)
            continue;
        static const char *const verbs[] = {"nothing", "kill", "stop", "fail"};
        say(names[hook], count, verbs[orders[i].verb]);
        if (orders[i].verb == VERB_FAIL)
            return 1;
        (void)kill(getpid(), orders[i].verb == VERB_KILL ? SIGKILL : SIGSTOP);
    }
    return 0;
}

static void find(void *out_function, const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) {
        say(name, 0, "nobody has it");
        _exit(99);
    }
    memcpy(out_function, &found, sizeof found);
}

/* `real` is the function that the program would have called. */
#define REAL(name)                                                                                 \
    static __typeof__(name) *real;                                                                 \
    if (real == NULL)                                                                              \
    find(&real, #name)

static rd_kafka_error_t *refusal(const char *text)
{
    REAL(rd_kafka_error_new);
    return real(RD_KAFKA_RESP_ERR__STATE, "killer: %s", text);
}

/* ---- Kafka */

rd_kafka_error_t *rd_kafka_init_transactions(rd_kafka_t *client, int timeout_ms)
{
    REAL(rd_kafka_init_transactions);
    rd_kafka_error_t *error = real(client, timeout_ms);
    if (error == NULL)
        (void)reach(HOOK_INIT_AFTER);
    return error;
}

rd_kafka_error_t *rd_kafka_begin_transaction(rd_kafka_t *client)
{
    REAL(rd_kafka_begin_transaction);
    if (reach(HOOK_TRANSACTION_BEGIN))
        atomic_store(&refusing, client);
    return atomic_load(&refusing) == client ? refusal("no transaction") : real(client);
}

rd_kafka_error_t *rd_kafka_produceva(rd_kafka_t *client, const rd_kafka_vu_t *parts, size_t count)
{
    REAL(rd_kafka_produceva);
    if (reach(HOOK_PUBLISH))
        return refusal("not published");
    return real(client, parts, count);
}

rd_kafka_error_t *rd_kafka_send_offsets_to_transaction(
    rd_kafka_t *client, const rd_kafka_topic_partition_list_t *offsets,
    const rd_kafka_consumer_group_metadata_t *group, int timeout_ms)
{
    REAL(rd_kafka_send_offsets_to_transaction);
    (void)reach(HOOK_OFFSETS_BEFORE);
    rd_kafka_error_t *error = real(client, offsets, group, timeout_ms);
    if (error == NULL)
        (void)reach(HOOK_OFFSETS_AFTER);
    return error;
}

rd_kafka_error_t *rd_kafka_commit_transaction(rd_kafka_t *client, int timeout_ms)
{
    REAL(rd_kafka_commit_transaction);
    (void)reach(HOOK_COMMIT_BEFORE);
    rd_kafka_error_t *error = real(client, timeout_ms);
    if (error == NULL)
        (void)reach(HOOK_COMMIT_AFTER);
    return error;
}

rd_kafka_error_t *rd_kafka_abort_transaction(rd_kafka_t *client, int timeout_ms)
{
    REAL(rd_kafka_abort_transaction);
    (void)reach(HOOK_ABORT_BEFORE);
    rd_kafka_error_t *error = real(client, timeout_ms);
    if (error == NULL)
        (void)reach(HOOK_ABORT_AFTER);
    return error;
}

rd_kafka_resp_err_t rd_kafka_committed(rd_kafka_t *client,
                                       rd_kafka_topic_partition_list_t *partitions, int timeout_ms)
{
    REAL(rd_kafka_committed);
    const rd_kafka_resp_err_t error = real(client, partitions, timeout_ms);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        (void)reach(HOOK_COMMITTED_AFTER);
    return error;
}

static int is_table(const char *topic)
{
    return strncmp(topic, "model.", 6) == 0;
}

rd_kafka_resp_err_t rd_kafka_assign(rd_kafka_t *client,
                                    const rd_kafka_topic_partition_list_t *partitions)
{
    REAL(rd_kafka_assign);
    const rd_kafka_resp_err_t error = real(client, partitions);
    if (partitions != NULL && partitions->cnt > 0 && !is_table(partitions->elems[0].topic))
        (void)reach(HOOK_ASSIGN_AFTER);
    return error;
}

static const char *topic_of(const rd_kafka_message_t *message)
{
    REAL(rd_kafka_topic_name);
    return real(message->rkt);
}

rd_kafka_message_t *rd_kafka_consumer_poll(rd_kafka_t *client, int timeout_ms)
{
    REAL(rd_kafka_consumer_poll);
    rd_kafka_message_t *message = real(client, timeout_ms);
    if (message != NULL && message->err == RD_KAFKA_RESP_ERR_NO_ERROR &&
        !is_table(topic_of(message)))
        (void)reach(HOOK_TAKE);
    return message;
}

void rd_kafka_destroy(rd_kafka_t *client)
{
    REAL(rd_kafka_destroy);
    rd_kafka_t *expected = client; /* the next one may lie at the same address */
    (void)atomic_compare_exchange_strong(&refusing, &expected, NULL);
    real(client);
}

/* ---- Redis. Its calls all come from the loop's thread. */

/* Number of arguments of common/redis/store_script.c: [EVAL text|EVALSHA sum] 1 key …; a question
 * has an epoch and an owner, a snapshot more. */
enum { READ_ARGUMENTS = 6 };
static int reads_unsent, states_unsent;

struct call {
    redisCallbackFn *function;
    void *context;
    enum hook hook;
};

static void on_reply(redisAsyncContext *connection, void *reply, void *context)
{
    const struct call call = *(struct call *)context;
    free(context);
    if (reply != NULL)
        (void)reach(call.hook);
    call.function(connection, reply, call.context);
}

int redisAsyncCommandArgv(redisAsyncContext *connection, redisCallbackFn *function, void *context,
                          int count, const char **arguments, const size_t *sizes)
{
    REAL(redisAsyncCommandArgv);
    struct call *call;
    if (count < READ_ARGUMENTS || sizes[0] < 4 || memcmp(arguments[0], "EVAL", 4) != 0 ||
        (call = malloc(sizeof *call)) == NULL)
        return real(connection, function, context, count, arguments, sizes);
    const int is_read = count == READ_ARGUMENTS;
    *call = (struct call){function, context, is_read ? HOOK_READ_ANSWERED : HOOK_STATE_ANSWERED};
    const int result = real(connection, on_reply, call, count, arguments, sizes);
    if (result != REDIS_OK) {
        free(call);
        return result;
    }
    *(is_read ? &reads_unsent : &states_unsent) += 1;
    if (!is_read)
        (void)reach(HOOK_STATE_QUEUED);
    return result;
}

void redisAsyncHandleWrite(redisAsyncContext *connection)
{
    REAL(redisAsyncHandleWrite);
    real(connection);
    for (; reads_unsent > 0; reads_unsent--)
        (void)reach(HOOK_READ_SENT);
    for (; states_unsent > 0; states_unsent--)
        (void)reach(HOOK_STATE_SENT);
}
