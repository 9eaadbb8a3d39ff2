/* kafka_conf.h: librdkafka's configuration out of our options, and its errors as our faults.
 *
 * Every option kafka.NAME goes to librdkafka as NAME; then come the properties that correctness
 * hangs on, which nobody may set otherwise (OPTION_INVALID names them). librdkafka's own log lines
 * go to ours at debug: an outage is said once, by the service.
 */
#ifndef KAFKA_CONF_H
#define KAFKA_CONF_H
#include "check/fault.h"
#include "check/reason.h"
#include "config/option.h"
#include <librdkafka/rdkafka.h>

struct kafka_property {
    const char *name, *value; /* NULL name ends a list */
};
/* fixed: may not be set by an option; initial: may. Both NULL-ended; NULL accepted. */
MUST_USE enum fault kafka_conf_create(const struct option_set *options,
                                      const struct kafka_property *fixed,
                                      const struct kafka_property *initial,
                                      rd_kafka_conf_t **out_conf, struct reason *out_reason);
/* Destroys the error. NULL: FAULT_NONE. fatal → FENCED or KAFKA_FATAL; abort needed →
 * TRANSACTION_ABORTED; else KAFKA_UNREACHABLE. */
enum fault kafka_conf_fault(rd_kafka_error_t *error, struct reason *out_reason);
#endif
