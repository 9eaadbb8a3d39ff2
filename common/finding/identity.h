/* identity.h: names made of what they name: a 128-bit hash over fields, as text.
 *
 * Each field is hashed with a zero byte behind it, so "a","bc" and "ab","c" differ; integers as
 * decimal text; null as the empty field. Equal fields give equal names on every machine, in every
 * run: what lets a record be written twice and count once.
 *
 * Owner    embedded in the caller: {0} begins; identity_hex and identity_uuid end it and give the
 *          memory back.
 * Thread   one at a time.
 * Cost     O(bytes).
 */
#ifndef IDENTITY_H
#define IDENTITY_H
#include "memory/buffer.h"

enum { IDENTITY_HEX_SIZE = 33, IDENTITY_UUID_SIZE = 37 }; /* with the final zero */

struct identity {
    struct buffer fields;
};

void identity_text(struct identity *identity, const char *text); /* NULL: empty */
void identity_integer(struct identity *identity, int64_t value);
/* 32 hex digits of XXH3-128. */
void identity_hex(struct identity *identity, char out_text[IDENTITY_HEX_SIZE]);
/* The same digits in the shape 8-4-4-4-12. */
void identity_uuid(struct identity *identity, char out_text[IDENTITY_UUID_SIZE]);
#endif
