#include "config/option.h"
#include "config/option_set.h"

/* The value that counts: the last given by the strongest origin; NULL where unset. */
static const struct option_value *value_of(const struct option_set *set, const char *name)
{
    const struct option_value *found = NULL;
    for (size_t i = 0; i < set->value_count; i++)
        if (strcmp(set->values[i].name, name) == 0)
            found = &set->values[i];
    return found;
}

const char *option_text(const struct option_set *set, const char *name)
{
    REQUIRE(set != NULL);
    const struct option_row *row = option_set_row(set, name);
    REQUIRE(row != NULL);
    const struct option_value *value = value_of(set, name);
    return value == NULL ? row->fallback : value->text;
}

int64_t option_number(const struct option_set *set, const char *name)
{
    const struct option_row *row = option_set_row_named(set, name);
    REQUIRE(row != NULL);
    REQUIRE(row->kind == OPTION_NUMBER);
    const char *text = option_text(set, name);
    int64_t number = 0;
    const bool parsed = text == NULL || option_parse_number(text, &number);
    ENSURE(parsed);
    return number;
}

int64_t option_duration_ms(const struct option_set *set, const char *name)
{
    const struct option_row *row = option_set_row_named(set, name);
    REQUIRE(row != NULL);
    REQUIRE(row->kind == OPTION_DURATION);
    const char *text = option_text(set, name);
    int64_t ms = 0;
    const bool parsed = text == NULL || option_parse_duration(text, &ms);
    ENSURE(parsed);
    return ms;
}

bool option_flag(const struct option_set *set, const char *name)
{
    const struct option_row *row = option_set_row_named(set, name);
    REQUIRE(row != NULL);
    REQUIRE(row->kind == OPTION_FLAG);
    const char *text = option_text(set, name);
    bool flag = false;
    const bool parsed = text == NULL || option_parse_flag(text, &flag);
    ENSURE(parsed);
    return flag;
}

bool option_is_given(const struct option_set *set, const char *name)
{
    REQUIRE(option_set_row(set, name) != NULL);
    return value_of(set, name) != NULL;
}

bool option_is_known(const struct option_set *set, const char *name)
{
    REQUIRE(set != NULL);
    return option_set_row(set, name) != NULL;
}

size_t option_positional_count(const struct option_set *set)
{
    return set->positional_count;
}

const char *option_positional(const struct option_set *set, size_t index)
{
    REQUIRE(index < set->positional_count);
    return set->positional[index];
}

bool option_prefixed(const struct option_set *set, const char *prefix, size_t index,
                     const char **out_name, const char **out_value)
{
    const struct option_row *row = NULL;
    const size_t size = strcspn(prefix, "*");
    for (size_t i = 0; row == NULL && i < set->row_count; i++)
        if (set->rows[i]->kind == OPTION_PREFIX &&
            (size == option_set_prefix_size(set->rows[i]) ||
             size + 1 == option_set_prefix_size(set->rows[i])) &&
            strncmp(set->rows[i]->name, prefix, size) == 0)
            row = set->rows[i];
    REQUIRE(row != NULL);
    for (size_t i = 0; i < set->value_count; i++) {
        const struct option_value *value = &set->values[i];
        const bool is_last =
            i + 1 == set->value_count || strcmp(set->values[i + 1].name, value->name) != 0;
        if (value->row != row || !is_last || index-- != 0)
            continue;
        *out_name = value->name + option_set_prefix_size(row);
        *out_value = value->text;
        return true;
    }
    return false;
}

const char *option_repeated(const struct option_set *set, const char *name, size_t index)
{
    const struct option_row *row = option_set_row(set, name);
    REQUIRE(row != NULL);
    const struct option_value *final = value_of(set, name);
    if (final == NULL)
        return index == 0 ? row->fallback : NULL;
    const struct option_value *first = final;
    while (first > set->values && strcmp(first[-1].name, name) == 0 &&
           first[-1].origin == final->origin)
        first--;
    return index <= (size_t)(final - first) ? first[index].text : NULL;
}

static const char *origin_name(enum option_origin origin)
{
    switch (origin) {
    case ORIGIN_DEFAULT:
        return "default";
    case ORIGIN_FILE:
        return "file";
    case ORIGIN_ENVIRONMENT:
        return "environment";
    case ORIGIN_ARGUMENT:
        return "argument";
    }
    UNREACHABLE("no such origin");
}

/* kafka.* takes any property, so its row cannot say which are secret; their names do. */
static bool is_secret(const struct option_row *row, const char *name)
{
    static const char *const signs[] = {"password", "secret", "sasl.jaas", "key.pem", "token"};
    bool secret = row->secret;
    for (size_t i = 0; i < COUNT_OF(signs); i++)
        secret = secret || strstr(name, signs[i]) != NULL;
    return secret;
}

static void print_value(const struct option_row *row, const char *name, const char *text,
                        enum option_origin origin)
{
    /* redis://user:password@host: the password goes, the rest tells where. */
    const char *scheme = strstr(text, "://");
    const char *host = scheme == NULL ? NULL : strchr(scheme + 3, '@');
    const char *colon = host == NULL ? NULL : memchr(scheme + 3, ':', (size_t)(host - scheme) - 3);
    if (is_secret(row, name))
        printf("%s=***  # %s\n", name, origin_name(origin));
    else if (colon != NULL)
        printf("%s=%.*s***%s  # %s\n", name, (int)(colon + 1 - text), text, host,
               origin_name(origin));
    else
        printf("%s=%s  # %s\n", name, text, origin_name(origin));
}

void option_print(const struct option_set *set)
{
    REQUIRE(set != NULL);
    for (size_t i = 0; i < set->row_count; i++) {
        const struct option_row *row = set->rows[i];
        bool given = false;
        for (size_t j = 0; j < set->value_count; j++) {
            const struct option_value *value = &set->values[j];
            const struct option_value *final = value_of(set, value->name);
            if (value->row != row || value->origin != final->origin)
                continue;
            if (row->kind == OPTION_PREFIX && value != final)
                continue; /* one value a name */
            print_value(row, value->name, value->text, value->origin);
            given = true;
        }
        if (!given && row->fallback != NULL)
            print_value(row, row->name, row->fallback, ORIGIN_DEFAULT);
    }
}
