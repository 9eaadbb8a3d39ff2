/* conform_kafka.c: the same operations against the simulated and against a real Kafka.
 *
 * Goal: the simulation answers as the real one does. Method: a seed gives a list of operations on
 * three topics, two transactional ids and one group, through source.h and sink.h alone; each result
 * is a line. Where reality takes its time, both sides are watched until nothing changes any more.
 * it_conformance_kafka.py compares the lines.
 *
 * usage: conform_kafka_sim|conform_kafka_real BOOTSTRAP PREFIX SEED
 * The caller makes the topics PREFIX-1, PREFIX-2 and PREFIX-3, with as many partitions.
 */
#include "conform_members.h"
#include "conform_world.h"
#include "memory/heap.h"

static uint64_t draw(uint64_t below)
{
    run.random ^= run.random << 13;
    run.random ^= run.random >> 7;
    run.random ^= run.random << 17;
    return (run.random >> 11) % below;
}

static const char *said(enum fault fault)
{
    return fault == FAULT_NONE ? "done" : fault_name(fault);
}

/* ---- Producers */

static void deliver(struct sink *sink)
{
    const int64_t began_ms = world_now_ms();
    while (sink_waiting(sink) > 0 && world_now_ms() - began_ms < DEADLINE_MS) {
        world_wait(2);
        sink_poll(sink);
    }
}

static void open_sink(size_t which)
{
    struct producer *producer = &run.producers[which];
    const struct sink_options options = {.options = run.options,
                                         .transactional_id = producer->id,
                                         .client = "producer",
                                         .names = (const char *const *)run.names};
    struct reason reason;
    sink_close(producer->sink);
    ENSURE(sink_open(&options, &producer->sink, &reason) == FAULT_NONE);
    enum fault fault;
    do
        fault = sink_init(producer->sink, 5000, &reason);
    while (fault == FAULT_KAFKA_UNREACHABLE);
    producer->begun = false;
    printf("init %zu: %s\n", which, said(fault));
}

static void publish(size_t which)
{
    const size_t count = 1 + draw(3);
    struct reason reason;
    printf("publish %zu:", which);
    for (size_t i = 0; i < count; i++) {
        char *value = heap_format("%d.%zu", run.operation, i);
        const struct header header = {"name", span_text(value)};
        struct record record = {.key = span_text("key"),
                                .value = span_text(value),
                                .headers = &header,
                                .header_count = 1};
        place_of((int)draw(PARTITIONS), &record.topic, &record.partition);
        printf(" %s", said(sink_publish(run.producers[which].sink, &record, &reason)));
        deliver(run.producers[which].sink);
        heap_release(value);
    }
    printf("\n");
}

/* Offsets of a few partitions, whoever holds them: the broker does not ask. */
static rd_kafka_topic_partition_list_t *draw_offsets(void)
{
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(PARTITIONS);
    const uint64_t wanted = draw(4) == 0 ? 0 : draw(1u << PARTITIONS);
    for (int which = 0; which < PARTITIONS; which++) {
        enum topic topic;
        int32_t partition;
        place_of(which, &topic, &partition);
        if ((wanted >> which & 1) == 0)
            continue;
        rd_kafka_topic_partition_t *element =
            rd_kafka_topic_partition_list_add(offsets, run.names[topic], partition);
        element->offset = (int64_t)draw(100);
        if (draw(4) > 0) {
            element->metadata = heap_format("clock=%d", run.operation);
            element->metadata_size = strlen(element->metadata);
        }
    }
    return offsets;
}

/* source: whose membership fences the offsets. */
static bool commit(size_t which, const struct source *source, const char *whose)
{
    rd_kafka_topic_partition_list_t *offsets = draw_offsets();
    struct reason reason = {""};
    const enum fault fault = sink_commit(run.producers[which].sink, offsets, source, &reason);
    printf("commit %zu as %s, %d offsets: %s\n", which, whose, offsets->cnt, said(fault));
    fprintf(stderr, "    %s\n", reason.text);
    rd_kafka_topic_partition_list_destroy(offsets);
    return fault == FAULT_NONE;
}

static enum fault commit_offset(struct sink *sink, const struct source *source)
{
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(offsets, run.names[topics[0]], 0)->offset = 1;
    struct reason reason = {""};
    const enum fault fault = sink_commit(sink, offsets, source, &reason);
    fprintf(stderr, "    %s\n", reason.text);
    rd_kafka_topic_partition_list_destroy(offsets);
    return fault;
}

