#include "prediction_log.h"
#include "csv_event.h"
#include "line_reader.h"
#include "memory/buffer.h"
#include "memory/heap.h"
#include "model/rows.h"
#include "window/span_time.h"

enum { LOOK_AHEAD_LINES = 1024, LOOK_AHEAD_SIZE = 16 * 1024 * 1024 };
#define TIME_MAX_MS INT64_C(253402300799999) /* the last of the year 9999 */

struct line {
    struct line *after; /* owned: the next in the file */
    uint8_t *bytes;     /* owned */
    size_t size, number;
    char *key; /* owned; NULL: cannot be read */
    size_t key_size;
    bool has_time, has_arrival, resolved;
    int64_t time_ms, arrival_ms; /* arrival_ms: as given, then as resolved */
};

/* One file: a queue of lines read; the first is the next to give. */
struct side {
    enum topic topic;
    const char *time_name;
    struct line_reader *lines;  /* owned; NULL where CSV */
    struct rows *rows;          /* owned; NULL where JSONL */
    struct line *first, *final; /* owned list */
    size_t waiting, waiting_size;
    bool at_end;
    bool has_before;
    int64_t before_ms, highest_ms, arrival_ms; /* last time; highest time; last arrival */
};

struct prediction_log {
    int64_t skew_ms, highest_ms;
    struct side sides[2]; /* events, labels */
    struct line *lent;    /* owned: what next gave last */
};

static void line_destroy(struct line *line)
{
    if (line == NULL)
        return;
    heap_release(line->bytes);
    heap_release(line->key);
    heap_release(line);
}

static bool is_csv(const char *file_name)
{
    const size_t size = strlen(file_name);
    return (size >= 4 && strcmp(file_name + size - 4, ".csv") == 0) ||
           (size >= 7 && strcmp(file_name + size - 7, ".csv.gz") == 0);
}

static enum fault side_open(struct side *side, const char *file_name, struct reason *out_reason)
{
    side->at_end = file_name == NULL;
    if (file_name == NULL)
        return FAULT_NONE;
    if (side->topic == TOPIC_INFERENCE_EVENTS && is_csv(file_name))
        return rows_open(file_name, &side->rows, out_reason);
    return line_reader_open(file_name, &side->lines, out_reason);
}

enum fault prediction_log_open(const struct prediction_log_options *options,
                               struct prediction_log **out_log, struct reason *out_reason)
{
    REQUIRE(options != NULL);
    REQUIRE(options->skew_ms >= 0);
    struct prediction_log *log = heap_zeroed(1, sizeof *log);
    log->skew_ms = options->skew_ms;
    log->sides[0] = (struct side){.topic = TOPIC_INFERENCE_EVENTS, .time_name = "event_time"};
    log->sides[1] = (struct side){.topic = TOPIC_GROUND_TRUTH, .time_name = "label_time"};
    enum fault fault = side_open(&log->sides[0], options->events, out_reason);
    if (fault == FAULT_NONE)
        fault = side_open(&log->sides[1], options->labels, out_reason);
    if (fault != FAULT_NONE) {
        prediction_log_close(log);
        return fault;
    }
    *out_log = log;
    return FAULT_NONE;
}

static bool time_of(const json_t *object, const char *name, int64_t *out_ms)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > TIME_MAX_MS)
        return false;
    *out_ms = json_integer_value(value);
    return true;
}

/* What the line says of itself; a line that does not parse says nothing. */
static void line_read(struct line *line, const char *time_name)
{
    json_t *object = json_loadb((const char *)line->bytes, line->size, JSON_ALLOW_NUL, NULL);
    if (json_is_object(object)) {
        line->has_time = time_of(object, time_name, &line->time_ms);
        line->has_arrival = time_of(object, "arrival_time", &line->arrival_ms);
        const json_t *key = json_object_get(object, "event_id");
        if (json_is_string(key) && json_string_length(key) > 0) {
            line->key_size = json_string_length(key);
            line->key = heap_copied(json_string_value(key), line->key_size);
        }
    }
    json_decref(object);
}

static bool is_blank(struct span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.bytes[i] != ' ' && text.bytes[i] != '\t' && text.bytes[i] != '\r')
            return false;
    return true;
}

/* The next line's bytes, from whichever reader; false: the end. */
static enum fault side_fetch(struct side *side, bool *out_is_line, struct buffer *csv,
                             struct span *out_text, size_t *out_number, struct reason *out_reason)
{
    bool is_line = true;
    enum fault fault;
    if (side->rows != NULL) {
        fault = rows_next(side->rows, &is_line, out_reason);
        if (fault == FAULT_NONE && is_line) {
            csv_event_write(side->rows, csv);
            *out_text = buffer_span(csv);
            *out_number = rows_line(side->rows);
        }
    } else {
        do {
            fault = line_reader_next(side->lines, &is_line, out_text, out_reason);
        } while (fault == FAULT_NONE && is_line && is_blank(*out_text));
        *out_number = line_reader_number(side->lines);
    }
    *out_is_line = is_line;
    return fault;
}

/* Reads one more line into the queue, or finds the end. */
static enum fault side_read(struct side *side, struct reason *out_reason)
{
    struct buffer csv = {0};
    struct span text = {0};
    bool is_line = false;
    size_t number = 0;
    const enum fault fault = side_fetch(side, &is_line, &csv, &text, &number, out_reason);
    if (fault == FAULT_NONE && !is_line) {
        side->at_end = true;
    } else if (fault == FAULT_NONE) {
        struct line *line = heap_zeroed(1, sizeof *line);
        line->bytes = heap_copied(text.bytes, text.size);
        line->size = text.size;
        line->number = number;
        line_read(line, side->time_name);
        if (side->final == NULL)
            side->first = line;
        else
            side->final->after = line;
        side->final = line;
        side->waiting++;
        side->waiting_size += line->size;
    }
    buffer_fini(&csv);
    return fault;
}

