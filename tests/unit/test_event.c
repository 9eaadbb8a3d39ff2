/* Goal: an event is read out of Avro bytes by the writer's own schema, whatever its fields' order
 * and types, and bad schemas and bytes are refused with the field's name. Method: events encoded by
 * datum_encode (checked against avro-c in prop_datum.c) with schemas written here; every prefix of
 * the bytes and every single-byte change must be refused or read, never crash (ASan sees to it). */
#include "avro/datum.h"
#include "avro/wire.h"
#include "memory/heap.h"
#include "model/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static char amount[] = "amount", country[] = "country", flag[] = "flag", absent[] = "absent";
static struct contract_column columns[] = {
    {.name = amount}, {.name = country}, {.name = flag}, {.name = absent}};
static char up[] = "up";
static char *scores[] = {up};
static const struct contract contract = {.columns = columns,
                                         .column_count = COUNT_OF(columns),
                                         .scores = scores,
                                         .score_count = COUNT_OF(scores)};

struct sample {
    struct schema *schema;
    struct event_reader *reader;
    struct buffer bytes;
    struct event event;
    struct reason reason;
};

/* JSON written with ' for ", to be read by people; a text that has a " is taken as it is. Heap
 * text. */
static char *quoted(const char *text)
{
    char *copy = heap_text(text);
    const bool as_it_is = strchr(text, '"') != NULL;
    for (char *byte = copy; !as_it_is && *byte != '\0'; byte++)
        *byte = *byte == '\'' ? '"' : *byte;
    return copy;
}

static struct schema *parsed(const char *given)
{
    char *text = quoted(given);
    struct schema *schema = NULL;
    struct reason reason = {""};
    if (schema_parse(span_text(text), &schema, &reason) != FAULT_NONE)
        fail_msg("%s: %s", text, reason.text);
    heap_release(text);
    return schema;
}

static void sample_encode(struct sample *sample, const struct schema *schema, const char *given)
{
    char *text = quoted(given);
    json_t *value = json_loads(text, 0, NULL);
    assert_non_null(value);
    if (datum_encode(schema, value, &sample->bytes, &sample->reason) != FAULT_NONE)
        fail_msg("%s", sample->reason.text);
    json_decref(value);
    heap_release(text);
}

static struct sample sample_of(const char *schema, const char *value, const struct contract *of)
{
    struct sample sample = {.schema = parsed(schema)};
    if (event_reader_create(sample.schema, of, &sample.reader, &sample.reason) != FAULT_NONE)
        fail_msg("%s", sample.reason.text);
    sample_encode(&sample, sample.schema, value);
    return sample;
}

static enum fault sample_read(struct sample *sample)
{
    return event_read(sample->reader, buffer_span(&sample->bytes), &sample->event, &sample->reason);
}

static void assert_read(struct sample *sample)
{
    if (sample_read(sample) != FAULT_NONE)
        fail_msg("%s", sample->reason.text);
}

static void sample_close(struct sample *sample)
{
    event_reader_destroy(sample->reader);
    buffer_fini(&sample->bytes);
    schema_destroy(sample->schema);
}

/* Every prefix is refused; every changed byte is refused or read. */
static void assert_sound(struct sample *sample)
{
    struct event event;
    struct reason reason;
    for (size_t size = 0; size < sample->bytes.size; size++)
        assert_int_not_equal(
            event_read(sample->reader, span_of(sample->bytes.bytes, size), &event, &reason),
            FAULT_NONE);
    for (size_t i = 0; i < sample->bytes.size; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            sample->bytes.bytes[i] ^= (uint8_t)(1U << bit);
            const enum fault fault =
                event_read(sample->reader, buffer_span(&sample->bytes), &event, &reason);
            assert_true(fault == FAULT_NONE || fault == FAULT_RECORD_MALFORMED ||
                        fault == FAULT_LIMIT_EXCEEDED);
            sample->bytes.bytes[i] ^= (uint8_t)(1U << bit);
        }
    }
}

