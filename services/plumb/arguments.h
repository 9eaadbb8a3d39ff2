/* arguments.h: what a command of plumb was given.
 *
 * Owner    caller of arguments_read().     Thread  one.
 */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H
#include "config/option.h"

enum arguments_part { ARGUMENTS_KAFKA = 1, ARGUMENTS_OUTPUT = 2, ARGUMENTS_REGISTRY = 4 };
struct arguments_spec {
    const char *command;           /* "send" */
    const char *usage, *summary;   /* for --help */
    const struct option_row *rows; /* the command's own; NULL: none */
    unsigned parts;                /* of enum arguments_part: rows that several commands share */
    size_t least, most;            /* positional arguments */
};
/* NULL: the command ends with *out_exit (after --help, or an error that was said). */
struct option_set *arguments_read(const struct arguments_spec *spec, int argc, char *argv[],
                                  int *out_exit);
/* A time: milliseconds since the epoch, or ISO 8601 (1997-05-05, 1997-05-05T10:00Z, …+10:00);
 * without a zone UTC. */
bool arguments_parse_time(const char *text, int64_t *out_ms);
/* The same for an option; *out_exit is set where it is given and wrong. false then. Unset: true,
 * fallback. */
bool arguments_time(const char *command, const struct option_set *set, const char *name,
                    int64_t fallback, int64_t *out_ms, int *out_exit);
#endif
