#include "outlook.h"
#include "memory/heap.h"

#include <inttypes.h>

static int64_t live_from(const struct outlook_input *input)
{
    return input->committed < 0 ? 0 : input->committed;
}

static bool was_committed(const struct outlook_facts *facts)
{
    for (size_t i = 0; i < facts->input_count; i++)
        if (facts->inputs[i].committed >= 0)
            return true;
    return false;
}

void outlook_positions_write(const struct outlook_facts *facts, const int64_t *positions,
                             struct buffer *out)
{
    for (size_t i = 0; i < facts->input_count; i++)
        buffer_format(out, "%s%s:%d=%lld", i == 0 ? "" : ",",
                      topic_row(facts->inputs[i].topic)->name, (int)facts->inputs[i].partition,
                      (long long)positions[i]);
}

bool outlook_positions_read(const struct outlook_facts *facts, const char *text,
                            int64_t out_positions[SERVICE_TOPICS_MAX])
{
    int64_t positions[SERVICE_TOPICS_MAX];
    for (size_t i = 0; i < facts->input_count; i++) {
        char *name =
            heap_format("%s%s:%d=", i == 0 ? "" : ",", topic_row(facts->inputs[i].topic)->name,
                        (int)facts->inputs[i].partition);
        const size_t size = strlen(name);
        const bool good = strncmp(text, name, size) == 0;
        heap_release(name);
        char *end;
        positions[i] = good ? strtoll(text + size, &end, 10) : 0;
        if (!good || end == text + size)
            return false;
        text = end;
    }
    if (*text != '\0')
        return false;
    memcpy(out_positions, positions, sizeof positions[0] * facts->input_count);
    return true;
}

/* "12", or with several inputs "alerts:0=12,measurements:0=34". */
static const char *places(const struct outlook_facts *facts, const int64_t *positions,
                          struct reason *text)
{
    struct buffer whole = {0};
    outlook_positions_write(facts, positions, &whole);
    if (facts->input_count == 1)
        reason_set(text, "%" PRId64, positions[0]);
    else
        reason_set(text, "%.*s", (int)whole.size, (const char *)whole.bytes);
    buffer_fini(&whole);
    return text->text;
}

static void committed_positions(const struct outlook_facts *facts, int64_t *out)
{
    for (size_t i = 0; i < facts->input_count; i++)
        out[i] = live_from(&facts->inputs[i]);
}

static struct outlook refused(enum fault fault)
{
    return (struct outlook){.kind = OUTLOOK_REFUSED, .fault = fault};
}

static struct outlook refuse_ahead(const struct outlook_facts *facts)
{
    struct outlook outlook = refused(FAULT_STATE_AHEAD);
    struct reason stored, committed;
    int64_t positions[SERVICE_TOPICS_MAX];
    committed_positions(facts, positions);
    reason_set(&outlook.text, "refused: STATE_AHEAD, Redis is at %s and Kafka's offsets at %s",
               places(facts, facts->positions, &stored),
               was_committed(facts) ? places(facts, positions, &committed) : "none");
    return outlook;
}

/* As judge_positions in restore.c: NONE, STATE_AHEAD, or STATE_CONFLICT: too old to be used. */
static enum fault judge(const struct outlook_facts *facts, const int64_t *positions)
{
    enum fault fault = FAULT_NONE;
    for (size_t i = 0; i < facts->input_count; i++) {
        const struct outlook_input *input = &facts->inputs[i];
        if (positions[i] > live_from(input))
            return FAULT_STATE_AHEAD;
        if (positions[i] < (facts->endless ? live_from(input) : input->mark.replay))
            fault = FAULT_STATE_CONFLICT;
    }
    return fault;
}

/* As give in endless.c. */
static bool has_snapshot(const struct outlook_facts *facts)
{
    if (!was_committed(facts) && !facts->has_head && facts->head_found == 0)
        return true; /* a group's first start */
    bool there = facts->has_head && facts->head_is_whole;
    for (size_t i = 0; i < facts->input_count; i++)
        there = there && facts->head[i] == live_from(&facts->inputs[i]);
    return there;
}

