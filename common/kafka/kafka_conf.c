#include "kafka/kafka_conf.h"
#include "log/log.h"

static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    (void)client;
    (void)level;
    log_write(LOG_DEBUG, "librdkafka", LOG_TEXT("facility", facility), LOG_TEXT("text", text));
}

static enum fault set(rd_kafka_conf_t *conf, const char *name, const char *value,
                      struct reason *out_reason)
{
    char text[200];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) == RD_KAFKA_CONF_OK)
        return FAULT_NONE;
    reason_set(out_reason, "--kafka.%s: %s", name, text);
    return FAULT_OPTION_INVALID;
}

static bool is_fixed(const struct kafka_property *fixed, const char *name)
{
    for (; fixed != NULL && fixed->name != NULL; fixed++) {
        if (strcmp(fixed->name, name) == 0)
            return true;
    }
    return false;
}

static enum fault set_options(rd_kafka_conf_t *conf, const struct option_set *options,
                              const struct kafka_property *fixed, struct reason *out_reason)
{
    const char *name, *value;
    for (size_t i = 0; option_prefixed(options, "kafka.", i, &name, &value); i++) {
        if (is_fixed(fixed, name)) {
            reason_set(out_reason, "--kafka.%s: exactly-once depends on it; it cannot be set",
                       name);
            return FAULT_OPTION_INVALID;
        }
        const enum fault fault = set(conf, name, value, out_reason);
        if (fault != FAULT_NONE)
            return fault;
    }
    return FAULT_NONE;
}

static enum fault set_list(rd_kafka_conf_t *conf, const struct kafka_property *list,
                           struct reason *out_reason)
{
    for (; list != NULL && list->name != NULL; list++) {
        const enum fault fault = set(conf, list->name, list->value, out_reason);
        if (fault != FAULT_NONE)
            return fault;
    }
    return FAULT_NONE;
}

enum fault kafka_conf_create(const struct option_set *options, const struct kafka_property *fixed,
                             const struct kafka_property *initial, rd_kafka_conf_t **out_conf,
                             struct reason *out_reason)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum fault fault = set_list(conf, initial, out_reason);
    if (fault == FAULT_NONE)
        fault = set_options(conf, options, fixed, out_reason);
    if (fault == FAULT_NONE)
        fault = set_list(conf, fixed, out_reason);
    if (fault != FAULT_NONE) {
        rd_kafka_conf_destroy(conf);
        return fault;
    }
    rd_kafka_conf_set_log_cb(conf, on_log);
    *out_conf = conf;
    return FAULT_NONE;
}

enum fault kafka_conf_fault(rd_kafka_error_t *error, struct reason *out_reason)
{
    if (error == NULL)
        return FAULT_NONE;
    const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    enum fault fault = FAULT_KAFKA_UNREACHABLE;
    if (rd_kafka_error_is_fatal(error))
        fault = code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
                        code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH
                    ? FAULT_FENCED
                    : FAULT_KAFKA_FATAL;
    else if (rd_kafka_error_txn_requires_abort(error))
        fault = FAULT_TRANSACTION_ABORTED;
    else if (!rd_kafka_error_is_retriable(error) && code != RD_KAFKA_RESP_ERR__TIMED_OUT)
        fault =
            FAULT_KAFKA_FATAL; /* librdkafka: an error with no flag set is to be treated as fatal */
    reason_set(out_reason, "%s: %s", rd_kafka_error_name(error), rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return fault;
}
