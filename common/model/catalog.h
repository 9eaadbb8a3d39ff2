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
#include "model/baseline.h"
#include "model/contract.h"

struct catalog;
struct catalog *catalog_create(void);
/* Takes a record of model.contracts, .versions, .baselines or .schemas. A record that does not
 * parse is a fault with a reason and is not taken (the driver says so and goes on). */
MUST_USE enum fault catalog_apply(struct catalog *catalog, const struct record *record,
                                  struct reason *out_reason);
/* Only the validator chooses: the newest revision with effective_from <= event time; NULL: none. */
/* The longest skew of all contracts; that of a contract that says nothing where there is none. */
int64_t catalog_skew_ms(const struct catalog *catalog);
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
