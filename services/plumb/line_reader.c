#include "line_reader.h"
#include "memory/buffer.h"
#include "memory/heap.h"

#include <errno.h>
#include <sys/stat.h>
#include <zlib.h>

enum { LINE_READER_BLOCK = 64 * 1024 };

struct line_reader {
    char *file_name; /* owned */
    gzFile file;     /* owned */
    int64_t file_size;
    size_t number;
    struct buffer line;  /* what of the line lay in earlier blocks */
    size_t next, filled; /* in block */
    uint8_t block[LINE_READER_BLOCK];
};

enum fault line_reader_open(const char *file_name, struct line_reader **out_reader,
                            struct reason *out_reason)
{
    REQUIRE(file_name != NULL);
    errno = 0;
    struct stat status = {0};
    gzFile file = stat(file_name, &status) == 0 ? gzopen(file_name, "rb") : NULL;
    if (file == NULL || S_ISDIR(status.st_mode)) {
        if (file != NULL)
            (void)gzclose(file);
        reason_set(out_reason, "%s: %s", file_name,
                   file != NULL ? "is a folder" : strerror(errno == 0 ? ENOMEM : errno));
        return FAULT_FILE_UNREADABLE;
    }
    (void)gzbuffer(file, 4 * LINE_READER_BLOCK);
    struct line_reader *reader = heap_zeroed(1, sizeof *reader);
    reader->file_name = heap_text(file_name);
    reader->file = file;
    reader->file_size = S_ISREG(status.st_mode) ? (int64_t)status.st_size : 0;
    *out_reader = reader;
    return FAULT_NONE;
}

/* The next block; filled 0: the end. */
static enum fault fill(struct line_reader *reader, struct reason *out_reason)
{
    const int size = gzread(reader->file, reader->block, LINE_READER_BLOCK);
    int error = Z_OK;
    const char *text = gzerror(reader->file, &error);
    if (size < 0 || (size == 0 && error == Z_BUF_ERROR)) {
        if (error == Z_ERRNO)
            reason_set(out_reason, "%s: %s", reader->file_name, strerror(errno));
        else
            reason_set(out_reason, "%s: after line %zu: %s", reader->file_name, reader->number,
                       size == 0 ? "the gzip data is cut short" : text);
        return error == Z_ERRNO ? FAULT_FILE_UNREADABLE : FAULT_FILE_MALFORMED;
    }
    reader->next = 0;
    reader->filled = (size_t)size;
    return FAULT_NONE;
}

static void keep(struct line_reader *reader, const uint8_t *bytes, size_t size)
{
    const size_t room = LINE_READER_SIZE_MAX - reader->line.size;
    buffer_append(&reader->line, bytes, size < room ? size : room);
}

enum fault line_reader_next(struct line_reader *reader, bool *out_is_line, struct span *out_line,
                            struct reason *out_reason)
{
    bool begun = false;
    buffer_clear(&reader->line);
    for (;;) {
        if (reader->next == reader->filled) {
            const enum fault fault = fill(reader, out_reason);
            if (fault != FAULT_NONE)
                return fault;
            if (reader->filled == 0)
                break;
        }
        begun = true;
        const uint8_t *from = reader->block + reader->next;
        const size_t left = reader->filled - reader->next;
        const uint8_t *end = memchr(from, '\n', left);
        const size_t size = end == NULL ? left : (size_t)(end - from);
        keep(reader, from, size);
        reader->next += size + (end == NULL ? 0 : 1);
        if (end != NULL)
            break;
    }
    *out_is_line = begun;
    if (begun) {
        reader->number++;
        *out_line = buffer_span(&reader->line);
    }
    return FAULT_NONE;
}

size_t line_reader_number(const struct line_reader *reader)
{
    return reader->number;
}

void line_reader_progress(const struct line_reader *reader, int64_t *out_done, int64_t *out_whole)
{
    const int64_t done = gzoffset(reader->file);
    *out_done = reader->file_size == 0 || done < 0 ? 0 : done;
    *out_whole = reader->file_size;
}

void line_reader_close(struct line_reader *reader)
{
    if (reader == NULL)
        return;
    (void)gzclose(reader->file);
    buffer_fini(&reader->line);
    heap_release(reader->file_name);
    heap_release(reader);
}
