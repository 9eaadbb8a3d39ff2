/* simulation: all services, two instances of each, in one thread over a simulated Kafka and Redis
 * and simulated clocks; one seed is one schedule.
 *
 *   simulation --first S --step K --count N --events E [--faults F] [--trace]
 *
 * Goal: whatever happens between any two steps, what comes out is what the log says: promises 1 to
 * 5 of DESIGN.md. Method: a random log is fed while faults strike (sim_fault.h); when the last one
 * is over, everything must be accounted for within bounded steps of time. Then the topics are
 * written to stdout for the oracle, which shares no source with the services (oracle.py), with what
 * an undisturbed run of the log gives. On stderr: a line of JSON a seed: how often each fault hit
 * each step; what did not end.
 *
 * Every fourth seed runs as production does by default: the broker says when records arrive, and
 * moves time where partitions are idle. Simulated time is the log's time there (sim_pace.h), the
 * last faults strike when nothing is sent any more, and the end is when stream time has closed all
 * windows everywhere.
 */
#include "alerter/alerter.h"
#include "container/table.h"
#include "detector/detector.h"
#include "log/log.h"
#include "memory/heap.h"
#include "retrainer/retrainer.h"
#include "services_fixture.h"
#include "sim_dump.h"
#include "sim_expected.h"
#include "sim_fault.h"
#include "sim_feed.h"
#include "sim_kafka.h"
#include "sim_link.h"
#include "sim_random.h"
#include "sim_redis.h"
#include "validator/validator.h"
#include "windower/windower.h"

enum {
    INSTANCES_EACH = 2,
    SERVICES = 5,
    OWN = INSTANCES_EACH * SERVICES,
    INSTANCES = OWN + 2 * SERVICES, /* a newcomer and a twin of each */
    BROKER_EVERY = 4,               /* one seed in so many: the broker says when records arrive */
    IDLE_FAULTS = 4,                /* there: so many strike when nothing is sent any more */
    BEFORE_MS = 1000,               /* the first record */
    SLOW_FETCH_MAX_MS = 1500,       /* there, too: so that arrivals have to be lifted */
    QUIET_MS = 2000,
    LIVENESS_MS = 180000,
    STEPS_MAX = 20000000,
    WALL_AHEAD_MAX_MS = 5000,
};

static const struct service *const flow[] = {&validator_service, &windower_service,
                                             &detector_service,  &alerter_service,
                                             &retrainer_service, NULL};

struct world {
    uint64_t seed, random, steps;
    const struct sim_log *log;
    struct sim_instance instances[INSTANCES];
    struct sim_faults faults;
    struct sim_feed feed;
    int32_t partitions;
    int64_t start_ms;
    unsigned faults_wanted; /* in all */
    int64_t over_at_ms;     /* when the last fault was over; 0: not yet */
    int64_t look_at_ms;     /* for quiet */
    int64_t quiet_since_ms;
    char why[200]; /* it did not end */
};

static uint64_t draw(struct world *world, uint64_t below)
{
    return fixture_random(&world->random) % below;
}

/* ---- the end */

static bool is_taken(const struct world *world, const struct service *service, enum topic topic)
{
    char group[80];
    (void)snprintf(group, sizeof group, "plumb-%s", service->name);
    for (int32_t p = 0; p < world->partitions; p++) {
        const char *metadata;
        struct sim_kafka_record record;
        int64_t cursor = sim_kafka_committed(group, topic_row(topic)->name, p, &metadata);
        cursor = cursor < 0 ? 0 : cursor;
        if (sim_kafka_read(topic_row(topic)->name, p, &cursor, &record) ||
            sim_kafka_stable_offset(topic_row(topic)->name, p) !=
                sim_kafka_end_offset(topic_row(topic)->name, p))
            return false;
    }
    return true;
}

/* A transaction that a dead process left open hides what is behind it until it times out; that is
 * seen in what comes out at the end, too, which none of these services reads. */
static bool is_decided(struct world *world)
{
    static const enum topic topics[] = {TOPIC_INFERENCE_DEAD_LETTER, TOPIC_RETRAIN_TRIGGERS,
                                        TOPIC_ROLLOUT_DECISIONS};
    for (size_t i = 0; i < COUNT_OF(topics); i++) {
        const char *name = topic_row(topics[i])->name;
        for (int32_t p = 0; p < world->partitions; p++) {
            if (sim_kafka_stable_offset(name, p) == sim_kafka_end_offset(name, p))
                continue;
            (void)snprintf(world->why, sizeof world->why, "a transaction is open in %s", name);
            return false;
        }
    }
    return true;
}

