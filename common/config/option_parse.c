#include "config/option_set.h"

#include <ctype.h>
#include <errno.h>

bool option_parse_duration(const char *text, int64_t *out_ms)
{
    REQUIRE(text != NULL);
    REQUIRE(out_ms != NULL);
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    int64_t count = 0;
    const char *next = text;
    for (; *next >= '0' && *next <= '9'; next++) {
        if (count > (INT64_MAX - 9) / 10)
            return false;
        count = count * 10 + (*next - '0');
    }
    if (next == text)
        return false;
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (strcmp(next, units[i].unit) != 0)
            continue;
        if (count > INT64_MAX / units[i].ms)
            return false;
        *out_ms = count * units[i].ms;
        return true;
    }
    return false;
}

bool option_parse_number(const char *text, int64_t *out_number)
{
    char *end = NULL;
    errno = 0;
    const long long number = strtoll(text, &end, 10);
    if (end == text || *end != 0 || errno != 0 || isspace((unsigned char)text[0]))
        return false;
    *out_number = number;
    return true;
}

bool option_parse_flag(const char *text, bool *out_flag)
{
    *out_flag = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
    return *out_flag || strcmp(text, "false") == 0 || strcmp(text, "0") == 0;
}
