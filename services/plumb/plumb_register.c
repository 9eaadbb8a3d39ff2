/* plumb register: what is known of a model's version, into model.versions. */
#include "arguments.h"
#include "avro/datum.h"
#include "avro/wire.h"
#include "clock/wall.h"
#include "connection.h"
#include "line_reader.h"
#include "memory/heap.h"
#include "model/rows.h"
#include "plumb.h"

static const struct option_row rows[] = {
    {.name = "model", .kind = OPTION_TEXT, .help = "the model (needed)"},
    {.name = "version", .kind = OPTION_TEXT, .help = "its version (needed)"},
    {.name = "trained-at", .kind = OPTION_TEXT, .help = "when (milliseconds or ISO 8601)"},
    {.name = "training-data", .kind = OPTION_TEXT, .help = "where the training data lie (URI)"},
    {.name = "training-hash", .kind = OPTION_TEXT, .help = "a hash of the training data"},
    {.name = "training-start", .kind = OPTION_TEXT, .help = "event time of its first row"},
    {.name = "training-end", .kind = OPTION_TEXT, .help = "event time behind its last row"},
    {.name = "git-commit", .kind = OPTION_TEXT, .help = "commit of the training code"},
    {.name = "metric", .kind = OPTION_TEXT, .help = "NAME=NUMBER at training; may be repeated"},
    {.name = "stage", .kind = OPTION_TEXT, .help = "as production, shadow, archived"},
    {.name = "model-card", .kind = OPTION_TEXT, .help = "address of the model card"},
    {.name = "event-schema", .kind = OPTION_TEXT, .help = "Avro schema of its events (.avsc)"},
    {.name = "baseline", .kind = OPTION_TEXT, .help = "hash of its baseline"},
    {.name = "dry-run", .kind = OPTION_FLAG, .help = "print the record, publish nothing"},
    {.name = NULL},
};

static void set_text(json_t *value, const char *field, const char *text)
{
    (void)json_object_set_new(value, field, text == NULL ? json_null() : json_string(text));
}

/* The time of an option, or null. */
static bool set_time(json_t *value, const char *field, const struct option_set *options,
                     const char *name, int *out_exit)
{
    int64_t time_ms = 0;
    if (!arguments_time("register", options, name, 0, &time_ms, out_exit))
        return false;
    (void)json_object_set_new(
        value, field, option_text(options, name) == NULL ? json_null() : json_integer(time_ms));
    return true;
}

static json_t *metrics_of(const struct option_set *options, int *out_exit)
{
    json_t *metrics = json_object();
    const char *text;
    for (size_t i = 0; (text = option_repeated(options, "metric", i)) != NULL; i++) {
        const char *equals = strchr(text, '=');
        double number;
        if (equals == NULL || equals == text ||
            !rows_parse_number(span_text(equals + 1), &number)) {
            plumb_say("register", "--metric: NAME=NUMBER, not '%s'", text);
            *out_exit = PLUMB_USAGE;
            json_decref(metrics);
            return NULL;
        }
        char *name = span_copied(span_of(text, (size_t)(equals - text)));
        (void)json_object_set_new(metrics, name, json_real(number));
        heap_release(name);
    }
    return metrics;
}

/* The schema's text, once it has parsed. */
static json_t *event_schema_of(const struct option_set *options, int *out_exit)
{
    const char *file = option_text(options, "event-schema");
    if (file == NULL)
        return json_null();
    struct line_reader *reader = NULL;
    struct reason reason;
    enum fault fault = line_reader_open(file, &reader, &reason);
    struct buffer text = {0};
    bool is_line = fault == FAULT_NONE;
    while (fault == FAULT_NONE && is_line && text.size <= LINE_READER_SIZE_MAX) {
        struct span line = {0};
        fault = line_reader_next(reader, &is_line, &line, &reason);
        if (fault == FAULT_NONE && is_line) {
            buffer_append_span(&text, line);
            buffer_append_byte(&text, '\n');
        }
    }
    struct schema *schema = NULL;
    if (fault == FAULT_NONE) {
        fault = schema_parse(buffer_span(&text), &schema, &reason);
        if (fault != FAULT_NONE)
            reason_wrap(&reason, "%s", file);
    }
    line_reader_close(reader);
    json_t *value = fault == FAULT_NONE ? json_stringn((const char *)text.bytes, text.size) : NULL;
    if (fault != FAULT_NONE)
        *out_exit = plumb_fail("register", fault, &reason);
    schema_destroy(schema);
    buffer_fini(&text);
    return value;
}

