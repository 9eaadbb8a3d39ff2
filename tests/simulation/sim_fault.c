#include "sim_fault.h"
#include "services_fixture.h"
#include "sim_kafka.h"
#include "sim_link.h"
#include "sim_redis.h"

#include <stdio.h>

enum {
    GIVE_UP_MS = 15000,
    BETWEEN_MAX_MS = 1500,
    SESSION_MS = 6000,
    FIRST_MS = 1100 /* after the first event */
};

static struct sim_faults *current; /* of the seed that runs: the plan is asked without a context */

static const char *const kind_names[SIM_FAULT_KIND_COUNT] = {
    [SIM_FAULT_CRASH] = "crash",
    [SIM_FAULT_STOP] = "stop",
    [SIM_FAULT_PAUSE] = "pause",
    [SIM_FAULT_ZOMBIE] = "zombie",
    [SIM_FAULT_TWIN] = "twin",
    [SIM_FAULT_NEWCOMER] = "newcomer",
    [SIM_FAULT_KAFKA_AWAY] = "kafka away",
    [SIM_FAULT_KAFKA_REFUSES] = "kafka refuses",
    [SIM_FAULT_KAFKA_FAILS] = "kafka fails",
    [SIM_FAULT_KAFKA_LOSES] = "outcome unknown",
    [SIM_FAULT_REDIS_AWAY] = "redis away",
    [SIM_FAULT_REDIS_CUT] = "redis cut",
    [SIM_FAULT_REDIS_REFUSES] = "redis refuses",
    [SIM_FAULT_REDIS_TAIL] = "redis lost tail",
    [SIM_FAULT_REDIS_OLD] = "redis old copy",
    [SIM_FAULT_REDIS_PROMOTED] = "redis promoted",
    [SIM_FAULT_REDIS_FLUSHED] = "redis flushed",
    [SIM_FAULT_REDIS_NO_SCRIPT] = "redis noscript",
};
static const char *const cell_names[SIM_CELL_COUNT] = {
    [SIM_CELL_PUBLISHED] = "published", [SIM_CELL_OFFSETS] = "offsets",
    [SIM_CELL_COMMITTED] = "committed", [SIM_CELL_SNAPSHOT] = "snapshot",
    [SIM_CELL_ANSWERED] = "answered",   [SIM_CELL_RESTORE] = "restore",
    [SIM_CELL_REPLAY] = "replay",
};

const char *sim_fault_name(enum sim_fault_kind kind)
{
    return kind_names[kind];
}

const char *sim_cell_name(enum sim_cell cell)
{
    return cell_names[cell];
}

bool sim_fault_applies(enum sim_fault_kind kind, enum sim_cell cell)
{
    const bool transaction = cell == SIM_CELL_PUBLISHED || cell == SIM_CELL_OFFSETS;
    switch ((int)kind) {
    case SIM_FAULT_KAFKA_REFUSES:
    case SIM_FAULT_KAFKA_LOSES:
        return transaction;
    case SIM_FAULT_KAFKA_FAILS:
        return transaction || cell == SIM_CELL_RESTORE;
    default:
        return true;
    }
}

static uint64_t draw(struct sim_faults *faults, uint64_t below)
{
    return fixture_random(&faults->random) % below;
}

/* The cell that a call of this instance stands for now. */
static bool is_at(const struct sim_faults *faults, const struct sim_instance *instance,
                  enum sim_call call)
{
    switch ((int)faults->cell) {
    case SIM_CELL_PUBLISHED:
        return call == SIM_SEND_OFFSETS;
    case SIM_CELL_OFFSETS:
        return call == SIM_COMMIT;
    case SIM_CELL_COMMITTED:
        return call == SIM_STATE_WRITE;
    case SIM_CELL_SNAPSHOT:
        return call == SIM_STATE_REPLY && instance->driver->state != DRIVER_RESTORING;
    case SIM_CELL_ANSWERED:
        return faults->answered && (call == SIM_POLL || call == SIM_BEGIN);
    case SIM_CELL_RESTORE:
        return instance->driver->state == DRIVER_RESTORING &&
               (call == SIM_OFFSETS_READ || call == SIM_STATE_READ || call == SIM_STATE_REPLY) &&
               (faults->kind != SIM_FAULT_KAFKA_FAILS || call == SIM_OFFSETS_READ);
    default:
        return call == SIM_POLL && sim_instance_is_replaying(instance);
    }
}

static struct sim_instance *spare(struct sim_faults *faults, const struct sim_instance *victim,
                                  bool twin)
{
    for (size_t i = faults->own_count; i < faults->instance_count; i++) {
        struct sim_instance *one = &faults->instances[i];
        const bool same = strcmp(one->process.name, victim->process.name) == 0;
        if (one->service == victim->service && one->life == SIM_GONE && same == twin)
            return one;
    }
    return NULL;
}

