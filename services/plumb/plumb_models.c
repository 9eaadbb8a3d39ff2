/* plumb models: what is running: one row a model's version, with its newest contract and the
 * baseline that it is compared with. */
#include "arguments.h"
#include "connection.h"
#include "container/table.h"
#include "listing.h"
#include "memory/buffer.h"
#include "memory/heap.h"
#include "plumb.h"

static const struct option_row rows[] = {
    {.name = "model", .kind = OPTION_TEXT, .help = "only this model"},
    {.name = NULL},
};
static const struct listing_column columns[] = {
    {"model", "MODEL", LISTING_TEXT}, {"version", "VERSION", LISTING_TEXT},
    {"stage", "STAGE", LISTING_TEXT}, {"trained_at", "TRAINED", LISTING_TIME},
    {"owner", "OWNER", LISTING_TEXT}, {"contract_revision", "CONTRACT", LISTING_NUMBER},
    {NULL, NULL, LISTING_TEXT},
};

struct models_run {
    const char *model;       /* NULL: all */
    struct table *contracts; /* owned: model → the newest revision's record, owned */
    struct table *versions;  /* owned: model, zero byte, version → record (or null), owned */
};

static struct span pair(struct buffer *key, const char *model, const char *version)
{
    buffer_clear(key);
    buffer_append(key, model, strlen(model) + 1);
    buffer_append_span(key, span_text(version));
    return buffer_span(key);
}

static bool is_wanted(const struct models_run *run, const char *model)
{
    return model != NULL && (run->model == NULL || strcmp(run->model, model) == 0);
}

static void on_contract(void *context, const struct record *record, const json_t *value)
{
    (void)record;
    struct models_run *run = context;
    const char *model = json_string_value(json_object_get(value, "model"));
    if (!is_wanted(run, model))
        return;
    const json_t *known = table_find(run->contracts, span_text(model));
    if (known != NULL && json_integer_value(json_object_get(known, "revision")) >
                             json_integer_value(json_object_get(value, "revision")))
        return;
    json_decref(table_put(run->contracts, span_text(model), json_deep_copy(value)));
}

static void on_version(void *context, const struct record *record, const json_t *value)
{
    (void)record;
    struct models_run *run = context;
    const char *model = json_string_value(json_object_get(value, "model"));
    const char *version = json_string_value(json_object_get(value, "version"));
    if (!is_wanted(run, model) || version == NULL)
        return;
    struct buffer key = {0};
    json_decref(table_put(run->versions, pair(&key, model, version), json_deep_copy(value)));
    buffer_fini(&key);
}

/* Versions that only a contract's baselines name, and models of which no version is known. */
static void add_unregistered(struct models_run *run)
{
    struct table_entry *contracts = table_sorted(run->contracts);
    struct buffer key = {0};
    for (size_t i = 0; i < table_count(run->contracts); i++) {
        const json_t *contract = contracts[i].value;
        const char *model = json_string_value(json_object_get(contract, "model"));
        bool known = false;
        size_t index;
        const json_t *baseline;
        json_array_foreach(json_object_get(contract, "baselines"), index, baseline)
        {
            const char *version = json_string_value(json_object_get(baseline, "version"));
            if (version == NULL || *version == '\0')
                continue;
            known = true;
            if (table_find(run->versions, pair(&key, model, version)) == NULL)
                (void)table_put(run->versions, buffer_span(&key), json_null());
        }
        size_t cursor = 0;
        struct span other;
        while (!known && table_next(run->versions, &cursor, &other) != NULL)
            known =
                other.size > strlen(model) && memcmp(other.bytes, model, strlen(model) + 1) == 0;
        if (!known)
            (void)table_put(run->versions, pair(&key, model, ""), json_null());
    }
    buffer_fini(&key);
    heap_release(contracts);
}

