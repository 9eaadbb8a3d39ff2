/* plumb ledger: compares the topics with each other, and says where a difference is.
 *
 * The topics are read against the flow, results first: whatever a record rests on has then been
 * published before, also while the services run. What the validator has not passed when the ledger
 * begins is not looked at.
 */
#include "arguments.h"
#include "avro/wire.h"
#include "balance.h"
#include "connection.h"
#include "kafka/group_offsets.h"
#include "kafka/topic_reader.h"
#include "listing.h"
#include "memory/heap.h"
#include "model/catalog.h"
#include "model/enrichment.h"
#include "passage.h"
#include "plumb.h"
#include "progress.h"
#include "service/service.h"
#include "service/stream_time.h"
#include "window/span_time.h"
#include "windower/event_reading.h"

enum { MARKERS_PAUSE_MS = 500 };

static const struct option_row rows[] = {
    {.name = "group",
     .kind = OPTION_TEXT,
     .fallback = "plumb-validator",
     .help = "the validator's consumer group"},
    {.name = NULL},
};

/* Wider than 80 columns with a long name: the numbers must stand under each other. */
static const struct listing_column columns[] = {
    {"model", "MODEL", LISTING_WORD},         {"seen", "SEEN", LISTING_NUMBER},
    {"on_time", "ON TIME", LISTING_NUMBER},   {"late", "LATE", LISTING_NUMBER},
    {"too_late", "TOO LATE", LISTING_NUMBER}, {"future", "FUTURE", LISTING_NUMBER},
    {"rejected", "REJECTED", LISTING_NUMBER}, {"duplicate", "DUPLICATE", LISTING_NUMBER},
    {"open", "OPEN", LISTING_NUMBER},         {"lost", "LOST", LISTING_NUMBER},
    {"doubled", "DOUBLED", LISTING_NUMBER},   {NULL, NULL, LISTING_TEXT},
};
static const char *const count_names[BALANCE_COUNTS] = {
    [BALANCE_ON_TIME] = "on_time",
    [BALANCE_LATE] = "late",
    [BALANCE_TOO_LATE] = "too_late",
    [BALANCE_FUTURE] = "future",
    [BALANCE_REJECTED] = "rejected",
    [BALANCE_DUPLICATE] = "duplicate",
    [BALANCE_OPEN] = "open",
    [BALANCE_LOST] = "lost",
    [BALANCE_OUT_OF_REACH] = "out_of_reach",
    [BALANCE_DOUBLED] = "doubled",
};

struct ledger {
    struct kafka_client *client; /* owned, as all below */
    struct differences differences;
    struct passage *passage;
    struct balance *balance;
    struct catalog *catalog;
    struct event_reading *reading;
    struct enrichment enrichment;
    struct progress progress;
    uint64_t records;
};

static int fail(enum fault fault, const struct reason *reason)
{
    const int code = plumb_fail("ledger", fault, reason);
    return fault == FAULT_OPTION_INVALID ? PLUMB_CONFIGURATION : code;
}

/* ---- What the records say */

static void on_table(void *context, const struct record *record)
{
    struct ledger *ledger = context;
    struct reason reason;
    if (record->value.size > 0 && catalog_apply(ledger->catalog, record, &reason) != FAULT_NONE)
        plumb_say("ledger", "%s: a record does not read: %s", topic_row(record->topic)->name,
                  reason.text);
}

static void count_record(struct ledger *ledger)
{
    progress_show(&ledger->progress, 0, ++ledger->records, "records");
}

static struct place place_of(const struct record *record)
{
    return (struct place){record->topic, record->partition, record->offset};
}

static enum event_role role_named(const char *name)
{
    for (enum event_role role = ROLE_CHAMPION; role <= ROLE_CANARY; role++)
        if (name != NULL && strcmp(name, event_role_name(role)) == 0)
            return role;
    return ROLE_CHAMPION;
}

static struct span text_at(const json_t *value, const char *name)
{
    const json_t *text = json_object_get(value, name);
    return span_of(json_string_value(text), json_string_length(text));
}

