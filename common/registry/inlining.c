#include "registry/inlining.h"
#include "container/table.h"
#include "memory/arena.h"
#include "memory/heap.h"

#include <jansson.h>

enum { DEPTH_MAX = 200 };

#define JSON_FLAGS (JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL)

/* A named type of one of the references. */
struct definition {
    const json_t *json; /* borrowed */
};

/* What a named type is called, and the namespace that its inside lives in. */
struct title {
    const char *full, *simple, *space; /* of the arena; space "": none */
};

struct inliner {
    struct arena *arena;
    struct table *definitions; /* owned: full name → definition in the arena */
    struct table *defined;     /* owned: full names that the text has by now */
};

static json_t *copy_type(struct inliner *inliner, const json_t *json, const char *space,
                         unsigned depth);

static const char *kept(struct inliner *inliner, const char *text, size_t size)
{
    return (const char *)arena_span(inliner->arena, span_of(text, size)).bytes;
}

static const char *joined(struct inliner *inliner, const char *space, const char *name)
{
    char *text = space[0] == '\0' ? heap_text(name) : heap_format("%s.%s", space, name);
    const char *full = kept(inliner, text, strlen(text));
    heap_release(text);
    return full;
}

/* full NULL: it has no name. */
static struct title title_of(struct inliner *inliner, const json_t *json, const char *space)
{
    const char *name = json_string_value(json_object_get(json, "name"));
    const char *given = json_string_value(json_object_get(json, "namespace"));
    if (name == NULL)
        return (struct title){.space = space};
    const char *dot = strrchr(name, '.');
    struct title title = {.simple = dot == NULL ? name : dot + 1, .space = space};
    if (dot != NULL)
        title.space = kept(inliner, name, (size_t)(dot - name));
    else if (given != NULL)
        title.space = given;
    title.full = joined(inliner, title.space, title.simple);
    return title;
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (; text != NULL && *words != NULL; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static bool is_named_kind(const char *type)
{
    static const char *const words[] = {"record", "error", "enum", "fixed", NULL};
    return is_one_of(type, words);
}

static bool is_primitive(const char *type)
{
    static const char *const words[] = {"null",   "boolean", "int",    "long", "float",
                                        "double", "bytes",   "string", NULL};
    return is_one_of(type, words);
}

/* ---- what the references define ---- */

static void collect(struct inliner *inliner, const json_t *json, const char *space, unsigned depth)
{
    if (depth > DEPTH_MAX)
        return;
    for (size_t i = 0; json_is_array(json) && i < json_array_size(json); i++)
        collect(inliner, json_array_get(json, i), space, depth + 1);
    if (!json_is_object(json))
        return;
    const json_t *type = json_object_get(json, "type");
    if (is_named_kind(json_string_value(type))) {
        const struct title title = title_of(inliner, json, space);
        if (title.full != NULL && table_find(inliner->definitions, span_text(title.full)) == NULL) {
            struct definition *definition = arena_take(inliner->arena, sizeof *definition);
            definition->json = json;
            (void)table_put(inliner->definitions, span_text(title.full), definition);
        }
        space = title.space;
    }
    const json_t *fields = json_object_get(json, "fields");
    for (size_t i = 0; i < json_array_size(fields); i++)
        collect(inliner, json_object_get(json_array_get(fields, i), "type"), space, depth + 1);
    collect(inliner, json_object_get(json, "items"), space, depth + 1);
    collect(inliner, json_object_get(json, "values"), space, depth + 1);
    if (!json_is_string(type))
        collect(inliner, type, space, depth + 1);
}

/* ---- writing the types out ---- */

static void replace(json_t *object, const char *key, json_t *value)
{
    ENSURE(json_object_set_new(object, key, value) == 0);
}

static json_t *copy_shallow(const json_t *json)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)json); /* only read; jansson takes no const */
    ENSURE(copy != NULL);
    return copy;
}

/* The namespace is said in full: around the copy another may hold. */
static json_t *copy_definition(struct inliner *inliner, const json_t *json,
                               const struct title *title, unsigned depth)
{
    if (table_put(inliner->defined, span_text(title->full), inliner) != NULL)
        return json_string(title->full); /* it has been written out before */
    json_t *copy = copy_shallow(json);
    replace(copy, "name", json_string(title->simple));
    replace(copy, "namespace", json_string(title->space));
    const json_t *fields = json_object_get(json, "fields");
    if (!json_is_array(fields))
        return copy;
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(fields); i++) {
        const json_t *field = json_array_get(fields, i);
        json_t *field_copy = copy_shallow(field);
        if (json_object_get(field, "type") != NULL)
            replace(field_copy, "type",
                    copy_type(inliner, json_object_get(field, "type"), title->space, depth + 1));
        ENSURE(json_array_append_new(list, field_copy) == 0);
    }
    replace(copy, "fields", list);
    return copy;
}

