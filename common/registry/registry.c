#include "registry/registry.h"
#include "clock/wall.h"
#include "container/table.h"
#include "memory/heap.h"
#include "registry/inlining.h"
#include "registry/registry_ask.h"
#include "registry/registry_options.h"

enum { REFERENCES_MAX = 64, REFERENCE_DEPTH_MAX = 16, SCHEMA_SIZE_MAX = 1024 * 1024 };

struct registry {
    struct registry_pen pen;
    struct table *entries; /* owned: name → owned struct entry */
    int64_t missing_ttl_ns;
    struct registry_counts counts;
};

struct entry {
    enum registry_state state;
    struct schema *schema;   /* owned; FOUND */
    struct reason why;       /* REFUSED */
    int64_t until_ns;        /* MISSING, REFUSED: not asked again before */
    struct reading *reading; /* owned; AWAITED */
};

/* One schema that another refers to. */
struct reference {
    char *subject, *text; /* owned; text NULL: not read yet */
    json_int_t version;
    unsigned depth;
};

/* The reading of one schema with all that it refers to; one question at a time. */
struct reading {
    struct registry *registry; /* borrowed */
    struct entry *entry;       /* borrowed: its owner */
    char *text;                /* owned: of the schema itself */
    struct reference references[REFERENCES_MAX];
    size_t count, done; /* references[0..done) have their text */
};

static void reading_begin(struct registry *registry, struct entry *entry, struct span name);
static void reading_destroy(struct reading *reading);

enum fault registry_open(const struct option_set *options, uv_loop_t *loop,
                         void (*on_change)(void *context), void *context,
                         struct registry **out_registry, struct reason *out_reason)
{
    REQUIRE(loop != NULL);
    REQUIRE(out_registry != NULL);
    struct registry *registry = heap_zeroed(1, sizeof *registry);
    registry->pen.loop = loop;
    registry->pen.on_change = on_change;
    registry->pen.context = context;
    registry->entries = table_create();
    bool wanted;
    const enum fault fault = registry_options_read(options, &registry->pen, &wanted, out_reason);
    if (fault != FAULT_NONE || !wanted) {
        registry_close(registry);
        if (fault == FAULT_NONE)
            *out_registry = NULL;
        return fault;
    }
    registry->missing_ttl_ns = option_duration_ms(options, "schema-registry.missing-ttl") * 1000000;
    *out_registry = registry;
    return FAULT_NONE;
}

/* Makes room: what is known to mean nothing can be asked for again. */
static void forget_missing(struct registry *registry)
{
    struct table *kept = table_create();
    size_t cursor = 0;
    struct span name;
    for (struct entry *entry; (entry = table_next(registry->entries, &cursor, &name)) != NULL;) {
        if (entry->state == REGISTRY_FOUND || entry->state == REGISTRY_AWAITED)
            (void)table_put(kept, name, entry);
        else
            heap_release(entry);
    }
    table_destroy(registry->entries);
    registry->entries = kept;
}

static bool is_name(struct span name)
{
    if (name.size == 0 || name.size > REGISTRY_NAME_SIZE_MAX)
        return false;
    for (size_t i = 0; i < name.size; i++)
        if (strchr("0123456789abcdef-", (char)name.bytes[i]) == NULL || name.bytes[i] == 0)
            return false;
    return true;
}

enum registry_state registry_find(struct registry *registry, struct span name,
                                  const struct schema **out_schema, struct reason *out_reason)
{
    REQUIRE(registry != NULL);
    REQUIRE(is_name(name));
    struct entry *entry = table_find(registry->entries, name);
    if (entry == NULL) {
        if (table_count(registry->entries) >= REGISTRY_NAMES_MAX)
            forget_missing(registry);
        if (table_count(registry->entries) >= REGISTRY_NAMES_MAX) {
            reason_set(out_reason, "more than %d schemas are in use", REGISTRY_NAMES_MAX);
            return REGISTRY_REFUSED;
        }
        entry = heap_zeroed(1, sizeof *entry);
        (void)table_put(registry->entries, name, entry);
        reading_begin(registry, entry, name);
    } else if ((entry->state == REGISTRY_MISSING || entry->state == REGISTRY_REFUSED) &&
               monotonic_now_ns() >= entry->until_ns) {
        reading_begin(registry, entry, name);
    }
    if (entry->state == REGISTRY_FOUND)
        *out_schema = entry->schema;
    if (entry->state == REGISTRY_REFUSED)
        *out_reason = entry->why;
    return entry->state;
}

