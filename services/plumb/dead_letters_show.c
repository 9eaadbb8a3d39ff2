/* plumb dead-letters show: all there is of a letter, its value included. Values may be about
 * persons: no other verb prints one. */
#include "arguments.h"
#include "avro/utf8.h"
#include "clock/wall.h"
#include "dead_letters.h"
#include "letter_post.h"
#include "letter_value.h"
#include "listing.h"
#include "log/escape.h"
#include "memory/heap.h"
#include "plumb.h"
#include "services/validator/dead_letter.h"

enum { ROW_BYTES = 16, NAME_WIDTH = 12, PAGE_WIDTH = 80 };

static const struct option_row rows[] = {
    {.name = "bytes",
     .kind = OPTION_NUMBER,
     .fallback = "512",
     .help = "of a value that does not read: at most so many bytes"},
    {.name = NULL},
};

struct show_run {
    const struct option_set *options;
    size_t bytes_max;
    bool is_table;
    uint64_t shown;
    int code; /* of what went wrong at a letter */
    struct letter_post post;
    struct listing *listing;
};

static const char *framing_name(enum letter_framing framing)
{
    return framing == LETTER_FRAMING_JSON            ? "json"
           : framing == LETTER_FRAMING_SINGLE_OBJECT ? "single-object"
                                                     : NULL;
}

static json_t *text_or_hex(struct span bytes)
{
    if (bytes.bytes == NULL)
        return json_null();
    if (utf8_is_valid(bytes))
        return json_stringn((const char *)bytes.bytes, bytes.size);
    struct buffer hex = {0};
    buffer_append(&hex, "0x", 2);
    for (size_t i = 0; i < bytes.size; i++)
        buffer_format(&hex, "%02x", bytes.bytes[i]);
    json_t *text = json_stringn((const char *)hex.bytes, hex.size);
    buffer_fini(&hex);
    return text;
}

static json_t *headers_of(const struct record *record)
{
    json_t *headers = json_array();
    for (size_t i = 0; i < record->header_count; i++)
        (void)json_array_append_new(headers,
                                    json_pack("{s:o, s:o}", "name",
                                              text_or_hex(span_text(record->headers[i].name)),
                                              "value", text_or_hex(record->headers[i].value)));
    return headers;
}

/* Adds to the letter's object: the value and what it is. kept: the record that has it. */
static void add_value(const struct show_run *run, const struct record *kept, const char *from,
                      json_t *object)
{
    struct letter_value value;
    letter_value_read(run->post.catalog, kept->value, &value);
    const char *framing = framing_name(value.framing);
    char fingerprint[20] = "";
    if (value.framing == LETTER_FRAMING_SINGLE_OBJECT)
        (void)snprintf(fingerprint, sizeof fingerprint, "%016llx",
                       (unsigned long long)value.fingerprint);
    (void)json_object_set_new(object, "framing",
                              framing == NULL ? json_null() : json_string(framing));
    (void)json_object_set_new(object, "schema",
                              fingerprint[0] == '\0' ? json_null() : json_string(fingerprint));
    (void)json_object_set_new(object, "value_from", json_string(from));
    (void)json_object_set(object, "value", value.json == NULL ? json_null() : value.json);
    (void)json_object_set_new(object, "trouble",
                              value.json != NULL ? json_null() : json_string(value.trouble.text));
    struct span bytes = kept->value;
    if (value.json != NULL || bytes.bytes == NULL)
        bytes = span_of(NULL, 0);
    const size_t size = bytes.size < run->bytes_max ? bytes.size : run->bytes_max;
    json_t *hex = json_null();
    if (bytes.bytes != NULL) {
        struct buffer text = {0};
        for (size_t i = 0; i < size; i++)
            buffer_format(&text, "%02x", bytes.bytes[i]);
        hex = json_stringn((const char *)text.bytes, text.size);
        buffer_fini(&text);
    }
    (void)json_object_set_new(object, "hex", hex);
    letter_value_fini(&value);
}

/* ---- As a page to read */

static void put_name(const char *name)
{
    printf("%-*s", NAME_WIDTH, name);
}

/* How many bytes go into a line: whole characters of UTF-8, at best whole words. */
static size_t line_size(struct span text)
{
    size_t width = 0, words = 0;
    for (size_t i = 0; i < text.size; i++) {
        const bool begins = (text.bytes[i] & 0xc0) != 0x80;
        if (begins && width == PAGE_WIDTH - NAME_WIDTH)
            return words > 0 ? words : i;
        width += begins;
        if (text.bytes[i] == ' ')
            words = i + 1;
    }
    return text.size;
}

