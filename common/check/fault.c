#include "check/fault.h"

static const struct {
    const char *name, *text;
    enum fault_class class;
} rows[FAULT_COUNT] = {
    [FAULT_NONE] = {"none", "no fault", FAULT_CLASS_NONE},
#define FAULT(name, class, text) [FAULT_##name] = {#name, text, FAULT_CLASS_##class},
#include "check/fault.def"
#undef FAULT
};

const char *fault_name(enum fault fault)
{
    REQUIRE((unsigned)fault < FAULT_COUNT);
    return rows[fault].name;
}

const char *fault_text(enum fault fault)
{
    REQUIRE((unsigned)fault < FAULT_COUNT);
    return rows[fault].text;
}

enum fault_class fault_class(enum fault fault)
{
    REQUIRE((unsigned)fault < FAULT_COUNT);
    return rows[fault].class;
}
