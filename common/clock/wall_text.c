/* wall_text.c: apart from wall.c, whose clocks a simulation answers itself. */
#include "check/check.h"
#include "clock/wall.h"

#include <time.h>

char *wall_text(int64_t time_ms, char *buffer)
{
    const time_t seconds = (time_t)((time_ms - (time_ms % 1000 + 1000) % 1000) / 1000);
    struct tm parts;
    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(buffer, 32, "%Y-%m-%d %H:%M:%S", &parts) == 0)
        (void)snprintf(buffer, 32, "%lld", (long long)time_ms);
    return buffer;
}
