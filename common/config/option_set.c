#include "config/option_set.h"
#include "config/yaml_tree.h"
#include "memory/buffer.h"
#include "memory/heap.h"

#include <ctype.h>
#include <errno.h>

extern char **environ;

enum { OPTION_TABLES_MAX = 4, OPTION_FILE_SIZE_MAX = 1024 * 1024 };

/* Names that other programs of the trade use; each stands for the row whose name it spells, or for
 * `row`. */
static const struct {
    const char *variable, *row;
} known_variables[] = {
    {"KAFKA_BOOTSTRAP_SERVERS", "bootstrap"},
    {"REDIS_URL", "redis"},
    {"SCHEMA_REGISTRY_URL", "schema-registry"},
    {"LOG_LEVEL", "log-level"},
    {"LOG_FORMAT", "log-format"},
};

size_t option_set_prefix_size(const struct option_row *row)
{
    return strlen(row->name) - 1; /* without the star, with the dot */
}

const struct option_row *option_set_row_named(const struct option_set *set, const char *name)
{
    for (size_t i = 0; i < set->row_count; i++)
        if (set->rows[i]->kind != OPTION_PREFIX && strcmp(set->rows[i]->name, name) == 0)
            return set->rows[i];
    return NULL;
}

const struct option_row *option_set_row(const struct option_set *set, const char *name)
{
    const struct option_row *row = option_set_row_named(set, name);
    for (size_t i = 0; row == NULL && i < set->row_count; i++)
        if (set->rows[i]->kind == OPTION_PREFIX &&
            strncmp(set->rows[i]->name, name, option_set_prefix_size(set->rows[i])) == 0 &&
            strlen(name) > option_set_prefix_size(set->rows[i]))
            row = set->rows[i];
    return row;
}

static bool is_choice(const char *choices, const char *text)
{
    const size_t size = strlen(text);
    for (const char *next = choices; next != NULL;) {
        const char *end = strchr(next, '|');
        const size_t here = end == NULL ? strlen(next) : (size_t)(end - next);
        if (here == size && memcmp(next, text, size) == 0)
            return true;
        next = end == NULL ? NULL : end + 1;
    }
    return false;
}

/* What is wrong with the text as a value of the row; NULL: nothing. */
static const char *wrong_kind(const struct option_row *row, const char *text)
{
    int64_t number;
    bool flag;
    switch (row->kind) {
    case OPTION_NUMBER:
        return option_parse_number(text, &number) ? NULL : "not a whole number";
    case OPTION_DURATION:
        return option_parse_duration(text, &number) ? NULL : "not a duration (250ms, 30s, 1h, 7d)";
    case OPTION_FLAG:
        return option_parse_flag(text, &flag) ? NULL : "neither true nor false";
    case OPTION_CHOICE:
        return is_choice(row->choices, text) ? NULL : "not one of";
    case OPTION_TEXT:
    case OPTION_PREFIX:
        break;
    }
    return NULL;
}

struct option_set *option_set_create(const struct option_row *const tables[], size_t table_count)
{
    REQUIRE(table_count <= OPTION_TABLES_MAX);
    struct option_set *set = heap_zeroed(1, sizeof *set);
    for (size_t i = 0; i < table_count; i++) {
        for (const struct option_row *row = tables[i]; row != NULL && row->name != NULL; row++) {
            const size_t size = strlen(row->name);
            REQUIRE(row->kind != OPTION_CHOICE || row->choices != NULL);
            REQUIRE((row->kind == OPTION_PREFIX) ==
                    (size > 2 && strcmp(row->name + size - 2, ".*") == 0));
            REQUIRE(row->fallback == NULL || wrong_kind(row, row->fallback) == NULL);
            if (row->kind != OPTION_PREFIX && option_set_row_named(set, row->name) != NULL)
                continue; /* the earlier table's row holds */
            set->rows = heap_resized(set->rows, set->row_count + 1, sizeof(struct option_row *));
            set->rows[set->row_count++] = row;
        }
    }
    return set;
}

static void values_clear(struct option_set *set)
{
    for (size_t i = 0; i < set->value_count; i++) {
        heap_release(set->values[i].name);
        heap_release(set->values[i].text);
    }
    set->value_count = 0;
    for (size_t i = 0; i < set->positional_count; i++)
        heap_release(set->positional[i]);
    set->positional_count = 0;
}

