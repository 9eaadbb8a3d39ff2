#include "avro/embedded.h"
#include "avro/schema.h"

const struct schema *schema_embedded(const char *stem)
{
    REQUIRE(stem != NULL);
    REQUIRE(embedded_schema_count <= EMBEDDED_MAX);
    static struct schema *parsed[EMBEDDED_MAX]; /* kept for the life of the process */
    for (size_t i = 0; i < embedded_schema_count; i++) {
        const struct embedded_schema *embedded = &embedded_schemas[i];
        if (strcmp(embedded->stem, stem) != 0)
            continue;
        if (parsed[i] == NULL) {
            struct reason reason = {""};
            const enum fault fault =
                schema_parse(span_of(embedded->text, embedded->text_size), &parsed[i], &reason);
            if (fault != FAULT_NONE)
                (void)fprintf(stderr, "plumb: schemas/%s.avsc: %s\n", stem, reason.text);
            ENSURE(fault == FAULT_NONE);
        }
        return parsed[i];
    }
    (void)fprintf(stderr, "plumb: no schemas/%s.avsc\n", stem);
    UNREACHABLE("a schema that was not built in");
}

const struct schema *schema_embedded_find(uint64_t fingerprint)
{
    for (size_t i = 0; i < embedded_schema_count; i++) {
        const struct schema *schema = schema_embedded(embedded_schemas[i].stem);
        if (schema_fingerprint(schema) == fingerprint)
            return schema;
    }
    return NULL;
}
