#include "arguments.h"
#include "plumb.h"
#include "registry/registry.h"

#include <errno.h>

static const struct option_row help_rows[] = {
    {.name = "help", .kind = OPTION_FLAG, .help = "print this and end"},
    {.name = NULL},
};
static const struct option_row kafka_rows[] = {
    {.name = "bootstrap",
     .kind = OPTION_TEXT,
     .fallback = "127.0.0.1:9092",
     .help = "where Kafka is; also KAFKA_BOOTSTRAP_SERVERS"},
    {.name = "topic.*", .kind = OPTION_PREFIX, .help = "another name for the topic NAME"},
    {.name = "kafka.*", .kind = OPTION_PREFIX, .help = "any property of librdkafka"},
    {.name = NULL},
};
static const struct option_row output_rows[] = {
    {.name = "output",
     .kind = OPTION_CHOICE,
     .choices = "table|json|jsonl",
     .fallback = "table",
     .help = "how to print"},
    {.name = NULL},
};

static bool positional_fits(const struct arguments_spec *spec, const struct option_set *set)
{
    const size_t count = option_positional_count(set);
    if (count > spec->most)
        plumb_say(spec->command, "what is '%s'? (plumb %s --help)",
                  option_positional(set, spec->most), spec->command);
    else if (count < spec->least)
        plumb_say(spec->command, "usage: %s", spec->usage);
    return count >= spec->least && count <= spec->most;
}

struct option_set *arguments_read(const struct arguments_spec *spec, int argc, char *argv[],
                                  int *out_exit)
{
    REQUIRE(argc >= 1);
    const struct option_row *tables[5] = {spec->rows};
    size_t count = 1;
    if ((spec->parts & ARGUMENTS_OUTPUT) != 0)
        tables[count++] = output_rows;
    if ((spec->parts & ARGUMENTS_KAFKA) != 0)
        tables[count++] = kafka_rows;
    if ((spec->parts & ARGUMENTS_REGISTRY) != 0)
        tables[count++] = registry_option_rows;
    tables[count++] = help_rows;
    struct option_set *set = option_set_create(tables, count);
    struct reason reason;
    const enum fault fault = option_set_read(set, argc - 1, argv + 1, &reason);
    if (fault == FAULT_NONE && option_flag(set, "help")) {
        option_help(set, spec->usage, spec->summary);
        *out_exit = PLUMB_DONE;
    } else if (fault != FAULT_NONE) {
        plumb_say(spec->command, "%s", reason.text);
        *out_exit = fault == FAULT_OPTION_INVALID ? PLUMB_USAGE : PLUMB_CONFIGURATION;
    } else if (!positional_fits(spec, set)) {
        *out_exit = PLUMB_USAGE;
    } else {
        return set;
    }
    option_set_destroy(set);
    return NULL;
}

/* Reads exactly `size` digits. */
static bool digits(const char **next, int size, int64_t *out)
{
    *out = 0;
    for (int i = 0; i < size; i++, (*next)++) {
        if (**next < '0' || **next > '9')
            return false;
        *out = *out * 10 + (**next - '0');
    }
    return true;
}

/* Days from the epoch to a date of the proleptic Gregorian calendar (Hinnant, chrono-compatible
 * low-level date algorithms). */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2 ? 1 : 0;
    const int64_t era = (year >= 0 ? year : year - 399) / 400;
    const int64_t year_of_era = year - era * 400;
    const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

/* "T10:00", "T10:00:30", "T10:00:30.25" (or a blank for T), then nothing, Z or +10:00. */
static bool clock_of(const char *next, int64_t *out_ms)
{
    int64_t hour = 0, minute = 0, second = 0, ms = 0, zone_hour = 0, zone_minute = 0;
    if (*next == 'T' || *next == ' ') {
        next++;
        if (!digits(&next, 2, &hour) || *next++ != ':' || !digits(&next, 2, &minute))
            return false;
        if (*next == ':' && (next++, !digits(&next, 2, &second)))
            return false;
        if (*next == '.') {
            next++;
            for (int64_t unit = 100; *next >= '0' && *next <= '9'; next++, unit /= 10)
                ms += (*next - '0') * unit;
        }
    }
    int64_t sign = 0;
    if (*next == '+' || *next == '-') {
        sign = *next++ == '+' ? 1 : -1;
        if (!digits(&next, 2, &zone_hour) || *next++ != ':' || !digits(&next, 2, &zone_minute))
            return false;
    } else if (*next == 'Z') {
        next++;
    }
    if (*next != '\0' || hour > 23 || minute > 59 || second > 59 || zone_minute > 59)
        return false;
    *out_ms = ((hour * 60 + minute) * 60 + second) * 1000 + ms -
              sign * (zone_hour * 60 + zone_minute) * 60000;
    return true;
}

bool arguments_parse_time(const char *text, int64_t *out_ms)
{
    char *end;
    errno = 0;
    const long long whole = strtoll(text, &end, 10);
    if (end != text && *end == '\0' && errno == 0) {
        *out_ms = whole;
        return true;
    }
    int64_t year, month, day, ms;
    if (!digits(&text, 4, &year) || *text++ != '-' || !digits(&text, 2, &month) || *text++ != '-' ||
        !digits(&text, 2, &day) || month < 1 || month > 12 || day < 1 || day > 31 ||
        !clock_of(text, &ms))
        return false;
    *out_ms = days_of(year, month, day) * 86400000 + ms;
    return true;
}

bool arguments_time(const char *command, const struct option_set *set, const char *name,
                    int64_t fallback, int64_t *out_ms, int *out_exit)
{
    const char *text = option_text(set, name);
    if (text == NULL) {
        *out_ms = fallback;
        return true;
    }
    if (arguments_parse_time(text, out_ms))
        return true;
    plumb_say(command, "--%s: neither milliseconds nor a date (1997-05-05T00:00Z): '%s'", name,
              text);
    *out_exit = PLUMB_USAGE;
    return false;
}
