/* plumb schema: what the validator and a schema registry would make of an Avro schema, before an
 * app writes with it; and its registration. */
#include "arguments.h"
#include "listing.h"
#include "memory/heap.h"
#include "plumb.h"
#include "schema_subject.h"
#include "validator/writer.h"

#include <errno.h>

enum { FILE_SIZE_MAX = 1024 * 1024 };

static const struct option_row rows[] = {
    {.name = "contract",
     .kind = OPTION_TEXT,
     .help = "check: the model's contract, for its columns"},
    {.name = "subject",
     .kind = OPTION_TEXT,
     .fallback = "inference.events-value",
     .help = "the registry's name for the line of schemas"},
    {.name = "labels", .kind = OPTION_FLAG, .help = "check: of ground.truth, not of events"},
    {.name = "dry-run", .kind = OPTION_FLAG, .help = "register: only say what would come of it"},
    {.name = NULL},
};
static const struct listing_column columns[] = {
    {"what", "WHAT", LISTING_WORD},   {"name", "NAME", LISTING_TEXT},
    {"state", "STATE", LISTING_WORD}, {"type", "TYPE", LISTING_TEXT},
    {"detail", "", LISTING_BELOW},    {NULL, NULL, LISTING_TEXT},
};

struct check {
    const struct option_set *options; /* borrowed */
    const char *file_name;            /* borrowed */
    struct schema *schema;            /* owned */
    struct contract *contract;        /* owned; NULL: none given */
    struct listing *listing;          /* owned */
    bool says_no;
};

/* ---- the file ---- */

static int read_file(const char *file_name, struct buffer *out_text)
{
    errno = 0;
    FILE *file = fopen(file_name, "rb");
    char piece[4096];
    for (size_t size; file != NULL && out_text->size <= FILE_SIZE_MAX &&
                      (size = fread(piece, 1, sizeof piece, file)) > 0;)
        buffer_append(out_text, piece, size);
    const bool good = file != NULL && ferror(file) == 0;
    if (file != NULL)
        (void)fclose(file);
    if (good)
        return PLUMB_DONE;
    (void)fprintf(stderr, "%s:1:1: %s\n", file_name, strerror(errno));
    return PLUMB_CONFIGURATION;
}

/* A text that is no JSON is wrong at a line and column, which the reason begins with. */
static int say_wrong(const char *file_name, const struct reason *reason)
{
    const bool has_place = reason->text[0] >= '0' && reason->text[0] <= '9';
    (void)fprintf(stderr, "%s:%s%s\n", file_name, has_place ? "" : "1:1: ", reason->text);
    return PLUMB_CONFIGURATION;
}

static int read_schema(struct check *check)
{
    struct buffer text = {0};
    struct reason reason = {""};
    int code = read_file(check->file_name, &text);
    if (code == PLUMB_DONE &&
        schema_parse(buffer_span(&text), &check->schema, &reason) != FAULT_NONE)
        code = say_wrong(check->file_name, &reason);
    buffer_fini(&text);
    return code;
}

/* ---- what the validator would make of it ---- */

static void add(struct check *check, const char *what, const char *name, const char *state,
                const char *type, const char *detail)
{
    json_t *row = json_pack("{s:s, s:s, s:s, s:s?, s:s?}", "what", what, "name", name, "state",
                            state, "type", type, "detail", detail);
    ENSURE(row != NULL);
    listing_add(check->listing, row);
}

static const char *kind_name(enum schema_kind kind)
{
    static const char *const names[] = {
        [SCHEMA_NULL] = "null",   [SCHEMA_BOOLEAN] = "boolean", [SCHEMA_INT] = "int",
        [SCHEMA_LONG] = "long",   [SCHEMA_FLOAT] = "float",     [SCHEMA_DOUBLE] = "double",
        [SCHEMA_BYTES] = "bytes", [SCHEMA_STRING] = "string",   [SCHEMA_RECORD] = "record",
        [SCHEMA_ENUM] = "enum",   [SCHEMA_ARRAY] = "array",     [SCHEMA_MAP] = "map",
        [SCHEMA_UNION] = "union", [SCHEMA_FIXED] = "fixed"};
    return names[kind];
}

