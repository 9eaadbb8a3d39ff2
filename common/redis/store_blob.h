/* store_blob.h: a value as it is stored in Redis: its bytes, "P1", and a checksum.
 *
 * The checksum is XXH64, little-endian, of the field's name, a zero byte and the bytes: a value
 * that was damaged, cut, or put under another field is found.
 *
 * Owner    caller of the arena.     Thread   one at a time.     Cost     O(size).
 */
#ifndef STORE_BLOB_H
#define STORE_BLOB_H
#include "memory/arena.h"

enum { STORE_BLOB_FRAME_SIZE = 10 };

/* The checksum. */
uint64_t store_blob_sum(struct span field, struct span bytes);
struct span store_blob_framed(struct arena *arena, struct span field, struct span bytes);
/* false: not what store_blob_framed made for this field. out_bytes lies within stored. */
bool store_blob_read(struct span field, struct span stored, struct span *out_bytes);
#endif
