#include "kafka/topic_admin.h"

/* Waits for the one result of a request; NULL with a reason where it failed as a whole. */
static rd_kafka_event_t *await(rd_kafka_queue_t *queue, const char *name, enum fault *out_fault,
                               struct reason *out_reason)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 2 * KAFKA_CLIENT_TIMEOUT_MS);
    if (event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        reason_set(out_reason, "topic %s: %s", name,
                   event == NULL ? "Kafka does not answer" : rd_kafka_event_error_string(event));
        *out_fault = FAULT_KAFKA_UNREACHABLE;
        if (event != NULL)
            rd_kafka_event_destroy(event);
        return NULL;
    }
    return event;
}

static rd_kafka_AdminOptions_t *patience(rd_kafka_t *handle, rd_kafka_admin_op_t operation)
{
    char text[100];
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(handle, operation);
    (void)rd_kafka_AdminOptions_set_request_timeout(options, KAFKA_CLIENT_TIMEOUT_MS, text,
                                                    sizeof text);
    if (operation == RD_KAFKA_ADMIN_OP_CREATETOPICS) /* until its partitions have leaders */
        (void)rd_kafka_AdminOptions_set_operation_timeout(options, KAFKA_CLIENT_TIMEOUT_MS, text,
                                                          sizeof text);
    return options;
}

static rd_kafka_NewTopic_t *request_of(const struct topic_admin_plan *plan, const char *name,
                                       struct reason *out_reason)
{
    char text[200];
    rd_kafka_NewTopic_t *request =
        rd_kafka_NewTopic_new(name, plan->partition_count, plan->replication, text, sizeof text);
    if (request == NULL) {
        reason_set(out_reason, "topic %s: %s", name, text);
        return NULL;
    }
    for (size_t i = 0; i < plan->setting_count; i++)
        (void)rd_kafka_NewTopic_set_config(request, plan->settings[i].name,
                                           plan->settings[i].value);
    return request;
}

enum fault topic_admin_create(struct kafka_client *client, const struct topic_admin_plan *plan,
                              struct reason *out_reason)
{
    rd_kafka_t *handle = kafka_client_handle(client);
    const char *name = kafka_client_topic(client, plan->topic);
    rd_kafka_NewTopic_t *request = request_of(plan, name, out_reason);
    if (request == NULL)
        return FAULT_OPTION_INVALID;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_AdminOptions_t *options = patience(handle, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_CreateTopics(handle, &request, 1, options, queue);
    enum fault fault = FAULT_NONE;
    rd_kafka_event_t *event = await(queue, name, &fault, out_reason);
    if (event != NULL) {
        size_t count;
        const rd_kafka_topic_result_t **results =
            rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
        for (size_t i = 0; i < count; i++) {
            const rd_kafka_resp_err_t error = rd_kafka_topic_result_error(results[i]);
            if (error == RD_KAFKA_RESP_ERR_NO_ERROR ||
                error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
                continue;
            const char *text = rd_kafka_topic_result_error_string(results[i]);
            reason_set(out_reason, "topic %s: %s", name,
                       text == NULL ? rd_kafka_err2str(error) : text);
            fault = FAULT_KAFKA_FATAL;
        }
        rd_kafka_event_destroy(event);
    }
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(request);
    return fault;
}

static void fill(struct topic_admin_setting *settings, size_t setting_count,
                 const rd_kafka_ConfigResource_t *resource)
{
    size_t count;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < setting_count; j++) {
            const char *value = rd_kafka_ConfigEntry_value(entries[i]);
            if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), settings[j].name) == 0)
                (void)snprintf(settings[j].value, sizeof settings[j].value, "%s",
                               value == NULL ? "" : value);
        }
    }
}

enum fault topic_admin_settings(struct kafka_client *client, enum topic topic,
                                struct topic_admin_setting *settings, size_t setting_count,
                                struct reason *out_reason)
{
    rd_kafka_t *handle = kafka_client_handle(client);
    const char *name = kafka_client_topic(client, topic);
    for (size_t i = 0; i < setting_count; i++)
        settings[i].value[0] = '\0';
    rd_kafka_ConfigResource_t *request = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_AdminOptions_t *options = patience(handle, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_DescribeConfigs(handle, &request, 1, options, queue);
    enum fault fault = FAULT_NONE;
    rd_kafka_event_t *event = await(queue, name, &fault, out_reason);
    if (event != NULL) {
        size_t count;
        const rd_kafka_ConfigResource_t **resources = rd_kafka_DescribeConfigs_result_resources(
            rd_kafka_event_DescribeConfigs_result(event), &count);
        for (size_t i = 0; i < count; i++) {
            if (rd_kafka_ConfigResource_error(resources[i]) == RD_KAFKA_RESP_ERR_NO_ERROR) {
                fill(settings, setting_count, resources[i]);
                continue;
            }
            reason_set(out_reason, "topic %s: %s", name,
                       rd_kafka_ConfigResource_error_string(resources[i]));
            fault = FAULT_KAFKA_FATAL;
        }
        rd_kafka_event_destroy(event);
    }
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    rd_kafka_ConfigResource_destroy(request);
    return fault;
}
