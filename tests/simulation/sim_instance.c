#include "sim_instance.h"
#include "memory/heap.h"
#include "sim_kafka.h"
#include "sim_link.h"

enum {
    POLL_MS = 100 /* a wait for records: it ends when some come */,
    TICK_MS = 50,
    INSTANCES_MAX = 64
};

void (*sim_instance_meanwhile)(void);
static struct sim_instance *known[INSTANCES_MAX];
static size_t known_count;

static void on_blocked(struct sim_process *process, int64_t duration_ms);

static struct sim_instance *instance_of(const struct driver *driver)
{
    for (size_t i = 0; i < known_count; i++) {
        if (known[i]->driver == driver)
            return known[i];
    }
    UNREACHABLE("a driver of no instance");
}

/* ---- service/loop.c */

void driver_wake(struct driver *driver)
{
    instance_of(driver)->woken = true;
}

void driver_run_job(struct driver *driver, enum fault (*job)(struct driver *driver),
                    void (*after)(struct driver *driver))
{
    REQUIRE(!driver->busy);
    driver->busy = true;
    driver->job = job;
    driver->after_job = after;
    instance_of(driver)->job_waits = true;
}

void driver_leave(struct driver *driver)
{
    instance_of(driver)->left = true;
}

void driver_exit(int exit_code)
{
    struct sim_process *process = sim_process_current();
    process->dead = true; /* the scheduler buries it */
    for (size_t i = 0; i < known_count; i++) {
        if (&known[i]->process == process)
            known[i]->exit_code = exit_code;
    }
}

/* ---- life */

void sim_instance_init(struct sim_instance *instance, const struct service *service, int number,
                       const char *const *arguments)
{
    REQUIRE(known_count < INSTANCES_MAX);
    *instance = (struct sim_instance){.service = service};
    (void)snprintf(instance->process.name, sizeof instance->process.name, "plumb-%s-%d",
                   service->name, number);
    instance->options = driver_options_create(service);
    instance->metrics = driver_metrics_create(service);
    char text[12];
    (void)snprintf(text, sizeof text, "%d", number);
    char *words[16] = {(char *)(uintptr_t) "--instance", text};
    int count = 2;
    for (; arguments != NULL && *arguments != NULL; arguments++)
        words[count++] = (char *)(uintptr_t)*arguments;
    struct reason reason;
    ENSURE(option_set_read(instance->options, count, words, &reason) == FAULT_NONE);
    sim_process_blocked = on_blocked;
    known[known_count++] = instance;
}

static void start(struct sim_instance *instance)
{
    instance->driver = heap_zeroed(1, sizeof *instance->driver);
    instance->driver->service = instance->service;
    instance->driver->options = instance->options;
    instance->driver->metrics = instance->metrics;
    instance->woken = instance->job_waits = instance->job_ended = instance->left = false;
    instance->process.dead = instance->process.paused = false;
    instance->life = SIM_STARTING;
    instance->exit_code = 0;
    instance->answered_at_ms =
        0; /* what the process before waited for is no business of this one */
    instance->starts++;
    instance->tick_at_ms = sim_clock_now_ms();
    struct reason reason;
    sim_process_enter(&instance->process);
    ENSURE(driver_open(instance->driver, &reason) == FAULT_NONE);
    sim_process_enter(NULL);
}

/* Its memory goes as the operating system would take it; nobody outside hears of it. */
static void bury(struct sim_instance *instance, int64_t start_at_ms)
{
    instance->process.dead = true;
    sim_process_enter(&instance->process);
    instance->driver->busy = false;
    driver_close(instance->driver);
    sim_process_enter(NULL);
    sim_kafka_forget(&instance->process);
    sim_link_end(&instance->process);
    heap_release(instance->driver);
    instance->driver = NULL;
    instance->life = SIM_DOWN;
    instance->start_at_ms = start_at_ms;
    instance->process.paused = false;
}

void sim_instance_kill(struct sim_instance *instance, int64_t start_at_ms)
{
    if (instance->driver != NULL)
        bury(instance, start_at_ms);
    else if (instance->life != SIM_GONE)
        instance->start_at_ms = start_at_ms;
}

void sim_instance_stop(struct sim_instance *instance)
{
    if (instance->life != SIM_UP || instance->driver->stopping || instance->process.paused)
        return;
    sim_process_enter(&instance->process);
    driver_stop(instance->driver, 0);
    sim_process_enter(NULL);
}

/* In good order: the group hears of it. */
static void leave(struct sim_instance *instance)
{
    instance->exit_code = instance->driver->exit_code;
    sim_process_enter(&instance->process);
    driver_close(instance->driver);
    sim_process_enter(NULL);
    bury(instance, sim_clock_now_ms() + 200);
}

static void begin(struct sim_instance *instance)
{
    struct driver *driver = instance->driver;
    struct reason reason;
    enum fault fault = driver_find_topics(driver, &reason);
    if (fault == FAULT_NONE)
        fault = sink_init(driver->sink, 2000, &reason);
    if (fault == FAULT_NONE)
        fault = driver_begin_reading(driver, &reason);
    if (fault == FAULT_NONE) {
        atomic_store(&driver->ready_kafka, 1);
        instance->life = SIM_UP;
        return;
    }
    ENSURE(instance->process.dead || fault_class(fault) == FAULT_CLASS_RETRY ||
           fault == FAULT_FENCED);
    if (fault == FAULT_FENCED)
        instance->process.dead = true; /* exit 70; it is started again */
    instance->tick_at_ms = sim_clock_now_ms() + 200;
}

