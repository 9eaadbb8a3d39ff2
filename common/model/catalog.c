#include "model/catalog.h"
#include "avro/datum.h"
#include "avro/wire.h"
#include "container/table.h"
#include "memory/heap.h"

#include <inttypes.h>

/* Keys of the tables hold zero bytes between their parts, so their order is that by model, version,
 * hash, whatever characters these have. */
struct catalog {
    struct table *models;        /* model → struct revisions, owned */
    struct table *versions;      /* model, version → json_t, owned reference */
    struct table *baselines;     /* model, version, hash → struct baseline, owned */
    struct table *schemas;       /* fingerprint (8 bytes) → struct schema, owned */
    struct table *uses;          /* id@topic:partition, and id → struct use, owned */
    struct schema_lookup lookup; /* find NULL: none */
};

/* Which schema is called so, and from which offset on. */
struct use {
    uint64_t fingerprint;
    int64_t offset;
};

struct revisions {
    struct contract **contracts; /* owned list of owned contracts, ascending by revision; [count] */
    size_t count;
};

struct catalog *catalog_create(void)
{
    struct catalog *catalog = heap_zeroed(1, sizeof *catalog);
    catalog->models = table_create();
    catalog->versions = table_create();
    catalog->baselines = table_create();
    catalog->schemas = table_create();
    catalog->uses = table_create();
    return catalog;
}

void catalog_set_lookup(struct catalog *catalog, const struct schema_lookup *lookup)
{
    catalog->lookup = *lookup;
}

/* The parts with zero bytes between them; hash.bytes NULL: only two parts. The caller releases it.
 */
static struct buffer key_of(struct span model, struct span version, struct span hash)
{
    struct buffer key = {0};
    buffer_append_span(&key, model);
    buffer_append_byte(&key, 0);
    buffer_append_span(&key, version);
    if (hash.bytes != NULL) {
        buffer_append_byte(&key, 0);
        buffer_append_span(&key, hash);
    }
    return key;
}

static struct span text_of(const json_t *record, const char *field)
{
    return span_text(json_string_value(json_object_get(record, field)));
}

/* JSON text goes through the schema and back, so that both framings give the same shape. */
static enum fault decode_json(const struct schema *schema, struct span text, json_t **out_value,
                              struct reason *out_reason)
{
    json_error_t error;
    json_t *given = json_loadb((const char *)text.bytes, text.size, JSON_REJECT_DUPLICATES, &error);
    if (given == NULL) {
        reason_set(out_reason, "not JSON: %s", error.text);
        return FAULT_RECORD_MALFORMED;
    }
    struct buffer bytes = {0};
    enum fault fault = datum_encode(schema, given, &bytes, out_reason);
    json_decref(given);
    if (fault == FAULT_NONE)
        fault = datum_decode(schema, buffer_span(&bytes), out_value, out_reason);
    buffer_fini(&bytes);
    return fault;
}

static enum fault decode(const struct record *record, json_t **out_value, struct reason *out_reason)
{
    const struct schema *schema = schema_embedded(topic_row(record->topic)->schema);
    uint64_t fingerprint = 0;
    struct span body;
    if (wire_read_frame(record->value, &fingerprint, &body)) {
        if (fingerprint == schema_fingerprint(schema))
            return datum_decode(schema, body, out_value, out_reason);
        reason_set(out_reason, "written with another schema, %016" PRIx64, fingerprint);
        return FAULT_SCHEMA_UNKNOWN;
    }
    if (record->value.size != 0 && record->value.bytes[0] == '{')
        return decode_json(schema, record->value, out_value, out_reason);
    reason_set(out_reason, "neither single-object framed nor JSON");
    return FAULT_RECORD_MALFORMED;
}