/* `place` is how the reader wrote the name: "--partitions", "PLUMB_PARTITIONS", "file:3:1:
 * partitions". */
static bool give(struct option_set *set, const struct option_row *row, const char *name,
                 const char *text, enum option_origin origin, const char *place,
                 struct reason *out_reason)
{
    const char *wrong = wrong_kind(row, text);
    if (wrong != NULL) {
        if (row->kind == OPTION_CHOICE)
            reason_set(out_reason, "%s: %s %s: '%.60s'", place, wrong, row->choices, text);
        else
            reason_set(out_reason, "%s: %s: '%.60s'", place, wrong, text);
        return false;
    }
    set->values = heap_resized(set->values, set->value_count + 1, sizeof *set->values);
    set->values[set->value_count] = (struct option_value){.row = row,
                                                          .name = heap_text(name),
                                                          .text = heap_text(text),
                                                          .origin = origin,
                                                          .sequence = set->value_count};
    set->value_count++;
    return true;
}

/* dashes: how the name is written in a suggestion ("--" for arguments). */
static void refuse_name(const struct option_set *set, const char *place, const char *name,
                        const char *dashes, struct reason *out_reason)
{
    const char **names = heap_zeroed(set->row_count + 1, sizeof *names);
    size_t count = 0;
    for (size_t i = 0; i < set->row_count; i++)
        if (set->rows[i]->kind != OPTION_PREFIX)
            names[count++] = set->rows[i]->name;
    const char *nearest = option_nearest(name, names);
    if (nearest != NULL)
        reason_set(out_reason, "%s: no such option (did you mean %s%s?)", place, dashes, nearest);
    else
        reason_set(out_reason, "%s: no such option", place);
    heap_release(names);
}

static void positional_add(struct option_set *set, const char *text)
{
    set->positional =
        heap_resized(set->positional, set->positional_count + 1, sizeof *set->positional);
    set->positional[set->positional_count++] = heap_text(text);
}

/* One option at argv[*index], with its value; *index is left at the last argument used. */
static bool read_argument(struct option_set *set, int argc, char *argv[], int *index,
                          struct reason *out_reason)
{
    const char *argument = argv[*index];
    const bool is_long = argument[1] == '-';
    const char *name = argument + (is_long ? 2 : 1);
    const char *equals = strchr(name, '=');
    const size_t name_size = equals == NULL ? strlen(name) : (size_t)(equals - name);
    char *row_name = span_copied(span_of(name, name_size));
    char *place = heap_format("%s%.60s", is_long ? "--" : "-", row_name);
    const struct option_row *row =
        (name_size == 1) == !is_long ? option_set_row(set, row_name) : NULL;
    if (row == NULL && strcmp(argument, "-h") == 0)
        row = option_set_row_named(set, "help");
    bool read = false;
    if (row == NULL) {
        refuse_name(set, place, row_name, "--", out_reason);
    } else if (row->kind == OPTION_FLAG) {
        if (equals != NULL)
            reason_set(out_reason, "%s: takes no value", place);
        else
            read = give(set, row, row->name, "true", ORIGIN_ARGUMENT, place, out_reason);
    } else if (equals != NULL) {
        read = give(set, row, row_name, equals + 1, ORIGIN_ARGUMENT, place, out_reason);
    } else if (*index + 1 >= argc || strncmp(argv[*index + 1], "--", 2) == 0) {
        reason_set(out_reason, "%s: needs a value", place);
    } else {
        *index += 1;
        read = give(set, row, row_name, argv[*index], ORIGIN_ARGUMENT, place, out_reason);
    }
    heap_release(place);
    heap_release(row_name);
    return read;
}

static bool read_arguments(struct option_set *set, int argc, char *argv[],
                           struct reason *out_reason)
{
    bool options = true;
    for (int i = 0; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0)
            options = false;
        else if (!options || argv[i][0] != '-' || argv[i][1] == 0)
            positional_add(set, argv[i]);
        else if (!read_argument(set, argc, argv, &i, out_reason))
            return false;
    }
    return true;
}

static bool spells(const char *variable, size_t size, const char *name)
{
    if (strlen(name) != size)
        return false;
    for (size_t i = 0; i < size; i++) {
        const char letter =
            name[i] == '.' || name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
        if (letter != variable[i])
            return false;
    }
    return true;
}

