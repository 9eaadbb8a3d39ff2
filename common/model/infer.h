/* infer.h: writes a first contract from rows that a model was trained on or has answered.
 *
 * Every line is a guess that says in a comment what it is guessed from: types, ranges (widened),
 * shares of nulls, values of categories where they are few, the task. A person reads it and changes
 * it; it parses as it is.
 *
 * Faults   FILE_UNREADABLE, FILE_MALFORMED (no rows, no columns, or a contract above its limits),
 *          with a reason.
 * Memory   up to 1,000 values a column.     Cost  O(size of the file).
 */
#ifndef INFER_H
#define INFER_H
#include "check/fault.h"
#include "check/reason.h"
#include "memory/buffer.h"

struct infer_options {
    const char *model;    /* NULL: the file's name without folder and endings */
    const char *owner;    /* NULL: "unknown", with a comment that asks for it */
    const char *runbook;  /* NULL: an example address, likewise */
    const char *positive; /* NULL: guessed where the task is binary */
};

/* Appends the YAML to out_yaml; on fault nothing. The file: CSV or JSONL(.gz) as of rows.h; columns
 * label, prediction, score, score_<class> and those of an event's envelope are no features. */
MUST_USE enum fault infer_contract(const char *file_name, const struct infer_options *options,
                                   struct buffer *out_yaml, struct reason *out_reason);
#endif