static void on_blocked(struct sim_process *process, int64_t duration_ms)
{
    for (size_t i = 0; i < known_count; i++) {
        struct sim_instance *instance = known[i];
        if (&instance->process != process)
            continue;
        const int64_t now_ms = sim_clock_now_ms();
        if (instance->answered_at_ms < now_ms)
            instance->answered_at_ms = now_ms;
        instance->answered_at_ms += duration_ms <= POLL_MS ? 1 : duration_ms;
    }
    if (sim_instance_meanwhile != NULL)
        sim_instance_meanwhile();
}

static bool job_may_end(const struct sim_instance *instance)
{
    return instance->job_ended && sim_clock_now_ms() >= instance->answered_at_ms;
}

bool sim_instance_can_step(const struct sim_instance *instance)
{
    if (instance->driver == NULL || instance->process.paused)
        return false;
    if (instance->process.dead || instance->left)
        return true;
    if (instance->life == SIM_STARTING)
        return sim_clock_now_ms() >= instance->tick_at_ms;
    return instance->woken || instance->job_waits || job_may_end(instance) ||
           sim_clock_now_ms() >= instance->tick_at_ms || sim_link_can_step(&instance->process);
}

static void run_job(struct sim_instance *instance)
{
    struct driver *driver = instance->driver;
    instance->job_waits = false;
    driver->job_fault = driver->job(driver);
    instance->job_ended = true;
}

static void end_job(struct sim_instance *instance)
{
    instance->job_ended = false;
    instance->driver->busy = false;
    instance->driver->after_job(instance->driver);
}

/* Nothing that its own calls brought about is older than its thread: one of these comes next. */
static void step_up(struct sim_instance *instance, uint64_t choice)
{
    struct driver *driver = instance->driver;
    void (*steps[4])(struct sim_instance *) = {NULL};
    size_t count = 0;
    if (instance->job_waits)
        steps[count++] = run_job;
    if (job_may_end(instance))
        steps[count++] = end_job;
    const size_t jobs = count;
    const bool turns = instance->woken, links = sim_link_can_step(&instance->process);
    const bool ticks = sim_clock_now_ms() >= instance->tick_at_ms;
    const size_t all = jobs + (size_t)turns + (size_t)links + (size_t)ticks;
    size_t chosen = (size_t)(choice % all);
    if (chosen < jobs) {
        steps[chosen](instance);
        return;
    }
    chosen -= jobs;
    if (links && chosen == 0) {
        (void)sim_link_step(&instance->process);
    } else if (turns && chosen == (size_t)links) {
        instance->woken = false;
        driver_turn(driver);
    } else {
        instance->tick_at_ms = sim_clock_now_ms() + TICK_MS;
        driver_tick(driver);
    }
}

void sim_instance_step(struct sim_instance *instance, uint64_t choice)
{
    sim_process_enter(&instance->process);
    if (!instance->process.dead && !instance->left) {
        if (instance->life == SIM_STARTING)
            begin(instance);
        else
            step_up(instance, choice);
    }
    sim_process_enter(NULL);
    const int64_t now_ms = sim_clock_now_ms();
    if (instance->process.dead)
        bury(instance, now_ms + 1 + (int64_t)(choice % 4000));
    else if (instance->left)
        leave(instance);
}

void sim_instance_time(struct sim_instance *instance)
{
    const int64_t now_ms = sim_clock_now_ms();
    if (instance->life == SIM_DOWN && now_ms >= instance->start_at_ms)
        start(instance);
    if (instance->process.paused && now_ms >= instance->resume_at_ms)
        instance->process.paused = false;
    if (instance->process.kafka_is_away && now_ms >= instance->kafka_back_ms)
        instance->process.kafka_is_away = false;
    if (instance->process.redis_is_away && now_ms >= instance->redis_back_ms)
        instance->process.redis_is_away = false;
}

int64_t sim_instance_due_ms(const struct sim_instance *instance)
{
    if (instance->life == SIM_GONE)
        return INT64_MAX;
    if (instance->life == SIM_DOWN)
        return instance->start_at_ms;
    if (instance->process.paused)
        return instance->resume_at_ms;
    return instance->job_ended && instance->answered_at_ms < instance->tick_at_ms
               ? instance->answered_at_ms
               : instance->tick_at_ms;
}

bool sim_instance_is_replaying(const struct sim_instance *instance)
{
    const struct driver *driver = instance->driver;
    if (driver == NULL || driver->state != DRIVER_RUNNING)
        return false;
    for (size_t i = 0; i < driver->seat_count; i++) {
        if (driver->seats[i]->shard != NULL && !driver_is_caught_up(driver->seats[i]))
            return true;
    }
    return false;
}

void sim_instance_fini(struct sim_instance *instance)
{
    sim_instance_kill(instance, 0);
    option_set_destroy(instance->options);
    metric_set_destroy(instance->metrics);
    for (size_t i = 0; i < known_count; i++) {
        if (known[i] == instance)
            known[i] = known[--known_count];
    }
}
