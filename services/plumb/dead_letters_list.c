/* plumb dead-letters list: which letters there are, or how many of what and since when. */
#include "arguments.h"
#include "container/table.h"
#include "dead_letters.h"
#include "letter_post.h"
#include "listing.h"
#include "memory/heap.h"
#include "plumb.h"
#include "presentation.h"

enum { PAGE_ROWS = 1000, KINDS_MAX = 10000, KIND_COLUMN_MAX = 255 };

static const struct option_row rows[] = {
    LETTER_CHOICE_ROWS,
    {.name = "open", .kind = OPTION_FLAG, .help = "only those that were not sent back yet"},
    {.name = "count",
     .kind = OPTION_FLAG,
     .help = "how many, by reason and column, and since when"},
    {.name = NULL},
};
static const struct listing_column letter_columns[] = {
    {"letter", "LETTER", LISTING_WORD}, {"time", "REFUSED", LISTING_TIME},
    {"state", "STATE", LISTING_WORD},   {"reason", "REASON", LISTING_TEXT},
    {"column", "COLUMN", LISTING_TEXT}, {"detail", "", LISTING_BELOW},
    {NULL, NULL, LISTING_TEXT},
};
static const struct listing_column count_columns[] = {
    {"letters", "ALL", LISTING_NUMBER}, {"open", "OPEN", LISTING_NUMBER},
    {"reason", "REASON", LISTING_TEXT}, {"column", "COLUMN", LISTING_TEXT},
    {"first", "FIRST", LISTING_TIME},   {"last", "LAST", LISTING_TIME},
    {NULL, NULL, LISTING_TEXT},
};

/* Letters of one reason and column. */
struct kind {
    char *reason, *column; /* owned; NULL: none */
    uint64_t letters, open;
    int64_t first_ms, last_ms;
};

struct list_run {
    const struct option_set *options;
    bool is_table;
    bool is_plain; /* only what plumb analyze, too, says of a dead letter (INTERFACES.md) */
    struct letter_post post;
    struct listing *listing;
    struct table
        *kinds; /* owned: reason, a zero and column → owned struct kind; NULL: not counted */
};

/* ---- --count */

static char *text_or_null(struct span text)
{
    return text.size == 0 ? NULL : span_copied(text);
}

static struct kind *kind_of(struct list_run *run, const struct letter *letter)
{
    struct span column = letter->column;
    if (column.size > KIND_COLUMN_MAX)
        column.size = KIND_COLUMN_MAX;
    struct buffer key = {0};
    buffer_append_span(&key, letter->reason);
    buffer_append_byte(&key, 0);
    buffer_append_span(&key, column);
    struct kind *kind = table_find(run->kinds, buffer_span(&key));
    if (kind == NULL && table_count(run->kinds) >= KINDS_MAX) {
        /* Columns' names come from the events: the reason's rest is counted together. */
        column = span_text("(others)");
        buffer_clear(&key);
        buffer_append_span(&key, letter->reason);
        buffer_append_byte(&key, 0);
        buffer_append_span(&key, column);
        kind = table_find(run->kinds, buffer_span(&key));
    }
    if (kind == NULL) {
        kind = heap_zeroed(1, sizeof *kind);
        *kind = (struct kind){.reason = text_or_null(letter->reason),
                              .column = text_or_null(column),
                              .first_ms = INT64_MAX,
                              .last_ms = INT64_MIN};
        (void)table_put(run->kinds, buffer_span(&key), kind);
    }
    buffer_fini(&key);
    return kind;
}

static void count(struct list_run *run, const struct letter *letter, bool is_open)
{
    struct kind *kind = kind_of(run, letter);
    kind->letters++;
    kind->open += is_open;
    if (letter->time_ms < kind->first_ms)
        kind->first_ms = letter->time_ms;
    if (letter->time_ms > kind->last_ms)
        kind->last_ms = letter->time_ms;
}

/* The most first; then by name, which table_sorted's order is. */
static int kind_order(const void *left_, const void *right_)
{
    const struct table_entry *left = left_, *right = right_;
    const struct kind *one = left->value, *other = right->value;
    if (one->letters != other->letters)
        return one->letters > other->letters ? -1 : 1;
    return span_order(left->key, right->key);
}

