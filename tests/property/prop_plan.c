/* Goal: a plan reads of any record what datum_decode reads (prop_datum holds that against avro-c),
 * whatever is wanted of it, and accepts no bytes that are none. Method: random record schemas,
 * random paths into them, random values; the plan's values must be those of the decoded record.
 * Then bits are flipped, bytes cut, doubled and put in: never a crash; what datum_decode accepts
 * the plan reads alike; what the plan accepts skim_over, which looks at every byte, accepts too;
 * and what only the plan refuses is a wanted text that is not UTF-8. PLUMB_SEED=n begins there. */
#include "avro/datum.h"
#include "avro/plan.h"
#include "avro/skim.h"
#include "memory/heap.h"
#include "tests/support/random_avro.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { SCHEMAS = 400, PLANS = 4, VALUES = 4, DAMAGES = 25, WANTS_MAX = 8, PATH_MAX = 6 };

static uint64_t seed;
static size_t accepted, refused, found, counted;

struct wants {
    struct plan_want wants[WANTS_MAX];
    struct plan_path paths[WANTS_MAX];
    const char *segments[WANTS_MAX][PATH_MAX];
    char names[WANTS_MAX][PATH_MAX][8];
    size_t count;
};

static bool is_same_path(const struct plan_path *left, const struct plan_path *right)
{
    bool same = left->size == right->size;
    for (size_t i = 0; i < left->size && same; i++)
        same = strcmp(left->segments[i], right->segments[i]) == 0;
    return same;
}

/* A random way down: a field, a key or an index at each step, one branch of each union. */
static void draw_path(struct wants *wants, const struct schema_node *node)
{
    const size_t want = wants->count;
    struct plan_path *path = &wants->paths[want];
    *path = (struct plan_path){wants->segments[want], 0};
    const size_t length = 1 + random_avro_below(PATH_MAX);
    while (path->size < length) {
        if (node->kind == SCHEMA_UNION)
            node = node->fields[random_avro_below(node->field_count)].type;
        const bool is_map = node->kind == SCHEMA_MAP;
        char *name = wants->names[want][path->size];
        if (node->kind == SCHEMA_RECORD) {
            const struct schema_field *field = &node->fields[random_avro_below(node->field_count)];
            wants->segments[want][path->size++] = field->name;
            node = field->type;
        } else if (is_map || node->kind == SCHEMA_ARRAY) {
            (void)snprintf(name, sizeof wants->names[0][0], is_map ? "k%zu" : "%zu",
                           random_avro_below(is_map ? 100 : 4));
            wants->segments[want][path->size++] = name;
            node = node->fields[0].type;
        } else {
            return;
        }
    }
}

static void draw_wants(struct wants *wants, const struct schema *schema)
{
    wants->count = 0;
    for (size_t i = random_avro_below(WANTS_MAX + 1); i > 0; i--) {
        struct plan_path *path = &wants->paths[wants->count];
        draw_path(wants, schema_root(schema));
        const bool counts = random_avro_below(4) == 0 && plan_finds(schema, path);
        struct plan_want *want = &wants->wants[wants->count++];
        *want = (struct plan_want){
            .paths = path, .path_count = 1, .shape = counts ? PLAN_ITEMS : PLAN_ANY};
        for (size_t j = 0; j + 1 < wants->count; j++) /* twice: of one shape only */
            if (is_same_path(&wants->paths[j], path))
                want->shape = wants->wants[j].shape;
    }
}

/* ---- what the decoded record says ---- */

static const json_t *at_path(const json_t *value, const struct plan_path *path)
{
    for (size_t i = 0; i < path->size && value != NULL; i++)
        value = json_is_array(value) ? json_array_get(value, strtoull(path->segments[i], NULL, 10))
                                     : json_object_get(value, path->segments[i]);
    return value;
}

static enum value_kind kind_of(const json_t *json)
{
    if (json == NULL)
        return VALUE_MISSING;
    switch (json_typeof(json)) {
    case JSON_NULL:
        return VALUE_NULL;
    case JSON_TRUE:
    case JSON_FALSE:
        return VALUE_BOOLEAN;
    case JSON_INTEGER:
        return VALUE_LONG;
    case JSON_REAL:
        return VALUE_DOUBLE;
    case JSON_STRING:
        return VALUE_TEXT;
    case JSON_OBJECT:
    case JSON_ARRAY:
        break;
    }
    return VALUE_OTHER;
}

static bool is_same_value(const struct value *value, const json_t *json)
{
    if (value->kind == VALUE_DOUBLE && !isfinite(value->number))
        return json_is_null(json); /* as datum_decode has it */
    if (value->kind != kind_of(json))
        return false;
    found += value->kind != VALUE_MISSING;
    switch (value->kind) {
    case VALUE_BOOLEAN:
        return value->boolean == json_is_true(json);
    case VALUE_LONG:
        return value->integer == json_integer_value(json);
    case VALUE_DOUBLE:
        return value->number - json_real_value(json) == 0.0;
    case VALUE_TEXT:
        return value->text.size == json_string_length(json) &&
               (value->text.size == 0 ||
                memcmp(value->text.bytes, json_string_value(json), value->text.size) == 0);
    case VALUE_MISSING:
    case VALUE_NULL:
    case VALUE_OTHER:
        break;
    }
    return true;
}