static struct source *open_outsider(const char *group)
{
    const struct source_options options = {.options = run.options,
                                           .group = group,
                                           .client = "outsider",
                                           .names = (const char *const *)run.names,
                                           .on_wake = world_on_wake};
    struct source *source;
    struct reason reason;
    ENSURE(source_open(&options, &source, &reason) == FAULT_NONE);
    return source;
}

static bool commit_somehow(size_t which)
{
    const size_t first = draw(SOURCES);
    for (size_t i = 0; i < SOURCES; i++) {
        const struct member *member = &run.members[(first + i) % SOURCES];
        if (member->source != NULL)
            return commit(which, member->source, "member");
    }
    struct source *outsider = open_outsider(run.group);
    const bool committed = commit(which, outsider, "outsider");
    source_close(outsider, true);
    return committed;
}

/* ---- What is there to be seen */

static void print_record(const struct source_message *message)
{
    struct header headers[4];
    const struct record record = source_record(message, headers, COUNT_OF(headers), true);
    printf("  %s[%d] %lld: %.*s, %zu headers\n", strrchr(run.names[record.topic], '-'),
           (int)record.partition, (long long)record.offset, (int)record.value.size,
           (const char *)record.value.bytes, record.header_count);
}

/* One partition after the other: so the lines come in one order. */
static void read_partition(struct source *source, int which)
{
    enum topic topic;
    int32_t partition;
    struct reason reason;
    place_of(which, &topic, &partition);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, run.names[topic], partition)->offset =
        RD_KAFKA_OFFSET_BEGINNING;
    ENSURE(source_assign(source, list, &reason) == FAULT_NONE);
    rd_kafka_topic_partition_list_destroy(list);
    const int64_t began_ms = world_now_ms();
    enum source_event event = SOURCE_EMPTY;
    struct source_message message = {0};
    while (event != SOURCE_END && world_now_ms() - began_ms < DEADLINE_MS) {
        event = source_poll(source, 100, &message, &reason);
        if (event != SOURCE_RECORD)
            continue;
        print_record(&message);
        source_release(&message);
    }
    printf("  %s[%d] ends at %lld\n", strrchr(run.names[topic], '-'), (int)partition,
           (long long)message.offset);
}

static void read_all(void)
{
    world_wait(200); /* markers */
    printf("read\n");
    struct source *source = open_outsider(NULL);
    for (int which = 0; which < PARTITIONS; which++)
        read_partition(source, which);
    source_close(source, true);
}

static void read_offsets(void)
{
    struct source *source = open_outsider(run.group);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
    for (int which = 0; which < PARTITIONS; which++) {
        enum topic topic;
        int32_t partition;
        place_of(which, &topic, &partition);
        (void)rd_kafka_topic_partition_list_add(list, run.names[topic], partition);
    }
    struct reason reason;
    enum fault fault = FAULT_KAFKA_UNREACHABLE;
    for (int i = 0; i < 3 && fault == FAULT_KAFKA_UNREACHABLE; i++)
        fault = source_committed(source, list, 2000, &reason);
    printf("committed: %s\n ", said(fault));
    for (int i = 0; i < list->cnt && fault == FAULT_NONE; i++)
        printf(" %lld '%.*s'", (long long)list->elems[i].offset, (int)list->elems[i].metadata_size,
               (const char *)list->elems[i].metadata);
    printf("\n");
    rd_kafka_topic_partition_list_destroy(list);
    source_close(source, true);
}

/* A consumer at an offset that is not there (any more, or yet). */
static void read_out_of_range(bool beyond)
{
    const int which = (int)draw(PARTITIONS);
    enum topic topic;
    int32_t partition;
    place_of(which, &topic, &partition);
    for (int i = 0; i < 3 && !beyond; i++)
        world_append(run.names[topic], partition, "trimmed");
    if (!beyond)
        world_trim(run.names[topic], partition, 2);
    struct source *source = open_outsider(NULL);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, run.names[topic], partition)->offset =
        beyond ? 1000 : 1;
    struct reason reason = {""};
    struct source_message message = {0};
    ENSURE(source_assign(source, list, &reason) == FAULT_NONE);
    rd_kafka_topic_partition_list_destroy(list);
    const int64_t began_ms = world_now_ms();
    enum source_event event = SOURCE_EMPTY;
    while (event == SOURCE_EMPTY && world_now_ms() - began_ms < DEADLINE_MS)
        event = source_poll(source, 100, &message, &reason);
    printf("%s: %s %.*s\n", beyond ? "beyond the end" : "before the start",
           event == SOURCE_TROUBLE ? "trouble" : "no trouble", (int)strcspn(reason.text, ":"),
           reason.text);
    source_release(&message);
    source_close(source, true);
}

