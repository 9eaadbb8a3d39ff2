/* sim_random.h: the random numbers of a seed (splitmix64): the same on every machine.
 *
 * Thread   one a state.
 */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H
#include <stdbool.h>
#include <stdint.h>

static inline uint64_t sim_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 0 .. below - 1. */
static inline int64_t sim_below(uint64_t *state, int64_t below)
{
    return (int64_t)(sim_random(state) % (uint64_t)below);
}

static inline bool sim_one_in(uint64_t *state, int64_t chances)
{
    return sim_below(state, chances) == 0;
}

/* [0, 1) */
static inline double sim_unit(uint64_t *state)
{
    return (double)(sim_random(state) >> 11) * 0x1p-53;
}
#endif
