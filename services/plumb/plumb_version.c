/* plumb version: which build this is. */
#include "arguments.h"
#include "plumb.h"

#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <zlib.h>

int plumb_version_run(int argc, char **argv)
{
    static const struct option_row rows[] = {
        {.name = "json", .kind = OPTION_FLAG, .help = "print one JSON object"},
        {.name = NULL},
    };
    int code;
    struct option_set *options =
        arguments_read(&(struct arguments_spec){.command = "version",
                                                .usage = "plumb version [--json]",
                                                .summary = "Prints the version.",
                                                .rows = rows},
                       argc, argv, &code);
    if (options == NULL)
        return code;
    if (option_flag(options, "json"))
        printf("{\"name\":\"plumb\",\"version\":\"%s\",\"compiler\":\"%s\",\"librdkafka\":\"%s\","
               "\"jansson\":\"%s\",\"zlib\":\"%s\"}\n",
               PLUMB_VERSION, __VERSION__, rd_kafka_version_str(), jansson_version_str(),
               zlibVersion());
    else
        printf("plumb %s\n", PLUMB_VERSION);
    option_set_destroy(options);
    return PLUMB_DONE;
}
