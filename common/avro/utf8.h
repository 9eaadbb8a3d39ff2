/* utf8.h: is a text what it says it is? Avro promises UTF-8; bytes from outside promise nothing.
 *
 * As RFC 3629: no overlong forms, no surrogates, nothing over U+10FFFF. U+0000 is a character.
 * Cost     O(size), eight bytes at a time where all are ASCII.
 */
#ifndef UTF8_H
#define UTF8_H
#include "memory/span.h"

bool utf8_is_valid(struct span text);
#endif