/* Everything that was sent is taken, committed, and what followed from it as well. */
static bool is_quiet(struct world *world)
{
    for (size_t i = 0; flow[i] != NULL; i++) {
        for (size_t k = 0; k < SERVICE_TOPICS_MAX && flow[i]->inputs[k] != TOPIC_NONE; k++) {
            if (is_taken(world, flow[i], flow[i]->inputs[k]))
                continue;
            (void)snprintf(world->why, sizeof world->why, "%s has not taken all of %s",
                           flow[i]->name, topic_row(flow[i]->inputs[k])->name);
            return false;
        }
    }
    return is_decided(world);
}

/* Stream time is that of the last window's close, and Kafka remembers it. Clocks never end. */
static bool has_closed(struct world *world, const struct service *service, enum topic topic)
{
    char group[80];
    (void)snprintf(group, sizeof group, "plumb-%s", service->name);
    for (int32_t p = 0; p < world->partitions; p++) {
        const char *metadata = NULL;
        if (sim_kafka_committed(group, topic_row(topic)->name, p, &metadata) < 0 ||
            metadata == NULL || mark_read(span_text(metadata)).time_ms < world->log->close_ms)
            return false;
    }
    return true;
}

/* --arrival broker: time has come to its end everywhere. */
static bool is_past(struct world *world)
{
    for (size_t i = 0; flow[i] != NULL; i++) {
        for (size_t k = 0; k < SERVICE_TOPICS_MAX && flow[i]->inputs[k] != TOPIC_NONE; k++) {
            const enum topic topic = flow[i]->inputs[k];
            if (topic == TOPIC_OPERATOR_COMMANDS || /* no source of time */
                (has_closed(world, flow[i], topic) &&
                 (!flow[i]->origin || is_taken(world, flow[i], topic))))
                continue;
            (void)snprintf(world->why, sizeof world->why, "time of %s in %s stands still",
                           topic_row(topic)->name, flow[i]->name);
            return false;
        }
    }
    return is_decided(world);
}

static bool has_ended(struct world *world)
{
    const int64_t now_ms = sim_clock_now_ms();
    if (world->feed.at_ms == INT64_MAX)
        world->faults.wanted = world->faults_wanted;
    if (world->feed.at_ms != INT64_MAX || !sim_faults_are_over(&world->faults))
        return false;
    if (world->over_at_ms == 0) {
        world->over_at_ms = now_ms;
        sim_faults_end(&world->faults);
    }
    if (now_ms < world->look_at_ms)
        return false;
    world->look_at_ms = now_ms + QUIET_MS / 4;
    if (world->log->arrival == SIM_ARRIVAL_BROKER)
        return is_past(world);
    if (!is_quiet(world))
        world->quiet_since_ms = now_ms;
    return now_ms - world->quiet_since_ms >= QUIET_MS;
}

/* ---- the schedule */

static struct world the_world;

static void others_go_on(void)
{
    for (int i = 0; i < 8 && sim_kafka_steps() > 0; i++)
        sim_kafka_step((size_t)draw(&the_world, sim_kafka_steps()));
}

static int64_t due_ms(const struct world *world)
{
    int64_t due = world->feed.at_ms < world->look_at_ms || world->look_at_ms == 0
                      ? world->feed.at_ms
                      : world->look_at_ms;
    const int64_t others[] = {sim_kafka_due_ms(), sim_faults_due_ms(&world->faults)};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        due = others[i] < due ? others[i] : due;
    for (size_t i = 0; i < INSTANCES; i++) {
        const int64_t one = sim_instance_due_ms(&world->instances[i]);
        due = one < due ? one : due;
    }
    return due;
}

/* The last words of a connection that is gone reach the server, or never do. */
static void end_stranded(struct world *world)
{
    if (draw(world, 4) == 0)
        sim_link_drop_stranded();
    else
        sim_link_step_stranded();
}

/* One thing that can happen now; false: nothing can before time goes on. */
static bool step(struct world *world)
{
    size_t able[INSTANCES], count = 0;
    for (size_t i = 0; i < INSTANCES; i++) {
        if (sim_instance_can_step(&world->instances[i]))
            able[count++] = i;
    }
    if (sim_link_stranded() > 0 && draw(world, 4) == 0)
        end_stranded(world);
    const size_t kafka = count > 0 && draw(world, 2) == 0 ? 0 : sim_kafka_steps();
    if (kafka > 0)
        sim_kafka_step((size_t)draw(world, kafka));
    else if (count > 0)
        sim_instance_step(&world->instances[able[draw(world, count)]],
                          fixture_random(&world->random));
    return kafka + count > 0;
}

