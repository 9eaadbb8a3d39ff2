#include "dead_letter.h"

enum { ADDED_MAX = 10, KEY_AND_HEADERS_MAX = 64 * 1024, NUMBER_SIZE = 24 };

static size_t key_and_headers_size(const struct record *record);
static size_t headers_kept(const struct record *record, struct header *out_headers);
static size_t headers_added(struct arena *arena, const struct record *record,
                            const struct rejection *rejection, struct header *out_headers);

size_t dead_letter_record_size(const struct record *record)
{
    return key_and_headers_size(record) + record->value.size;
}

bool dead_letter_is_own_header(const char *name)
{
    return strncmp(name, "__connect.errors.", strlen("__connect.errors.")) == 0 ||
           strncmp(name, "plumb.", strlen("plumb.")) == 0;
}

void dead_letter_publish(struct outputs *outputs, struct arena *arena, const struct record *record,
                         const struct rejection *rejection)
{
    REQUIRE(outputs != NULL);
    REQUIRE(rejection != NULL);
    const bool has_value = dead_letter_record_size(record) <= DEAD_LETTER_RECORD_MAX;
    const bool has_rest = has_value || key_and_headers_size(record) <= KEY_AND_HEADERS_MAX;
    struct header *headers =
        arena_take(arena, (record->header_count + ADDED_MAX) * sizeof *headers);
    size_t count = has_rest ? headers_kept(record, headers) : 0;
    count += headers_added(arena, record, rejection, headers + count);
    outputs_publish(outputs, &(struct output){.topic = TOPIC_INFERENCE_DEAD_LETTER,
                                              .key = has_rest ? record->key : span_of(NULL, 0),
                                              .value = has_value ? record->value : span_of(NULL, 0),
                                              .headers = headers,
                                              .header_count = count});
}

static bool is_requeued_header(const struct header *header)
{
    return header->value.size <= DEAD_LETTER_REQUEUED_MAX &&
           strcmp(header->name, DEAD_LETTER_REQUEUED) == 0;
}

static size_t key_and_headers_size(const struct record *record)
{
    size_t size = record->key.size;
    for (size_t i = 0; i < record->header_count; i++)
        if (!is_requeued_header(&record->headers[i])) /* as large as it was when it first came */
            size += strlen(record->headers[i].name) + record->headers[i].value.size;
    return size;
}

static size_t headers_kept(const struct record *record, struct header *out_headers)
{
    size_t count = 0;
    for (size_t i = 0; i < record->header_count; i++)
        if (!dead_letter_is_own_header(record->headers[i].name))
            out_headers[count++] = record->headers[i];
    return count;
}

static struct span text_kept(struct arena *arena, const char *text)
{
    return arena_span(arena, span_text(text));
}

static struct span number_kept(struct arena *arena, int64_t number)
{
    char text[NUMBER_SIZE];
    (void)snprintf(text, sizeof text, "%lld", (long long)number);
    return text_kept(arena, text);
}

/* Did reading it fail, or what the contract says of it? In Connect's words. */
static const char *stage(enum rejection_code code)
{
    return code < REJECTION_unknown_model ? "VALUE_CONVERTER" : "TRANSFORMATION";
}

static size_t headers_added(struct arena *arena, const struct record *record,
                            const struct rejection *rejection, struct header *out_headers)
{
    const char *sentence = rejection_sentence(rejection->code);
    const char *column = rejection->column, *detail = rejection->detail.text;
    char message[1024];
    (void)snprintf(message, sizeof message, "%s%s%s%s%s", sentence, column[0] == '\0' ? "" : ": ",
                   column, detail[0] == '\0' ? "" : ": ", detail);
    size_t count = 0;
    out_headers[count++] =
        (struct header){"__connect.errors.topic", span_text(topic_row(record->topic)->name)};
    out_headers[count++] =
        (struct header){"__connect.errors.partition", number_kept(arena, record->partition)};
    out_headers[count++] =
        (struct header){"__connect.errors.offset", number_kept(arena, record->offset)};
    out_headers[count++] =
        (struct header){"__connect.errors.stage", span_text(stage(rejection->code))};
    out_headers[count++] =
        (struct header){"__connect.errors.class.name", span_text("plumbline.validator")};
    out_headers[count++] =
        (struct header){"__connect.errors.exception.message", text_kept(arena, message)};
    out_headers[count++] =
        (struct header){"plumb.reason", span_text(rejection_name(rejection->code))};
    if (column[0] != '\0')
        out_headers[count++] = (struct header){"plumb.column", span_text(column)};
    if (detail[0] != '\0')
        out_headers[count++] = (struct header){"plumb.detail", span_text(detail)};
    /* Also where its headers are too large to be kept: else a loop of requeuing could not be seen.
     */
    const struct header *requeued = record_header(record, DEAD_LETTER_REQUEUED);
    if (requeued != NULL && is_requeued_header(requeued))
        out_headers[count++] = *requeued;
    ENSURE(count <= ADDED_MAX);
    return count;
}