static bool is_wanted(const struct wants *wants, const struct plan_path *path, const char *name)
{
    bool wanted = false;
    for (size_t i = 0; i < wants->count; i++) {
        struct plan_path below = wants->paths[i];
        const bool longer = below.size > path->size;
        below.size = path->size;
        wanted = wanted || (longer && is_same_path(&below, path) &&
                            strcmp(wants->paths[i].segments[path->size], name) == 0);
    }
    return wanted;
}

/* Members that no want names; what is no record or map is OTHER, null is null. */
static bool is_same_count(const struct wants *wants, size_t want, const struct value *value,
                          const json_t *json)
{
    if (!json_is_object(json))
        return json == NULL         ? value->kind == VALUE_LONG && value->integer == 0
               : json_is_null(json) ? value->kind == VALUE_NULL || value->kind == VALUE_OTHER
                                    : value->kind == VALUE_OTHER;
    int64_t unwanted = 0;
    json_t *object = (json_t *)(uintptr_t)json; /* jansson's walk takes no const */
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at))
        unwanted += !is_wanted(wants, &wants->paths[want], json_object_iter_key(at));
    counted += unwanted > 0;
    return value->kind == VALUE_LONG && value->integer == unwanted;
}

/* Damage can make two keys of a map equal: then the bytes have more members than the value. */
static void check_values(const struct wants *wants, const struct plan *plan, const json_t *record,
                         bool damaged)
{
    const struct value *values = plan_values(plan);
    for (size_t i = 0; i < wants->count; i++) {
        const json_t *json = at_path(record, &wants->paths[i]);
        if (wants->wants[i].shape == PLAN_ITEMS)
            assert_true(damaged || is_same_count(wants, i, &values[i], json));
        else if (!is_same_value(&values[i], json))
            fail_msg("value %zu (%s …): kind %d, not %d; damaged %d", i,
                     wants->paths[i].segments[0], (int)values[i].kind, (int)kind_of(json), damaged);
    }
}

static bool skims(const struct schema *schema, struct span bytes, enum fault *out_fault)
{
    struct skim skim = skim_of(bytes);
    const bool passed = skim_over(&skim, schema_root(schema), 1);
    *out_fault = skim.fault;
    return passed && skim.wire.next == skim.wire.end;
}

static void check_damaged(const struct schema *schema, const struct wants *wants, struct plan *plan,
                          struct span sound)
{
    struct buffer bytes = {0};
    buffer_append_span(&bytes, sound);
    for (size_t i = 1 + random_avro_below(3); i > 0; i--)
        random_avro_damage(&bytes);
    json_t *record = NULL;
    struct reason reason = {""}, ignored;
    enum fault limit = FAULT_NONE;
    const enum fault fault = plan_run(plan, buffer_span(&bytes), &reason);
    const bool decodes = datum_decode(schema, buffer_span(&bytes), &record, &ignored) == FAULT_NONE;
    const bool sound_still = skims(schema, buffer_span(&bytes), &limit);
    if (decodes) {
        if (fault != FAULT_NONE)
            fail_msg("%s", reason.text);
        check_values(wants, plan, record, true);
        accepted++;
    }
    if (fault == FAULT_NONE)
        assert_true(sound_still || limit == FAULT_LIMIT_EXCEEDED);
    else if (sound_still)
        assert_non_null(strstr(reason.text, "UTF-8"));
    refused += fault != FAULT_NONE;
    json_decref(record);
    buffer_fini(&bytes);
}

static void check_plan(const struct schema *schema)
{
    struct wants wants;
    struct plan *plan = NULL;
    struct reason reason = {""};
    draw_wants(&wants, schema);
    const enum fault made = plan_create(schema, wants.wants, wants.count, &plan, &reason);
    if (made != FAULT_NONE) { /* a count of what is neither record nor map */
        assert_non_null(strstr(reason.text, "must be a record or a map"));
        return;
    }
    for (size_t i = 0; i < VALUES; i++) {
        json_t *record = random_avro_value(schema_root(schema));
        struct buffer bytes = {0};
        if (datum_encode(schema, record, &bytes, &reason) != FAULT_NONE ||
            plan_run(plan, buffer_span(&bytes), &reason) != FAULT_NONE)
            fail_msg("%s", reason.text);
        check_values(&wants, plan, record, false);
        for (size_t j = 0; j < DAMAGES; j++)
            check_damaged(schema, &wants, plan, buffer_span(&bytes));
        buffer_fini(&bytes);
        json_decref(record);
    }
    plan_destroy(plan);
}

static void prop_plan(void **state)
{
    (void)state;
    const char *given = getenv("PLUMB_SEED");
    const uint64_t first = given == NULL ? 20261126 : strtoull(given, NULL, 10);
    for (size_t i = 0; i < SCHEMAS; i++) {
        seed = first + i;
        random_avro_begin(seed);
        struct buffer text = {0};
        struct schema *schema = NULL;
        struct reason reason = {""};
        random_avro_schema(&text, true);
        if (schema_parse(buffer_span(&text), &schema, &reason) != FAULT_NONE)
            fail_msg("%s", reason.text);
        for (size_t j = 0; j < PLANS; j++)
            check_plan(schema);
        schema_destroy(schema);
        buffer_fini(&text);
    }
    /* else it says nothing */
    assert_true(accepted > 1000 && refused > 1000 && found > 1000 && counted > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(prop_plan)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed != 0)
        (void)fprintf(stderr, "replay: PLUMB_SEED=%" PRIu64 "\n", seed);
    return failed;
}