static void pass_time(struct world *world, bool idle)
{
    const int64_t now_ms = sim_clock_now_ms();
    int64_t next_ms = now_ms + 1 + (int64_t)draw(world, 4);
    if (idle) {
        const int64_t due = due_ms(world);
        next_ms = due > now_ms ? due : now_ms + 1;
    }
    sim_clock_set(next_ms);
    for (size_t i = 0; i < INSTANCES; i++)
        sim_instance_time(&world->instances[i]);
    sim_faults_time(&world->faults);
    if (sim_clock_now_ms() >= world->feed.at_ms)
        sim_feed_go_on(&world->feed, sim_faults_are_over(&world->faults));
}

static bool is_late(const struct world *world)
{
    return world->steps > STEPS_MAX ||
           (world->over_at_ms != 0 && sim_clock_now_ms() - world->over_at_ms > LIVENESS_MS);
}

static bool run(struct world *world)
{
    while (!has_ended(world)) {
        world->steps++;
        const bool idle = !step(world);
        if (idle || draw(world, 16) == 0)
            pass_time(world, idle);
        if (is_late(world))
            return false;
    }
    return true;
}

/* ---- a seed */

static void open_instances(struct world *world)
{
    static const char *const options[] = {"--log-level", "error", NULL};
    const bool header = world->log->arrival == SIM_ARRIVAL_HEADER;
    char horizon[32];
    (void)snprintf(horizon, sizeof horizon, "%lldms", (long long)world->log->horizon_ms);
    const char *const origin_options[] = {"--log-level",
                                          "error",
                                          "--arrival",
                                          header ? "header" : "broker",
                                          "--duplicates-horizon",
                                          horizon,
                                          "--schema-registry",
                                          "http://simulated",
                                          NULL};
    uint64_t random = world->seed;
    for (size_t i = 0; i < INSTANCES; i++) {
        const struct service *service = flow[i % SERVICES];
        struct sim_instance *instance = &world->instances[i];
        /* Numbers 0 and 1, then the newcomer's, then that of instance 0 again: its twin. */
        const int number = (int)(i / SERVICES) % 3;
        sim_instance_init(instance, service, number, service->origin ? origin_options : options);
        instance->start_at_ms = world->start_ms + (int64_t)draw(world, 500);
        instance->process.wall_ahead_ms =
            sim_below(&random, 2 * WALL_AHEAD_MAX_MS + 1) - WALL_AHEAD_MAX_MS;
        if (i >= OWN)
            instance->life = SIM_GONE;
    }
}

static void open_world(struct world *world, uint64_t seed, const struct sim_log *log,
                       unsigned faults)
{
    const bool broker = log->arrival == SIM_ARRIVAL_BROKER;
    *world = (struct world){.seed = seed,
                            .random = seed * 2654435761u + 1,
                            .log = log,
                            .start_ms = broker ? log->first_ms - BEFORE_MS : 1000000,
                            .faults_wanted = faults};
    sim_clock_set(world->start_ms);
    sim_kafka_start(&(struct sim_kafka_options){
        .cluster = "simulated", .seed = seed, .slow_fetch_max_ms = broker ? SLOW_FETCH_MAX_MS : 0});
    sim_redis_start();
    world->partitions = 1 + (int32_t)draw(world, 4);
    for (int i = TOPIC_NONE + 1; i < TOPIC_COUNT; i++) {
        const bool table = strncmp(topic_row((enum topic)i)->name, "model.", 6) == 0;
        sim_kafka_topic_create(topic_row((enum topic)i)->name, table ? 1 : world->partitions);
    }
    sim_feed_tables(log);
    open_instances(world);
    world->faults = (struct sim_faults){
        .instances = world->instances,
        .instance_count = INSTANCES,
        .own_count = OWN,
        .random = seed ^ 0xfa017u,
        .wanted = broker && faults > IDLE_FAULTS ? faults - IDLE_FAULTS : faults,
        .stalls = broker && world->seed % (2 * BROKER_EVERY) < BROKER_EVERY};
    const size_t times = 1 + (size_t)faults * 40; /* about 1.6 s a fault */
    world->feed = (struct sim_feed){.log = log,
                                    .random = &world->random,
                                    .partitions = world->partitions,
                                    .batch = log->count / times + 1,
                                    .at_ms = world->start_ms + BEFORE_MS};
    sim_faults_begin(&world->faults);
    sim_instance_meanwhile = others_go_on;
}

static void close_world(struct world *world)
{
    sim_process_plan = NULL;
    for (size_t i = 0; i < INSTANCES; i++)
        sim_instance_fini(&world->instances[i]);
    sim_redis_stop();
    sim_kafka_stop();
}

