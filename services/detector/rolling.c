#include "rolling.h"
#include "memory/heap.h"

struct rolling *rolling_create(int64_t since)
{
    struct rolling *rolling = heap_zeroed(1, sizeof *rolling);
    rolling->since = since;
    rolling->changed = true;
    return rolling;
}

void rolling_name_write(const struct pane_key *window, struct buffer *out)
{
    struct pane_key key = *window;
    key.revision = 0;
    key.part = PART_ON_TIME;
    pane_key_write(&key, out);
}

/* Index of the part, or where it belongs. */
static size_t rolling_place(const struct rolling *rolling, const struct pane_key *key,
                            bool *out_here)
{
    size_t at = 0;
    for (; at < rolling->part_count; at++) {
        const struct pane_key *own = &rolling->parts[at].pane->key;
        *out_here = own->revision == key->revision && own->part == key->part;
        if (*out_here || own->revision > key->revision ||
            (own->revision == key->revision && own->part > key->part))
            return at;
    }
    *out_here = false;
    return at;
}

enum fault rolling_add(struct rolling *rolling, const struct pane_key *window,
                       const struct layout *layout, const json_t *record)
{
    struct reason reason;
    bool here = false;
    const size_t at = rolling_place(rolling, window, &here);
    if (here) {
        struct pane *pane = rolling->parts[at].pane;
        const enum fault fault = pane_add_record(pane, record, &reason);
        pane->changed = pane->changed || fault == FAULT_NONE;
        return fault;
    }
    struct pane *pane = pane_create(window, layout);
    const enum fault fault = pane_add_record(pane, record, &reason);
    if (fault != FAULT_NONE) {
        pane_destroy(pane);
        return fault;
    }
    pane->changed = true;
    rolling->parts = heap_resized(rolling->parts, rolling->part_count + 1, sizeof *rolling->parts);
    memmove(&rolling->parts[at + 1], &rolling->parts[at],
            (rolling->part_count - at) * sizeof *rolling->parts);
    rolling->parts[at] = (struct rolling_part){.pane = pane};
    rolling->part_count++;
    return FAULT_NONE;
}

const struct pane *rolling_newest(const struct rolling *rolling)
{
    REQUIRE(rolling->part_count > 0);
    return rolling->parts[rolling->part_count - 1].pane;
}

bool rolling_has_late(const struct rolling *rolling)
{
    for (size_t i = 0; i < rolling->part_count; i++)
        if (rolling->parts[i].pane->key.part == PART_LATE && rolling->parts[i].pane->events > 0)
            return true;
    return false;
}

static bool rolling_takes(const struct pane *pane, int32_t revision)
{
    return pane->events > 0 && (revision > 0 || pane->key.part == PART_ON_TIME);
}

struct pane *rolling_total(const struct rolling *rolling, int32_t revision, uint64_t *out_left_out)
{
    struct pane *total = NULL;
    uint64_t left_out = 0;
    for (size_t i = rolling->part_count; i > 0; i--) { /* highest contract revision first */
        const struct pane *pane = rolling->parts[i - 1].pane;
        if (!rolling_takes(pane, revision))
            continue;
        if (total == NULL)
            total = pane_create(&pane->key, pane->layout);
        if (layout_equal(total->layout, pane->layout))
            pane_merge(total, pane);
        else if (revision == 0 || pane->key.part == PART_LATE)
            left_out += pane->events; /* each row once, over both revisions */
    }
    *out_left_out = left_out;
    return total;
}

static void rolling_pane_field(const struct pane *pane, size_t chunk, struct buffer *out)
{
    buffer_append_span(out, span_text("pane|"));
    pane_key_write(&pane->key, out);
    buffer_format(out, "|%zu", chunk);
}

static void rolling_closed_field(struct span name, struct buffer *out)
{
    buffer_append_span(out, span_text("closed|"));
    buffer_append_span(out, name);
}

static void rolling_part_save(struct rolling_part *part, struct changes *changes)
{
    struct buffer field = {0};
    json_t *records = pane_records(part->pane);
    const size_t count = json_array_size(records);
    for (size_t chunk = 0; chunk < count || chunk < part->stored; chunk++) {
        buffer_clear(&field);
        rolling_pane_field(part->pane, chunk, &field);
        if (chunk < count)
            changes_put_json(changes, buffer_span(&field), "window.panes",
                             json_array_get(records, chunk));
        else
            changes_remove(changes, buffer_span(&field));
    }
    part->stored = count;
    part->pane->changed = false;
    json_decref(records);
    buffer_fini(&field);
}

void rolling_save(struct rolling *rolling, struct span name, struct changes *changes)
{
    for (size_t i = 0; i < rolling->part_count; i++)
        if (rolling->parts[i].pane->changed)
            rolling_part_save(&rolling->parts[i], changes);
    if (!rolling->changed)
        return;
    struct buffer field = {0};
    rolling_closed_field(name, &field);
    json_t *value = json_pack("{s:b, s:I}", "closed", (int)rolling->closed, "since",
                              (json_int_t)rolling->since);
    changes_put_json(changes, buffer_span(&field), "state.window", value);
    rolling->changed = false;
    rolling->stored = true;
    json_decref(value);
    buffer_fini(&field);
}

void rolling_fields_write(const struct rolling *rolling, struct span name, struct buffer *out)
{
    for (size_t i = 0; i < rolling->part_count; i++)
        for (size_t chunk = 0; chunk < rolling->parts[i].stored; chunk++) {
            rolling_pane_field(rolling->parts[i].pane, chunk, out);
            buffer_append_byte(out, 0);
        }
    if (rolling->stored) {
        rolling_closed_field(name, out);
        buffer_append_byte(out, 0);
    }
}

void rolling_destroy(struct rolling *rolling)
{
    if (rolling == NULL)
        return;
    for (size_t i = 0; i < rolling->part_count; i++)
        pane_destroy(rolling->parts[i].pane);
    heap_release(rolling->parts);
    heap_release(rolling);
}
