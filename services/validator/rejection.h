/* rejection.h: why a record is refused or marked: a stable code (schemas/reasons.def), a column
 * where one is to blame, a detail.
 *
 * A detail names places and types, never a feature's value: dead letters are read by more people
 * than the data. Owner    caller, on its stack; texts are copied in and cut.
 */
#ifndef REJECTION_H
#define REJECTION_H
#include "check/reason.h"
#include "memory/span.h"

enum rejection_code {
#define REASON(name, sentence) REJECTION_##name,
#include "schemas/reasons.def"
#undef REASON
    REJECTION_CODE_COUNT
};
enum { REJECTION_COLUMN_SIZE = 256 };

struct rejection {
    enum rejection_code code;
    char column[REJECTION_COLUMN_SIZE]; /* "": the record as a whole */
    struct reason detail;               /* "": the code says it all */
};

const char *rejection_name(enum rejection_code code);     /* "missing_field" */
const char *rejection_sentence(enum rejection_code code); /* "a required field is missing …" */
/* Sets all three; the column is cut between characters. Returns false, so that a refusal is one
 * line. */
bool rejection_set(struct rejection *rejection, enum rejection_code code, struct span column,
                   const char *format, ...) PRINTF_LIKE(4, 5);
#endif
