/* digest.h: one number for a set of entries, whatever their order: the sum of their checksums.
 *
 * It is stored with the offset that the entries belong to. A checksum tells that an entry is as it
 * was written; the digest tells that these are the entries, all of them, that were written with
 * this offset: a Redis that lost half of a write (an open MULTI at the end of a file that was cut),
 * or a field, is found, and the shard rebuilt.
 *
 * Owner    caller of digest_create().     Thread   one at a time.
 * Memory   8 bytes and the field's name an entry.     Cost   O(size of what changed).
 */
#ifndef DIGEST_H
#define DIGEST_H
#include "memory/buffer.h"
#include "service/outputs.h"

struct digest;
struct digest *digest_create(void);
void digest_put(struct digest *digest, struct span field, struct span bytes);
void digest_remove(struct digest *digest, struct span field); /* nothing where absent */
void digest_add(struct digest *digest, const struct changes *changes);
size_t digest_count(const struct digest *digest); /* entries */
/* "POSITIONS DIGEST". Appends to out. */
void digest_write(const struct digest *digest, struct span positions, struct buffer *out);
/* Whether a stored text says this digest; out_positions lies within it. A text without a digest is
 * not one of ours. */
bool digest_read(const struct digest *digest, struct span stored, struct span *out_positions);
void digest_destroy(struct digest *digest); /* NULL accepted */
#endif