static void take_baselines(const json_t *record, struct contract *contract)
{
    const json_t *list = json_object_get(record, "baselines");
    const size_t count = json_array_size(list);
    contract->baselines = heap_zeroed(count, sizeof *contract->baselines);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        const json_int_t columns = json_integer_value(json_object_get(item, "column_count"));
        contract->baselines[contract->baseline_count++] =
            (struct contract_baseline){.version = span_copied(text_of(item, "version")),
                                       .hash = span_copied(text_of(item, "hash")),
                                       .column_count = columns < 0 ? 0 : (size_t)columns};
    }
}

static enum fault parse_contract(const json_t *record, struct contract **out_contract,
                                 struct reason *out_reason)
{
    const struct span text = text_of(record, "text"), model = text_of(record, "model");
    const json_int_t revision = json_integer_value(json_object_get(record, "revision"));
    char *name = heap_format("%.200s@%" PRId64, (const char *)model.bytes, (int64_t)revision);
    struct contract *contract = NULL;
    enum fault fault = contract_parse(name, text, &contract, out_reason);
    if (fault == FAULT_NONE && (revision < 1 || !span_is(model, contract->model))) {
        reason_set(out_reason, "%s: a contract of model %.100s", name, contract->model);
        contract_destroy(contract);
        fault = FAULT_CONTRACT_INVALID;
    }
    heap_release(name);
    if (fault != FAULT_NONE)
        return fault;
    contract->revision = (int32_t)revision;
    contract->effective_from_ms = json_integer_value(json_object_get(record, "effective_from"));
    take_baselines(record, contract);
    *out_contract = contract;
    return FAULT_NONE;
}

/* Whether two readings of one revision mean the same; then the second is a repetition. */
static bool is_same(const struct contract *left, const struct contract *right)
{
    bool same = strcmp(left->text, right->text) == 0 &&
                left->effective_from_ms == right->effective_from_ms &&
                left->baseline_count == right->baseline_count;
    for (size_t i = 0; same && i < left->baseline_count; i++)
        same = strcmp(left->baselines[i].version, right->baselines[i].version) == 0 &&
               strcmp(left->baselines[i].hash, right->baselines[i].hash) == 0;
    return same;
}

