#include "service/mark.h"
#include "memory/heap.h"

void mark_write(const struct mark *mark, struct buffer *out)
{
    buffer_format(out, "clock=%lld time=%lld replay=%lld epoch=%lld before=%lld of=%d",
                  (long long)mark->clock_ms, (long long)mark->time_ms, (long long)mark->replay,
                  (long long)mark->epoch, (long long)mark->before_ms, (int)mark->partitions);
}

/* The number behind "NAME=" at a word's beginning; else `otherwise`. */
static int64_t number(const char *text, const char *name, int64_t otherwise)
{
    const size_t size = strlen(name);
    for (const char *word = text; *word != '\0'; word += *word == ' ') {
        if (strncmp(word, name, size) == 0 && word[size] == '=') {
            char *end;
            const long long value = strtoll(word + size + 1, &end, 10);
            return end == word + size + 1 || value < 0 ? otherwise : value;
        }
        word += strcspn(word, " ");
    }
    return otherwise;
}

struct mark mark_read(struct span metadata)
{
    char *text = span_copied(metadata);
    const int64_t partitions = number(text, "of", 0);
    const struct mark mark = {.clock_ms = number(text, "clock", 0),
                              .time_ms = number(text, "time", 0),
                              .replay = number(text, "replay", -1),
                              .before_ms = number(text, "before", 0),
                              .epoch = number(text, "epoch", 0),
                              .partitions = partitions > INT32_MAX ? 0 : (int32_t)partitions};
    heap_release(text);
    return mark;
}
