/* Goal: what an id means is the log's word first: a replayed record is told what it was told when
 * it was live, whatever is known by now; and a replay begins only when the log's word is read.
 * Method: a driver with one seat and no clients; the catalog is fed by records. */
#include "avro/datum.h"
#include "avro/wire.h"
#include "memory/heap.h"
#include "service/driver.h"
#include "services/validator/validator.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { LIVE_FROM = 50 };

struct stage {
    uv_loop_t loop;
    struct driver driver;
    struct seat seat;
    struct seat *seats[1];
    const struct schema *own;
};

static void stage_open(struct stage *stage)
{
    *stage = (struct stage){.own = schema_embedded("inference.events")};
    assert_int_equal(uv_loop_init(&stage->loop), 0);
    stage->seat = (struct seat){.driver = &stage->driver,
                                .inputs = {{TOPIC_INFERENCE_EVENTS, 3}},
                                .input_count = 1,
                                .live_from = {LIVE_FROM}};
    stage->seats[0] = &stage->seat;
    stage->driver = (struct driver){.service = &validator_service,
                                    .options = driver_options_create(&validator_service),
                                    .loop = &stage->loop,
                                    .catalog = catalog_create(),
                                    .seats = stage->seats,
                                    .seat_count = 1};
    struct reason reason = {""};
    struct option_set *options = (struct option_set *)(uintptr_t)stage->driver.options;
    assert_int_equal(option_set_read(options, 0, NULL, &reason), FAULT_NONE);
    assert_int_equal(driver_open_registry(&stage->driver, &reason), FAULT_NONE);
    assert_null(stage->driver.registry); /* none is named */
}

static void stage_close(struct stage *stage)
{
    catalog_destroy(stage->driver.catalog);
    option_set_destroy((struct option_set *)(uintptr_t)stage->driver.options);
    (void)uv_run(&stage->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&stage->loop), 0);
}

static void say(struct stage *stage, int partition, int offset)
{
    char digits[17];
    (void)snprintf(digits, sizeof digits, "%016llx",
                   (unsigned long long)schema_fingerprint(stage->own));
    json_t *value = json_pack("{s:s, s:s, s:s, s:s, s:i, s:i}", "fingerprint", digits, "topic",
                              "inference.events", "text", "", "id", "7", "partition", partition,
                              "offset", offset);
    const struct schema *envelope = schema_embedded("model.schemas");
    struct buffer bytes = {0};
    struct reason reason = {""};
    wire_write_frame(&bytes, schema_fingerprint(envelope));
    assert_int_equal(datum_encode(envelope, value, &bytes, &reason), FAULT_NONE);
    const struct record record = {.topic = TOPIC_MODEL_SCHEMAS, .value = buffer_span(&bytes)};
    assert_int_equal(catalog_apply(stage->driver.catalog, &record, &reason), FAULT_NONE);
    buffer_fini(&bytes);
    json_decref(value);
}

static enum schema_answer answer(struct stage *stage, int64_t offset)
{
    const struct schema_use use = {
        .name = span_text("7"), .topic = TOPIC_INFERENCE_EVENTS, .partition = 3, .offset = offset};
    const struct schema *found = NULL;
    struct reason reason = {""};
    const enum schema_answer answer =
        catalog_schema_of(stage->driver.catalog, &use, &found, &reason);
    assert_int_equal(answer == SCHEMA_FOUND, found == stage->own);
    return answer;
}

static void test_replay_and_live(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage);
    assert_int_equal(answer(&stage, LIVE_FROM - 1), SCHEMA_MISSING);
    assert_int_equal(answer(&stage, LIVE_FROM), SCHEMA_MISSING); /* and there is no registry */
    /* Another partition's records were read by it: now live ones here are, replayed ones were not.
     */
    say(&stage, 4, 10);
    assert_int_equal(answer(&stage, LIVE_FROM - 1), SCHEMA_MISSING);
    assert_int_equal(answer(&stage, LIVE_FROM), SCHEMA_FOUND);
    /* Here they were from 45 on. */
    say(&stage, 3, 45);
    assert_int_equal(answer(&stage, 44), SCHEMA_MISSING);
    assert_int_equal(answer(&stage, 45), SCHEMA_FOUND);
    assert_int_equal(answer(&stage, LIVE_FROM), SCHEMA_FOUND);
    /* Offsets that were moved back are live again: what is known now counts. */
    stage.seat.live_from[0] = 20;
    assert_int_equal(answer(&stage, 19), SCHEMA_MISSING);
    assert_int_equal(answer(&stage, 20), SCHEMA_FOUND);
    stage_close(&stage);
}

static void test_a_replay_waits_for_the_table(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage);
    int64_t read[2] = {7, 4}, end[2] = {7, 5};
    stage.driver.partitions[TOPIC_MODEL_SCHEMAS] = 2;
    stage.driver.schemas_read = read;
    stage.driver.schemas_end = end;
    assert_false(driver_has_schemas(&stage.driver));
    read[1] = 5;
    assert_true(driver_has_schemas(&stage.driver));
    read[0] = 8; /* more came since */
    assert_true(driver_has_schemas(&stage.driver));
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replay_and_live),
        cmocka_unit_test(test_a_replay_waits_for_the_table),
    };
    (void)unsetenv("SCHEMA_REGISTRY_URL");
    (void)unsetenv("PLUMB_SCHEMA_REGISTRY");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
