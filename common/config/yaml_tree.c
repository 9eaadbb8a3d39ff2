#include "config/yaml_tree.h"
#include "container/table.h"
#include "memory/heap.h"

#include <yaml.h>

enum { YAML_TREE_DEPTH_MAX = 32, YAML_TREE_SIZE_MAX = 1024 * 1024 };

struct yaml_source {
    yaml_parser_t parser;
    const char *file_name;     /* borrowed */
    struct span text;          /* borrowed */
    struct reason *out_reason; /* borrowed; may be NULL */
};

static enum fault refuse(const struct yaml_source *source, yaml_mark_t mark, const char *what)
{
    reason_set(source->out_reason, "%s:%zu:%zu: %s", source->file_name, mark.line + 1,
               mark.column + 1, what);
    return FAULT_FILE_MALFORMED;
}

/* Where libyaml's reader stopped is told in bytes only. */
static yaml_mark_t mark_of_offset(struct span text, size_t offset)
{
    yaml_mark_t mark = {0};
    for (size_t i = 0; i < offset && i < text.size; i++) {
        const uint8_t byte = text.bytes[i];
        if (byte == '\n') {
            mark.line++;
            mark.column = 0;
        } else if ((byte & 0xc0) != 0x80) {
            mark.column++;
        }
    }
    return mark;
}

static enum fault refuse_syntax(const struct yaml_source *source)
{
    const yaml_parser_t *parser = &source->parser;
    const char *problem = parser->problem == NULL ? "not YAML" : parser->problem;
    if (parser->error == YAML_READER_ERROR)
        return refuse(source, mark_of_offset(source->text, parser->problem_offset), problem);
    return refuse(source, parser->problem_mark, problem);
}

/* What YAML allows and we do not: whatever makes a text mean something that is not written where it
 * stands. */
static const char *forbidden(const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (event->type == YAML_ALIAS_EVENT)
        return "aliases (*name) are not allowed";
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        if (memchr(event->data.scalar.value, 0, event->data.scalar.length) != NULL)
            return "a zero byte in a text";
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    }
    if (anchor != NULL)
        return "anchors (&name) are not allowed";
    return tag != NULL ? "tags (!name) are not allowed" : NULL;
}

static enum fault next_event(struct yaml_source *source, yaml_event_t *out_event)
{
    if (!yaml_parser_parse(&source->parser, out_event))
        return refuse_syntax(source);
    const char *what = forbidden(out_event);
    if (what == NULL)
        return FAULT_NONE;
    const enum fault fault = refuse(source, out_event->start_mark, what);
    yaml_event_delete(out_event);
    return fault;
}

static struct yaml_node *node_create(enum yaml_kind kind, yaml_mark_t mark)
{
    struct yaml_node *node = heap_zeroed(1, sizeof *node);
    node->kind = kind;
    node->line = (unsigned)mark.line + 1;
    node->column = (unsigned)mark.column + 1;
    return node;
}

/* Room for one more: doubled whenever the count is a power of two. */
static struct yaml_node **grown(struct yaml_node **nodes, size_t count)
{
    if ((count & (count - 1)) != 0)
        return nodes;
    return heap_resized(nodes, count == 0 ? 1 : count * 2, sizeof(struct yaml_node *));
}

static enum fault read_node(struct yaml_source *source, yaml_event_t *event, unsigned depth,
                            struct yaml_node **out_node);

static enum fault read_items(struct yaml_source *source, unsigned depth, struct yaml_node *list)
{
    for (;;) {
        yaml_event_t event;
        enum fault fault = next_event(source, &event);
        if (fault != FAULT_NONE)
            return fault;
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return FAULT_NONE;
        }
        struct yaml_node *item = NULL;
        fault = read_node(source, &event, depth + 1, &item);
        if (fault != FAULT_NONE)
            return fault;
        list->items = grown(list->items, list->count);
        list->items[list->count++] = item;
    }
}

/* The key of an entry; the event is taken. */
static enum fault read_key(struct yaml_source *source, yaml_event_t *event, struct table *seen,
                           struct yaml_node **out_key)
{
    const yaml_mark_t mark = event->start_mark;
    if (event->type != YAML_SCALAR_EVENT) {
        yaml_event_delete(event);
        return refuse(source, mark, "a key must be a text");
    }
    struct yaml_node *key = NULL;
    const enum fault fault = read_node(source, event, 0, &key);
    if (fault != FAULT_NONE)
        return fault;
    const struct yaml_node *first = table_find(seen, span_text(key->text));
    if (first != NULL) {
        reason_set(source->out_reason, "%s:%u:%u: key '%.60s' again, first in line %u",
                   source->file_name, key->line, key->column, key->text, first->line);
        yaml_tree_destroy(key);
        return FAULT_FILE_MALFORMED;
    }
    (void)table_put(seen, span_text(key->text), key);
    *out_key = key;
    return FAULT_NONE;
}

