/* nightdesk predict: one answer per row; with a bad line, nothing is printed. */
#include "base/check.h"
#include "cli/cli.h"
#include "io/file.h"
#include "rig.h"
#include "unit/unit.h"

static const char model_text[] =
    "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=1\n"
    "objective=binary sigmoid:1\nfeature_names=a b\ntree_sizes=1\n\nTree=0\nnum_leaves=3\n"
    "num_cat=0\nsplit_feature=0 1\nthreshold=0.5 10\ndecision_type=8 10\nleft_child=-1 -2\n"
    "right_child=1 -3\nleaf_value=0 1 -1\nshrinkage=1\n\n\nend of trees\n";

#define MINUS "0.2689414213699951\n"
#define ZERO  "0.5\n"
#define PLUS  "0.7310585786300049\n"

static void write_model(const char *name, const char *text)
{
    char path[RIG_PATH_LEN];
    rig_path(name, path);
    assert_int_equal(file_write(path, str_c(text), 0600, NULL), 0);
}

/* Runs predict over model.txt and rows.csv; option may be NULL. */
static void predict(struct rig_run *r, const char *option)
{
    char model[RIG_PATH_LEN], rows[RIG_PATH_LEN];
    rig_path("model.txt", model);
    rig_path("rows.csv", rows);
    rig_run(r, WORDS("predict", "--model", model, "--data", rows, option));
}

static void answers(const char *rows, const char *expected)
{
    AUTO_RUN struct rig_run r = {0};
    write_model("rows.csv", rows);
    predict(&r, NULL);
    assert_string_equal(r.err.data, "");
    assert_string_equal(r.out.data, expected);
    assert_int_equal(r.code, CLI_FINE);
}

static void refuses(const char *rows, const char *code, const char *where)
{
    AUTO_RUN struct rig_run r = {0};
    write_model("rows.csv", rows);
    predict(&r, NULL);
    assert_int_equal(r.code, CLI_CRITICAL);
    assert_int_equal(r.out.len, 0);
    if (strstr(r.err.data, code) == NULL || strstr(r.err.data, where) == NULL) {
        fail_msg("%s", r.err.data);
    }
}

static void rows_of_commas_or_tabs_are_answered_line_by_line(void **state)
{
    (void)state;
    write_model("model.txt", model_text);
    answers("0.5,99\n1,10\n1,11\n", ZERO PLUS MINUS);
    answers("0.5\t99\r\n1\t10\r\n1\t11", ZERO PLUS MINUS);
    /* a missing value of a goes right, one of b left */
    answers(",11\n,\nnan,NaN\n", MINUS PLUS PLUS);
    answers("\t11\n\t\n", MINUS PLUS);
}

static void cells_are_numbers_or_missing(void **state)
{
    (void)state;
    write_model("model.txt", model_text);
    answers("1e0 , -inf\n inf,1e1\n\"1\",\"\"\n+.5,0\n", PLUS PLUS PLUS ZERO);
    answers("\xEF\xBB\xBF"
            "1,10\n\n\n",
            PLUS);
    answers("", "");
    refuses("1,10\n1,x\n", "MODEL_ROW", "rows.csv:2: cell 2 is not a number");
    refuses("0x10,1\n", "MODEL_ROW", "rows.csv:1: cell 1");
    refuses("1,1 2\n", "MODEL_ROW", "rows.csv:1: cell 2");
    refuses("a,b\n1,2\n", "MODEL_ROW", "rows.csv:1: cell 1");
    refuses("1,1\n\n1,1\n", "MODEL_ROW", "rows.csv:2: blank line");
}

static void a_row_must_have_the_features_of_the_model(void **state)
{
    (void)state;
    write_model("model.txt", model_text);
    refuses("1,10\n1\n", "MODEL_FEATURES", "rows.csv:2: the row length is 1, the model needs 2");
    refuses("1,2,3\n", "MODEL_FEATURES", "the row length is 3, the model needs 2");
}

static void raw_prints_the_sums_and_classes_have_columns(void **state)
{
    (void)state;
    write_model("model.txt", model_text);
    write_model("rows.csv", "1,10\n1,11\n");
    AUTO_RUN struct rig_run raw = {0}, classes = {0};
    predict(&raw, "--raw");
    assert_string_equal(raw.out.data, "1\n-1\n");
    write_model(
        "model.txt",
        "tree\nversion=v4\nnum_class=2\nlabel_index=0\nmax_feature_idx=0\n"
        "objective=multiclass num_class:2\n\nTree=0\nnum_leaves=1\nnum_cat=0\nleaf_value=0.1\n\n"
        "Tree=1\nnum_leaves=1\nnum_cat=0\nleaf_value=-3\n\nend of trees\n");
    write_model("rows.csv", "\n5\n"); /* with one feature an empty line is a missing value */
    predict(&classes, "--raw");
    assert_string_equal(classes.out.data, "0.10000000000000001\t-3\n0.10000000000000001\t-3\n");
}

static void missing_options_and_files_are_named(void **state)
{
    (void)state;
    write_model("model.txt", "hello\n");
    refuses("1,2\n", "MODEL_UNKNOWN", "model.txt");
    write_model("model.txt", "tree\nversion=v4\n");
    refuses("1,2\n", "MODEL_DAMAGED", "model.txt:2");
    write_model("model.txt", model_text);
    char rows[RIG_PATH_LEN];
    rig_path("rows.csv", rows);
    assert_int_equal(unlink(rows), 0);
    AUTO_RUN struct rig_run r = {0}, usage = {0};
    predict(&r, NULL);
    assert_int_equal(r.code, CLI_CRITICAL);
    assert_non_null(strstr(r.err.data, "FILE_MISSING"));
    predict(&usage, "--model");
    assert_non_null(strstr(usage.err.data, "CLI_USAGE"));
}

UNIT_GROUP(predict, RIG_TEST(rows_of_commas_or_tabs_are_answered_line_by_line),
           RIG_TEST(cells_are_numbers_or_missing),
           RIG_TEST(a_row_must_have_the_features_of_the_model),
           RIG_TEST(raw_prints_the_sums_and_classes_have_columns),
           RIG_TEST(missing_options_and_files_are_named))
