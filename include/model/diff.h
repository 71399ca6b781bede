/*
 * diff.h: reads a unified diff, as git diff and diff -ruN write it.
 *
 *     struct diff_reader reader;
 *     struct diff_line line;
 *     diff_begin(&reader, text);
 *     while (diff_next(&reader, &line)) use(reader.file, line.kind, line.line, line.text);
 *
 * The text is of others: it may be cut, damaged or hostile. A hunk ends where its header says, so
 * that a line such as "--- x" inside of one is a line of the file. The first part of a path ("a/",
 * "b/", "new/") is left out.
 * Ownership: the texts of the lines are views of what was given. Thread: any.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define DIFF_FILE_SIZE 256

enum diff_kind {
    DIFF_FILE, /* another file begins */
    DIFF_ADDED,
    DIFF_REMOVED,
    DIFF_KEPT,
    DIFF_OTHER /* headers, and what belongs to no hunk */
};

struct diff_line {
    enum diff_kind kind;
    int64_t line;    /* of the new file; of one that was removed, of the old file */
    struct str text; /* without its sign */
};

struct diff_reader {
    struct str rest;
    char file[DIFF_FILE_SIZE]; /* "": none yet */
    char old_file[DIFF_FILE_SIZE];
    int64_t old_line, new_line;
    int64_t old_left, new_left; /* lines of the hunk */
};

void diff_begin(struct diff_reader *reader, struct str text);
bool diff_next(struct diff_reader *reader, struct diff_line *ret);

struct diff_size {
    int64_t files, added, removed;
};
struct diff_size diff_measure(struct str text);
/* Whether a line of the diff is that one of that file, in its new or, if it was removed, its old
 * version. */
bool diff_has(struct str text, const char *file, int64_t line);
