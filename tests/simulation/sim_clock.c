/* sim_clock.c: clock/wall.h answered from simulated time; all of it, so that the real one is not
 * linked. */
#include "clock/wall.h"
#include "sim_process.h"

#include <stdio.h>
#include <time.h>

static int64_t simulated_ms;

void sim_clock_set(int64_t now_ms)
{
    simulated_ms = now_ms;
}

int64_t sim_clock_now_ms(void)
{
    return simulated_ms;
}

int64_t wall_now_ms(void)
{
    const struct sim_process *process = sim_process_current();
    return simulated_ms + (process == NULL ? 0 : process->wall_ahead_ms);
}

int64_t monotonic_now_ns(void)
{
    return simulated_ms * 1000000;
}
