#include "avro/schema_tree.h"
#include "avro/fit.h"
#include "avro/place.h"
#include "container/table.h"
#include "memory/arena.h"
#include "memory/heap.h"

enum { DEPTH_MAX = 100, NODES_MAX = 10000, FIXED_SIZE_MAX = 1024 * 1024 * 1024 };

struct parser {
    struct schema_tree *tree; /* borrowed */
    struct table *named;      /* owned: full name to node */
    struct reason *reason;    /* borrowed */
    enum fault fault;         /* the first one found */
};

static const struct {
    const char *name;
    enum schema_kind kind;
} primitives[] = {
    {"null", SCHEMA_NULL},   {"boolean", SCHEMA_BOOLEAN}, {"int", SCHEMA_INT},
    {"long", SCHEMA_LONG},   {"float", SCHEMA_FLOAT},     {"double", SCHEMA_DOUBLE},
    {"bytes", SCHEMA_BYTES}, {"string", SCHEMA_STRING},
};

/* A position in the text while parsing: the path for reasons, the enclosing namespace, the depth.
 */
struct spot {
    struct place place;
    const char *space; /* borrowed; "" for none */
    size_t space_size;
    unsigned depth;
};

static const struct schema_node *parse_type(struct parser *parser, const json_t *json,
                                            const struct spot *spot);

static void refuse(struct parser *parser, const struct spot *spot, enum fault fault,
                   const char *what, const char *which)
{
    char path[PLACE_TEXT_SIZE];
    parser->fault = fault;
    (void)place_text(&spot->place, path);
    reason_set(parser->reason, "%s%s%s%s%.100s", path, path[0] == '\0' ? "" : ": ", what,
               which == NULL ? "" : " ", which == NULL ? "" : which);
}

static const struct schema_node *invalid(struct parser *parser, const struct spot *spot,
                                         const char *what, const char *which)
{
    refuse(parser, spot, FAULT_SCHEMA_INVALID, what, which);
    return NULL;
}

static struct spot spot_below(const struct spot *spot, const char *name, size_t index)
{
    return (struct spot){.place = {.up = &spot->place, .name = name, .index = index},
                         .space = spot->space,
                         .space_size = spot->space_size,
                         .depth = spot->depth};
}

static struct schema_node *node_create(struct parser *parser, const struct spot *spot,
                                       enum schema_kind kind)
{
    struct schema_tree *tree = parser->tree;
    if (tree->node_count == NODES_MAX) {
        refuse(parser, spot, FAULT_LIMIT_EXCEEDED, "more than 10000 types", NULL);
        return NULL;
    }
    struct schema_node *node = arena_take(tree->arena, sizeof *node);
    node->kind = kind;
    node->index = tree->node_count;
    if ((tree->node_count & (tree->node_count + 1)) == 0)
        tree->nodes =
            heap_resized(tree->nodes, ((size_t)tree->node_count + 1) * 2, sizeof *tree->nodes);
    tree->nodes[tree->node_count++] = node;
    return node;
}

/* A text as a C string; NULL where it is none, or has a zero byte that would cut it. */
static const char *text_of(const json_t *json)
{
    const char *text = json_string_value(json);
    return text != NULL && strlen(text) == json_string_length(json) ? text : NULL;
}

static bool is_name(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const char byte = text[i];
        const bool letter =
            (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || byte == '_';
        if (!letter && (i == 0 || byte < '0' || byte > '9'))
            return false;
    }
    return size != 0;
}

/* Names with dots between them. */
static bool is_full_name(const char *text, size_t size)
{
    size_t first = 0;
    for (size_t i = 0; i <= size; i++) {
        if (i < size && text[i] != '.')
            continue;
        if (!is_name(text + first, i - first))
            return false;
        first = i + 1;
    }
    return true;
}

static bool find_primitive(const char *name, enum schema_kind *out_kind)
{
    for (size_t i = 0; i < COUNT_OF(primitives); i++) {
        if (strcmp(primitives[i].name, name) == 0) {
            *out_kind = primitives[i].kind;
            return true;
        }
    }
    return false;
}

static const char *joined_name(struct parser *parser, const char *space, size_t space_size,
                               const char *name)
{
    const size_t name_size = strlen(name), dot = space_size == 0 ? 0 : 1;
    char *full = arena_take(parser->tree->arena, space_size + dot + name_size + 1);
    memcpy(full, space, space_size);
    if (dot != 0)
        full[space_size] = '.';
    memcpy(full + space_size + dot, name, name_size + 1);
    return full;
}