static struct outlook from_snapshot(const struct outlook_facts *facts)
{
    struct outlook outlook = {.kind = was_committed(facts) ? OUTLOOK_SNAPSHOT : OUTLOOK_BEGINS};
    struct reason committed, head;
    committed_positions(facts, outlook.from);
    const char *wanted = places(facts, outlook.from, &committed);
    if (!has_snapshot(facts)) {
        outlook = refused(FAULT_STATE_GAP);
        reason_set(&outlook.text, "refused: STATE_GAP, service.snapshots has no state at %s (%s%s)",
                   wanted, facts->has_head ? "it is at " : "it has none",
                   !facts->has_head       ? ""
                   : facts->head_is_whole ? places(facts, facts->head, &head)
                                          : "another number of entries");
        return outlook;
    }
    if (outlook.kind == OUTLOOK_BEGINS)
        reason_set(&outlook.text, "begins: nothing was committed yet");
    else
        reason_set(&outlook.text, "reads service.snapshots at %s", wanted);
    return outlook;
}

static struct outlook from_stored(const struct outlook_facts *facts)
{
    struct outlook outlook = {.kind = OUTLOOK_RESUMES};
    struct reason from, to;
    int64_t committed[SERVICE_TOPICS_MAX];
    committed_positions(facts, committed);
    for (size_t i = 0; i < facts->input_count; i++) {
        outlook.from[i] = facts->has_positions ? facts->positions[i] : 0;
        if (outlook.from[i] < committed[i])
            outlook.kind = OUTLOOK_REPLAYS;
    }
    if (!facts->has_positions && !was_committed(facts))
        outlook.kind = OUTLOOK_BEGINS;
    if (outlook.kind == OUTLOOK_BEGINS)
        reason_set(&outlook.text, "begins: nothing was committed yet");
    else if (outlook.kind == OUTLOOK_RESUMES)
        reason_set(&outlook.text, "resumes at %s", places(facts, outlook.from, &from));
    else
        reason_set(&outlook.text, "replays %s..%s", places(facts, outlook.from, &from),
                   places(facts, committed, &to));
    return outlook;
}

static struct outlook from_replay(const struct outlook_facts *facts)
{
    struct outlook outlook = {.kind = OUTLOOK_REBUILDS};
    struct reason from, to;
    int64_t committed[SERVICE_TOPICS_MAX];
    committed_positions(facts, committed);
    bool replays = false;
    for (size_t i = 0; i < facts->input_count; i++) {
        const int64_t replay = facts->inputs[i].mark.replay;
        outlook.from[i] = replay < 0 ? 0 : replay;
        replays = replays || outlook.from[i] < committed[i];
    }
    const char *why = facts->damaged  ? " (what Redis holds is damaged)"
                      : facts->stored ? " (what Redis holds is too old)"
                                      : "";
    if (replays)
        reason_set(&outlook.text, "rebuilds from %s, up to %s%s",
                   places(facts, outlook.from, &from), places(facts, committed, &to), why);
    else
        reason_set(&outlook.text, "rebuilds from %s: it needs nothing before%s",
                   places(facts, outlook.from, &from), why);
    return outlook;
}

/* Reading begins where the log has no records (any more)? */
static struct outlook check_log(const struct outlook_facts *facts, struct outlook outlook)
{
    for (size_t i = 0; i < facts->input_count && outlook.kind != OUTLOOK_REFUSED; i++) {
        const struct outlook_input *input = &facts->inputs[i];
        const int64_t from = outlook.from[i];
        const char *name = topic_row(input->topic)->name;
        if (input->committed > input->end) {
            outlook = refused(FAULT_STATE_GAP);
            reason_set(&outlook.text,
                       "gap: %s:%d ends at %" PRId64 ", before the committed offset %" PRId64
                       ": the topic was made anew",
                       name, (int)input->partition, input->end, input->committed);
        } else if (from == 0 && input->mark.replay < 0) {
            outlook.from[i] = input->first; /* from the beginning, wherever that is */
        } else if (from < input->first) {
            outlook = refused(FAULT_STATE_GAP);
            reason_set(&outlook.text,
                       "gap: records before %" PRId64 " are gone from %s:%d, and it would begin at "
                       "%" PRId64,
                       input->first, name, (int)input->partition, from);
        } else if (from > input->end) {
            outlook = refused(FAULT_STATE_GAP);
            reason_set(&outlook.text,
                       "gap: %s:%d ends at %" PRId64 ", and it would begin at %" PRId64
                       ": the topic was made anew",
                       name, (int)input->partition, input->end, from);
        }
    }
    return outlook;
}

