#include "listing.h"
#include "check/check.h"
#include "clock/wall.h"
#include "memory/buffer.h"
#include "memory/heap.h"
#include "presentation.h"

enum { LISTING_WIDTH = 80, LISTING_COLUMNS_MAX = 12, LISTING_GAP = 2, LISTING_NARROWEST = 6 };

struct row {
    int rank;
    int64_t order;
    char *text; /* owned: the object as JSON */
};

struct listing {
    enum listing_form form;
    const struct listing_column *columns; /* borrowed; NULL: none told */
    struct row *rows;                     /* owned, [capacity] */
    size_t count, capacity;
    size_t page;    /* rows after which they are printed, unsorted; 0: at the end, sorted */
    size_t printed; /* rows that are out */
};

static void print_rows(struct listing *listing, FILE *out);

struct listing *listing_open(const char *form)
{
    REQUIRE(form != NULL);
    struct listing *listing = heap_zeroed(1, sizeof *listing);
    listing->form = strcmp(form, "json") == 0    ? LISTING_JSON
                    : strcmp(form, "jsonl") == 0 ? LISTING_JSONL
                                                 : LISTING_TABLE;
    return listing;
}

void listing_columns(struct listing *listing, const struct listing_column *columns)
{
    listing->columns = columns;
}

void listing_page(struct listing *listing, size_t rows)
{
    REQUIRE(rows > 0);
    listing->page = rows;
}

static int append(const char *bytes, size_t size, void *context)
{
    buffer_append(context, bytes, size);
    return 0;
}

static char *text_of(const json_t *value)
{
    struct buffer buffer = {0};
    const int wrong = json_dump_callback(value, append, &buffer, JSON_COMPACT | JSON_ENCODE_ANY);
    ENSURE(wrong == 0);
    char *text = span_copied(buffer_span(&buffer));
    buffer_fini(&buffer);
    return text;
}

void listing_add(struct listing *listing, json_t *object)
{
    REQUIRE(listing != NULL);
    REQUIRE(object != NULL);
    if (listing->count == listing->capacity) {
        listing->capacity = listing->capacity == 0 ? 64 : listing->capacity * 2;
        listing->rows = heap_resized(listing->rows, listing->capacity, sizeof *listing->rows);
    }
    listing->rows[listing->count++] = (struct row){.rank = presentation_rank(object),
                                                   .order = presentation_order(object),
                                                   .text = text_of(object)};
    json_decref(object);
    if (listing->count == listing->page)
        print_rows(listing, stdout);
}

size_t listing_count(const struct listing *listing)
{
    return listing->count;
}

static int row_order(const void *left_, const void *right_)
{
    const struct row *left = left_, *right = right_;
    if (left->rank != right->rank)
        return left->rank < right->rank ? -1 : 1;
    if (left->order != right->order)
        return left->order < right->order ? -1 : 1;
    return strcmp(left->text, right->text);
}

/* ---- Cells */

static char *list_text(const json_t *list)
{
    struct buffer buffer = {0};
    size_t index;
    const json_t *item;
    json_array_foreach(list, index, item)
    {
        char *text = json_is_string(item) ? heap_text(json_string_value(item)) : text_of(item);
        buffer_format(&buffer, "%s%s", index == 0 ? "" : ", ", text);
        heap_release(text);
    }
    char *text = span_copied(buffer_span(&buffer));
    buffer_fini(&buffer);
    return text;
}

static char *cell_text(const json_t *value, enum listing_kind kind)
{
    if (value == NULL || json_is_null(value))
        return heap_text("-");
    if (kind == LISTING_TIME && json_is_integer(value)) {
        char time[32];
        return heap_text(wall_text(json_integer_value(value), time));
    }
    if (json_is_real(value))
        return heap_format("%.4g", json_real_value(value));
    if (json_is_string(value))
        return heap_text(json_string_value(value));
    return json_is_array(value) ? list_text(value) : text_of(value);
}

/* Control characters would break the table, and could command the terminal. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = ' ';
}

/* Code points: bytes that begin one. */
static size_t width_of(const char *text, size_t size)
{
    size_t width = 0;
    for (size_t i = 0; i < size; i++)
        width += ((unsigned char)text[i] & 0xc0) != 0x80;
    return width;
}

