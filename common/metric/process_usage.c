#include "metric/process_usage.h"

#include <dirent.h>
#include <inttypes.h>
#include <sys/resource.h>
#include <unistd.h>

/* The fields of /proc/self/stat that are used; proc(5) counts them from 1. */
struct usage {
    double cpu_seconds;    /* utime + stime: 14, 15 */
    double start_seconds;  /* since the epoch: 22 and the time of boot */
    double virtual_bytes;  /* 23 */
    double resident_bytes; /* 24, in pages */
};

static bool usage_read(struct usage *out_usage);
static bool boot_seconds(double *out_seconds);
static bool open_files(double *out_count);
static void gauge(struct buffer *out, const char *name, const char *kind, const char *help,
                  double value);

void process_usage_render(struct buffer *out)
{
    struct usage usage;
    if (usage_read(&usage)) {
        gauge(out, "process_cpu_seconds_total", "counter", "User and system CPU time in seconds.",
              usage.cpu_seconds);
        gauge(out, "process_resident_memory_bytes", "gauge", "Resident memory in bytes.",
              usage.resident_bytes);
        gauge(out, "process_virtual_memory_bytes", "gauge", "Virtual memory in bytes.",
              usage.virtual_bytes);
        if (usage.start_seconds > 0)
            gauge(out, "process_start_time_seconds", "gauge",
                  "When the process began, in seconds since the epoch.", usage.start_seconds);
    }
    double count;
    if (open_files(&count))
        gauge(out, "process_open_fds", "gauge", "Open file descriptors.", count);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        gauge(out, "process_max_fds", "gauge", "Most file descriptors that may be open.",
              (double)limit.rlim_cur);
}

uint64_t process_usage_peak(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
}

double process_usage_cpu_seconds(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0.0;
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static bool usage_read(struct usage *out_usage)
{
    char text[2048];
    FILE *file = fopen("/proc/self/stat", "re");
    if (file == NULL)
        return false;
    const size_t size = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[size] = '\0';
    const char *next = strrchr(text, ')'); /* field 2 is the program's name and may hold anything */
    if (next == NULL)
        return false;
    double fields[25] = {0};
    next += 2 <= strlen(next) ? 2 : 1;
    while (*next != '\0' && *next != ' ')
        next++; /* field 3 is a letter */
    for (size_t i = 4; i < COUNT_OF(fields) && *next != '\0'; i++) {
        char *end;
        fields[i] = strtod(next, &end);
        if (end == next)
            return false;
        next = end;
    }
    const double ticks = (double)sysconf(_SC_CLK_TCK), page = (double)sysconf(_SC_PAGESIZE);
    double boot = 0;
    const bool has_boot = boot_seconds(&boot);
    *out_usage = (struct usage){.cpu_seconds = (fields[14] + fields[15]) / ticks,
                                .start_seconds = has_boot ? boot + fields[22] / ticks : 0,
                                .virtual_bytes = fields[23],
                                .resident_bytes = fields[24] * page};
    return true;
}

static bool boot_seconds(double *out_seconds)
{
    FILE *file = fopen("/proc/stat", "re");
    if (file == NULL)
        return false;
    char line[256];
    bool found = false;
    while (!found && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "btime ", 6) == 0) {
            *out_seconds = strtod(line + 6, NULL);
            found = true;
        }
    }
    (void)fclose(file);
    return found;
}

static bool open_files(double *out_count)
{
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return false;
    double count = -1; /* the folder itself */
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    (void)closedir(folder);
    *out_count = count;
    return true;
}

static void gauge(struct buffer *out, const char *name, const char *kind, const char *help,
                  double value)
{
    buffer_format(out, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", name, help, name, kind, name,
                  value);
}
