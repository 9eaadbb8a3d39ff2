#include "csv_event.h"

#include <math.h>

enum place { PLACE_TEXT, PLACE_WHOLE, PLACE_NUMBER, PLACE_VALUE };

/* The event's own fields that a cell can hold. */
static const struct {
    const char *name;
    enum place place;
} fields[] = {
    {"event_id", PLACE_TEXT},      {"request_id", PLACE_TEXT},  {"event_time", PLACE_WHOLE},
    {"arrival_time", PLACE_WHOLE}, {"model_name", PLACE_TEXT},  {"model_version", PLACE_TEXT},
    {"role", PLACE_TEXT},          {"status", PLACE_TEXT},      {"error_code", PLACE_TEXT},
    {"entity_id", PLACE_TEXT},     {"prediction", PLACE_VALUE}, {"confidence", PLACE_NUMBER},
    {"latency_ms", PLACE_NUMBER},
};

static json_t *text_of(struct span text)
{
    json_t *value = json_stringn((const char *)text.bytes, text.size);
    return value == NULL ? json_null() : value; /* not UTF-8 */
}

static json_t *whole_of(struct span text)
{
    char digits[24];
    if (text.size == 0 || text.size >= sizeof digits)
        return text_of(text);
    memcpy(digits, text.bytes, text.size);
    digits[text.size] = '\0';
    char *end;
    const long long whole = strtoll(digits, &end, 10);
    return *end == '\0' && text.size < 19 ? json_integer(whole) : text_of(text);
}

static json_t *value_of(struct span text)
{
    double number;
    if (!rows_parse_number(text, &number) || !isfinite(number))
        return text_of(text);
    bool whole = true;
    for (size_t i = 0; i < text.size; i++)
        whole = whole && strchr("0123456789-", (char)text.bytes[i]) != NULL;
    return whole && text.size < 19 ? whole_of(text) : json_real(number);
}

static json_t *cell_of(struct span text, enum place place)
{
    switch (place) {
    case PLACE_TEXT:
        return text_of(text);
    case PLACE_WHOLE:
        return whole_of(text);
    case PLACE_NUMBER:
    case PLACE_VALUE:
        break;
    }
    return value_of(text);
}

/* The value as JSON at its place; new reference. */
static void put(json_t *event, json_t *features, json_t *scores, const char *name,
                struct value value)
{
    static const char score[] = "score_";
    const bool is_empty = value.kind != VALUE_TEXT;
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        if (strcmp(fields[i].name, name) != 0)
            continue;
        if (!is_empty)
            (void)json_object_set_new_nocheck(event, name, cell_of(value.text, fields[i].place));
        return;
    }
    if (strncmp(name, score, sizeof score - 1) == 0 && name[sizeof score - 1] != '\0') {
        if (!is_empty)
            (void)json_object_set_new(scores, name + sizeof score - 1, value_of(value.text));
        return;
    }
    (void)json_object_set_new(features, name, is_empty ? json_null() : value_of(value.text));
}

static int append(const char *bytes, size_t size, void *context)
{
    buffer_append(context, bytes, size);
    return 0;
}

void csv_event_write(const struct rows *rows, struct buffer *out)
{
    REQUIRE(rows_format(rows) == ROWS_CSV);
    json_t *event = json_object(), *features = json_object(), *scores = json_object();
    for (size_t i = 0; i < rows_column_count(rows); i++)
        put(event, features, scores, rows_column(rows, i), rows_field(rows, i));
    (void)json_object_set_new(event, "features", features);
    if (json_object_size(scores) > 0)
        (void)json_object_set(event, "scores", scores);
    json_decref(scores);
    const int wrong = json_dump_callback(event, append, out, JSON_COMPACT);
    ENSURE(wrong == 0);
    json_decref(event);
}