/* The bytes of the first `width` code points. */
static size_t size_of(const char *text, size_t width)
{
    size_t size = 0;
    while (text[size] != '\0') {
        if (((unsigned char)text[size] & 0xc0) != 0x80 && width-- == 0)
            break;
        size++;
    }
    return size;
}

/* How many bytes go into a line of `width`: at best up to a place where words end. */
static size_t line_size(const char *text, size_t width)
{
    const size_t whole = size_of(text, width);
    if (text[whole] == '\0')
        return whole;
    for (size_t size = whole; size > 0; size--)
        if (text[size] == ' ' || (size < whole && text[size - 1] == ' ') ||
            strchr(",-/@:_", text[size - 1]) != NULL)
            return size;
    return whole;
}

/* ---- Tables */

struct sheet {
    const struct listing_column *columns; /* borrowed */
    size_t column_count;
    size_t widths[LISTING_COLUMNS_MAX];
    char **cells; /* owned, [row_count * column_count]; row 0 has the titles */
    size_t row_count;
};

/* Takes from the widest column that may be broken until the line fits; titles stay whole. */
static void shrink(struct sheet *sheet)
{
    size_t total = 0;
    for (size_t i = 0; i < sheet->column_count; i++)
        if (sheet->columns[i].kind != LISTING_BELOW)
            total += sheet->widths[i] + (i == 0 ? 0 : LISTING_GAP);
    while (total > LISTING_WIDTH) {
        size_t widest = LISTING_COLUMNS_MAX;
        for (size_t i = 0; i < sheet->column_count; i++)
            if (sheet->columns[i].kind == LISTING_TEXT && sheet->widths[i] > LISTING_NARROWEST &&
                sheet->widths[i] > strlen(sheet->columns[i].title) &&
                (widest == LISTING_COLUMNS_MAX || sheet->widths[i] > sheet->widths[widest]))
                widest = i;
        if (widest == LISTING_COLUMNS_MAX)
            return;
        sheet->widths[widest]--;
        total--;
    }
}

/* Cuts one line of at most `width` off the text; *out_size: its bytes, without blanks at its end.
 */
static const char *cut_line(const char *text, size_t width, size_t *out_size)
{
    size_t size = line_size(text, width);
    const char *left = text + size;
    while (size > 0 && text[size - 1] == ' ')
        size--;
    *out_size = size;
    return left + strspn(left, " ");
}

static void put_blanks(FILE *out, size_t count)
{
    (void)fprintf(out, "%*s", (int)count, "");
}

static void put_below(FILE *out, const char *text)
{
    while (*text != '\0') {
        size_t size;
        const char *left = cut_line(text, LISTING_WIDTH - LISTING_GAP, &size);
        put_blanks(out, LISTING_GAP);
        (void)fwrite(text, 1, size, out);
        (void)fputc('\n', out);
        text = left;
    }
}

/* One row over as many lines as its longest cell needs, then what stands below. */
static void put_row(FILE *out, const struct sheet *sheet, char *const *cells)
{
    const char *left[LISTING_COLUMNS_MAX];
    for (size_t i = 0; i < sheet->column_count; i++)
        left[i] = sheet->columns[i].kind == LISTING_BELOW ? "" : cells[i];
    for (bool more = true; more;) {
        size_t owed = 0; /* blanks to print before the next text, so that no line ends in blanks */
        more = false;
        for (size_t i = 0; i < sheet->column_count; i++) {
            if (sheet->columns[i].kind == LISTING_BELOW)
                continue;
            const char *text = left[i];
            size_t size;
            left[i] = cut_line(text, sheet->widths[i], &size);
            more = more || *left[i] != '\0';
            const size_t width = width_of(text, size);
            const size_t blank = width < sheet->widths[i] ? sheet->widths[i] - width : 0;
            const bool right = sheet->columns[i].kind == LISTING_NUMBER;
            if (size > 0) {
                put_blanks(out, owed + (right ? blank : 0));
                (void)fwrite(text, 1, size, out);
                owed = (right ? 0 : blank) + LISTING_GAP;
            } else {
                owed += sheet->widths[i] + LISTING_GAP;
            }
        }
        (void)fputc('\n', out);
    }
    for (size_t i = 0; i < sheet->column_count; i++)
        if (sheet->columns[i].kind == LISTING_BELOW && strcmp(cells[i], "-") != 0)
            put_below(out, cells[i]);
}

