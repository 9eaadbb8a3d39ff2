#include "memory/heap.h"
#include "model/contract_read.h"

/* One less than a plan takes: where the event is within another record, that comes in front. */
enum { SEGMENTS_MAX = 15, SOURCES_MAX = 8 };

static bool read_path(const struct contract_reader *reader, const struct yaml_node *node,
                      struct plan_path *path)
{
    if (node->kind != YAML_TEXT)
        return contract_read_refuse(reader, node, "a source must be a text, as features.amount");
    const char **segments = heap_zeroed(SEGMENTS_MAX, sizeof *segments);
    path->segments = segments;
    for (const char *next = node->text;; next++) {
        const size_t size = strcspn(next, ".");
        if (size == 0)
            return contract_read_refuse(reader, node, "a source has names between its full stops");
        if (path->size == SEGMENTS_MAX)
            return contract_read_refuse(reader, node, "a source has at most %d names",
                                        (int)SEGMENTS_MAX);
        segments[path->size++] = span_copied(span_of(next, size));
        next += size;
        if (*next == '\0')
            return true;
    }
}

bool contract_source_read(const struct contract_reader *reader, const struct yaml_node *map,
                          struct contract_column *column)
{
    const struct yaml_node *source = yaml_tree_get(map, "source");
    if (source == NULL)
        return true;
    const bool is_list = source->kind == YAML_LIST;
    const size_t count = is_list ? source->count : 1;
    if (count == 0 || count > SOURCES_MAX)
        return contract_read_refuse(reader, source, "source is one, or a list of at most %d",
                                    (int)SOURCES_MAX);
    column->sources = heap_zeroed(count, sizeof *column->sources);
    for (size_t i = 0; i < count; i++) {
        column->source_count++;
        if (!read_path(reader, is_list ? source->items[i] : source, &column->sources[i]))
            return false;
    }
    return true;
}

void contract_source_fini(struct contract_column *column)
{
    for (size_t i = 0; i < column->source_count; i++) {
        const char *const *segments = column->sources[i].segments;
        for (size_t k = 0; segments != NULL && k < column->sources[i].size; k++)
            heap_release((void *)(uintptr_t)segments[k]);
        heap_release((void *)(uintptr_t)segments);
    }
    heap_release(column->sources);
}
