/* group_state.h: a group as stored state (schemas/state.alert-group.avsc).
 *
 * Thread   any (pure).
 */
#ifndef GROUP_STATE_H
#define GROUP_STATE_H
#include "group.h"

json_t *group_state_write(const struct group *group); /* new reference */
struct group *group_state_read(const json_t *value);  /* NULL: it does not fit */
#endif
