#include "avro/value.h"

#include <math.h>

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
