#include "model/infer.h"
#include "container/table.h"
#include "memory/heap.h"
#include "model/contract.h"
#include "model/infer_column.h"
#include "model/rows.h"

#include <inttypes.h>
#include <math.h>
#include <strings.h>

enum { MULTICLASS_MAX = 20, COLUMNS_MAX = 10000, COMMENT_COLUMN = 40 };

struct bunch {
    struct infer_column **columns; /* owned list of owned columns, in the order met */
    size_t count;
    struct table *by_name; /* owned: name → struct infer_column, borrowed */
};
struct inference {
    struct bunch features, others; /* others: the envelope, the answer, the truth */
    uint64_t rows;
};

/* What a row may hold beside the features. */
static const char *const envelope[] = {
    "event_id", "request_id", "event_time", "model_name",   "model_version", "role",
    "status",   "error_code", "entity_id",  "features",     "prediction",    "score",
    "scores",   "confidence", "latency_ms", "attributions", "embedding",     "generation",
    "tags",     "label",      "label_time", "arrival_time"};
/* What monitors call the model's own; no feature can have the name. */
static const char *const reserved[] = {"prediction", "score", "confidence", "latency_ms"};

static bool is_among(const char *name, const char *const names[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static const struct infer_column *other_of(const struct inference *inference, const char *name)
{
    return table_find(inference->others.by_name, span_text(name));
}

static bool add(struct bunch *bunch, const char *name, struct value value, bool is_csv)
{
    struct infer_column *column = table_find(bunch->by_name, span_text(name));
    if (column == NULL) {
        if (bunch->count == COLUMNS_MAX)
            return false;
        column = infer_column_create(name);
        (void)table_put(bunch->by_name, span_text(name), column);
        bunch->columns = heap_resized(bunch->columns, bunch->count + 1, sizeof column);
        bunch->columns[bunch->count++] = column;
    }
    infer_column_add(column, &value, is_csv);
    return true;
}

/* The bunch of a column beside others of a row. */
static struct bunch *bunch_of(struct inference *inference, const char *name)
{
    const bool is_feature = !is_among(name, envelope, COUNT_OF(envelope)) &&
                            strncmp(name, "score_", strlen("score_")) != 0;
    return is_feature ? &inference->features : &inference->others;
}

/* An event with `features`, or a flat row; scores become score_<class>. */
static bool add_object(struct inference *inference, json_t *row)
{
    json_t *features = json_object_get(row, "features");
    const char *name;
    json_t *value;
    bool added = true;
    json_object_foreach(row, name, value)
    {
        struct bunch *bunch =
            json_is_object(features) ? &inference->others : bunch_of(inference, name);
        if (strcmp(name, "features") != 0 && strcmp(name, "scores") != 0)
            added = added && add(bunch, name, rows_json_value(value), false);
    }
    json_object_foreach(features, name, value)
    {
        added = added && add(&inference->features, name, rows_json_value(value), false);
    }
    json_object_foreach(json_object_get(row, "scores"), name, value)
    {
        char *score = heap_format("score_%s", name);
        added = added && add(&inference->others, score, rows_json_value(value), false);
        heap_release(score);
    }
    return added;
}

static enum fault gather(struct inference *inference, struct rows *rows, struct reason *out_reason)
{
    for (;;) {
        bool is_row = false, added = true;
        const enum fault fault = rows_next(rows, &is_row, out_reason);
        if (fault != FAULT_NONE || !is_row)
            return fault;
        inference->rows++;
        if (rows_format(rows) == ROWS_JSONL)
            added = add_object(inference, rows_object(rows));
        for (size_t i = 0; added && i < rows_column_count(rows); i++) {
            const char *name = rows_column(rows, i);
            added = add(bunch_of(inference, name), name, rows_field(rows, i), true);
        }
        if (!added) {
            rows_reason(rows, out_reason, "more than %d columns", COLUMNS_MAX);
            return FAULT_FILE_MALFORMED;
        }
    }
}

/* A text as YAML: bare where nobody could take it for something else, else in double quotes. */
static void put_text(struct buffer *out, const char *text)
{
    const size_t size = strlen(text);
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char others[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    const bool is_bare = size != 0 && strchr(letters, text[0]) != NULL &&
                         strspn(text, others) == size && strcasecmp(text, "null") != 0 &&
                         strcasecmp(text, "true") != 0 && strcasecmp(text, "false") != 0;
    if (is_bare) {
        buffer_append(out, text, size);
        return;
    }
    buffer_append_byte(out, '"');
    for (size_t i = 0; i < size; i++) {
        const unsigned char byte = (unsigned char)text[i];
        if (byte == '"' || byte == '\\')
            buffer_format(out, "\\%c", text[i]);
        else if (byte < 0x20 || byte == 0x7f)
            buffer_format(out, "\\x%02x", byte);
        else
            buffer_append_byte(out, byte);
    }
    buffer_append_byte(out, '"');
}

/* Ends the line that began at `start` with a comment, comments below one another where they fit. */
static void end_line(struct buffer *out, size_t start, const char *comment)
{
    const size_t used = out->size - start;
    buffer_format(out, "%*s# %s\n", used + 2 < COMMENT_COLUMN ? (int)(COMMENT_COLUMN - used) : 2,
                  "", comment);
}

static void put_head_line(struct buffer *out, const char *key, const char *text,
                          const char *comment)
{
    const size_t start = out->size;
    buffer_format(out, "%s: ", key);
    put_text(out, text);
    if (comment == NULL)
        buffer_append_byte(out, '\n');
    else
        end_line(out, start, comment);
}

/* label, else prediction; NULL where the rows have neither. */
static const struct infer_column *answer_of(const struct inference *inference)
{
    static const char *const names[] = {"label", "prediction"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct infer_column *column = other_of(inference, names[i]);
        if (column != NULL && column->present > column->nulls)
            return column;
    }
    return NULL;
}

static enum contract_task guess_task(const struct inference *inference, char comment[160])
{
    const struct infer_column *answer = answer_of(inference);
    if (answer == NULL) {
        const bool scored = other_of(inference, "score") != NULL;
        (void)snprintf(comment, 160, "a mere guess: no label or prediction%s",
                       scored ? ", but a score" : "");
        return scored ? TASK_BINARY : TASK_REGRESSION;
    }
    const size_t count = table_count(answer->values);
    (void)snprintf(comment, 160, "guessed: %s has %s%zu different value%s", answer->name,
                   answer->is_full ? "more than " : "", count, count == 1 ? "" : "s");
    if (count <= 2)
        return TASK_BINARY;
    const bool is_number = answer->numbers == answer->present - answer->nulls;
    return is_number && (!answer->is_whole || answer->is_full || count > MULTICLASS_MAX)
               ? TASK_REGRESSION
               : TASK_MULTICLASS;
}

/* Which of two classes is the positive one: by its name, else the rarer. "1" where nothing tells.
 * The classes are the names of scores, because the contract's `positive` must be one of them; else
 * the values of the label. Borrowed. */
static const char *guess_positive(const struct inference *inference)
{
    static const char *const known[] = {"1", "true", "yes", "positive", "up",      "fraud",
                                        "y", "spam", "bad", "churn",    "default", "t"};
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        char score[32];
        (void)snprintf(score, sizeof score, "score_%s", known[i]);
        const struct infer_column *column = other_of(inference, score);
        if (column != NULL)
            return column->name + strlen("score_");
    }
    for (size_t i = 0; i < inference->others.count; i++)
        if (strncmp(inference->others.columns[i]->name, "score_", strlen("score_")) == 0)
            return inference->others.columns[i]->name + strlen("score_");
    const struct infer_column *answer = answer_of(inference);
    if (answer == NULL)
        return "1";
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (table_find(answer->values, span_text(known[i])) != NULL)
            return known[i];
    struct table_entry *entries = table_sorted(answer->values);
    const struct infer_value *rarest = NULL;
    for (size_t i = 0; i < table_count(answer->values); i++) {
        const struct infer_value *value = entries[i].value;
        if (rarest == NULL || value->count < rarest->count)
            rarest = value;
    }
    heap_release(entries);
    return rarest == NULL ? "1" : rarest->text;
}

/* The file's name without folder and endings, without what a model's name may not hold. Heap text.
 */
static char *name_of_file(const char *file_name)
{
    const char *slash = strrchr(file_name, '/');
    char *name = heap_text(slash == NULL ? file_name : slash + 1);
    char *dot = strchr(name, '.');
    if (dot != NULL && dot != name)
        *dot = 0;
    for (char *letter = name; *letter != 0; letter++)
        if ((unsigned char)*letter < 0x20 || *letter == 0x7f || *letter == '@' || *letter == '#')
            *letter = '-';
    if (strcmp(name, "-") == 0 || name[0] == 0) {
        heap_release(name);
        return heap_text("model");
    }
    return name;
}

static void put_head(const struct inference *inference, const char *file_name,
                     const struct infer_options *options, struct buffer *out)
{
    static const char *const task_names[] = {[TASK_BINARY] = "binary",
                                             [TASK_MULTICLASS] = "multiclass",
                                             [TASK_REGRESSION] = "regression"};
    char *file = name_of_file(file_name);
    char *runbook =
        heap_format("https://runbooks.example/%s", options->model == NULL ? file : options->model);
    char comment[160];
    const enum contract_task task = guess_task(inference, comment);
    buffer_format(out,
                  "# Guessed from %" PRIu64 " rows. Each line is a guess from these rows alone: "
                  "read it, change it,\n# then plumb validate and plumb apply.\n",
                  inference->rows);
    put_head_line(out, "model", options->model == NULL ? file : options->model, NULL);
    put_head_line(out, "task", task_names[task], comment);
    if (task == TASK_BINARY)
        put_head_line(out, "positive",
                      options->positive == NULL ? guess_positive(inference) : options->positive,
                      "the key in `scores`, and the label that means it");
    put_head_line(out, "owner", options->owner == NULL ? "unknown" : options->owner,
                  options->owner == NULL ? "say who: every alert carries it" : NULL);
    put_head_line(out, "runbook", options->runbook == NULL ? runbook : options->runbook,
                  options->runbook == NULL ? "say where: every alert carries it" : NULL);
    heap_release(runbook);
    heap_release(file);
}

/* The shortest digits of the number that read back the same. */
static void put_number(struct buffer *out, double number)
{
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    buffer_append(out, text, strlen(text));
}

/* Three standard errors above what was seen, at least 1 %, rounded up to whole per mille. */
static double most_nulls(const struct infer_column *column)
{
    const double rows = (double)column->present;
    const double rate = column->present == 0 ? 0 : (double)column->nulls / rows;
    const double high = column->present == 0 ? 0 : rate + 3 * sqrt(rate * (1 - rate) / rows);
    const double rounded = ceil(high * 1000) / 1000;
    return rounded < 0.01 ? 0.01 : rounded > 1 ? 1 : rounded;
}

static void put_values(const struct infer_column *column, struct buffer *out)
{
    struct table_entry *entries = table_sorted(column->values);
    buffer_format(out, ", values: [");
    for (size_t i = 0; i < table_count(column->values); i++) {
        buffer_format(out, "%s", i == 0 ? "" : ", ");
        put_text(out, ((const struct infer_value *)entries[i].value)->text);
    }
    buffer_append_byte(out, ']');
    heap_release(entries);
}

static void put_column(const struct inference *inference, const struct infer_column *column,
                       struct buffer *out)
{
    static const char *const types[] = {[COLUMN_NUMBER] = "number",
                                        [COLUMN_CATEGORY] = "category",
                                        [COLUMN_BOOLEAN] = "boolean",
                                        [COLUMN_TEXT] = "text",
                                        [COLUMN_ID] = "id"};
    const enum column_type type = infer_column_type(column);
    struct buffer seen = {0}; /* the comment */
    const size_t start = out->size;
    buffer_append(out, "  ", 2);
    put_text(out, column->name);
    buffer_format(out, ": {type: %s", types[type]);
    if (type == COLUMN_NUMBER && column->finite > 0) {
        double low, high;
        infer_column_range(column, &low, &high);
        buffer_format(out, ", range: [");
        put_number(out, low);
        buffer_format(out, ", ");
        put_number(out, high);
        buffer_format(out, "]");
        if (column->minimum < column->maximum)
            buffer_format(&seen, "seen: %g to %g", column->minimum, column->maximum);
        else
            buffer_format(&seen, "seen: only %g", column->minimum);
    } else if (column->present == column->nulls) {
        buffer_format(&seen, "no value seen");
    } else {
        if (type == COLUMN_CATEGORY && infer_column_is_closed(column))
            put_values(column, out);
        buffer_format(&seen, "seen: %s%zu different", column->is_full ? "more than " : "",
                      table_count(column->values));
    }
    const double nulls = most_nulls(column);
    if (nulls < 1) {
        buffer_format(out, ", nulls: {max_rate: ");
        put_number(out, nulls);
        buffer_format(out, "}");
    }
    if (column->nulls != 0)
        buffer_format(&seen, ", %.3g %% null",
                      100 * (double)column->nulls / (double)column->present);
    if (column->present < inference->rows)
        buffer_format(out, ", required: false");
    buffer_format(out, "}");
    buffer_append_byte(&seen, 0);
    end_line(out, start, (const char *)seen.bytes);
    buffer_fini(&seen);
}

/* Whether a contract can have the column; if not, a comment says why it is left out. */
static bool is_possible(const struct infer_column *column, struct buffer *out)
{
    bool is_clean = column->name[0] != 0 && strlen(column->name) <= 255;
    for (const char *letter = column->name; *letter != 0; letter++)
        is_clean = is_clean && (unsigned char)*letter >= 0x20 && *letter != 0x7f;
    if (!is_clean || strcmp(column->name, "*") == 0 ||
        is_among(column->name, reserved, COUNT_OF(reserved)))
        buffer_format(out, "  # one column is left out: its name cannot be used\n");
    else if (column->others != 0)
        buffer_format(out, "  # %s is left out: it holds lists or objects\n", column->name);
    else
        return true;
    return false;
}

static void put_columns(const struct inference *inference, struct buffer *out)
{
    buffer_format(out, "\ncolumns:\n");
    for (size_t i = 0; i < inference->features.count; i++)
        if (is_possible(inference->features.columns[i], out))
            put_column(inference, inference->features.columns[i], out);
}

static void put_rest(struct buffer *out)
{
    buffer_format(
        out,
        "\nwindows: {pane: 1m, rolling: [1h], lateness: 30s, correction: 1h}\n"
        "\nmonitors:\n"
        "  # What comes in and what goes out, against the baseline (plumb baseline), by the usual "
        "bounds of PSI.\n"
        "  - {drift: psi, columns: \"*\", window: 1h, reference: baseline, warn: 0.1, critical: "
        "0.25, for: 2 of 3}\n"
        "  # Broken data. nulls: by each column's max_rate.\n"
        "  - {quality: nulls, columns: \"*\", window: 1h}\n"
        "  - {quality: range, columns: \"*\", window: 1h, max: 0.01}\n"
        "  - {quality: unseen, columns: \"*\", window: 1h, max: 0.01}\n"
        "\n# What may start a retraining, once the monitors have proved calm:\n"
        "# retrain: {when: [drift.critical], for: 3 windows, cooldown: 7d, min_labels: 0}\n");
}

static enum fault write_contract(const struct inference *inference, const char *file_name,
                                 const struct infer_options *options, struct buffer *out_yaml,
                                 struct reason *out_reason)
{
    struct buffer yaml = {0};
    struct contract *contract = NULL;
    put_head(inference, file_name, options, &yaml);
    put_columns(inference, &yaml);
    put_rest(&yaml);
    enum fault fault = contract_parse("inferred", buffer_span(&yaml), &contract, out_reason);
    if (fault != FAULT_NONE) {
        reason_wrap(out_reason, "%s: no contract comes of these rows", file_name);
        fault = FAULT_FILE_MALFORMED;
    }
    contract_destroy(contract);
    if (fault == FAULT_NONE)
        buffer_append_span(out_yaml, buffer_span(&yaml));
    buffer_fini(&yaml);
    return fault;
}

static void bunch_fini(struct bunch *bunch)
{
    for (size_t i = 0; i < bunch->count; i++)
        infer_column_destroy(bunch->columns[i]);
    heap_release(bunch->columns);
    table_destroy(bunch->by_name);
}

enum fault infer_contract(const char *file_name, const struct infer_options *options,
                          struct buffer *out_yaml, struct reason *out_reason)
{
    REQUIRE(file_name != NULL);
    REQUIRE(options != NULL);
    REQUIRE(out_yaml != NULL);
    struct rows *rows = NULL;
    enum fault fault = rows_open(file_name, &rows, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    struct inference inference = {.features = {.by_name = table_create()},
                                  .others = {.by_name = table_create()}};
    fault = gather(&inference, rows, out_reason);
    if (fault == FAULT_NONE && (inference.rows == 0 || inference.features.count == 0)) {
        reason_set(out_reason, "%s: no %s", file_name,
                   inference.rows == 0 ? "rows" : "columns of features");
        fault = FAULT_FILE_MALFORMED;
    }
    if (fault == FAULT_NONE)
        fault = write_contract(&inference, file_name, options, out_yaml, out_reason);
    rows_close(rows);
    bunch_fini(&inference.features);
    bunch_fini(&inference.others);
    return fault;
}
