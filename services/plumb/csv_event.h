/* csv_event.h: rows of a CSV file as inference events in JSON.
 *
 * Columns that an event has (event_id, event_time, model_name …) become its fields, score_NAME
 * becomes scores.NAME, every other column is a feature. An empty field is left out of the event's
 * own fields and is null as a feature. A feature or prediction that reads as a number is one.
 * Thread   one at a time.
 */
#ifndef CSV_EVENT_H
#define CSV_EVENT_H
#include "memory/buffer.h"
#include "model/rows.h"

void csv_event_write(const struct rows *rows,
                     struct buffer *out); /* appends the current row as one line, without its end */
#endif