static json_t *training_of(const struct option_set *options, int *out_exit)
{
    json_t *training = json_object();
    set_text(training, "uri", option_text(options, "training-data"));
    set_text(training, "hash", option_text(options, "training-hash"));
    if (!set_time(training, "start", options, "training-start", out_exit) ||
        !set_time(training, "end", options, "training-end", out_exit)) {
        json_decref(training);
        return NULL;
    }
    if (option_text(options, "training-data") != NULL)
        return training;
    json_decref(training);
    return json_null();
}

/* The record; NULL with *out_exit set. */
static json_t *version_of(const struct option_set *options, int *out_exit)
{
    *out_exit = PLUMB_USAGE;
    if (option_text(options, "model") == NULL || option_text(options, "version") == NULL) {
        plumb_say("register", "--model and --version are needed (--help)");
        return NULL;
    }
    json_t *value = json_object();
    set_text(value, "model", option_text(options, "model"));
    set_text(value, "version", option_text(options, "version"));
    (void)json_object_set_new(value, "registered_at", json_integer(wall_now_ms()));
    json_t *training = NULL, *metrics = NULL, *schema = NULL;
    if (set_time(value, "trained_at", options, "trained-at", out_exit) &&
        (training = training_of(options, out_exit)) != NULL &&
        (metrics = metrics_of(options, out_exit)) != NULL &&
        (schema = event_schema_of(options, out_exit)) != NULL) {
        (void)json_object_set(value, "training_data", training);
        set_text(value, "git_commit", option_text(options, "git-commit"));
        (void)json_object_set(value, "metrics", metrics);
        set_text(value, "stage", option_text(options, "stage"));
        set_text(value, "model_card", option_text(options, "model-card"));
        (void)json_object_set(value, "event_schema", schema);
        set_text(value, "baseline", option_text(options, "baseline"));
    } else {
        json_decref(value);
        value = NULL;
    }
    json_decref(training);
    json_decref(metrics);
    json_decref(schema);
    return value;
}

static int publish(const struct option_set *options, const json_t *version)
{
    const struct schema *schema = schema_embedded(topic_row(TOPIC_MODEL_VERSIONS)->schema);
    struct buffer key = {0}, value = {0};
    struct reason reason;
    wire_write_frame(&value, schema_fingerprint(schema));
    const enum fault fault = datum_encode(schema, version, &value, &reason);
    struct kafka_client *client = NULL;
    int32_t partitions = 0;
    int code = fault == FAULT_NONE ? PLUMB_DONE : plumb_fail("register", fault, &reason);
    if (code == PLUMB_DONE)
        code = connection_open("register", options, &client);
    if (code == PLUMB_DONE)
        code = connection_partitions("register", client, TOPIC_MODEL_VERSIONS, &partitions);
    if (code == PLUMB_DONE) {
        buffer_format(&key, "%s@%s", option_text(options, "model"),
                      option_text(options, "version"));
        connection_publish(client, TOPIC_MODEL_VERSIONS, partitions, buffer_span(&key),
                           buffer_span(&value));
        code = connection_settle("register", client);
    }
    kafka_client_close(client);
    buffer_fini(&key);
    buffer_fini(&value);
    return code;
}

int plumb_register_run(int argc, char **argv)
{
    int code;
    struct option_set *options = arguments_read(
        &(struct arguments_spec){.command = "register",
                                 .usage =
                                     "plumb register --model M --version V [--trained-at TIME] "
                                     "[--training-data URI] [--metric NAME=NUMBER]...",
                                 .summary = "Publishes what is known of a model's version. "
                                            "Registering it again replaces what was said before.",
                                 .rows = rows,
                                 .parts = ARGUMENTS_KAFKA},
        argc, argv, &code);
    if (options == NULL)
        return code;
    json_t *version = version_of(options, &code);
    if (version != NULL && option_flag(options, "dry-run")) {
        (void)json_dumpf(version, stdout, JSON_INDENT(2));
        (void)putchar('\n');
        code = PLUMB_DONE;
    } else if (version != NULL) {
        code = publish(options, version);
        if (code == PLUMB_DONE)
            printf("%s@%s registered\n", option_text(options, "model"),
                   option_text(options, "version"));
    }
    json_decref(version);
    option_set_destroy(options);
    return code;
}
