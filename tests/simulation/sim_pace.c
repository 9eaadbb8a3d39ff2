#include "sim_pace.h"
#include "sim_random.h"

enum {
    MINUTE_MS = 60000,
    BROKER_MINUTE_MS = 1200,
    GAPS_A_MINUTE = 125, /* on average between arrivals */
    PAUSE_IN = 128,      /* the broker's: one gap in so many */
    PAUSE_MAX_MS = 1500,
    AGAIN_IN = 25, /* one id in so many came before, at most so many events ago */
    AGAIN_SOON = 200,
    AGAIN_LATE = 3000,
};
static const int64_t epoch_ms = 1700000100000;

static int64_t gap_mean_ms(const struct sim_pace *pace)
{
    if (pace->arrival == SIM_ARRIVAL_HEADER)
        return pace->minute_ms / GAPS_A_MINUTE;
    return pace->minute_ms / GAPS_A_MINUTE / 2 + PAUSE_MAX_MS / 2 / PAUSE_IN;
}

void sim_pace_init(struct sim_pace *pace, enum sim_arrival arrival, uint64_t *random, size_t events)
{
    *pace = (struct sim_pace){.arrival = arrival,
                              .minute_ms =
                                  arrival == SIM_ARRIVAL_HEADER ? MINUTE_MS : BROKER_MINUTE_MS};
    pace->arrival_ms = pace->first_ms = epoch_ms + sim_below(random, 60 * pace->minute_ms);
    pace->middle_ms = pace->first_ms + (int64_t)(events / 2) * gap_mean_ms(pace);
}

void sim_pace_go_on(struct sim_pace *pace, uint64_t *random)
{
    if (pace->arrival == SIM_ARRIVAL_HEADER) {
        pace->arrival_ms += sim_below(random, 2 * gap_mean_ms(pace));
        return;
    }
    pace->arrival_ms += sim_below(random, pace->minute_ms / GAPS_A_MINUTE);
    if (sim_one_in(random, PAUSE_IN))
        pace->arrival_ms += sim_below(random, PAUSE_MAX_MS);
}

void sim_pace_be_quiet(struct sim_pace *pace)
{
    pace->arrival_ms += 6 * pace->minute_ms;
}

/* Moves the arrival to where an event is the last on time (or late), or one millisecond after. */
static int64_t time_on_bound(struct sim_pace *pace, uint64_t *random)
{
    const struct sim_terms *terms = &pace->terms[sim_below(random, SIM_N1)];
    const int64_t allowance = sim_one_in(random, 2) ? terms->lateness_ms : terms->correction_ms;
    const int64_t pane_ms = terms->pane_ms;
    const int64_t end_ms = ((pace->arrival_ms - allowance) / pane_ms + 1) * pane_ms;
    pace->arrival_ms = end_ms + allowance + sim_below(random, 2);
    return end_ms - 1 - sim_below(random, pane_ms);
}

int64_t sim_pace_event_time(struct sim_pace *pace, uint64_t *random)
{
    const int64_t chance = sim_below(random, 500), arrival_ms = pace->arrival_ms;
    const int64_t minute_ms = pace->minute_ms, skew_ms = SIM_SKEW_MINUTES * minute_ms;
    const struct sim_terms *terms = &pace->terms[SIM_M1];
    if (chance == 0)
        return time_on_bound(pace, random);
    if (chance < 21)
        return arrival_ms - terms->lateness_ms - sim_below(random, terms->correction_ms);
    if (chance < 26)
        return arrival_ms - 40 * minute_ms - sim_below(random, 20 * minute_ms);
    if (chance < 31)
        return arrival_ms + skew_ms + 1 + sim_below(random, 20 * minute_ms);
    if (chance < 33)
        return arrival_ms + skew_ms + (chance == 31);
    const int64_t middle_ms = pace->middle_ms;
    if (chance < 36 && arrival_ms >= middle_ms - skew_ms && arrival_ms < middle_ms + minute_ms)
        return middle_ms - (chance == 33); /* the revision that takes effect, or the one before */
    if (chance < 40)
        return arrival_ms + sim_below(random, skew_ms);
    if (chance < 48)
        return arrival_ms / minute_ms * minute_ms;
    return arrival_ms - sim_below(random, minute_ms / 30);
}

size_t sim_pace_again(uint64_t *random, size_t index)
{
    if (index == 0 || !sim_one_in(random, AGAIN_IN))
        return index;
    const size_t most = sim_one_in(random, 2) ? AGAIN_SOON : AGAIN_LATE;
    return index - 1 - (size_t)sim_below(random, (int64_t)(index < most ? index : most));
}

/* Time goes on as it does where the broker tells it: no longer than need be. An event is at most
 * skew ahead, a window at most 15 minutes long, a correction there 20. */
int64_t sim_pace_close_ms(const struct sim_pace *pace)
{
    const int64_t minutes = pace->arrival == SIM_ARRIVAL_HEADER ? 180 : SIM_SKEW_MINUTES + 36;
    return pace->arrival_ms + minutes * pace->minute_ms;
}
