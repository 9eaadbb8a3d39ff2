#include "letter_choice.h"
#include "arguments.h"
#include "memory/heap.h"
#include "plumb.h"
#include "services/validator/rejection.h"

/* Reading over a gap is cheaper than asking anew. */
enum { GAP_MAX = 1000 };

static int place_order(const void *left, const void *right)
{
    return letter_place_order(left, right);
}

static bool read_places(const char *command, const struct option_set *options,
                        struct letter_choice *choice)
{
    const size_t count = option_positional_count(options);
    choice->places = heap_zeroed(count + 1, sizeof *choice->places);
    for (size_t i = 0; i < count; i++) {
        const char *text = option_positional(options, i);
        if (!letter_place_parse(span_text(text), &choice->places[i])) {
            plumb_say(command, "'%s' is no place of a letter: PARTITION:OFFSET, as list shows it",
                      text);
            return false;
        }
    }
    if (count > 1)
        qsort(choice->places, count, sizeof *choice->places, place_order);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || letter_place_order(&choice->places[i - 1], &choice->places[i]) != 0)
            choice->places[choice->place_count++] = choice->places[i];
    return true;
}

static bool read_reason(const char *command, const char *reason)
{
    const char *names[REJECTION_CODE_COUNT + 1] = {NULL};
    for (int code = 0; code < REJECTION_CODE_COUNT; code++) {
        names[code] = rejection_name((enum rejection_code)code);
        if (reason == NULL || strcmp(names[code], reason) == 0)
            return true;
    }
    const char *near = option_nearest(reason, names);
    if (near != NULL)
        plumb_say(command, "--reason: there is no '%s' (did you mean %s?)", reason, near);
    else
        plumb_say(command, "--reason: there is no '%s' (plumb dead-letters reasons)", reason);
    return false;
}

static bool read_limit(const char *command, const struct option_set *options,
                       struct letter_choice *choice)
{
    const int64_t limit = option_number(options, "limit");
    if (limit < 0 || (limit == 0 && option_is_given(options, "limit"))) {
        plumb_say(command, "--limit: from 1 on");
        return false;
    }
    choice->limit = (uint64_t)limit;
    return true;
}

bool letter_choice_read(const char *command, const struct option_set *options,
                        struct letter_choice *out_choice)
{
    struct letter_choice choice = {.reason = option_text(options, "reason"),
                                   .column = option_text(options, "column"),
                                   .model = option_text(options, "model")};
    int code;
    if (!read_reason(command, choice.reason) || !read_limit(command, options, &choice) ||
        !arguments_time(command, options, "since", INT64_MIN, &choice.since_ms, &code) ||
        !arguments_time(command, options, "until", INT64_MAX, &choice.until_ms, &code) ||
        !read_places(command, options, &choice)) {
        letter_choice_fini(&choice);
        return false;
    }
    *out_choice = choice;
    return true;
}

bool letter_choice_places(const char *command, const struct option_set *options,
                          struct letter_choice *out_choice)
{
    struct letter_choice choice = {.since_ms = INT64_MIN, .until_ms = INT64_MAX};
    if (!read_places(command, options, &choice)) {
        letter_choice_fini(&choice);
        return false;
    }
    *out_choice = choice;
    return true;
}

static bool is_chosen(const struct letter_choice *choice, const struct letter_place *place)
{
    return choice->place_count == 0 || bsearch(place, choice->places, choice->place_count,
                                               sizeof *choice->places, place_order) != NULL;
}

bool letter_choice_fits(const struct letter_choice *choice, const struct letter *letter)
{
    return letter->time_ms >= choice->since_ms && letter->time_ms < choice->until_ms &&
           (choice->reason == NULL || span_is(letter->reason, choice->reason)) &&
           (choice->column == NULL || span_is(letter->column, choice->column)) &&
           is_chosen(choice, &letter->place);
}

size_t letter_choice_run(const struct letter_choice *choice, size_t index)
{
    size_t after = index;
    while (after < choice->place_count &&
           (after == index ||
            (choice->places[after].partition == choice->places[index].partition &&
             choice->places[after].offset - choice->places[after - 1].offset <= GAP_MAX)))
        after++;
    return after - index;
}

void letter_choice_fini(struct letter_choice *choice)
{
    heap_release(choice->places);
    choice->places = NULL;
    choice->place_count = 0;
}
