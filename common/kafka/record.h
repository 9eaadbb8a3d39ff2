/* record.h: one record of a topic, as a service's handle sees it, whichever driver brought it. */
#ifndef RECORD_H
#define RECORD_H
#include "kafka/topic.h"
#include <stdint.h>

struct header {
    const char *name; /* borrowed, as all below: valid until handle returns */
    struct span value;
};

struct record {
    enum topic topic;
    int32_t partition;
    int64_t offset;
    int64_t arrival_ms; /* origin services: when it arrived (DESIGN.md 2.3); others: unused, arrival
                           is in the record */
    struct span key, value; /* value.bytes NULL: no value */
    const struct header *headers;
    size_t header_count;
};

const struct header *record_header(const struct record *record,
                                   const char *name); /* the first so named, or NULL */
#endif
