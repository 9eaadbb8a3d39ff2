/* topic_admin.h: makes topics and asks for their settings, for the tools.
 *
 * Thread   one at a time.     Faults  KAFKA_UNREACHABLE, KAFKA_FATAL (refused), with a reason.
 */
#ifndef TOPIC_ADMIN_H
#define TOPIC_ADMIN_H
#include "kafka/kafka_client.h"

enum { TOPIC_ADMIN_SETTINGS_MAX = 8 };
struct topic_admin_setting {
    const char *name;
    char value[32];
};
struct topic_admin_plan {
    enum topic topic;
    int32_t partition_count, replication;
    struct topic_admin_setting settings[TOPIC_ADMIN_SETTINGS_MAX];
    size_t setting_count;
};
/* One that exists already (made by somebody else meanwhile) is no fault. */
MUST_USE enum fault topic_admin_create(struct kafka_client *client,
                                       const struct topic_admin_plan *plan,
                                       struct reason *out_reason);
/* The values now in force of the named settings of an existing topic, in their order; "" where the
 * broker does not know one. */
MUST_USE enum fault topic_admin_settings(struct kafka_client *client, enum topic topic,
                                         struct topic_admin_setting *settings, size_t setting_count,
                                         struct reason *out_reason);
#endif
