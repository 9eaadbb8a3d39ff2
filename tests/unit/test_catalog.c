/* Goal: the catalog knows what the tables say, in any order of reading, whole or not yet, and says
 * why it does not take a record. Method: records in both framings, encoded by our own schemas; the
 * baseline comes from rows written here. */
#include "avro/datum.h"
#include "avro/wire.h"
#include "memory/heap.h"
#include "model/catalog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <unistd.h>

#define CONTRACT                                                                                   \
    "model: m\ntask: binary\npositive: up\nowner: o\nrunbook: r\n"                                 \
    "columns: {a: {type: number}, b: {type: category}}\n"

static enum fault apply_bytes(struct catalog *catalog, enum topic topic, struct span value,
                              struct reason *out_reason)
{
    const struct record record = {.topic = topic, .value = value};
    return catalog_apply(catalog, &record, out_reason);
}

/* Takes the value: single-object framed, or as JSON text. */
static enum fault apply(struct catalog *catalog, enum topic topic, json_t *value, bool as_text,
                        struct reason *out_reason)
{
    const struct schema *schema = schema_embedded(topic_row(topic)->schema);
    struct buffer bytes = {0};
    assert_non_null(value);
    if (as_text) {
        char *text = json_dumps(value, 0);
        buffer_append(&bytes, text, strlen(text));
        free(text);
    } else {
        struct reason reason = {{0}};
        wire_write_frame(&bytes, schema_fingerprint(schema));
        if (datum_encode(schema, value, &bytes, &reason) != FAULT_NONE)
            fail_msg("%s", reason.text);
    }
    json_decref(value);
    const enum fault fault = apply_bytes(catalog, topic, buffer_span(&bytes), out_reason);
    buffer_fini(&bytes);
    return fault;
}

/* A revision that names a baseline for version "2" and one for any. */
static json_t *revision_of(const char *model, int revision, int64_t effective_from,
                           const char *text, const char *hash)
{
    return json_pack("{s:s, s:i, s:I, s:I, s:s, s:[{s:s, s:s, s:i}, {s:s, s:s, s:i}]}", "model",
                     model, "revision", revision, "effective_from", (json_int_t)effective_from,
                     "applied_at", (json_int_t)0, "text", text, "baselines", "version", "2", "hash",
                     "other", "column_count", 1, "version", "", "hash", hash, "column_count", 2);
}

