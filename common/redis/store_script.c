#include "redis/store_script.h"
#include "memory/arena.h"
#include "memory/heap.h"
#include "redis/store_blob.h"

/* ARGV: the least epoch that was given before, owner. */
static const char read_text[] =
    "local at = redis.call('HMGET', KEYS[1], '.epoch', '.owner') "
    "local owner = at[2] or '' "
    "if owner ~= '' and ARGV[2] ~= '' and owner ~= ARGV[2] then return {'FOREIGN', owner} end "
    "local epoch = 0 "
    "if at[1] and #at[1] <= 15 and string.match(at[1], '^%d+$') then epoch = tonumber(at[1]) end "
    "if tonumber(ARGV[1]) > epoch then epoch = tonumber(ARGV[1]) end "
    "epoch = epoch + 1 "
    "redis.call('HSET', KEYS[1], '.epoch', string.format('%.0f', epoch)) "
    "if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], '.owner', ARGV[2]) end "
    "return {epoch, redis.call('HGET', KEYS[1], '.offset') or '', redis.call('HGETALL', KEYS[1])}";

/* ARGV: epoch, owner, from, to, n, n × (field, bytes), then fields to remove. */
static const char write_text[] =
    "local at = redis.call('HMGET', KEYS[1], '.epoch', '.offset', '.owner') "
    "if at[1] ~= ARGV[1] then return 'FENCED' end "
    "if ARGV[2] ~= '' and at[3] ~= ARGV[2] then return 'FENCED' end "
    "local now = at[2] or '' "
    "if now == ARGV[4] then return 'APPLIED' end "
    "if ARGV[3] ~= '*' and now ~= ARGV[3] then return 'CONFLICT' end "
    "local n = tonumber(ARGV[5]) "
    "for i = 1, n do redis.call('HSET', KEYS[1], ARGV[4 + 2 * i], ARGV[5 + 2 * i]) end "
    "for i = 6 + 2 * n, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end "
    "redis.call('HSET', KEYS[1], '.offset', ARGV[4]) "
    "return 'APPLIED'";

const char *store_script_text(enum store_script script)
{
    return script == STORE_SCRIPT_READ ? read_text : write_text;
}

static void add(struct store_arguments *arguments, struct span argument)
{
    arguments->spans[arguments->count++] = argument;
}

static struct span number_span(struct arena *arena, int64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%lld", (long long)number);
    return arena_span(arena, span_text(text));
}

static struct store_arguments begin(struct arena *arena, const char *tag, size_t argument_count)
{
    struct store_arguments arguments = {
        .spans = arena_take(arena, (4 + argument_count) * sizeof *arguments.spans), .count = 2};
    add(&arguments, span_text("1"));
    char *key = heap_format("%s:state", tag);
    add(&arguments, arena_span(arena, span_text(key)));
    heap_release(key);
    return arguments;
}

struct store_arguments store_script_read(struct arena *arena, const char *tag, const char *owner,
                                         int64_t epoch_least)
{
    REQUIRE(epoch_least >= 0);
    struct store_arguments arguments = begin(arena, tag, 2);
    add(&arguments, number_span(arena, epoch_least));
    add(&arguments, arena_span(arena, span_text(owner)));
    return arguments;
}

static struct span framed_offset(struct arena *arena, struct span offset)
{
    return offset.size == 0 || span_is(offset, STORE_ANYWHERE)
               ? offset
               : store_blob_framed(arena, span_text(STORE_FIELD_OFFSET), offset);
}

static bool is_ours(struct span field)
{
    return span_is(field, STORE_FIELD_EPOCH) || span_is(field, STORE_FIELD_OFFSET) ||
           span_is(field, STORE_FIELD_OWNER);
}