/* Which of its processes a spare is started as: both are told apart by their names. */
static void call_spare(struct sim_faults *faults, const struct sim_instance *victim, bool twin)
{
    struct sim_instance *one = spare(faults, victim, twin);
    if (one == NULL)
        return; /* it is there already */
    one->life = SIM_DOWN;
    one->start_at_ms = sim_clock_now_ms();
    one->resume_at_ms = one->start_at_ms + 3000 + (int64_t)draw(faults, 9000); /* leaves then */
}

static void cut_all(struct sim_faults *faults)
{
    for (size_t i = 0; i < faults->instance_count; i++)
        sim_link_cut(&faults->instances[i].process);
}

static void strike_redis(struct sim_faults *faults)
{
    const int64_t now_ms = sim_clock_now_ms();
    switch ((int)faults->kind) {
    case SIM_FAULT_REDIS_REFUSES:
        sim_redis_refuse("MISCONF Redis is configured to save RDB snapshots, but it's currently "
                         "unable to persist to disk.");
        faults->refuse_until_ms = now_ms + 200 + (int64_t)draw(faults, 5000);
        break;
    case SIM_FAULT_REDIS_TAIL:
        sim_redis_roll_back_to(now_ms - 1 - (int64_t)draw(faults, 1000));
        sim_redis_forget_scripts();
        cut_all(faults);
        break;
    case SIM_FAULT_REDIS_OLD:
        sim_redis_roll_back_to(now_ms - 2000 - (int64_t)draw(faults, 60000));
        sim_redis_forget_scripts();
        cut_all(faults);
        break;
    case SIM_FAULT_REDIS_PROMOTED:
        sim_redis_roll_back_to(now_ms - 1 - (int64_t)draw(faults, 5000));
        sim_redis_forget_scripts();
        cut_all(faults);
        break;
    case SIM_FAULT_REDIS_FLUSHED:
        sim_redis_flush_all();
        break;
    case SIM_FAULT_REDIS_NO_SCRIPT:
        sim_redis_forget_scripts();
        break;
    default:
        break;
    }
}

static enum sim_fate strike(struct sim_faults *faults, struct sim_instance *victim)
{
    const int64_t now_ms = sim_clock_now_ms();
    strike_redis(faults);
    switch ((int)faults->kind) {
    case SIM_FAULT_CRASH:
        return draw(faults, 2) == 0 ? SIM_DIES_BEFORE : SIM_DIES_AFTER;
    case SIM_FAULT_STOP:
        if (!victim->driver->stopping)
            driver_stop(victim->driver, 0);
        break;
    case SIM_FAULT_PAUSE:
        victim->process.paused = true;
        victim->resume_at_ms = now_ms + 50 + (int64_t)draw(faults, 3000);
        break;
    case SIM_FAULT_ZOMBIE:
        victim->process.paused = true;
        victim->resume_at_ms = now_ms + SESSION_MS + 500 + (int64_t)draw(faults, 14000);
        break;
    case SIM_FAULT_TWIN:
        call_spare(faults, victim, true);
        break;
    case SIM_FAULT_NEWCOMER:
        call_spare(faults, victim, false);
        break;
    case SIM_FAULT_KAFKA_AWAY:
        victim->process.kafka_is_away = true;
        victim->kafka_back_ms = now_ms + 100 + (int64_t)draw(faults, 20000);
        break;
    case SIM_FAULT_REDIS_AWAY:
        victim->process.redis_is_away = true;
        victim->redis_back_ms = now_ms + 100 + (int64_t)draw(faults, 9000);
        break;
    case SIM_FAULT_REDIS_CUT:
        sim_link_cut(&victim->process);
        break;
    case SIM_FAULT_KAFKA_REFUSES:
        return SIM_IS_REFUSED;
    case SIM_FAULT_KAFKA_FAILS:
        return SIM_FAILS;
    case SIM_FAULT_KAFKA_LOSES:
        return SIM_IS_LOST;
    default:
        break;
    }
    return SIM_GOES_WELL;
}

static enum sim_fate plan(struct sim_process *process, enum sim_call call)
{
    struct sim_faults *faults = current;
    if (faults == NULL || !faults->armed)
        return SIM_GOES_WELL;
    struct sim_instance *victim = &faults->instances[faults->victim];
    if (process != &victim->process || victim->driver == NULL)
        return SIM_GOES_WELL;
    if (!is_at(faults, victim, call)) {
        faults->answered = faults->answered ||
                           (call == SIM_STATE_REPLY && victim->driver->state == DRIVER_RUNNING);
        return SIM_GOES_WELL;
    }
    faults->armed = false;
    faults->struck++;
    faults->counts[faults->kind][faults->cell]++;
    faults->next_at_ms = sim_clock_now_ms() + (int64_t)draw(faults, BETWEEN_MAX_MS);
    if (faults->trace)
        (void)fprintf(stderr, "%lld %s: %s at %s\n", (long long)sim_clock_now_ms(), process->name,
                      kind_names[faults->kind], cell_names[faults->cell]);
    return strike(faults, victim);
}