static void put_wrapped(struct span text)
{
    size_t size = line_size(text);
    printf("%.*s\n", (int)size, (const char *)text.bytes);
    while (size < text.size) {
        text = span_of(text.bytes + size, text.size - size);
        size = line_size(text);
        printf("%*s%.*s\n", NAME_WIDTH, "", (int)size, (const char *)text.bytes);
    }
}

/* A value of any kind; texts without what could command a terminal. */
static void put(const char *name, const json_t *value)
{
    struct buffer text = {0};
    if (json_is_string(value))
        escape_json(&text, span_of(json_string_value(value), json_string_length(value)));
    else if (json_is_integer(value))
        buffer_format(&text, "%lld", (long long)json_integer_value(value));
    else
        buffer_append(&text, "-", 1);
    put_name(name);
    put_wrapped(buffer_span(&text));
    buffer_fini(&text);
}

static void put_time(const json_t *object)
{
    char time[32];
    put_name("refused");
    printf("%s\n", wall_text(json_integer_value(json_object_get(object, "time")), time));
}

static void put_source(const json_t *object)
{
    put_name("source");
    const char *topic = json_string_value(json_object_get(object, "topic"));
    if (topic == NULL)
        printf("-\n");
    else
        printf("%s %lld:%lld\n", topic,
               (long long)json_integer_value(json_object_get(object, "partition")),
               (long long)json_integer_value(json_object_get(object, "offset")));
}

/* The app's; what ours say stands in lines of its own. */
static void put_headers(const json_t *headers)
{
    size_t index;
    const json_t *header;
    const char *name = "headers";
    json_array_foreach(headers, index, header)
    {
        const json_t *key = json_object_get(header, "name"),
                     *value = json_object_get(header, "value");
        if (dead_letter_is_own_header(json_string_value(key)))
            continue;
        struct buffer text = {0};
        escape_json(&text, span_of(json_string_value(key), json_string_length(key)));
        buffer_append(&text, ": ", 2);
        escape_json(&text, span_of(json_string_value(value), json_string_length(value)));
        put_name(name);
        put_wrapped(buffer_span(&text));
        buffer_fini(&text);
        name = "";
    }
}

static uint8_t byte_at(const char *hex, size_t index)
{
    const char digits[3] = {hex[index * 2], hex[index * 2 + 1], '\0'};
    return (uint8_t)strtoul(digits, NULL, 16);
}

/* "00000010  7b 22 65 …  |{"e…|": 75 columns. */
static void put_hex(const char *hex)
{
    const size_t size = strlen(hex) / 2;
    for (size_t at = 0; at < size; at += ROW_BYTES) {
        const size_t end = at + ROW_BYTES < size ? at + ROW_BYTES : size;
        printf("  %06zx ", at);
        for (size_t i = at; i < at + ROW_BYTES; i++)
            if (i < end)
                printf(" %02x", byte_at(hex, i));
            else
                printf("   ");
        printf("  |");
        for (size_t i = at; i < end; i++) {
            const uint8_t byte = byte_at(hex, i);
            (void)putchar(byte >= 0x20 && byte < 0x7f ? byte : '.');
        }
        printf("|\n");
    }
}

static int append(const char *bytes, size_t size, void *context)
{
    buffer_append(context, bytes, size);
    return 0;
}

/* JSON on several lines. Control characters over U+007F, which jansson leaves as they are, go as
 * \u. */
static void put_json(const json_t *value)
{
    struct buffer buffer = {0};
    const int wrong = json_dump_callback(value, append, &buffer, JSON_INDENT(2) | JSON_ENCODE_ANY);
    ENSURE(wrong == 0);
    char *text = span_copied(buffer_span(&buffer));
    buffer_fini(&buffer);
    for (const char *next = text; *next != '\0'; next++) {
        const uint8_t byte = (uint8_t)*next, after = (uint8_t)next[1];
        if (byte == 0x7f) {
            printf("\\u007f");
        } else if (byte == 0xc2 && after >= 0x80 && after < 0xa0) {
            printf("\\u%04x", after);
            next++;
        } else {
            (void)putchar(byte);
        }
    }
    (void)putchar('\n');
    heap_release(text);
}