/* The schema of our own, features in a map, in another order than the contract's, one unknown. */
static void test_own_schema(void **state)
{
    (void)state;
    const struct span text = schema_text(schema_embedded("inference.events"));
    char *schema = span_copied(text);
    struct sample sample =
        sample_of(schema,
                  "{'event_id': 'e1', 'event_time': 849427200000, 'model_name': 'fraud',"
                  " 'model_version': '3', 'role': 'SHADOW', 'status': 'CACHED',"
                  " 'entity_id': 'c9', 'features': {'country': 'DE', 'more': 1,"
                  " 'amount': 12.5, 'flag': null}, 'prediction': true,"
                  " 'scores': {'down': 0.25, 'up': 0.75}, 'confidence': 0.75,"
                  " 'latency_ms': 4.5, 'embedding': [1.5, 2.5], 'tags': {'a': 'b'},"
                  " 'generation': {'format_ok': true}}",
                  &contract);
    assert_read(&sample);
    const struct event *event = &sample.event;
    assert_true(span_is(event->event_id, "e1"));
    assert_true(span_is(event->request_id, "e1")); /* its default */
    assert_true(span_is(event->model_name, "fraud"));
    assert_true(span_is(event->model_version, "3"));
    assert_true(span_is(event->entity_id, "c9"));
    assert_true(event->event_time_ms == INT64_C(849427200000));
    assert_int_equal(event->role, ROLE_SHADOW);
    assert_int_equal(event->status, STATUS_CACHED);
    assert_int_equal(event->prediction.kind, VALUE_BOOLEAN);
    assert_true(event->prediction.boolean);
    assert_true(event->confidence.number == 0.75);
    assert_true(event->latency_ms.number == 4.5);
    assert_int_equal(event->columns[0].kind, VALUE_DOUBLE);
    assert_true(event->columns[0].number == 12.5);
    assert_int_equal(event->columns[1].kind, VALUE_TEXT);
    assert_true(span_is(event->columns[1].text, "DE"));
    assert_int_equal(event->columns[2].kind, VALUE_NULL);
    assert_int_equal(event->columns[3].kind, VALUE_MISSING);
    assert_int_equal(event->unknown_features, 1);
    assert_true(event->scores[0].number == 0.75);
    assert_sound(&sample);
    sample_close(&sample);
    heap_release(schema);
}

/* A model's own record: other order, typed features, names as enums, fields of its own. */
static const char typed[] =
    "{'type': 'record', 'name': 'x.Event', 'fields': ["
    " {'name': 'extra', 'type': {'type': 'map', 'values': {'type': 'array', 'items': 'int'}}},"
    " {'name': 'features', 'type': {'type': 'record', 'name': 'F', 'fields': ["
    "  {'name': 'flag', 'type': 'int'},"
    "  {'name': 'other', 'type': {'type': 'array', 'items': 'double'}},"
    "  {'name': 'country', 'type': {'type': 'enum', 'name': 'C', 'symbols': ['DE', 'FR']}},"
    "  {'name': 'amount', 'type': ['null', 'float']}]}},"
    " {'name': 'prediction', 'type': 'int'},"
    " {'name': 'model_version', 'type': ['null', 'string']},"
    " {'name': 'model_name', 'type': {'type': 'enum', 'name': 'M', 'symbols': ['fraud']}},"
    " {'name': 'event_time', 'type': {'type': 'long', 'logicalType': 'timestamp-micros'}},"
    " {'name': 'status', 'type': 'string'},"
    " {'name': 'request_id', 'type': 'string'},"
    " {'name': 'event_id', 'type': 'string'}]}";
#define TYPED_VALUE(time, status)                                                                  \
    "{'extra': {'k': [1, 2]},"                                                                     \
    " 'features': {'flag': -7, 'other': [1, 2], 'country': 'FR', 'amount': 0.5},"                  \
    " 'prediction': 1, 'model_version': '2', 'model_name': 'fraud', 'event_time': " time ","       \
    " 'status': '" status "', 'request_id': 'r', 'event_id': 'e'}"

