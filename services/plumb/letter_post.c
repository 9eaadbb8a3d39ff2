#include "letter_post.h"
#include "connection.h"
#include "kafka/topic_reader.h"
#include "letter_value.h"
#include "plumb.h"

int letter_post_open(const char *command, const struct option_set *options,
                     struct letter_post *out_post)
{
    *out_post = (struct letter_post){.command = command, .options = options};
    int code = connection_open(command, options, &out_post->client);
    if (code != PLUMB_DONE)
        return code;
    struct reason reason;
    const enum fault fault = topic_reader_open(out_post->client, TOPIC_INFERENCE_DEAD_LETTER,
                                               &out_post->letters, &reason);
    if (fault == FAULT_NONE)
        return PLUMB_DONE;
    code = connection_fail(command, fault, &reason);
    letter_post_close(out_post);
    return code;
}

static void on_schema(void *context, const struct record *record)
{
    struct reason reason; /* a schema that does not parse is as if it were not there: values of it
                             stay bytes */
    if (record->value.size > 0 && catalog_apply(context, record, &reason) != FAULT_NONE)
        plumb_say("dead-letters", "model.schemas: %s", reason.text);
}

int letter_post_read_schemas(struct letter_post *post)
{
    if (post->catalog != NULL)
        return PLUMB_DONE;
    post->catalog = catalog_create();
    return connection_read_raw(post->command, post->client, TOPIC_MODEL_SCHEMAS, on_schema,
                               post->catalog);
}

static void on_mark(void *context, const struct record *record)
{
    requeued_load(context, record->key, record->value);
}

int letter_post_read_requeued(struct letter_post *post)
{
    struct reason reason;
    int32_t partitions;
    post->requeued = requeued_create(kafka_client_topic(post->client, TOPIC_INFERENCE_DEAD_LETTER));
    const enum fault fault =
        kafka_client_partitions(post->client, TOPIC_SERVICE_SNAPSHOTS, &partitions, &reason);
    if (fault != FAULT_NONE)
        return connection_fail(post->command, fault, &reason);
    return partitions == 0 ? PLUMB_DONE
                           : connection_read_raw(post->command, post->client,
                                                 TOPIC_SERVICE_SNAPSHOTS, on_mark, post->requeued);
}

/* ---- Letters */

struct round {
    struct letter_post *post;
    const struct letter_choice *choice;
    letter_visit_fn *visit;
    void *context;
    struct letter_tally tally;
    bool is_over, is_at_start; /* of a partition, which is read from its beginning */
};

static bool is_of_model(const struct round *round, const struct record *record)
{
    if (round->choice->model == NULL)
        return true;
    struct letter_value value;
    letter_value_read(round->post->catalog, record->value, &value);
    const char *model = letter_value_model(&value);
    const bool is_it = model != NULL && strcmp(model, round->choice->model) == 0;
    letter_value_fini(&value);
    return is_it;
}

static void on_letter(void *context, const struct record *record)
{
    struct round *round = context;
    if (round->is_at_start && round->post->requeued != NULL)
        requeued_forget(round->post->requeued, record->partition, record->offset);
    round->is_at_start = false;
    const struct letter letter = letter_of(record);
    if (!letter_choice_fits(round->choice, &letter) || !is_of_model(round, record))
        return;
    if (round->choice->only_open && requeued_has(round->post->requeued, &letter)) {
        round->tally.passed_over++;
        return;
    }
    round->tally.visited++;
    round->is_over = !round->visit(round->context, &letter, record) ||
                     round->tally.visited == round->choice->limit;
    if (round->is_over)
        topic_reader_stop(round->post->letters);
}

static int read_range(struct round *round, int32_t partition, int64_t first, int64_t end)
{
    struct reason reason;
    round->is_at_start = first == 0;
    topic_reader_range(round->post->letters, partition, first, end);
    const enum fault fault = topic_reader_run(round->post->letters, on_letter, round, &reason);
    return fault == FAULT_NONE ? PLUMB_DONE : connection_fail(round->post->command, fault, &reason);
}

static int read_places(struct round *round)
{
    const struct letter_choice *choice = round->choice;
    const int32_t partitions = topic_reader_partitions(round->post->letters);
    int code = PLUMB_DONE;
    for (size_t i = 0, count;
         code == PLUMB_DONE && !round->is_over && (count = letter_choice_run(choice, i)) > 0;
         i += count)
        if (choice->places[i].partition < partitions)
            code = read_range(round, choice->places[i].partition, choice->places[i].offset,
                              choice->places[i + count - 1].offset + 1);
    return code;
}

int letter_post_visit(struct letter_post *post, const struct letter_choice *choice,
                      letter_visit_fn *visit, void *context, struct letter_tally *out_tally)
{
    REQUIRE(!choice->only_open || post->requeued != NULL);
    struct round round = {.post = post, .choice = choice, .visit = visit, .context = context};
    int code = choice->model == NULL ? PLUMB_DONE : letter_post_read_schemas(post);
    if (code == PLUMB_DONE && choice->place_count > 0)
        code = read_places(&round);
    for (int32_t i = 0; code == PLUMB_DONE && choice->place_count == 0 && !round.is_over &&
                        i < topic_reader_partitions(post->letters);
         i++)
        code = read_range(&round, i, 0, INT64_MAX);
    *out_tally = round.tally;
    return code;
}

/* ---- Sources */

struct visit {
    const struct record *letter;
    const struct letter_place *place;
    void (*on_record)(void *context, const struct record *source);
    void *context;
    bool found;
};

static void on_source(void *context, const struct record *record)
{
    struct visit *visit = context;
    if (record->offset != visit->place->offset ||
        (visit->letter->key.bytes != NULL && !span_equal(visit->letter->key, record->key)))
        return;
    visit->found = true;
    visit->on_record(visit->context, record);
}

int letter_post_source(struct letter_post *post, const struct letter *letter,
                       const struct record *record,
                       void (*on_record)(void *context, const struct record *source), void *context,
                       bool *out_found)
{
    *out_found = false;
    if (letter->source == TOPIC_NONE)
        return PLUMB_DONE;
    struct reason reason;
    struct topic_reader **reader = &post->sources[letter->source];
    enum fault fault = FAULT_NONE;
    if (*reader == NULL)
        fault = topic_reader_open(post->client, letter->source, reader, &reason);
    if (fault != FAULT_NONE)
        return connection_fail(post->command, fault, &reason);
    const struct letter_place *place = &letter->source_place;
    if (place->partition >= topic_reader_partitions(*reader))
        return PLUMB_DONE;
    struct visit visit = {
        .letter = record, .place = place, .on_record = on_record, .context = context};
    topic_reader_range(*reader, place->partition, place->offset, place->offset + 1);
    fault = topic_reader_run(*reader, on_source, &visit, &reason);
    *out_found = visit.found;
    return fault == FAULT_NONE ? PLUMB_DONE : connection_fail(post->command, fault, &reason);
}

void letter_post_close(struct letter_post *post)
{
    for (size_t i = 0; i < COUNT_OF(post->sources); i++)
        topic_reader_close(post->sources[i]);
    topic_reader_close(post->letters);
    requeued_destroy(post->requeued);
    catalog_destroy(post->catalog);
    kafka_client_close(post->client);
    *post = (struct letter_post){.command = post->command};
}