static void put_letter(const struct show_run *run, const json_t *object)
{
    static const char *const first[] = {"letter", "reason", "column", "detail", "stated"};
    if (run->shown > 0)
        (void)putchar('\n');
    for (size_t i = 0; i < COUNT_OF(first); i++)
        put(first[i], json_object_get(object, first[i]));
    put_time(object);
    put("state", json_object_get(object, "state"));
    if (json_integer_value(json_object_get(object, "times")) > 0) {
        put("earlier", json_object_get(object, "earlier"));
        put("sent back", json_object_get(object, "times"));
    }
    put_source(object);
    put("key", json_object_get(object, "key"));
    put_headers(json_object_get(object, "headers"));
    put("framing", json_object_get(object, "framing"));
    put("schema", json_object_get(object, "schema"));
    put("bytes", json_object_get(object, "size"));
    put("value from", json_object_get(object, "value_from"));
    const json_t *value = json_object_get(object, "value");
    if (!json_is_null(value)) {
        put_json(value);
        return;
    }
    put("not read", json_object_get(object, "trouble"));
    if (json_is_string(json_object_get(object, "hex")))
        put_hex(json_string_value(json_object_get(object, "hex")));
}

/* ---- The run */

struct sight {
    const struct show_run *run;
    json_t *object;
};

static void on_source(void *context, const struct record *source)
{
    const struct sight *sight = context;
    (void)json_object_set_new(
        sight->object, "size",
        source->value.bytes == NULL ? json_null() : json_integer((json_int_t)source->value.size));
    add_value(sight->run, source, "source", sight->object);
}

static bool on_letter(void *context, const struct letter *letter, const struct record *record)
{
    struct show_run *run = context;
    json_t *object = letter_object(record);
    (void)json_object_set_new(
        object, "state",
        json_string(requeued_has(run->post.requeued, letter) ? "requeued" : "open"));
    (void)json_object_set_new(object, "stated", text_or_hex(letter->stated));
    (void)json_object_set_new(object, "key", text_or_hex(record->key));
    (void)json_object_set_new(object, "headers", headers_of(record));
    struct sight sight = {.run = run, .object = object};
    bool is_there = false;
    if (letter->is_elsewhere)
        run->code = letter_post_source(&run->post, letter, record, on_source, &sight, &is_there);
    if (!is_there) {
        add_value(run, record, "letter", object);
        if (letter->is_elsewhere)
            (void)json_object_set_new(object, "value_from", json_string("nowhere: it is gone"));
    }
    if (run->is_table)
        put_letter(run, object);
    run->shown++;
    if (run->is_table)
        json_decref(object);
    else
        listing_add(run->listing, object);
    return run->code == PLUMB_DONE;
}

static int show(struct show_run *run, const struct letter_choice *choice)
{
    int code = letter_post_open("dead-letters", run->options, &run->post);
    if (code != PLUMB_DONE)
        return code;
    code = letter_post_read_requeued(&run->post);
    if (code == PLUMB_DONE)
        code = letter_post_read_schemas(&run->post);
    struct letter_tally tally = {0};
    if (code == PLUMB_DONE)
        code = letter_post_visit(&run->post, choice, on_letter, run, &tally);
    letter_post_close(&run->post);
    if (code == PLUMB_DONE)
        code = run->code;
    if (code == PLUMB_DONE && tally.visited < choice->place_count) {
        plumb_say("dead-letters", "%zu of %zu are not there: gone by retention, or never were",
                  choice->place_count - (size_t)tally.visited, choice->place_count);
        code = PLUMB_CHECK_SAYS_NO;
    }
    return code;
}

int dead_letters_show(int argc, char **argv)
{
    int code;
    struct option_set *options = arguments_read(
        &(struct arguments_spec){
            .command = "dead-letters show",
            .usage = "plumb dead-letters show PARTITION:OFFSET... [--bytes N]",
            .summary = "Shows all there is of a dead letter. This prints the value, which may hold "
                       "personal data; list and requeue never do.",
            .rows = rows,
            .parts = ARGUMENTS_KAFKA | ARGUMENTS_OUTPUT,
            .least = 1,
            .most = SIZE_MAX},
        argc, argv, &code);
    if (options == NULL)
        return code;
    struct show_run run = {.options = options,
                           .listing = listing_open(option_text(options, "output"))};
    run.is_table = strcmp(option_text(options, "output"), "table") == 0;
    listing_page(run.listing, 1);
    const int64_t bytes = option_number(options, "bytes");
    run.bytes_max = bytes < 0 ? 0 : (size_t)bytes;
    struct letter_choice choice;
    code = PLUMB_USAGE;
    if (letter_choice_places("dead-letters show", options, &choice)) {
        code = show(&run, &choice);
        letter_choice_fini(&choice);
    }
    const bool is_written = run.is_table ? fflush(stdout) == 0 && ferror(stdout) == 0
                                         : listing_print(run.listing, stdout);
    if (!is_written)
        code = PLUMB_OUR_FAULT;
    listing_destroy(run.listing);
    option_set_destroy(options);
    return code;
}