/* What follows a prefix: _ is a dot, __ a dash, ___ an underscore. Heap text. */
static char *spelled_out(const char *prefix, size_t size, struct span rest)
{
    struct buffer name = {0};
    buffer_append(&name, prefix, size);
    for (size_t i = 0; i < rest.size; i++) {
        size_t run = 0;
        while (i + run < rest.size && rest.bytes[i + run] == '_' && run < 3)
            run++;
        if (run == 0)
            buffer_append_byte(&name, (uint8_t)tolower(rest.bytes[i]));
        else
            buffer_append_byte(&name, (uint8_t)(".-_"[run - 1]));
        i += run == 0 ? 0 : run - 1;
    }
    char *text = span_copied(buffer_span(&name));
    buffer_fini(&name);
    return text;
}

/* The row that a variable's name (after PLUMB_) spells, and the option's name as heap text; NULL:
 * none of ours. */
static const struct option_row *row_of_variable(const struct option_set *set, const char *variable,
                                                size_t size, char **out_name)
{
    for (size_t i = 0; i < set->row_count; i++)
        if (set->rows[i]->kind != OPTION_PREFIX && spells(variable, size, set->rows[i]->name)) {
            *out_name = heap_text(set->rows[i]->name);
            return set->rows[i];
        }
    for (size_t i = 0; i < set->row_count; i++) {
        const struct option_row *row = set->rows[i];
        if (row->kind != OPTION_PREFIX || size <= option_set_prefix_size(row))
            continue;
        char *prefix = span_copied(span_of(row->name, option_set_prefix_size(row)));
        const bool ours = spells(variable, option_set_prefix_size(row), prefix);
        heap_release(prefix);
        if (ours) {
            *out_name = spelled_out(row->name, option_set_prefix_size(row),
                                    span_of(variable + option_set_prefix_size(row),
                                            size - option_set_prefix_size(row)));
            return row;
        }
    }
    return NULL;
}

static const struct option_row *row_of_known(const struct option_set *set, const char *variable,
                                             size_t size, char **out_name)
{
    for (size_t i = 0; i < COUNT_OF(known_variables); i++) {
        if (strlen(known_variables[i].variable) != size ||
            memcmp(known_variables[i].variable, variable, size) != 0)
            continue;
        const struct option_row *row = option_set_row_named(set, known_variables[i].row);
        if (row == NULL)
            return row_of_variable(set, variable, size, out_name);
        *out_name = heap_text(row->name);
        return row;
    }
    return NULL;
}

static bool read_environment(struct option_set *set, struct reason *out_reason)
{
    static const char prefix[] = "PLUMB_";
    /* Two passes: what is spelt PLUMB_ beats the names that others use too. */
    for (int pass = 0; pass < 2; pass++) {
        for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
            const char *equals = strchr(*entry, '=');
            if (equals == NULL)
                continue;
            const size_t size = (size_t)(equals - *entry);
            const size_t skip = sizeof prefix - 1;
            const bool ours = size > skip && strncmp(*entry, prefix, skip) == 0;
            if (ours != (pass == 1))
                continue;
            char *name = NULL;
            const struct option_row *row =
                ours ? row_of_variable(set, *entry + skip, size - skip, &name)
                     : row_of_known(set, *entry, size, &name);
            if (row == NULL)
                continue; /* of another program, or of another service of ours */
            char *place = heap_format("environment: %.*s", (int)size, *entry);
            const bool read =
                give(set, row, name, equals + 1, ORIGIN_ENVIRONMENT, place, out_reason);
            heap_release(place);
            heap_release(name);
            if (!read)
                return false;
        }
    }
    return true;
}

static bool read_file_value(struct option_set *set, const char *file_name, const char *name,
                            const struct yaml_node *node, struct reason *out_reason)
{
    bool read = false;
    char *place = heap_format("%s:%u:%u: %.60s", file_name, node->line, node->column, name);
    const struct option_row *row = option_set_row(set, name);
    if (row == NULL)
        refuse_name(set, place, name, "", out_reason);
    else if (node->kind == YAML_MAP)
        reason_set(out_reason, "%s: a value is needed here", place);
    else if (node->kind == YAML_TEXT)
        read = give(set, row, name, node->text, ORIGIN_FILE, place, out_reason);
    else
        read = true;
    for (size_t i = 0; read && node->kind == YAML_LIST && i < node->count; i++)
        read = read_file_value(set, file_name, name, node->items[i], out_reason);
    heap_release(place);
    return read;
}

