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
    size_t size; /* of the message */
};

static struct word word_of(const struct seat *seat, const struct source_message *message)
{
    struct header headers[HEADERS_MAX];
    struct word word = {.is_clock = false};
    const struct record record = source_record(message, headers, HEADERS_MAX, false);
    word.is_clock = stream_time_is_clock(&record);
    word.size = record.key.size + record.value.size;
    if (!word.is_clock)
        word.has_time = shard_event_time(seat->shard, &record, &word.time_ms);
    return word;
}

/* The first event with a time behind the first that waits. A clock ends the search, as the end of a
 * file does. *out_known false: what comes may still have one. */
static bool time_after(const struct seat *seat, bool ended, bool *out_known, int64_t *out_ms)
{
    *out_known = true;
    for (size_t i = 1; i < seat->waiting_count; i++) {
        const struct word word = word_of(seat, &seat->waiting[i]);
        if (word.is_clock)
            return false;
        if (word.has_time) {
            *out_ms = word.time_ms;
            return true;
        }
    }
    *out_known =
        ended || seat->waiting_count >= WAITING_MAX || seat->waiting_size >= WAITING_SIZE_MAX;
    return false;
}

/* false: it cannot be told yet. */
static bool resolve(const struct driver *driver, const struct seat *seat, const struct word *word,
                    bool ended, int64_t *out_arrival_ms)
{
    const enum topic topic = seat->inputs[0].topic;
    const int64_t highest_ms = shard_lift(seat->shard, topic, INT64_MIN);
    const int64_t skew_ms = catalog_skew_ms(driver->catalog);
    bool raises = word->has_time && word->time_ms > highest_ms;
    if (raises && topic == TOPIC_INFERENCE_EVENTS && seat->before_ms != 0 &&
        word->time_ms - seat->before_ms > skew_ms) {
        bool known;
        int64_t after_ms;
        const bool has_after = time_after(seat, ended, &known, &after_ms);
        if (!known)
            return false;
        raises = !has_after || word->time_ms - after_ms <= skew_ms;
    }
    *out_arrival_ms = raises ? word->time_ms : highest_ms;
    return true;
}

enum fault driver_settle(struct driver *driver, struct seat *seat, bool ended)
{
    enum fault fault = FAULT_NONE;
    while (seat->waiting_count > 0 && fault == FAULT_NONE) {
        struct source_message first = seat->waiting[0];
        const struct word word = word_of(seat, &first);
        int64_t arrival_ms = 0;
        if (!word.is_clock && !resolve(driver, seat, &word, ended, &arrival_ms))
            break;
        fault = driver_fold(driver, seat, &first, &arrival_ms, true);
        if (fault != FAULT_NONE)
            break;
        if (word.has_time)
            seat->before_ms = word.time_ms;
        seat->waiting_size -= word.size;
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
    seat->waiting_size += word_of(seat, message).size;
    seat->waiting[seat->waiting_count++] = *message;
    message->message = NULL;
    return driver_settle(driver, seat, false);
}
