#include "letter.h"
#include "presentation.h"
#include "services/validator/dead_letter.h"

enum { TIMES_MAX = 1000000, DIGITS_MAX = 18 };

/* Takes the digits off the front; false: there is none, or more than fit. */
static bool take_number(struct span *text, int64_t most, int64_t *out_number)
{
    size_t size = 0;
    int64_t number = 0;
    while (size < text->size && size < DIGITS_MAX && text->bytes[size] >= '0' &&
           text->bytes[size] <= '9')
        number = number * 10 + (text->bytes[size++] - '0');
    if (size == 0 || number > most)
        return false;
    *text = span_of(text->bytes + size, text->size - size);
    *out_number = number;
    return true;
}

static bool take_byte(struct span *text, char byte)
{
    if (text->size == 0 || text->bytes[0] != (uint8_t)byte)
        return false;
    *text = span_of(text->bytes + 1, text->size - 1);
    return true;
}

static bool take_place(struct span *text, struct letter_place *out_place)
{
    int64_t partition, offset;
    if (!take_number(text, INT32_MAX, &partition) || !take_byte(text, ':') ||
        !take_number(text, INT64_MAX, &offset))
        return false;
    *out_place = (struct letter_place){(int32_t)partition, offset};
    return true;
}

bool letter_place_parse(struct span text, struct letter_place *out_place)
{
    struct letter_place place;
    if (!take_place(&text, &place) || text.size > 0)
        return false;
    *out_place = place;
    return true;
}

int letter_place_order(const struct letter_place *left, const struct letter_place *right)
{
    if (left->partition != right->partition)
        return left->partition < right->partition ? -1 : 1;
    return left->offset == right->offset ? 0 : left->offset < right->offset ? -1 : 1;
}

static struct span header_of(const struct record *record, const char *name)
{
    const struct header *header = record_header(record, name);
    return header == NULL ? span_of(NULL, 0) : header->value;
}

static bool whole_number(struct span text, int64_t most, int64_t *out_number)
{
    return take_number(&text, most, out_number) && text.size == 0;
}

static void read_source(const struct record *record, struct letter *letter)
{
    static const enum topic sources[] = {TOPIC_INFERENCE_EVENTS, TOPIC_GROUND_TRUTH};
    const struct span name = header_of(record, "__connect.errors.topic");
    int64_t partition, offset;
    if (!whole_number(header_of(record, "__connect.errors.partition"), INT32_MAX, &partition) ||
        !whole_number(header_of(record, "__connect.errors.offset"), INT64_MAX, &offset))
        return;
    for (size_t i = 0; i < COUNT_OF(sources); i++)
        if (span_is(name, topic_row(sources[i])->name))
            letter->source = sources[i];
    if (letter->source != TOPIC_NONE)
        letter->source_place = (struct letter_place){(int32_t)partition, offset};
}

struct letter letter_of(const struct record *record)
{
    struct letter letter = {
        .place = {record->partition, record->offset},
        .time_ms = record->arrival_ms,
        .reason = header_of(record, "plumb.reason"),
        .column = header_of(record, "plumb.column"),
        .detail = header_of(record, "plumb.detail"),
        .stated = header_of(record, "__connect.errors.exception.message"),
        .source_place = {-1, -1},
        .earlier = {-1, -1},
    };
    read_source(record, &letter);
    letter.is_elsewhere = record->value.bytes == NULL && !span_is(letter.reason, "no_value");
    struct span requeued = header_of(record, DEAD_LETTER_REQUEUED);
    int64_t times;
    struct letter_place earlier;
    if (take_place(&requeued, &earlier) && take_byte(&requeued, ' ') &&
        whole_number(requeued, TIMES_MAX, &times)) {
        letter.earlier = earlier;
        letter.times = (int32_t)times;
    }
    return letter;
}

static json_t *place_text(const struct letter_place *place)
{
    return json_sprintf("%d:%lld", (int)place->partition, (long long)place->offset);
}

json_t *letter_object(const struct record *record)
{
    const struct letter letter = letter_of(record);
    const bool has_source = letter.source != TOPIC_NONE;
    json_t *object = presentation_of_dead_letter(record);
    json_t *more = json_pack(
        "{s:o, s:I, s:s?, s:o, s:o, s:o, s:o, s:i}", "letter", place_text(&letter.place), "time",
        (json_int_t)letter.time_ms, "topic", has_source ? topic_row(letter.source)->name : NULL,
        "partition", has_source ? json_integer(letter.source_place.partition) : json_null(),
        "offset", has_source ? json_integer(letter.source_place.offset) : json_null(), "size",
        record->value.bytes == NULL ? json_null() : json_integer((json_int_t)record->value.size),
        "earlier", letter.times == 0 ? json_null() : place_text(&letter.earlier), "times",
        (int)letter.times);
    ENSURE(more != NULL);
    (void)json_object_update(object, more);
    json_decref(more);
    return object;
}

size_t letter_headers_back(const struct letter *letter, const struct record *original, char *text,
                           struct header *out_headers)
{
    size_t count = 0;
    for (size_t i = 0; i < original->header_count; i++)
        if (!dead_letter_is_own_header(original->headers[i].name))
            out_headers[count++] = original->headers[i];
    const int times = letter->times < TIMES_MAX ? letter->times + 1 : TIMES_MAX;
    (void)snprintf(text, LETTER_REQUEUED_SIZE, "%d:%lld %d", (int)letter->place.partition,
                   (long long)letter->place.offset, times);
    out_headers[count++] = (struct header){DEAD_LETTER_REQUEUED, span_text(text)};
    return count;
}