static void take_measurement(struct ledger *ledger, const struct record *record,
                             const json_t *value)
{
    const char *id = json_string_value(json_object_get(value, "id"));
    const char *kind = json_string_value(json_object_get(value, "kind"));
    const struct pane_key window = {
        .model = text_at(value, "model"),
        .version = text_at(value, "version"),
        .role = role_named(json_string_value(json_object_get(value, "role"))),
        .start_ms = json_integer_value(json_object_get(value, "window_start")),
        .end_ms = json_integer_value(json_object_get(value, "window_end"))};
    int32_t revision = (int32_t)json_integer_value(json_object_get(value, "revision"));
    /* Of segments and of what is not counted by panes only the id is looked at. */
    if (!json_is_null(json_object_get(value, "segment")) || kind == NULL ||
        (strcmp(kind, "DRIFT") != 0 && strcmp(kind, "QUALITY") != 0))
        revision = -1 - revision;
    if (id != NULL)
        balance_measurement(ledger->balance, id, revision, &window,
                            (uint64_t)json_integer_value(json_object_get(value, "n_current")),
                            place_of(record));
}

static void take_pane(struct ledger *ledger, const struct record *record, const json_t *value)
{
    struct pane_key key;
    const json_t *offsets = json_array_get(json_object_get(value, "offsets"), 0);
    if (!pane_record_key(value, &key) || key.feed != FEED_VALIDATED || key.segment.size > 0 ||
        json_integer_value(json_object_get(value, "chunk")) != 0 || offsets == NULL)
        return;
    const struct pane_offsets source = {
        .partition = (int32_t)json_integer_value(json_object_get(offsets, "partition")),
        .first = json_integer_value(json_object_get(offsets, "first")),
        .last = json_integer_value(json_object_get(offsets, "last"))};
    balance_pane(ledger->balance, &key, &source,
                 (uint64_t)json_integer_value(json_object_get(value, "events")), place_of(record));
}

/* "topic:partition"; TOPIC_NONE: something else. */
static enum topic source_of(struct span text, int32_t *out_partition)
{
    char *copy = span_copied(text);
    char *colon = strrchr(copy, ':');
    enum topic topic = TOPIC_NONE;
    if (colon != NULL) {
        *colon = '\0';
        topic = topic_find(copy);
        *out_partition = (int32_t)strtol(colon + 1, NULL, 10);
    }
    heap_release(copy);
    return topic;
}

static void take_clock(struct ledger *ledger, const struct stream_time_clock *clock)
{
    int32_t partition = -1;
    if (source_of(clock->source, &partition) == TOPIC_INFERENCE_VALIDATED)
        balance_clock(ledger->balance, partition, clock->time_ms);
}

static void on_result(void *context, const struct record *record)
{
    struct ledger *ledger = context;
    struct stream_time_clock clock;
    json_t *value;
    struct reason reason;
    count_record(ledger);
    if (stream_time_clock_read(record, &clock)) {
        if (record->topic == TOPIC_WINDOW_PANES)
            take_clock(ledger, &clock);
        return;
    }
    if (record->value.size == 0)
        return;
    if (record_json(record, &value, &reason) != FAULT_NONE) {
        difference_add(&ledger->differences, "malformed", difference_place(place_of(record)),
                       heap_text(reason.text));
        return;
    }
    if (record->topic == TOPIC_MEASUREMENTS)
        take_measurement(ledger, record, value);
    else
        take_pane(ledger, record, value);
    json_decref(value);
}

static void on_input(void *context, const struct record *record)
{
    struct ledger *ledger = context;
    count_record(ledger);
    if (!stream_time_is_clock(record))
        passage_input(ledger->passage, place_of(record));
}

/* BALANCE_COUNTS: it belongs into a pane. */
static enum balance_count why_uncounted(const struct enrichment *enrichment)
{
    if (enrichment->duplicate)
        return BALANCE_DUPLICATE;
    switch (enrichment->lateness) {
    case ENRICHMENT_TOO_LATE:
        return BALANCE_TOO_LATE;
    case ENRICHMENT_FUTURE:
        return BALANCE_FUTURE;
    case ENRICHMENT_NONE:
        return BALANCE_REJECTED;
    case ENRICHMENT_ON_TIME:
    case ENRICHMENT_LATE:
        break;
    }
    return BALANCE_COUNTS;
}

