/* oracle.h: one value held by avro-c, for tests that compare it with ours.
 *
 * A file of its own, built apart from project_flags: our folder avro/ would stand before avro-c's.
 * avro-c believes the sizes that bytes claim: give it only bytes that we have accepted.
 *
 * Owner    caller of oracle_open().     Thread  the test's one.
 */
#ifndef ORACLE_H
#define ORACLE_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct oracle;
struct oracle *oracle_open(const char *schema, size_t schema_size); /* NULL: refused */
bool oracle_read(struct oracle *oracle, const void *bytes, size_t size);
/* Takes the value in. Of a union's branches that take it exactly, the last: not what we would
 * choose. */
bool oracle_fill(struct oracle *oracle, const json_t *value);
bool oracle_holds(struct oracle *oracle, const json_t *value); /* NaN and the infinities are null */
const void *oracle_write(struct oracle *oracle,
                         size_t *out_size); /* until the next call; NULL: failed */
void oracle_close(struct oracle *oracle);
#endif
