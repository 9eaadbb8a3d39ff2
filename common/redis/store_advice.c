#include "redis/store_advice.h"
#include "memory/heap.h"

/* The value of "NAME:value\r\n" at the beginning of a line; false where there is none. */
static bool find(const char *info, const char *name, char *out_value, size_t capacity)
{
    const size_t size = strlen(name);
    for (const char *line = info; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, size) != 0 || line[size] != ':')
            continue;
        (void)snprintf(out_value, capacity, "%.*s", (int)strcspn(line + size + 1, "\r\n"),
                       line + size + 1);
        return true;
    }
    return false;
}

bool store_advice_evicts(struct span info, struct reason *out_reason)
{
    char bytes[24], policy[32];
    char *text = span_copied(info);
    /* volatile-*: only what has a time to live, and our keys have none. */
    const bool evicts = find(text, "maxmemory", bytes, sizeof bytes) && strcmp(bytes, "0") != 0 &&
                        find(text, "maxmemory_policy", policy, sizeof policy) &&
                        strncmp(policy, "allkeys-", 8) == 0;
    if (evicts)
        reason_set(out_reason,
                   "maxmemory-policy is %s with maxmemory %s: Redis throws state away when it is "
                   "full, and it is rebuilt from Kafka; set maxmemory-policy noeviction",
                   policy, bytes);
    heap_release(text);
    return evicts;
}

bool store_advice_has_no_log(struct span info)
{
    char enabled[8];
    char *text = span_copied(info);
    const bool none =
        find(text, "aof_enabled", enabled, sizeof enabled) && strcmp(enabled, "0") == 0;
    heap_release(text);
    return none;
}
