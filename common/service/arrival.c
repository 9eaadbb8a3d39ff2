/* arrival.c: what an origin's record arrives at (DESIGN.md 2.3): the broker's append time, a
 * header, or, for backfills by producers that know nothing of us, the highest event time so far in
 * its partition. The last is the rule of prediction_log.h, so that one partition gives what `plumb
 * analyze` gives: an event that is more than skew ahead of both the event before and the event
 * after it does not raise the arrival; such a one waits for the event after it.
 */
#include "memory/heap.h"
#include "service/driver.h"

enum { WAITING_MAX = 1024, WAITING_SIZE_MAX = 16 * 1024 * 1024, HEADERS_MAX = 64 };

int64_t driver_arrival(const struct driver *driver, const struct seat *seat,
                       const struct source_message *message, const struct record *record)
{
    int64_t arrival_ms = message->timestamp_ms;
    if (driver->arrival == ARRIVAL_HEADER) {
        const struct header *header = record_header(record, "plumb-arrival");
        char text[24] = "";
        if (header != NULL && header->value.size < sizeof text)
            memcpy(text, header->value.bytes, header->value.size);
        char *end;
        const long long value = strtoll(text, &end, 10);
        if (end != text && *end == '\0' && value > 0)
            arrival_ms = value;
    } else if (seat->sent_ms > arrival_ms) {
        arrival_ms = seat->sent_ms; /* a clock said that nothing earlier follows */
    }
    return shard_lift(seat->shard, message->topic, arrival_ms);
}

/* What a message that waits says of time. */
struct word {
    bool is_clock, has_time;
    int64_t time_ms;
};

/* TABLE_BEHIND: its schema is not known yet, so nor is its time. */
static enum fault word_of(const struct seat *seat, const struct source_message *message,
                          struct word *out_word)
{
    struct header headers[HEADERS_MAX];
    const struct record record = source_record(message, headers, HEADERS_MAX, true);
    *out_word = (struct word){.is_clock = stream_time_is_clock(&record)};
    if (out_word->is_clock)
        return FAULT_NONE;
    return shard_event_time(seat->shard, &record, &out_word->has_time, &out_word->time_ms);
}

static size_t size_of(const struct source_message *message)
{
    const struct record record = source_record(message, NULL, 0, false);
    return record.key.size + record.value.size;
}

/* The first event with a time behind the first that waits. A clock ends the search, as the end of a
 * file does. *out_known false: what comes may still have one. */
static enum fault time_after(const struct seat *seat, bool ended, bool *out_known,
                             struct word *out_word)
{
    *out_known = true;
    for (size_t i = 1; i < seat->waiting_count; i++) {
        const enum fault fault = word_of(seat, &seat->waiting[i], out_word);
        if (fault != FAULT_NONE || out_word->is_clock || out_word->has_time)
            return fault;
    }
    *out_known =
        ended || seat->waiting_count >= WAITING_MAX || seat->waiting_size >= WAITING_SIZE_MAX;
    *out_word = (struct word){.has_time = false};
    return FAULT_NONE;
}

/* *out_known false: it cannot be told yet. */
static enum fault resolve(const struct seat *seat, const struct word *word, bool ended,
                          int64_t *out_arrival_ms, bool *out_known)
{
    const enum topic topic = seat->inputs[0].topic;
    const int64_t highest_ms = shard_lift(seat->shard, topic, INT64_MIN);
    const int64_t skew_ms = catalog_skew_ms(seat->driver->catalog);
    bool raises = word->has_time && word->time_ms > highest_ms;
    *out_known = true;
    if (raises && topic == TOPIC_INFERENCE_EVENTS && seat->before_ms != 0 &&
        word->time_ms - seat->before_ms > skew_ms) {
        struct word after;
        const enum fault fault = time_after(seat, ended, out_known, &after);
        if (fault != FAULT_NONE)
            return fault;
        raises = !after.has_time || word->time_ms - after.time_ms <= skew_ms;
    }
    *out_arrival_ms = raises ? word->time_ms : highest_ms;
    return FAULT_NONE;
}

enum fault driver_settle(struct driver *driver, struct seat *seat, bool ended)
{
    enum fault fault = FAULT_NONE;
    while (seat->waiting_count > 0 && fault == FAULT_NONE) {
        struct source_message first = seat->waiting[0];
        struct word word;
        int64_t arrival_ms = 0;
        bool known = true;
        fault = word_of(seat, &first, &word);
        if (fault == FAULT_NONE && !word.is_clock)
            fault = resolve(seat, &word, ended, &arrival_ms, &known);
        if (fault != FAULT_NONE || !known)
            break;
        fault = driver_fold(driver, seat, &first, &arrival_ms, true);
        if (fault != FAULT_NONE)
            break;
        if (word.has_time)
            seat->before_ms = word.time_ms;
        seat->waiting_size -= size_of(&first);
        source_release(&first);
        seat->waiting_count--;
        memmove(seat->waiting, seat->waiting + 1, seat->waiting_count * sizeof *seat->waiting);
    }
    return fault;
}

enum fault driver_queue(struct driver *driver, struct seat *seat, struct source_message *message)
{
    if (seat->waiting_count == seat->waiting_capacity) {
        seat->waiting_capacity = seat->waiting_capacity == 0 ? 16 : seat->waiting_capacity * 2;
        seat->waiting = heap_resized(seat->waiting, seat->waiting_capacity, sizeof *seat->waiting);
    }
    seat->waiting_size += size_of(message);
    seat->waiting[seat->waiting_count++] = *message;
    message->message = NULL;
    return driver_settle(driver, seat, false);
}