static void dump_topics(const struct world *world, struct sim_dump *dump)
{
    for (size_t i = 0; i < world->log->table_count; i++)
        sim_dump_record(dump, &world->log->tables[i]);
    for (int i = TOPIC_NONE + 1; i < TOPIC_COUNT; i++) {
        const char *name = topic_row((enum topic)i)->name;
        for (int32_t p = 0; strncmp(name, "model.", 6) != 0 && p < world->partitions; p++) {
            int64_t cursor = 0;
            struct sim_kafka_record one;
            while (sim_kafka_read(name, p, &cursor, &one)) {
                const struct record record = {.topic = (enum topic)i,
                                              .partition = p,
                                              .offset = one.offset,
                                              .arrival_ms = one.time_ms,
                                              .key = one.key,
                                              .value = one.value,
                                              .headers = one.headers,
                                              .header_count = one.header_count};
                sim_dump_record(dump, &record);
            }
        }
    }
}

/* What a partition's records call their schema is said once, with the first that was read by it:
 * said again, with a later one, compaction would keep the later. */
static bool names_are_said_once(void)
{
    const char *topic = topic_row(TOPIC_MODEL_SCHEMAS)->name;
    struct table *said = table_create();
    bool once = true;
    int64_t cursor = 0;
    struct sim_kafka_record one;
    while (sim_kafka_read(topic, 0, &cursor, &one))
        if (one.key.bytes != NULL && memchr(one.key.bytes, '@', one.key.size) != NULL)
            once = table_put(said, one.key, said) == NULL && once;
    once = once && table_count(said) > 0;
    table_destroy(said);
    return once;
}

static void report(const struct world *world, bool ended)
{
    uint64_t starts = 0;
    for (size_t i = 0; i < INSTANCES; i++)
        starts += world->instances[i].starts;
    (void)fprintf(stderr,
                  "{\"seed\": %llu, \"ended\": %s, \"why\": \"%s\", \"faults\": %u, \"steps\": "
                  "%llu, \"seconds\": %lld, \"starts\": %llu, \"partitions\": %d, \"cells\": {",
                  (unsigned long long)world->seed, ended ? "true" : "false",
                  ended ? "" : world->why, world->faults.struck, (unsigned long long)world->steps,
                  (long long)(sim_clock_now_ms() - world->start_ms) / 1000,
                  (unsigned long long)starts, (int)world->partitions);
    const char *comma = "";
    for (int kind = 0; kind < SIM_FAULT_KIND_COUNT; kind++) {
        for (int cell = 0; cell < SIM_CELL_COUNT; cell++) {
            if (!sim_fault_applies((enum sim_fault_kind)kind, (enum sim_cell)cell))
                continue;
            (void)fprintf(stderr, "%s\"%s at %s\": %u", comma,
                          sim_fault_name((enum sim_fault_kind)kind),
                          sim_cell_name((enum sim_cell)cell), world->faults.counts[kind][cell]);
            comma = ", ";
        }
    }
    (void)fprintf(stderr, "}}\n");
}

static void simulate(uint64_t seed, size_t events, unsigned faults, bool trace)
{
    struct sim_log *log = sim_log_create(
        seed, events,
        seed % BROKER_EVERY == BROKER_EVERY - 1 ? SIM_ARRIVAL_BROKER : SIM_ARRIVAL_HEADER);
    open_world(&the_world, seed, log, faults);
    the_world.faults.trace = trace;
    bool ended = run(&the_world);
    if (ended && !names_are_said_once()) {
        (void)snprintf(the_world.why, sizeof the_world.why, "%s",
                       "what records call their schema was not said once");
        ended = false;
    }
    struct sim_dump *dump = sim_dump_begin(stdout, log);
    dump_topics(&the_world, dump);
    sim_expected_run(flow, log, dump);
    sim_dump_end(dump);
    (void)fflush(stdout);
    report(&the_world, ended);
    close_world(&the_world);
    sim_log_destroy(log);
}

static uint64_t argument(int argc, char *argv[], const char *name, uint64_t otherwise)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return strtoull(argv[i + 1], NULL, 10);
    }
    return otherwise;
}

int main(int argc, char *argv[])
{
    const uint64_t first = argument(argc, argv, "--first", 1);
    const uint64_t count = argument(argc, argv, "--count", 1);
    const uint64_t apart = argument(argc, argv, "--step", 1);
    const size_t events = (size_t)argument(argc, argv, "--events", 10000);
    const unsigned faults = (unsigned)argument(argc, argv, "--faults", 30);
    log_open("simulation", getenv("SIM_LOG") != NULL ? LOG_DEBUG : LOG_ERROR, false);
    for (uint64_t i = 0; i < count; i++)
        simulate(first + i * apart, events, faults,
                 argc > 1 && strcmp(argv[argc - 1], "--trace") == 0);
    return 0;
}