static void test_own_record(void **state)
{
    (void)state;
    struct sample sample = sample_of(typed, TYPED_VALUE("1500", "FALLBACK"), &contract);
    assert_read(&sample);
    const struct event *event = &sample.event;
    assert_true(event->event_time_ms == 1);
    assert_int_equal(event->role, ROLE_CHAMPION); /* no such field */
    assert_int_equal(event->status, STATUS_FALLBACK);
    assert_true(span_is(event->request_id, "r"));
    assert_true(span_is(event->model_name, "fraud"));
    assert_true(span_is(event->model_version, "2"));
    assert_int_equal(event->prediction.kind, VALUE_LONG);
    assert_true(event->prediction.integer == 1 && event->prediction.number == 1.0);
    assert_int_equal(event->confidence.kind, VALUE_MISSING);
    assert_true(event->columns[0].number == 0.5);
    assert_true(span_is(event->columns[1].text, "FR"));
    assert_true(event->columns[2].integer == -7);
    assert_int_equal(event->columns[3].kind, VALUE_MISSING);
    assert_int_equal(event->scores[0].kind, VALUE_MISSING);
    assert_int_equal(event->unknown_features, 1);
    assert_sound(&sample);
    sample_close(&sample);
    sample = sample_of(typed, TYPED_VALUE("-1", "OK"), &contract);
    assert_read(&sample);
    assert_true(sample.event.event_time_ms == -1); /* rounded down */
    sample_close(&sample);
}

static void test_values_between_reads(void **state)
{
    (void)state;
    /* What one event has must not show in the next, which lacks it. */
    char *schema = span_copied(schema_text(schema_embedded("inference.events")));
#define OWN(features)                                                                              \
    "{'event_id':'e','event_time':1,'model_name':'m','model_version':'1',"                         \
    "'features':" features ",'prediction':'x'}"
    struct sample sample = sample_of(schema, OWN("{'amount': 1, 'flag': 'f'}"), &contract);
    assert_read(&sample);
    assert_int_equal(sample.event.columns[2].kind, VALUE_TEXT);
    buffer_clear(&sample.bytes);
    sample_encode(&sample, sample.schema, OWN("{'country': 'DE'}"));
    assert_read(&sample);
    assert_int_equal(sample.event.columns[0].kind, VALUE_MISSING);
    assert_int_equal(sample.event.columns[2].kind, VALUE_MISSING);
    assert_int_equal(sample.event.columns[1].kind, VALUE_TEXT);
    assert_int_equal(sample.event.scores[0].kind, VALUE_MISSING);
    sample_close(&sample);
    heap_release(schema);
}

static void test_envelope(void **state)
{
    (void)state;
    struct sample sample = sample_of(typed, TYPED_VALUE("0", "OK"), NULL);
    assert_read(&sample);
    assert_true(span_is(sample.event.model_name, "fraud"));
    assert_int_equal(sample.event.unknown_features, 0);
    assert_sound(&sample);
    sample_close(&sample);
}

static void test_validated(void **state)
{
    (void)state;
    char *schema = span_copied(schema_text(schema_embedded("inference.validated")));
    struct sample sample =
        sample_of(schema,
                  "{'enrichment': {'source': 'inference.events:0', 'offset': 7, 'arrival': 9,"
                  " 'kind': 'EVENT', 'schema': '0123456789abcdef', 'contract_revision': 1,"
                  " 'lateness': 'ON_TIME', 'reasons': [{'reason': 'range', 'column': 'x'}]},"
                  " 'event': " OWN("{'amount': 3}") "}",
                  &contract);
    assert_read(&sample);
    assert_true(span_is(sample.event.event_id, "e"));
    assert_true(sample.event.columns[0].integer == 3);
    assert_sound(&sample);
    sample_close(&sample);
    heap_release(schema);
}

/* An event's schema of these first fields and the rest as it should be. */
#define EVENT(fields)                                                                              \
    "{'type': 'record', 'name': 'x.Event', 'fields': [" fields                                     \
    " {'name': 'model_name', 'type': 'string'}, {'name': 'model_version', 'type': 'string'},"      \
    " {'name': 'prediction', 'type': 'double'}]}"
