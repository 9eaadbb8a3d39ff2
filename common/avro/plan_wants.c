#include "avro/plan_wants.h"
#include "memory/heap.h"

enum { SEARCH_MAX = 100000, INDEX_DIGITS_MAX = 9 };

struct plan_wants *plan_wants_create(struct arena *arena, struct span name)
{
    struct plan_wants *wants = arena_take(arena, sizeof *wants);
    wants->name = arena_span(arena, name);
    wants->want = PLAN_WANTS_NONE;
    return wants;
}

const struct plan_wants *plan_wants_below(const struct plan_wants *wants, const char *name)
{
    return wants->by_name == NULL ? NULL : table_find(wants->by_name, span_text(name));
}

static struct plan_wants *add_below(struct plan_wants *wants, struct arena *arena, const char *name)
{
    struct plan_wants *below = plan_wants_create(arena, span_text(name));
    const size_t count = wants->below_count++;
    if ((count & (count + 1)) == 0) /* doubles */
        wants->below = heap_resized(wants->below, (count + 1) * 2, sizeof(struct plan_wants *));
    wants->below[count] = below;
    if (wants->by_name == NULL)
        wants->by_name = table_create();
    (void)table_put(wants->by_name, below->name, below);
    return below;
}

uint32_t plan_wants_add(struct plan_wants *root, struct arena *arena, const struct plan_path *path,
                        uint32_t want)
{
    REQUIRE(root != NULL);
    REQUIRE(path->size >= 1 && path->size <= PLAN_WANTS_PATH_MAX);
    struct plan_wants *wants = root;
    for (size_t i = 0; i < path->size; i++) {
        struct plan_wants *below = wants->by_name == NULL
                                       ? NULL
                                       : table_find(wants->by_name, span_text(path->segments[i]));
        wants = below != NULL ? below : add_below(wants, arena, path->segments[i]);
    }
    const uint32_t before = wants->want;
    if (before == PLAN_WANTS_NONE)
        wants->want = want;
    return before;
}

void plan_wants_close(struct plan_wants *wants)
{
    if (wants == NULL)
        return;
    for (size_t i = 0; i < wants->below_count; i++)
        plan_wants_close(wants->below[i]);
    heap_release(wants->below);
    table_destroy(wants->by_name);
}

bool plan_wants_takes(enum plan_shape shape, const struct schema_node *node)
{
    switch (shape) {
    case PLAN_ANY:
        return true;
    case PLAN_TEXT:
        return node->kind == SCHEMA_STRING || node->kind == SCHEMA_ENUM ||
               (node->kind == SCHEMA_FIXED && node->logical == LOGICAL_UUID);
    case PLAN_TIME:
        return node->kind == SCHEMA_LONG && node->logical != LOGICAL_OTHER;
    case PLAN_ITEMS:
        return node->kind == SCHEMA_RECORD || node->kind == SCHEMA_MAP;
    }
    UNREACHABLE("all shapes are above");
}

bool plan_wants_index(const char *segment, uint64_t *out_index)
{
    const size_t size = strspn(segment, "0123456789");
    if (size == 0 || size > INDEX_DIGITS_MAX || segment[size] != '\0' ||
        (size > 1 && segment[0] == '0')) /* one item, one path: 00 would be a second of 0 */
        return false;
    *out_index = strtoull(segment, NULL, 10);
    return true;
}

static void walk(struct plan_wants_search *search, const struct schema_node *node, size_t at)
{
    uint64_t index;
    if (search->budget == 0 || search->fits)
        return;
    search->budget--;
    if (node->kind == SCHEMA_UNION) {
        for (size_t i = 0; i < node->field_count; i++)
            walk(search, node->fields[i].type, at);
        return;
    }
    if (at == search->path->size) {
        search->found = true;
        search->fits = plan_wants_takes(search->shape, node);
        return;
    }
    const char *segment = search->path->segments[at];
    const struct schema_field *field =
        node->kind == SCHEMA_RECORD ? schema_field(node, segment) : NULL;
    if (field != NULL)
        walk(search, field->type, at + 1);
    else if (node->kind == SCHEMA_MAP ||
             (node->kind == SCHEMA_ARRAY && plan_wants_index(segment, &index)))
        walk(search, node->fields[0].type, at + 1);
}

struct plan_wants_search plan_wants_search(const struct schema *writer,
                                           const struct plan_path *path, enum plan_shape shape)
{
    struct plan_wants_search search = {.path = path, .shape = shape, .budget = SEARCH_MAX};
    walk(&search, schema_root(writer), 0);
    return search;
}
