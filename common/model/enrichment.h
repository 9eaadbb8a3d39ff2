/* enrichment.h: what the validator says of a record, in front of it in inference.validated: written
 * and read by hand, because every service reads it of every record
 * (schemas/inference.validated.avsc, record Enrichment; a test holds the two together).
 *
 * Bytes of a validated record: the single-object frame, then Enrichment, then the event, label or
 * pair as its writer's schema has it.
 *
 * Owner    struct enrichment {0} is empty; its arrays are owned and reused by each read
 * (enrichment_fini gives them back); all spans are borrowed from the bytes, or from whoever filled
 * them before a write. Thread   one at a time. Faults   read: RECORD_MALFORMED; on a fault the
 * struct holds nothing of use. Hostile bytes are safe: what is kept is bounded by the size of the
 * bytes. Cost     O(size of the enrichment), no allocation once the arrays have grown.
 */
#ifndef ENRICHMENT_H
#define ENRICHMENT_H
#include "check/fault.h"
#include "memory/buffer.h"
#include "memory/span.h"
#include <stdbool.h>
#include <stdint.h>

enum enrichment_kind { ENRICHMENT_EVENT, ENRICHMENT_LABEL, ENRICHMENT_PAIR };
/* In the order of `enum lateness` (window/span_time.h), which has no NONE (labels and pairs). */
enum enrichment_lateness {
    ENRICHMENT_ON_TIME,
    ENRICHMENT_LATE,
    ENRICHMENT_TOO_LATE,
    ENRICHMENT_FUTURE,
    ENRICHMENT_NONE
};
struct enrichment_reason {
    struct span reason, column; /* column empty: of the whole record */
};
struct enrichment_segment {
    struct span name, value;
};
struct enrichment {
    struct span source; /* "topic:partition" it was consumed from */
    int64_t offset;
    int64_t arrival_ms;
    enum enrichment_kind kind;
    uint64_t schema;           /* fingerprint of the writer's schema */
    int32_t contract_revision; /* 0 for a label */
    enum enrichment_lateness lateness;
    struct enrichment_reason *reasons; /* owned, [reason_count]: what was let through */
    size_t reason_count, reason_capacity;
    bool duplicate;
    bool has_out_of_distribution;
    double out_of_distribution_share, out_of_distribution_largest_z;
    struct enrichment_segment *segments; /* owned, [segment_count] */
    size_t segment_count, segment_capacity;
    struct span lookup; /* bytes NULL: none */
};

/* Appends to out. reasons and segments may be the caller's own arrays. */
void enrichment_write(struct buffer *out, const struct enrichment *enrichment);
/* body: behind the frame. *out_used: where the event, label or pair begins. */
MUST_USE enum fault enrichment_read(struct span body, struct enrichment *enrichment,
                                    size_t *out_used);
/* Only source and arrival, for who asks of every record. false: malformed. */
MUST_USE bool enrichment_peek(struct span body, struct span *out_source, int64_t *out_arrival_ms);
/* Adds to the owned arrays, for who builds one up. */
void enrichment_add_reason(struct enrichment *enrichment, struct span reason, struct span column);
void enrichment_add_segment(struct enrichment *enrichment, struct span name, struct span value);
void enrichment_clear(struct enrichment *enrichment); /* empty again, keeps the arrays */
void enrichment_fini(struct enrichment *enrichment);
const char *
enrichment_lateness_name(enum enrichment_lateness lateness); /* "on_time": metric label */
#endif
