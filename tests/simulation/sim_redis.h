/* sim_redis.h: a simulated Redis server: one, for the whole simulation.
 *
 * It knows the commands of common/redis and some more for tests, and runs our scripts natively, by
 * their text or the sum it gave them. conform_redis.c holds it to what a real Redis does. Every
 * change of a field is kept, with the write it belongs to and its time, so that the server can be
 * put back to an earlier moment: the tail of the append-only file was lost, or a stale replica was
 * promoted. What happens to connections then is the scheduler's to say (sim_link_cut). There is one
 * database, and nobody needs to log in.
 *
 * Owner    between sim_redis_start and sim_redis_stop.     Thread  one.
 * Memory   all that was ever written.     Cost   a command O(what it touches).
 */
#ifndef SIM_REDIS_H
#define SIM_REDIS_H
#include "redis/link.h"
#include "redis/store_script.h"

void sim_redis_start(void); /* empty, and knows no script */
void sim_redis_stop(void);

/* The answer is valid until the next call. */
const struct link_reply *sim_redis_execute(const struct span *arguments, size_t count);
/* Which of our scripts this command runs; COUNT: none, or one that the server has forgotten. */
enum store_script sim_redis_script_of(const struct span *arguments, size_t count);

/* Writes so far: a command that changed something is one. */
size_t sim_redis_mark(void);
size_t sim_redis_mark_at(int64_t time_ms);    /* the mark as it was at that time */
void sim_redis_roll_back(size_t mark);        /* as it was at that mark; later ones are taken */
void sim_redis_roll_back_to(int64_t time_ms); /* as it was at that time */
void sim_redis_roll_back_by(size_t writes);   /* all but the last; all if there are fewer */

struct sim_redis_copy;
struct sim_redis_copy *sim_redis_copy(void);                    /* everything as it is: a backup */
void sim_redis_restore_copy(const struct sim_redis_copy *copy); /* instead of what is there */
void sim_redis_copy_destroy(struct sim_redis_copy *copy);

void sim_redis_flush_all(void);
void sim_redis_forget_scripts(void); /* as after a restart or a fail-over */
void sim_redis_refuse(
    const char *text); /* answers to all writes, "MISCONF …"; NULL: none any more */
/* A stored value: hash KEY, FIELD; false where there is none. Valid until the next change. */
bool sim_redis_value(const char *key, const char *field, struct span *out_value);
void sim_redis_put(const char *key, struct span field, struct span value); /* past all checks */
#endif