/* ---- The list of operations */

/* A rebalance takes a real Kafka seconds: no transaction is to come near its time-out. */
static void end_transactions(int age)
{
    for (size_t i = 0; i < SINKS; i++) {
        if (run.producers[i].begun && run.operation - run.producers[i].begun_at >= age)
            open_sink(i);
    }
}

static void change_group(void)
{
    const size_t which = draw(SOURCES);
    end_transactions(0);
    if (run.members[which].source == NULL) {
        printf("member %zu joins\n", which);
        members_join(which);
    } else {
        printf("member %zu leaves\n", which);
        members_leave(which);
    }
    members_settle();
}

/* The old members have heard of the rebalance and not answered: their generation still counts. */
static void commit_in_rebalance(size_t which)
{
    size_t old = 0, fresh = 0;
    while (old < SOURCES && run.members[old].source == NULL)
        old++;
    while (fresh < SOURCES && run.members[fresh].source != NULL)
        fresh++;
    if (old == SOURCES || fresh == SOURCES || run.producers[which].sink == NULL)
        return;
    end_transactions(0);
    struct reason reason = {""};
    printf("begin %zu: %s\n", which, said(sink_begin(run.producers[which].sink, &reason)));
    members_join(fresh);
    world_wait(700);
    run.producers[which].begun = !commit(which, run.members[old].source, "member in a rebalance");
    members_settle();
}

/* Mostly what is next in a transaction, sometimes what is not. */
static void produce(size_t which)
{
    struct producer *producer = &run.producers[which];
    struct reason reason = {""};
    const uint64_t what = draw(20) + (producer->begun ? 20 : 0);
    if (what < 17 || what == 39) {
        const enum fault fault = sink_begin(producer->sink, &reason);
        producer->begun_at = producer->begun ? producer->begun_at : run.operation;
        producer->begun = producer->begun || fault == FAULT_NONE;
        printf("begin %zu: %s\n", which, said(fault));
    } else if (what < 18 || (what >= 20 && what < 30)) {
        publish(which);
    } else if (what < 19 || (what >= 20 && what < 36)) {
        producer->begun = !commit_somehow(which);
    } else {
        const enum fault fault = sink_abort(producer->sink, &reason);
        producer->begun = producer->begun && fault != FAULT_NONE;
        printf("abort %zu: %s\n", which, said(fault));
    }
}

static void operate(void)
{
    const size_t which = draw(SINKS);
    const struct producer *producer = &run.producers[which];
    end_transactions(OPEN_MAX);
    const uint64_t what = draw(100);
    if (what < 5)
        read_all();
    else if (what < 10)
        read_offsets();
    else if (what < 14)
        change_group();
    else if (what < 17)
        commit_in_rebalance(which);
    else if (what < 20)
        read_out_of_range(draw(2) == 0);
    else if (producer->sink == NULL || what < 26)
        open_sink(which);
    else
        produce(which);
    fflush(stdout);
}

static void close_all(void)
{
    for (size_t i = 0; i < SINKS; i++) { /* ends what is open */
        if (run.producers[i].sink != NULL)
            open_sink(i);
    }
    read_all();
    read_offsets();
    for (size_t i = 0; i < SINKS; i++)
        sink_close(run.producers[i].sink);
    for (size_t i = 0; i < SOURCES; i++) {
        if (run.members[i].source != NULL)
            members_leave(i);
    }
}

/* Nobody touches it for longer than the broker allows. */
static void time_out(void)
{
    struct reason reason = {""};
    open_sink(0);
    printf("begin: %s\n", said(sink_begin(run.producers[0].sink, &reason)));
    publish(0);
    world_wait(SINK_TRANSACTION_TIMEOUT_MS + 3000);
    read_all();
    publish(0);
    struct source *outsider = open_outsider(run.group);
    (void)commit(0, outsider, "outsider");
    source_close(outsider, true);
    printf("abort: %s\n", said(sink_abort(run.producers[0].sink, &reason)));
    printf("begin: %s\n", said(sink_begin(run.producers[0].sink, &reason)));
}

