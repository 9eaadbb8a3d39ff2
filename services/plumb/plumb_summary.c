/* plumb summary: events in, validated, dead-lettered: the first must be the sum of the others once
 * all is drained. */
#include "arguments.h"
#include "avro/wire.h"
#include "connection.h"
#include "model/enrichment.h"
#include "plumb.h"

struct summary {
    const char *events_topic;
    uint64_t events_in, validated, dead_lettered;
};

static void on_event(void *context, const struct record *record)
{
    (void)record;
    ((struct summary *)context)->events_in++;
}

static void on_validated(void *context, const struct record *record)
{
    struct summary *summary = context;
    struct enrichment enrichment = {0};
    uint64_t fingerprint;
    struct span body;
    size_t used;
    if (wire_read_frame(record->value, &fingerprint, &body) &&
        enrichment_read(body, &enrichment, &used) == FAULT_NONE &&
        enrichment.kind == ENRICHMENT_EVENT)
        summary->validated++;
    enrichment_fini(&enrichment);
}

static void on_dead_letter(void *context, const struct record *record)
{
    struct summary *summary = context;
    const struct header *topic = record_header(record, "__connect.errors.topic");
    if (topic != NULL && (span_is(topic->value, topic_row(TOPIC_INFERENCE_EVENTS)->name) ||
                          span_is(topic->value, summary->events_topic)))
        summary->dead_lettered++;
}

static int count(struct kafka_client *client, struct summary *summary)
{
    summary->events_topic = kafka_client_topic(client, TOPIC_INFERENCE_EVENTS);
    int code = connection_read_raw("summary", client, TOPIC_INFERENCE_EVENTS, on_event, summary);
    if (code == PLUMB_DONE)
        code = connection_read_raw("summary", client, TOPIC_INFERENCE_VALIDATED, on_validated,
                                   summary);
    if (code == PLUMB_DONE)
        code = connection_read_raw("summary", client, TOPIC_INFERENCE_DEAD_LETTER, on_dead_letter,
                                   summary);
    return code;
}

static bool print(const struct summary *summary, const char *form)
{
    const unsigned long long events_in = summary->events_in, validated = summary->validated,
                             dead_lettered = summary->dead_lettered;
    if (strcmp(form, "table") == 0)
        printf("events in      %12llu\nvalidated      %12llu\ndead-lettered  %12llu\n", events_in,
               validated, dead_lettered);
    else
        printf("{\"events_in\":%llu,\"validated\":%llu,\"dead_lettered\":%llu}\n", events_in,
               validated, dead_lettered);
    return fflush(stdout) == 0;
}

int plumb_summary_run(int argc, char **argv)
{
    int code;
    struct option_set *options =
        arguments_read(&(struct arguments_spec){.command = "summary",
                                                .usage = "plumb summary",
                                                .summary = "Counts events in, validated and "
                                                           "dead-lettered.",
                                                .parts = ARGUMENTS_KAFKA | ARGUMENTS_OUTPUT},
                       argc, argv, &code);
    if (options == NULL)
        return code;
    struct kafka_client *client;
    code = connection_open("summary", options, &client);
    if (code == PLUMB_DONE) {
        struct summary summary = {0};
        code = count(client, &summary);
        if (code == PLUMB_DONE && !print(&summary, option_text(options, "output")))
            code = PLUMB_OUR_FAULT;
        kafka_client_close(client);
    }
    option_set_destroy(options);
    return code;
}