static void take_event(struct ledger *ledger, const struct record *record, uint64_t fingerprint,
                       struct span body, bool counts)
{
    const struct enrichment *enrichment = &ledger->enrichment;
    enum balance_count why = why_uncounted(enrichment);
    struct event event;
    const struct contract *contract;
    const enum fault fault = event_reading_read(
        ledger->reading, fingerprint, enrichment->contract_revision, body, &event, &contract);
    struct span model = event.model_name;
    if (fault != FAULT_NONE) { /* as the windower: it waits for tables, and counts the rest */
        model = span_of(NULL, 0);
        why = fault == FAULT_TABLE_BEHIND ? BALANCE_OPEN : BALANCE_REJECTED;
    }
    if (why != BALANCE_COUNTS) {
        if (counts)
            balance_uncounted(ledger->balance, model, why);
        return;
    }
    const bool on_time = enrichment->lateness == ENRICHMENT_ON_TIME;
    struct pane_key key = {.model = event.model_name,
                           .version = event.model_version,
                           .role = event.role,
                           .part = on_time ? PART_ON_TIME : PART_LATE,
                           .revision = contract->revision,
                           .start_ms = span_time_start(event.event_time_ms, contract->pane_ms)};
    key.end_ms = span_time_add(key.start_ms, contract->pane_ms);
    const int64_t closes_ms =
        span_time_add(key.end_ms, on_time ? contract->lateness_ms : contract->correction_ms);
    balance_event(ledger->balance, &key, closes_ms, record->partition, counts);
}

static void on_validated(void *context, const struct record *record)
{
    struct ledger *ledger = context;
    struct enrichment *enrichment = &ledger->enrichment;
    uint64_t fingerprint;
    struct span body;
    size_t used;
    count_record(ledger);
    if (stream_time_is_clock(record))
        return;
    if (!wire_read_frame(record->value, &fingerprint, &body) ||
        enrichment_read(body, enrichment, &used) != FAULT_NONE) {
        difference_add(&ledger->differences, "malformed", difference_place(place_of(record)),
                       heap_text("it has no enrichment that can be read"));
        return;
    }
    if (enrichment->kind == ENRICHMENT_PAIR)
        return; /* beside its event */
    struct place source = {.offset = enrichment->offset};
    source.topic = source_of(enrichment->source, &source.partition);
    const bool counts = passage_judged(ledger->passage, place_of(record), source);
    if (enrichment->kind == ENRICHMENT_EVENT)
        take_event(ledger, record, fingerprint, body, counts);
}

static bool header_number(const struct record *record, const char *name, int64_t *out_number)
{
    const struct header *header = record_header(record, name);
    if (header == NULL)
        return false;
    char *text = span_copied(header->value);
    char *end;
    *out_number = strtoll(text, &end, 10);
    const bool good = end != text && *end == '\0';
    heap_release(text);
    return good;
}

/* Of a refused event, where its value tells. */
static void count_refused(struct ledger *ledger, const struct record *letter)
{
    struct record event = *letter;
    event.topic = TOPIC_INFERENCE_EVENTS;
    json_t *value = NULL;
    struct reason reason;
    if (event.value.size == 0 || record_json(&event, &value, &reason) != FAULT_NONE)
        value = NULL;
    balance_uncounted(ledger->balance, text_at(value, "model_name"), BALANCE_REJECTED);
    json_decref(value);
}

static void on_dead_letter(void *context, const struct record *record)
{
    struct ledger *ledger = context;
    count_record(ledger);
    const struct header *topic = record_header(record, "__connect.errors.topic");
    struct place source = {.topic = TOPIC_NONE};
    int64_t partition = 0;
    if (topic == NULL || !header_number(record, "__connect.errors.partition", &partition) ||
        !header_number(record, "__connect.errors.offset", &source.offset))
        return; /* somebody else's */
    char *name = span_copied(topic->value);
    source.topic = topic_find(name);
    heap_release(name);
    source.partition = (int32_t)partition;
    if (passage_judged(ledger->passage, place_of(record), source) &&
        source.topic == TOPIC_INFERENCE_EVENTS)
        count_refused(ledger, record);
}

/* ---- Reading */

static int read_topic(struct ledger *ledger, enum topic topic,
                      void (*on_record)(void *context, const struct record *record))
{
    struct topic_reader *reader;
    struct reason reason;
    enum fault fault = topic_reader_open(ledger->client, topic, &reader, &reason);
    if (fault != FAULT_NONE)
        return fail(fault, &reason);
    fault = topic_reader_run(reader, on_record, ledger, &reason);
    topic_reader_close(reader);
    return fault == FAULT_NONE ? PLUMB_DONE : fail(fault, &reason);
}

