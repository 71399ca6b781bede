/* nightdesk train: trains a model and evaluates it. */
#include "agents/predictor.h"
#include "base/check.h"
#include "base/rng.h"
#include "cli/cli.h"
#include "io/file.h"
#include "io/json.h"
#include "ops/ops.h"
#include "rig.h"
#include "store/model_table.h"
#include "unit/unit.h"

static char csv_path[RIG_PATH_LEN];
static char out_path[RIG_PATH_LEN];

static int make_folder(void **state)
{
    int r = rig_make_folder(state);
    rig_path("f.csv", csv_path);
    rig_path("model.json", out_path);
    return r;
}

/* Five-minute rows; each tends to continue the previous move, by `trend`. */
static void write_rows(int rows, double trend)
{
    struct rng rng;
    rng_init(&rng, 21);
    AUTO_BUF struct buf text = BUF_INIT((size_t)4 << 20);
    buf_add_c(&text, "time,open,high,low,close,volume\n");
    double price = 1000;
    bool up = true;
    for (int i = 0; i < rows; i++) {
        up = rng_double(&rng) < 0.5 + (up ? trend : -trend);
        double open = price;
        price *= 1 + (up ? 1 : -1) * (0.0002 + 0.002 * rng_double(&rng));
        buf_addf(&text, "%lld,%.4f,%.4f,%.4f,%.4f,%.3f\n", 1790002800LL + i * 300LL, open,
                 open > price ? open : price, open < price ? open : price, price,
                 1 + rng_double(&rng));
    }
    assert_int_equal(file_write(csv_path, buf_str(&text), 0600, NULL), 0);
}

static void run(struct rig_run *r, const char *const *words)
{
    rig_run(r, words);
    if (strstr(r->err.data, "TRAIN_LIBRARY") != NULL) {
        print_message("skipped: no libxgboost\n");
        skip();
    }
}