struct store_arguments store_script_write(struct arena *arena, const struct store_write *write)
{
    size_t puts = 0;
    for (size_t i = 0; i < write->entry_count; i++) {
        REQUIRE(!is_ours(write->entries[i].field));
        puts += write->entries[i].bytes.bytes != NULL;
    }
    struct store_arguments arguments = begin(arena, write->tag, 5 + write->entry_count + puts);
    add(&arguments, number_span(arena, write->epoch));
    add(&arguments, arena_span(arena, span_text(write->owner)));
    add(&arguments, framed_offset(arena, write->from));
    add(&arguments, framed_offset(arena, write->to));
    add(&arguments, number_span(arena, (int64_t)puts));
    for (size_t i = 0; i < write->entry_count; i++) {
        const struct store_entry *entry = &write->entries[i];
        if (entry->bytes.bytes == NULL)
            continue;
        add(&arguments, arena_span(arena, entry->field));
        add(&arguments, store_blob_framed(arena, entry->field, entry->bytes));
    }
    for (size_t i = 0; i < write->entry_count; i++) {
        if (write->entries[i].bytes.bytes == NULL)
            add(&arguments, arena_span(arena, write->entries[i].field));
    }
    return arguments;
}

static bool is_text(const struct link_reply *reply)
{
    return reply->kind == LINK_TEXT || reply->kind == LINK_STATUS;
}

static bool is_pairs(const struct link_reply *reply)
{
    if (reply->kind != LINK_LIST || reply->count % 2 != 0)
        return false;
    for (size_t i = 0; i < reply->count; i++) {
        if (!is_text(&reply->elements[i]))
            return false;
    }
    return true;
}

/* Of several, the first by name: Redis tells them in an order of its own. */
static void find_damage(struct store_snapshot *snapshot, struct span field)
{
    if (snapshot->fault != FAULT_NONE && span_order(field, snapshot->detail) >= 0)
        return;
    snapshot->fault = FAULT_STATE_MALFORMED;
    snapshot->detail = field;
}

static bool is_foreign(const struct link_reply *reply)
{
    return reply->kind == LINK_LIST && reply->count == 2 && is_text(&reply->elements[0]) &&
           span_is(reply->elements[0].text, "FOREIGN") && is_text(&reply->elements[1]);
}

bool store_script_snapshot(const struct link_reply *reply, struct arena *arena,
                           struct store_snapshot *out_snapshot)
{
    const struct link_reply *parts = reply->elements;
    if (is_foreign(reply)) {
        *out_snapshot =
            (struct store_snapshot){.fault = FAULT_STATE_FOREIGN, .detail = parts[1].text};
        return true;
    }
    if (reply->kind != LINK_LIST || reply->count != 3 || parts[0].kind != LINK_INTEGER ||
        !is_text(&parts[1]) || !is_pairs(&parts[2]))
        return false;
    struct store_snapshot snapshot = {.fault = FAULT_NONE, .epoch = parts[0].integer};
    struct store_entry *entries = arena_take(arena, (parts[2].count / 2 + 1) * sizeof *entries);
    for (size_t i = 0; i < parts[2].count; i += 2) {
        const struct span field = parts[2].elements[i].text;
        if (is_ours(field))
            continue;
        struct store_entry *entry = &entries[snapshot.entry_count++];
        entry->field = field;
        if (!store_blob_read(field, parts[2].elements[i + 1].text, &entry->bytes))
            find_damage(&snapshot, field);
    }
    const struct span name = span_text(STORE_FIELD_OFFSET);
    if (parts[1].text.size > 0 && !store_blob_read(name, parts[1].text, &snapshot.offset))
        find_damage(&snapshot, name);
    if (snapshot.fault != FAULT_NONE)
        snapshot.offset = span_text(STORE_ANYWHERE);
    snapshot.entries = entries;
    *out_snapshot = snapshot;
    return true;
}

bool store_script_outcome(const struct link_reply *reply, enum store_outcome *out_outcome)
{
    if (!is_text(reply))
        return false;
    if (span_is(reply->text, "APPLIED"))
        *out_outcome = STORE_APPLIED;
    else if (span_is(reply->text, "FENCED"))
        *out_outcome = STORE_FENCED;
    else if (span_is(reply->text, "CONFLICT"))
        *out_outcome = STORE_CONFLICT;
    else
        return false;
    return true;
}
