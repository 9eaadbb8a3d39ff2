#include "avro/utf8.h"

/* The size of the well-formed sequence at `bytes`, 0 where there is none. left >= 1. */
static size_t sequence_size(const uint8_t *bytes, size_t left)
{
    const uint8_t first = bytes[0];
    if (first < 0x80)
        return 1;
    if (first < 0xC2 || first > 0xF4)
        return 0;
    const size_t size = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (size > left)
        return 0;
    /* The second byte's range rules out overlong forms, surrogates and what is over U+10FFFF. */
    const uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    const uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (bytes[1] < low || bytes[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
    return size;
}

bool utf8_is_valid(struct span text)
{
    size_t at = 0;
    while (at < text.size) {
        uint64_t eight = 0;
        if (text.size - at >= sizeof eight) {
            memcpy(&eight, text.bytes + at, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        const size_t size = sequence_size(text.bytes + at, text.size - at);
        if (size == 0)
            return false;
        at += size;
    }
    return true;
}
