/* sim_link.h: link.h over the simulated Redis, one step at a time.
 *
 * A link belongs to the process that was current when it was opened. What is sent reaches the
 * server in one step and is answered in a later one, both taken by the scheduler; so a connection
 * can end between the two. A state script asks sim_process_fate() when it reaches the server
 * (SIM_STATE_READ, SIM_STATE_WRITE) and when its answer is delivered (SIM_STATE_REPLY); other
 * commands go well. Nothing moves for a process that is dead or while its redis_is_away; a paused
 * one gets nothing, but what it has sent arrives.
 *
 * A state script that was sent, and whose connection was closed or cut before it arrived, is
 * stranded: it may reach the server later, as the last words of a connection do, or never.
 *
 * Owner    the scheduler.     Thread  one. Callbacks run within the steps alone, with the link's
 * process as the current one.
 */
#ifndef SIM_LINK_H
#define SIM_LINK_H
#include "sim_process.h"
#include <stddef.h>

/* One thing happens: a request arrives (these first), or an answer or a loss is delivered. false:
 * there is nothing. */
bool sim_link_step(struct sim_process *process);
bool sim_link_can_step(const struct sim_process *process); /* there is something */
bool sim_link_step_request(struct sim_process *process);   /* the same, but only of this kind */
bool sim_link_step_reply(struct sim_process *process);
void sim_link_cut(struct sim_process *process); /* its connections end: on_down is a later step */
/* The process has ended: its links are freed without callbacks. Its code must not touch them. */
void sim_link_end(struct sim_process *process);

size_t sim_link_stranded(void);    /* how many there are */
void sim_link_step_stranded(void); /* the oldest arrives; nobody gets the answer */
void sim_link_drop_stranded(void); /* none will arrive */
#endif
