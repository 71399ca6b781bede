#include "agents/model.h"
#include "base/check.h"
#include "cli_internal.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>

/* All answers are kept until every row has been read: with a bad line, nothing is printed. */
#define ANSWERS_MAX    ((size_t)256 << 20)
#define LINE_MAX_BYTES ((size_t)16 << 20)
#define CELL_MAX       512

struct table {
    const char *path;
    FILE *file;
    struct buf line;
    size_t number;  /* of the line */
    char separator; /* detected in the first line; '\0' before it */
    double *row;    /* model_features() */
    size_t features;
};

static void table_release(struct table *t)
{
    auto_file_cleanup(&t->file);
    buf_release(&t->line);
    free(t->row);
}
#define AUTO_TABLE AUTO(table_release)

static int table_open(struct table *t, const char *path, size_t features, struct err *err)
{
    *t = (struct table){.path = path, .features = features, .line = BUF_INIT(LINE_MAX_BYTES)};
    t->row = calloc(features, sizeof(*t->row));
    ASSERT(t->row != NULL);
    t->file = fopen(path, "re");
    if (t->file == NULL) {
        return err_set(err, errno == ENOENT ? ERR_FILE_MISSING : ERR_FILE_DENIED, "%.200s", path);
    }
    return 0;
}

/* The next line without its end: 1, or 0 at the end of the file. */
static int next_line(struct table *t, struct err *err)
{
    buf_clear(&t->line);
    int c;
    while ((c = getc_unlocked(t->file)) != EOF && c != '\n') {
        buf_add_char(&t->line, (char)c);
    }
    if (ferror(t->file)) {
        return err_set(err, ERR_FILE_FAILED, "%.200s", t->path);
    }
    if (c == EOF && t->line.len == 0) {
        return 0;
    }
    t->number++;
    if (buf_failed(&t->line)) {
        return err_set(err, ERR_MODEL_ROW, "%.120s:%zu: longer than %zu bytes", t->path, t->number,
                       LINE_MAX_BYTES);
    }
    if (t->line.len > 0 && t->line.data[t->line.len - 1] == '\r') {
        buf_truncate(&t->line, t->line.len - 1);
    }
    return 1;
}

/* A decimal number or inf as strtod reads them; empty, nan or na: missing. Not hexadecimal. */
static bool read_cell(struct str cell, double *ret)
{
    cell = str_trim(cell);
    if (cell.len >= 2 && cell.ptr[0] == '"' && cell.ptr[cell.len - 1] == '"') {
        cell = str_trim(str_n(cell.ptr + 1, cell.len - 2));
    }
    *ret = (double)NAN;
    if (cell.len == 0 || str_equal_nocase(cell, "nan") || str_equal_nocase(cell, "na")) {
        return true;
    }
    char text[CELL_MAX];
    if (!str_copy(cell, text, sizeof(text)) || strpbrk(text, "xX(") != NULL ||
        strlen(text) != cell.len) {
        return false;
    }
    char *end = NULL;
    *ret = strtod(text, &end);
    return end == text + cell.len;
}

static size_t count_cells(const struct table *t)
{
    size_t count = 1;
    for (size_t i = 0; i < t->line.len; i++) {
        count += t->line.data[i] == t->separator;
    }
    return count;
}

/* Parses the line into the row. An empty line is a row of one missing value. */
static int read_row(struct table *t, struct err *err)
{
    struct str rest = buf_str(&t->line);
    if (t->number == 1 && str_starts(rest, "\xEF\xBB\xBF")) {
        rest = str_n(rest.ptr + 3, rest.len - 3);
    }
    if (t->separator == '\0') {
        t->separator = memchr(rest.ptr, '\t', rest.len) != NULL ? '\t' : ',';
    }
    size_t count = count_cells(t);
    if (count != t->features) {
        return err_set(err, ERR_MODEL_FEATURES,
                       "%.120s:%zu: the row length is %zu, the model needs %zu", t->path, t->number,
                       count, t->features);
    }
    for (size_t i = 0; i < count; i++) {
        struct str cell = {"", 0};
        (void)str_split(&rest, t->separator, &cell);
        if (!read_cell(cell, &t->row[i])) {
            return err_set(err, ERR_MODEL_ROW, "%.120s:%zu: cell %zu is not a number", t->path,
                           t->number, i + 1);
        }
    }
    return 0;
}

static int answer_row(const struct model *model, const struct table *t, bool raw, struct buf *out,
                      struct err *err)
{
    double answer[MODEL_CLASSES_MAX];
    int rc = raw ? model_predict_raw(model, t->row, t->features, answer, err)
                 : model_predict(model, t->row, t->features, answer, err);
    for (size_t i = 0; rc == 0 && i < model_classes(model); i++) {
        buf_addf(out, "%s%.17g", i > 0 ? "\t" : "", answer[i]);
    }
    buf_add_char(out, '\n');
    if (rc == 0 && buf_failed(out)) {
        rc = err_set(err, ERR_BUF_FULL, "more than %zu MiB of answers", ANSWERS_MAX >> 20);
    }
    return rc;
}

static int answer_all(const struct model *model, const char *path, bool raw, struct buf *out,
                      struct err *err)
{
    AUTO_TABLE struct table t;
    int rc = table_open(&t, path, model_features(model), err);
    size_t blank = 0; /* the first of the blank lines before here; 0: none */
    while (rc == 0 && (rc = next_line(&t, err)) > 0) {
        /* Blank lines are allowed at the end; with one feature, each is a missing value. */
        if (t.line.len == 0 && t.features > 1) {
            blank = blank > 0 ? blank : t.number;
            rc = 0;
            continue;
        }
        if (blank > 0) {
            return err_set(err, ERR_MODEL_ROW, "%.120s:%zu: blank line", path, blank);
        }
        if ((rc = read_row(&t, err)) == 0) {
            rc = answer_row(model, &t, raw, out, err);
        }
    }
    return rc;
}

static int run(const struct cli_args *args)
{
    struct err err = {0};
    const char *model_path = cli_value(args, "--model"), *data_path = cli_value(args, "--data");
    if (model_path == NULL || data_path == NULL) {
        (void)err_set(&err, ERR_CLI_USAGE, "predict needs --model and --data");
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    AUTO_MODEL struct model *model = NULL;
    AUTO_BUF struct buf out = BUF_INIT(ANSWERS_MAX);
    if (model_load(model_path, &model, &err) < 0 ||
        answer_all(model, data_path, cli_flag(args, "--raw"), &out, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    cli_print(buf_str(&out));
    return CLI_FINE;
}

const struct cli_command cmd_predict = {
    .name = "predict",
    .summary = "Evaluate a LightGBM or XGBoost tree model over rows of features",
    .words = "",
    .options = {{"--model", "FILE", "LightGBM text model, or XGBoost JSON model"},
                {"--data", "FILE", "rows: features only, no header; commas or tabs"},
                {"--raw", NULL,
                 "print the sums of the leaves, without the transformation of the objective"}},
    .more =
        "Each line is a row, with exactly the features of the training in their order; an empty\n"
        "cell or nan is a missing value. It prints one line per row and one column per class,\n"
        "separated by tabs, with 17 significant digits; nothing if any line is bad. For\n"
        "multi:softmax it prints the probabilities.",
    .exits = "  0  printed\n"
             "  2  wrong usage, or the model or a row cannot be used\n",
    .run = run,
};
