#include "model/value.h"
#include "avro/utf8.h"

#include <math.h>

static bool malformed(struct skim *skim, const char *what)
{
    return skim_fail(skim, FAULT_RECORD_MALFORMED, what);
}

static bool read_integer(struct skim *skim, enum schema_kind kind, struct value *out)
{
    if (!wire_read_long(&skim->wire, &out->integer))
        return malformed(skim, "the bytes end, or no integer");
    if (kind == SCHEMA_INT && (out->integer < INT32_MIN || out->integer > INT32_MAX))
        return malformed(skim, "an int of more than 32 bits");
    out->kind = VALUE_LONG;
    out->number = (double)out->integer;
    return true;
}

static bool read_number(struct skim *skim, enum schema_kind kind, struct value *out)
{
    float narrow = 0;
    out->kind = VALUE_DOUBLE;
    if (kind == SCHEMA_DOUBLE)
        return wire_read_double(&skim->wire, &out->number) || malformed(skim, "the bytes end");
    if (!wire_read_float(&skim->wire, &narrow))
        return malformed(skim, "the bytes end");
    out->number = (double)narrow;
    return true;
}

static bool read_text(struct skim *skim, struct value *out)
{
    out->kind = VALUE_TEXT;
    if (!wire_read_bytes(&skim->wire, &out->text))
        return malformed(skim, "longer than the bytes left");
    return utf8_is_valid(out->text) || malformed(skim, "not UTF-8");
}

static bool read_symbol(struct skim *skim, const struct schema_node *node, struct value *out)
{
    size_t index = 0;
    if (!skim_index(skim, node->symbol_count, &index))
        return false;
    out->kind = VALUE_TEXT;
    out->text = span_text(node->symbols[index]);
    return true;
}

static bool read_boolean(struct skim *skim, struct value *out)
{
    out->kind = VALUE_BOOLEAN;
    return wire_read_boolean(&skim->wire, &out->boolean) || malformed(skim, "no boolean");
}

/* The branch that a union has taken; any other node is its own. */
bool value_branch(struct skim *skim, const struct schema_node **node)
{
    size_t index = 0;
    if ((*node)->kind != SCHEMA_UNION)
        return true;
    if (!skim_index(skim, (*node)->field_count, &index))
        return false;
    *node = (*node)->fields[index].type;
    return true;
}

bool value_read(struct skim *skim, const struct schema_node *node, unsigned depth,
                struct value *out)
{
    *out = (struct value){.kind = VALUE_NULL};
    if (!value_branch(skim, &node))
        return false;
    switch (node->kind) {
    case SCHEMA_NULL:
        return skim_enter(skim, depth);
    case SCHEMA_BOOLEAN:
        return read_boolean(skim, out);
    case SCHEMA_INT:
    case SCHEMA_LONG:
        return read_integer(skim, node->kind, out);
    case SCHEMA_FLOAT:
    case SCHEMA_DOUBLE:
        return read_number(skim, node->kind, out);
    case SCHEMA_STRING:
        return read_text(skim, out);
    case SCHEMA_ENUM:
        return read_symbol(skim, node, out);
    case SCHEMA_BYTES:
    case SCHEMA_RECORD:
    case SCHEMA_ARRAY:
    case SCHEMA_MAP:
    case SCHEMA_UNION:
    case SCHEMA_FIXED:
        break;
    }
    out->kind = VALUE_OTHER;
    return skim_over(skim, node, depth + 1);
}

static int write_number(double number, char scratch[40])
{
    /* Whole numbers as the integers they are, so that 1 and 1.0 are one category; 2^63 and above do
     * not convert. */
    if (number >= -0x1p63 && number < 0x1p63 && number == floor(number))
        return snprintf(scratch, 40, "%lld", (long long)number);
    if (isnan(number)) /* one category, whatever its sign */
        return snprintf(scratch, 40, "nan");
    int size = 0;
    for (int digits = 15; digits <= 17; digits++) {
        size = snprintf(scratch, 40, "%.*g", digits, number);
        if (strtod(scratch, NULL) == number)
            break;
    }
    return size;
}

struct span value_category(const struct value *value, char scratch[40])
{
    REQUIRE(value != NULL);
    switch (value->kind) {
    case VALUE_TEXT:
        return value->text;
    case VALUE_BOOLEAN:
        return span_text(value->boolean ? "true" : "false");
    case VALUE_LONG:
        return span_of(scratch, (size_t)snprintf(scratch, 40, "%lld", (long long)value->integer));
    case VALUE_DOUBLE:
        return span_of(scratch, (size_t)write_number(value->number, scratch));
    case VALUE_MISSING:
    case VALUE_NULL:
    case VALUE_OTHER:
        break;
    }
    return span_of(NULL, 0);
}
