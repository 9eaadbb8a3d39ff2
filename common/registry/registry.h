/* registry.h: a Confluent-compatible schema registry, asked over HTTP on the loop: which schema has
 * this id?
 *
 * What an id means never changes, so an answer is kept for ever; "there is no such id" is kept for
 * a while (schema-registry.missing-ttl). What is not known yet is asked for, of each URL in turn,
 * until one answers: with growing waits, drawn at random, never without one; that there is none
 * each URL must have had its chance to deny. While no registry answers, all that is known goes on
 * being known. A schema's references are read too, and the types that they bring are put where they
 * are first named, so that the text stands alone.
 *
 * Life     registry_open, then registry_find or registry_call …, then registry_close.
 * Owner    caller of registry_open(); a schema found is the registry's and lives as long as it.
 *          Memory goes once the loop has turned after registry_close.
 * Thread   loop thread only; callbacks run from the loop, never inside a call; they may call, not
 * close.
 * Faults   open: OPTION_INVALID with a reason. The registry's own failures are REGISTRY_AWAITED and
 * registry_why.
 * Memory   each schema once; REGISTRY_NAMES_MAX ids, of which those that mean nothing make room.
 * Cost     find O(1).
 */
#ifndef REGISTRY_H
#define REGISTRY_H
#include "avro/schema.h"
#include "config/option.h"
#include "http/http_client.h"

enum { REGISTRY_NAMES_MAX = 4096, REGISTRY_NAME_SIZE_MAX = 36 };

/* Rows for a program's options: schema-registry and schema-registry.* */
extern const struct option_row registry_option_rows[];

struct registry;
/* The registry of the options; NULL in *out_registry where schema-registry names none. on_change:
 * an answer came, or an attempt failed. */
MUST_USE enum fault registry_open(const struct option_set *options, uv_loop_t *loop,
                                  void (*on_change)(void *context), void *context,
                                  struct registry **out_registry, struct reason *out_reason);

enum registry_state {
    REGISTRY_FOUND,
    REGISTRY_MISSING, /* it says that there is none */
    REGISTRY_REFUSED, /* there is one, but not one that can be read: out_reason says why */
    REGISTRY_AWAITED  /* not known yet; it is being asked */
};
/* name: an id in decimal digits ("7"), or a GUID (36 characters, lower case). */
enum registry_state registry_find(struct registry *registry, struct span name,
                                  const struct schema **out_schema, struct reason *out_reason);
const char *registry_why(const struct registry *registry); /* the last attempt failed: why; "" :
                                                              it did not */

struct registry_counts {
    uint64_t requests, failures, found, missing;
};
struct registry_counts registry_counts(const struct registry *registry);

/* Any other request, for commands: a few attempts, then a fault. */
struct registry_reply {
    enum fault fault;   /* HTTP_UNREACHABLE, LIMIT_EXCEEDED, OPTION_INVALID, or NONE */
    long status;        /* on NONE */
    const json_t *body; /* borrowed for the call; NULL: no JSON */
    const char *why;    /* what is wrong, for people: on fault and on a status that is not 2xx */
};
typedef void registry_reply_fn(void *context, const struct registry_reply *reply);
/* path as "/subjects"; body NULL: none. Both are copied. */
void registry_call(struct registry *registry, const char *path, const json_t *body,
                   registry_reply_fn *on_reply, void *context); /* GET; with a body POST */
void registry_close(struct registry *registry);                 /* NULL accepted */
#endif