/* A type by its name: primitive, or named earlier in this text. */
static const struct schema_node *parse_reference(struct parser *parser, const char *name,
                                                 const struct spot *spot)
{
    enum schema_kind kind;
    if (find_primitive(name, &kind))
        return node_create(parser, spot, kind);
    const struct schema_node *node = NULL;
    if (strchr(name, '.') == NULL && spot->space_size != 0)
        node = table_find(parser->named,
                          span_text(joined_name(parser, spot->space, spot->space_size, name)));
    if (node == NULL)
        node = table_find(parser->named, span_text(name));
    return node == NULL ? invalid(parser, spot, "unknown type", name) : node;
}

/* Gives the node its full name, makes it known, and sets the namespace that its inside lives in. */
static bool name_node(struct parser *parser, struct schema_node *node, const json_t *json,
                      struct spot *spot)
{
    const char *name = text_of(json_object_get(json, "name"));
    const char *given_space = text_of(json_object_get(json, "namespace"));
    if (name == NULL || !is_full_name(name, strlen(name))) {
        (void)invalid(parser, spot, "a named type needs a name, not", name == NULL ? "" : name);
        return false;
    }
    const char *last_dot = strrchr(name, '.');
    if (last_dot == NULL && given_space != NULL) {
        spot->space = given_space;
        spot->space_size = strlen(spot->space);
    } else if (last_dot != NULL) {
        spot->space = name;
        spot->space_size = (size_t)(last_dot - name);
    }
    if (spot->space_size != 0 && !is_full_name(spot->space, spot->space_size)) {
        (void)invalid(parser, spot, "not a namespace:", spot->space);
        return false;
    }
    const char *simple = last_dot == NULL ? name : last_dot + 1;
    enum schema_kind kind;
    if (find_primitive(simple, &kind)) {
        (void)invalid(parser, spot, "a named type cannot be called", simple);
        return false;
    }
    node->full_name = joined_name(parser, spot->space, spot->space_size, simple);
    if (table_find(parser->named, span_text(node->full_name)) != NULL) {
        (void)invalid(parser, spot, "defined twice:", node->full_name);
        return false;
    }
    (void)table_put(parser->named, span_text(node->full_name), node);
    return true;
}

static bool parse_field(struct parser *parser, const json_t *json, const struct spot *record,
                        size_t index, struct schema_field *field)
{
    struct spot spot = spot_below(record, NULL, index);
    field->name = text_of(json_object_get(json, "name"));
    if (field->name == NULL || !is_name(field->name, strlen(field->name)))
        return invalid(parser, &spot, "a field needs a name", field->name) != NULL;
    spot.place.name = field->name;
    field->doc = text_of(json_object_get(json, "doc"));
    field->fallback = json_object_get(json, "default");
    const json_t *type = json_object_get(json, "type");
    if (type == NULL)
        return invalid(parser, &spot, "a field needs a type", NULL) != NULL;
    field->type = parse_type(parser, type, &spot);
    return field->type != NULL;
}

/* A table beside the list: comparing each with each would be quadratic in a hostile schema. */
static bool texts_differ(struct parser *parser, const struct spot *spot, const char *const *texts,
                         size_t count)
{
    struct table *seen = table_create();
    bool differ = true;
    for (size_t i = 0; i < count && differ; i++) {
        differ = table_put(seen, span_text(texts[i]), parser) == NULL;
        if (!differ)
            (void)invalid(parser, spot, "named twice:", texts[i]);
    }
    table_destroy(seen);
    return differ;
}

static const struct schema_node *parse_record(struct parser *parser, const json_t *json,
                                              struct spot spot)
{
    struct schema_node *node = node_create(parser, &spot, SCHEMA_RECORD);
    if (node == NULL || !name_node(parser, node, json, &spot))
        return NULL;
    if (spot.place.up == NULL)
        spot.place.name = node->full_name;
    const json_t *given = json_object_get(json, "fields");
    if (!json_is_array(given))
        return invalid(parser, &spot, "a record needs fields", NULL);
    const size_t count = json_array_size(given);
    struct schema_field *fields = arena_take(parser->tree->arena, count * sizeof *fields);
    const char **names = arena_take(parser->tree->arena, count * sizeof *names);
    for (size_t i = 0; i < count; i++) {
        if (!parse_field(parser, json_array_get(given, i), &spot, i, &fields[i]))
            return NULL;
        names[i] = fields[i].name;
    }
    if (!texts_differ(parser, &spot, names, count))
        return NULL;
    node->fields = fields;
    node->field_count = count;
    return node;
}