static void fill(struct sheet *sheet, size_t row, size_t column, char *text)
{
    make_printable(text);
    sheet->cells[row * sheet->column_count + column] = text;
    const size_t width = width_of(text, strlen(text));
    if (width > sheet->widths[column])
        sheet->widths[column] = width;
}

/* Rows of one kind. */
static void print_sheet(const struct listing_column *columns, const struct row *rows, size_t count,
                        FILE *out)
{
    struct sheet sheet = {.columns = columns, .row_count = count + 1};
    while (columns[sheet.column_count].field != NULL)
        sheet.column_count++;
    REQUIRE(sheet.column_count <= LISTING_COLUMNS_MAX);
    sheet.cells = heap_zeroed(sheet.row_count * sheet.column_count, sizeof *sheet.cells);
    for (size_t j = 0; j < sheet.column_count; j++)
        fill(&sheet, 0, j, heap_text(columns[j].kind == LISTING_BELOW ? "-" : columns[j].title));
    for (size_t i = 0; i < count; i++) {
        json_t *object = json_loads(rows[i].text, JSON_ALLOW_NUL, NULL);
        for (size_t j = 0; j < sheet.column_count; j++)
            fill(&sheet, i + 1, j,
                 cell_text(json_object_get(object, columns[j].field), columns[j].kind));
        json_decref(object);
    }
    shrink(&sheet);
    for (size_t i = 0; i < sheet.row_count; i++)
        put_row(out, &sheet, sheet.cells + i * sheet.column_count);
    for (size_t i = 0; i < sheet.row_count * sheet.column_count; i++)
        heap_release(sheet.cells[i]);
    heap_release(sheet.cells);
}

static void print_tables(const struct listing *listing, FILE *out)
{
    for (size_t first = 0, after; first < listing->count; first = after) {
        after = first + 1;
        while (after < listing->count && listing->rows[after].rank == listing->rows[first].rank)
            after++;
        json_t *object = json_loads(listing->rows[first].text, JSON_ALLOW_NUL, NULL);
        const struct listing_column *columns =
            presentation_columns(json_string_value(json_object_get(object, "record")));
        json_decref(object);
        if (columns == NULL)
            columns = listing->columns;
        REQUIRE(columns != NULL);
        if (first > 0)
            (void)fputc('\n', out);
        print_sheet(columns, listing->rows + first, after - first, out);
    }
}

/* Prints the rows that are there, and lets them go. */
static void print_rows(struct listing *listing, FILE *out)
{
    if (listing->count > 1 && listing->page == 0)
        qsort(listing->rows, listing->count, sizeof *listing->rows, row_order);
    if (listing->form == LISTING_TABLE && listing->count > 0) {
        if (listing->printed > 0)
            (void)fputc('\n', out);
        print_tables(listing, out);
    }
    for (size_t i = 0; i < listing->count; i++) {
        if (listing->form == LISTING_JSON)
            (void)fputs(listing->printed + i == 0 ? "[\n" : ",\n", out);
        if (listing->form != LISTING_TABLE)
            (void)fputs(listing->rows[i].text, out);
        if (listing->form == LISTING_JSONL)
            (void)fputc('\n', out);
        heap_release(listing->rows[i].text);
    }
    listing->printed += listing->count;
    listing->count = 0;
}

bool listing_print(struct listing *listing, FILE *out)
{
    REQUIRE(listing != NULL);
    print_rows(listing, out);
    if (listing->form == LISTING_JSON)
        (void)fputs(listing->printed == 0 ? "[]\n" : "\n]\n", out);
    return fflush(out) == 0 && ferror(out) == 0;
}

bool listing_close(struct listing *listing)
{
    if (listing == NULL)
        return true;
    const bool written = listing_print(listing, stdout);
    listing_destroy(listing);
    return written;
}

void listing_destroy(struct listing *listing)
{
    if (listing == NULL)
        return;
    for (size_t i = 0; i < listing->count; i++)
        heap_release(listing->rows[i].text);
    heap_release(listing->rows);
    heap_release(listing);
}