/* Services hold pointers to contracts, so a revision once read stays what it is. */
static enum fault take_contract(struct catalog *catalog, const json_t *record,
                                struct reason *out_reason)
{
    struct contract *contract = NULL;
    const enum fault fault = parse_contract(record, &contract, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    struct revisions *revisions = table_find(catalog->models, span_text(contract->model));
    if (revisions == NULL) {
        revisions = heap_zeroed(1, sizeof *revisions);
        (void)table_put(catalog->models, span_text(contract->model), revisions);
    }
    size_t place = revisions->count;
    while (place > 0 && revisions->contracts[place - 1]->revision >= contract->revision)
        place--;
    const struct contract *there = place < revisions->count ? revisions->contracts[place] : NULL;
    if (there != NULL && there->revision == contract->revision) {
        const bool same = is_same(there, contract);
        if (!same)
            reason_set(out_reason, "%.100s@%" PRId32 " is there already, and not the same",
                       contract->model, contract->revision);
        contract_destroy(contract);
        return same ? FAULT_NONE : FAULT_CONTRACT_INVALID;
    }
    revisions->contracts =
        heap_resized(revisions->contracts, revisions->count + 1, sizeof(struct contract *));
    memmove(&revisions->contracts[place + 1], &revisions->contracts[place],
            (revisions->count - place) * sizeof(struct contract *));
    revisions->contracts[place] = contract;
    revisions->count++;
    return FAULT_NONE;
}

/* Equal fingerprints are equal schemas; the first stays, because readers hold it. */
static void keep_schema(struct catalog *catalog, struct schema *schema)
{
    const uint64_t fingerprint = schema_fingerprint(schema);
    const struct span key = span_of(&fingerprint, sizeof fingerprint);
    if (table_find(catalog->schemas, key) != NULL)
        schema_destroy(schema);
    else
        (void)table_put(catalog->schemas, key, schema);
}

/* Where there is no registry, a version's event schema is how its events become readable. */
static enum fault take_version(struct catalog *catalog, json_t *record, struct reason *out_reason)
{
    const struct span text = text_of(record, "event_schema");
    struct schema *schema = NULL;
    if (text.size > 0) {
        const enum fault fault = schema_parse(text, &schema, out_reason);
        if (fault != FAULT_NONE)
            return fault;
        keep_schema(catalog, schema);
    }
    struct buffer key =
        key_of(text_of(record, "model"), text_of(record, "version"), (struct span){0});
    json_decref(table_put(catalog->versions, buffer_span(&key), json_incref(record)));
    buffer_fini(&key);
    return FAULT_NONE;
}

static enum fault take_baseline(struct catalog *catalog, const json_t *record,
                                struct reason *out_reason)
{
    struct buffer key =
        key_of(text_of(record, "model"), text_of(record, "version"), text_of(record, "hash"));
    struct baseline *baseline = table_find(catalog->baselines, buffer_span(&key));
    const bool is_new = baseline == NULL;
    const enum fault fault = baseline_add(&baseline, record, out_reason);
    if (fault == FAULT_NONE && is_new)
        (void)table_put(catalog->baselines, buffer_span(&key), baseline);
    buffer_fini(&key);
    return fault;
}

void catalog_use_key(struct buffer *out, const struct schema_use *use)
{
    buffer_append_span(out, use->name);
    buffer_format(out, "@%s:%" PRId32, topic_row(use->topic)->name, use->partition);
}

/* The first word on a name stays: what a record was read by does not change. */
static void keep_use(struct catalog *catalog, struct span key, uint64_t fingerprint, int64_t offset)
{
    if (table_find(catalog->uses, key) != NULL)
        return;
    struct use *use = heap_zeroed(1, sizeof *use);
    *use = (struct use){.fingerprint = fingerprint, .offset = offset};
    (void)table_put(catalog->uses, key, use);
}

static enum fault take_use(struct catalog *catalog, const json_t *record, struct reason *out_reason)
{
    const struct span digits = text_of(record, "fingerprint");
    const struct schema_use use = {
        .name = text_of(record, "id"),
        .topic = topic_find(json_string_value(json_object_get(record, "topic"))),
        .partition = (int32_t)json_integer_value(json_object_get(record, "partition")),
        .offset = json_integer_value(json_object_get(record, "offset"))};
    char *end = NULL;
    const uint64_t fingerprint =
        digits.size == 16 ? strtoull((const char *)digits.bytes, &end, 16) : 0;
    if (end == NULL || *end != '\0' || use.topic == TOPIC_NONE || use.name.size == 0) {
        reason_set(out_reason, "an id without a fingerprint or a topic of ours");
        return FAULT_RECORD_MALFORMED;
    }
    struct buffer key = {0};
    catalog_use_key(&key, &use);
    keep_use(catalog, buffer_span(&key), fingerprint, use.offset);
    keep_use(catalog, use.name, fingerprint, 0);
    buffer_fini(&key);
    return FAULT_NONE;
}

static enum fault take_schema(struct catalog *catalog, const json_t *record,
                              struct reason *out_reason)
{
    if (json_is_string(json_object_get(record, "id")))
        return take_use(catalog, record, out_reason);
    struct schema *schema = NULL;
    const enum fault fault = schema_parse(text_of(record, "text"), &schema, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    const uint64_t fingerprint = schema_fingerprint(schema);
    char hex[17];
    (void)snprintf(hex, sizeof hex, "%016" PRIx64, fingerprint);
    if (!span_is(text_of(record, "fingerprint"), hex)) {
        reason_set(out_reason, "the schema's fingerprint is %s, the record says %.40s", hex,
                   json_string_value(json_object_get(record, "fingerprint")));
        schema_destroy(schema);
        return FAULT_RECORD_MALFORMED;
    }
    keep_schema(catalog, schema);
    return FAULT_NONE;
}

enum fault catalog_apply(struct catalog *catalog, const struct record *record,
                         struct reason *out_reason)
{
    REQUIRE(catalog != NULL);
    REQUIRE(record->topic == TOPIC_MODEL_CONTRACTS || record->topic == TOPIC_MODEL_VERSIONS ||
            record->topic == TOPIC_MODEL_BASELINES || record->topic == TOPIC_MODEL_SCHEMAS);
    if (record->value.bytes == NULL)
        return FAULT_NONE; /* a deletion; the catalog only grows */
    json_t *value = NULL;
    enum fault fault = decode(record, &value, out_reason);
    if (fault == FAULT_NONE) {
        if (record->topic == TOPIC_MODEL_CONTRACTS)
            fault = take_contract(catalog, value, out_reason);
        else if (record->topic == TOPIC_MODEL_BASELINES)
            fault = take_baseline(catalog, value, out_reason);
        else if (record->topic == TOPIC_MODEL_SCHEMAS)
            fault = take_schema(catalog, value, out_reason);
        else
            fault = take_version(catalog, value, out_reason);
        json_decref(value);
    }
    if (fault != FAULT_NONE)
        reason_wrap(out_reason, "%s", topic_row(record->topic)->name);
    return fault;
}

int64_t catalog_skew_ms(const struct catalog *catalog)
{
    int64_t longest_ms = 0;
    size_t cursor = 0;
    for (const struct revisions *one; (one = table_next(catalog->models, &cursor, NULL)) != NULL;) {
        for (size_t i = 0; i < one->count; i++) {
            if (one->contracts[i]->skew_ms > longest_ms)
                longest_ms = one->contracts[i]->skew_ms;
        }
    }
    return longest_ms == 0 ? CONTRACT_SKEW_MS : longest_ms;
}

const struct contract *catalog_contract_at(const struct catalog *catalog, struct span model,
                                           int64_t event_time_ms)
{
    const struct revisions *revisions = table_find(catalog->models, model);
    for (size_t i = revisions == NULL ? 0 : revisions->count; i > 0; i--)
        if (revisions->contracts[i - 1]->effective_from_ms <= event_time_ms)
            return revisions->contracts[i - 1];
    return NULL;
}

const struct contract *catalog_contract(const struct catalog *catalog, struct span model,
                                        int32_t revision)
{
    const struct revisions *revisions = table_find(catalog->models, model);
    for (size_t i = revisions == NULL ? 0 : revisions->count; i > 0; i--)
        if (revisions->contracts[i - 1]->revision == revision)
            return revisions->contracts[i - 1];
    return NULL;
}

bool catalog_knows_model(const struct catalog *catalog, struct span model)
{
    return table_find(catalog->models, model) != NULL;
}

enum fault catalog_baseline(const struct catalog *catalog, const struct contract *contract,
                            struct span version, const struct baseline **out_baseline)
{
    const struct contract_baseline *named = NULL;
    for (size_t i = 0; i < contract->baseline_count; i++) {
        const struct contract_baseline *here = &contract->baselines[i];
        if (span_is(version, here->version)) {
            named = here;
            break;
        }
        if (here->version[0] == 0 && named == NULL)
            named = here;
    }
    if (named == NULL) {
        *out_baseline = NULL;
        return FAULT_NONE;
    }
    struct buffer key =
        key_of(span_text(contract->model), span_text(named->version), span_text(named->hash));
    const struct baseline *baseline = table_find(catalog->baselines, buffer_span(&key));
    buffer_fini(&key);
    if (baseline == NULL || !baseline_is_complete(baseline))
        return FAULT_TABLE_BEHIND;
    *out_baseline = baseline;
    return FAULT_NONE;
}

const struct schema *catalog_schema(const struct catalog *catalog, uint64_t fingerprint)
{
    const struct schema *schema =
        table_find(catalog->schemas, span_of(&fingerprint, sizeof fingerprint));
    return schema != NULL ? schema : schema_embedded_find(fingerprint);
}

static const struct use *use_of(const struct catalog *catalog, const struct schema_use *use)
{
    struct buffer key = {0};
    catalog_use_key(&key, use);
    const struct use *here = table_find(catalog->uses, buffer_span(&key));
    buffer_fini(&key);
    return here != NULL && here->offset <= use->offset ? here : NULL;
}

bool catalog_has_use(const struct catalog *catalog, const struct schema_use *use)
{
    return use_of(catalog, use) != NULL;
}

const struct schema *catalog_schema_named(const struct catalog *catalog, struct span name)
{
    const struct use *use = table_find(catalog->uses, name);
    return use == NULL ? NULL : catalog_schema(catalog, use->fingerprint);
}

enum schema_answer catalog_schema_of(const struct catalog *catalog, const struct schema_use *use,
                                     const struct schema **out_schema, struct reason *out_reason)
{
    const struct use *here = use_of(catalog, use);
    if (here != NULL) {
        *out_schema = catalog_schema(catalog, here->fingerprint);
        return *out_schema != NULL ? SCHEMA_FOUND : SCHEMA_AWAITED; /* in another partition */
    }
    if (catalog->lookup.find == NULL)
        return SCHEMA_MISSING;
    return catalog->lookup.find(catalog->lookup.context, use, out_schema, out_reason);
}

const json_t *catalog_version(const struct catalog *catalog, struct span model, struct span version)
{
    struct buffer key = key_of(model, version, (struct span){0});
    const json_t *record = table_find(catalog->versions, buffer_span(&key));
    buffer_fini(&key);
    return record;
}

size_t catalog_contracts(const struct catalog *catalog, const struct contract ***out_list)
{
    struct table_entry *entries = table_sorted(catalog->models);
    const struct contract **list = heap_zeroed(0, sizeof *list);
    size_t count = 0;
    for (size_t i = 0; i < table_count(catalog->models); i++) {
        const struct revisions *revisions = entries[i].value;
        list = heap_resized(list, count + revisions->count, sizeof *list);
        for (size_t j = 0; j < revisions->count; j++)
            list[count++] = revisions->contracts[j];
    }
    heap_release(entries);
    *out_list = list;
    return count;
}

size_t catalog_versions(const struct catalog *catalog, const json_t ***out_list)
{
    const size_t count = table_count(catalog->versions);
    struct table_entry *entries = table_sorted(catalog->versions);
    *out_list = heap_zeroed(count, sizeof **out_list);
    for (size_t i = 0; i < count; i++)
        (*out_list)[i] = entries[i].value;
    heap_release(entries);
    return count;
}

size_t catalog_baselines(const struct catalog *catalog, const struct baseline ***out_list)
{
    const size_t count = table_count(catalog->baselines);
    struct table_entry *entries = table_sorted(catalog->baselines);
    *out_list = heap_zeroed(count, sizeof **out_list);
    for (size_t i = 0; i < count; i++)
        (*out_list)[i] = entries[i].value;
    heap_release(entries);
    return count;
}

void catalog_destroy(struct catalog *catalog)
{
    if (catalog == NULL)
        return;
    size_t cursor = 0;
    for (struct revisions *here; (here = table_next(catalog->models, &cursor, NULL)) != NULL;) {
        for (size_t i = 0; i < here->count; i++)
            contract_destroy(here->contracts[i]);
        heap_release(here->contracts);
        heap_release(here);
    }
    cursor = 0;
    for (json_t *version; (version = table_next(catalog->versions, &cursor, NULL)) != NULL;)
        json_decref(version);
    cursor = 0;
    for (struct baseline *here; (here = table_next(catalog->baselines, &cursor, NULL)) != NULL;)
        baseline_destroy(here);
    cursor = 0;
    for (struct schema *here; (here = table_next(catalog->schemas, &cursor, NULL)) != NULL;)
        schema_destroy(here);
    cursor = 0;
    for (struct use *here; (here = table_next(catalog->uses, &cursor, NULL)) != NULL;)
        heap_release(here);
    table_destroy(catalog->uses);
    table_destroy(catalog->models);
    table_destroy(catalog->versions);
    table_destroy(catalog->baselines);
    table_destroy(catalog->schemas);
    heap_release(catalog);
}
