/* plumb dead-letters requeue: sends letters back to the topic that they came from. */
#include "arguments.h"
#include "connection.h"
#include "dead_letters.h"
#include "kafka/sink.h"
#include "letter_post.h"
#include "listing.h"
#include "memory/arena.h"
#include "memory/heap.h"
#include "plumb.h"

/* What one transaction holds: bounded, and quick enough for its time-out. */
enum { BATCH_LETTERS = 500, BATCH_BYTES = 8 * 1024 * 1024, PAGE_ROWS = 1000, INIT_MS = 30000 };

static const struct option_row rows[] = {
    LETTER_CHOICE_ROWS,
    {.name = "send", .kind = OPTION_FLAG, .help = "do it; without this it is only said"},
    {.name = "again", .kind = OPTION_FLAG, .help = "also letters that were sent back already"},
    {.name = NULL},
};
static const struct listing_column columns[] = {
    {"letter", "LETTER", LISTING_WORD}, {"time", "REFUSED", LISTING_TIME},
    {"reason", "REASON", LISTING_TEXT}, {"to", "BACK TO", LISTING_TEXT},
    {"trouble", "", LISTING_BELOW},     {NULL, NULL, LISTING_TEXT},
};

/* A letter on its way back. */
struct parcel {
    struct letter letter;
    struct record record; /* in the batch's arena */
    json_t *object;       /* owned */
};

struct requeue_run {
    const struct option_set *options;
    bool is_table, sends;
    struct letter_post post;
    int32_t partitions[TOPIC_COUNT];
    const char *names[TOPIC_COUNT];
    struct sink *sink;   /* owned; NULL in a dry run */
    struct arena *arena; /* owned: of the batch */
    struct parcel batch[BATCH_LETTERS];
    size_t batch_size, batch_bytes;
    struct listing *listing;
    uint64_t back, gone;
    int code; /* of what went wrong at a letter */
};

/* ---- One letter */

/* The partition that it was in: the app's partitioner chose it, whichever that is. */
static int32_t partition_of(const struct requeue_run *run, const struct letter *letter,
                            struct span key)
{
    const int32_t count = run->partitions[letter->source];
    return letter->source_place.partition < count ? letter->source_place.partition
                                                  : topic_partition(key, count);
}

static struct span kept(struct arena *arena, struct span bytes)
{
    return bytes.bytes == NULL ? bytes
                               : arena_span(arena, bytes); /* no value is not an empty one */
}

struct packing {
    struct requeue_run *run;
    const struct letter *letter;
};

/* Copies what goes back into the batch. */
static void pack(void *context, const struct record *original)
{
    const struct packing *packing = context;
    struct requeue_run *run = packing->run;
    const struct letter *letter = packing->letter;
    struct arena *arena = run->arena;
    struct header *headers = arena_take(arena, (original->header_count + 1) * sizeof *headers);
    char *text = arena_take(arena, LETTER_REQUEUED_SIZE);
    const size_t count = letter_headers_back(letter, original, text, headers);
    run->batch_bytes += original->key.size + original->value.size;
    for (size_t i = 0; i < count; i++) {
        headers[i].name = (const char *)arena_span(arena, span_text(headers[i].name)).bytes;
        headers[i].value = kept(arena, headers[i].value);
        run->batch_bytes += strlen(headers[i].name) + headers[i].value.size;
    }
    run->batch[run->batch_size].letter = *letter;
    run->batch[run->batch_size].record =
        (struct record){.topic = letter->source,
                        .partition = partition_of(run, letter, original->key),
                        .key = kept(arena, original->key),
                        .value = kept(arena, original->value),
                        .headers = headers,
                        .header_count = count};
}

/* fate: "sent", "would be sent", or why not (to NULL). */
static void say(struct requeue_run *run, json_t *object, const struct record *to, const char *fate)
{
    json_t *place =
        to == NULL ? json_null() : json_sprintf("%s:%d", run->names[to->topic], (int)to->partition);
    (void)json_object_set_new(object, "to", place);
    (void)json_object_set_new(object, run->is_table && to == NULL ? "trouble" : "fate",
                              json_string(fate));
    if (run->is_table)
        (void)json_object_del(object, "record"); /* whose columns are those of plumb analyze */
    listing_add(run->listing, object);
}

/* ---- A batch: all of it or nothing */

