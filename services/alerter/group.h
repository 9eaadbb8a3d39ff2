/* group.h: a group of measurements that share a cause (alert kind, model, version, role, segment,
 * window length, metric), and whether its alert fires.
 *
 * A column breaches when at least k of its last n decided windows are in BREACH (`for: k of n`, 1
 * of 1 where not given). The alert fires when the first column breaches; it is said again when a
 * column joins or severity rises. Hysteresis is simple: while it fires, columns only join and
 * severity only rises; it is resolved by a later window after which no column breaches, and then
 * forgets all. Windows without enough data decide nothing, for a column as for the group. A column
 * that the contract no longer bounds is calm.
 *
 * Owner    caller of group_create or group_state_read.
 * Thread   one at a time (pure).
 * Memory   columns that breached within their last n windows or belong to the firing alert; nothing
 * for the calm.
 */
#ifndef GROUP_H
#define GROUP_H
#include "finding/finding.h"

struct group_mark { /* one decided window of a column */
    int64_t start_ms;
    bool breach;
};

struct group_column {
    char *name;               /* owned */
    bool joined;              /* belongs to the firing alert */
    struct group_mark *marks; /* owned, oldest first, at most n, [mark_count] */
    size_t mark_count;
    /* Its last breach (resolved: what decided): */
    char *measurement; /* owned: id */
    int32_t revision;
    double value, threshold;
    char *cell; /* owned: the strongest contribution; NULL: none */
    double share;
};

struct group {
    enum finding_kind kind;
    char *kind_text, *metric, *model, *version, *role, *segment; /* owned; segment "": none */
    int64_t length_ms;
    bool firing;
    enum finding_severity severity; /* of the firing alert */
    int64_t started_ms;             /* start of the first breaching window */
    int64_t end_ms;                 /* firing: end of the latest window that decided */
    json_t *offsets;                /* owned: the rows that the firing alert rests on */
    struct group_column *columns;   /* owned, ascending by name, [column_count] */
    size_t column_count;
};

enum group_change { GROUP_SAME, GROUP_FIRES, GROUP_RESOLVES };

struct group *group_create(const struct finding *finding);
/* Decides one window: findings of this group and window that act, [count], by column at most one.
 */
enum group_change group_decide(struct group *group, const struct finding *findings, size_t count);
/* After a RESOLVES was said: forgets the alert. */
void group_forget(struct group *group);
bool group_is_calm(const struct group *group); /* nothing to remember */
struct group_column *group_column(const struct group *group,
                                  const char *name); /* NULL where absent */
void group_destroy(struct group *group);             /* NULL accepted */
#endif
