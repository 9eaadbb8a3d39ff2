/* value.h: one value read out of Avro bytes, of whatever type its writer gave it.
 *
 * Owner    whoever has the struct; texts borrow from the bytes, from the schema (symbols) or from
 *          the plan that read them (uuids kept as bytes).
 */
#ifndef VALUE_H
#define VALUE_H
#include "memory/span.h"

enum value_kind {
    VALUE_MISSING,
    VALUE_NULL,
    VALUE_BOOLEAN,
    VALUE_LONG,
    VALUE_DOUBLE,
    VALUE_TEXT,
    VALUE_OTHER /* an array, map, record or bytes where one value was expected */
};
struct value {
    enum value_kind kind;
    bool boolean; /* BOOLEAN */
    union {
        struct {
            double number;   /* DOUBLE, and LONG converted: numeric code reads one field */
            int64_t integer; /* LONG */
        };
        struct span text; /* TEXT */
    };
};

/* The text of a value as a category: "1" for 1 and 1.0, "true", the text itself; shortest digits
 * that read back the same for other doubles. Writes at most 40 bytes to scratch; TEXT is returned
 * as it is. */
struct span value_category(const struct value *value, char scratch[40]);
#endif
