/* conform_process.c: for the conformance program: one process for which everything goes well, in
 * real time. */
#include "clock/wall.h"
#include "sim_process.h"

#include <stddef.h>

static struct sim_process only = {.name = "conform"};
static struct sim_process *current = &only;

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
    (void)process, (void)call;
    return SIM_GOES_WELL;
}

int64_t sim_clock_now_ms(void)
{
    return wall_now_ms();
}
