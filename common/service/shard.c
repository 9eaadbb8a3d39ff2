#include "service/shard.h"
#include "memory/heap.h"
#include "service/mark.h"

#define SHARD_TIME_FIELD                                                                           \
    "plumb.time."                  /* a state entry of our own; services' fields never start so */
#define SHARD_SOURCE "partition:0" /* origin services: the partition itself is the only source */

struct lane {
    struct shard_input input;
    struct stream_time *time; /* owned */
    int64_t followed_ms;      /* what the service has been told; <= stream_time_now */
    int64_t position;         /* next offset to take */
    bool changed;             /* stream time, since the last save */
};

struct shard {
    const struct service *service; /* borrowed */
    struct lane lanes[SERVICE_TOPICS_MAX];
    size_t lane_count;
    void *state; /* owned by the service: open … close */
};

static size_t lane_index(const struct shard *shard, enum topic topic)
{
    for (size_t i = 0; i < shard->lane_count; i++) {
        if (shard->lanes[i].input.topic == topic)
            return i;
    }
    UNREACHABLE("a record of a topic that is no input of this shard");
}

struct shard *shard_create(const struct service *service, const struct shard_input *inputs,
                           size_t input_count, const struct catalog *catalog,
                           const struct option_set *options)
{
    REQUIRE(input_count >= 1 && input_count <= SERVICE_TOPICS_MAX);
    struct shard *shard = heap_zeroed(1, sizeof *shard);
    shard->service = service;
    shard->lane_count = input_count;
    for (size_t i = 0; i < input_count; i++) {
        shard->lanes[i].input = inputs[i];
        shard->lanes[i].time = stream_time_create();
        if (service->origin)
            stream_time_sources(shard->lanes[i].time, span_text("partition:1"), 0);
    }
    shard->state = service->open(&(struct service_environment){.catalog = catalog,
                                                               .options = options,
                                                               .topic = inputs[0].topic,
                                                               .partition = inputs[0].partition});
    return shard;
}

/* Tells the service of time that has risen. After TABLE_BEHIND it is told again when the same
 * record comes again. */
static enum fault follow(struct shard *shard, struct lane *lane, struct outputs *outputs)
{
    const int64_t now_ms = stream_time_now(lane->time);
    if (now_ms <= lane->followed_ms)
        return FAULT_NONE;
    if (shard->service->advance != NULL) {
        const enum fault fault =
            shard->service->advance(shard->state, lane->input.topic, now_ms, outputs);
        if (fault != FAULT_NONE)
            return fault;
    }
    lane->followed_ms = now_ms;
    return FAULT_NONE;
}

static enum fault raise_source(struct shard *shard, struct lane *lane, struct span source,
                               int64_t time_ms, struct outputs *outputs)
{
    (void)stream_time_observe(lane->time, source, time_ms, lane->position);
    lane->changed = true;
    return follow(shard, lane, outputs);
}

static enum fault take_clock(struct shard *shard, struct lane *lane, const struct record *record,
                             struct outputs *outputs)
{
    struct stream_time_clock clock;
    if (!stream_time_clock_read(record, &clock))
        return FAULT_NONE;
    if (shard->service->origin)
        return raise_source(shard, lane, span_text(SHARD_SOURCE), clock.time_ms, outputs);
    stream_time_sources(lane->time, clock.set, record->offset);
    return raise_source(shard, lane, clock.source, clock.time_ms, outputs);
}

static enum fault take_value(struct shard *shard, struct lane *lane, const struct record *record,
                             struct outputs *outputs)
{
    const struct service *service = shard->service;
    enum fault fault = FAULT_NONE;
    if (service->origin) {
        fault = raise_source(shard, lane, span_text(SHARD_SOURCE), record->arrival_ms, outputs);
    } else if (service->observe != NULL) {
        char source[300];
        int64_t arrival_ms;
        if (service->observe(record, source, &arrival_ms))
            fault = raise_source(shard, lane, span_text(source), arrival_ms, outputs);
    }
    if (fault != FAULT_NONE)
        return fault;
    return service->handle(shard->state, record, outputs);
}

