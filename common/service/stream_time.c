#include "service/stream_time.h"
#include "container/table.h"
#include "memory/heap.h"

struct source {
    int64_t time_ms; /* highest seen; 0: none yet */
    int64_t at;      /* offset of the record that said so */
    bool counts;     /* named by the newest set */
};

struct stream_time {
    struct table *sources; /* owned: text → struct source, owned */
    char *set;             /* owned: the set that was named last; NULL before the first */
    int64_t set_at;        /* offset of the newest clock that named it */
    int64_t now_ms;        /* never falls; 0: stands still */
    /* Invariant: some source that counts has a time <= now_ms, so only raising such a one can raise
     * now_ms. (After stream_time_raise more may.) */
};

struct stream_time *stream_time_create(void)
{
    struct stream_time *time = heap_zeroed(1, sizeof *time);
    time->sources = table_create();
    return time;
}

static struct source *source_at(struct stream_time *time, struct span name)
{
    struct source *source = table_find(time->sources, name);
    if (source == NULL) {
        source = heap_zeroed(1, sizeof *source);
        (void)table_put(time->sources, name, source);
    }
    return source;
}

static bool raise_now(struct stream_time *time)
{
    if (time->set == NULL)
        return false;
    int64_t least = INT64_MAX;
    size_t cursor = 0, counted = 0;
    for (const struct source *source;
         (source = table_next(time->sources, &cursor, NULL)) != NULL;) {
        if (!source->counts)
            continue;
        counted++;
        if (source->time_ms < least)
            least = source->time_ms;
    }
    if (counted == 0 || least <= time->now_ms)
        return false;
    time->now_ms = least;
    return true;
}

bool stream_time_observe(struct stream_time *time, struct span source, int64_t time_ms,
                         int64_t offset)
{
    REQUIRE(time != NULL);
    struct source *known = source_at(time, source);
    if (time_ms <= known->time_ms)
        return false;
    const bool was_least = known->time_ms <= time->now_ms;
    known->time_ms = time_ms;
    known->at = offset;
    return was_least && raise_now(time);
}

void stream_time_sources(struct stream_time *time, struct span set, int64_t offset)
{
    REQUIRE(time != NULL);
    time->set_at = offset;
    if (time->set != NULL && span_is(set, time->set))
        return;
    heap_release(time->set);
    time->set = span_copied(set);
    size_t cursor = 0;
    for (struct source *source; (source = table_next(time->sources, &cursor, NULL)) != NULL;)
        source->counts = false;
    for (const char *part = time->set; *part != '\0';) {
        const size_t size = strcspn(part, ",");
        size_t colon = size;
        while (colon > 0 && part[colon - 1] != ':')
            colon--;
        const long count = colon == 0 ? 0 : strtol(part + colon, NULL, 10);
        for (long i = 0; i < count && i < 100000; i++) {
            char *name = heap_format("%.*s:%ld", (int)colon - 1, part, i);
            source_at(time, span_text(name))->counts = true;
            heap_release(name);
        }
        part += size;
        part += *part == ',';
    }
    (void)raise_now(time); /* what was observed before the set was known counts now */
}

void stream_time_raise(struct stream_time *time, int64_t time_ms)
{
    if (time_ms > time->now_ms)
        time->now_ms = time_ms;
}

int64_t stream_time_needs(const struct stream_time *time)
{
    int64_t first = time->set == NULL ? INT64_MAX : time->set_at;
    size_t cursor = 0;
    for (const struct source *source;
         (source = table_next(time->sources, &cursor, NULL)) != NULL;) {
        const bool spoke = source->time_ms > 0 && (source->counts || time->set == NULL);
        if (spoke && source->at < first)
            first = source->at;
    }
    return first;
}

int64_t stream_time_now(const struct stream_time *time)
{
    return time->now_ms;
}

void stream_time_write(const struct stream_time *time, struct buffer *out)
{
    buffer_format(out, "%lld %lld %s\n", (long long)time->now_ms, (long long)time->set_at,
                  time->set == NULL ? "" : time->set);
    struct table_entry *entries = table_sorted(time->sources);
    for (size_t i = 0; i < table_count(time->sources); i++) {
        const struct source *source = entries[i].value;
        buffer_format(out, "%lld %lld %.*s\n", (long long)source->time_ms, (long long)source->at,
                      (int)entries[i].key.size, (const char *)entries[i].key.bytes);
    }
    heap_release(entries);
}

/* "NUMBER NUMBER TEXT": false where it is not. */
static bool read_line(const char *line, int64_t *out_time_ms, int64_t *out_at,
                      const char **out_text)
{
    char *end;
    *out_time_ms = strtoll(line, &end, 10);
    if (end == line || *end != ' ')
        return false;
    const char *next = end + 1;
    *out_at = strtoll(next, &end, 10);
    *out_text = end + 1;
    return end != next && *end == ' ';
}

bool stream_time_read(struct stream_time *time, struct span text)
{
    REQUIRE(time != NULL);
    char *copy = span_copied(text);
    int64_t now_ms = 0;
    bool first = true, good = true;
    for (char *line = copy; *line != '\0' && good;) {
        char *end = strchr(line, '\n');
        int64_t value = 0, at = 0;
        const char *name = "";
        good = end != NULL;
        if (good) {
            *end = '\0';
            good = read_line(line, &value, &at, &name);
        }
        if (!good)
            break;
        if (!first) {
            struct source *source = source_at(time, span_text(name));
            source->time_ms = value;
            source->at = at;
        } else if (*name != '\0') {
            stream_time_sources(time, span_text(name), at);
        }
        if (first)
            now_ms = value;
        first = false;
        line = end + 1;
    }
    time->now_ms = now_ms;
    heap_release(copy);
    return good && !first;
}

void stream_time_destroy(struct stream_time *time)
{
    if (time == NULL)
        return;
    size_t cursor = 0;
    for (void *source; (source = table_next(time->sources, &cursor, NULL)) != NULL;)
        heap_release(source);
    table_destroy(time->sources);
    heap_release(time->set);
    heap_release(time);
}

bool stream_time_is_clock(const struct record *record)
{
    return record->value.size == 0 && record_header(record, STREAM_TIME_HEADER) != NULL;
}

bool stream_time_clock_read(const struct record *record, struct stream_time_clock *out_clock)
{
    const struct header *header = record_header(record, STREAM_TIME_HEADER);
    if (header == NULL || record->value.size != 0)
        return false;
    const uint8_t *text = header->value.bytes, *end = text + header->value.size;
    int64_t time_ms = 0;
    const uint8_t *next = text;
    for (; next < end && *next >= '0' && *next <= '9' && next - text < 18; next++)
        time_ms = time_ms * 10 + (*next - '0');
    if (next == text || next == end || *next != ' ')
        return false;
    const uint8_t *source = ++next;
    while (next < end && *next != ' ')
        next++;
    if (next == source || next == end)
        return false;
    out_clock->time_ms = time_ms;
    out_clock->source = span_of(source, (size_t)(next - source));
    out_clock->set = span_of(next + 1, (size_t)(end - next - 1));
    return out_clock->set.size > 0;
}

void stream_time_clock_write(struct buffer *out_value, int64_t time_ms, const char *source,
                             const char *set)
{
    buffer_format(out_value, "%lld %s %s", (long long)time_ms, source, set);
}
