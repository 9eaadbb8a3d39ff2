#include "sim_link.h"
#include "memory/arena.h"
#include "memory/heap.h"
#include "redis/link.h"
#include "sim_redis.h"

/* A command and its answer. */
struct order {
    struct order *next;  /* owned list */
    struct arena *arena; /* owned: of the texts below */
    struct span *arguments;
    size_t count;
    enum store_script script;  /* COUNT: none of ours, when it arrived */
    struct link_reply *answer; /* NULL: it has not arrived */
    void (*on_reply)(void *context, const struct link_reply *reply);
    void *context; /* borrowed */
};

struct link {
    struct link *next;           /* in the order of opening */
    struct sim_process *process; /* borrowed */
    struct order *first;         /* owned, in the order of sending */
    bool cut;                    /* on_down is to be delivered; nothing else will be */
    void (*on_down)(void *context);
    void *context; /* borrowed */
};

static struct link *links;     /* of all processes */
static struct order *stranded; /* owned, oldest first */

static void order_destroy(struct order *order)
{
    arena_destroy(order->arena);
    heap_release(order);
}

static void append(struct order **list, struct order *order)
{
    while (*list != NULL)
        list = &(*list)->next;
    order->next = NULL;
    *list = order;
}

static bool is_state(const struct order *order)
{
    return sim_redis_script_of(order->arguments, order->count) != STORE_SCRIPT_COUNT;
}

/* The connection is over: what has not arrived may yet. */
static void drop_orders(struct link *link, bool strand)
{
    while (link->first != NULL) {
        struct order *order = link->first;
        link->first = order->next;
        if (strand && order->answer == NULL && is_state(order))
            append(&stranded, order);
        else
            order_destroy(order);
    }
}

static void take_out(struct link *link)
{
    struct link **place = &links;
    while (*place != link)
        place = &(*place)->next;
    *place = link->next;
}

static void say(struct link *link, const char *first, const char *second, const char *third)
{
    const struct span words[3] = {span_text(first), span_text(second), span_text(third)};
    link_send(link, words, third == NULL ? 2 : 3, NULL, NULL);
}

struct link *link_open(const struct link_options *options)
{
    struct link *link = heap_zeroed(1, sizeof *link);
    link->process = sim_process_current();
    REQUIRE(link->process != NULL);
    link->on_down = options->on_down;
    link->context = options->context;
    struct link **last = &links;
    while (*last != NULL)
        last = &(*last)->next;
    *last = link;
    if (options->password[0] != '\0' && options->user[0] != '\0')
        say(link, "AUTH", options->user, options->password);
    else if (options->password[0] != '\0')
        say(link, "AUTH", options->password, NULL);
    if (options->database != 0)
        say(link, "SELECT", "0", NULL);
    return link;
}

void link_send(struct link *link, const struct span *arguments, size_t count,
               void (*on_reply)(void *context, const struct link_reply *reply), void *context)
{
    REQUIRE(link != NULL && count > 0);
    if (link->cut || link->process->dead)
        return;
    struct order *order = heap_zeroed(1, sizeof *order);
    order->arena = arena_create();
    order->arguments = arena_take(order->arena, count * sizeof *order->arguments);
    order->count = count;
    for (size_t i = 0; i < count; i++)
        order->arguments[i] = arena_span(order->arena, arguments[i]);
    order->on_reply = on_reply;
    order->context = context;
    append(&link->first, order);
}

void link_close(struct link *link)
{
    if (link == NULL)
        return;
    take_out(link);
    drop_orders(link, !link->process->dead);
    heap_release(link);
}

static void cut(struct link *link)
{
    drop_orders(link, !link->process->dead);
    link->cut = true;
}

void sim_link_cut(struct sim_process *process)
{
    for (struct link *link = links; link != NULL; link = link->next) {
        if (link->process == process)
            cut(link);
    }
}

void sim_link_end(struct sim_process *process)
{
    for (struct link **place = &links; *place != NULL;) {
        struct link *link = *place;
        if (link->process != process) {
            place = &link->next;
            continue;
        }
        *place = link->next;
        drop_orders(link, false);
        heap_release(link);
    }
}

static struct link_reply copied(struct arena *arena, const struct link_reply *reply)
{
    struct link_reply copy = *reply;
    copy.text = arena_span(arena, reply->text);
    if (reply->count > 0) {
        struct link_reply *elements = arena_take(arena, reply->count * sizeof *elements);
        for (size_t i = 0; i < reply->count; i++)
            elements[i] = copied(arena, &reply->elements[i]);
        copy.elements = elements;
    }
    return copy;
}

