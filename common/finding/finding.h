/* finding.h: a measurement and what its contract makes of it: which alert it speaks for, how severe
 * it is, and at which stream time it counts. Alerter and retrainer read measurements through this
 * alone, so that they agree.
 *
 * Stream time of a window's revision: window end + lateness for revision 0, + correction for
 * revision 1, by the contract; where several revisions of the contract are in force within the
 * window, the longest of theirs. The detector closes windows at the same time, so a measurement is
 * always there when its time has passed.
 *
 * Owner    nothing: a finding borrows from the record and the catalog.
 * Thread   loop thread only.
 * Faults   read: TABLE_BEHIND (its contract is not read yet), RECORD_MALFORMED.
 * Cost     O(monitors + contract revisions within the window).
 */
#ifndef FINDING_H
#define FINDING_H
#include "finding/identity.h"
#include "finding/memo.h"
#include "model/catalog.h"

/* Kinds of alerts, by the stable names of DESIGN.md 7. */
enum finding_kind {
    FINDING_NONE, /* no alert is made of it */
    FINDING_FEATURE_DRIFT,
    FINDING_PREDICTION_DRIFT,
    FINDING_CONFIDENCE_DRIFT,
    FINDING_NULL_RATE,
    FINDING_RANGE_VIOLATION,
    FINDING_UNSEEN_CATEGORY,
    FINDING_KIND_COUNT
};
/* "feature_drift" */
const char *finding_kind_name(enum finding_kind kind);
/* "drift", "quality": as in `retrain: when`. */
const char *finding_kind_class(enum finding_kind kind);
/* FINDING_NONE where unknown. */
enum finding_kind finding_kind_parse(const char *name);

enum finding_severity { SEVERITY_NONE, SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_CRITICAL };
/* "CRITICAL" */
const char *finding_severity_name(enum finding_severity severity);
/* Either case; NONE where unknown. */
enum finding_severity finding_severity_parse(const char *name);

struct finding {
    json_t *record; /* borrowed, as all pointers below */
    const struct contract *contract;
    const struct contract_monitor *monitor; /* NULL: nothing in the contract watches it */
    const char *id, *model, *version, *role, *kind_text, *metric;
    const char *segment; /* "": none */
    const char *column;  /* NULL: the whole record */
    enum finding_kind kind;
    int32_t revision;
    int64_t start_ms, end_ms;       /* of the window */
    int64_t time_ms;                /* when it counts */
    bool watched;                   /* a bound of the contract applies */
    bool decided;                   /* watched, and with enough data to say OK or BREACH */
    bool breach;                    /* decided, and BREACH */
    double value, threshold;        /* valid where decided */
    enum finding_severity severity; /* where breach, else NONE */
};

MUST_USE enum fault finding_read(const struct catalog *catalog, json_t *record,
                                 struct finding *out_finding);
/* A stored measurement back into the memo that keeps those that wait; STATE_MALFORMED unless it
 * reads, so that advance never meets what it cannot use. TABLE_BEHIND as above. */
MUST_USE enum fault finding_load(struct memo *waiting, const struct catalog *catalog,
                                 struct span field, struct span bytes);
/* Names the group: alert kind, model, version, role, segment, window length, metric. */
void finding_fingerprint(const struct finding *finding, char out_text[IDENTITY_HEX_SIZE]);
/* Order of processing: time, model, version, role, segment, window length, kind, metric, alert
 * kind, window end, revision, id. Pointers to struct finding; a total order, so any interleaving of
 * records ends in the same sequence. */
int finding_order(const void *left, const void *right);
/* Stream time at which revision 0 or 1 of the window [start, end) counts. contract: one that the
 * window was measured by. */
int64_t finding_time(const struct catalog *catalog, const struct contract *contract,
                     int64_t start_ms, int64_t end_ms, int32_t revision);
/* Widens `into` (a JSON array of Offsets, ascending by partition) so that it holds `more` too. */
void finding_offsets_join(json_t *into, const json_t *more);
#endif
