#include "clock/wall.h"
#include "check/check.h"

#include <time.h>

int64_t wall_now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t monotonic_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

char *wall_text(int64_t time_ms, char *buffer)
{
    const time_t seconds = (time_t)((time_ms - (time_ms % 1000 + 1000) % 1000) / 1000);
    struct tm parts;
    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(buffer, 32, "%Y-%m-%d %H:%M:%S", &parts) == 0)
        (void)snprintf(buffer, 32, "%lld", (long long)time_ms);
    return buffer;
}
