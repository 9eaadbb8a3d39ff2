/* sim_registry.c: a schema registry in the place of the real one, at the functions of
 * registry/registry.h: it knows what the log's ids mean, and takes its time; one answer in eight
 * comes as late as from a registry that was away. Each process asks for itself. */
#include "container/table.h"
#include "memory/heap.h"
#include "registry/registry.h"
#include "sim_process.h"
#include "sim_random.h"
#include "sim_schemas.h"

enum { QUICK_MS = 400, AWAY_MS = 6000 };

struct registry {
    struct table *due; /* owned: name → owned int64_t: when its answer comes, ms */
};

enum fault registry_open(const struct option_set *options, uv_loop_t *loop,
                         void (*on_change)(void *context), void *context,
                         struct registry **out_registry, struct reason *out_reason)
{
    (void)options;
    (void)loop;
    (void)on_change; /* the driver looks again at its next tick */
    (void)context;
    (void)out_reason;
    struct registry *registry = heap_zeroed(1, sizeof *registry);
    registry->due = table_create();
    *out_registry = registry;
    return FAULT_NONE;
}

static int64_t delay_ms(struct span name)
{
    uint64_t random = (uint64_t)sim_clock_now_ms() * 31 + name.bytes[0];
    for (const char *byte = sim_process_current()->name; *byte != '\0'; byte++)
        random = random * 31 + (uint64_t)*byte;
    return sim_one_in(&random, 8) ? sim_below(&random, AWAY_MS) : sim_below(&random, QUICK_MS);
}

enum registry_state registry_find(struct registry *registry, struct span name,
                                  const struct schema **out_schema, struct reason *out_reason)
{
    int64_t *due_ms = table_find(registry->due, name);
    if (due_ms == NULL) {
        due_ms = heap_zeroed(1, sizeof *due_ms);
        *due_ms = sim_clock_now_ms() + delay_ms(name);
        (void)table_put(registry->due, name, due_ms);
    }
    if (sim_clock_now_ms() < *due_ms)
        return REGISTRY_AWAITED;
    const struct schema_use use = {.name = name};
    return sim_schemas_lookup.find(NULL, &use, out_schema, out_reason) == SCHEMA_FOUND
               ? REGISTRY_FOUND
               : REGISTRY_MISSING;
}

const char *registry_why(const struct registry *registry)
{
    (void)registry;
    return "";
}

struct registry_counts registry_counts(const struct registry *registry)
{
    (void)registry;
    return (struct registry_counts){0};
}

void registry_close(struct registry *registry)
{
    if (registry == NULL)
        return;
    size_t cursor = 0;
    for (void *due_ms; (due_ms = table_next(registry->due, &cursor, NULL)) != NULL;)
        heap_release(due_ms);
    table_destroy(registry->due);
    heap_release(registry);
}
