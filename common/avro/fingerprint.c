#include "avro/fingerprint.h"

/* The specification's name for it: the fingerprint of no bytes, and the polynomial. */
#define EMPTY UINT64_C(0xc15d213aa4d7a795)

/* Remainder of one byte; eight steps instead of a table that would have to be made at a first,
 * racing call. Schemas are short and are hashed once. */
static uint64_t remainder_of(uint64_t byte)
{
    uint64_t rest = byte;
    for (int i = 0; i < 8; i++)
        rest = (rest >> 1) ^ (EMPTY & (0 - (rest & 1)));
    return rest;
}

uint64_t fingerprint_of(struct span bytes)
{
    uint64_t print = EMPTY;
    for (size_t i = 0; i < bytes.size; i++)
        print = (print >> 8) ^ remainder_of((print ^ bytes.bytes[i]) & 0xFF);
    return print;
}
