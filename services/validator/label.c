#include "label.h"
#include "source_time.h"

static bool present(const json_t *value, const char *name, const json_t **out_field,
                    struct rejection *rejection)
{
    *out_field = json_object_get(value, name);
    if (*out_field == NULL)
        return rejection_set(rejection, REJECTION_missing_field, span_text(name), "is missing");
    if (json_is_null(*out_field)) /* also NaN, which is no truth */
        return rejection_set(rejection, REJECTION_missing_field, span_text(name), "is null");
    return true;
}

static struct span text_of(const json_t *text)
{
    return span_of(json_string_value(text), json_string_length(text));
}

static bool model_read(const json_t *value, struct span *out_model, struct rejection *rejection)
{
    const json_t *model = json_object_get(value, "model_name");
    if (model != NULL && !json_is_null(model) && !json_is_string(model))
        return rejection_set(rejection, REJECTION_invalid_field, span_text("model_name"),
                             "must be a text");
    *out_model = json_is_string(model) ? text_of(model) : span_of(NULL, 0);
    return true;
}

static struct value value_of(const json_t *label)
{
    if (json_is_string(label))
        return (struct value){.kind = VALUE_TEXT, .text = text_of(label)};
    if (json_is_boolean(label))
        return (struct value){.kind = VALUE_BOOLEAN, .boolean = json_is_true(label)};
    return (struct value){.kind = json_is_integer(label) ? VALUE_LONG : VALUE_DOUBLE,
                          .integer = json_integer_value(label),
                          .number = json_number_value(label)};
}

bool label_check(const json_t *value, struct label *out_label, struct rejection *rejection)
{
    const json_t *event_id, *label, *label_time;
    if (!present(value, "event_id", &event_id, rejection) ||
        !present(value, "label", &label, rejection) ||
        !present(value, "label_time", &label_time, rejection))
        return false;
    if (!json_is_string(event_id))
        return rejection_set(rejection, REJECTION_invalid_field, span_text("event_id"),
                             "must be a text");
    const struct span id = text_of(event_id);
    if (id.size == 0)
        return rejection_set(rejection, REJECTION_missing_field, span_text("event_id"), "is empty");
    if (memchr(id.bytes, 0, id.size) != NULL)
        return rejection_set(rejection, REJECTION_invalid_field, span_text("event_id"),
                             "has a zero character");
    if (json_is_array(label) || json_is_object(label))
        return rejection_set(rejection, REJECTION_invalid_field, span_text("label"),
                             "must be a number, text or boolean");
    if (!json_is_integer(label_time))
        return rejection_set(rejection, REJECTION_invalid_field, span_text("label_time"),
                             "must be an integer, milliseconds since the epoch");
    if (!source_time_is_valid(json_integer_value(label_time)))
        return rejection_set(rejection, REJECTION_invalid_field, span_text("label_time"),
                             "must lie between the years 1 and 9999");
    struct span model;
    if (!model_read(value, &model, rejection))
        return false;
    *out_label = (struct label){.event_id = id,
                                .model_name = model,
                                .label_time_ms = json_integer_value(label_time),
                                .value = value_of(label)};
    return true;
}