/* Takes the partitions' ends of one topic into the books. */
static void open_partition(struct ledger *ledger, const struct group_offset *offset)
{
    const enum topic topic = offset->topic;
    if (topic == TOPIC_INFERENCE_EVENTS || topic == TOPIC_GROUND_TRUTH)
        passage_open_input(ledger->passage, topic, offset->partition, offset->first,
                           offset->offset < 0 ? 0 : offset->offset);
    else if (topic == TOPIC_WINDOW_PANES)
        balance_open_panes(ledger->balance, offset->partition, offset->first);
    else
        passage_open_output(ledger->passage, topic, offset->partition, offset->first);
    if (topic == TOPIC_INFERENCE_VALIDATED)
        balance_open_source(ledger->balance, offset->partition, offset->first);
}

static int open_books(struct ledger *ledger, const char *group)
{
    static const enum topic topics[] = {TOPIC_INFERENCE_EVENTS, TOPIC_GROUND_TRUTH,
                                        TOPIC_INFERENCE_VALIDATED, TOPIC_INFERENCE_DEAD_LETTER,
                                        TOPIC_WINDOW_PANES};
    struct group_offsets *offsets = NULL;
    struct reason reason;
    enum fault fault = group_offsets_open(ledger->client, group, &offsets, &reason);
    for (size_t i = 0; i < COUNT_OF(topics) && fault == FAULT_NONE; i++) {
        int32_t count = 0;
        fault = kafka_client_require(ledger->client, topics[i], &count, &reason);
        if (fault == FAULT_NONE)
            fault = group_offsets_read(offsets, topics[i], count, &reason);
        for (int32_t p = 0; p < count && fault == FAULT_NONE; p++)
            open_partition(ledger, group_offsets_find(offsets, topics[i], p));
    }
    group_offsets_close(offsets);
    return fault == FAULT_NONE ? PLUMB_DONE : fail(fault, &reason);
}

static int read_all(struct ledger *ledger, const char *group)
{
    static const struct {
        enum topic topic;
        void (*on_record)(void *context, const struct record *record);
    } steps[] = {
        {TOPIC_MEASUREMENTS, on_result},
        {TOPIC_WINDOW_PANES, on_result},
        {TOPIC_MODEL_CONTRACTS, on_table},
        {TOPIC_INFERENCE_EVENTS, on_input},
        {TOPIC_GROUND_TRUTH, on_input},
        {TOPIC_MODEL_SCHEMAS, on_table},
        {TOPIC_INFERENCE_VALIDATED, on_validated},
        {TOPIC_INFERENCE_DEAD_LETTER, on_dead_letter},
    };
    int code = open_books(ledger, group);
    if (code == PLUMB_DONE) /* a transaction's end reaches its partitions one by one */
        kafka_client_poll(ledger->client, MARKERS_PAUSE_MS);
    for (size_t i = 0; i < COUNT_OF(steps) && code == PLUMB_DONE; i++)
        code = read_topic(ledger, steps[i].topic, steps[i].on_record);
    return code;
}

/* ---- What comes of it */

static void add_row(struct listing *listing, const char *record, const char *model, uint64_t seen,
                    const uint64_t counts[BALANCE_COUNTS])
{
    json_t *object =
        json_pack("{s:s, s:s?, s:I}", "record", record, "model", model, "seen", (json_int_t)seen);
    for (size_t i = 0; i < BALANCE_COUNTS; i++)
        (void)json_object_set_new(object, count_names[i], json_integer((json_int_t)counts[i]));
    listing_add(listing, object);
}

static uint64_t sum_of(const uint64_t counts[BALANCE_COUNTS])
{
    uint64_t sum = 0;
    for (size_t i = 0; i < BALANCE_DOUBLED; i++)
        sum += counts[i];
    return sum;
}