static enum fault read_entries(struct yaml_source *source, unsigned depth, struct table *seen,
                               struct yaml_node *map)
{
    for (;;) {
        yaml_event_t event;
        enum fault fault = next_event(source, &event);
        if (fault != FAULT_NONE)
            return fault;
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return FAULT_NONE;
        }
        struct yaml_node *key = NULL, *value = NULL;
        fault = read_key(source, &event, seen, &key);
        if (fault != FAULT_NONE)
            return fault;
        fault = next_event(source, &event);
        if (fault == FAULT_NONE)
            fault = read_node(source, &event, depth + 1, &value);
        if (fault != FAULT_NONE) {
            yaml_tree_destroy(key);
            return fault;
        }
        map->keys = grown(map->keys, map->count);
        map->items = grown(map->items, map->count);
        map->keys[map->count] = key;
        map->items[map->count++] = value;
    }
}

/* The node that begins with the event, which is taken. */
static enum fault read_node(struct yaml_source *source, yaml_event_t *event, unsigned depth,
                            struct yaml_node **out_node)
{
    const yaml_mark_t mark = event->start_mark;
    if (event->type == YAML_SCALAR_EVENT) {
        struct yaml_node *node = node_create(YAML_TEXT, mark);
        node->text = span_copied(span_of(event->data.scalar.value, event->data.scalar.length));
        node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        yaml_event_delete(event);
        *out_node = node;
        return FAULT_NONE;
    }
    const bool is_list = event->type == YAML_SEQUENCE_START_EVENT;
    ENSURE(is_list || event->type == YAML_MAPPING_START_EVENT);
    yaml_event_delete(event);
    if (depth >= YAML_TREE_DEPTH_MAX)
        return refuse(source, mark, "nested deeper than 32 levels");
    struct yaml_node *node = node_create(is_list ? YAML_LIST : YAML_MAP, mark);
    enum fault fault = FAULT_NONE;
    if (is_list) {
        fault = read_items(source, depth, node);
    } else {
        struct table *seen = table_create();
        fault = read_entries(source, depth, seen, node);
        table_destroy(seen);
    }
    if (fault != FAULT_NONE) {
        yaml_tree_destroy(node);
        return fault;
    }
    *out_node = node;
    return FAULT_NONE;
}

static enum fault read_document(struct yaml_source *source, struct yaml_node **out_root)
{
    yaml_event_t event;
    for (;;) { /* past the starts of stream and document */
        const enum fault fault = next_event(source, &event);
        if (fault != FAULT_NONE)
            return fault;
        if (event.type != YAML_STREAM_START_EVENT && event.type != YAML_DOCUMENT_START_EVENT)
            break;
        yaml_event_delete(&event);
    }
    if (event.type == YAML_STREAM_END_EVENT) {
        yaml_event_delete(&event);
        return refuse(source, (yaml_mark_t){0}, "the document is empty");
    }
    return read_node(source, &event, 0, out_root);
}

/* What follows the first document must be the end. */
static enum fault read_end(struct yaml_source *source)
{
    for (;;) {
        yaml_event_t event;
        const enum fault fault = next_event(source, &event);
        if (fault != FAULT_NONE)
            return fault;
        const yaml_event_type_t type = event.type;
        const yaml_mark_t mark = event.start_mark;
        yaml_event_delete(&event);
        if (type == YAML_STREAM_END_EVENT)
            return FAULT_NONE;
        if (type != YAML_DOCUMENT_END_EVENT)
            return refuse(source, mark, "a second document begins here: one file holds one");
    }
}

enum fault yaml_tree_parse(const char *file_name, struct span text, struct yaml_node **out_root,
                           struct reason *out_reason)
{
    REQUIRE(file_name != NULL);
    REQUIRE(out_root != NULL);
    struct yaml_source source = {.file_name = file_name, .text = text, .out_reason = out_reason};
    if (text.size > YAML_TREE_SIZE_MAX)
        return refuse(&source, (yaml_mark_t){0}, "longer than 1 MiB");
    if (!yaml_parser_initialize(&source.parser)) {
        (void)fputs("plumb: out of memory\n", stderr);
        exit(70);
    }
    yaml_parser_set_encoding(&source.parser, YAML_UTF8_ENCODING);
    static const uint8_t nothing[1] = {0};
    yaml_parser_set_input_string(&source.parser, text.bytes == NULL ? nothing : text.bytes,
                                 text.size);
    struct yaml_node *root = NULL;
    enum fault fault = read_document(&source, &root);
    if (fault == FAULT_NONE)
        fault = read_end(&source);
    yaml_parser_delete(&source.parser);
    if (fault != FAULT_NONE) {
        yaml_tree_destroy(root);
        return fault;
    }
    *out_root = root;
    return FAULT_NONE;
}

const struct yaml_node *yaml_tree_get(const struct yaml_node *map, const char *key)
{
    REQUIRE(map != NULL);
    REQUIRE(map->kind == YAML_MAP);
    for (size_t i = 0; i < map->count; i++)
        if (strcmp(map->keys[i]->text, key) == 0)
            return map->items[i];
    return NULL;
}

void yaml_tree_destroy(struct yaml_node *root)
{
    if (root == NULL)
        return;
    for (size_t i = 0; i < root->count; i++) {
        yaml_tree_destroy(root->items[i]);
        if (root->kind == YAML_MAP)
            yaml_tree_destroy(root->keys[i]);
    }
    heap_release(root->items);
    heap_release(root->keys);
    heap_release(root->text);
    heap_release(root);
}
