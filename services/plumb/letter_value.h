/* letter_value.h: what a dead letter's value is, as far as it can be read.
 *
 * JSON, or Avro in single-object encoding whose schema the catalog has. Most letters were refused
 * for what their value is, so that it does not read is no fault.
 *
 * Owner    caller of letter_value_read() (letter_value_fini).     Thread  any.
 * Memory   what jansson takes; bounded as source_json.h and datum.h say.
 */
#ifndef LETTER_VALUE_H
#define LETTER_VALUE_H
#include "check/reason.h"
#include "model/catalog.h"

enum letter_framing { LETTER_FRAMING_NONE, LETTER_FRAMING_JSON, LETTER_FRAMING_SINGLE_OBJECT };
struct letter_value {
    enum letter_framing framing;
    uint64_t fingerprint;  /* SINGLE_OBJECT */
    json_t *json;          /* owned; NULL: it does not read */
    struct reason trouble; /* why not */
};
void letter_value_read(const struct catalog *catalog, struct span bytes,
                       struct letter_value *out_value);
const char *letter_value_model(const struct letter_value *value); /* NULL: it cannot be told */
void letter_value_fini(struct letter_value *value);
#endif
