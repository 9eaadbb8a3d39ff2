#include "conform_world.h"
#include "sim_kafka.h"
#include "sim_process.h"

static struct sim_process freezable = {.name = "freezable"};
static int64_t freeze_ms, thaw_at_ms;

static void on_blocked(struct sim_process *process, int64_t duration_ms)
{
    (void)process;
    world_wait((int)duration_ms);
}

void world_open(const char *bootstrap, const struct world_topic *topics, size_t topic_count)
{
    (void)bootstrap;
    sim_clock_set(1000000);
    sim_process_blocked = on_blocked;
    sim_kafka_start(&(struct sim_kafka_options){.cluster = "simulated", .seed = 1});
    for (size_t i = 0; i < topic_count; i++)
        sim_kafka_topic_create(topics[i].name, topics[i].partition_count);
}

/* In pieces, so that time-outs come one after the other. */
void world_wait(int duration_ms)
{
    const int64_t end_ms = sim_clock_now_ms() + duration_ms;
    sim_kafka_settle();
    while (sim_clock_now_ms() < end_ms) {
        const int64_t left_ms = end_ms - sim_clock_now_ms();
        sim_clock_set(sim_clock_now_ms() + (left_ms < 50 ? left_ms : 50));
        freezable.paused = freezable.paused && sim_clock_now_ms() < thaw_at_ms;
        sim_kafka_settle();
    }
}

int64_t world_now_ms(void)
{
    return sim_clock_now_ms();
}

void world_append(const char *topic, int32_t partition, const char *value)
{
    (void)sim_kafka_append(topic, partition, span_text(NULL), span_text(value), NULL, 0);
}

void world_trim(const char *topic, int32_t partition, int64_t offset)
{
    sim_kafka_trim(topic, partition, offset);
}

void world_enter(bool on)
{
    sim_process_enter(on ? &freezable : NULL);
}

void world_freeze(int duration_ms)
{
    freeze_ms = duration_ms;
}

void world_on_wake(void *context)
{
    (void)context;
    if (freeze_ms == 0 || sim_process_current() != &freezable)
        return;
    freezable.paused = true;
    thaw_at_ms = sim_clock_now_ms() + freeze_ms;
    freeze_ms = 0;
}

void world_close(void)
{
    sim_kafka_stop();
}
