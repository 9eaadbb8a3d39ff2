#include "event_reading.h"
#include "container/table.h"
#include "memory/heap.h"

/* Readers of one schema. */
struct family {
    const struct schema *schema;   /* borrowed from the catalog */
    struct event_reader *envelope; /* owned: without a contract */
    struct member *members;        /* owned list, the last used first */
};
struct member {
    const struct contract *contract; /* borrowed from the catalog */
    struct event_reader *reader;     /* owned */
    struct member *next;
};

struct event_reading {
    const struct catalog *catalog; /* borrowed */
    struct table *families;        /* fingerprint → struct family, owned */
    struct family *last;           /* of `last_fingerprint`; NULL at first */
    uint64_t last_fingerprint;
};

struct event_reading *event_reading_create(const struct catalog *catalog)
{
    struct event_reading *reading = heap_zeroed(1, sizeof *reading);
    reading->catalog = catalog;
    reading->families = table_create();
    return reading;
}

static enum fault find_family(struct event_reading *reading, uint64_t fingerprint,
                              struct family **out_family)
{
    if (reading->last == NULL || reading->last_fingerprint != fingerprint) {
        const struct span key = span_of(&fingerprint, sizeof fingerprint);
        struct family *family = table_find(reading->families, key);
        if (family == NULL) {
            const struct schema *schema = catalog_schema(reading->catalog, fingerprint);
            if (schema == NULL)
                return FAULT_TABLE_BEHIND;
            struct event_reader *envelope;
            struct reason reason;
            const enum fault fault = event_reader_create(schema, NULL, &envelope, &reason);
            if (fault != FAULT_NONE)
                return fault;
            family = heap_zeroed(1, sizeof *family);
            family->schema = schema;
            family->envelope = envelope;
            (void)table_put(reading->families, key, family);
        }
        reading->last = family;
        reading->last_fingerprint = fingerprint;
    }
    *out_family = reading->last;
    return FAULT_NONE;
}

/* The reader for this contract, at the front of the list from now on. */
static enum fault find_member(struct family *family, const struct contract *contract,
                              struct member **out_member)
{
    struct member **place = &family->members;
    while (*place != NULL && (*place)->contract != contract)
        place = &(*place)->next;
    struct member *member = *place;
    if (member != NULL) {
        *place = member->next;
    } else {
        struct event_reader *reader;
        struct reason reason;
        const enum fault fault = event_reader_create(family->schema, contract, &reader, &reason);
        if (fault != FAULT_NONE)
            return fault;
        member = heap_zeroed(1, sizeof *member);
        member->contract = contract;
        member->reader = reader;
    }
    member->next = family->members;
    family->members = member;
    *out_member = member;
    return FAULT_NONE;
}

enum fault event_reading_read(struct event_reading *reading, uint64_t fingerprint, int32_t revision,
                              struct span body, struct event *out_event,
                              const struct contract **out_contract)
{
    struct family *family;
    struct reason reason;
    enum fault fault = find_family(reading, fingerprint, &family);
    if (fault != FAULT_NONE)
        return fault;
    struct member *member = family->members;
    fault =
        event_read(member == NULL ? family->envelope : member->reader, body, out_event, &reason);
    if (fault != FAULT_NONE)
        return fault;
    if (member == NULL || member->contract->revision != revision ||
        !span_is(out_event->model_name, member->contract->model)) {
        const struct contract *contract =
            catalog_contract(reading->catalog, out_event->model_name, revision);
        if (contract == NULL)
            return FAULT_TABLE_BEHIND;
        fault = find_member(family, contract, &member);
        if (fault == FAULT_NONE)
            fault = event_read(member->reader, body, out_event, &reason);
        if (fault != FAULT_NONE)
            return fault;
    }
    *out_contract = member->contract;
    return FAULT_NONE;
}

void event_reading_destroy(struct event_reading *reading)
{
    if (reading == NULL)
        return;
    size_t cursor = 0;
    for (struct family *family; (family = table_next(reading->families, &cursor, NULL)) != NULL;) {
        while (family->members != NULL) {
            struct member *member = family->members;
            family->members = member->next;
            event_reader_destroy(member->reader);
            heap_release(member);
        }
        event_reader_destroy(family->envelope);
        heap_release(family);
    }
    table_destroy(reading->families);
    heap_release(reading);
}
