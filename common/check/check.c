#include "check/check.h"

_Noreturn void check_failed(const char *kind, const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "plumb: %s failed: %s (%s:%d)\n", kind, condition, file, line);
    (void)fflush(stderr);
    abort();
}