static void type_write(struct buffer *out, const struct schema_node *type)
{
    for (size_t i = 0; type->kind == SCHEMA_UNION && i < type->field_count; i++)
        buffer_format(out, "%s%s", i == 0 ? "" : " | ", kind_name(type->fields[i].type->kind));
    if (type->kind != SCHEMA_UNION)
        buffer_format(out, "%s", kind_name(type->kind));
}

/* Can values of the type be what the contract's column wants? As column_rules.c judges values. */
static bool type_fits(enum column_type column, enum schema_kind kind)
{
    const bool is_number =
        kind == SCHEMA_INT || kind == SCHEMA_LONG || kind == SCHEMA_FLOAT || kind == SCHEMA_DOUBLE;
    const bool is_text = kind == SCHEMA_STRING || kind == SCHEMA_ENUM;
    switch (column) {
    case COLUMN_NUMBER:
        return is_number;
    case COLUMN_BOOLEAN:
        return kind == SCHEMA_BOOLEAN;
    case COLUMN_TEXT:
        return is_text;
    case COLUMN_CATEGORY:
        return is_number || is_text || kind == SCHEMA_BOOLEAN;
    case COLUMN_ID:
        return is_text || kind == SCHEMA_INT || kind == SCHEMA_LONG;
    }
    UNREACHABLE("all column types are above");
}

static bool node_fits(enum column_type column, const struct schema_node *type)
{
    if (type->kind != SCHEMA_UNION)
        return type_fits(column, type->kind);
    for (size_t i = 0; i < type->field_count; i++)
        if (type_fits(column, type->fields[i].type->kind))
            return true;
    return false;
}

/* Where the features are: a record has each by name, a map may have any. */
static const struct schema_node *features_of(const struct schema *schema)
{
    const struct schema_field *features = schema_field(schema_root(schema), "features");
    const struct schema_node *type = features == NULL ? NULL : features->type;
    for (size_t i = 0; type != NULL && type->kind == SCHEMA_UNION && i < type->field_count; i++)
        if (type->fields[i].type->kind == SCHEMA_RECORD || type->fields[i].type->kind == SCHEMA_MAP)
            return type->fields[i].type;
    return type;
}

static void check_column(struct check *check, const struct schema_node *features,
                         const struct contract_column *column)
{
    struct buffer type = {0};
    const struct schema_field *field =
        features->kind == SCHEMA_RECORD ? schema_field(features, column->name) : NULL;
    const struct schema_node *node = features->kind == SCHEMA_MAP ? features->fields[0].type
                                     : field == NULL              ? NULL
                                                                  : field->type;
    if (node != NULL)
        type_write(&type, node);
    buffer_append_byte(&type, 0);
    const bool fits = node != NULL && node_fits(column->type, node);
    const char *state = node == NULL                   ? column->required ? "missing" : "absent"
                        : !fits                        ? "wrong-type"
                        : features->kind == SCHEMA_MAP ? "in-map"
                                                       : "found";
    check->says_no =
        check->says_no || (node == NULL && column->required) || (node != NULL && !fits);
    char *name = heap_format("features.%s", column->name);
    add(check, "column", name, state, node == NULL ? NULL : (const char *)type.bytes, NULL);
    heap_release(name);
    buffer_fini(&type);
}

static void check_columns(struct check *check)
{
    const struct schema_node *features = features_of(check->schema);
    for (size_t i = 0; i < check->contract->column_count; i++)
        check_column(check, features, &check->contract->columns[i]);
}

