/* embedded.h: the texts of schemas/ as the build put them into the program (embed.cmake). Only
 * schema_embedded.c uses it. */
#ifndef EMBEDDED_H
#define EMBEDDED_H
#include <stddef.h>

struct embedded_schema {
    const char *stem;          /* "window.panes" */
    const unsigned char *text; /* not zero-terminated */
    size_t text_size;
};
extern const struct embedded_schema embedded_schemas[];
extern const size_t embedded_schema_count; /* <= EMBEDDED_MAX */
enum { EMBEDDED_MAX = 128 };
#endif
