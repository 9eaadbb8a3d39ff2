/* store_slot.h: Redis Cluster's hash slots: of a key, and of a server's answer "it is over there".
 *
 * Thread   any.     Cost     O(size of the text).
 */
#ifndef STORE_SLOT_H
#define STORE_SLOT_H
#include "memory/span.h"

enum { STORE_SLOT_COUNT = 16384 };

/* CRC16 (XMODEM) of what stands between the first { and the next }, or of the whole key where that
 * is nothing. */
uint16_t store_slot(struct span key);

/* "MOVED 3999 10.0.0.1:6381", "ASK 3999 :6381". */
struct store_redirect {
    bool ask; /* for this once; the slot is still being moved */
    uint16_t slot;
    char host[256]; /* empty: the host that answered */
    int port;
};
/* false: another text; out_redirect is then untouched. */
bool store_redirect_read(struct span text, struct store_redirect *out_redirect);
#endif