static int refuse(enum fault fault, struct reason *reason)
{
    if (fault == FAULT_FENCED)
        reason_set(reason, "another requeue has begun, and this one gave way; nothing of the "
                           "last batch was sent");
    else if (fault == FAULT_OUTCOME_UNKNOWN)
        reason_wrap(reason, "whether the last batch was sent is not known, and does not matter: "
                            "run it again");
    const int code = plumb_fail("dead-letters requeue", fault, reason);
    return fault == FAULT_FENCED ? PLUMB_TRY_AGAIN : code;
}

static enum fault publish_marks(struct requeue_run *run, int32_t partitions,
                                struct reason *out_reason)
{
    struct buffer key = {0}, value = {0};
    size_t cursor = 0;
    enum fault fault = FAULT_NONE;
    while (fault == FAULT_NONE && requeued_next(run->post.requeued, &cursor, &key, &value)) {
        const struct span name = buffer_span(&key);
        const struct record record = {.topic = TOPIC_SERVICE_SNAPSHOTS,
                                      .partition = topic_partition(name, partitions),
                                      .key = name,
                                      .value =
                                          value.size == 0 ? span_of(NULL, 0) : buffer_span(&value)};
        fault = sink_publish(run->sink, &record, out_reason);
    }
    buffer_fini(&key);
    buffer_fini(&value);
    return fault;
}

static enum fault send_batch(struct requeue_run *run, struct reason *out_reason)
{
    enum fault fault = sink_begin(run->sink, out_reason);
    for (size_t i = 0; i < run->batch_size && fault == FAULT_NONE; i++) {
        requeued_add(run->post.requeued, &run->batch[i].letter);
        fault = sink_publish(run->sink, &run->batch[i].record, out_reason);
    }
    if (fault == FAULT_NONE)
        fault = publish_marks(run, run->partitions[TOPIC_SERVICE_SNAPSHOTS], out_reason);
    if (fault == FAULT_NONE)
        fault = sink_commit(run->sink, NULL, NULL, out_reason);
    struct reason why;
    if (fault == FAULT_TRANSACTION_ABORTED && sink_abort(run->sink, &why) != FAULT_NONE)
        reason_wrap(out_reason, "not aborted yet (%s), so Kafka does it", why.text);
    if (fault == FAULT_NONE)
        requeued_settle(run->post.requeued);
    return fault;
}

static void flush_batch(struct requeue_run *run)
{
    if (run->batch_size == 0 || run->code != PLUMB_DONE)
        return;
    struct reason reason = {""};
    const enum fault fault = run->sends ? send_batch(run, &reason) : FAULT_NONE;
    if (fault != FAULT_NONE) {
        run->code = refuse(fault, &reason);
        return;
    }
    for (size_t i = 0; i < run->batch_size; i++) {
        struct parcel *parcel = &run->batch[i];
        say(run, parcel->object, &parcel->record, run->sends ? "sent" : "would be sent");
        parcel->object = NULL;
    }
    run->back += run->batch_size;
    run->batch_size = run->batch_bytes = 0;
    arena_reset(run->arena);
}

static bool on_letter(void *context, const struct letter *letter, const struct record *record)
{
    struct requeue_run *run = context;
    struct packing packing = {.run = run, .letter = letter};
    bool is_there = letter->source != TOPIC_NONE;
    if (is_there && letter->is_elsewhere)
        run->code = letter_post_source(&run->post, letter, record, pack, &packing, &is_there);
    else if (is_there)
        pack(&packing, record);
    if (run->code != PLUMB_DONE)
        return false;
    json_t *object = letter_object(record);
    if (is_there) {
        run->batch[run->batch_size++].object = object;
    } else {
        run->gone++;
        say(run, object, NULL,
            letter->source == TOPIC_NONE ? "does not say from where" : "is gone from the source");
    }
    if (run->batch_size == BATCH_LETTERS || run->batch_bytes >= BATCH_BYTES)
        flush_batch(run);
    return run->code == PLUMB_DONE;
}

/* ---- The run */

static int connect_sink(struct requeue_run *run)
{
    /* The name of the letters' topic: two pipelines on one Kafka do not fence one another. */
    char *name = heap_format("plumb-requeue-%s", run->names[TOPIC_INFERENCE_DEAD_LETTER]);
    const struct sink_options options = {.options = run->options,
                                         .transactional_id = name,
                                         .client = "plumb",
                                         .bootstrap = option_text(run->options, "bootstrap"),
                                         .names = run->names};
    struct reason reason;
    enum fault fault = sink_open(&options, &run->sink, &reason);
    if (fault == FAULT_NONE)
        fault = sink_init(run->sink, INIT_MS, &reason);
    heap_release(name);
    return fault == FAULT_NONE ? PLUMB_DONE : plumb_fail("dead-letters requeue", fault, &reason);
}