static const struct schema_node *parse_enum(struct parser *parser, const json_t *json,
                                            struct spot spot)
{
    struct schema_node *node = node_create(parser, &spot, SCHEMA_ENUM);
    if (node == NULL || !name_node(parser, node, json, &spot))
        return NULL;
    const json_t *given = json_object_get(json, "symbols");
    if (!json_is_array(given))
        return invalid(parser, &spot, "an enum needs symbols", NULL);
    const size_t count = json_array_size(given);
    const char **symbols = arena_take(parser->tree->arena, count * sizeof *symbols);
    for (size_t i = 0; i < count; i++) {
        symbols[i] = text_of(json_array_get(given, i));
        if (symbols[i] == NULL || !is_name(symbols[i], strlen(symbols[i])))
            return invalid(parser, &spot, "not a symbol:", symbols[i]);
    }
    if (!texts_differ(parser, &spot, symbols, count))
        return NULL;
    node->symbols = symbols;
    node->symbol_count = count;
    const json_t *fallback = json_object_get(json, "default");
    if (fallback != NULL && (!json_is_string(fallback) || !fit_whole(node, fallback)))
        return invalid(parser, &spot, "the default is no symbol of", node->full_name);
    return node;
}

/* Specification: a scale of 0 to precision, a precision of at least 1. */
static bool read_decimal(const json_t *json, struct schema_node *node)
{
    const json_t *scale = json_object_get(json, "scale");
    const json_int_t precision = json_integer_value(json_object_get(json, "precision"));
    const json_int_t digits = json_integer_value(scale);
    if ((scale != NULL && !json_is_integer(scale)) || digits < 0 || digits > precision ||
        precision < 1 || precision > INT32_MAX)
        return false;
    node->scale = (uint32_t)digits;
    return true;
}

/* The specification: a logical type is ignored where it does not belong. */
static void read_logical(const json_t *json, struct schema_node *node)
{
    static const struct {
        const char *name;
        enum schema_kind kind;
        enum schema_logical logical;
    } rows[] = {
        {"timestamp-millis", SCHEMA_LONG, LOGICAL_TIMESTAMP_MILLIS},
        {"timestamp-micros", SCHEMA_LONG, LOGICAL_TIMESTAMP_MICROS},
        {"timestamp-nanos", SCHEMA_LONG, LOGICAL_TIMESTAMP_NANOS},
        {"local-timestamp-millis", SCHEMA_LONG, LOGICAL_TIMESTAMP_MILLIS},
        {"local-timestamp-micros", SCHEMA_LONG, LOGICAL_TIMESTAMP_MICROS},
        {"local-timestamp-nanos", SCHEMA_LONG, LOGICAL_TIMESTAMP_NANOS},
        {"date", SCHEMA_INT, LOGICAL_DATE},
        {"decimal", SCHEMA_BYTES, LOGICAL_DECIMAL},
        {"decimal", SCHEMA_FIXED, LOGICAL_DECIMAL},
        {"uuid", SCHEMA_STRING, LOGICAL_UUID},
        {"uuid", SCHEMA_FIXED, LOGICAL_UUID},
    };
    const char *logical = text_of(json_object_get(json, "logicalType"));
    if (logical == NULL)
        return;
    bool known = false;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (strcmp(rows[i].name, logical) != 0)
            continue;
        known = true;
        if (rows[i].kind == node->kind)
            node->logical = rows[i].logical;
    }
    if (!known)
        node->logical = LOGICAL_OTHER;
    if ((node->logical == LOGICAL_DECIMAL && !read_decimal(json, node)) ||
        (node->logical == LOGICAL_UUID && node->kind == SCHEMA_FIXED && node->fixed_size != 16))
        node->logical = LOGICAL_NONE;
}

static const struct schema_node *parse_fixed(struct parser *parser, const json_t *json,
                                             struct spot spot)
{
    struct schema_node *node = node_create(parser, &spot, SCHEMA_FIXED);
    if (node == NULL || !name_node(parser, node, json, &spot))
        return NULL;
    const json_t *size = json_object_get(json, "size");
    if (!json_is_integer(size) || json_integer_value(size) < 0 ||
        json_integer_value(size) > FIXED_SIZE_MAX)
        return invalid(parser, &spot, "a fixed needs a size up to 1 GiB", NULL);
    node->fixed_size = (size_t)json_integer_value(size);
    read_logical(json, node);
    return node;
}

static const struct schema_node *parse_items(struct parser *parser, const json_t *json,
                                             const struct spot *spot, enum schema_kind kind)
{
    const char *key = kind == SCHEMA_ARRAY ? "items" : "values";
    struct schema_node *node = node_create(parser, spot, kind);
    if (node == NULL)
        return NULL;
    const json_t *given = json_object_get(json, key);
    if (given == NULL)
        return invalid(parser, spot, "an array needs items, a map needs values", NULL);
    struct schema_field *items = arena_take(parser->tree->arena, sizeof *items);
    const struct spot below = spot_below(spot, key, 0);
    items->type = parse_type(parser, given, &below);
    if (items->type == NULL)
        return NULL;
    node->fields = items;
    node->field_count = 1;
    return node;
}

