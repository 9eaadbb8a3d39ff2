/* sim_transaction.c: the transaction coordinator: epochs, what a transaction touched, its end and
 * the markers that follow one by one. */
#include "memory/heap.h"
#include "sim_broker.h"

struct late_end {                        /* an EndTxn that is still on its way */
    struct sim_transaction *transaction; /* borrowed */
    int32_t epoch;
    bool commit;
};
static struct {
    struct sim_transaction **list; /* owned, in the order of first use */
    size_t count;
    struct late_end *late; /* owned */
    size_t late_count;
} coordinator;

struct sim_transaction *sim_transaction_find(const char *id)
{
    for (size_t i = 0; i < coordinator.count; i++) {
        if (strcmp(coordinator.list[i]->id, id) == 0)
            return coordinator.list[i];
    }
    struct sim_transaction *transaction = heap_zeroed(1, sizeof *transaction);
    transaction->id = heap_text(id);
    coordinator.list =
        heap_resized(coordinator.list, coordinator.count + 1, sizeof(struct sim_transaction *));
    coordinator.list[coordinator.count++] = transaction;
    return transaction;
}

static bool is_decided(const struct sim_transaction *transaction)
{
    return transaction->state == SIM_TRANSACTION_COMMITTING ||
           transaction->state == SIM_TRANSACTION_ABORTING;
}

/* ---- Markers. Detail: below log_count a log, then a group; what is done leaves its list. */

static void write_group(struct sim_transaction *transaction, struct sim_group *group)
{
    size_t kept = 0;
    for (size_t i = 0; i < transaction->offset_count; i++) {
        struct sim_offset *offset = &transaction->offsets[i];
        if (offset->group != group) {
            transaction->offsets[kept++] = *offset;
        } else if (transaction->state == SIM_TRANSACTION_COMMITTING) {
            sim_group_commit(group, *offset);
        } else {
            heap_release(offset->metadata);
        }
    }
    transaction->offset_count = kept;
}

static void write_marker(struct sim_transaction *transaction, size_t which)
{
    REQUIRE(is_decided(transaction));
    if (which < transaction->log_count) {
        sim_partition_decide(transaction->logs[which], transaction,
                             transaction->state == SIM_TRANSACTION_COMMITTING);
        transaction->log_count--;
        memmove(transaction->logs + which, transaction->logs + which + 1,
                (transaction->log_count - which) * sizeof(struct sim_partition *));
    } else {
        which -= transaction->log_count;
        write_group(transaction, transaction->groups[which]);
        transaction->group_count--;
        memmove(transaction->groups + which, transaction->groups + which + 1,
                (transaction->group_count - which) * sizeof(struct sim_group *));
    }
    if (transaction->log_count + transaction->group_count == 0)
        transaction->state = SIM_TRANSACTION_NONE;
}

static void run_marker(const struct sim_step *step)
{
    write_marker(step->object, step->detail);
}

static void describe_marker(const struct sim_step *step, struct reason *out_text)
{
    const struct sim_transaction *transaction = step->object;
    const char *outcome = transaction->state == SIM_TRANSACTION_COMMITTING ? "commit" : "abort";
    if (step->detail < transaction->log_count)
        reason_set(out_text, "%s of %s in %s[%d]", outcome, transaction->id,
                   transaction->logs[step->detail]->topic,
                   (int)transaction->logs[step->detail]->partition);
    else
        reason_set(out_text, "%s of %s in the offsets of %s", outcome, transaction->id,
                   transaction->groups[step->detail - transaction->log_count]->name);
}

static void complete(struct sim_transaction *transaction)
{
    while (is_decided(transaction))
        write_marker(transaction, 0);
}

static void decide(struct sim_transaction *transaction, bool commit)
{
    transaction->state = commit ? SIM_TRANSACTION_COMMITTING : SIM_TRANSACTION_ABORTING;
    ENSURE(transaction->log_count + transaction->group_count > 0);
}

/* ---- What producers ask for */

int32_t sim_transaction_init(struct sim_transaction *transaction, int64_t timeout_ms)
{
    transaction->epoch++;
    transaction->timeout_ms = timeout_ms;
    if (transaction->state == SIM_TRANSACTION_OPEN)
        decide(transaction, false);
    complete(transaction);
    return transaction->epoch;
}

/* true: the transaction is open, anew where none was. */
static bool open_for(struct sim_transaction *transaction, int32_t epoch)
{
    if (epoch != transaction->epoch)
        return false;
    complete(transaction);
    if (transaction->state == SIM_TRANSACTION_NONE) {
        transaction->state = SIM_TRANSACTION_OPEN;
        transaction->began_ms = sim_clock_now_ms();
    }
    return true;
}

bool sim_transaction_enlist(struct sim_transaction *transaction, int32_t epoch,
                            struct sim_partition *log)
{
    if (!open_for(transaction, epoch))
        return false;
    for (size_t i = 0; i < transaction->log_count; i++) {
        if (transaction->logs[i] == log)
            return true;
    }
    transaction->logs =
        heap_resized(transaction->logs, transaction->log_count + 1, sizeof(struct sim_partition *));
    transaction->logs[transaction->log_count++] = log;
    return true;
}

