/* utf8.h: is a text what it says it is? Avro promises UTF-8; bytes from outside promise nothing.
 *
 * As RFC 3629: no overlong forms, no surrogates, nothing over U+10FFFF. U+0000 is a character.
 * Cost     O(size), eight bytes at a time where all are ASCII.
 */
#ifndef UTF8_H
#define UTF8_H
#include "memory/span.h"
#include <string.h>

bool utf8_is_valid(struct span text);

/* Most texts are; in line, because most are short as well. The last eight bytes are looked at
 * together, some of them twice. */
static inline bool utf8_is_ascii(const uint8_t *bytes, size_t size)
{
    uint64_t seen = 0, eight;
    uint32_t first, final;
    if (size >= 8) {
        for (size_t at = 0; at + 8 < size; at += 8) {
            memcpy(&eight, bytes + at, 8);
            seen |= eight;
        }
        memcpy(&eight, bytes + size - 8, 8);
        return ((seen | eight) & UINT64_C(0x8080808080808080)) == 0;
    }
    if (size >= 4) {
        memcpy(&first, bytes, 4);
        memcpy(&final, bytes + size - 4, 4);
        return ((first | final) & 0x80808080) == 0;
    }
    for (size_t at = 0; at < size; at++)
        seen |= bytes[at];
    return (seen & 0x80) == 0;
}
#endif
