#include "progress.h"
#include "check/check.h"
#include "clock/wall.h"

#include <unistd.h>

enum { PROGRESS_WIDTH = 24 };

void progress_begin(struct progress *progress, const char *text)
{
    *progress = (struct progress){
        .text = text, .is_terminal = isatty(STDERR_FILENO) == 1, .began_ns = monotonic_now_ns()};
}

void progress_show(struct progress *progress, double share, uint64_t count, const char *unit)
{
    const int64_t now_ns = monotonic_now_ns();
    if (!progress->is_terminal || now_ns - progress->drawn_ns < 100000000)
        return;
    progress->drawn_ns = now_ns;
    const double seconds = (double)(now_ns - progress->began_ns) / 1e9;
    char bar[PROGRESS_WIDTH + 1] = "";
    const int filled = share > 1 ? PROGRESS_WIDTH : (int)(share * PROGRESS_WIDTH);
    memset(bar, '.', PROGRESS_WIDTH);
    memset(bar, '#', (size_t)filled);
    bar[PROGRESS_WIDTH] = '\0';
    if (share > 0)
        (void)fprintf(stderr, "\r\033[K%s [%s] %3d %%  %llu %s  %.0f/s", progress->text, bar,
                      (int)(share * 100), (unsigned long long)count, unit,
                      seconds > 0 ? (double)count / seconds : 0);
    else
        (void)fprintf(stderr, "\r\033[K%s  %llu %s  %.0f s", progress->text,
                      (unsigned long long)count, unit, seconds);
    (void)fflush(stderr);
}

void progress_end(struct progress *progress)
{
    if (progress->is_terminal && progress->drawn_ns != 0)
        (void)fputs("\r\033[K", stderr);
}