static void check_reading(struct check *check)
{
    const bool labels = option_flag(check->options, "labels");
    struct writer *writer = writer_create(check->schema, labels ? WRITER_LABEL : WRITER_EVENT);
    const char *why = writer_unusable(writer);
    char digits[17];
    (void)snprintf(digits, sizeof digits, "%016llx",
                   (unsigned long long)schema_fingerprint(check->schema));
    add(check, labels ? "label" : "event", digits, why == NULL ? "readable" : "unreadable", NULL,
        why);
    check->says_no = check->says_no || why != NULL;
    if (why == NULL && !labels && check->contract != NULL)
        check_columns(check);
    writer_destroy(writer);
}

/* ---- what the registry says ---- */

static json_t *body_of(const struct check *check)
{
    const struct span text = schema_text(check->schema);
    json_t *body =
        json_pack("{s:s%}", "schema", (const char *)text.bytes, text.size); /* AVRO is understood */
    ENSURE(body != NULL);
    return body;
}

static const char *subject_name(const struct check *check)
{
    return option_text(check->options, "subject");
}

/* What stands in the way, as far as the registry tells. */
static void add_incompatible(struct check *check, const json_t *messages)
{
    struct buffer text = {0};
    for (size_t i = 0; i < json_array_size(messages) && i < 10; i++)
        buffer_format(&text, "%s%.300s", i == 0 ? "" : "; ",
                      json_string_value(json_array_get(messages, i)) == NULL
                          ? "?"
                          : json_string_value(json_array_get(messages, i)));
    buffer_append_byte(&text, 0);
    add(check, "subject", subject_name(check), "incompatible", NULL,
        text.size > 1 ? (const char *)text.bytes : NULL);
    buffer_fini(&text);
    check->says_no = true;
}

static int refuse_status(const struct subject_word *word)
{
    plumb_say("schema", "%s", word->why.text);
    return word->status == 401 || word->status == 403 ? PLUMB_CONFIGURATION : PLUMB_UNREACHABLE;
}

static int check_compatibility(struct check *check, struct schema_subject *subject)
{
    json_t *body = body_of(check);
    struct subject_word word;
    struct reason reason;
    const enum fault fault = schema_subject_ask(
        subject, "/compatibility/subjects/%/versions/latest?verbose=true", body, &word, &reason);
    json_decref(body);
    int code = PLUMB_DONE;
    if (fault != FAULT_NONE)
        code = plumb_fail("schema", fault, &reason);
    else if (word.status == 404)
        add(check, "subject", subject_name(check), "new", NULL, NULL);
    else if (word.status == 422) {
        add(check, "subject", subject_name(check), "refused", NULL, word.why.text);
        check->says_no = true;
    } else if (word.status != 200 || !json_is_object(word.body))
        code = refuse_status(&word);
    else if (json_is_true(json_object_get(word.body, "is_compatible")))
        add(check, "subject", subject_name(check), "compatible", NULL, NULL);
    else
        add_incompatible(check, json_object_get(word.body, "messages"));
    subject_word_fini(&word);
    return code;
}

/* *out_id: 0: not registered. */
static int look_up(struct check *check, struct schema_subject *subject, json_int_t *out_id)
{
    json_t *body = body_of(check);
    struct subject_word word;
    struct reason reason;
    const enum fault fault = schema_subject_ask(subject, "/subjects/%", body, &word, &reason);
    json_decref(body);
    int code = PLUMB_DONE;
    *out_id = 0;
    if (fault != FAULT_NONE)
        code = plumb_fail("schema", fault, &reason);
    else if (word.status == 200)
        *out_id = json_integer_value(json_object_get(word.body, "id"));
    else if (word.status != 404)
        code = refuse_status(&word);
    subject_word_fini(&word);
    return code;
}

static void add_registered(struct check *check, json_int_t id, const char *state)
{
    char *text = heap_format("id %lld", (long long)id);
    add(check, "subject", subject_name(check), state, text, NULL);
    heap_release(text);
}