const char *registry_why(const struct registry *registry)
{
    return registry->pen.why.text;
}

struct registry_counts registry_counts(const struct registry *registry)
{
    struct registry_counts counts = registry->counts;
    counts.requests = registry->pen.requests;
    counts.failures = registry->pen.failures;
    return counts;
}

void registry_call(struct registry *registry, const char *path, const json_t *body,
                   registry_reply_fn *on_reply, void *context)
{
    REQUIRE(registry != NULL);
    registry_ask(
        &registry->pen,
        &(struct registry_question){.patience = REGISTRY_ATTEMPTS, .path = path, .body = body},
        on_reply, context);
}

void registry_close(struct registry *registry)
{
    if (registry == NULL)
        return;
    registry_pen_close(&registry->pen);
    for (size_t i = 0; i < registry->pen.url_count; i++) {
        heap_release(registry->pen.urls[i]);
        heap_release(registry->pen.places[i]);
    }
    heap_release(registry->pen.urls);
    heap_release(registry->pen.places);
    size_t cursor = 0;
    for (struct entry *entry; (entry = table_next(registry->entries, &cursor, NULL)) != NULL;) {
        reading_destroy(entry->reading);
        schema_destroy(entry->schema);
        heap_release(entry);
    }
    table_destroy(registry->entries);
    heap_release(registry);
}

/* ---- reading a schema and what it refers to ---- */

static void reading_destroy(struct reading *reading)
{
    if (reading == NULL)
        return;
    for (size_t i = 0; i < reading->count; i++) {
        heap_release(reading->references[i].subject);
        heap_release(reading->references[i].text);
    }
    heap_release(reading->text);
    heap_release(reading);
}

static void settle(struct reading *reading, enum registry_state state)
{
    struct registry *registry = reading->registry;
    struct entry *entry = reading->entry;
    entry->state = state;
    entry->until_ns = monotonic_now_ns() + registry->missing_ttl_ns;
    entry->reading = NULL;
    registry->counts.found += state == REGISTRY_FOUND;
    registry->counts.missing += state == REGISTRY_MISSING;
    reading_destroy(reading);
}

static void refuse(struct reading *reading, const char *what, const char *which)
{
    reason_set(&reading->entry->why, "%.120s%s%.100s", what, which[0] == '\0' ? "" : " ", which);
    settle(reading, REGISTRY_REFUSED);
}

/* All is there: one text, parsed. */
static void complete(struct reading *reading)
{
    struct entry *entry = reading->entry;
    char *whole = NULL;
    struct span text = span_text(reading->text);
    if (reading->count > 0) {
        struct span texts[REFERENCES_MAX];
        for (size_t i = 0; i < reading->count; i++)
            texts[i] = span_text(reading->references[i].text);
        whole = inlining_text(text, texts, reading->count, &entry->why);
        text = span_text(whole);
    }
    enum fault fault = reading->count > 0 && whole == NULL ? FAULT_SCHEMA_INVALID : FAULT_NONE;
    if (fault == FAULT_NONE)
        fault = schema_parse(text, &entry->schema, &entry->why);
    heap_release(whole);
    settle(reading, fault == FAULT_NONE ? REGISTRY_FOUND : REGISTRY_REFUSED);
}

static bool is_listed(const struct reading *reading, const char *subject, json_int_t version)
{
    for (size_t i = 0; i < reading->count; i++)
        if (reading->references[i].version == version &&
            strcmp(reading->references[i].subject, subject) == 0)
            return true;
    return false;
}