static void answer(struct order *order, const struct link_reply *reply)
{
    order->answer = arena_take(order->arena, sizeof *order->answer);
    *order->answer = copied(order->arena, reply);
}

static void execute(struct order *order)
{
    answer(order, sim_redis_execute(order->arguments, order->count));
}

/* The request reaches the server. */
static void arrive(struct link *link, struct order *order)
{
    static const struct link_reply refusal = {
        .kind = LINK_ERROR, .text = {(const uint8_t *)"MISCONF simulated: no disk space", 32}};
    order->script = sim_redis_script_of(order->arguments, order->count);
    enum sim_fate fate = SIM_GOES_WELL;
    if (order->script != STORE_SCRIPT_COUNT)
        fate = sim_process_fate(
            link->process, order->script == STORE_SCRIPT_READ ? SIM_STATE_READ : SIM_STATE_WRITE);
    if (link->cut)
        return; /* by the plan: it is stranded */
    switch (fate) {
    case SIM_GOES_WELL:
        execute(order);
        break;
    case SIM_DIES_BEFORE:
        link->process->dead = true;
        break;
    case SIM_DIES_AFTER:
        execute(order);
        link->process->dead = true;
        break;
    case SIM_FAILS:
        drop_orders(link, false);
        link->cut = true;
        break;
    case SIM_IS_LOST:
        execute(order);
        cut(link);
        break;
    case SIM_IS_REFUSED:
        answer(order, &refusal);
        break;
    }
}

bool sim_link_step_request(struct sim_process *process)
{
    if (process->dead || process->redis_is_away)
        return false;
    for (struct link *link = links; link != NULL; link = link->next) {
        if (link->process != process || link->cut)
            continue;
        for (struct order *order = link->first; order != NULL; order = order->next) {
            if (order->answer == NULL) {
                arrive(link, order);
                return true;
            }
        }
    }
    return false;
}

static void deliver_loss(struct link *link)
{
    take_out(link);
    link->on_down(link->context);
    heap_release(link);
}

static void deliver(struct link *link)
{
    struct sim_process *process = link->process;
    struct order *order = link->first;
    const enum sim_fate fate = order->script == STORE_SCRIPT_COUNT
                                   ? SIM_GOES_WELL
                                   : sim_process_fate(process, SIM_STATE_REPLY);
    if (link->cut)
        return; /* by the plan: the answer is gone */
    if (fate == SIM_DIES_BEFORE) {
        process->dead = true;
        return;
    }
    if (fate == SIM_FAILS || fate == SIM_IS_LOST) {
        cut(link);
        return;
    }
    link->first = order->next;
    if (order->on_reply != NULL)
        order->on_reply(order->context, order->answer); /* may close the link */
    order_destroy(order);
    if (fate == SIM_DIES_AFTER)
        process->dead = true;
}

bool sim_link_step_reply(struct sim_process *process)
{
    if (process->dead || process->paused || process->redis_is_away)
        return false;
    for (struct link *link = links; link != NULL; link = link->next) {
        if (link->process != process)
            continue;
        if (!link->cut && (link->first == NULL || link->first->answer == NULL))
            continue;
        struct sim_process *before = sim_process_current();
        sim_process_enter(process);
        if (link->cut)
            deliver_loss(link);
        else
            deliver(link);
        sim_process_enter(before);
        return true;
    }
    return false;
}

bool sim_link_can_step(const struct sim_process *process)
{
    if (process->dead || process->redis_is_away)
        return false;
    for (const struct link *link = links; link != NULL; link = link->next) {
        if (link->process != process)
            continue;
        for (const struct order *order = link->cut ? NULL : link->first; order != NULL;
             order = order->next) {
            if (order->answer == NULL)
                return true;
        }
        if (!process->paused && (link->cut || (link->first != NULL && link->first->answer != NULL)))
            return true;
    }
    return false;
}

bool sim_link_step(struct sim_process *process)
{
    return sim_link_step_request(process) || sim_link_step_reply(process);
}

size_t sim_link_stranded(void)
{
    size_t count = 0;
    for (const struct order *order = stranded; order != NULL; order = order->next)
        count++;
    return count;
}

void sim_link_step_stranded(void)
{
    struct order *order = stranded;
    if (order == NULL)
        return;
    stranded = order->next;
    (void)sim_redis_execute(order->arguments, order->count);
    order_destroy(order);
}

void sim_link_drop_stranded(void)
{
    while (stranded != NULL) {
        struct order *order = stranded;
        stranded = order->next;
        order_destroy(order);
    }
}
