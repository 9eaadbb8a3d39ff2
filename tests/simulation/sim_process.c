#include "sim_process.h"
#include "check/check.h"

enum sim_fate (*sim_process_plan)(struct sim_process *process, enum sim_call call);
void (*sim_process_blocked)(struct sim_process *process, int64_t duration_ms);

static struct sim_process *current;

const char *sim_call_name(enum sim_call call)
{
    static const char *const names[SIM_CALL_COUNT] = {
        [SIM_OFFSETS_READ] = "offsets_read",
        [SIM_STATE_READ] = "state_read",
        [SIM_POLL] = "poll",
        [SIM_BEGIN] = "begin",
        [SIM_PUBLISH] = "publish",
        [SIM_SEND_OFFSETS] = "send_offsets",
        [SIM_COMMIT] = "commit",
        [SIM_ABORT] = "abort",
        [SIM_INIT] = "init",
        [SIM_STATE_WRITE] = "state_write",
        [SIM_STATE_REPLY] = "state_reply",
    };
    REQUIRE(call < SIM_CALL_COUNT);
    return names[call];
}

struct sim_process *sim_process_current(void)
{
    return current;
}

void sim_process_enter(struct sim_process *process)
{
    current = process;
}

enum sim_fate sim_process_fate(struct sim_process *process, enum sim_call call)
{
    if (process == NULL)
        return SIM_GOES_WELL;
    if (process->dead)
        return SIM_DIES_BEFORE;
    const enum sim_fate fate =
        sim_process_plan == NULL ? SIM_GOES_WELL : sim_process_plan(process, call);
    if (fate == SIM_DIES_BEFORE)
        process->dead = true;
    return fate;
}

void sim_process_end(struct sim_process *process, enum sim_fate fate)
{
    if (process != NULL && fate == SIM_DIES_AFTER)
        process->dead = true;
}

void sim_process_block(struct sim_process *process, int64_t duration_ms)
{
    if (sim_process_blocked != NULL && (process == NULL || !process->dead))
        sim_process_blocked(process, duration_ms);
}
