/* sim_schemas.h: what a schema registry knows of the simulated log's ids: every third Avro record
 * of sim_log.h names its schema by one: 1 for events, 2 for labels.
 */
#ifndef SIM_SCHEMAS_H
#define SIM_SCHEMAS_H
#include "model/catalog.h"

extern const struct schema_lookup sim_schemas_lookup;
#endif