#define ID       "{'name': 'event_id', 'type': 'string'},"
#define TIME     "{'name': 'event_time', 'type': 'long'},"
#define FEATURES "{'name': 'features', 'type': {'type': 'map', 'values': 'double'}},"
static const struct {
    const char *schema, *reason;
} refused[] = {
    {"'string'", "an event must be a record"},
    {EVENT(TIME FEATURES), "event_id: the field is missing"},
    {EVENT(ID FEATURES), "event_time: the field is missing"},
    {EVENT(ID TIME), "features: the field is missing"},
    {EVENT("{'name': 'event_id', 'type': ['null', 'long']}," TIME FEATURES),
     "event_id: must be a string"},
    {EVENT(ID "{'name': 'event_time', 'type': 'string'}," FEATURES), "event_time: must be a long"},
    {EVENT(ID "{'name': 'event_time', 'type': {'type': 'long', 'logicalType': "
              "'time-micros'}}," FEATURES),
     "event_time: must be a long"},
    {EVENT(ID TIME "{'name': 'features', 'type': {'type': 'array', 'items': 'double'}},"),
     "features: must be a record or a map"},
};

static void test_schema_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        struct schema *schema = parsed(refused[i].schema);
        struct event_reader *reader = NULL;
        struct reason reason = {""};
        assert_int_equal(event_reader_create(schema, &contract, &reader, &reason),
                         FAULT_SCHEMA_INVALID);
        assert_null(reader);
        if (strncmp(reason.text, refused[i].reason, strlen(refused[i].reason)) != 0)
            fail_msg("%s, not %s", reason.text, refused[i].reason);
        schema_destroy(schema);
    }
}

/* Loose types, so that every refusal of a value can be reached. */
static const char loose[] =
    EVENT("{'name': 'event_id', 'type': ['null', 'string', 'long']},"
          "{'name': 'event_time', 'type': ['null', 'long']},"
          "{'name': 'role', 'type': 'string'},"
          "{'name': 'features', 'type': ['null', 'int', {'type': 'map', 'values': 'string'}]},");
#define LOOSE_VALUE(id, time, role, features)                                                      \
    "{'event_id': " id ", 'event_time': " time ", 'role': '" role "', 'features': " features ","   \
    " 'model_name': 'm', 'model_version': 'v', 'prediction': 1}"
static const struct {
    const char *value, *reason; /* reason NULL: read */
} values[] = {
    {LOOSE_VALUE("'e'", "1", "CANARY", "{}"), NULL},
    {LOOSE_VALUE("'e'", "253402300799999", "CANARY", "null"), NULL},
    {LOOSE_VALUE("null", "1", "CANARY", "{}"), "event_id: is null or empty"},
    {LOOSE_VALUE("''", "1", "CANARY", "{}"), "event_id: is null or empty"},
    {LOOSE_VALUE("7", "1", "CANARY", "{}"), "event_id: not a text"},
    {LOOSE_VALUE("'e'", "null", "CANARY", "{}"), "event_time: not a time"},
    {LOOSE_VALUE("'e'", "253402300800000", "CANARY", "{}"),
     "event_time: not between the years 1 and 9999"},
    {LOOSE_VALUE("'e'", "-9223372036854775808", "CANARY", "{}"),
     "event_time: not between the years 1 and 9999"},
    {LOOSE_VALUE("'e'", "1", "canary", "{}"), "role: not one of its names"},
    {LOOSE_VALUE("'e'", "1", "CANARY", "3"), "features: neither a record nor a map"},
};

static void test_value_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        struct sample sample = sample_of(loose, values[i].value, &contract);
        const enum fault fault = sample_read(&sample);
        assert_int_equal(fault, values[i].reason == NULL ? FAULT_NONE : FAULT_RECORD_MALFORMED);
        if (values[i].reason != NULL)
            assert_string_equal(sample.reason.text, values[i].reason);
        sample_close(&sample);
    }
}

