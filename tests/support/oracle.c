#include "oracle.h"

#include <avro.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_MAX = 1 << 20 };

struct oracle {
    avro_schema_t schema;
    avro_value_iface_t *class;
    avro_value_t value;
    char bytes[BYTES_MAX];
};

/* ---- what it holds, against ours ---- */

static bool same(avro_value_t *theirs, const json_t *ours);

static bool same_record(avro_value_t *theirs, const json_t *ours)
{
    size_t count = 0;
    (void)avro_value_get_size(theirs, &count);
    for (size_t i = 0; i < count; i++) {
        avro_value_t field;
        const char *name = NULL;
        (void)avro_value_get_by_index(theirs, i, &field, &name);
        const json_t *value = json_object_get(ours, name);
        if (value == NULL || !same(&field, value))
            return false;
    }
    return json_is_object(ours) && json_object_size(ours) == count;
}

static bool same_items(avro_value_t *theirs, const json_t *ours, bool is_map)
{
    size_t count = 0;
    (void)avro_value_get_size(theirs, &count);
    if (count != (is_map ? json_object_size(ours) : json_array_size(ours)))
        return false;
    for (size_t i = 0; i < count; i++) {
        avro_value_t item;
        const char *key = NULL;
        (void)avro_value_get_by_index(theirs, i, &item, &key);
        const json_t *value = is_map ? json_object_get(ours, key) : json_array_get(ours, i);
        if (value == NULL || !same(&item, value))
            return false;
    }
    return true;
}

static bool same_text(avro_value_t *theirs, const json_t *ours)
{
    const char *text = NULL;
    size_t size = 0;
    (void)avro_value_get_string(theirs, &text, &size); /* size counts the final zero */
    return json_is_string(ours) && json_string_length(ours) == size - 1 &&
           memcmp(json_string_value(ours), text, size - 1) == 0;
}

static bool same_symbol(avro_value_t *theirs, const json_t *ours)
{
    int index = 0;
    (void)avro_value_get_enum(theirs, &index);
    const char *symbol = avro_schema_enum_get(avro_value_get_schema(theirs), index);
    return json_is_string(ours) && strcmp(json_string_value(ours), symbol) == 0;
}

static bool same_number(double theirs, const json_t *ours)
{
    return isfinite(theirs) ? json_is_real(ours) && json_real_value(ours) - theirs == 0.0
                            : json_is_null(ours);
}

static bool same_scalar(avro_value_t *theirs, const json_t *ours)
{
    int truth = 0;
    int32_t narrow = 0;
    int64_t wide = 0;
    float single = 0;
    double number = 0;
    avro_value_t branch;
    switch (avro_value_get_type(theirs)) {
    case AVRO_NULL:
        return json_is_null(ours);
    case AVRO_BOOLEAN:
        (void)avro_value_get_boolean(theirs, &truth);
        return json_is_boolean(ours) && json_is_true(ours) == (truth != 0);
    case AVRO_INT32:
        (void)avro_value_get_int(theirs, &narrow);
        return json_is_integer(ours) && json_integer_value(ours) == narrow;
    case AVRO_INT64:
        (void)avro_value_get_long(theirs, &wide);
        return json_is_integer(ours) && json_integer_value(ours) == wide;
    case AVRO_FLOAT:
        (void)avro_value_get_float(theirs, &single);
        return same_number((double)single, ours);
    case AVRO_DOUBLE:
        (void)avro_value_get_double(theirs, &number);
        return same_number(number, ours);
    case AVRO_UNION:
        (void)avro_value_get_current_branch(theirs, &branch);
        return same(&branch, ours);
    default:
        return false;
    }
}

static bool same(avro_value_t *theirs, const json_t *ours)
{
    const avro_type_t type = avro_value_get_type(theirs);
    if (type == AVRO_RECORD)
        return same_record(theirs, ours);
    if (type == AVRO_ARRAY || type == AVRO_MAP)
        return same_items(theirs, ours, type == AVRO_MAP);
    if (type == AVRO_STRING)
        return same_text(theirs, ours);
    if (type == AVRO_ENUM)
        return same_symbol(theirs, ours);
    return same_scalar(theirs, ours);
}

/* ---- our value into avro-c's: false where this branch of a union does not take it ---- */

static bool fill(avro_value_t *theirs, const json_t *ours);

static bool fill_record(avro_value_t *theirs, const json_t *ours)
{
    size_t count = 0;
    (void)avro_value_get_size(theirs, &count);
    bool filled = json_is_object(ours);
    for (size_t i = 0; filled && i < count; i++) {
        avro_value_t field;
        const char *name = NULL;
        (void)avro_value_get_by_index(theirs, i, &field, &name);
        const json_t *value = json_object_get(ours, name);
        filled = value != NULL && fill(&field, value);
    }
    return filled;
}