/* kafka: {bootstrap.servers: x} is kafka.bootstrap.servers: x. */
static bool read_file_map(struct option_set *set, const char *file_name, const char *prefix,
                          const struct yaml_node *map, struct reason *out_reason)
{
    bool read = true;
    for (size_t i = 0; read && i < map->count; i++) {
        char *name = heap_format("%s%s", prefix, map->keys[i]->text);
        if (map->items[i]->kind == YAML_MAP && option_set_row_named(set, name) == NULL) {
            char *deeper = heap_format("%s.", name);
            read = read_file_map(set, file_name, deeper, map->items[i], out_reason);
            heap_release(deeper);
        } else {
            read = read_file_value(set, file_name, name, map->items[i], out_reason);
        }
        heap_release(name);
    }
    return read;
}

static enum fault read_file_text(const char *file_name, struct buffer *text,
                                 struct reason *out_reason)
{
    FILE *file = fopen(file_name, "rb");
    if (file == NULL) {
        reason_set(out_reason, "%s: %s", file_name, strerror(errno));
        return FAULT_FILE_UNREADABLE;
    }
    char piece[4096];
    for (size_t size;
         text->size <= OPTION_FILE_SIZE_MAX && (size = fread(piece, 1, sizeof piece, file)) > 0;)
        buffer_append(text, piece, size);
    const bool broken = ferror(file) != 0;
    (void)fclose(file);
    if (!broken)
        return FAULT_NONE;
    reason_set(out_reason, "%s: cannot be read", file_name);
    return FAULT_FILE_UNREADABLE;
}

static enum fault read_file(struct option_set *set, const char *file_name,
                            struct reason *out_reason)
{
    struct buffer text = {0};
    struct yaml_node *root = NULL;
    enum fault fault = read_file_text(file_name, &text, out_reason);
    if (fault == FAULT_NONE)
        fault = yaml_tree_parse(file_name, buffer_span(&text), &root, out_reason);
    buffer_fini(&text);
    if (fault != FAULT_NONE)
        return fault;
    if (root->kind != YAML_MAP) {
        reason_set(out_reason, "%s:%u:%u: NAME: value is expected", file_name, root->line,
                   root->column);
        fault = FAULT_FILE_MALFORMED;
    } else if (!read_file_map(set, file_name, "", root, out_reason)) {
        fault = FAULT_FILE_MALFORMED;
    }
    yaml_tree_destroy(root);
    return fault;
}

static int value_order(const void *left_, const void *right_)
{
    const struct option_value *left = left_, *right = right_;
    const int order = strcmp(left->name, right->name);
    if (order != 0)
        return order;
    if (left->origin != right->origin)
        return left->origin < right->origin ? -1 : 1;
    return (left->sequence > right->sequence) - (left->sequence < right->sequence);
}

enum fault option_set_read(struct option_set *set, int argc, char *argv[],
                           struct reason *out_reason)
{
    REQUIRE(set != NULL);
    REQUIRE(set->value_count == 0);
    enum fault fault = FAULT_NONE;
    if (!read_arguments(set, argc, argv, out_reason))
        fault = FAULT_OPTION_INVALID;
    else if (!read_environment(set, out_reason))
        fault = FAULT_FILE_MALFORMED;
    /* The file is read last, because arguments and environment say which, and sorted below them. */
    if (fault == FAULT_NONE && option_set_row_named(set, "config") != NULL) {
        if (set->value_count > 1)
            qsort(set->values, set->value_count, sizeof *set->values, value_order);
        char *file_name =
            option_text(set, "config") == NULL ? NULL : heap_text(option_text(set, "config"));
        if (file_name != NULL)
            fault = read_file(set, file_name, out_reason);
        heap_release(file_name);
    }
    if (fault != FAULT_NONE) {
        values_clear(set);
        return fault;
    }
    if (set->value_count > 1)
        qsort(set->values, set->value_count, sizeof *set->values, value_order);
    return FAULT_NONE;
}

void option_set_destroy(struct option_set *set)
{
    if (set == NULL)
        return;
    values_clear(set);
    heap_release(set->values);
    heap_release(set->positional);
    heap_release(set->rows);
    heap_release(set);
}
