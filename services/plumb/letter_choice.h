/* letter_choice.h: which dead letters a command is about: filters, or places given one by one.
 *
 * Owner    embedded in the caller: letter_choice_read, letter_choice_fini. Texts are borrowed from
 * the options.     Thread  one. Memory   places: as many as were given.
 */
#ifndef LETTER_CHOICE_H
#define LETTER_CHOICE_H
#include "config/option.h"
#include "letter.h"

/* The filters' rows, for a command's table. */
#define LETTER_CHOICE_ROWS                                                                         \
    {.name = "reason", .kind = OPTION_TEXT, .help = "only with this reason"},                      \
        {.name = "column", .kind = OPTION_TEXT, .help = "only of this column"},                    \
        {.name = "model",                                                                          \
         .kind = OPTION_TEXT,                                                                      \
         .help = "only of this model, where the value tells it"},                                  \
        {.name = "since", .kind = OPTION_TEXT, .help = "only refused from this time on"},          \
        {.name = "until", .kind = OPTION_TEXT, .help = "only refused before this time"},           \
    {                                                                                              \
        .name = "limit", .kind = OPTION_NUMBER, .help = "at most so many"                          \
    }

struct letter_choice {
    const char *reason, *column, *model; /* borrowed; NULL: any */
    int64_t since_ms, until_ms;          /* [since, until) */
    uint64_t limit;                      /* 0: none */
    bool only_open;                      /* not those that were sent back already */
    struct letter_place *places; /* owned, sorted, each once; of these only, where there are any */
    size_t place_count;
};
/* From the options and the positional arguments, each PARTITION:OFFSET. false: what is wrong was
 * said (usage). */
bool letter_choice_read(const char *command, const struct option_set *options,
                        struct letter_choice *out_choice);
/* The same of places alone, for a command without the filters' rows. */
bool letter_choice_places(const char *command, const struct option_set *options,
                          struct letter_choice *out_choice);
/* All but model, limit and only_open. */
bool letter_choice_fits(const struct letter_choice *choice, const struct letter *letter);
/* How many places from `index` on lie near one another in one partition, worth one read; 0: no
 * more. */
size_t letter_choice_run(const struct letter_choice *choice, size_t index);
void letter_choice_fini(struct letter_choice *choice);
#endif