static const struct schema_node *parse_union(struct parser *parser, const json_t *json,
                                             const struct spot *spot)
{
    const size_t count = json_array_size(json);
    struct schema_node *node = node_create(parser, spot, SCHEMA_UNION);
    if (node == NULL)
        return NULL;
    if (count == 0)
        return invalid(parser, spot, "a union needs branches", NULL);
    struct schema_field *branches = arena_take(parser->tree->arena, count * sizeof *branches);
    bool seen[SCHEMA_FIXED + 1] = {false};
    const char **names = arena_take(parser->tree->arena, count * sizeof *names);
    size_t named = 0;
    for (size_t i = 0; i < count; i++) {
        const struct spot below = spot_below(spot, NULL, i);
        const struct schema_node *type = parse_type(parser, json_array_get(json, i), &below);
        if (type == NULL)
            return NULL;
        if (type->kind == SCHEMA_UNION)
            return invalid(parser, &below, "a union directly in a union", NULL);
        if (type->full_name != NULL)
            names[named++] = type->full_name;
        else if (seen[type->kind])
            return invalid(parser, &below, "the union has this type already", NULL);
        seen[type->kind] = true;
        branches[i].type = type;
    }
    if (!texts_differ(parser, spot, names, named))
        return NULL;
    node->fields = branches;
    node->field_count = count;
    return node;
}

static const struct schema_node *parse_object(struct parser *parser, const json_t *json,
                                              const struct spot *spot)
{
    const json_t *type = json_object_get(json, "type");
    if (json_is_object(type) || json_is_array(type))
        return parse_type(parser, type,
                          spot); /* {"type": {"type": …}}: a wrapper without meaning */
    const char *name = text_of(type);
    if (name == NULL)
        return invalid(parser, spot, "a type needs a type", NULL);
    if (strcmp(name, "record") == 0)
        return parse_record(parser, json, *spot);
    if (strcmp(name, "enum") == 0)
        return parse_enum(parser, json, *spot);
    if (strcmp(name, "fixed") == 0)
        return parse_fixed(parser, json, *spot);
    if (strcmp(name, "array") == 0)
        return parse_items(parser, json, spot, SCHEMA_ARRAY);
    if (strcmp(name, "map") == 0)
        return parse_items(parser, json, spot, SCHEMA_MAP);
    enum schema_kind kind;
    if (!find_primitive(name, &kind))
        return parse_reference(parser, name, spot);
    struct schema_node *node = node_create(parser, spot, kind);
    if (node != NULL)
        read_logical(json, node);
    return node;
}

static const struct schema_node *parse_type(struct parser *parser, const json_t *json,
                                            const struct spot *spot)
{
    if (spot->depth > DEPTH_MAX) {
        refuse(parser, spot, FAULT_LIMIT_EXCEEDED, "nested deeper than 100", NULL);
        return NULL;
    }
    struct spot below = *spot;
    below.depth++; /* of objects and arrays; those that only wrap a type count too */
    if (text_of(json) != NULL)
        return parse_reference(parser, text_of(json), spot);
    if (json_is_array(json))
        return parse_union(parser, json, &below);
    if (json_is_object(json))
        return parse_object(parser, json, &below);
    return invalid(parser, spot, "a type is a name, an object or an array", NULL);
}

/* After all types are known: a default may be of a type that is still open where it stands. */
static bool fallbacks_fit(struct parser *parser)
{
    for (uint32_t i = 0; i < parser->tree->node_count; i++) {
        const struct schema_node *node = parser->tree->nodes[i];
        for (size_t k = 0; node->kind == SCHEMA_RECORD && k < node->field_count; k++) {
            const struct schema_field *field = &node->fields[k];
            if (field->fallback == NULL || fit_whole(field->type, field->fallback))
                continue;
            parser->fault = FAULT_SCHEMA_INVALID;
            reason_set(parser->reason, "%.100s.%.100s: the default does not fit the type",
                       node->full_name, field->name);
            return false;
        }
    }
    return true;
}

enum fault schema_tree_parse(const json_t *json, struct schema_tree *tree,
                             struct reason *out_reason)
{
    struct parser parser = {.tree = tree, .named = table_create(), .reason = out_reason};
    const struct spot top = {.place = {.name = ""}, .space = ""};
    tree->arena = arena_create();
    tree->root = parse_type(&parser, json, &top);
    if (tree->root != NULL)
        (void)fallbacks_fit(&parser);
    table_destroy(parser.named);
    return parser.fault;
}

void schema_tree_fini(struct schema_tree *tree)
{
    heap_release(tree->nodes);
    arena_destroy(tree->arena);
    *tree = (struct schema_tree){0};
}