static struct baseline *baseline_of_rows(void)
{
    char path[] = "/tmp/test_catalog_XXXXXX.csv";
    const int file = mkstemps(path, 4);
    static const char rows[] = "a,b,prediction,score\n1,x,1,0.5\n2,y,0,0.25\n3,x,1,0.75\n";
    assert_true(file >= 0);
    assert_int_equal(write(file, rows, sizeof rows - 1), (ssize_t)sizeof rows - 1);
    assert_int_equal(close(file), 0);
    struct contract *contract = NULL;
    struct baseline *baseline = NULL;
    struct reason reason = {{0}};
    assert_int_equal(contract_parse("c", span_text(CONTRACT), &contract, NULL), FAULT_NONE);
    if (baseline_build(contract, "", path, &baseline, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    contract_destroy(contract);
    assert_int_equal(unlink(path), 0);
    return baseline;
}

static void test_empty(void **state)
{
    (void)state;
    struct catalog *catalog = catalog_create();
    const struct contract **contracts;
    const json_t **versions;
    const struct baseline **baselines;
    assert_false(catalog_knows_model(catalog, span_text("m")));
    assert_null(catalog_contract(catalog, span_text("m"), 1));
    assert_null(catalog_contract_at(catalog, span_text("m"), INT64_MAX));
    assert_null(catalog_version(catalog, span_text("m"), span_text("1")));
    assert_null(catalog_schema(catalog, 1));
    assert_int_equal(catalog_contracts(catalog, &contracts), 0);
    assert_int_equal(catalog_versions(catalog, &versions), 0);
    assert_int_equal(catalog_baselines(catalog, &baselines), 0);
    heap_release(contracts);
    heap_release(versions);
    heap_release(baselines);
    catalog_destroy(catalog);
    catalog_destroy(NULL);
}

/* Revisions come in any order; the newest whose time has come is chosen. */
static void test_revisions(void **state)
{
    (void)state;
    static const int orders[][3] = {{1, 2, 3}, {3, 1, 2}, {2, 3, 1}, {3, 2, 1}};
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        struct catalog *catalog = catalog_create();
        for (size_t j = 0; j < 3; j++)
            assert_int_equal(
                apply(catalog, TOPIC_MODEL_CONTRACTS,
                      revision_of("m", orders[i][j], orders[i][j] == 3 ? 150 : 100, CONTRACT, "h"),
                      (i + j) % 2 == 0, NULL),
                FAULT_NONE);
        assert_true(catalog_knows_model(catalog, span_text("m")));
        assert_false(catalog_knows_model(catalog, span_text("mm")));
        assert_null(catalog_contract_at(catalog, span_text("m"), 99));
        assert_int_equal(catalog_contract_at(catalog, span_text("m"), 100)->revision, 2);
        assert_int_equal(catalog_contract_at(catalog, span_text("m"), 149)->revision, 2);
        assert_int_equal(catalog_contract_at(catalog, span_text("m"), 150)->revision, 3);
        const struct contract *first = catalog_contract(catalog, span_text("m"), 1);
        assert_int_equal(first->revision, 1);
        assert_int_equal(first->effective_from_ms, 100);
        assert_string_equal(first->text, CONTRACT);
        assert_int_equal(first->column_count, 2);
        assert_int_equal(first->baseline_count, 2);
        assert_string_equal(first->baselines[0].version, "2");
        assert_string_equal(first->baselines[1].hash, "h");
        assert_int_equal(first->baselines[1].column_count, 2);
        assert_null(catalog_contract(catalog, span_text("m"), 4));
        /* Again: the same pointer stays. */
        assert_int_equal(apply(catalog, TOPIC_MODEL_CONTRACTS,
                               revision_of("m", 1, 100, CONTRACT, "h"), false, NULL),
                         FAULT_NONE);
        assert_ptr_equal(catalog_contract(catalog, span_text("m"), 1), first);
        catalog_destroy(catalog);
    }
}

static void test_sorted_walks(void **state)
{
    (void)state;
    struct catalog *catalog = catalog_create();
    static const char *const models[] = {"m-b", "m", "a"};
    for (size_t i = 0; i < COUNT_OF(models); i++) {
        char *text = heap_format("model: %s\ntask: regression\nowner: o\nrunbook: r\ncolumns: {}\n",
                                 models[i]);
        for (int revision = 2; revision > 0; revision--) {
            assert_int_equal(apply(catalog, TOPIC_MODEL_CONTRACTS,
                                   revision_of(models[i], revision, 0, text, "h"), false, NULL),
                             FAULT_NONE);
            char *version = heap_format("v%d", revision);
            assert_int_equal(apply(catalog, TOPIC_MODEL_VERSIONS,
                                   json_pack("{s:s, s:s, s:i, s:s}", "model", models[i], "version",
                                             version, "registered_at", 5, "stage", "production"),
                                   true, NULL),
                             FAULT_NONE);
            heap_release(version);
        }
        heap_release(text);
    }
    static const char *const expected[] = {"a", "a", "m", "m", "m-b", "m-b"};
    const struct contract **contracts;
    const json_t **versions;
    assert_int_equal(catalog_contracts(catalog, &contracts), 6);
    assert_int_equal(catalog_versions(catalog, &versions), 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(contracts[i]->model, expected[i]);
        assert_int_equal(contracts[i]->revision, i % 2 + 1);
        assert_string_equal(json_string_value(json_object_get(versions[i], "model")), expected[i]);
        assert_string_equal(json_string_value(json_object_get(versions[i], "version")),
                            i % 2 == 0 ? "v1" : "v2");
    }
    heap_release(contracts);
    heap_release(versions);
    const json_t *version = catalog_version(catalog, span_text("m"), span_text("v2"));
    assert_string_equal(json_string_value(json_object_get(version, "stage")), "production");
    assert_true(json_is_null(json_object_get(version, "git_commit"))); /* the schema's default */
    assert_int_equal(apply(catalog, TOPIC_MODEL_VERSIONS,
                           json_pack("{s:s, s:s, s:i, s:s}", "model", "m", "version", "v2",
                                     "registered_at", 6, "stage", "archived"),
                           false, NULL),
                     FAULT_NONE);
    version = catalog_version(catalog, span_text("m"), span_text("v2"));
    assert_string_equal(json_string_value(json_object_get(version, "stage")), "archived");
    catalog_destroy(catalog);
}

/* A baseline counts only when all its columns have been read. */
static void test_baseline(void **state)
{
    (void)state;
    struct catalog *catalog = catalog_create();
    struct baseline *built = baseline_of_rows();
    assert_int_equal(baseline_record_count(built), 4);
    assert_int_equal(apply(catalog, TOPIC_MODEL_CONTRACTS,
                           revision_of("m", 1, 0, CONTRACT, built->hash), false, NULL),
                     FAULT_NONE);
    const struct contract *contract = catalog_contract(catalog, span_text("m"), 1);
    const struct baseline *baseline = NULL;
    for (size_t i = 4; i > 0; i--) {
        assert_int_equal(catalog_baseline(catalog, contract, span_text("1"), &baseline),
                         FAULT_TABLE_BEHIND);
        for (int again = 0; again < 2; again++)
            assert_int_equal(apply(catalog, TOPIC_MODEL_BASELINES, baseline_record(built, i - 1),
                                   i % 2 == 0, NULL),
                             FAULT_NONE);
    }
    assert_int_equal(catalog_baseline(catalog, contract, span_text("1"), &baseline), FAULT_NONE);
    assert_non_null(baseline);
    assert_string_equal(baseline->hash, built->hash);
    assert_int_equal(baseline->column_count, 4);
    assert_int_equal(baseline_column(baseline, "a")->rows, 3);
    /* The exact version's own goes first, and that has not come. */
    assert_int_equal(catalog_baseline(catalog, contract, span_text("2"), &baseline),
                     FAULT_TABLE_BEHIND);
    const struct baseline **baselines;
    assert_int_equal(catalog_baselines(catalog, &baselines), 1);
    assert_ptr_equal(baselines[0], baseline);
    heap_release(baselines);

    json_t *bare = revision_of("m", 2, 0, CONTRACT, "h");
    assert_int_equal(json_array_clear(json_object_get(bare, "baselines")), 0);
    assert_int_equal(apply(catalog, TOPIC_MODEL_CONTRACTS, bare, false, NULL), FAULT_NONE);
    contract = catalog_contract(catalog, span_text("m"), 2);
    assert_int_equal(catalog_baseline(catalog, contract, span_text("1"), &baseline), FAULT_NONE);
    assert_null(baseline);
    baseline_destroy(built);
    catalog_destroy(catalog);
}

static void test_schemas(void **state)
{
    (void)state;
    struct catalog *catalog = catalog_create();
    const struct schema *own = schema_embedded("measurements");
    assert_ptr_equal(catalog_schema(catalog, schema_fingerprint(own)), own);
    static const char text[] = "{\"type\": \"record\", \"name\": \"R\", \"fields\": []}";
    struct schema *schema = NULL;
    assert_int_equal(schema_parse(span_text(text), &schema, NULL), FAULT_NONE);
    const uint64_t fingerprint = schema_fingerprint(schema);
    schema_destroy(schema);
    char hex[17];
    (void)snprintf(hex, sizeof hex, "%016" PRIx64, fingerprint);
    struct reason reason = {{0}};
    assert_int_equal(apply(catalog, TOPIC_MODEL_SCHEMAS,
                           json_pack("{s:s, s:s, s:s}", "fingerprint", "0123456789abcdef", "topic",
                                     "t", "text", text),
                           false, &reason),
                     FAULT_RECORD_MALFORMED);
    assert_non_null(strstr(reason.text, "model.schemas: the schema's fingerprint is "));
    assert_null(catalog_schema(catalog, fingerprint));
    assert_int_equal(apply(catalog, TOPIC_MODEL_SCHEMAS,
                           json_pack("{s:s, s:s, s:s}", "fingerprint", hex, "topic", "t", "text",
                                     "{\"type\": \"recrd\"}"),
                           false, &reason),
                     FAULT_SCHEMA_INVALID);
    const struct schema *read = NULL;
    for (int again = 0; again < 2; again++) {
        assert_int_equal(
            apply(catalog, TOPIC_MODEL_SCHEMAS,
                  json_pack("{s:s, s:s, s:s}", "fingerprint", hex, "topic", "t", "text", text),
                  false, NULL),
            FAULT_NONE);
        if (read != NULL)
            assert_ptr_equal(catalog_schema(catalog, fingerprint), read);
        read = catalog_schema(catalog, fingerprint);
        assert_non_null(read);
    }
    assert_int_equal(schema_fingerprint(read), fingerprint);
    catalog_destroy(catalog);
}

static void assert_contract_refused(json_t *value, enum fault expected, const char *text)
{
    struct catalog *catalog = catalog_create();
    struct reason reason = {{0}};
    assert_int_equal(
        apply(catalog, TOPIC_MODEL_CONTRACTS, revision_of("m", 1, 0, CONTRACT, "h"), false, NULL),
        FAULT_NONE);
    assert_int_equal(apply(catalog, TOPIC_MODEL_CONTRACTS, value, false, &reason), expected);
    assert_string_equal(reason.text, text);
    const struct contract **contracts;
    assert_int_equal(catalog_contracts(catalog, &contracts), 1);
    heap_release(contracts);
    catalog_destroy(catalog);
}

/* Without a registry a producer's schema is known from its model version, and labels by what we
 * have built in. */
static void test_event_schema_of_a_version(void **state)
{
    (void)state;
    struct catalog *catalog = catalog_create();
    const struct schema *label = schema_embedded("inference.validated-label");
    assert_ptr_equal(catalog_schema(catalog, schema_fingerprint(label)), label);
    static const char text[] = "{\"type\": \"record\", \"name\": \"Own\", \"fields\": []}";
    struct schema *schema = NULL;
    assert_int_equal(schema_parse(span_text(text), &schema, NULL), FAULT_NONE);
    const uint64_t fingerprint = schema_fingerprint(schema);
    schema_destroy(schema);
    struct reason reason = {{0}};
    assert_int_equal(apply(catalog, TOPIC_MODEL_VERSIONS,
                           json_pack("{s:s, s:s, s:i, s:{}, s:s}", "model", "m", "version", "1",
                                     "registered_at", 1, "metrics", "event_schema", "no schema"),
                           false, &reason),
                     FAULT_SCHEMA_INVALID);
    assert_null(catalog_version(catalog, span_text("m"), span_text("1")));
    for (int again = 0; again < 2; again++) {
        assert_int_equal(apply(catalog, TOPIC_MODEL_VERSIONS,
                               json_pack("{s:s, s:s, s:i, s:{}, s:s}", "model", "m", "version", "1",
                                         "registered_at", 1, "metrics", "event_schema", text),
                               false, NULL),
                         FAULT_NONE);
        assert_non_null(catalog_schema(catalog, fingerprint));
    }
    catalog_destroy(catalog);
}

static void test_refused_contracts(void **state)
{
    (void)state;
    assert_contract_refused(revision_of("m", 2, 0, CONTRACT "rules: []\n", "h"),
                            FAULT_CONTRACT_INVALID,
                            "model.contracts: m@2:7:1: 'rules' is known but not supported by this "
                            "version of Plumbline: remove it");
    assert_contract_refused(revision_of("n", 2, 0, CONTRACT, "h"), FAULT_CONTRACT_INVALID,
                            "model.contracts: n@2: a contract of model m");
    assert_contract_refused(revision_of("m", 0, 0, CONTRACT, "h"), FAULT_CONTRACT_INVALID,
                            "model.contracts: m@0: a contract of model m");
    assert_contract_refused(revision_of("m", 1, 1, CONTRACT, "h"), FAULT_CONTRACT_INVALID,
                            "model.contracts: m@1 is there already, and not the same");
    assert_contract_refused(revision_of("m", 1, 0, CONTRACT, "other"), FAULT_CONTRACT_INVALID,
                            "model.contracts: m@1 is there already, and not the same");
    assert_contract_refused(revision_of("m", 1, 0, CONTRACT "# more\n", "h"),
                            FAULT_CONTRACT_INVALID,
                            "model.contracts: m@1 is there already, and not the same");
}

static void test_refused_bytes(void **state)
{
    (void)state;
    struct catalog *catalog = catalog_create();
    struct reason reason = {{0}};
    /* A deletion, and an empty value, which is none. */
    assert_int_equal(apply_bytes(catalog, TOPIC_MODEL_CONTRACTS, (struct span){0}, NULL),
                     FAULT_NONE);
    assert_int_equal(apply_bytes(catalog, TOPIC_MODEL_CONTRACTS, span_of("", 0), &reason),
                     FAULT_RECORD_MALFORMED);
    assert_string_equal(reason.text, "model.contracts: neither single-object framed nor JSON");
    assert_int_equal(apply_bytes(catalog, TOPIC_MODEL_VERSIONS, span_text("{\"model\": "), &reason),
                     FAULT_RECORD_MALFORMED);
    assert_int_equal(strncmp(reason.text, "model.versions: not JSON: ", 26), 0);
    assert_int_equal(
        apply_bytes(catalog, TOPIC_MODEL_VERSIONS, span_text("{\"model\": \"m\"}"), &reason),
        FAULT_RECORD_MALFORMED);
    struct buffer bytes = {0};
    wire_write_frame(&bytes, 0x0102030405060708);
    assert_int_equal(apply_bytes(catalog, TOPIC_MODEL_BASELINES, buffer_span(&bytes), &reason),
                     FAULT_SCHEMA_UNKNOWN);
    assert_string_equal(reason.text, "model.baselines: written with another schema, "
                                     "0102030405060708");
    buffer_clear(&bytes);
    wire_write_frame(&bytes, schema_fingerprint(schema_embedded("model.baselines")));
    assert_int_equal(apply_bytes(catalog, TOPIC_MODEL_BASELINES, buffer_span(&bytes), &reason),
                     FAULT_RECORD_MALFORMED);
    buffer_fini(&bytes);
    struct baseline *built = baseline_of_rows();
    json_t *record = baseline_record(built, 0);
    assert_int_equal(json_array_clear(json_object_get(record, "counts")), 0);
    assert_int_equal(apply(catalog, TOPIC_MODEL_BASELINES, record, false, &reason),
                     FAULT_RECORD_MALFORMED);
    const struct baseline **baselines;
    assert_int_equal(catalog_baselines(catalog, &baselines), 0);
    heap_release(baselines);
    baseline_destroy(built);
    catalog_destroy(catalog);
}

/* The name is known where it was said, from the offset on; elsewhere only by catalog_schema_named;
 * the first word counts, and the lookup is asked for nothing that the table says. */
static void test_named_schemas(void **state)
{
    (void)state;
    struct catalog *catalog = catalog_create();
    const struct schema *own = schema_embedded("measurements"), *found = NULL;
    struct reason reason = {{0}};
    char hex[17];
    (void)snprintf(hex, sizeof hex, "%016" PRIx64, schema_fingerprint(own));
    struct schema_use use = {
        .name = span_text("7"), .topic = TOPIC_INFERENCE_EVENTS, .partition = 3, .offset = 50};
    assert_int_equal(catalog_schema_of(catalog, &use, &found, &reason), SCHEMA_MISSING);
    for (int offset = 50; offset > 40; offset--) /* a later word, also of an earlier offset */
        assert_int_equal(apply(catalog, TOPIC_MODEL_SCHEMAS,
                               json_pack("{s:s, s:s, s:s, s:s, s:i, s:i}", "fingerprint", hex,
                                         "topic", "inference.events", "text", "", "id", "7",
                                         "partition", 3, "offset", offset),
                               false, &reason),
                         FAULT_NONE);
    assert_int_equal(catalog_schema_of(catalog, &use, &found, &reason), SCHEMA_FOUND);
    assert_ptr_equal(found, own);
    assert_true(catalog_has_use(catalog, &use));
    use.offset = 49;
    assert_int_equal(catalog_schema_of(catalog, &use, &found, &reason), SCHEMA_MISSING);
    use.offset = 60;
    use.partition = 4;
    assert_int_equal(catalog_schema_of(catalog, &use, &found, &reason), SCHEMA_MISSING);
    assert_false(catalog_has_use(catalog, &use));
    assert_ptr_equal(catalog_schema_named(catalog, span_text("7")), own);
    assert_null(catalog_schema_named(catalog, span_text("8")));
    /* The name is here before the schema that it means. */
    assert_int_equal(apply(catalog, TOPIC_MODEL_SCHEMAS,
                           json_pack("{s:s, s:s, s:s, s:s, s:i, s:i}", "fingerprint",
                                     "0123456789abcdef", "topic", "inference.events", "text", "",
                                     "id", "8", "partition", 4, "offset", 1),
                           false, &reason),
                     FAULT_NONE);
    use.name = span_text("8");
    assert_int_equal(catalog_schema_of(catalog, &use, &found, &reason), SCHEMA_AWAITED);
    static const char *const wrong[][2] = {{"0123456789abcdeg", "inference.events"},
                                           {"0123", "inference.events"},
                                           {"0123456789abcdef", "nowhere"}};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(apply(catalog, TOPIC_MODEL_SCHEMAS,
                               json_pack("{s:s, s:s, s:s, s:s}", "fingerprint", wrong[i][0],
                                         "topic", wrong[i][1], "text", "", "id", "9"),
                               false, &reason),
                         FAULT_RECORD_MALFORMED);
    catalog_destroy(catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_revisions),
        cmocka_unit_test(test_sorted_walks),
        cmocka_unit_test(test_baseline),
        cmocka_unit_test(test_schemas),
        cmocka_unit_test(test_named_schemas),
        cmocka_unit_test(test_event_schema_of_a_version),
        cmocka_unit_test(test_refused_contracts),
        cmocka_unit_test(test_refused_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