enum fault shard_take(struct shard *shard, const struct record *record, struct outputs *outputs)
{
    REQUIRE(shard != NULL);
    struct lane *lane = &shard->lanes[lane_index(shard, record->topic)];
    REQUIRE(lane->input.partition == record->partition);
    REQUIRE(record->offset >= lane->position);
    const enum fault fault = stream_time_is_clock(record)
                                 ? take_clock(shard, lane, record, outputs)
                                 : take_value(shard, lane, record, outputs);
    if (fault != FAULT_NONE)
        return fault;
    lane->position = record->offset + 1;
    return FAULT_NONE;
}

enum fault shard_raise(struct shard *shard, enum topic topic, int64_t time_ms,
                       struct outputs *outputs)
{
    REQUIRE(shard->service->origin);
    struct lane *lane = &shard->lanes[lane_index(shard, topic)];
    return raise_source(shard, lane, span_text(SHARD_SOURCE), time_ms, outputs);
}

enum fault shard_event_time(const struct shard *shard, const struct record *record, bool *out_has,
                            int64_t *out_time_ms)
{
    REQUIRE(shard->service->origin && shard->service->event_time != NULL);
    return shard->service->event_time(shard->state, record, out_has, out_time_ms);
}

int64_t shard_lift(const struct shard *shard, enum topic topic, int64_t arrival_ms)
{
    const int64_t now_ms = stream_time_now(shard->lanes[lane_index(shard, topic)].time);
    return arrival_ms > now_ms ? arrival_ms : now_ms;
}

int64_t shard_time(const struct shard *shard)
{
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < shard->lane_count; i++) {
        const int64_t now_ms = stream_time_now(shard->lanes[i].time);
        if (now_ms < least)
            least = now_ms;
    }
    return least;
}

size_t shard_input_count(const struct shard *shard)
{
    return shard->lane_count;
}

struct shard_input shard_input(const struct shard *shard, size_t index)
{
    REQUIRE(index < shard->lane_count);
    return shard->lanes[index].input;
}

bool shard_has(const struct shard *shard, enum topic topic, int32_t partition)
{
    for (size_t i = 0; i < shard->lane_count; i++) {
        const struct shard_input *input = &shard->lanes[i].input;
        if (input->topic == topic && input->partition == partition)
            return true;
    }
    return false;
}

int64_t shard_position(const struct shard *shard, enum topic topic)
{
    return shard->lanes[lane_index(shard, topic)].position;
}

void shard_set_position(struct shard *shard, enum topic topic, int64_t offset)
{
    shard->lanes[lane_index(shard, topic)].position = offset;
}

int64_t shard_stream_time(const struct shard *shard, enum topic topic)
{
    return stream_time_now(shard->lanes[lane_index(shard, topic)].time);
}

int64_t shard_needs(const struct shard *shard, enum topic topic)
{
    const int64_t position = shard_position(shard, topic);
    int64_t first = shard->service->needs == NULL ? INT64_MAX : shard->service->needs(shard->state);
    if (!shard->service->origin) { /* an origin's time is in the mark */
        const int64_t time = stream_time_needs(shard->lanes[lane_index(shard, topic)].time);
        first = time < first ? time : first;
    }
    return first < position ? first : position;
}

void shard_recall(const struct shard *shard, struct buffer *out)
{
    const size_t before = out->size;
    if (shard->service->recall != NULL)
        shard->service->recall(shard->state, out);
    ENSURE(out->size - before < MARK_RECALL_SIZE);
}

void shard_remind(struct shard *shard, struct span word, int64_t end)
{
    if (shard->service->remind != NULL)
        shard->service->remind(shard->state, word, end);
}

