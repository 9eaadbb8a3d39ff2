/* catalog.h: what a service knows of models: contracts, versions, baselines, schemas, as read from
 * the compacted tables.
 *
 * It only grows (compaction keeps every key): a deletion is passed over, a revision of a contract,
 * a baseline and a schema stay what they were when first read. A record that names what is not here
 * yet is TABLE_BEHIND: wait, then again.
 *
 * Owner    the driver; services borrow it const. What catalog_version gives is valid until the next
 *          catalog_apply, all else as long as the catalog.
 * Thread   loop thread only.
 * Faults   apply: RECORD_MALFORMED, SCHEMA_UNKNOWN, LIMIT_EXCEEDED, CONTRACT_INVALID,
 * SCHEMA_INVALID. Cost     apply O(record); look-ups O(1), or O(revisions of the model).
 */
#ifndef CATALOG_H
#define CATALOG_H
#include "avro/schema.h"
#include "kafka/record.h"
#include "memory/buffer.h"
#include "model/baseline.h"
#include "model/contract.h"

/* How a record names its schema (a registry's id or GUID), and where it does so. */
struct schema_use {
    struct span name; /* "7"; a GUID */
    enum topic topic;
    int32_t partition;
    int64_t offset;
};
enum schema_answer {
    SCHEMA_FOUND,
    SCHEMA_MISSING, /* nobody knows it by that name */
    SCHEMA_REFUSED, /* it is known, and cannot be read: the reason says why */
    SCHEMA_AWAITED, /* an answer is under way: again later */
};
/* Who is asked for what the tables do not say: the driver's registry, or a test. */
struct schema_lookup {
    enum schema_answer (*find)(void *context, const struct schema_use *use,
                               const struct schema **out_schema, struct reason *out_reason);
    void *context; /* borrowed */
};

struct catalog;
struct catalog *catalog_create(void);
void catalog_set_lookup(struct catalog *catalog, const struct schema_lookup *lookup);
/* Takes a record of model.contracts, .versions, .baselines or .schemas. A record that does not
 * parse is a fault with a reason and is not taken (the driver says so and goes on). */
MUST_USE enum fault catalog_apply(struct catalog *catalog, const struct record *record,
                                  struct reason *out_reason);
/* The longest skew of all contracts; that of a contract that says nothing where there is none. */
int64_t catalog_skew_ms(const struct catalog *catalog);
/* Only the validator chooses: the newest revision with effective_from <= event time; NULL: none. */
const struct contract *catalog_contract_at(const struct catalog *catalog, struct span model,
                                           int64_t event_time_ms);
/* NULL: not read yet. */
const struct contract *catalog_contract(const struct catalog *catalog, struct span model,
                                        int32_t revision);
bool catalog_knows_model(const struct catalog *catalog, struct span model);
/* The baseline that the contract names for this version (exact version, else the one for any
 * version). FAULT_NONE and NULL: it names none. TABLE_BEHIND: named, not wholly read yet. */
MUST_USE enum fault catalog_baseline(const struct catalog *catalog, const struct contract *contract,
                                     struct span version, const struct baseline **out_baseline);
/* Also our own embedded ones; NULL: unknown. */
const struct schema *catalog_schema(const struct catalog *catalog, uint64_t fingerprint);
/* The schema of a record that names it. What model.schemas says of this partition from this offset
 * on is the answer; else the lookup's, where there is one. So the answer that a record was once
 * given is in the log, and a replay gives it again. */
enum schema_answer catalog_schema_of(const struct catalog *catalog, const struct schema_use *use,
                                     const struct schema **out_schema, struct reason *out_reason);
/* Does model.schemas say so already? */
bool catalog_has_use(const struct catalog *catalog, const struct schema_use *use);
/* What any partition calls by that name; NULL: none does. */
const struct schema *catalog_schema_named(const struct catalog *catalog, struct span name);
/* The key in model.schemas: "7@inference.events:3". */
void catalog_use_key(struct buffer *out, const struct schema_use *use);
/* The record of model.versions, the newest read; NULL: none. */
const json_t *catalog_version(const struct catalog *catalog, struct span model,
                              struct span version);
/* Walks for plumb models: sorted by model, then revision or version (then hash). The caller
 * releases the list, not what is in it. */
size_t catalog_contracts(const struct catalog *catalog, const struct contract ***out_list);
size_t catalog_versions(const struct catalog *catalog, const json_t ***out_list);
size_t catalog_baselines(const struct catalog *catalog, const struct baseline ***out_list);
void catalog_destroy(struct catalog *catalog);
#endif