void sim_faults_begin(struct sim_faults *faults)
{
    current = faults;
    sim_process_plan = plan;
    static const enum sim_fault_kind stalls[] = {SIM_FAULT_PAUSE, SIM_FAULT_KAFKA_AWAY,
                                                 SIM_FAULT_KAFKA_FAILS};
    faults->favourite = faults->stalls ? stalls[draw(faults, COUNT_OF(stalls))]
                                       : (enum sim_fault_kind)draw(faults, SIM_FAULT_KIND_COUNT);
    faults->next_at_ms = sim_clock_now_ms() + FIRST_MS + (int64_t)draw(faults, BETWEEN_MAX_MS);
}

static void arm(struct sim_faults *faults)
{
    do {
        faults->kind = draw(faults, 2) == 0
                           ? faults->favourite
                           : (enum sim_fault_kind)draw(faults, SIM_FAULT_KIND_COUNT);
        faults->cell = (enum sim_cell)draw(faults, SIM_CELL_COUNT);
    } while (!sim_fault_applies(faults->kind, faults->cell));
    faults->victim = (size_t)draw(faults, faults->own_count);
    if (faults->kind == SIM_FAULT_TWIN)
        faults->victim %= faults->own_count / 2; /* the first instances have one */
    struct sim_instance *victim = &faults->instances[faults->victim];
    const bool calls = faults->kind == SIM_FAULT_TWIN || faults->kind == SIM_FAULT_NEWCOMER;
    if (calls && spare(faults, victim, faults->kind == SIM_FAULT_TWIN) == NULL)
        return;
    if (victim->life != SIM_UP || victim->driver->seat_count == 0)
        return; /* again at the next look */
    if (faults->cell == SIM_CELL_REPLAY && victim->service->endless)
        return;
    faults->armed = true;
    faults->answered = false;
    faults->next_at_ms = sim_clock_now_ms() + GIVE_UP_MS;
    if (faults->cell < SIM_CELL_RESTORE)
        return;
    if (faults->cell == SIM_CELL_REPLAY) {
        sim_redis_flush_all();
        faults->counts[SIM_FAULT_REDIS_FLUSHED][SIM_CELL_ANSWERED]++;
    }
    faults->counts[SIM_FAULT_CRASH][SIM_CELL_ANSWERED]++;
    faults->struck++;
    sim_instance_kill(victim, sim_clock_now_ms() + (int64_t)draw(faults, 500));
}

static void end_spares(struct sim_faults *faults, bool all)
{
    for (size_t i = faults->own_count; i < faults->instance_count; i++) {
        struct sim_instance *one = &faults->instances[i];
        if (one->life == SIM_GONE || (!all && sim_clock_now_ms() < one->resume_at_ms))
            continue;
        sim_instance_kill(one, 0);
        one->life = SIM_GONE;
    }
}

void sim_faults_time(struct sim_faults *faults)
{
    const int64_t now_ms = sim_clock_now_ms();
    if (faults->refuse_until_ms != 0 && now_ms >= faults->refuse_until_ms) {
        faults->refuse_until_ms = 0;
        sim_redis_refuse(NULL);
    }
    end_spares(faults, false);
    if (faults->struck >= faults->wanted || now_ms < faults->next_at_ms)
        return;
    faults->armed = false; /* given up, where it still was */
    arm(faults);
}

int64_t sim_faults_due_ms(const struct sim_faults *faults)
{
    int64_t due_ms = faults->struck >= faults->wanted ? INT64_MAX : faults->next_at_ms;
    if (faults->refuse_until_ms != 0 && faults->refuse_until_ms < due_ms)
        due_ms = faults->refuse_until_ms;
    for (size_t i = faults->own_count; i < faults->instance_count; i++) {
        const struct sim_instance *one = &faults->instances[i];
        if (one->life != SIM_GONE && one->resume_at_ms < due_ms)
            due_ms = one->resume_at_ms;
    }
    return due_ms;
}

bool sim_faults_are_over(const struct sim_faults *faults)
{
    return faults->struck >= faults->wanted;
}

void sim_faults_end(struct sim_faults *faults)
{
    faults->armed = false;
    faults->refuse_until_ms = 0;
    sim_redis_refuse(NULL);
    end_spares(faults, true);
    for (size_t i = 0; i < faults->own_count; i++) {
        struct sim_instance *one = &faults->instances[i];
        const int64_t now_ms = sim_clock_now_ms();
        one->resume_at_ms = one->resume_at_ms < now_ms ? one->resume_at_ms : now_ms;
        one->kafka_back_ms = one->redis_back_ms = now_ms;
    }
    current = NULL;
    sim_process_plan = NULL;
}