/* The time of the event after `line`; *out_has false: there is none. */
static enum fault time_after(struct side *side, const struct line *line, bool *out_has,
                             int64_t *out_ms, struct reason *out_reason)
{
    *out_has = false;
    for (;;) {
        if (line->after == NULL) {
            if (side->at_end || side->waiting >= LOOK_AHEAD_LINES ||
                side->waiting_size >= LOOK_AHEAD_SIZE)
                return FAULT_NONE;
            const enum fault fault = side_read(side, out_reason);
            if (fault != FAULT_NONE)
                return fault;
            if (side->at_end)
                return FAULT_NONE;
        }
        line = line->after;
        ENSURE(line != NULL); /* side_read appended it, or said that the file is at its end */
        if (line->has_time) {
            *out_has = true;
            *out_ms = line->time_ms;
            return FAULT_NONE;
        }
    }
}

/* Decides the arrival of the first line waiting. */
static enum fault side_resolve(struct side *side, int64_t skew_ms, struct reason *out_reason)
{
    struct line *line = side->first;
    bool raises = line->has_time && line->time_ms > side->highest_ms;
    if (raises && side->topic == TOPIC_INFERENCE_EVENTS && side->has_before &&
        line->time_ms - side->before_ms > skew_ms) {
        bool has_after;
        int64_t after_ms;
        const enum fault fault = time_after(side, line, &has_after, &after_ms, out_reason);
        if (fault != FAULT_NONE)
            return fault;
        raises = !has_after || line->time_ms - after_ms <= skew_ms;
    }
    if (raises)
        side->highest_ms = line->time_ms;
    if (line->has_time) {
        side->has_before = true;
        side->before_ms = line->time_ms;
    }
    const int64_t arrival_ms = line->has_arrival ? line->arrival_ms : side->highest_ms;
    if (arrival_ms > side->arrival_ms)
        side->arrival_ms = arrival_ms;
    line->arrival_ms = side->arrival_ms;
    line->resolved = true;
    return FAULT_NONE;
}

/* The next line of the file, resolved, at side->first; NULL there: the end. */
static enum fault side_ready(struct side *side, int64_t skew_ms, struct reason *out_reason)
{
    enum fault fault = FAULT_NONE;
    while (fault == FAULT_NONE && side->first == NULL && !side->at_end)
        fault = side_read(side, out_reason);
    if (fault == FAULT_NONE && side->first != NULL && !side->first->resolved)
        fault = side_resolve(side, skew_ms, out_reason);
    return fault;
}

static struct line *side_take(struct side *side)
{
    struct line *line = side->first;
    side->first = line->after;
    if (side->first == NULL)
        side->final = NULL;
    side->waiting--;
    side->waiting_size -= line->size;
    return line;
}

enum fault prediction_log_next(struct prediction_log *log, bool *out_is_record,
                               struct prediction_record *out_record, struct reason *out_reason)
{
    REQUIRE(log != NULL);
    for (size_t i = 0; i < COUNT_OF(log->sides); i++) {
        const enum fault fault = side_ready(&log->sides[i], log->skew_ms, out_reason);
        if (fault != FAULT_NONE)
            return fault;
    }
    struct side *events = &log->sides[0], *labels = &log->sides[1];
    struct side *side = events;
    if (events->first == NULL ||
        (labels->first != NULL && labels->first->arrival_ms < events->first->arrival_ms))
        side = labels;
    *out_is_record = side->first != NULL;
    if (side->first == NULL)
        return FAULT_NONE;
    line_destroy(log->lent);
    log->lent = side_take(side);
    if (log->lent->arrival_ms > log->highest_ms)
        log->highest_ms = log->lent->arrival_ms;
    *out_record = (struct prediction_record){
        .topic = side->topic,
        .key = span_of(log->lent->key, log->lent->key_size),
        .value = span_of(log->lent->bytes, log->lent->size),
        .arrival_ms = log->lent->arrival_ms,
        .line = log->lent->number,
    };
    return FAULT_NONE;
}

int64_t prediction_log_highest_ms(const struct prediction_log *log)
{
    return log->highest_ms;
}

int64_t prediction_log_close_ms(const struct prediction_log *log,
                                const struct contract *const *contracts, size_t contract_count)
{
    int64_t close_ms = log->highest_ms;
    for (size_t i = 0; i < contract_count; i++) {
        const struct contract *contract = contracts[i];
        for (size_t j = 0; j < contract->rolling_count; j++) {
            const int64_t length_ms = contract->rolling_ms[j];
            const int64_t end_ms = span_time_start(log->highest_ms, length_ms) + length_ms +
                                   contract->correction_ms + 1;
            if (end_ms > close_ms)
                close_ms = end_ms;
        }
    }
    return close_ms;
}

double prediction_log_share(const struct prediction_log *log)
{
    int64_t done = 0, whole = 0;
    for (size_t i = 0; i < COUNT_OF(log->sides); i++) {
        int64_t side_done = 0, side_whole = 0;
        if (log->sides[i].lines != NULL)
            line_reader_progress(log->sides[i].lines, &side_done, &side_whole);
        done += side_done;
        whole += side_whole;
    }
    return whole == 0 ? 0 : (double)done / (double)whole;
}

void prediction_log_close(struct prediction_log *log)
{
    if (log == NULL)
        return;
    for (size_t i = 0; i < COUNT_OF(log->sides); i++) {
        struct side *side = &log->sides[i];
        while (side->first != NULL)
            line_destroy(side_take(side));
        line_reader_close(side->lines);
        rows_close(side->rows);
    }
    line_destroy(log->lent);
    heap_release(log);
}
