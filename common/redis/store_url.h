/* store_url.h: redis://[user[:password]@]host[:port][/database], taken apart.
 *
 * Faults   OPTION_INVALID with a reason. rediss:// (TLS) is refused: the packaged hiredis has none.
 */
#ifndef STORE_URL_H
#define STORE_URL_H
#include "check/fault.h"
#include "check/reason.h"
#include <stdint.h>

struct store_url {
    char host[256], user[128], password[128]; /* empty: not given */
    uint16_t port;
    int database;
};
MUST_USE enum fault store_url_parse(const char *text, struct store_url *out_url,
                                    struct reason *out_reason);
#endif
