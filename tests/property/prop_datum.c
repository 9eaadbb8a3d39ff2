/* Goal: datum_encode and datum_decode mean by bytes what avro-c means, for any schema and value;
 * what is accepted of damaged bytes avro-c reads alike. Method: random schemas (all kinds we
 * support, names, references, recursion) and random values; our bytes read by avro-c must hold the
 * value and be written by it again to the same bytes, and the value filled into avro-c by the rules
 * of the test must come back from its bytes. Then bits are flipped, bytes cut, doubled and put in:
 * never a crash, and what we accept avro-c reads as the same value. Damaged bytes that we refuse
 * are not given to avro-c: it believes their claims of size. A failure prints its seed;
 * PLUMB_SEED=n begins there. */
#include "avro/datum.h"
#include "memory/heap.h"
#include "tests/support/oracle.h"
#include "tests/support/random_avro.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { SCHEMAS = 300, VALUES = 6, DAMAGES = 40 };

static uint64_t seed;

/* ---- the property ---- */

/* Keys and symbols with a zero byte end early in avro-c; texts elsewhere do not. */
static bool has_zero_key(const json_t *value)
{
    bool found = false;
    for (size_t i = 0; i < json_array_size(value); i++)
        found = found || has_zero_key(json_array_get(value, i));
    json_t *object = (json_t *)(uintptr_t)value; /* jansson's walk takes no const */
    for (void *walk = json_object_iter(object); walk != NULL;
         walk = json_object_iter_next(object, walk))
        found = found || strlen(json_object_iter_key(walk)) != json_object_iter_key_len(walk) ||
                has_zero_key(json_object_iter_value(walk));
    return found;
}

/* Damage can make two keys of a map equal: with us the last entry counts, avro-c mixes both. Then
 * our bytes of the value are fewer (or none, where a NaN became null as well). */
static bool has_lost_bytes(const struct schema *schema, const json_t *value, size_t size)
{
    struct buffer bytes = {0};
    struct reason reason = {""};
    const bool lost =
        datum_encode(schema, value, &bytes, &reason) != FAULT_NONE || bytes.size < size;
    buffer_fini(&bytes);
    return lost;
}

static struct span written(struct oracle *oracle)
{
    size_t size = 0;
    const void *bytes = oracle_write(oracle, &size);
    assert_non_null(bytes);
    return span_of(bytes, size);
}

static size_t accepted, refused;

static void check_damaged(const struct schema *schema, struct oracle *oracle, struct span sound)
{
    struct buffer bytes = {0};
    buffer_append_span(&bytes, sound);
    for (size_t i = 1 + random_avro_below(3); i > 0; i--)
        random_avro_damage(&bytes);
    json_t *value = NULL;
    struct reason reason = {""};
    const enum fault fault = datum_decode(schema, buffer_span(&bytes), &value, &reason);
    if (fault == FAULT_NONE) {
        accepted++;
        assert_true(oracle_read(oracle, bytes.bytes, bytes.size));
        assert_true(oracle_holds(oracle, value) || has_zero_key(value) ||
                    has_lost_bytes(schema, value, bytes.size));
        json_decref(value);
    } else {
        refused++;
        assert_true(fault == FAULT_RECORD_MALFORMED || fault == FAULT_LIMIT_EXCEEDED);
        assert_true(reason.text[0] != '\0');
    }
    buffer_fini(&bytes);
}

static void check_value(const struct schema *schema, struct oracle *oracle, const json_t *value)
{
    struct buffer bytes = {0};
    struct reason reason = {""};
    if (datum_encode(schema, value, &bytes, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    assert_true(oracle_read(oracle, bytes.bytes, bytes.size));
    assert_true(oracle_holds(oracle, value));
    assert_true(span_equal(written(oracle), buffer_span(&bytes)));

    assert_true(oracle_fill(oracle, value));
    json_t *again = NULL;
    if (datum_decode(schema, written(oracle), &again, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    assert_true(json_equal(again, value));
    json_decref(again);

    for (size_t i = 0; i < DAMAGES; i++)
        check_damaged(schema, oracle, buffer_span(&bytes));
    buffer_fini(&bytes);
}

static void check_schema(void)
{
    struct buffer text_made = {0};
    random_avro_schema(&text_made, false);
    struct schema *schema = NULL;
    struct reason reason = {""};
    const struct span text = buffer_span(&text_made);
    if (schema_parse(text, &schema, &reason) != FAULT_NONE)
        fail_msg("%.*s: %s", (int)text.size, (const char *)text.bytes, reason.text);
    struct oracle *oracle = oracle_open((const char *)text.bytes, text.size);
    assert_non_null(oracle);
    for (size_t i = 0; i < VALUES; i++) {
        json_t *value = random_avro_value(schema_root(schema));
        check_value(schema, oracle, value);
        json_decref(value);
    }
    oracle_close(oracle);
    schema_destroy(schema);
    buffer_fini(&text_made);
}

static void prop_datum(void **state)
{
    (void)state;
    const char *given = getenv("PLUMB_SEED");
    const uint64_t first = given == NULL ? 20240607 : strtoull(given, NULL, 10);
    for (size_t i = 0; i < SCHEMAS; i++) {
        seed = first + i;
        random_avro_begin(seed);
        check_schema();
    }
    assert_true(accepted > 100 && refused > 100); /* else the damage says nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(prop_datum)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed != 0)
        (void)fprintf(stderr, "replay: PLUMB_SEED=%" PRIu64 "\n", seed);
    return failed;
}
