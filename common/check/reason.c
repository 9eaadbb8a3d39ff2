#include "check/reason.h"

#include <stdarg.h>

void reason_set(struct reason *reason, const char *format, ...)
{
    if (reason == NULL)
        return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reason->text, sizeof reason->text, format, arguments);
    va_end(arguments);
}

void reason_wrap(struct reason *reason, const char *format, ...)
{
    if (reason == NULL)
        return;
    char context[sizeof reason->text];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(context, sizeof context, format, arguments);
    va_end(arguments);
    char inner[sizeof reason->text];
    memcpy(inner, reason->text, sizeof inner);
    const size_t size = (size_t)snprintf(reason->text, sizeof reason->text, "%s: ", context);
    if (size < sizeof reason->text) {
        const size_t room = sizeof reason->text - size - 1, inner_size = strlen(inner);
        const size_t kept = inner_size < room ? inner_size : room;
        memcpy(reason->text + size, inner, kept);
        reason->text[size + kept] = '\0';
    }
}