static json_t *text_of(const char *text)
{
    json_t *value = text == NULL ? json_null() : json_string(text);
    return value == NULL ? json_string("(not UTF-8)") : value;
}

static void list_kinds(struct list_run *run)
{
    const size_t size = table_count(run->kinds);
    struct table_entry *kinds = table_sorted(run->kinds);
    if (size > 1)
        qsort(kinds, size, sizeof *kinds, kind_order);
    for (size_t i = 0; i < size; i++) {
        struct kind *kind = kinds[i].value;
        listing_add(run->listing,
                    json_pack("{s:o, s:o, s:I, s:I, s:I, s:I}", "reason", text_of(kind->reason),
                              "column", text_of(kind->column), "letters", (json_int_t)kind->letters,
                              "open", (json_int_t)kind->open, "first", (json_int_t)kind->first_ms,
                              "last", (json_int_t)kind->last_ms));
        heap_release(kind->reason);
        heap_release(kind->column);
        heap_release(kind);
    }
    heap_release(kinds);
    table_destroy(run->kinds);
}

/* ---- the list */

static bool on_letter(void *context, const struct letter *letter, const struct record *record)
{
    struct list_run *run = context;
    const bool is_open = !requeued_has(run->post.requeued, letter);
    if (run->kinds != NULL) {
        count(run, letter, is_open);
        return true;
    }
    if (run->is_plain) {
        listing_add(run->listing, presentation_of_dead_letter(record));
        return true;
    }
    json_t *object = letter_object(record);
    (void)json_object_set_new(object, "state", json_string(is_open ? "open" : "requeued"));
    if (run->is_table)
        (void)json_object_del(object, "record"); /* whose columns are those of plumb analyze */
    listing_add(run->listing, object);
    return true;
}

static int list(struct list_run *run, const struct letter_choice *choice)
{
    int code = letter_post_open("dead-letters", run->options, &run->post);
    if (code != PLUMB_DONE)
        return code;
    code = letter_post_read_requeued(&run->post);
    if (option_flag(run->options, "count"))
        run->kinds = table_create();
    run->listing = listing_open(option_text(run->options, "output"));
    listing_columns(run->listing, run->kinds == NULL ? letter_columns : count_columns);
    listing_page(run->listing, PAGE_ROWS);
    struct letter_tally tally;
    if (code == PLUMB_DONE)
        code = letter_post_visit(&run->post, choice, on_letter, run, &tally);
    if (run->kinds != NULL)
        list_kinds(run);
    if (code != PLUMB_DONE)
        listing_destroy(run->listing);
    else if (!listing_close(run->listing))
        code = PLUMB_OUR_FAULT;
    letter_post_close(&run->post);
    return code;
}

int dead_letters_list(int argc, char **argv)
{
    REQUIRE(argc >= 1);
    int code;
    struct option_set *options = arguments_read(
        &(struct arguments_spec){
            .command = "dead-letters",
            .usage = "plumb dead-letters [list] [--count] [--reason R] [--since TIME] "
                     "[PARTITION:OFFSET...]",
            .summary = "Lists refused records, or counts them. It prints no values; `plumb "
                       "dead-letters show` does, `requeue` sends letters back to where they came "
                       "from, `reasons` lists why a record can be refused.",
            .rows = rows,
            .parts = ARGUMENTS_KAFKA | ARGUMENTS_OUTPUT,
            .most = SIZE_MAX},
        argc, argv, &code);
    if (options == NULL)
        return code;
    struct letter_choice choice;
    struct list_run run = {.options = options};
    run.is_table = strcmp(option_text(options, "output"), "table") == 0;
    run.is_plain = strcmp(argv[0], "list") != 0 && !run.is_table;
    code = PLUMB_USAGE;
    if (letter_choice_read("dead-letters", options, &choice)) {
        choice.only_open = option_flag(options, "open");
        code = list(&run, &choice);
        letter_choice_fini(&choice);
    }
    option_set_destroy(options);
    return code;
}
