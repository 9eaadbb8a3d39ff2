/* plumb dead-letters: finds the verb. Without one it lists, as it did before there were any. */
#include "arguments.h"
#include "dead_letters.h"
#include "listing.h"
#include "plumb.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} verbs[] = {
    {"list", dead_letters_list},
    {"show", dead_letters_show},
    {"requeue", dead_letters_requeue},
    {"reasons", dead_letters_reasons},
};

static const struct {
    const char *reason, *sentence;
} reasons[] = {
#define REASON(name, sentence) {#name, sentence},
#include "schemas/reasons.def"
#undef REASON
};
static const struct listing_column reason_columns[] = {
    {"reason", "REASON", LISTING_WORD},
    {"sentence", "MEANS", LISTING_TEXT},
    {NULL, NULL, LISTING_TEXT},
};

int dead_letters_reasons(int argc, char **argv)
{
    int code;
    struct option_set *options = arguments_read(
        &(struct arguments_spec){.command = "dead-letters reasons",
                                 .usage = "plumb dead-letters reasons [--output json]",
                                 .summary = "Lists why a record can be refused or marked.",
                                 .parts = ARGUMENTS_OUTPUT},
        argc, argv, &code);
    if (options == NULL)
        return code;
    struct listing *listing = listing_open(option_text(options, "output"));
    listing_columns(listing, reason_columns);
    for (size_t i = 0; i < COUNT_OF(reasons); i++)
        listing_add(listing, json_pack("{s:s, s:s}", "reason", reasons[i].reason, "sentence",
                                       reasons[i].sentence));
    option_set_destroy(options);
    return listing_close(listing) ? PLUMB_DONE : PLUMB_OUR_FAULT;
}

int plumb_dead_letters_run(int argc, char **argv)
{
    REQUIRE(argc >= 1);
    if (argc == 1 || argv[1][0] == '-')
        return dead_letters_list(argc, argv);
    const char *names[COUNT_OF(verbs) + 1] = {NULL};
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        names[i] = verbs[i].name;
        if (strcmp(verbs[i].name, argv[1]) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    }
    const char *near = option_nearest(argv[1], names);
    if (near != NULL)
        plumb_say("dead-letters", "no such verb: '%s' (did you mean %s?)", argv[1], near);
    else
        plumb_say("dead-letters", "no such verb: '%s' (list, show, requeue or reasons)", argv[1]);
    return PLUMB_USAGE;
}