/* The hash of the baseline that the contract names for the version, or for any. */
static json_t *baseline_of(const json_t *contract, const char *version)
{
    json_t *found = NULL;
    size_t index;
    json_t *baseline;
    json_array_foreach(json_object_get(contract, "baselines"), index, baseline)
    {
        const char *own = json_string_value(json_object_get(baseline, "version"));
        if (own != NULL && (strcmp(own, version) == 0 || (*own == '\0' && found == NULL)))
            found = json_object_get(baseline, "hash");
    }
    return found == NULL ? json_null() : json_incref(found);
}

static json_t *owner_of(const json_t *contract)
{
    const char *text = json_string_value(json_object_get(contract, "text"));
    struct contract *parsed = NULL;
    struct reason reason;
    if (text == NULL || contract_parse("contract", span_text(text), &parsed, &reason) != FAULT_NONE)
        return json_null();
    json_t *owner = json_string(parsed->owner);
    contract_destroy(parsed);
    return owner;
}

static void copy(json_t *row, const char *name, const json_t *from, const char *field)
{
    json_t *value = json_object_get(from, field);
    (void)json_object_set_new(row, name, value == NULL ? json_null() : json_incref(value));
}

static json_t *row_of(const struct models_run *run, struct span key, const json_t *record)
{
    static const char *const fields[] = {"stage",         "registered_at", "trained_at",
                                         "training_data", "git_commit",    "metrics",
                                         "model_card"};
    const char *model = (const char *)key.bytes;
    char *version =
        span_copied(span_of(key.bytes + strlen(model) + 1, key.size - strlen(model) - 1));
    const json_t *contract = table_find(run->contracts, span_text(model));
    json_t *row = json_object();
    (void)json_object_set_new(row, "model", json_string(model));
    (void)json_object_set_new(row, "version",
                              *version == '\0' ? json_null() : json_string(version));
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        copy(row, fields[i], record, fields[i]);
    copy(row, "contract_revision", contract, "revision");
    copy(row, "effective_from", contract, "effective_from");
    (void)json_object_set_new(row, "owner", owner_of(contract));
    (void)json_object_set_new(row, "baseline", baseline_of(contract, version));
    heap_release(version);
    return row;
}

static int list(struct models_run *run, const struct option_set *options)
{
    struct kafka_client *client;
    int code = connection_open("models", options, &client);
    if (code != PLUMB_DONE)
        return code;
    code = connection_read("models", client, TOPIC_MODEL_CONTRACTS, on_contract, run);
    if (code == PLUMB_DONE)
        code = connection_read("models", client, TOPIC_MODEL_VERSIONS, on_version, run);
    kafka_client_close(client);
    if (code != PLUMB_DONE)
        return code;
    add_unregistered(run);
    struct listing *listing = listing_open(option_text(options, "output"));
    listing_columns(listing, columns);
    struct table_entry *versions = table_sorted(run->versions);
    for (size_t i = 0; i < table_count(run->versions); i++)
        listing_add(listing, row_of(run, versions[i].key, versions[i].value));
    heap_release(versions);
    return listing_close(listing) ? PLUMB_DONE : PLUMB_OUR_FAULT;
}

static void release(struct table *table)
{
    size_t cursor = 0;
    for (void *value; (value = table_next(table, &cursor, NULL)) != NULL;)
        json_decref(value);
    table_destroy(table);
}

int plumb_models_run(int argc, char **argv)
{
    int code;
    struct option_set *options =
        arguments_read(&(struct arguments_spec){.command = "models",
                                                .usage = "plumb models [--model M]",
                                                .summary = "Says what is running, trained when, "
                                                           "on what.",
                                                .rows = rows,
                                                .parts = ARGUMENTS_KAFKA | ARGUMENTS_OUTPUT},
                       argc, argv, &code);
    if (options == NULL)
        return code;
    struct models_run run = {.model = option_text(options, "model"),
                             .contracts = table_create(),
                             .versions = table_create()};
    code = list(&run, options);
    release(run.contracts);
    release(run.versions);
    option_set_destroy(options);
    return code;
}
