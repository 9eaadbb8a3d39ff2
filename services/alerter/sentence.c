#include "sentence.h"
#include "clock/wall.h"
#include "memory/heap.h"

#include <ctype.h>
#include <math.h>

static const struct {
    const char *lead;
    bool rate; /* the value is a share of rows */
} sentence_templates[FINDING_KIND_COUNT] = {
    [FINDING_FEATURE_DRIFT] = {"PSI of", false},
    [FINDING_PREDICTION_DRIFT] = {"the answers drift, PSI of", false},
    [FINDING_CONFIDENCE_DRIFT] = {"the confidence drifts, PSI of", false},
    [FINDING_NULL_RATE] = {"nulls in", true},
    [FINDING_RANGE_VIOLATION] = {"values out of range in", true},
    [FINDING_UNSEEN_CATEGORY] = {"unseen values in", true},
};

/* Three digits are enough for a person; the evidence has all. */
static void sentence_number(struct buffer *out, double value, bool rate)
{
    const double shown = rate ? value * 100 : value;
    if (fabs(shown) >= 1000)
        buffer_format(out, "%.0f", shown);
    else
        buffer_format(out, "%.3g", shown);
    if (rate)
        buffer_format(out, " %%");
}

/* To the minute, to the second where there are seconds. */
static void sentence_time(struct buffer *out, int64_t time_ms)
{
    char text[32];
    const bool whole = time_ms % 60000 == 0;
    (void)wall_text(time_ms, text);
    buffer_format(out, "%.*s", whole ? 16 : 19, text);
}

static void sentence_who(struct buffer *out, const struct sentence *sentence)
{
    buffer_format(out, "%s %s", sentence->model, sentence->version);
    if (strcmp(sentence->role, "CHAMPION") != 0) {
        buffer_append_byte(out, ' ');
        for (const char *letter = sentence->role; *letter != 0; letter++)
            buffer_append_byte(out, (uint8_t)tolower((unsigned char)*letter));
    }
    if (sentence->segment[0] != 0)
        buffer_format(out, " %s", sentence->segment);
    buffer_format(out, ": ");
}

/* A bound is said once; again only where a column has another. */
static void sentence_columns(struct buffer *out, const struct sentence *sentence, bool numbers)
{
    const bool rate = sentence_templates[sentence->kind].rate;
    double said = 0;
    size_t i = 0;
    for (; i < sentence->column_count && i < SENTENCE_COLUMNS_MAX; i++) {
        const struct sentence_column *column = &sentence->columns[i];
        buffer_format(out, "%s%s", i == 0 ? " " : ", ", column->name);
        if (!numbers)
            continue;
        buffer_append_byte(out, ' ');
        sentence_number(out, column->value, rate);
        if (i == 0 || column->threshold < said || column->threshold > said) {
            buffer_format(out, " (limit ");
            sentence_number(out, column->threshold, rate);
            buffer_append_byte(out, ')');
        }
        said = column->threshold;
    }
    if (i < sentence->column_count)
        buffer_format(out, " and %zu more", sentence->column_count - i);
}

static char *sentence_end(struct buffer *text)
{
    char *copy = span_copied(buffer_span(text));
    buffer_fini(text);
    return copy;
}

char *sentence_text(const struct sentence *sentence)
{
    REQUIRE(sentence->kind != FINDING_NONE && sentence->column_count > 0);
    const struct sentence_column *strongest = &sentence->columns[0];
    struct buffer text = {0};
    sentence_who(&text, sentence);
    if (sentence->resolved)
        buffer_format(&text, "resolved, ");
    buffer_format(&text, "%s", sentence_templates[sentence->kind].lead);
    sentence_columns(&text, sentence, !sentence->resolved);
    if (sentence->resolved) {
        buffer_format(&text, " within limits from ");
        sentence_time(&text, sentence->window_ms);
        buffer_format(&text, ", was beyond");
    }
    buffer_format(&text, " since ");
    sentence_time(&text, sentence->started_ms);
    if (!sentence->resolved && strongest->cell != NULL)
        buffer_format(&text, ", mostly in %s (%.0f %%)", strongest->cell, strongest->share * 100);
    buffer_format(&text, "; owner %s; runbook %s", sentence->owner, sentence->runbook);
    return sentence_end(&text);
}

char *sentence_summary(const struct sentence *sentence)
{
    struct buffer text = {0};
    sentence_who(&text, sentence);
    for (const char *letter = finding_kind_name(sentence->kind); *letter != 0; letter++)
        buffer_append_byte(&text, *letter == '_' ? ' ' : (uint8_t)*letter);
    buffer_format(&text, " in");
    sentence_columns(&text, sentence, false);
    if (sentence->resolved)
        buffer_format(&text, " is over");
    return sentence_end(&text);
}
