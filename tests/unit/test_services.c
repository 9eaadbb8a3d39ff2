/* Goal: every service's descriptor keeps the rules that the driver and the documents rely on.
 * Method: the table of all descriptors is walked: topics exist and are of the right kind, options
 * and metrics say what they are. */
#include "alerter/alerter.h"
#include "detector/detector.h"
#include "retrainer/retrainer.h"
#include "service/service.h"
#include "validator/validator.h"
#include "windower/windower.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct service *const services[] = {
    &validator_service, &windower_service, &detector_service, &alerter_service, &retrainer_service};

static bool is_table(enum topic topic)
{
    return topic == TOPIC_MODEL_CONTRACTS || topic == TOPIC_MODEL_VERSIONS ||
           topic == TOPIC_MODEL_BASELINES || topic == TOPIC_MODEL_SCHEMAS;
}

static void test_topics(void **context)
{
    (void)context;
    for (size_t i = 0; i < COUNT_OF(services); i++) {
        const struct service *service = services[i];
        assert_true(service->inputs[0] != TOPIC_NONE);
        for (size_t k = 0; k < SERVICE_TOPICS_MAX; k++) {
            const enum topic input = service->inputs[k], table = service->tables[k];
            if (input != TOPIC_NONE) {
                assert_true(topic_row(input)->clocked); /* services live in stream time */
                assert_non_null(strstr(topic_row(input)->to, service->name));
            }
            if (service->outputs[k] != TOPIC_NONE) {
                assert_non_null(strstr(topic_row(service->outputs[k])->from, service->name));
            }
            assert_true(table == TOPIC_NONE || is_table(table));
        }
    }
}

static void test_folds_are_whole(void **context)
{
    (void)context;
    for (size_t i = 0; i < COUNT_OF(services); i++) {
        const struct service *service = services[i];
        assert_true(service->name[0] != '\0' && service->summary[0] != '\0');
        assert_non_null(service->open);
        assert_non_null(service->handle);
        assert_non_null(service->close);
        assert_true((service->save == NULL) == (service->load == NULL));
        assert_true(service->origin || service->advance != NULL);
    }
}

static void test_metrics_and_options(void **context)
{
    (void)context;
    for (size_t i = 0; i < COUNT_OF(services); i++) {
        for (const struct metric_row *row = services[i]->metrics; row != NULL && row->name != NULL;
             row++) {
            const size_t size = strlen(row->name);
            assert_true(size > 0 && row->help != NULL && isupper((unsigned char)row->help[0]));
            assert_int_equal(row->kind == METRIC_COUNTER,
                             size > 6 && strcmp(row->name + size - 6, "_total") == 0);
            for (const struct metric_row *other = row + 1; other->name != NULL; other++)
                assert_string_not_equal(row->name, other->name);
        }
        for (const struct option_row *row = services[i]->options; row != NULL && row->name != NULL;
             row++)
            assert_true(row->help != NULL && islower((unsigned char)row->help[0]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_topics),
        cmocka_unit_test(test_folds_are_whole),
        cmocka_unit_test(test_metrics_and_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
