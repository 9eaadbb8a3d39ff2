/* random_avro.h: random schemas, values of them, and damage to their bytes, for property tests.
 *
 * One stream of chance a process: random_avro_begin(seed) begins it again.
 */
#ifndef RANDOM_AVRO_H
#define RANDOM_AVRO_H
#include "avro/schema.h"
#include "memory/buffer.h"

void random_avro_begin(uint64_t seed);
uint64_t random_avro_chance(void);
size_t random_avro_below(size_t bound);
/* Appends the text of a schema: all kinds but bytes and fixed, names, references, recursion. */
void random_avro_schema(struct buffer *out, bool is_record);
json_t *random_avro_value(const struct schema_node *node); /* new */
/* One damage: a bit flipped, a byte replaced, the end cut, a part doubled. */
void random_avro_damage(struct buffer *bytes);
#endif
