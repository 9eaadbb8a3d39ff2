#include "fold_fixture.h"
#include "memory/heap.h"
#include "model/publication.h"

static void apply(struct catalog *catalog, enum topic topic, struct buffer *key,
                  struct buffer *value)
{
    struct reason reason = {""};
    const struct record record = {
        .topic = topic, .key = buffer_span(key), .value = buffer_span(value)};
    if (catalog_apply(catalog, &record, &reason) != FAULT_NONE) {
        (void)fprintf(stderr, "%s\n", reason.text);
        UNREACHABLE("a fixture's record was refused");
    }
    buffer_fini(key);
    buffer_fini(value);
}

void fold_contract(struct catalog *catalog, const char *yaml, int32_t revision,
                   int64_t effective_from_ms, const struct baseline *baseline)
{
    struct contract *contract = NULL;
    struct reason reason = {""};
    struct buffer key = {0}, value = {0};
    if (contract_parse("fixture.yaml", span_text(yaml), &contract, &reason) != FAULT_NONE) {
        (void)fprintf(stderr, "%s\n", reason.text);
        UNREACHABLE("a fixture's contract was refused");
    }
    publication_contract(contract,
                         &(struct publication){.revision = revision,
                                               .effective_from_ms = effective_from_ms,
                                               .applied_at_ms = effective_from_ms,
                                               .baselines = &baseline,
                                               .baseline_count = baseline == NULL ? 0 : 1},
                         &key, &value);
    apply(catalog, TOPIC_MODEL_CONTRACTS, &key, &value);
    contract_destroy(contract);
}

void fold_baseline(struct catalog *catalog, const struct baseline *baseline)
{
    for (size_t i = 0; i < baseline_record_count(baseline); i++) {
        struct buffer key = {0}, value = {0};
        publication_baseline(baseline, i, &key, &value);
        apply(catalog, TOPIC_MODEL_BASELINES, &key, &value);
    }
}

static void *open_shard(const struct fold *fold)
{
    return fold->service->open(
        &(struct service_environment){.catalog = fold->catalog, .topic = fold->service->inputs[0]});
}

void fold_open(struct fold *fold, const struct service *service, const struct catalog *catalog,
               enum fold_care care)
{
    *fold = (struct fold){.service = service,
                          .catalog = catalog,
                          .care = care,
                          .outputs = outputs_create(),
                          .changes = changes_create(),
                          .stored = table_create()};
    fold->shard = open_shard(fold);
}

static void drop(struct buffer *bytes)
{
    if (bytes == NULL)
        return;
    buffer_fini(bytes);
    heap_release(bytes);
}

static void check_unchanged(struct fold *fold)
{
    changes_clear(fold->changes);
    fold->service->save(fold->shard, fold->changes);
    REQUIRE(changes_size(fold->changes) == 0);
}

static void store(struct fold *fold)
{
    changes_clear(fold->changes);
    fold->service->save(fold->shard, fold->changes);
    for (size_t i = 0; i < changes_size(fold->changes); i++) {
        const struct change *change = changes_at(fold->changes, i);
        drop(table_remove(fold->stored, change->field));
        if (change->bytes.bytes == NULL)
            continue;
        struct buffer *bytes = heap_zeroed(1, sizeof *bytes);
        buffer_append_span(bytes, change->bytes);
        (void)table_put(fold->stored, change->field, bytes);
    }
    check_unchanged(fold); /* nor has what was just saved */
}

enum fault fold_restore(struct fold *fold)
{
    store(fold);
    fold->service->close(fold->shard);
    fold->shard = open_shard(fold);
    struct span field;
    size_t cursor = 0;
    const struct buffer *bytes;
    while ((bytes = table_next(fold->stored, &cursor, &field)) != NULL) {
        const enum fault fault = fold->service->load(fold->shard, field, buffer_span(bytes));
        if (fault != FAULT_NONE)
            return fault;
    }
    check_unchanged(fold); /* what was just loaded has not changed */
    return FAULT_NONE;
}

static enum fault step(struct fold *fold, enum fault fault)
{
    if (fault == FAULT_NONE && fold->care == FOLD_SAVED)
        store(fold);
    if (fault == FAULT_NONE && fold->care == FOLD_RESTORED)
        REQUIRE(fold_restore(fold) == FAULT_NONE);
    return fault;
}

enum fault fold_give(struct fold *fold, enum topic topic, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    REQUIRE(text != NULL);
    const struct record record = {
        .topic = topic, .offset = fold->offset++, .value = span_text(text)};
    const enum fault fault = fold->service->handle(fold->shard, &record, fold->outputs);
    heap_release(text);
    json_decref(value);
    return step(fold, fault);
}

enum fault fold_advance(struct fold *fold, enum topic topic, int64_t time_ms)
{
    return step(fold, fold->service->advance(fold->shard, topic, time_ms, fold->outputs));
}

size_t fold_stored(const struct fold *fold)
{
    return table_count(fold->stored);
}

size_t fold_size(const struct fold *fold)
{
    return outputs_size(fold->outputs);
}

json_t *fold_output(const struct fold *fold, size_t index)
{
    const struct record record = outputs_record(fold->outputs, index, 0, (int64_t)index);
    json_t *value = NULL;
    struct reason reason;
    REQUIRE(record_json(&record, &value, &reason) == FAULT_NONE);
    return value;
}

double fold_counted(const struct fold *fold, const char *metric, const char *label)
{
    double sum = 0;
    for (size_t i = 0; i < tally_size(outputs_counts(fold->outputs)); i++) {
        const struct tally_entry *count = tally_at(outputs_counts(fold->outputs), i);
        if (strcmp(count->metric, metric) == 0 &&
            (label == NULL || (count->label != NULL && strcmp(count->label, label) == 0)))
            sum += count->more;
    }
    return sum;
}

void fold_clear(struct fold *fold)
{
    outputs_clear(fold->outputs);
}

void fold_close(struct fold *fold)
{
    size_t cursor = 0;
    struct buffer *bytes;
    while ((bytes = table_next(fold->stored, &cursor, NULL)) != NULL)
        drop(bytes);
    table_destroy(fold->stored);
    fold->service->close(fold->shard);
    outputs_destroy(fold->outputs);
    changes_destroy(fold->changes);
}
