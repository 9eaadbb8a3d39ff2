#include "config/option_set.h"
#include "memory/buffer.h"
#include "memory/heap.h"

enum { HELP_WIDTH = 80, HELP_INDENT = 28 };

/* Writes the words from column `at` on, broken before HELP_WIDTH; later lines begin at `indent`. */
static void put_wrapped(const char *text, size_t at, size_t indent)
{
    for (const char *word = text; *word != 0;) {
        const size_t size = strcspn(word, " ");
        if (size != 0) {
            if (at > indent && at + 1 + size > HELP_WIDTH) {
                printf("\n%*s", (int)indent, "");
                at = indent;
            } else if (at > indent) {
                (void)putchar(' ');
                at++;
            }
            printf("%.*s", (int)size, word);
            at += size;
        }
        word += size + (word[size] == ' ' ? 1 : 0);
    }
    (void)putchar('\n');
}

/* "--arrival broker|header": heap text. */
static char *left_side(const struct option_row *row)
{
    const char *dashes = strlen(row->name) == 1 ? "-" : "--";
    switch (row->kind) {
    case OPTION_TEXT:
        return heap_format("  %s%s TEXT", dashes, row->name);
    case OPTION_NUMBER:
        return heap_format("  %s%s NUMBER", dashes, row->name);
    case OPTION_DURATION:
        return heap_format("  %s%s TIME", dashes, row->name);
    case OPTION_CHOICE:
        return heap_format("  %s%s %s", dashes, row->name, row->choices);
    case OPTION_PREFIX:
        return heap_format("  --%.*sNAME VALUE", (int)option_set_prefix_size(row), row->name);
    case OPTION_FLAG:
        break;
    }
    return heap_format("  %s%s", dashes, row->name);
}

static void put_row(const struct option_row *row)
{
    char *left = left_side(row);
    char *right =
        row->fallback == NULL || row->kind == OPTION_FLAG
            ? heap_text(row->help == NULL ? "" : row->help)
            : heap_format("%s (default: %s)", row->help == NULL ? "" : row->help, row->fallback);
    printf("%s", left);
    const size_t size = strlen(left);
    if (size + 2 > HELP_INDENT)
        printf("\n%*s", HELP_INDENT, "");
    else
        printf("%*s", (int)(HELP_INDENT - size), "");
    put_wrapped(right, HELP_INDENT, HELP_INDENT);
    heap_release(right);
    heap_release(left);
}

void option_help(const struct option_set *set, const char *usage, const char *summary)
{
    REQUIRE(set != NULL);
    if (summary != NULL)
        put_wrapped(summary, 0, 0);
    if (usage != NULL) {
        printf("\nusage: ");
        put_wrapped(usage, 7, 7);
    }
    if (set->row_count == 0)
        return;
    printf("\noptions:\n");
    bool reads_file = false;
    for (size_t i = 0; i < set->row_count; i++) {
        put_row(set->rows[i]);
        reads_file = reads_file || strcmp(set->rows[i]->name, "config") == 0;
    }
    (void)putchar('\n');
    put_wrapped(reads_file
                    ? "Each option may also stand in the file of --config (name: value) or in the "
                      "environment (PLUMB_NAME, with _ for dots and dashes); arguments beat the "
                      "environment, the environment beats the file."
                    : "Each option may also stand in the environment (PLUMB_NAME, with _ for dots "
                      "and dashes); arguments beat the environment.",
                0, 0);
}
