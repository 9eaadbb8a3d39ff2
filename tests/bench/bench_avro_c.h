/* bench_avro_c.h: avro-c reading one record after the other into one value: what our decoder is
 * compared with. A file of its own, built apart from project_flags: our folder avro/ would stand
 * before avro-c's.
 */
#ifndef BENCH_AVRO_C_H
#define BENCH_AVRO_C_H
#include <stdbool.h>
#include <stddef.h>

struct bench_avro_c;
struct bench_avro_c *bench_avro_c_open(const char *schema, size_t schema_size); /* NULL: refused */
bool bench_avro_c_read(struct bench_avro_c *rival, const void *bytes, size_t size);
void bench_avro_c_close(struct bench_avro_c *rival);
#endif