/* NULL: all that the answer refers to is on the list. */
static const char *list_references(struct reading *reading, const json_t *body, unsigned depth)
{
    const json_t *list = json_object_get(body, "references");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        const char *subject = json_string_value(json_object_get(one, "subject"));
        const json_t *version = json_object_get(one, "version");
        if (subject == NULL || !json_is_integer(version))
            return "a reference without subject and version";
        if (is_listed(reading, subject, json_integer_value(version)))
            continue;
        if (reading->count == REFERENCES_MAX || depth > REFERENCE_DEPTH_MAX)
            return "it refers to more schemas than may be";
        reading->references[reading->count++] = (struct reference){
            .subject = heap_text(subject), .version = json_integer_value(version), .depth = depth};
    }
    return NULL;
}

/* The schema's text out of an answer; NULL: refused. */
static char *take_text(struct reading *reading, const json_t *body, unsigned depth)
{
    const char *kind = json_string_value(json_object_get(body, "schemaType"));
    const json_t *text = json_object_get(body, "schema");
    if (kind != NULL && strcmp(kind, "AVRO") != 0) {
        refuse(reading, "not an Avro schema, but", kind);
        return NULL;
    }
    if (json_string_length(text) > SCHEMA_SIZE_MAX ||
        strlen(json_string_value(text)) != json_string_length(text)) {
        refuse(reading, "a schema of more than 1 MiB, or with a zero byte", "");
        return NULL;
    }
    const char *wrong = list_references(reading, body, depth);
    if (wrong != NULL) {
        refuse(reading, wrong, "");
        return NULL;
    }
    return heap_text(json_string_value(text));
}

static void on_reference(void *context, const struct registry_reply *reply);

static void go_on(struct reading *reading)
{
    if (reading->done == reading->count) {
        complete(reading);
        return;
    }
    const struct reference *next = &reading->references[reading->done];
    struct buffer path = {0};
    buffer_format(&path, "/subjects/");
    http_escape(&path, next->subject);
    buffer_format(&path, "/versions/%lld", (long long)next->version);
    buffer_append_byte(&path, 0);
    registry_ask(&reading->registry->pen,
                 &(struct registry_question){.patience = REGISTRY_UNTIL_ID,
                                             .path = (const char *)path.bytes},
                 on_reference, reading);
    buffer_fini(&path);
}

static void on_reference(void *context, const struct registry_reply *reply)
{
    struct reading *reading = context;
    struct reference *reference = &reading->references[reading->done];
    if (reply->fault != FAULT_NONE || reply->status != 200) {
        refuse(reading, "it refers to a schema that is not to be had:", reply->why);
        return;
    }
    char *text = take_text(reading, reply->body, reference->depth + 1);
    if (text == NULL)
        return; /* refused: the reading is gone */
    reference->text = text;
    reading->done++;
    go_on(reading);
}

static void on_schema(void *context, const struct registry_reply *reply)
{
    struct reading *reading = context;
    if (reply->fault != FAULT_NONE) {
        refuse(reading, reply->why, "");
        return;
    }
    if (reply->status != 200) {
        settle(reading, REGISTRY_MISSING);
        return;
    }
    char *text = take_text(reading, reply->body, 1);
    if (text == NULL)
        return; /* refused: the reading is gone */
    reading->text = text;
    go_on(reading);
}

static void reading_begin(struct registry *registry, struct entry *entry, struct span name)
{
    const bool is_guid = memchr(name.bytes, '-', name.size) != NULL;
    struct reading *reading = heap_zeroed(1, sizeof *reading);
    reading->registry = registry;
    reading->entry = entry;
    entry->reading = reading;
    entry->state = REGISTRY_AWAITED;
    char *path = heap_format("/schemas/%s/%.*s", is_guid ? "guids" : "ids", (int)name.size,
                             (const char *)name.bytes);
    registry_ask(&registry->pen,
                 &(struct registry_question){
                     .patience = is_guid ? REGISTRY_UNTIL_GUID : REGISTRY_UNTIL_ID, .path = path},
                 on_schema, reading);
    heap_release(path);
}