/* It has heard that it was thrown out, and is nobody until the others have let it in again: from
 * nobody Kafka would take offsets unfenced. */
static void commit_of_nobody(void)
{
    struct reason reason = {""};
    printf("abort: %s\n", said(sink_abort(run.producers[0].sink, &reason)));
    printf("begin: %s\n", said(sink_begin(run.producers[0].sink, &reason)));
    publish(0);
    for (int i = 0; i < 30; i++) {
        members_serve(&run.members[0]);
        world_wait(20);
    }
    printf("commit: %s\n", said(commit_offset(run.producers[0].sink, run.members[0].source)));
}

/* A member that is silent until the broker has given its partitions away, and goes on then. */
static void come_back(void)
{
    struct reason reason = {""};
    run.subscribed = TOPICS;
    world_enter(true);
    members_join(0);
    world_enter(false);
    members_settle();
    open_sink(0);
    printf("begin: %s\n", said(sink_begin(run.producers[0].sink, &reason)));
    publish(0);
    world_freeze(8000); /* from when it hears that another one joins */
    members_join(1);
    const int64_t began_ms = world_now_ms();
    int64_t waited_ms = 0; /* longer than the silence; a busy machine gives the partitions later */
    while (waited_ms < (run.members[1].held == NULL ? DEADLINE_MS : 11000)) {
        members_serve(&run.members[1]);
        world_wait(20);
        waited_ms = world_now_ms() - began_ms;
    }
    members_print();
    printf("commit: %s\n", said(commit_offset(run.producers[0].sink, run.members[0].source)));
    commit_of_nobody();
    read_offsets();
    members_settle();
}

static void configure(char *argv[])
{
    static const struct option_row rows[] = {
        {"kafka.*", OPTION_PREFIX, NULL, NULL, "librdkafka's", false},
        {NULL, OPTION_TEXT, NULL, NULL, NULL, false},
    };
    static const struct option_row *const tables[] = {rows};
    static char bootstrap[] = "--kafka.bootstrap.servers";
    static char heartbeat[] = "--kafka.heartbeat.interval.ms=200";
    char *arguments[] = {bootstrap, argv[1], heartbeat};
    struct reason reason;
    run.options = option_set_create(tables, 1);
    ENSURE(option_set_read(run.options, 3, arguments, &reason) == FAULT_NONE);
    static struct world_topic made[TOPICS];
    for (int i = TOPIC_NONE + 1; i < TOPIC_COUNT; i++)
        run.names[i] = heap_format("%s-of-%s", argv[2], topic_row((enum topic)i)->name);
    for (int32_t i = 0; i < TOPICS; i++) {
        heap_release(run.names[topics[i]]);
        run.names[topics[i]] = heap_format("%s-%d", argv[2], (int)i + 1);
        made[i] = (struct world_topic){run.names[topics[i]], i + 1};
    }
    run.group = heap_format("%s-group", argv[2]);
    for (size_t i = 0; i < SINKS; i++)
        run.producers[i].id = heap_format("%s-id-%zu", argv[2], i / 2);
    world_open(argv[1], made, TOPICS);
}

static void release(void)
{
    for (int i = TOPIC_NONE + 1; i < TOPIC_COUNT; i++)
        heap_release(run.names[i]);
    for (size_t i = 0; i < SINKS; i++)
        heap_release(run.producers[i].id);
    heap_release(run.group);
    option_set_destroy(run.options);
}

int main(int argc, char *argv[])
{
    if (argc != 4)
        return 2;
    const unsigned long seed = strtoul(argv[3], NULL, 10);
    run.random = seed * 0x9e3779b97f4a7c15u + 88172645463325252u;
    for (int i = 0; i < 20; i++)
        (void)draw(2);
    configure(argv);
    run.subscribed = 1 + draw(TOPICS);
    if (seed == 0)
        time_out();
    if (seed == 1)
        come_back();
    for (run.operation = 0; seed > 1 && run.operation < OPERATIONS; run.operation++)
        operate();
    close_all();
    world_close();
    release();
    return 0;
}
