#include "service/mark.h"
#include "memory/heap.h"

void mark_write(const struct mark *mark, struct buffer *out)
{
    buffer_format(out, "clock=%lld time=%lld replay=%lld epoch=%lld before=%lld of=%d",
                  (long long)mark->clock_ms, (long long)mark->time_ms, (long long)mark->replay,
                  (long long)mark->epoch, (long long)mark->before_ms, (int)mark->partitions);
    if (mark->recall[0] != '\0')
        buffer_format(out, " recall=%s", mark->recall);
}

/* What is behind "NAME=" at a word's beginning; NULL: no such word. */
static const char *word_of(const char *text, const char *name)
{
    const size_t size = strlen(name);
    for (const char *word = text; *word != '\0'; word += *word == ' ') {
        if (strncmp(word, name, size) == 0 && word[size] == '=')
            return word + size + 1;
        word += strcspn(word, " ");
    }
    return NULL;
}

static int64_t number(const char *text, const char *name, int64_t otherwise)
{
    const char *word = word_of(text, name);
    char *end;
    const long long value = word == NULL ? -1 : strtoll(word, &end, 10);
    return word == NULL || end == word || value < 0 ? otherwise : value;
}

/* A word that does not fit is none of ours. */
static void read_recall(const char *text, struct mark *mark)
{
    const char *word = word_of(text, "recall");
    const size_t size = word == NULL ? 0 : strcspn(word, " ");
    if (size > 0 && size < sizeof mark->recall)
        memcpy(mark->recall, word, size); /* what is behind it is zero */
}

struct mark mark_read(struct span metadata)
{
    char *text = span_copied(metadata);
    const int64_t partitions = number(text, "of", 0);
    struct mark mark = {.clock_ms = number(text, "clock", 0),
                        .time_ms = number(text, "time", 0),
                        .replay = number(text, "replay", -1),
                        .before_ms = number(text, "before", 0),
                        .epoch = number(text, "epoch", 0),
                        .partitions = partitions > INT32_MAX ? 0 : (int32_t)partitions};
    read_recall(text, &mark);
    heap_release(text);
    return mark;
}
