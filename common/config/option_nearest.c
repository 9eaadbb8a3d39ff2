#include "config/option.h"

/* Longer names are not worth a suggestion; the limit keeps the rows on the stack. */
enum { NEAREST_SIZE_MAX = 63 };

static size_t least(size_t a, size_t b, size_t c)
{
    const size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Optimal string alignment: insertions, deletions, replacements and swaps of neighbours cost 1
 * each. */
static size_t distance(const char *left, size_t left_size, const char *right, size_t right_size)
{
    size_t rows[3][NEAREST_SIZE_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= right_size; j++)
        above[j] = j;
    for (size_t i = 1; i <= left_size; i++) {
        row[0] = i;
        for (size_t j = 1; j <= right_size; j++) {
            const size_t replaced = above[j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1);
            row[j] = least(above[j] + 1, row[j - 1] + 1, replaced);
            if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] &&
                before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        size_t *const oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[right_size];
}

const char *option_nearest(const char *name, const char *const names[])
{
    REQUIRE(name != NULL);
    REQUIRE(names != NULL);
    const size_t size = strlen(name);
    if (size == 0 || size > NEAREST_SIZE_MAX)
        return NULL;
    /* Near: at most one slip in three letters, and never all of a name. */
    const size_t near = size <= 3 ? 1 : size <= 6 ? 2 : 3;
    const char *nearest = NULL;
    size_t nearest_distance = near + 1;
    for (size_t i = 0; names[i] != NULL; i++) {
        const size_t other_size = strlen(names[i]);
        if (other_size == 0 || other_size > NEAREST_SIZE_MAX)
            continue;
        const size_t here = distance(name, size, names[i], other_size);
        if (here < nearest_distance && here < size && here < other_size) {
            nearest_distance = here;
            nearest = names[i];
        }
    }
    return nearest;
}
