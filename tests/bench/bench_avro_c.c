#include "bench_avro_c.h"

#include <avro.h>
#include <stdlib.h>

struct bench_avro_c {
    avro_schema_t schema;
    avro_value_iface_t *class;
    avro_value_t value;
    avro_reader_t reader; /* given each record in turn: nothing is made anew */
};

struct bench_avro_c *bench_avro_c_open(const char *schema, size_t schema_size)
{
    struct bench_avro_c *rival = calloc(1, sizeof *rival);
    if (rival == NULL || avro_schema_from_json_length(schema, schema_size, &rival->schema) != 0) {
        free(rival);
        return NULL;
    }
    rival->class = avro_generic_class_from_schema(rival->schema);
    if (avro_generic_value_new(rival->class, &rival->value) != 0)
        abort();
    rival->reader = avro_reader_memory("", 0);
    return rival;
}

bool bench_avro_c_read(struct bench_avro_c *rival, const void *bytes, size_t size)
{
    avro_reader_memory_set_source(rival->reader, bytes, (int64_t)size);
    return avro_value_read(rival->reader, &rival->value) == 0;
}

void bench_avro_c_close(struct bench_avro_c *rival)
{
    avro_reader_free(rival->reader);
    avro_value_decref(&rival->value);
    avro_value_iface_decref(rival->class);
    avro_schema_decref(rival->schema);
    free(rival);
}