struct outlook outlook_of(const struct outlook_facts *facts)
{
    struct outlook outlook;
    if (facts->changed != TOPIC_NONE) {
        outlook = refused(FAULT_PARTITIONS_CHANGED);
        reason_set(&outlook.text, "refused: PARTITIONS_CHANGED, %s had %d partitions and has %d",
                   topic_row(facts->changed)->name, (int)facts->changed_was,
                   (int)facts->changed_now);
        return outlook;
    }
    if (facts->foreign) {
        outlook = refused(FAULT_STATE_FOREIGN);
        reason_set(&outlook.text, "refused: STATE_FOREIGN, what Redis holds belongs to another "
                                  "Kafka cluster or consumer group");
        return outlook;
    }
    const int64_t zeros[SERVICE_TOPICS_MAX] = {0};
    const bool has_positions = facts->stored && facts->has_positions && !facts->damaged;
    enum fault fault = judge(facts, has_positions ? facts->positions : zeros);
    if (facts->damaged || (facts->endless && !has_positions))
        fault = FAULT_STATE_CONFLICT;
    if (fault == FAULT_STATE_AHEAD)
        return refuse_ahead(facts);
    if (fault == FAULT_NONE)
        outlook = from_stored(facts);
    else
        outlook = facts->endless ? from_snapshot(facts) : from_replay(facts);
    return check_log(facts, outlook);
}

const char *outlook_kind_name(enum outlook_kind kind)
{
    static const char *const names[] = {
        [OUTLOOK_RESUMES] = "resumes",   [OUTLOOK_REPLAYS] = "replays",
        [OUTLOOK_REBUILDS] = "rebuilds", [OUTLOOK_SNAPSHOT] = "snapshot",
        [OUTLOOK_BEGINS] = "begins",     [OUTLOOK_REFUSED] = "refused",
    };
    return names[kind];
}

/* Offsets and marks that no longer hold, whatever becomes of the state. */
static void mend_input(struct outlook_input *input, struct outlook_repair_input *repair)
{
    if (input->committed < 0)
        return;
    if (input->mark.partitions != 0 && input->mark.partitions != input->partitions) {
        input->mark.partitions = input->partitions;
        repair->commits = true;
    }
    repair->anew = input->committed > input->end;
    if (input->committed >= input->first && !repair->anew)
        return;
    repair->skipped = repair->anew ? 0 : input->first - input->committed;
    repair->commits = true;
    input->committed = input->first;
}

/* A replay that begins where records still are; clock and time of the mark stay. */
static void mend_replay(struct outlook_input *input, struct outlook_repair_input *repair)
{
    if (input->committed < 0 || input->mark.replay < 0 ||
        (input->mark.replay >= input->first && input->mark.replay <= input->committed))
        return;
    if (input->mark.replay < input->first)
        repair->unopened = input->first - repair->skipped - input->mark.replay;
    input->mark.replay = input->first;
    repair->commits = true;
}

struct outlook_repair outlook_repair(const struct outlook_facts *facts, bool all)
{
    struct outlook_facts fixed = *facts;
    struct outlook_repair repair = {.deletes = false};
    fixed.changed = TOPIC_NONE;
    const bool starts = outlook_of(facts).kind != OUTLOOK_REFUSED;
    for (size_t i = 0; i < fixed.input_count && (all || !starts); i++)
        mend_input(&fixed.inputs[i], &repair.inputs[i]);
    repair.after = outlook_of(&fixed);
    if (all || repair.after.kind == OUTLOOK_REFUSED) {
        repair.deletes = fixed.stored;
        fixed.stored = fixed.foreign = fixed.damaged = fixed.has_positions = false;
        for (size_t i = 0; i < fixed.input_count; i++)
            mend_replay(&fixed.inputs[i], &repair.inputs[i]);
        if (fixed.endless && !has_snapshot(&fixed)) {
            repair.writes_head = fixed.has_head = fixed.head_is_whole = true;
            committed_positions(&fixed, fixed.head);
        }
        repair.after = outlook_of(&fixed);
    }
    for (size_t i = 0; i < fixed.input_count; i++) {
        repair.inputs[i].offset = fixed.inputs[i].committed;
        repair.inputs[i].mark = fixed.inputs[i].mark;
    }
    return repair;
}