static void a_trend_gives_a_useful_model_that_loads(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run text = {0}, json = {0};
    write_rows(4000, 0.25);
    run(&text, WORDS("train", "--data", csv_path, "--horizon", "1", "--out", out_path));
    assert_int_equal(text.code, CLI_FINE);
    assert_string_equal(text.err.data, "");
    assert_non_null(strstr(text.out.data, "trained on"));
    assert_non_null(strstr(text.out.data, "left out      1 rows between"));
    assert_non_null(strstr(text.out.data, "AUC "));
    assert_non_null(strstr(text.out.data, "0.6931"));
    assert_non_null(strstr(text.out.data, "0.7 to 0.8"));
    assert_non_null(strstr(text.out.data, "Better than a coin"));

    AUTO_PREDICTOR struct predictor *p = NULL;
    struct err err = {0};
    assert_int_equal(predictor_load(out_path, &p, &err), 0);
    assert_int_equal(predictor_horizon(p), 1);
    assert_int_equal(predictor_timeframe(p), TF_5M);
    assert_non_null(strstr(text.out.data, predictor_hash(p)));
    /* The file records its training data, for back-tests. */
    const struct predictor_origin *o = predictor_origin(p);
    assert_true(o->known);
    assert_string_equal(o->symbol.name, "BTC-USD");
    assert_string_equal(o->market, "recorded");
    assert_true(o->train_from_us > 1790002800LL * USEC_PER_SEC &&
                o->train_from_us < o->train_to_us);
    assert_int_equal(o->seen_to_us, o->train_to_us + timeframe_us(TF_5M));
    assert_true(o->seen_to_us <= o->test_from_us && o->test_from_us < o->test_to_us);
    assert_non_null(strstr(text.out.data, o->data_hash));

    /* Training again, with JSON output, gives the same bytes. */
    run(&json, WORDS("train", "--data", csv_path, "--horizon", "1", "--out", out_path, "--json"));
    assert_int_equal(json.code, CLI_FINE);
    AUTO_JSON struct json_object *root = NULL;
    assert_int_equal(json_parse(buf_str(&json.out), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    assert_string_equal(json_text(root, "model_hash"), predictor_hash(p));
    assert_true(json_double(root, "auc", 0) > 0.6);
    assert_true(json_double(root, "largest_difference", 1) < 1e-6);
    assert_true(json_truth(root, "beats_coin", false));
    assert_int_equal(json_len(json_get(root, "calibration")), 10);
    assert_int_equal(json_i64(json_get(root, "test"), "rows", 0), 1189);
}

static void a_model_of_noise_is_no_better_than_a_coin(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run r = {0};
    write_rows(4000, 0);
    run(&r, WORDS("train", "--data", csv_path, "--out", out_path, "--timeframe", "15m"));
    assert_int_equal(r.code, CLI_REFUSED);
    assert_non_null(strstr(r.out.data, "BTC-USD 15m"));
    assert_non_null(strstr(r.out.data, "No better than a coin"));
    assert_true(file_exists(out_path));
}

static void training_on_imported_candles_adds_a_row_to_the_database(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run import = {0}, train = {0}, other = {0};
    write_rows(2000, 0.25);
    run(&import, WORDS("import", "candles", csv_path, "--symbol", "X-USD", "--state", rig_folder));
    assert_int_equal(import.code, CLI_FINE);
    run(&train, WORDS("train", "--symbol", "X-USD", "--state", rig_folder, "--horizon", "1"));
    assert_int_equal(train.code, CLI_FINE);
    assert_non_null(strstr(train.out.data, "X-USD 5m"));
    assert_true(file_exists(out_path)); /* in the state folder, by default */

    struct trading_store *store = NULL;
    struct model_row rows[2];
    struct err err = {0};
    assert_int_equal(trading_store_open(rig_folder, TRADING_STORE_READ, &store, &err), 0);
    assert_int_equal(model_table_list(store, rows, 2, &err), 1);
    trading_store_free(store);
    assert_string_equal(rows[0].path, out_path);
    assert_non_null(strstr(train.out.data, rows[0].model_hash));
    assert_non_null(strstr(train.out.data, rows[0].data_hash));
    assert_true(rows[0].auc > 0.6 && rows[0].rows > 1000);

    run(&other, WORDS("train", "--symbol", "Y-USD", "--state", rig_folder));
    assert_int_equal(other.code, CLI_CRITICAL);
    assert_non_null(strstr(other.err.data, "TRAIN_DATA"));
    assert_non_null(strstr(other.err.data, "import candles"));
}

static void unusable_data_is_refused_and_no_file_is_written(void **state)
{
    (void)state;
    write_rows(300, 0.25);
    (void)unlink(out_path);
    const struct {
        const char *const *words;
        const char *code;
    } refusals[] = {
        {WORDS("train"), "CLI_USAGE"},
        {WORDS("train", "--data", csv_path, "--out", out_path), "TRAIN_DATA"},
        {WORDS("train", "--data", csv_path, "--test-share", "1", "--out", out_path), "CLI_USAGE"},
        {WORDS("train", "--data", csv_path, "--test-share", "nan", "--out", out_path), "CLI_USAGE"},
        {WORDS("train", "--data", csv_path, "--horizon", "0", "--out", out_path), "CLI_USAGE"},
        {WORDS("train", "--data", csv_path, "--depth", "99", "--out", out_path), "CLI_USAGE"},
        {WORDS("train", "--data", csv_path, "--timeframe", "1m", "--out", out_path), "CLI_USAGE"},
        {WORDS("train", "--data", "simulated:x", "--out", out_path), "CLI_USAGE"},
        {WORDS("train", "--data", "simulated:1:2", "--symbol", "NO-SUCH", "--out", out_path),
         "CLI_USAGE"},
        {WORDS("train", "--data", "/nowhere.csv", "--out", out_path), "FILE_MISSING"},
    };
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        AUTO_RUN struct rig_run r = {0};
        run(&r, refusals[i].words);
        assert_int_equal(r.code, CLI_CRITICAL);
        assert_non_null(strstr(r.err.data, refusals[i].code));
        assert_int_equal(r.out.len, 0);
        assert_false(file_exists(out_path));
    }
}

/* trading.db has one writer. */
static void a_running_daemon_blocks_training_with_state(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run r = {0};
    AUTO_FD int lock = -1;
    char path[RIG_PATH_LEN];
    write_rows(2000, 0.25);
    (void)unlink(out_path);
    rig_path(OPS_LOCK_NAME, path);
    assert_int_equal(file_lock(path, &lock, NULL), 0);
    run(&r, WORDS("train", "--data", csv_path, "--state", rig_folder));
    assert_int_equal(r.code, CLI_CRITICAL);
    assert_non_null(strstr(r.err.data, "FILE_LOCKED"));
    assert_false(file_exists(out_path));
}

#define T(test) cmocka_unit_test_setup_teardown(test, make_folder, rig_remove_folder)

UNIT_GROUP(train, T(a_trend_gives_a_useful_model_that_loads),
           T(a_model_of_noise_is_no_better_than_a_coin),
           T(training_on_imported_candles_adds_a_row_to_the_database),
           T(unusable_data_is_refused_and_no_file_is_written),
           T(a_running_daemon_blocks_training_with_state))
