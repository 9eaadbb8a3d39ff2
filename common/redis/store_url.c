#include "redis/store_url.h"

static enum fault refuse(struct reason *out_reason, const char *why)
{
    reason_set(out_reason, "--redis: %s; give redis://[user:password@]host[:port][/database]", why);
    return FAULT_OPTION_INVALID;
}

static int copy(char *target, size_t capacity, const char *text, size_t size)
{
    if (size >= capacity)
        return 0;
    memcpy(target, text, size);
    target[size] = '\0';
    return 1;
}

static enum fault read_login(struct store_url *url, const char *text, size_t size,
                             struct reason *out_reason)
{
    const char *colon = memchr(text, ':', size);
    const size_t user_size = colon == NULL ? size : (size_t)(colon - text);
    if (!copy(url->user, sizeof url->user, text, user_size))
        return refuse(out_reason, "the user is too long");
    if (colon != NULL &&
        !copy(url->password, sizeof url->password, colon + 1, size - user_size - 1))
        return refuse(out_reason, "the password is too long");
    return FAULT_NONE;
}

enum fault store_url_parse(const char *text, struct store_url *out_url, struct reason *out_reason)
{
    struct store_url url = {.port = 6379};
    if (strncmp(text, "rediss://", 9) == 0)
        return refuse(out_reason, "TLS to Redis is not to be had with this hiredis");
    if (strncmp(text, "redis://", 8) != 0)
        return refuse(out_reason, "not a Redis URL");
    const char *next = text + 8;
    const char *slash = strchr(next, '/');
    const char *end = slash == NULL ? next + strlen(next) : slash;
    const char *at = memchr(next, '@', (size_t)(end - next));
    if (at != NULL) {
        const enum fault fault = read_login(&url, next, (size_t)(at - next), out_reason);
        if (fault != FAULT_NONE)
            return fault;
        next = at + 1;
    }
    const char *colon = memchr(next, ':', (size_t)(end - next));
    if (!copy(url.host, sizeof url.host, next, (size_t)((colon == NULL ? end : colon) - next)) ||
        url.host[0] == '\0')
        return refuse(out_reason, "no host");
    if (colon != NULL) {
        char *rest;
        const long port = strtol(colon + 1, &rest, 10);
        if (rest != end || port < 1 || port > 65535)
            return refuse(out_reason, "the port is no number from 1 to 65535");
        url.port = (uint16_t)port;
    }
    if (slash != NULL && slash[1] != '\0') {
        char *rest;
        const long database = strtol(slash + 1, &rest, 10);
        if (*rest != '\0' || database < 0 || database > 1000)
            return refuse(out_reason, "the database is no number");
        url.database = (int)database;
    }
    *out_url = url;
    return FAULT_NONE;
}
