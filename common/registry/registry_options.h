/* registry_options.h: a pen from a program's options: URLs, credentials, certificates. Private to
 * common/registry.
 *
 * Faults   OPTION_INVALID with a reason that names the option and holds no secret.
 */
#ifndef REGISTRY_OPTIONS_H
#define REGISTRY_OPTIONS_H
#include "registry/registry_ask.h"

/* pen->loop is set. false in *out_wanted: the options name no registry, the pen is as it was. */
MUST_USE enum fault registry_options_read(const struct option_set *options,
                                          struct registry_pen *pen, bool *out_wanted,
                                          struct reason *out_reason);
#endif
