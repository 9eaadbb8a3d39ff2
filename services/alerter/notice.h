/* notice.h: a group's alert as a record of the topic alerts, ready for Alertmanager: labels
 * identify it and never hold a number that changes; what changes is in annotations.
 *
 * Thread   any (pure).
 */
#ifndef NOTICE_H
#define NOTICE_H
#include "group.h"

/* decided: a finding of the window that decided; change: GROUP_FIRES or GROUP_RESOLVES. New
 * reference, by schema alerts. */
json_t *notice_record(const struct group *group, const struct finding *decided,
                      const char *fingerprint, enum group_change change);
#endif
