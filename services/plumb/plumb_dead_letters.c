/* plumb dead-letters: lists refused records; `plumb dead-letters reasons` lists why a record can be
 * refused or marked. */
#include "arguments.h"
#include "connection.h"
#include "listing.h"
#include "plumb.h"
#include "presentation.h"

static const struct option_row rows[] = {
    {.name = "reason", .kind = OPTION_TEXT, .help = "only with this reason"},
    {.name = "column", .kind = OPTION_TEXT, .help = "only of this column"},
    {.name = "since", .kind = OPTION_TEXT, .help = "only refused from this time on"},
    {.name = NULL},
};

static const struct {
    const char *reason, *sentence;
} reasons[] = {
#define REASON(name, sentence) {#name, sentence},
#include "schemas/reasons.def"
#undef REASON
};
static const struct listing_column reason_columns[] = {
    {"reason", "REASON", LISTING_WORD},
    {"sentence", "MEANS", LISTING_TEXT},
    {NULL, NULL, LISTING_TEXT},
};

static int list_reasons(const struct option_set *options)
{
    struct listing *listing = listing_open(option_text(options, "output"));
    listing_columns(listing, reason_columns);
    for (size_t i = 0; i < COUNT_OF(reasons); i++)
        listing_add(listing, json_pack("{s:s, s:s}", "reason", reasons[i].reason, "sentence",
                                       reasons[i].sentence));
    return listing_close(listing) ? PLUMB_DONE : PLUMB_OUR_FAULT;
}

struct dead_letters_run {
    const struct option_set *options;
    int64_t since_ms;
    struct listing *listing;
};

static bool fits(const struct dead_letters_run *run, const json_t *object, const char *name)
{
    const char *wanted = option_text(run->options, name);
    const char *text = json_string_value(json_object_get(object, name));
    return wanted == NULL || (text != NULL && strcmp(text, wanted) == 0);
}

static void on_record(void *context, const struct record *record)
{
    struct dead_letters_run *run = context;
    json_t *object = presentation_of_dead_letter(record);
    if (record->arrival_ms >= run->since_ms && fits(run, object, "reason") &&
        fits(run, object, "column"))
        listing_add(run->listing, object);
    else
        json_decref(object);
}

static int list(struct dead_letters_run *run)
{
    struct kafka_client *client;
    int code = connection_open("dead-letters", run->options, &client);
    if (code != PLUMB_DONE)
        return code;
    run->listing = listing_open(option_text(run->options, "output"));
    code = connection_read_raw("dead-letters", client, TOPIC_INFERENCE_DEAD_LETTER, on_record, run);
    if (code != PLUMB_DONE)
        listing_destroy(run->listing);
    else if (!listing_close(run->listing))
        code = PLUMB_OUR_FAULT;
    kafka_client_close(client);
    return code;
}

int plumb_dead_letters_run(int argc, char **argv)
{
    int code;
    struct option_set *options = arguments_read(
        &(struct arguments_spec){.command = "dead-letters",
                                 .usage =
                                     "plumb dead-letters [reasons] [--reason R] [--since TIME]",
                                 .summary = "Lists refused records, or the reasons there are.",
                                 .rows = rows,
                                 .parts = ARGUMENTS_KAFKA | ARGUMENTS_OUTPUT,
                                 .most = 1},
        argc, argv, &code);
    if (options == NULL)
        return code;
    struct dead_letters_run run = {.options = options};
    if (option_positional_count(options) == 1 &&
        strcmp(option_positional(options, 0), "reasons") == 0) {
        code = list_reasons(options);
    } else if (option_positional_count(options) == 1) {
        plumb_say("dead-letters", "reasons, not '%s'", option_positional(options, 0));
        code = PLUMB_USAGE;
    } else if (arguments_time("dead-letters", options, "since", INT64_MIN, &run.since_ms, &code)) {
        code = list(&run);
    }
    option_set_destroy(options);
    return code;
}
