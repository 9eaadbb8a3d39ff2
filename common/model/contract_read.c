#include "model/contract_read.h"
#include "config/option.h"
#include "memory/buffer.h"
#include "memory/heap.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>

enum { NAME_SIZE_MAX = 255, NAMES_MAX = 64 };

bool contract_read_refuse(const struct contract_reader *reader, const struct yaml_node *at,
                          const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char what[sizeof reader->out_reason->text];
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    reason_set(reader->out_reason, "%s:%u:%u: %s", reader->file_name, at->line, at->column, what);
    return false;
}

bool contract_read_refuse_later(const struct contract_reader *reader, const struct yaml_node *at,
                                const char *what)
{
    return contract_read_refuse(
        reader, at, "'%s' is known but not supported by this version of Plumbline: remove it",
        what);
}

static bool refuse_unknown(const struct contract_reader *reader, const struct yaml_node *key,
                           const struct contract_key keys[])
{
    const char *names[NAMES_MAX + 1] = {NULL};
    size_t count = 0;
    for (size_t i = 0; keys[i].name != NULL; i++) {
        REQUIRE(count < NAMES_MAX);
        if (keys[i].state != KEY_LATER)
            names[count++] = keys[i].name;
    }
    const char *nearest = option_nearest(key->text, names);
    if (nearest == NULL)
        return contract_read_refuse(reader, key, "unknown key '%.60s'", key->text);
    return contract_read_refuse(reader, key, "unknown key '%.60s' (did you mean '%s'?)", key->text,
                                nearest);
}

bool contract_read_keys(const struct contract_reader *reader, const struct yaml_node *map,
                        const char *what, const struct contract_key keys[])
{
    if (map->kind != YAML_MAP)
        return contract_read_refuse(reader, map, "%s must be a mapping (key: value)", what);
    for (size_t i = 0; i < map->count; i++) {
        const struct yaml_node *key = map->keys[i];
        const struct contract_key *known = keys;
        while (known->name != NULL && strcmp(known->name, key->text) != 0)
            known++;
        if (known->name == NULL)
            return refuse_unknown(reader, key, keys);
        if (known->state == KEY_LATER)
            return contract_read_refuse_later(reader, key, key->text);
    }
    for (size_t i = 0; keys[i].name != NULL; i++)
        if (keys[i].state == KEY_NEEDED && yaml_tree_get(map, keys[i].name) == NULL)
            return contract_read_refuse(reader, map, "%s needs the key '%s'", what, keys[i].name);
    return true;
}