/* A type by its name: written out where a reference defines it and the text does not have it yet.
 */
static json_t *copy_name(struct inliner *inliner, const json_t *json, const char *space,
                         unsigned depth)
{
    const char *name = json_string_value(json);
    if (is_primitive(name))
        return copy_shallow(json);
    const char *candidates[2] = {name, name};
    if (strchr(name, '.') == NULL)
        candidates[0] = joined(inliner, space, name);
    for (size_t i = 0; i < COUNT_OF(candidates); i++) {
        const struct span full = span_text(candidates[i]);
        if (table_find(inliner->defined, full) != NULL)
            return json_string(candidates[i]);
        const struct definition *definition = table_find(inliner->definitions, full);
        if (definition == NULL)
            continue;
        const char *dot = strrchr(candidates[i], '.');
        const size_t size = dot == NULL ? 0 : (size_t)(dot - candidates[i]);
        const struct title title = {.full = candidates[i],
                                    .simple = dot == NULL ? candidates[i] : dot + 1,
                                    .space = kept(inliner, candidates[i], size)};
        return copy_definition(inliner, definition->json, &title, depth);
    }
    return copy_shallow(json);
}

static json_t *copy_object(struct inliner *inliner, const json_t *json, const char *space,
                           unsigned depth)
{
    const json_t *type = json_object_get(json, "type");
    if (is_named_kind(json_string_value(type))) {
        const struct title title = title_of(inliner, json, space);
        return title.full == NULL ? copy_shallow(json)
                                  : copy_definition(inliner, json, &title, depth);
    }
    static const char *const places[] = {"type", "items", "values"};
    json_t *copy = copy_shallow(json);
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        const json_t *below = json_object_get(json, places[i]);
        const char *word = i == 0 ? json_string_value(below) : NULL;
        if (below == NULL ||
            (word != NULL && (strcmp(word, "array") == 0 || strcmp(word, "map") == 0)))
            continue;
        replace(copy, places[i], copy_type(inliner, below, space, depth + 1));
    }
    return copy;
}

static json_t *copy_type(struct inliner *inliner, const json_t *json, const char *space,
                         unsigned depth)
{
    if (depth > DEPTH_MAX)
        return copy_shallow(json);
    if (json_is_string(json))
        return copy_name(inliner, json, space, depth);
    if (json_is_object(json))
        return copy_object(inliner, json, space, depth);
    if (!json_is_array(json))
        return copy_shallow(json);
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(json); i++)
        ENSURE(json_array_append_new(
                   list, copy_type(inliner, json_array_get(json, i), space, depth + 1)) == 0);
    return list;
}

static json_t *parse(struct span text, const char *what, struct reason *out_reason)
{
    json_error_t error;
    json_t *json =
        json_loadb(text.size == 0 ? "" : (const char *)text.bytes, text.size, JSON_FLAGS, &error);
    if (json == NULL)
        reason_set(out_reason, "%s is not JSON: %d:%d: %.100s", what, error.line, error.column,
                   error.text);
    return json;
}

char *inlining_text(struct span root, const struct span *references, size_t count,
                    struct reason *out_reason)
{
    struct inliner inliner = {
        .arena = arena_create(), .definitions = table_create(), .defined = table_create()};
    json_t **parsed = heap_zeroed(count + 1, sizeof *parsed);
    json_t *json = parse(root, "the schema", out_reason);
    bool good = json != NULL;
    for (size_t i = 0; i < count && good; i++) {
        parsed[i] = parse(references[i], "a schema that it refers to", out_reason);
        good = parsed[i] != NULL;
        if (good)
            collect(&inliner, parsed[i], "", 0);
    }
    char *text = NULL;
    if (good) {
        json_t *whole = copy_type(&inliner, json, "", 0);
        text = json_dumps(whole, JSON_COMPACT | JSON_ENCODE_ANY);
        ENSURE(text != NULL);
        json_decref(whole);
    }
    for (size_t i = 0; i < count; i++)
        json_decref(parsed[i]);
    json_decref(json);
    heap_release(parsed);
    table_destroy(inliner.definitions);
    table_destroy(inliner.defined);
    arena_destroy(inliner.arena);
    return text;
}
