/* fingerprint.h: CRC-64-AVRO, the Rabin fingerprint of the Avro specification.
 *
 * Cost     O(8 size).
 */
#ifndef FINGERPRINT_H
#define FINGERPRINT_H
#include "memory/span.h"

uint64_t fingerprint_of(struct span bytes);
#endif