/* What JSON cannot say: texts that are not UTF-8, or have a zero byte; bytes behind the end. */
static void test_bytes_refused(void **state)
{
    (void)state;
    struct sample sample =
        sample_of(loose, LOOSE_VALUE("'e'", "1", "CANARY", "{'amount': 'x'}"), &contract);
    assert_read(&sample);
    struct span text = sample.event.columns[0].text;
    uint8_t *byte = sample.bytes.bytes + (text.bytes - sample.bytes.bytes);
    *byte = 0xff;
    assert_int_equal(sample_read(&sample), FAULT_RECORD_MALFORMED);
    assert_string_equal(sample.reason.text, "features: not UTF-8");
    *byte = 'x';
    byte = sample.bytes.bytes + (sample.event.event_id.bytes - sample.bytes.bytes);
    *byte = 0;
    assert_int_equal(sample_read(&sample), FAULT_RECORD_MALFORMED);
    assert_string_equal(sample.reason.text, "event_id: a text with a zero byte");
    *byte = 'e';
    buffer_append_byte(&sample.bytes, 0);
    assert_int_equal(sample_read(&sample), FAULT_RECORD_MALFORMED);
    assert_string_equal(sample.reason.text, "bytes are left over");
    sample_close(&sample);
}

/* Features of a type that a column cannot have are passed over and said to be OTHER. */
static void test_other(void **state)
{
    (void)state;
    struct sample sample = sample_of(
        EVENT(ID TIME "{'name': 'features', 'type': {'type': 'record', 'name': 'F', 'fields': ["
                      " {'name': 'amount', 'type': ['null', {'type': 'array', 'items': 'int'}]},"
                      " {'name': 'country', 'type': {'type': 'record', 'name': 'G', 'fields': ["
                      "  {'name': 'amount', 'type': 'int'}]}},"
                      " {'name': 'flag', 'type': 'boolean'}]}},"),
        "{'event_id': 'e', 'event_time': 1,"
        " 'features': {'amount': [1, 2], 'country': {'amount': 3}, 'flag': true},"
        " 'model_name': 'm', 'model_version': 'v', 'prediction': 1}",
        &contract);
    assert_read(&sample);
    assert_int_equal(sample.event.columns[0].kind, VALUE_OTHER);
    assert_int_equal(sample.event.columns[1].kind, VALUE_OTHER);
    assert_true(sample.event.columns[2].boolean);
    assert_sound(&sample);
    sample_close(&sample);
}

/* A map of features that claims 2^40 entries of nothing, and a list 10,000 deep to be passed over.
 */
static void test_hostile(void **state)
{
    (void)state;
    struct sample sample = sample_of(
        EVENT("{'name': 'list', 'type': ['null', {'type': 'record', 'name': 'L', 'fields': ["
              " {'name': 'next', 'type': ['null', 'L']}]}]},"
              "{'name': 'features', 'type': {'type': 'map', 'values': 'null'}}," ID TIME),
        "{'list': null, 'features': {}, 'event_id': 'e', 'event_time': 1,"
        " 'model_name': 'm', 'model_version': 'v', 'prediction': 1}",
        &contract);
    assert_read(&sample);
    buffer_clear(&sample.bytes);
    wire_write_long(&sample.bytes, 0);
    wire_write_long(&sample.bytes, INT64_C(1) << 40);
    assert_int_equal(sample_read(&sample), FAULT_LIMIT_EXCEEDED);
    assert_string_equal(sample.reason.text, "features: more items than bytes");
    buffer_clear(&sample.bytes);
    for (int i = 0; i < 10000; i++)
        wire_write_long(&sample.bytes, 1);
    assert_int_equal(sample_read(&sample), FAULT_LIMIT_EXCEEDED);
    assert_string_equal(sample.reason.text, "list: nested deeper than 100");
    sample_close(&sample);
}

