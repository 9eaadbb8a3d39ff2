/* process_usage.h: what this process uses, under the names that every Prometheus client has:
 * process_resident_memory_bytes, process_virtual_memory_bytes, process_cpu_seconds_total,
 * process_start_time_seconds, process_open_fds, process_max_fds.
 *
 * Read from /proc at each call; what cannot be read is left out.
 * Thread   any.
 */
#ifndef PROCESS_USAGE_H
#define PROCESS_USAGE_H
#include "memory/buffer.h"

void process_usage_render(struct buffer *out);
/* Peak resident memory in bytes, 0 where it cannot be told. */
uint64_t process_usage_peak(void);
/* User and system time so far, in seconds; 0 where it cannot be told. */
double process_usage_cpu_seconds(void);
#endif
