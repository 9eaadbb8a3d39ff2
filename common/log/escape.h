/* escape.h: puts text that nobody vouches for into a line that others parse.
 *
 * What is not UTF-8 becomes U+FFFD, so a log stays JSON and a scrape stays readable whatever a
 * model or a host is called. Thread   any.     Cost  O(size).
 */
#ifndef ESCAPE_H
#define ESCAPE_H
#include "memory/buffer.h"

/* Between the quotes of a JSON string (also logfmt's): control characters, `"` and `\` are escaped.
 */
void escape_json(struct buffer *out, struct span text);
/* Between the quotes of a Prometheus label value: `\`, `"` and line feed are escaped; other control
 * characters become spaces. */
void escape_label(struct buffer *out, struct span text);
#endif