static void add_rows(struct ledger *ledger, struct listing *listing, bool is_table)
{
    const struct passage_counts events = passage_counts(ledger->passage, TOPIC_INFERENCE_EVENTS);
    uint64_t total[BALANCE_COUNTS] = {[BALANCE_LOST] = events.missing,
                                      [BALANCE_OUT_OF_REACH] = events.out_of_reach,
                                      [BALANCE_DOUBLED] = events.doubled};
    for (size_t i = 0; i < balance_rows(ledger->balance); i++) {
        const struct balance_row row = balance_row(ledger->balance, i);
        add_row(listing, "model", row.model, sum_of(row.counts), row.counts);
        for (size_t k = 0; k < BALANCE_COUNTS; k++)
            total[k] += row.counts[k];
    }
    if (sum_of(total) != events.passed)
        difference_add(&ledger->differences, "equation", heap_text("inference.events"),
                       heap_format("%llu records were passed, %llu are accounted for",
                                   (unsigned long long)events.passed,
                                   (unsigned long long)sum_of(total)));
    add_row(listing, "total", is_table ? "total" : NULL, events.passed, total);
    const uint64_t gone = total[BALANCE_OUT_OF_REACH] +
                          passage_counts(ledger->passage, TOPIC_GROUND_TRUTH).out_of_reach;
    if (gone > 0)
        plumb_say("ledger",
                  "%llu records are out of reach, not lost: retention has removed what they became",
                  (unsigned long long)gone);
}

/* Under the table as lines, else as objects beside the rows. */
static void add_differences(const struct ledger *ledger, struct listing *listing)
{
    for (size_t i = 0; i < ledger->differences.count; i++) {
        const struct difference *one = &ledger->differences.list[i];
        listing_add(listing, json_pack("{s:s, s:s, s:s, s:s}", "record", "difference", "kind",
                                       one->kind, "place", one->place, "what", one->what));
    }
}

static void say_differences(const struct ledger *ledger)
{
    for (size_t i = 0; i < ledger->differences.count; i++) {
        const struct difference *one = &ledger->differences.list[i];
        printf("%s: %s: %s\n", one->kind, one->place, one->what);
    }
}

static int report(struct ledger *ledger, const char *form)
{
    const bool is_table = strcmp(form, "table") == 0;
    struct listing *listing = listing_open(form);
    listing_columns(listing, columns);
    add_rows(ledger, listing, is_table);
    if (!is_table)
        add_differences(ledger, listing);
    if (!listing_close(listing))
        return PLUMB_OUR_FAULT;
    if (is_table)
        say_differences(ledger);
    if (fflush(stdout) != 0)
        return PLUMB_OUR_FAULT;
    const uint64_t more = ledger->differences.all - ledger->differences.count;
    if (more > 0)
        plumb_say("ledger", "… and %llu more", (unsigned long long)more);
    return ledger->differences.all == 0 ? PLUMB_DONE : PLUMB_CHECK_SAYS_NO;
}

static int keep_books(struct ledger *ledger, const struct option_set *options)
{
    ledger->passage = passage_create(&ledger->differences);
    ledger->balance = balance_create(&ledger->differences);
    ledger->catalog = catalog_create();
    ledger->reading = event_reading_create(ledger->catalog);
    progress_begin(&ledger->progress, "reading");
    int code = read_all(ledger, option_text(options, "group"));
    progress_end(&ledger->progress);
    if (code == PLUMB_DONE) {
        passage_settle(ledger->passage);
        balance_settle(ledger->balance);
        code = report(ledger, option_text(options, "output"));
    }
    event_reading_destroy(ledger->reading);
    catalog_destroy(ledger->catalog);
    balance_destroy(ledger->balance);
    passage_destroy(ledger->passage);
    enrichment_fini(&ledger->enrichment);
    difference_fini(&ledger->differences);
    return code;
}

int plumb_ledger_run(int argc, char **argv)
{
    int code;
    struct option_set *options = arguments_read(
        &(struct arguments_spec){
            .command = "ledger",
            .usage = "plumb ledger",
            .summary = "Compares the topics: every event is validated or refused, once; every "
                       "closed pane has its rows, once; measurements count what their panes hold. "
                       "Exit 1 where not, with the places.",
            .rows = rows,
            .parts = ARGUMENTS_KAFKA | ARGUMENTS_OUTPUT},
        argc, argv, &code);
    if (options == NULL)
        return code;
    struct ledger ledger = {0};
    code = connection_open("ledger", options, &ledger.client);
    if (code == PLUMB_DONE)
        code = keep_books(&ledger, options);
    kafka_client_close(ledger.client);
    option_set_destroy(options);
    return code;
}