static bool fill_items(avro_value_t *theirs, const json_t *ours, bool is_map)
{
    if (is_map ? !json_is_object(ours) : !json_is_array(ours))
        return false;
    avro_value_t item;
    bool filled = true;
    size_t index = 0;
    const json_t *value = NULL;
    const char *key = NULL;
    for (; !is_map && filled && index < json_array_size(ours); index++)
        filled =
            avro_value_append(theirs, &item, NULL) == 0 && fill(&item, json_array_get(ours, index));
    json_t *object = (json_t *)(uintptr_t)ours; /* jansson's walk takes no const */
    json_object_foreach(object, key, value) filled =
        filled && avro_value_add(theirs, key, &item, NULL, NULL) == 0 && fill(&item, value);
    return filled;
}

/* Of the branches that take the value whole, the last whose kind is exact, so that the choice is
 * not the one of datum_encode. */
static bool fill_union(avro_value_t *theirs, const json_t *ours)
{
    const int count = (int)avro_schema_union_size(avro_value_get_schema(theirs));
    for (int i = count - 1; i >= 0; i--) {
        avro_value_t branch;
        if (avro_value_set_branch(theirs, i, &branch) == 0 && fill(&branch, ours))
            return true;
    }
    return false;
}

static bool fill_number(avro_value_t *theirs, const json_t *ours, avro_type_t type)
{
    const double number = json_real_value(ours);
    if (type == AVRO_DOUBLE)
        return json_is_real(ours) && avro_value_set_double(theirs, number) == 0;
    return json_is_real(ours) && (double)(float)number - number == 0.0 &&
           avro_value_set_float(theirs, (float)number) == 0;
}

static bool fill_integer(avro_value_t *theirs, const json_t *ours, avro_type_t type)
{
    const json_int_t integer = json_integer_value(ours);
    if (type == AVRO_INT64)
        return json_is_integer(ours) && avro_value_set_long(theirs, integer) == 0;
    return json_is_integer(ours) && integer >= INT32_MIN && integer <= INT32_MAX &&
           avro_value_set_int(theirs, (int32_t)integer) == 0;
}

static bool fill_text(avro_value_t *theirs, const json_t *ours, avro_type_t type)
{
    if (!json_is_string(ours))
        return false;
    const char *text = json_string_value(ours);
    if (type == AVRO_STRING)
        return avro_value_set_string(theirs, text) == 0;
    const int index = avro_schema_enum_get_by_name(avro_value_get_schema(theirs), text);
    return index >= 0 && avro_value_set_enum(theirs, index) == 0;
}

static bool fill(avro_value_t *theirs, const json_t *ours)
{
    const avro_type_t type = avro_value_get_type(theirs);
    if (type == AVRO_RECORD)
        return fill_record(theirs, ours);
    if (type == AVRO_ARRAY || type == AVRO_MAP)
        return fill_items(theirs, ours, type == AVRO_MAP);
    if (type == AVRO_UNION)
        return fill_union(theirs, ours);
    if (type == AVRO_FLOAT || type == AVRO_DOUBLE)
        return fill_number(theirs, ours, type);
    if (type == AVRO_INT32 || type == AVRO_INT64)
        return fill_integer(theirs, ours, type);
    if (type == AVRO_STRING || type == AVRO_ENUM)
        return fill_text(theirs, ours, type);
    if (type == AVRO_BOOLEAN)
        return json_is_boolean(ours) && avro_value_set_boolean(theirs, json_is_true(ours)) == 0;
    return json_is_null(ours) && avro_value_set_null(theirs) == 0;
}

/* ---- its life ---- */

struct oracle *oracle_open(const char *schema, size_t schema_size)
{
    struct oracle *oracle = calloc(1, sizeof *oracle);
    if (oracle == NULL)
        return NULL;
    if (avro_schema_from_json_length(schema, schema_size, &oracle->schema) != 0) {
        free(oracle);
        return NULL;
    }
    oracle->class = avro_generic_class_from_schema(oracle->schema);
    (void)avro_generic_value_new(oracle->class, &oracle->value);
    return oracle;
}

bool oracle_read(struct oracle *oracle, const void *bytes, size_t size)
{
    avro_reader_t reader = avro_reader_memory(bytes, (int64_t)size);
    (void)avro_value_reset(&oracle->value);
    const bool read = avro_value_read(reader, &oracle->value) == 0;
    avro_reader_free(reader);
    return read;
}

bool oracle_fill(struct oracle *oracle, const json_t *value)
{
    (void)avro_value_reset(&oracle->value);
    return fill(&oracle->value, value);
}

bool oracle_holds(struct oracle *oracle, const json_t *value)
{
    return same(&oracle->value, value);
}

const void *oracle_write(struct oracle *oracle, size_t *out_size)
{
    avro_writer_t writer = avro_writer_memory(oracle->bytes, BYTES_MAX);
    const bool written = avro_value_write(writer, &oracle->value) == 0;
    *out_size = (size_t)avro_writer_tell(writer);
    avro_writer_free(writer);
    return written ? oracle->bytes : NULL;
}

void oracle_close(struct oracle *oracle)
{
    avro_value_decref(&oracle->value);
    avro_value_iface_decref(oracle->class);
    avro_schema_decref(oracle->schema);
    free(oracle);
}
