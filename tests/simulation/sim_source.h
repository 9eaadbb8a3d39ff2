/* sim_source.h: what the files of the simulated consumer share: sim_source.c (source.h),
 * sim_fetch.c (from the logs into its queue), sim_membership.c (its side of the group).
 *
 * Owner    whoever called source_open; else sim_source_forget.     Thread  one.
 */
#ifndef SIM_SOURCE_H
#define SIM_SOURCE_H
#include "kafka/source.h"
#include "sim_broker.h"

enum sim_join {
    SIM_JOIN_NONE, /* nothing is subscribed to */
    SIM_JOIN_WANTED,
    SIM_JOIN_WAITING,   /* for the next generation */
    SIM_JOIN_ASSIGNING, /* on_assigned is to be called, or to be answered */
    SIM_JOIN_STEADY,
    SIM_JOIN_REVOKING, /* on_revoked likewise */
};
enum { SIM_TOPICS_MAX = 16 };
enum sim_reset { SIM_RESET_ERROR, SIM_RESET_EARLIEST, SIM_RESET_LATEST };
enum sim_event_kind {
    SIM_EVENT_RECORD,
    SIM_EVENT_END,
    SIM_EVENT_TROUBLE,
    SIM_EVENT_ASSIGNED,
    SIM_EVENT_REVOKED,
    SIM_EVENT_LOST,
};
struct sim_event {
    enum sim_event_kind kind;
    struct sim_partition *log; /* borrowed; of the first three */
    int64_t offset;            /* of the first three */
    struct sim_bytes *bytes;   /* shared (refs); RECORD */
};
struct sim_fetch {             /* one partition being consumed */
    struct sim_partition *log; /* borrowed */
    int64_t offset;            /* the next to be looked at */
    int64_t end_told;          /* where END was said last; -1: nowhere */
    int64_t position;          /* behind the last polled record; -1: none */
    int64_t kept;              /* auto commit: the position that was committed last */
    int64_t slow_until_ms;     /* the next fetch is not answered before */
    bool stopped;              /* after a trouble */
};
struct sim_message {
    struct source *source; /* borrowed; NULL: closed */
    struct sim_message *next, *previous;
    struct sim_bytes *bytes; /* shared (refs) */
};
struct source {
    struct source_options options; /* borrowed texts */
    struct sim_process *process;   /* borrowed; NULL: the scheduler */
    bool read_committed, tells_end, stores, commits;
    enum sim_reset reset;
    struct sim_group *group; /* borrowed */
    int64_t session_ms;

    const char *topics[SIM_TOPICS_MAX]; /* borrowed: subscribed to */
    size_t topic_count;
    enum sim_join join;
    char *member_id; /* owned; "": none */
    int32_t generation;
    char *
        given_member_id; /* owned: who it was when it was given its partitions; NULL: it has none */
    int32_t given_generation;
    bool was_heard;               /* at the last look */
    int64_t heard_ms;             /* the last answer to a heartbeat */
    struct sim_partition **given; /* owned list: by the group */
    size_t given_count;

    struct sim_fetch *fetches; /* owned */
    size_t fetch_count;
    bool paused;              /* a rebalance stopped the fetches until the next assign */
    struct sim_event *events; /* owned: [event_first, event_count) are queued */
    size_t event_first, event_count, event_capacity;
    struct sim_message *messages; /* owned list: lent to the application */
    struct source *next;
};
void sim_source_push(struct source *source, struct sim_event event); /* wakes the application */
void sim_source_purge(struct source *source); /* drops what was fetched and not polled */

/* sim_fetch.c */
void sim_fetch_begin(struct source *source, struct sim_partition *log, int64_t offset);
void sim_fetch_steps(struct source *source);
/* sim_membership.c */
void sim_membership_steps(struct source *source);
void sim_membership_assigned(struct source *source, bool anything); /* the application's answer */
void sim_membership_leave(struct source *source);
/* A session time-out would be found out by this side. */
bool sim_membership_is_waiting(const struct source *source);
/* The member of the group behind a source; NULL: the group does not know it (any more). */
struct sim_member *sim_membership_member(const struct source *source);
#endif