/* Columns that are not in features under their own name: nested, of other fields, of two names. */
static void test_sources(void **state)
{
    (void)state;
    static const char yaml[] = "model: m\ntask: regression\nowner: o\nrunbook: r\ncolumns:\n"
                               "  paid: {type: number, source: features.payment.amount}\n"
                               "  first: {type: number, source: embedding.0}\n"
                               "  region: {type: category, source: [tags.area, tags.region]}\n"
                               "  renamed: {type: number, source: [features.old, features.flag]}\n"
                               "  flag: {type: boolean}\n";
    struct contract *sourced = NULL;
    struct reason reason = {""};
    assert_int_equal(contract_parse("c", span_text(yaml), &sourced, &reason), FAULT_NONE);
    struct sample sample = sample_of(
        EVENT(ID TIME "{'name': 'features', 'type': {'type': 'record', 'name': 'F', 'fields': ["
                      " {'name': 'payment', 'type': {'type': 'record', 'name': 'P', 'fields': ["
                      "  {'name': 'amount', 'type': 'float'}]}},"
                      " {'name': 'flag', 'type': 'boolean'}, {'name': 'more', 'type': 'int'}]}},"
                      "{'name': 'embedding', 'type': {'type': 'array', 'items': 'float'}},"
                      "{'name': 'tags', 'type': {'type': 'map', 'values': 'string'}},"),
        "{'event_id': 'e', 'event_time': 1, 'embedding': [0.5, 0.25], 'tags': {'area': 'north'},"
        " 'features': {'payment': {'amount': 2.5}, 'flag': true, 'more': 1},"
        " 'model_name': 'm', 'model_version': 'v', 'prediction': 1}",
        sourced);
    assert_read(&sample);
    const struct value *read = sample.event.columns;
    assert_true(read[0].number - 2.5 == 0.0 && read[1].number - 0.5 == 0.0);
    assert_true(span_is(read[2].text, "north"));
    assert_true(read[3].boolean && read[4].boolean);
    assert_int_equal(sample.event.unknown_features, 1); /* more */
    assert_sound(&sample);
    sample_close(&sample);
    contract_destroy(sourced);
}

static void assert_category(struct value value, const char *expected)
{
    char scratch[40];
    const struct span text = value_category(&value, scratch);
    assert_int_equal(text.size, strlen(expected));
    assert_true(span_is(text, expected));
}

static struct value number(double of)
{
    return (struct value){.kind = VALUE_DOUBLE, .number = of};
}

static void test_category(void **state)
{
    (void)state;
    assert_category((struct value){.kind = VALUE_LONG, .integer = 1}, "1");
    assert_category((struct value){.kind = VALUE_LONG, .integer = INT64_MIN},
                    "-9223372036854775808");
    assert_category((struct value){.kind = VALUE_BOOLEAN, .boolean = true}, "true");
    assert_category((struct value){.kind = VALUE_BOOLEAN}, "false");
    assert_category((struct value){.kind = VALUE_TEXT, .text = span_text("DE")}, "DE");
    assert_category((struct value){.kind = VALUE_NULL}, "");
    assert_category(number(1.0), "1");
    assert_category(number(-0.0), "0");
    assert_category(number(0.1), "0.1");
    assert_category(number(1.0 / 3.0), "0.3333333333333333");
    assert_category(number(0.1 + 0.2), "0.30000000000000004");
    assert_category(number(1e17), "100000000000000000");
    assert_category(number(1e300), "1e+300");
    assert_category(number(-9223372036854775808.0), "-9223372036854775808");
    assert_category(number(9223372036854775808.0), "9.223372036854776e+18");
    assert_category(number(-2.2250738585072014e-308), "-2.2250738585072014e-308");
    assert_category(number(strtod("inf", NULL)), "inf");
    assert_category(number(strtod("nan", NULL)), "nan");
    assert_category(number(strtod("-nan", NULL)), "nan");
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(event_role_name(ROLE_CANARY), "CANARY");
    assert_string_equal(event_status_name(STATUS_ABSTAINED), "ABSTAINED");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_schema),
        cmocka_unit_test(test_own_record),
        cmocka_unit_test(test_values_between_reads),
        cmocka_unit_test(test_envelope),
        cmocka_unit_test(test_validated),
        cmocka_unit_test(test_schema_refused),
        cmocka_unit_test(test_value_refused),
        cmocka_unit_test(test_bytes_refused),
        cmocka_unit_test(test_other),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_category),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