static int connect_all(struct requeue_run *run)
{
    static const enum topic topics[] = {TOPIC_INFERENCE_EVENTS, TOPIC_GROUND_TRUTH,
                                        TOPIC_SERVICE_SNAPSHOTS};
    int code = letter_post_open("dead-letters requeue", run->options, &run->post);
    for (enum topic topic = TOPIC_NONE + 1; code == PLUMB_DONE && topic < TOPIC_COUNT; topic++)
        run->names[topic] = kafka_client_topic(run->post.client, topic);
    for (size_t i = 0; code == PLUMB_DONE && i < COUNT_OF(topics); i++)
        code = connection_partitions("dead-letters requeue", run->post.client, topics[i],
                                     &run->partitions[topics[i]]);
    /* First fence off whoever is at it, then read what was sent back: so nothing can come between.
     */
    if (code == PLUMB_DONE && run->sends)
        code = connect_sink(run);
    return code == PLUMB_DONE ? letter_post_read_requeued(&run->post) : code;
}

static void sum_up(struct requeue_run *run, const struct letter_tally *tally)
{
    const char *verb = run->sends ? "sent back" : "would be sent back";
    if (!run->is_table) {
        listing_add(run->listing,
                    json_pack("{s:s, s:b, s:I, s:I, s:I}", "record", "requeue", "sent", run->sends,
                              "letters", (json_int_t)run->back, "already",
                              (json_int_t)tally->passed_over, "gone", (json_int_t)run->gone));
        return;
    }
    plumb_say("dead-letters requeue", "%llu %s, %llu were before%s, %llu cannot be%s",
              (unsigned long long)run->back, verb, (unsigned long long)tally->passed_over,
              tally->passed_over > 0 ? " (--again)" : "", (unsigned long long)run->gone,
              run->sends || run->back == 0 ? "" : "; --send does it");
}

static int requeue(struct requeue_run *run, const struct letter_choice *choice)
{
    struct letter_tally tally = {0};
    int code = connect_all(run);
    if (code == PLUMB_DONE)
        code = letter_post_visit(&run->post, choice, on_letter, run, &tally);
    if (code == PLUMB_DONE)
        flush_batch(run);
    if (code == PLUMB_DONE)
        code = run->code;
    for (size_t i = 0; i < run->batch_size; i++)
        json_decref(run->batch[i].object);
    sink_close(run->sink);
    letter_post_close(&run->post);
    const uint64_t seen = tally.visited + tally.passed_over;
    if (code == PLUMB_DONE && choice->place_count > seen) {
        plumb_say("dead-letters requeue", "%llu of %zu letters are not there",
                  (unsigned long long)(choice->place_count - seen), choice->place_count);
        code = PLUMB_CHECK_SAYS_NO;
    }
    if (code == PLUMB_DONE && run->gone > 0)
        code = PLUMB_CHECK_SAYS_NO;
    sum_up(run, &tally);
    return code;
}

int dead_letters_requeue(int argc, char **argv)
{
    int code;
    struct option_set *options = arguments_read(
        &(struct arguments_spec){
            .command = "dead-letters requeue",
            .usage = "plumb dead-letters requeue [--send] [--reason R] [--model M] [--since TIME] "
                     "[PARTITION:OFFSET...]",
            .summary = "Sends dead letters back to the topic and partition they came from: key, "
                       "value and headers as they were, and the header plumb.requeued. Says what "
                       "it would do; --send does it, in transactions, each letter once.",
            .rows = rows,
            .parts = ARGUMENTS_KAFKA | ARGUMENTS_OUTPUT,
            .most = SIZE_MAX},
        argc, argv, &code);
    if (options == NULL)
        return code;
    struct letter_choice choice;
    code = PLUMB_USAGE;
    if (letter_choice_read("dead-letters requeue", options, &choice)) {
        choice.only_open = !option_flag(options, "again");
        struct requeue_run *run = heap_zeroed(1, sizeof *run);
        run->options = options;
        run->sends = option_flag(options, "send");
        run->is_table = strcmp(option_text(options, "output"), "table") == 0;
        run->arena = arena_create();
        run->listing = listing_open(option_text(options, "output"));
        listing_columns(run->listing, columns);
        listing_page(run->listing, PAGE_ROWS);
        code = requeue(run, &choice);
        if (!listing_close(run->listing))
            code = PLUMB_OUR_FAULT;
        arena_destroy(run->arena);
        heap_release(run);
        letter_choice_fini(&choice);
    }
    option_set_destroy(options);
    return code;
}
