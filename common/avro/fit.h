/* fit.h: does a JSON value fit a type, and which branch of a union does it take?
 *
 * The rules of datum.h. fit_branch looks at the value's own kind only (for records: are all
 * required fields there?), so it is cheap and never backtracks; fit_whole looks at all of it and is
 * for defaults in schemas. Thread   any.
 */
#ifndef FIT_H
#define FIT_H
#include "avro/schema.h"
#include <stdbool.h>

/* false: no branch fits. */
bool fit_branch(const struct schema_node *choice, const json_t *value, size_t *out_index);
/* false: no text, or no symbol of the enum. */
bool fit_symbol(const struct schema_node *node, const json_t *value, size_t *out_index);
/* bytes and fixed take a text of code points up to 255, as the specification writes their defaults.
 */
bool fit_whole(const struct schema_node *node, const json_t *value);
#endif
