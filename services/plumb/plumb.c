#include "plumb.h"
#include "memory/buffer.h"

#include <errno.h>
#include <stdarg.h>

enum { PLUMB_CONTRACT_SIZE_MAX = 1024 * 1024 };

int plumb_exit_code(enum fault fault)
{
    if (fault == FAULT_NONE)
        return PLUMB_DONE;
    if (fault == FAULT_KAFKA_UNREACHABLE || fault == FAULT_REDIS_UNREACHABLE ||
        fault == FAULT_HTTP_UNREACHABLE)
        return PLUMB_UNREACHABLE;
    if (fault == FAULT_CONTRACT_INVALID || fault == FAULT_FILE_MALFORMED ||
        fault == FAULT_SCHEMA_INVALID)
        return PLUMB_CONFIGURATION;
    if (fault == FAULT_OPTION_INVALID || fault == FAULT_FILE_UNREADABLE)
        return PLUMB_USAGE;
    return fault_class(fault) == FAULT_CLASS_RETRY ? PLUMB_TRY_AGAIN : PLUMB_OUR_FAULT;
}

void plumb_say(const char *command, const char *format, ...)
{
    (void)fprintf(stderr, "plumb %s: ", command);
    va_list arguments;
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}

int plumb_fail(const char *command, enum fault fault, const struct reason *reason)
{
    REQUIRE(fault != FAULT_NONE);
    if (fault == FAULT_CONTRACT_INVALID || fault == FAULT_FILE_MALFORMED)
        (void)fprintf(stderr, "%s\n", reason->text);
    else
        plumb_say(command, "%s", reason->text);
    return plumb_exit_code(fault);
}

static enum fault read_whole(const char *file_name, struct buffer *text, struct reason *out_reason)
{
    errno = 0;
    FILE *file = fopen(file_name, "rb");
    if (file != NULL) {
        char piece[4096];
        for (size_t size; text->size <= PLUMB_CONTRACT_SIZE_MAX &&
                          (size = fread(piece, 1, sizeof piece, file)) > 0;)
            buffer_append(text, piece, size);
        const bool broken = ferror(file) != 0;
        (void)fclose(file);
        if (!broken)
            return FAULT_NONE;
    }
    reason_set(out_reason, "%s:1:1: %s", file_name, strerror(errno));
    return FAULT_CONTRACT_INVALID;
}

enum fault plumb_contract_read(const char *file_name, struct contract **out_contract,
                               struct reason *out_reason)
{
    struct buffer text = {0};
    enum fault fault = read_whole(file_name, &text, out_reason);
    if (fault == FAULT_NONE)
        fault = contract_parse(file_name, buffer_span(&text), out_contract, out_reason);
    buffer_fini(&text);
    return fault;
}
