/* nightdesk predict: rows in, answers out; a bad line prints nothing. */
#include "base/check.h"
#include "cli/cli.h"
#include "io/file.h"
#include "unit/unit.h"

#include <fcntl.h>

static const char model_text[] =
    "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=1\n"
    "objective=binary sigmoid:1\nfeature_names=a b\ntree_sizes=1\n\nTree=0\nnum_leaves=3\n"
    "num_cat=0\nsplit_feature=0 1\nthreshold=0.5 10\ndecision_type=8 10\nleft_child=-1 -2\n"
    "right_child=1 -3\nleaf_value=0 1 -1\nshrinkage=1\n\n\nend of trees\n";

#define MINUS "0.2689414213699951\n"
#define ZERO  "0.5\n"
#define PLUS  "0.7310585786300049\n"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    (void)str_copy(str_c("/var/tmp/nd-predict.XXXXXX"), folder, sizeof(folder));
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

static void place(const char *name, char path[96])
{
    (void)snprintf(path, 96, "%s/%s", folder, name);
}

static void put(const char *name, const char *text)
{
    char path[96];
    place(name, path);
    assert_int_equal(file_write(path, str_c(text), 0600, NULL), 0);
}

struct run {
    struct buf out, err;
    int code;
};

static void run_release(struct run *r)
{
    buf_release(&r->out);
    buf_release(&r->err);
}
#define AUTO_RUN AUTO(run_release)

/* Runs predict over model.txt and rows.csv with its output in files. */
static void predict(struct run *r, const char *option)
{
    char model[96], rows[96], paths[2][96];
    place("model.txt", model);
    place("rows.csv", rows);
    place("out", paths[0]);
    place("err", paths[1]);
    const char *argv[] = {"nightdesk", "predict", "--model", model, "--data", rows, option, NULL};
    int saved[2];
    (void)fflush(NULL);
    for (int i = 0; i < 2; i++) {
        saved[i] = dup(STDOUT_FILENO + i);
        int fd = open(paths[i], O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_true(fd >= 0 && dup2(fd, STDOUT_FILENO + i) >= 0);
        (void)close(fd);
    }
    r->code = cli_main(option != NULL ? 7 : 6, (char **)(uintptr_t)argv);
    (void)fflush(NULL);
    for (int i = 0; i < 2; i++) {
        (void)dup2(saved[i], STDOUT_FILENO + i);
        (void)close(saved[i]);
    }
    buf_init(&r->out, (size_t)1 << 20);
    buf_init(&r->err, (size_t)1 << 20);
    assert_int_equal(file_read(paths[0], &r->out, NULL), 0);
    assert_int_equal(file_read(paths[1], &r->err, NULL), 0);
}

static void answers(const char *rows, const char *expected)
{
    AUTO_RUN struct run r = {0};
    put("rows.csv", rows);
    predict(&r, NULL);
    assert_string_equal(r.err.data, "");
    assert_string_equal(r.out.data, expected);
    assert_int_equal(r.code, CLI_FINE);
}

static void refuses(const char *rows, const char *code, const char *where)
{
    AUTO_RUN struct run r = {0};
    put("rows.csv", rows);
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
    put("model.txt", model_text);
    answers("0.5,99\n1,10\n1,11\n", ZERO PLUS MINUS);
    answers("0.5\t99\r\n1\t10\r\n1\t11", ZERO PLUS MINUS);
    /* missing: of a goes right, of b left */
    answers(",11\n,\nnan,NaN\n", MINUS PLUS PLUS);
    answers("\t11\n\t\n", MINUS PLUS);
}

static void cells_are_numbers_or_missing(void **state)
{
    (void)state;
    put("model.txt", model_text);
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
    put("model.txt", model_text);
    refuses("1,10\n1\n", "MODEL_FEATURES", "rows.csv:2: the row has 1, the model needs 2");
    refuses("1,2,3\n", "MODEL_FEATURES", "the row has 3, the model needs 2");
}

static void raw_prints_the_sums_and_classes_have_columns(void **state)
{
    (void)state;
    put("model.txt", model_text);
    put("rows.csv", "1,10\n1,11\n");
    AUTO_RUN struct run raw = {0}, classes = {0};
    predict(&raw, "--raw");
    assert_string_equal(raw.out.data, "1\n-1\n");
    put("model.txt",
        "tree\nversion=v4\nnum_class=2\nlabel_index=0\nmax_feature_idx=0\n"
        "objective=multiclass num_class:2\n\nTree=0\nnum_leaves=1\nnum_cat=0\nleaf_value=0.1\n\n"
        "Tree=1\nnum_leaves=1\nnum_cat=0\nleaf_value=-3\n\nend of trees\n");
    put("rows.csv", "\n5\n"); /* of one feature an empty line is a missing value */
    predict(&classes, "--raw");
    assert_string_equal(classes.out.data, "0.10000000000000001\t-3\n0.10000000000000001\t-3\n");
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    put("model.txt", "hello\n");
    refuses("1,2\n", "MODEL_UNKNOWN", "model.txt");
    put("model.txt", "tree\nversion=v4\n");
    refuses("1,2\n", "MODEL_DAMAGED", "model.txt:2");
    put("model.txt", model_text);
    char rows[96];
    place("rows.csv", rows);
    assert_int_equal(unlink(rows), 0);
    AUTO_RUN struct run r = {0}, usage = {0};
    predict(&r, NULL);
    assert_int_equal(r.code, CLI_CRITICAL);
    assert_non_null(strstr(r.err.data, "FILE_MISSING"));
    predict(&usage, "--model");
    assert_non_null(strstr(usage.err.data, "CLI_USAGE"));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, make_folder, remove_folder)
UNIT_GROUP(predict, TEST(rows_of_commas_or_tabs_are_answered_line_by_line),
           TEST(cells_are_numbers_or_missing), TEST(a_row_must_have_the_features_of_the_model),
           TEST(raw_prints_the_sums_and_classes_have_columns), TEST(what_is_missing_is_named))
