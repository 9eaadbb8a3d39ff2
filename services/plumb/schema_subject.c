#include "schema_subject.h"
#include "memory/heap.h"

struct schema_subject {
    uv_loop_t loop;
    struct registry *registry; /* owned */
    char *name;                /* owned */
    struct subject_word *word; /* borrowed: of the question under way */
    enum fault fault;
};

static void close_loop(uv_loop_t *loop)
{
    (void)uv_run(loop, UV_RUN_DEFAULT);
    ENSURE(uv_loop_close(loop) == 0);
}

enum fault schema_subject_open(const struct option_set *options, const char *name,
                               struct schema_subject **out_subject, struct reason *out_reason)
{
    struct schema_subject *subject = heap_zeroed(1, sizeof *subject);
    ENSURE(uv_loop_init(&subject->loop) == 0);
    const enum fault fault =
        registry_open(options, &subject->loop, NULL, NULL, &subject->registry, out_reason);
    if (fault != FAULT_NONE || subject->registry == NULL) {
        close_loop(&subject->loop);
        heap_release(subject);
        if (fault == FAULT_NONE)
            *out_subject = NULL;
        return fault;
    }
    subject->name = heap_text(name);
    *out_subject = subject;
    return FAULT_NONE;
}

static void on_reply(void *context, const struct registry_reply *reply)
{
    struct schema_subject *subject = context;
    subject->fault = reply->fault;
    subject->word->status = reply->status;
    subject->word->body = reply->body == NULL ? NULL : json_deep_copy(reply->body);
    reason_set(&subject->word->why, "%s", reply->why);
    uv_stop(&subject->loop);
}

enum fault schema_subject_ask(struct schema_subject *subject, const char *path, const json_t *body,
                              struct subject_word *out_word, struct reason *out_reason)
{
    const char *place = strchr(path, '%');
    REQUIRE(place != NULL);
    struct buffer whole = {0};
    buffer_append(&whole, path, (size_t)(place - path));
    http_escape(&whole, subject->name);
    buffer_append_span(&whole, span_text(place + 1));
    buffer_append_byte(&whole, 0);
    *out_word = (struct subject_word){.status = 0};
    subject->word = out_word;
    registry_call(subject->registry, (const char *)whole.bytes, body, on_reply, subject);
    (void)uv_run(&subject->loop, UV_RUN_DEFAULT);
    buffer_fini(&whole);
    if (subject->fault != FAULT_NONE)
        *out_reason = out_word->why;
    return subject->fault;
}

void subject_word_fini(struct subject_word *word)
{
    json_decref(word->body);
    word->body = NULL;
}

void schema_subject_close(struct schema_subject *subject)
{
    if (subject == NULL)
        return;
    registry_close(subject->registry);
    close_loop(&subject->loop);
    heap_release(subject->name);
    heap_release(subject);
}
