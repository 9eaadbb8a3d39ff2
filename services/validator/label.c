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
    const struct span id = span_of(json_string_value(event_id), json_string_length(event_id));
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
    *out_label = (struct label){.event_id = id};
    return true;
}
