/* line_reader.h: the lines of a file, plain or gzipped, as bytes.
 *
 * A line ends at LF or at the end of the file; the LF is not part of it. Of a line over 1 MiB the
 * first MiB is given, the rest is passed over. Owner    caller of line_reader_open(); a line is
 * borrowed until the next call.     Thread  one at a time. Faults   FILE_UNREADABLE, FILE_MALFORMED
 * (gzip damaged or cut short), with "FILE: what". Memory   one line and a buffer.
 */
#ifndef LINE_READER_H
#define LINE_READER_H
#include "check/fault.h"
#include "check/reason.h"
#include "memory/span.h"

enum { LINE_READER_SIZE_MAX = 1024 * 1024 };

struct line_reader;
MUST_USE enum fault line_reader_open(const char *file_name, struct line_reader **out_reader,
                                     struct reason *out_reason);
/* *out_is_line false: the end. */
MUST_USE enum fault line_reader_next(struct line_reader *reader, bool *out_is_line,
                                     struct span *out_line, struct reason *out_reason);
size_t line_reader_number(const struct line_reader *reader); /* of the line last given, from 1 */
/* Bytes of the file used so far, of how many; 0 of 0 where the size is not known. */
void line_reader_progress(const struct line_reader *reader, int64_t *out_done, int64_t *out_whole);
void line_reader_close(struct line_reader *reader); /* NULL accepted */
#endif
