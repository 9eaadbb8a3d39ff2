#include "sim_partition.h"
#include "memory/heap.h"

static struct span placed(struct span span, uint8_t **next)
{
    if (span.bytes == NULL)
        return span;
    memcpy(*next, span.bytes, span.size);
    const struct span copy = {*next, span.size};
    *next += span.size + 1; /* a zero byte behind each: names end so, and no place is empty */
    return copy;
}

struct sim_bytes *sim_bytes_create(const struct record *record, int64_t time_ms)
{
    size_t size = record->key.size + record->value.size + 2;
    for (size_t i = 0; i < record->header_count; i++)
        size += strlen(record->headers[i].name) + record->headers[i].value.size + 2;
    struct sim_bytes *bytes =
        heap_zeroed(1, sizeof *bytes + record->header_count * sizeof *bytes->headers + size);
    bytes->refs = 1;
    bytes->time_ms = time_ms;
    bytes->headers = (struct header *)(bytes + 1);
    bytes->header_count = record->header_count;
    uint8_t *next = (uint8_t *)(bytes->headers + record->header_count);
    bytes->key = placed(record->key, &next);
    bytes->value = placed(record->value, &next);
    for (size_t i = 0; i < record->header_count; i++) {
        const struct header *header = &record->headers[i];
        bytes->headers[i].name = (const char *)placed(span_text(header->name), &next).bytes;
        bytes->headers[i].value = placed(header->value, &next);
    }
    return bytes;
}

struct sim_bytes *sim_bytes_share(struct sim_bytes *bytes)
{
    bytes->refs++;
    return bytes;
}

void sim_bytes_release(struct sim_bytes *bytes)
{
    if (bytes != NULL && --bytes->refs == 0)
        heap_release(bytes);
}

static int64_t push(struct sim_partition *log, struct sim_entry entry)
{
    if (log->first + log->count == log->capacity) {
        log->capacity = log->capacity == 0 ? 64 : log->capacity * 2;
        log->entries = heap_resized(log->entries, log->capacity, sizeof *log->entries);
    }
    log->entries[log->first + log->count++] = entry;
    return sim_partition_end(log) - 1;
}

int64_t sim_partition_append(struct sim_partition *log, struct sim_bytes *bytes, const void *writer)
{
    const int64_t offset = push(
        log, (struct sim_entry){bytes, writer, writer == NULL ? SIM_MARK_PLAIN : SIM_MARK_OPEN});
    size_t i = 0;
    while (i < log->open_count && log->open[i].writer != writer)
        i++;
    if (writer != NULL && i == log->open_count) {
        log->open = heap_resized(log->open, log->open_count + 1, sizeof *log->open);
        log->open[log->open_count++] = (struct sim_open){writer, offset};
    }
    return offset;
}

void sim_partition_decide(struct sim_partition *log, const void *writer, bool commit)
{
    for (size_t i = 0; i < log->open_count; i++) {
        if (log->open[i].writer != writer)
            continue;
        const int64_t from = log->open[i].offset > log->start ? log->open[i].offset : log->start;
        for (int64_t offset = from; offset < sim_partition_end(log); offset++) {
            struct sim_entry *entry = &log->entries[log->first + (size_t)(offset - log->start)];
            if (entry->writer != writer)
                continue;
            entry->mark = commit ? SIM_MARK_COMMITTED : SIM_MARK_ABORTED;
            entry->writer = NULL;
        }
        log->open[i] = log->open[--log->open_count];
        break;
    }
    (void)push(log, (struct sim_entry){.mark = SIM_MARK_CONTROL});
}

int64_t sim_partition_end(const struct sim_partition *log)
{
    return log->start + (int64_t)log->count;
}

int64_t sim_partition_stable(const struct sim_partition *log)
{
    int64_t stable = sim_partition_end(log);
    for (size_t i = 0; i < log->open_count; i++) {
        if (log->open[i].offset < stable)
            stable = log->open[i].offset;
    }
    return stable < log->start ? log->start : stable;
}

const struct sim_entry *sim_partition_at(const struct sim_partition *log, int64_t offset)
{
    REQUIRE(offset >= log->start && offset < sim_partition_end(log));
    return &log->entries[log->first + (size_t)(offset - log->start)];
}

void sim_partition_trim(struct sim_partition *log, int64_t offset)
{
    while (log->start < offset && log->count > 0) {
        sim_bytes_release(log->entries[log->first].bytes);
        log->first++;
        log->count--;
        log->start++;
    }
    if (log->first > log->count) {
        memmove(log->entries, log->entries + log->first, log->count * sizeof *log->entries);
        log->first = 0;
    }
}

void sim_partition_fini(struct sim_partition *log)
{
    sim_partition_trim(log, sim_partition_end(log));
    heap_release(log->entries);
    heap_release(log->open);
}
