/* Goal: enrichment is written and read exactly as its schema says, and bytes that nobody vouches
 * for are refused or read, never trusted. Method: a record encoded by datum.h with
 * schemas/inference.validated.avsc is read; what enrichment_write gives must be the same bytes.
 * Then every cut of it, every flip of a byte, blocks with sizes, and claims that the bytes do not
 * hold. */
#include "avro/datum.h"
#include "avro/wire.h"
#include "memory/heap.h"
#include "model/enrichment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after the system's */
#include <cmocka.h>

static struct buffer encoded(const char *enrichment)
{
    json_error_t error;
    json_t *event = json_loads("{\"event_id\": \"e\", \"event_time\": 5, \"model_name\": \"m\", "
                               "\"model_version\": \"1\", \"features\": {}, \"prediction\": 1}",
                               0, &error);
    json_t *value =
        json_pack("{s:o, s:o}", "enrichment", json_loads(enrichment, 0, &error), "event", event);
    assert_non_null(value);
    struct buffer bytes = {0};
    struct reason reason = {""};
    if (datum_encode(schema_embedded("inference.validated"), value, &bytes, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    json_decref(value);
    return bytes;
}

static const char full[] =
    "{\"source\": \"inference.events:3\", \"offset\": 12, \"arrival\": 862000000123, \"kind\": "
    "\"EVENT\", \"schema\": \"00c0ffee12345678\", \"contract_revision\": 7, \"lateness\": "
    "\"LATE\", \"reasons\": [{\"reason\": \"range\", \"column\": \"amount\"}, {\"reason\": "
    "\"null_value\", \"column\": \"country\"}], \"duplicate\": true, \"out_of_distribution\": "
    "{\"share\": 0.25, \"largest_z\": -3.5}, \"segments\": {\"region\": \"eu\"}, \"lookup\": "
    "\"match\"}";
static const char least[] =
    "{\"source\": \"\", \"offset\": -1, \"arrival\": -5, \"kind\": \"LABEL\", \"schema\": "
    "\"ffffffffffffffff\", \"contract_revision\": 0, \"lateness\": \"NONE\"}";

static void assert_writes(const struct enrichment *enrichment, const struct buffer *bytes,
                          size_t used)
{
    struct buffer written = {0};
    enrichment_write(&written, enrichment);
    assert_int_equal(written.size, used);
    assert_memory_equal(written.bytes, bytes->bytes, used);
    buffer_fini(&written);
}

static void test_full(void **state)
{
    (void)state;
    struct buffer bytes = encoded(full);
    struct enrichment read = {0};
    size_t used;
    assert_int_equal(enrichment_read(buffer_span(&bytes), &read, &used), FAULT_NONE);
    assert_true(span_is(read.source, "inference.events:3"));
    assert_true(read.offset == 12 && read.arrival_ms == 862000000123);
    assert_int_equal(read.kind, ENRICHMENT_EVENT);
    assert_true(read.schema == 0x00c0ffee12345678);
    assert_int_equal(read.contract_revision, 7);
    assert_int_equal(read.lateness, ENRICHMENT_LATE);
    assert_int_equal(read.reason_count, 2);
    assert_true(span_is(read.reasons[0].reason, "range"));
    assert_true(span_is(read.reasons[0].column, "amount"));
    assert_true(span_is(read.reasons[1].column, "country"));
    assert_true(read.duplicate && read.has_out_of_distribution);
    assert_true(read.out_of_distribution_share == 0.25);
    assert_true(read.out_of_distribution_largest_z == -3.5);
    assert_int_equal(read.segment_count, 1);
    assert_true(span_is(read.segments[0].name, "region"));
    assert_true(span_is(read.segments[0].value, "eu"));
    assert_true(span_is(read.lookup, "match"));
    assert_writes(&read, &bytes, used);
    struct span source;
    int64_t arrival_ms;
    assert_true(enrichment_peek(buffer_span(&bytes), &source, &arrival_ms));
    assert_true(span_is(source, "inference.events:3") && arrival_ms == 862000000123);
    enrichment_fini(&read);
    buffer_fini(&bytes);
}

static void test_least(void **state)
{
    (void)state;
    struct buffer bytes = encoded(full), small = encoded(least);
    struct enrichment read = {0};
    size_t used;
    assert_int_equal(enrichment_read(buffer_span(&bytes), &read, &used), FAULT_NONE);
    /* Nothing of the record before is left. */
    assert_int_equal(enrichment_read(buffer_span(&small), &read, &used), FAULT_NONE);
    assert_int_equal(read.kind, ENRICHMENT_LABEL);
    assert_int_equal(read.lateness, ENRICHMENT_NONE);
    assert_true(read.schema == UINT64_MAX && read.offset == -1 && read.arrival_ms == -5);
    assert_int_equal(read.reason_count + read.segment_count, 0);
    assert_false(read.duplicate || read.has_out_of_distribution);
    assert_null(read.lookup.bytes);
    assert_writes(&read, &small, used);
    enrichment_fini(&read);
    buffer_fini(&bytes);
    buffer_fini(&small);
}

static void test_built(void **state)
{
    (void)state;
    struct buffer bytes = encoded(full);
    struct enrichment built = {.source = span_text("inference.events:3"),
                               .offset = 12,
                               .arrival_ms = 862000000123,
                               .schema = 0x00c0ffee12345678,
                               .contract_revision = 7,
                               .lateness = ENRICHMENT_LATE,
                               .duplicate = true,
                               .has_out_of_distribution = true,
                               .out_of_distribution_share = 0.25,
                               .out_of_distribution_largest_z = -3.5,
                               .lookup = span_text("match")};
    enrichment_add_reason(&built, span_text("range"), span_text("amount"));
    enrichment_add_reason(&built, span_text("null_value"), span_text("country"));
    enrichment_add_segment(&built, span_text("region"), span_text("eu"));
    struct enrichment read = {0};
    size_t used;
    assert_int_equal(enrichment_read(buffer_span(&bytes), &read, &used), FAULT_NONE);
    assert_writes(&built, &bytes, used);
    enrichment_clear(&built);
    assert_int_equal(built.reason_count + built.segment_count, 0);
    enrichment_fini(&built);
    enrichment_fini(&read);
    buffer_fini(&bytes);
}

/* An array may come in several blocks, and a block may tell its size. */
static void test_blocks(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    wire_write_bytes(&bytes, span_text("t:0"));
    wire_write_long(&bytes, 1);
    wire_write_long(&bytes, 2);
    wire_write_long(&bytes, 0);
    wire_write_bytes(&bytes, span_text("0123456789abcdef"));
    wire_write_long(&bytes, 3);
    wire_write_long(&bytes, 0);
    const char *const columns[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++) {
        wire_write_long(&bytes, i == 1 ? 1 : -1);
        if (i != 1)
            wire_write_long(&bytes, 9);
        wire_write_bytes(&bytes, span_text("range"));
        wire_write_bytes(&bytes, span_text(columns[i]));
    }
    const uint8_t rest[] = {0, 0, 0, 0, 0}; /* ends, false, null, no segments, null */
    buffer_append(&bytes, rest, sizeof rest);
    struct enrichment read = {0};
    size_t used;
    assert_int_equal(enrichment_read(buffer_span(&bytes), &read, &used), FAULT_NONE);
    assert_int_equal(used, bytes.size);
    assert_int_equal(read.reason_count, 3);
    assert_true(span_is(read.reasons[2].column, "c"));
    assert_true(read.schema == 0x0123456789abcdef);
    enrichment_fini(&read);
    buffer_fini(&bytes);
}

static void test_hostile(void **state)
{
    (void)state;
    struct buffer bytes = encoded(full);
    struct enrichment read = {0};
    size_t used = 0, whole;
    assert_int_equal(enrichment_read(buffer_span(&bytes), &read, &whole), FAULT_NONE);
    for (size_t size = 0; size < whole; size++) {
        uint8_t *cut = heap_copied(bytes.bytes, size); /* so that a sanitizer sees its end */
        assert_int_equal(enrichment_read(span_of(cut, size), &read, &used), FAULT_RECORD_MALFORMED);
        heap_release(cut);
    }
    for (size_t i = 0; i < whole; i++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            uint8_t *flipped = heap_copied(bytes.bytes, whole);
            flipped[i] = (uint8_t)byte;
            if (enrichment_read(span_of(flipped, whole), &read, &used) == FAULT_NONE)
                assert_true(used <= whole);
            heap_release(flipped);
        }
    }
    assert_int_equal(enrichment_read(span_of(NULL, 0), &read, &used), FAULT_RECORD_MALFORMED);
    enrichment_fini(&read);
    buffer_fini(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full),   cmocka_unit_test(test_least),   cmocka_unit_test(test_built),
        cmocka_unit_test(test_blocks), cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
