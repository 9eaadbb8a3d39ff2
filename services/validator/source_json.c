#include "source_json.h"
#include "avro/datum.h"
#include "source_time.h"

enum { DEPTH_MAX = 100 };

static bool depth_is_bounded(struct span text);
static bool parse_refuse(const json_error_t *error, struct rejection *rejection);
static bool field_check(const struct schema_field *field, const json_t *value,
                        struct rejection *rejection);
static bool features_check(const json_t *features, struct rejection *rejection);
static bool encode_refuse(const struct schema_node *root, const char *what,
                          struct rejection *rejection);

bool source_json_parse(struct span text, json_t **out_value, struct rejection *rejection)
{
    /* Before parsing: jansson's own limit is 2,048 and not ours to set. */
    if (!depth_is_bounded(text))
        return rejection_set(rejection, REJECTION_limit_exceeded, span_text(NULL),
                             "JSON nested deeper than %d", (int)DEPTH_MAX);
    json_error_t error;
    json_t *value = json_loadb((const char *)text.bytes, text.size, JSON_REJECT_DUPLICATES, &error);
    if (value == NULL)
        return parse_refuse(&error, rejection);
    if (!json_is_object(value)) {
        json_decref(value);
        return rejection_set(rejection, REJECTION_malformed, span_text(NULL),
                             "JSON, but not an object");
    }
    *out_value = value;
    return true;
}

bool source_json_encode(const struct schema *schema, json_t *value, struct buffer *out,
                        size_t *out_unknown, struct rejection *rejection)
{
    REQUIRE(schema != NULL);
    REQUIRE(json_is_object(value));
    const struct schema_node *root = schema_root(schema);
    size_t unknown = 0;
    const char *name;
    json_t *member;
    void *next;
    json_object_foreach_safe(value, next, name, member)
    {
        if (schema_field(root, name) != NULL)
            continue;
        unknown += strcmp(name, "arrival_time") != 0; /* has played its part when it gets here */
        (void)json_object_del(value, name);
    }
    for (size_t i = 0; i < root->field_count; i++)
        if (!field_check(&root->fields[i], json_object_get(value, root->fields[i].name), rejection))
            return false;
    struct reason reason = {""};
    if (datum_encode(schema, value, out, &reason) != FAULT_NONE)
        return encode_refuse(root, reason.text, rejection);
    *out_unknown = unknown;
    return true;
}

static bool depth_is_bounded(struct span text)
{
    size_t depth = 0;
    bool in_text = false;
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t byte = text.bytes[i];
        if (in_text) {
            if (byte == '\\')
                i++;
            else if (byte == '"')
                in_text = false;
        } else if (byte == '"') {
            in_text = true;
        } else if (byte == '{' || byte == '[') {
            if (++depth > DEPTH_MAX)
                return false;
        } else if ((byte == '}' || byte == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

/* jansson's own message quotes the text near the fault: that may be a feature's value. */
static bool parse_refuse(const json_error_t *error, struct rejection *rejection)
{
    const char *what = "not JSON";
    const int code = (int)json_error_code(error);
    if (code == json_error_invalid_utf8)
        what = "not UTF-8";
    else if (code == json_error_premature_end_of_input)
        what = "the JSON text ends too early";
    else if (code == json_error_end_of_input_expected)
        what = "something follows the JSON object";
    else if (code == json_error_null_character || code == json_error_null_byte_in_key)
        what = "a zero character in a text";
    else if (code == json_error_duplicate_key)
        what = "a name twice in one object";
    else if (code == json_error_numeric_overflow)
        what = "a number that fits neither 64 bits nor a double";
    return rejection_set(rejection, REJECTION_malformed, span_text(NULL), "%s (line %d, byte %d)",
                         what, error->line, error->position);
}

static bool is_nullable(const struct schema_node *type)
{
    for (size_t i = 0; type->kind == SCHEMA_UNION && i < type->field_count; i++)
        if (type->fields[i].type->kind == SCHEMA_NULL)
            return true;
    return false;
}

/* What the schema cannot say, and what is said more clearly here than by the encoder. */
static bool field_check(const struct schema_field *field, const json_t *value,
                        struct rejection *rejection)
{
    const struct span column = span_text(field->name);
    const struct schema_node *type = field->type;
    if (value == NULL)
        return field->fallback != NULL ||
               rejection_set(rejection, REJECTION_missing_field, column, "is missing");
    if (json_is_null(value) && !is_nullable(type))
        return rejection_set(rejection, REJECTION_missing_field, column, "is null");
    if (field->fallback == NULL && json_is_string(value) && json_string_length(value) == 0 &&
        type->kind == SCHEMA_STRING)
        return rejection_set(rejection, REJECTION_missing_field, column, "is empty");
    if (type->logical == LOGICAL_TIMESTAMP_MILLIS) {
        if (!json_is_integer(value))
            return rejection_set(rejection, REJECTION_invalid_field, column,
                                 "must be an integer, milliseconds since the epoch");
        if (!source_time_is_valid(json_integer_value(value)))
            return rejection_set(rejection, REJECTION_invalid_field, column,
                                 "must lie between the years 1 and 9999");
    }
    if (strcmp(field->name, "features") == 0)
        return features_check(value, rejection);
    return true;
}

/* A list or an object has no place among feature values, whether the contract names it or not: it
 * cannot be kept. */
static bool features_check(const json_t *features, struct rejection *rejection)
{
    if (!json_is_object(features))
        return rejection_set(rejection, REJECTION_invalid_field, span_text("features"),
                             "must be an object");
    json_t *object = (json_t *)(uintptr_t)features; /* only read; jansson's walk takes no const */
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        const json_t *value = json_object_iter_value(at);
        if (json_is_array(value) || json_is_object(value))
            return rejection_set(rejection, REJECTION_type_mismatch,
                                 span_text(json_object_iter_key(at)),
                                 "must be a number, text, boolean or null");
    }
    return true;
}

/* "plumbline.InferenceEvent.scores.up: a number is expected" → column scores, detail "scores.up:
 * …". */
static bool encode_refuse(const struct schema_node *root, const char *what,
                          struct rejection *rejection)
{
    const size_t prefix = strlen(root->full_name);
    if (strncmp(what, root->full_name, prefix) == 0 && what[prefix] == '.')
        what += prefix + 1;
    return rejection_set(rejection, REJECTION_invalid_field, span_of(what, strcspn(what, ".[:")),
                         "%s", what);
}
