#include "avro/fit.h"

enum { FIT_DEPTH_MAX = 100 };

/* How well a branch takes a value: the first with the best grade wins. */
enum grade { GRADE_NONE, GRADE_LOSSY, GRADE_EXACT };

static enum grade grade_real(enum schema_kind kind, double value)
{
    if (kind == SCHEMA_DOUBLE)
        return GRADE_EXACT;
    if (kind != SCHEMA_FLOAT)
        return GRADE_NONE;
    return (double)(float)value - value == 0.0 ? GRADE_EXACT : GRADE_LOSSY;
}

static enum grade grade_integer(enum schema_kind kind, json_int_t value)
{
    if (kind == SCHEMA_LONG)
        return GRADE_EXACT;
    if (kind == SCHEMA_INT)
        return value >= INT32_MIN && value <= INT32_MAX ? GRADE_EXACT : GRADE_NONE;
    return kind == SCHEMA_FLOAT || kind == SCHEMA_DOUBLE ? GRADE_LOSSY : GRADE_NONE;
}

bool fit_symbol(const struct schema_node *node, const json_t *value, size_t *out_index)
{
    REQUIRE(node->kind == SCHEMA_ENUM);
    const struct span text = span_of(json_string_value(value), json_string_length(value));
    for (size_t i = 0; json_is_string(value) && i < node->symbol_count; i++) {
        if (span_is(text, node->symbols[i])) {
            *out_index = i;
            return true;
        }
    }
    return false;
}

static enum grade grade_text(const struct schema_node *node, const json_t *value)
{
    if (node->kind == SCHEMA_STRING)
        return GRADE_EXACT;
    if (node->kind == SCHEMA_BYTES || node->kind == SCHEMA_FIXED)
        return GRADE_LOSSY; /* only where the text has no type of its own */
    if (node->kind != SCHEMA_ENUM)
        return GRADE_NONE;
    size_t index = 0;
    return fit_symbol(node, value, &index) ? GRADE_EXACT : GRADE_NONE;
}

static enum grade grade_object(const struct schema_node *node, const json_t *value)
{
    if (node->kind == SCHEMA_MAP)
        return GRADE_EXACT;
    if (node->kind != SCHEMA_RECORD)
        return GRADE_NONE;
    for (size_t i = 0; i < node->field_count; i++)
        if (node->fields[i].fallback == NULL &&
            json_object_get(value, node->fields[i].name) == NULL)
            return GRADE_NONE;
    return GRADE_EXACT;
}

static enum grade grade_of(const struct schema_node *node, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_NULL:
        return node->kind == SCHEMA_NULL ? GRADE_EXACT : GRADE_NONE;
    case JSON_TRUE:
    case JSON_FALSE:
        return node->kind == SCHEMA_BOOLEAN ? GRADE_EXACT : GRADE_NONE;
    case JSON_INTEGER:
        return grade_integer(node->kind, json_integer_value(value));
    case JSON_REAL:
        return grade_real(node->kind, json_real_value(value));
    case JSON_STRING:
        return grade_text(node, value);
    case JSON_ARRAY:
        return node->kind == SCHEMA_ARRAY ? GRADE_EXACT : GRADE_NONE;
    case JSON_OBJECT:
        return grade_object(node, value);
    default:
        UNREACHABLE("jansson has no other type");
    }
}

bool fit_branch(const struct schema_node *choice, const json_t *value, size_t *out_index)
{
    REQUIRE(choice->kind == SCHEMA_UNION);
    enum grade best = GRADE_NONE;
    for (size_t i = 0; i < choice->field_count && best != GRADE_EXACT; i++) {
        const enum grade grade = grade_of(choice->fields[i].type, value);
        if (grade > best) {
            best = grade;
            *out_index = i;
        }
    }
    return best != GRADE_NONE;
}

/* Counts the code points of UTF-8 that jansson has checked; false where one is over 255. */
static bool count_latin(const char *text, size_t size, size_t *out_count)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++) {
        const uint8_t byte = (uint8_t)text[i];
        if (byte > 0xC3) /* C2 and C3 lead U+0080 to U+00FF, all others lead more */
            return false;
        if ((byte & 0xC0) != 0x80)
            count++;
    }
    *out_count = count;
    return true;
}

static bool fits(const struct schema_node *node, const json_t *value, unsigned depth);

static bool bytes_fit(const struct schema_node *node, const json_t *value)
{
    size_t count = 0;
    return json_is_string(value) &&
           count_latin(json_string_value(value), json_string_length(value), &count) &&
           (node->kind == SCHEMA_BYTES || count == node->fixed_size);
}

/* A default may be of any branch (Avro 1.12), not of the first alone as in older versions. */
static bool choice_fits(const struct schema_node *choice, const json_t *value, unsigned depth)
{
    size_t index = 0;
    return fit_branch(choice, value, &index) && fits(choice->fields[index].type, value, depth);
}

static bool record_fits(const struct schema_node *node, const json_t *value, unsigned depth)
{
    if (!json_is_object(value))
        return false;
    for (size_t i = 0; i < node->field_count; i++) {
        const struct schema_field *field = &node->fields[i];
        const json_t *given = json_object_get(value, field->name);
        /* A missing field takes its own default, which is checked where it stands. */
        if (given == NULL ? field->fallback == NULL : !fits(field->type, given, depth))
            return false;
    }
    return true;
}

static bool array_fits(const struct schema_node *node, const json_t *value, unsigned depth)
{
    if (!json_is_array(value))
        return false;
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!fits(node->fields[0].type, json_array_get(value, i), depth))
            return false;
    return true;
}

static bool map_fits(const struct schema_node *node, const json_t *value, unsigned depth)
{
    if (!json_is_object(value))
        return false;
    void *walk =
        json_object_iter((json_t *)(uintptr_t)value); /* read only; jansson takes no const */
    for (; walk != NULL; walk = json_object_iter_next((json_t *)(uintptr_t)value, walk))
        if (!fits(node->fields[0].type, json_object_iter_value(walk), depth))
            return false;
    return true;
}

static bool fits(const struct schema_node *node, const json_t *value, unsigned depth)
{
    if (depth > FIT_DEPTH_MAX)
        return false;
    switch (node->kind) {
    case SCHEMA_BYTES:
    case SCHEMA_FIXED:
        return bytes_fit(node, value);
    case SCHEMA_RECORD:
        return record_fits(node, value, depth + 1);
    case SCHEMA_ARRAY:
        return array_fits(node, value, depth + 1);
    case SCHEMA_MAP:
        return map_fits(node, value, depth + 1);
    case SCHEMA_UNION:
        return choice_fits(node, value, depth + 1);
    case SCHEMA_NULL:
    case SCHEMA_BOOLEAN:
    case SCHEMA_INT:
    case SCHEMA_LONG:
    case SCHEMA_FLOAT:
    case SCHEMA_DOUBLE:
    case SCHEMA_STRING:
    case SCHEMA_ENUM:
        break;
    }
    return grade_of(node, value) != GRADE_NONE;
}

bool fit_whole(const struct schema_node *node, const json_t *value)
{
    REQUIRE(node != NULL);
    return value != NULL && fits(node, value, 0);
}