static bool is_null(const struct yaml_node *node)
{
    return node->kind == YAML_TEXT && node->plain &&
           (node->text[0] == 0 || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

bool contract_read_name(const struct contract_reader *reader, const struct yaml_node *node,
                        const char *what)
{
    if (node->kind != YAML_TEXT || is_null(node) || node->text[0] == 0)
        return contract_read_refuse(reader, node, "%s must be a text", what);
    if (strlen(node->text) > NAME_SIZE_MAX)
        return contract_read_refuse(reader, node, "%s is longer than %d bytes", what,
                                    NAME_SIZE_MAX);
    for (const char *letter = node->text; *letter != 0; letter++)
        if ((unsigned char)*letter < 0x20 || *letter == 0x7f)
            return contract_read_refuse(reader, node, "%s has a control character", what);
    return true;
}

bool contract_read_text(const struct contract_reader *reader, const struct yaml_node *map,
                        const char *key, char **out_text)
{
    const struct yaml_node *node = yaml_tree_get(map, key);
    if (node == NULL)
        return true;
    if (!contract_read_name(reader, node, key))
        return false;
    *out_text = heap_text(node->text);
    return true;
}

bool contract_read_number(const struct contract_reader *reader, const struct yaml_node *node,
                          const char *what, double *out_number)
{
    if (node->kind != YAML_TEXT || is_null(node))
        return contract_read_refuse(reader, node, "%s must be a number", what);
    if (!node->plain)
        return contract_read_refuse(reader, node, "%s must be a number: write %.40s without quotes",
                                    what, node->text);
    const char *text = node->text;
    if (strcmp(text, ".inf") == 0 || strcmp(text, "+.inf") == 0 || strcmp(text, "-.inf") == 0) {
        *out_number = text[0] == '-' ? -(double)INFINITY : (double)INFINITY;
        return true;
    }
    /* strtod also takes hex, inf and nan, which YAML writes otherwise. */
    char *end = NULL;
    const double number = strtod(text, &end);
    if (end == text || *end != 0 || strspn(text, "+-.0123456789eE") != strlen(text))
        return contract_read_refuse(reader, node, "%s must be a number, not '%.40s'", what, text);
    if (!isfinite(number))
        return contract_read_refuse(reader, node, "%s is too large: %.40s", what, text);
    *out_number = number;
    return true;
}

bool contract_read_share(const struct contract_reader *reader, const struct yaml_node *map,
                         const char *key, double most, bool *out_given, double *out_share)
{
    const struct yaml_node *node = yaml_tree_get(map, key);
    if (node == NULL)
        return true;
    double number = 0;
    if (!contract_read_number(reader, node, key, &number))
        return false;
    if (number < 0)
        return contract_read_refuse(reader, node, "%s must not be below 0: %s", key, node->text);
    if (number > most)
        return contract_read_refuse(reader, node, "%s must not be above %g: %s", key, most,
                                    node->text);
    *out_given = true;
    *out_share = number;
    return true;
}

bool contract_read_duration_node(const struct contract_reader *reader, const struct yaml_node *node,
                                 const char *what, int64_t *out_ms)
{
    int64_t ms = 0;
    if (node->kind != YAML_TEXT || is_null(node))
        return contract_read_refuse(reader, node, "%s must be a duration (30s, 1h, 7d)", what);
    if (!option_parse_duration(node->text, &ms))
        return contract_read_refuse(
            reader, node,
            "%s must be a duration (a whole number and ms, s, m, h or d), not '%.40s'", what,
            node->text);
    if (ms > CONTRACT_READ_DURATION_MAX_MS)
        return contract_read_refuse(reader, node, "%s must not be above 36500d: %.40s", what,
                                    node->text);
    *out_ms = ms;
    return true;
}

bool contract_read_duration(const struct contract_reader *reader, const struct yaml_node *map,
                            const char *key, int64_t *out_ms)
{
    const struct yaml_node *node = yaml_tree_get(map, key);
    return node == NULL || contract_read_duration_node(reader, node, key, out_ms);
}

bool contract_read_flag(const struct contract_reader *reader, const struct yaml_node *map,
                        const char *key, bool *out_flag)
{
    const struct yaml_node *node = yaml_tree_get(map, key);
    if (node == NULL)
        return true;
    const bool is_text = node->kind == YAML_TEXT && node->plain;
    if (is_text && strcmp(node->text, "true") == 0)
        *out_flag = true;
    else if (is_text && strcmp(node->text, "false") == 0)
        *out_flag = false;
    else
        return contract_read_refuse(reader, node, "%s must be true or false", key);
    return true;
}

/* "a, b or c" of what may be chosen. */
static void choices_write(const struct contract_choice choices[], struct buffer *out)
{
    size_t left = 0;
    for (size_t i = 0; choices[i].name != NULL; i++)
        left += choices[i].value >= 0 ? 1 : 0;
    for (size_t i = 0; choices[i].name != NULL; i++) {
        if (choices[i].value < 0)
            continue;
        left--;
        buffer_format(out, "%s%s", choices[i].name, left == 0 ? "" : left == 1 ? " or " : ", ");
    }
    buffer_append_byte(out, 0);
}

bool contract_read_choice(const struct contract_reader *reader, const struct yaml_node *map,
                          const char *key, const struct contract_choice choices[], int *out_value)
{
    const struct yaml_node *node = yaml_tree_get(map, key);
    if (node == NULL)
        return true;
    const char *names[NAMES_MAX + 1] = {NULL};
    size_t count = 0;
    for (size_t i = 0; node->kind == YAML_TEXT && choices[i].name != NULL; i++) {
        if (strcmp(choices[i].name, node->text) == 0) {
            if (choices[i].value < 0)
                return contract_read_refuse_later(reader, node, node->text);
            *out_value = choices[i].value;
            return true;
        }
        REQUIRE(count < NAMES_MAX);
        if (choices[i].value >= 0)
            names[count++] = choices[i].name;
    }
    struct buffer list = {0};
    choices_write(choices, &list);
    const char *nearest = node->kind == YAML_TEXT ? option_nearest(node->text, names) : NULL;
    if (node->kind != YAML_TEXT)
        (void)contract_read_refuse(reader, node, "%s must be %s", key, (const char *)list.bytes);
    else if (nearest == NULL)
        (void)contract_read_refuse(reader, node, "%s must be %s, not '%.40s'", key,
                                   (const char *)list.bytes, node->text);
    else
        (void)contract_read_refuse(reader, node, "%s must be %s, not '%.40s' (did you mean '%s'?)",
                                   key, (const char *)list.bytes, node->text, nearest);
    buffer_fini(&list);
    return false;
}

bool contract_read_action(const struct contract_reader *reader, const struct yaml_node *map,
                          const char *key, enum violation_action *out_action)
{
    static const struct contract_choice actions[] = {{"flag", VIOLATION_FLAG},
                                                     {"reject", VIOLATION_REJECT},
                                                     {"count", VIOLATION_COUNT},
                                                     {NULL, 0}};
    int action = (int)*out_action;
    if (!contract_read_choice(reader, map, key, actions, &action))
        return false;
    *out_action = (enum violation_action)action;
    return true;
}

bool contract_read_stale(const struct contract_reader *reader, const struct yaml_node *map,
                         int64_t *out_stale_ms, enum violation_action *out_action)
{
    const struct yaml_node *stale = yaml_tree_get(map, "stale");
    const struct yaml_node *on_stale = yaml_tree_get(map, "on_stale");
    if (!contract_read_duration(reader, map, "stale", out_stale_ms) ||
        !contract_read_action(reader, map, "on_stale", out_action))
        return false;
    if (stale != NULL && *out_stale_ms == 0)
        return contract_read_refuse(reader, stale, "stale must not be 0");
    return on_stale == NULL || stale != NULL ||
           contract_read_refuse(reader, on_stale, "on_stale needs stale");
}

bool contract_read_digits(const char **text, int64_t *out_number)
{
    const char *next = *text + strspn(*text, " ");
    int64_t number = 0;
    const char *first = next;
    for (; *next >= '0' && *next <= '9'; next++) {
        if (number > INT32_MAX)
            return false;
        number = number * 10 + (*next - '0');
    }
    if (next == first)
        return false;
    *text = next + strspn(next, " ");
    *out_number = number;
    return true;
}

char *contract_read_duration_text(int64_t ms, char scratch[32])
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    size_t i = 0;
    while (i + 1 < COUNT_OF(units) && (ms == 0 || ms % units[i].ms != 0))
        i++;
    (void)snprintf(scratch, 32, "%" PRId64 "%s", ms / units[i].ms, units[i].unit);
    return scratch;
}