static int hand_in(struct check *check, struct schema_subject *subject)
{
    json_t *body = body_of(check);
    struct subject_word word;
    struct reason reason;
    const enum fault fault =
        schema_subject_ask(subject, "/subjects/%/versions", body, &word, &reason);
    json_decref(body);
    int code = PLUMB_DONE;
    if (fault != FAULT_NONE)
        code = plumb_fail("schema", fault, &reason);
    else if (word.status == 200)
        add_registered(check, json_integer_value(json_object_get(word.body, "id")), "registered");
    else if (word.status == 409 || word.status == 422) {
        add(check, "subject", subject_name(check), "refused", NULL, word.why.text);
        check->says_no = true;
    } else
        code = refuse_status(&word);
    subject_word_fini(&word);
    return code;
}

static int register_with(struct check *check, struct schema_subject *subject)
{
    json_int_t id;
    int code = look_up(check, subject, &id);
    if (code != PLUMB_DONE)
        return code;
    if (id != 0) {
        add_registered(check, id, "there");
        return PLUMB_DONE;
    }
    code = check_compatibility(check, subject);
    if (code == PLUMB_DONE && !check->says_no && !option_flag(check->options, "dry-run"))
        code = hand_in(check, subject);
    return code;
}

/* ---- the verbs ---- */

static int with_registry(struct check *check, bool registers)
{
    struct schema_subject *subject;
    struct reason reason;
    const enum fault fault =
        schema_subject_open(check->options, subject_name(check), &subject, &reason);
    if (fault != FAULT_NONE)
        return plumb_fail("schema", fault, &reason);
    if (subject == NULL && registers) {
        plumb_say("schema", "register needs --schema-registry URL");
        return PLUMB_USAGE;
    }
    if (subject == NULL)
        return PLUMB_DONE;
    const int code =
        registers ? register_with(check, subject) : check_compatibility(check, subject);
    schema_subject_close(subject);
    return code;
}

static int run(struct check *check, bool registers)
{
    const char *contract = option_text(check->options, "contract");
    struct reason reason;
    int code = read_schema(check);
    if (code == PLUMB_DONE && contract != NULL) {
        const enum fault fault = plumb_contract_read(contract, &check->contract, &reason);
        if (fault != FAULT_NONE)
            code = plumb_fail("schema", fault, &reason);
    }
    if (code != PLUMB_DONE)
        return code;
    check->listing = listing_open(option_text(check->options, "output"));
    listing_columns(check->listing, columns);
    if (!registers)
        check_reading(check);
    code = with_registry(check, registers);
    if (!listing_close(check->listing) && code == PLUMB_DONE)
        code = PLUMB_OUR_FAULT;
    return code == PLUMB_DONE && check->says_no ? PLUMB_CHECK_SAYS_NO : code;
}

int plumb_schema_run(int argc, char **argv)
{
    int code;
    struct option_set *options = arguments_read(
        &(struct arguments_spec){
            .command = "schema",
            .usage = "plumb schema check|register FILE.avsc [--contract C.yaml] [--subject S]",
            .summary = "Says what the validator would read of events with this schema, and, with a "
                       "registry, whether it fits the subject; register hands it in.",
            .rows = rows,
            .parts = ARGUMENTS_OUTPUT | ARGUMENTS_REGISTRY,
            .least = 2,
            .most = 2},
        argc, argv, &code);
    if (options == NULL)
        return code;
    struct check check = {.options = options, .file_name = option_positional(options, 1)};
    const char *verb = option_positional(options, 0);
    if (strcmp(verb, "check") == 0 || strcmp(verb, "register") == 0) {
        code = run(&check, strcmp(verb, "register") == 0);
    } else {
        plumb_say("schema", "check or register, not '%s'", verb);
        code = PLUMB_USAGE;
    }
    schema_destroy(check.schema);
    contract_destroy(check.contract);
    option_set_destroy(options);
    return code;
}
