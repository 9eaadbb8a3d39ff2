/* Target functions: inlining_text, schema_parse: what a schema registry answers.
 * Whatever the bytes: a text of bounded size that schema_parse takes or refuses with a reason, or
 * none with a reason. */
#include "avro/schema.h"
#include "fuzz.h"
#include "memory/heap.h"
#include "registry/inlining.h"

enum { REFERENCES_MAX = 8 };

/* Texts with zero bytes between them: the schema, then what it refers to. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct span texts[REFERENCES_MAX + 1];
    size_t count = 0;
    for (size_t at = 0; count <= REFERENCES_MAX && at <= size; count++) {
        const uint8_t *end = at == size ? NULL : memchr(bytes + at, 0, size - at);
        const size_t length = end == NULL ? size - at : (size_t)(end - (bytes + at));
        texts[count] = span_of(bytes + at, length);
        at += length + 1;
    }
    struct reason reason = {""};
    char *text = inlining_text(texts[0], texts + 1, count - 1, &reason);
    ENSURE((text == NULL) == (reason.text[0] != '\0'));
    if (text == NULL)
        return 0;
    /* Each definition at most once, with its namespace said in full; \u escapes take six for one.
     */
    ENSURE(strlen(text) <= 16 * size * (size + 64));
    struct schema *schema = NULL;
    const enum fault fault = schema_parse(span_text(text), &schema, &reason);
    ENSURE(fault == FAULT_NONE || reason.text[0] != '\0');
    schema_destroy(schema);
    heap_release(text);
    return 0;
}