enum fault shard_reach(struct shard *shard, enum topic topic, int64_t stream_time_ms,
                       struct outputs *outputs)
{
    struct lane *lane = &shard->lanes[lane_index(shard, topic)];
    if (shard->service->origin) /* its time is its only source's: what comes earlier is lifted */
        return raise_source(shard, lane, span_text(SHARD_SOURCE), stream_time_ms, outputs);
    stream_time_raise(lane->time, stream_time_ms);
    lane->changed = true;
    return follow(shard, lane, outputs);
}

void shard_positions_write(const struct shard *shard, struct buffer *out)
{
    for (size_t i = 0; i < shard->lane_count; i++) {
        const struct lane *lane = &shard->lanes[i];
        buffer_format(out, "%s%s:%d=%lld", i == 0 ? "" : ",", topic_row(lane->input.topic)->name,
                      (int)lane->input.partition, (long long)lane->position);
    }
}

bool shard_positions_read(struct shard *shard, struct span text)
{
    char *copy = span_copied(text);
    int64_t positions[SERVICE_TOPICS_MAX];
    bool good = true;
    const char *next = copy;
    for (size_t i = 0; i < shard->lane_count && good; i++) {
        const struct shard_input *input = &shard->lanes[i].input;
        char *name = heap_format("%s%s:%d=", i == 0 ? "" : ",", topic_row(input->topic)->name,
                                 (int)input->partition);
        good = strncmp(next, name, strlen(name)) == 0;
        if (good) {
            char *end;
            positions[i] = strtoll(next + strlen(name), &end, 10);
            good = end > next + strlen(name);
            next = end;
        }
        heap_release(name);
    }
    good = good && *next == '\0';
    for (size_t i = 0; i < shard->lane_count && good; i++)
        shard->lanes[i].position = positions[i];
    heap_release(copy);
    return good;
}

void shard_save(struct shard *shard, struct changes *changes)
{
    for (size_t i = 0; i < shard->lane_count; i++) {
        struct lane *lane = &shard->lanes[i];
        if (!lane->changed)
            continue;
        struct buffer text = {0};
        stream_time_write(lane->time, &text);
        char *field = heap_format(SHARD_TIME_FIELD "%s", topic_row(lane->input.topic)->name);
        changes_put(changes, span_text(field), buffer_span(&text));
        heap_release(field);
        buffer_fini(&text);
        lane->changed = false;
    }
    if (shard->service->save != NULL)
        shard->service->save(shard->state, changes);
}

static enum fault load_time(struct shard *shard, const char *topic, struct span bytes)
{
    for (size_t i = 0; i < shard->lane_count; i++) {
        struct lane *lane = &shard->lanes[i];
        if (strcmp(topic_row(lane->input.topic)->name, topic) != 0)
            continue;
        if (!stream_time_read(lane->time, bytes))
            return FAULT_STATE_MALFORMED;
        lane->followed_ms = stream_time_now(lane->time);
        return FAULT_NONE;
    }
    return FAULT_STATE_MALFORMED;
}

enum fault shard_load(struct shard *shard, struct span field, struct span bytes)
{
    const size_t size = strlen(SHARD_TIME_FIELD);
    if (field.size > size && memcmp(field.bytes, SHARD_TIME_FIELD, size) == 0) {
        char *topic = span_copied(span_of(field.bytes + size, field.size - size));
        const enum fault fault = load_time(shard, topic, bytes);
        heap_release(topic);
        return fault;
    }
    if (shard->service->load == NULL)
        return FAULT_STATE_MALFORMED;
    return shard->service->load(shard->state, field, bytes);
}

void shard_destroy(struct shard *shard)
{
    if (shard == NULL)
        return;
    shard->service->close(shard->state);
    for (size_t i = 0; i < shard->lane_count; i++)
        stream_time_destroy(shard->lanes[i].time);
    heap_release(shard);
}