bool sim_transaction_enlist_group(struct sim_transaction *transaction, int32_t epoch,
                                  struct sim_group *group)
{
    if (!open_for(transaction, epoch))
        return false;
    for (size_t i = 0; i < transaction->group_count; i++) {
        if (transaction->groups[i] == group)
            return true;
    }
    transaction->groups =
        heap_resized(transaction->groups, transaction->group_count + 1, sizeof(struct sim_group *));
    transaction->groups[transaction->group_count++] = group;
    return true;
}

void sim_transaction_offset(struct sim_transaction *transaction, struct sim_offset offset)
{
    transaction->offsets = heap_resized(transaction->offsets, transaction->offset_count + 1,
                                        sizeof *transaction->offsets);
    transaction->offsets[transaction->offset_count++] = offset;
}

bool sim_transaction_end(struct sim_transaction *transaction, int32_t epoch, bool commit)
{
    if (epoch != transaction->epoch)
        return false;
    if (transaction->state == SIM_TRANSACTION_OPEN)
        decide(transaction, commit);
    return true;
}

void sim_transaction_end_later(struct sim_transaction *transaction, int32_t epoch, bool commit)
{
    coordinator.late =
        heap_resized(coordinator.late, coordinator.late_count + 1, sizeof *coordinator.late);
    coordinator.late[coordinator.late_count++] = (struct late_end){transaction, epoch, commit};
}

bool sim_transaction_holds(const struct sim_group *group, const struct sim_partition *log)
{
    for (size_t i = 0; i < coordinator.count; i++) {
        const struct sim_transaction *transaction = coordinator.list[i];
        for (size_t k = 0; k < transaction->offset_count; k++) {
            if (transaction->offsets[k].group == group && transaction->offsets[k].log == log)
                return true;
        }
    }
    return false;
}

size_t sim_transaction_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < coordinator.count; i++)
        count += coordinator.list[i]->state != SIM_TRANSACTION_NONE;
    return count;
}

/* ---- Steps */

/* The epoch rises, so the producer finds out whatever it does next. */
static void run_expiry(const struct sim_step *step)
{
    struct sim_transaction *transaction = step->object;
    transaction->epoch++;
    decide(transaction, false);
}

static void describe_transaction(const struct sim_step *step, struct reason *out_text)
{
    const struct sim_transaction *transaction = step->object;
    reason_set(out_text, "%s", transaction->id);
}

static void run_late(const struct sim_step *step)
{
    const struct late_end late = coordinator.late[step->detail];
    coordinator.late_count--;
    memmove(coordinator.late + step->detail, coordinator.late + step->detail + 1,
            (coordinator.late_count - step->detail) * sizeof *coordinator.late);
    (void)sim_transaction_end(late.transaction, late.epoch, late.commit);
}

static int64_t expiry_ms(const struct sim_transaction *transaction)
{
    return transaction->state == SIM_TRANSACTION_OPEN
               ? transaction->began_ms + transaction->timeout_ms
               : INT64_MAX;
}

void sim_transaction_steps(void)
{
    static const struct sim_step_kind marker = {"marker", run_marker, describe_marker};
    static const struct sim_step_kind expiry = {"transaction time-out", run_expiry,
                                                describe_transaction};
    static const struct sim_step_kind late = {"late end of transaction", run_late,
                                              describe_transaction};
    const int64_t now_ms = sim_clock_now_ms();
    for (size_t i = 0; i < coordinator.count; i++) {
        struct sim_transaction *transaction = coordinator.list[i];
        const size_t marker_count = transaction->log_count + transaction->group_count;
        for (size_t k = 0; is_decided(transaction) && k < marker_count; k++)
            sim_step_add(&marker, transaction, k);
        if (expiry_ms(transaction) <= now_ms)
            sim_step_add(&expiry, transaction, 0);
    }
    for (size_t i = 0; i < coordinator.late_count; i++)
        sim_step_add(&late, coordinator.late[i].transaction, i);
}

int64_t sim_transaction_due_ms(void)
{
    int64_t due_ms = INT64_MAX;
    for (size_t i = 0; i < coordinator.count; i++) {
        const int64_t next_ms = expiry_ms(coordinator.list[i]);
        due_ms = next_ms < due_ms ? next_ms : due_ms;
    }
    return due_ms;
}

void sim_transaction_stop(void)
{
    for (size_t i = 0; i < coordinator.count; i++) {
        struct sim_transaction *transaction = coordinator.list[i];
        for (size_t k = 0; k < transaction->offset_count; k++)
            heap_release(transaction->offsets[k].metadata);
        heap_release(transaction->offsets);
        heap_release(transaction->logs);
        heap_release(transaction->groups);
        heap_release(transaction->id);
        heap_release(transaction);
    }
    heap_release(coordinator.list);
    heap_release(coordinator.late);
    memset(&coordinator, 0, sizeof coordinator);
}
