#include "kafka/record.h"

const struct header *record_header(const struct record *record, const char *name)
{
    REQUIRE(record != NULL);
    REQUIRE(name != NULL);
    for (size_t i = 0; i < record->header_count; i++)
        if (strcmp(record->headers[i].name, name) == 0)
            return &record->headers[i];
    return NULL;
}
