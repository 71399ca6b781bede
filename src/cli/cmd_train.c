#include "agents/training.h"
#include "base/check.h"
#include "cli_csv.h"
#include "cli_internal.h"
#include "cli_simulated.h"
#include "io/file.h"
#include "io/json_out.h"
#include "io/secret.h"
#include "market/simulated.h"
#include "ops/ops.h"
#include "store/candle_table.h"
#include "store/model_table.h"

#include <math.h>

#define MODEL_NAME      "model.json"
#define MODEL_MAX       ((size_t)16 << 20) /* limit of agents/model.h */
#define HORIZON_DEFAULT 12
#define BATCH           4096

struct job {
    const struct cli_args *args;
    struct config *config;
    struct symbol symbol;
    bool has_timeframe;
    enum timeframe timeframe;
    int64_t horizon;
    struct training_options options;
    char market[32];       /* as in the model's file */
    const char *data;      /* NULL: imported candles */
    const char *state_dir; /* NULL: none is used */
    struct trading_store *store;
    int lock_fd;
    struct buf out_path;
    int unit;               /* of a file */
    struct csv_check check; /* of a file */
    struct training_rows *training_rows;
    struct sentiment_history *sentiment; /* NULL: the model does not read it */
    struct training_result result;
    size_t model_bytes;
    int64_t model_id; /* in trading.db; 0: none */
};

static void job_release(struct job *job)
{
    training_rows_free(job->training_rows);
    sentiment_history_free(job->sentiment);
    trading_store_free(job->store);
    auto_fd_cleanup(&job->lock_fd);
    buf_release(&job->out_path);
    config_free(job->config);
}
#define AUTO_JOB AUTO(job_release)

/* ---------------------------------------------------------------- options */

static int read_fraction(const struct cli_args *args, const char *option, double *ret,
                         struct err *err)
{
    const char *text = cli_value(args, option);
    if (text == NULL) {
        return 0;
    }
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value > 0 && value < 1)) {
        return err_set(err, ERR_CLI_USAGE, "%s takes a number between 0 and 1", option);
    }
    *ret = value;
    return 0;
}

static int read_options(struct job *job, struct err *err)
{
    const struct cli_args *args = job->args;
    struct training_options *o = &job->options;
    int64_t trees = o->trees, depth = o->depth;
    int rc = cli_number(args, "--horizon", 1, TRAINING_ROWS_HORIZON_MAX, &job->horizon, err);
    if (rc < 0 || (rc = cli_number(args, "--trees", 1, TRAINING_TREES_MAX, &trees, err)) < 0 ||
        (rc = cli_number(args, "--depth", 1, TRAINING_DEPTH_MAX, &depth, err)) < 0 ||
        (rc = cli_number(args, "--seed", 0, INT32_MAX, &o->seed, err)) < 0 ||
        (rc = read_fraction(args, "--test-share", &o->test_share, err)) < 0 ||
        (rc = read_fraction(args, "--learning-rate", &o->learning_rate, err)) < 0) {
        return rc;
    }
    o->trees = (int)trees;
    o->depth = (int)depth;
    const char *timeframe = cli_value(args, "--timeframe");
    job->has_timeframe = timeframe != NULL;
    rc = timeframe != NULL ? cli_csv_timeframe(timeframe, &job->timeframe, err) : 0;
    if (rc >= 0 && timeframe != NULL && job->timeframe < TF_5M) {
        return err_set(err, ERR_CLI_USAGE,
                       "--timeframe takes 5m, 15m or 1h, the timeframes of decisions");
    }
    return rc;
}

static int read_symbol(struct job *job, struct err *err)
{
    const char *symbol = cli_value(job->args, "--symbol");
    job->symbol = job->config->market_symbols.items[0];
    if (symbol != NULL && !symbol_parse(str_c(symbol), &job->symbol)) {
        return err_set(err, ERR_CLI_USAGE,
                       "--symbol takes 1 to 15 letters, digits and dashes, such as BTC-USD");
    }
    const char *unit = cli_value(job->args, "--unit");
    int rc = unit != NULL && (job->data == NULL || cli_is_simulated(job->data))
                 ? err_set(err, ERR_CLI_USAGE, "--unit is for a file; imported candles have theirs")
                 : cli_csv_unit(unit, &job->symbol, &job->unit, err);
    job->options.symbol = job->symbol.name;
    return rc;
}

/* trading.db has one writer: while the daemon runs, that is its engine. */
static int open_state(struct job *job, struct err *err)
{
    if (job->data != NULL && cli_value(job->args, "--state") == NULL) {
        return 0;
    }
    job->state_dir = cli_find_state_dir(job->args, job->config);
    AUTO_BUF struct buf lock = BUF_INIT(4096);
    buf_addf(&lock, "%s/" OPS_LOCK_NAME, job->state_dir);
    /* Imported candles need an existing folder; a model may be recorded in a new one. */
    int rc = job->data == NULL ? cli_require_state(job->state_dir, "trading.db", err)
                               : file_make_folder(job->state_dir, 0750, err);
    if (rc < 0 || (rc = file_lock(lock.data, &job->lock_fd, err)) < 0) {
        return rc;
    }
    return trading_store_open(job->state_dir, TRADING_STORE_WRITE, &job->store, err);
}

static int prepare(struct job *job, struct err *err)
{
    job->data = cli_value(job->args, "--data");
    if (job->data == NULL && cli_value(job->args, "--symbol") == NULL) {
        return err_set(err, ERR_CLI_USAGE,
                       "train needs --data FILE, --data " CLI_SIMULATED
                       ", or --symbol SYMBOL for imported candles");
    }
    int rc = read_options(job, err);
    if (rc < 0 || (rc = secret_init(err)) < 0 ||
        (rc = cli_load_config_without_secrets(job->args, &job->config, err)) < 0 ||
        (rc = read_symbol(job, err)) < 0 || (rc = open_state(job, err)) < 0) {
        return rc;
    }
    const char *sentiment = cli_value(job->args, "--sentiment");
    if (sentiment != NULL && (rc = sentiment_history_load(sentiment, &job->sentiment, err)) < 0) {
        return rc;
    }
    const char *out = cli_value(job->args, "--out");
    if (out != NULL) {
        buf_add_c(&job->out_path, out);
    } else {
        buf_addf(&job->out_path, "%s%s" MODEL_NAME, job->state_dir != NULL ? job->state_dir : "",
                 job->state_dir != NULL ? "/" : "");
    }
    return 0;
}

/* ---------------------------------------------------------------- candles */

/* The shortest timeframe that decisions are made on and whole steps fill, unless one was named. */
static int begin_training_rows(struct job *job, int64_t step_us, struct err *err)
{
    for (enum timeframe tf = TF_5M; tf < TF_COUNT && !job->has_timeframe; tf++) {
        if (step_us > 0 && timeframe_us(tf) % step_us == 0) {
            job->timeframe = tf;
            job->has_timeframe = true;
        }
    }
    if (!job->has_timeframe) {
        job->timeframe = TF_1H; /* training_rows_new reports the unsuitable step */
    }
    int rc =
        training_rows_new(job->timeframe, step_us, (int)job->horizon, &job->training_rows, err);
    if (rc >= 0 && job->sentiment != NULL) {
        training_rows_use(job->training_rows, job->sentiment, job->symbol);
    }
    return rc;
}

static int read_file_rows(struct job *job, struct err *err)
{
    AUTO_CSV struct csv *csv = NULL;
    struct csv_row row;
    struct csv_limits limits;
    int rc = cli_csv_limits(job->args, true, &limits, err);
    limits.unit = job->unit;
    rc = rc < 0 ? rc : cli_csv_check(job->data, &limits, &job->check, err);
    if (rc < 0 || (rc = begin_training_rows(job, job->check.report.step_us, err)) < 0 ||
        (rc = csv_open(job->data, &job->check.options, &csv, err)) < 0) {
        return rc;
    }
    while ((rc = csv_next(csv, &row, err)) > 0) {
        if ((rc = training_rows_push(job->training_rows, &row.candle, err)) < 0) {
            return rc;
        }
    }
    return rc;
}

static int read_simulated(struct job *job, struct err *err)
{
    int64_t seed, days;
    int rc = cli_simulated_parse(job->data, &seed, &days, err);
    if (rc < 0 || (rc = begin_training_rows(job, timeframe_us(TF_1M), err)) < 0) {
        return rc;
    }
    (void)snprintf(job->market, sizeof(job->market), CLI_SIMULATED ":%lld", (long long)seed);
    /* All configured symbols, as in a run: their moves are correlated. */
    struct config_symbols symbols = job->config->market_symbols;
    int mine = 0;
    while (mine < symbols.count && !symbol_equal(symbols.items[mine], job->symbol)) {
        mine++;
    }
    if (mine == symbols.count) {
        return err_set(err, ERR_CLI_USAGE, "--symbol %s is not one of market.symbols",
                       job->symbol.name);
    }
    struct simulated market;
    simulated_init(&market, (uint64_t)seed, symbols.items, symbols.count, CLI_SIMULATED_START_US);
    for (int64_t minute = 0; rc == 0 && minute < days * 24 * 60; minute++) {
        struct source_bar bars[SYMBOLS_LIMIT];
        (void)source_next(&market.source, bars);
        rc = training_rows_push(job->training_rows, &bars[mine].candle, err);
    }
    return rc;
}

/* Reads imported candles of the finest available timeframe that fits. */
static int read_imported(struct job *job, struct err *err)
{
    AUTO_FREE struct candle *batch = calloc(BATCH, sizeof(*batch));
    ASSERT(batch != NULL);
    int rc = 0;
    for (enum timeframe tf = TF_1M; tf < TF_COUNT && rc == 0; tf++) {
        if (job->has_timeframe && tf > job->timeframe) {
            break;
        }
        int64_t from_us = 0;
        while ((rc = candle_table_imported(job->store, job->symbol, tf, from_us, batch, BATCH,
                                           err)) > 0) {
            int count = rc;
            rc = job->training_rows == NULL ? begin_training_rows(job, timeframe_us(tf), err) : 0;
            for (int i = 0; i < count && rc == 0; i++) {
                rc = training_rows_push(job->training_rows, &batch[i], err);
            }
            if (rc < 0) {
                return rc;
            }
            from_us = batch[count - 1].open_us + 1;
        }
        if (job->training_rows != NULL) {
            return rc;
        }
    }
    return rc < 0
               ? rc
               : err_set(err, ERR_TRAIN_DATA,
                         "no candles of %s in trading.db; nightdesk import candles FILE --symbol "
                         "%s stores some",
                         job->symbol.name, job->symbol.name);
}

static int read_candles(struct job *job, struct err *err)
{
    (void)str_copy(STR_LIT(CLI_RECORDED), job->market, sizeof(job->market));
    job->options.market = job->market;
    int rc = job->data == NULL             ? read_imported(job, err)
             : cli_is_simulated(job->data) ? read_simulated(job, err)
                                           : read_file_rows(job, err);
    return rc < 0 ? rc : training_rows_finish(job->training_rows, err);
}

/* ---------------------------------------------------------------- the model */

static int store_row(struct job *job, struct err *err)
{
    const struct training_result *r = &job->result;
    struct model_row row = {.rows = (int64_t)r->split.train,
                            .auc = r->score.auc,
                            .log_loss = r->score.log_loss,
                            .trained_wall_us = clock_wall_us(clock_real())};
    struct str path = buf_str(&job->out_path);
    (void)str_copy(path, row.path, sizeof(row.path));
    (void)str_copy(str_c(r->model_hash), row.model_hash, sizeof(row.model_hash));
    (void)str_copy(str_c(r->data_hash), row.data_hash, sizeof(row.data_hash));
    (void)str_copy(str_c(r->features_hash), row.features, sizeof(row.features));
    return model_table_add(job->store, &row, &job->model_id, err);
}

static int make_model(struct job *job, struct err *err)
{
    AUTO_BUF struct buf model = BUF_INIT(MODEL_MAX);
    int rc = training_run(job->training_rows, &job->options, &model, &job->result, err);
    if (rc < 0 || (rc = file_write(job->out_path.data, buf_str(&model), 0644, err)) < 0) {
        return rc;
    }
    job->model_bytes = model.len;
    return job->store != NULL ? store_row(job, err) : 0;
}

/* ---------------------------------------------------------------- report */

static void add_period(struct buf *out, const char *what, int64_t from_us, int64_t to_us,
                       size_t rows, double base_rate)
{
    buf_addf(out, "%-13s ", what);
    clock_add_iso(out, from_us, false);
    buf_add_c(out, " to ");
    clock_add_iso(out, to_us, false);
    buf_addf(out, "  %7zu rows, %.1f %% rose\n", rows, 100 * base_rate);
}

static void add_calibration(struct buf *out, const struct score *s)
{
    buf_add_c(out, "\npredicted     mean  observed     rows\n");
    for (int i = 0; i < SCORE_BINS; i++) {
        const struct score_bin *bin = &s->bins[i];
        buf_addf(out, "%.1f to %.1f  ", (double)i / SCORE_BINS, (double)(i + 1) / SCORE_BINS);
        if (bin->count > 0) {
            buf_addf(out, "%7.3f  %8.3f  %7zu\n", bin->predicted, bin->observed, bin->count);
        } else {
            buf_addf(out, "%7s  %8s  %7d\n", "-", "-", 0);
        }
    }
}

static void add_conclusion(struct buf *out, const struct job *job)
{
    const struct training_result *r = &job->result;
    if (r->beats_coin) {
        buf_addf(out,
                 "\nBetter than a coin on the test: AUC %.4f is %.1f standard errors above .5, and "
                 "the log loss is lower.\nTo see whether that pays after fees, run nightdesk "
                 "backtest.\n",
                 r->score.auc, (r->score.auc - SCORE_COIN_AUC) / r->auc_error);
        return;
    }
    buf_addf(
        out,
        "\nNo better than a coin: on %zu rows that it had not seen, of which about %zu are "
        "independent,\nAUC %.4f is within two standard errors (%.4f) of .5, or the log loss is "
        "not lower.\nThe model was stored, but it is not worth trading with.\n",
        r->score.count, r->score.count / (size_t)job->horizon, r->score.auc, r->auc_error);
}

static void add_report(struct buf *out, const struct job *job)
{
    const struct training_rows *l = job->training_rows;
    const struct training_result *r = &job->result;
    const struct score *s = &r->score;
    buf_addf(out, "%s %s: will the close be higher %lld bars later?\n", job->symbol.name,
             timeframe_name(l->timeframe), (long long)job->horizon);
    buf_addf(out, "%lld candles (%lld refused), %lld bars, %zu rows of %d features\n\n",
             (long long)l->candles, (long long)l->refused, (long long)l->bars, l->count,
             (int)l->width);
    add_period(out, "trained on", r->train_from_us, r->train_to_us, r->split.train,
               r->train_base_rate);
    buf_addf(out, "%-13s %zu rows between, whose labels are in the test period\n", "left out",
             r->split.test - r->split.train);
    add_period(out, "tested on", r->test_from_us, r->test_to_us, s->count, s->base_rate);
    buf_addf(out, "\n%-10s %8s %8s %10s\n", "", "model", "coin", "base rate");
    buf_addf(out, "%-10s %8.4f %8.4f %10.4f  (standard error %.4f)\n", "AUC", s->auc,
             SCORE_COIN_AUC, SCORE_COIN_AUC, r->auc_error);
    buf_addf(out, "%-10s %8.4f %8.4f %10.4f\n", "log loss", s->log_loss, M_LN2,
             s->base_rate_log_loss);
    add_calibration(out, s);
    add_conclusion(out, job);
    buf_addf(out, "\n%s: %zu bytes, %d trees by libxgboost %s\n", job->out_path.data,
             job->model_bytes, job->options.trees, r->library);
    buf_addf(out, "model    %s\ndata     %s\nfeatures %s\n", r->model_hash, r->data_hash,
             r->features_hash);
    buf_addf(out, "nightdesk's evaluator and libxgboost differ by at most %.1e on the test.\n",
             r->largest_difference);
    if (job->model_id > 0) {
        buf_addf(out, "Model %lld of trading.db in %s.\n", (long long)job->model_id,
                 job->state_dir);
    }
    buf_addf(out, "To trade with it, set trading.model to its path.\n");
}

static void add_part(struct json_out *out, const char *key, int64_t from_us, int64_t to_us,
                     size_t rows, double base_rate)
{
    json_out_object(out, key);
    json_out_time(out, "from", from_us);
    json_out_time(out, "to", to_us);
    json_out_u64(out, "rows", rows);
    json_out_double(out, "base_rate", base_rate);
    json_out_end(out);
}

static void add_calibration_json(struct json_out *out, const struct score *s)
{
    json_out_array(out, "calibration");
    for (int i = 0; i < SCORE_BINS; i++) {
        json_out_object(out, NULL);
        json_out_double(out, "from", (double)i / SCORE_BINS);
        json_out_double(out, "predicted", s->bins[i].predicted);
        json_out_double(out, "observed", s->bins[i].observed);
        json_out_u64(out, "rows", s->bins[i].count);
        json_out_end(out);
    }
    json_out_end(out);
}

static void add_json(struct buf *text, const struct job *job)
{
    const struct training_result *r = &job->result;
    struct json_out out = JSON_OUT(text);
    json_out_document(&out, "nightdesk.train/1");
    json_out_text(&out, "model", job->out_path.data);
    json_out_text(&out, "symbol", job->symbol.name);
    json_out_text(&out, "timeframe", timeframe_name(job->training_rows->timeframe));
    json_out_i64(&out, "horizon", job->horizon);
    json_out_i64(&out, "candles", job->training_rows->candles);
    json_out_i64(&out, "refused", job->training_rows->refused);
    add_part(&out, "train", r->train_from_us, r->train_to_us, r->split.train, r->train_base_rate);
    json_out_u64(&out, "purged", r->split.test - r->split.train);
    add_part(&out, "test", r->test_from_us, r->test_to_us, r->score.count, r->score.base_rate);
    json_out_double(&out, "auc", r->score.auc);
    json_out_double(&out, "auc_standard_error", r->auc_error);
    json_out_double(&out, "log_loss", r->score.log_loss);
    json_out_double(&out, "base_rate_log_loss", r->score.base_rate_log_loss);
    json_out_double(&out, "coin_auc", SCORE_COIN_AUC);
    json_out_double(&out, "coin_log_loss", M_LN2);
    json_out_bool(&out, "beats_coin", r->beats_coin);
    add_calibration_json(&out, &r->score);
    json_out_double(&out, "largest_difference", r->largest_difference);
    json_out_text(&out, "libxgboost", r->library);
    json_out_text(&out, "model_hash", r->model_hash);
    json_out_text(&out, "data_hash", r->data_hash);
    json_out_text(&out, "features_hash", r->features_hash);
    json_out_end(&out);
    buf_add_char(text, '\n');
}

static int run(const struct cli_args *args)
{
    AUTO_JOB struct job job = {.args = args,
                               .horizon = HORIZON_DEFAULT,
                               .options = TRAINING_DEFAULTS,
                               .lock_fd = -1,
                               .out_path = BUF_INIT(4096)};
    AUTO_BUF struct buf out = BUF_INIT((size_t)64 * 1024);
    struct err err = {0};
    if (prepare(&job, &err) < 0 || read_candles(&job, &err) < 0 || make_model(&job, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    if (cli_flag(args, "--json")) {
        add_json(&out, &job);
    } else {
        add_report(&out, &job);
    }
    cli_print(buf_str(&out));
    return job.result.beats_coin ? cli_csv_code(&job.check.report) : CLI_REFUSED;
}

const struct cli_command cmd_train = {
    .name = "train",
    .summary = "Train a model for the Predict agent, and evaluate it",
    .words = "",
    .options = {{"--data", "FILE", "a file of candles, or simulated[:SEED[:DAYS]]"},
                {"--symbol", "SYMBOL", "without --data: use its imported candles in trading.db"},
                {"--timeframe", "TF", "rows of 5m, 15m or 1h (default: the finest that fits)"},
                {"--horizon", "BARS", "bars ahead to predict (default: 12)"},
                {"--test-share", "SHARE", "newest rows to test on, as a fraction (default: 0.3)"},
                {"--trees", "N", "number of trees (default: 100)"},
                {"--depth", "N", "depth of a tree (default: 3)"},
                {"--learning-rate", "RATE", "learning rate (default: 0.05)"},
                {"--seed", "N", "random seed (default: 1)"},
                {"--sentiment", "FILE", "stored sentiment as one more feature"},
                {"--out", "FILE",
                 "model file (default: model.json, in the state folder if one is used)"},
                CLI_OPTION_UNIT,
                CLI_OPTION_MAX_DROPPED,
                CLI_OPTION_JSON,
                CLI_OPTION_CONFIG,
                CLI_OPTION_STATE},
    .more =
        "Candles go through the same indicators as in trading; the label of a bar is whether the\n"
        "close is higher BARS later. The rows are split by time, and rows whose label lies in the\n"
        "test period are left out, so that the model cannot look ahead. It prints AUC, log loss\n"
        "and calibration on the test, compared with a coin flip. The same data, options and\n"
        "library give the same file. With --sentiment (made by /export sentiment) the model also\n"
        "reads the sentiment that was known when each bar closed. Only this subcommand needs "
        "libxgboost. With --symbol or\n"
        "--state the model is recorded in trading.db, and the daemon must be stopped.",
    .exits = "  0  stored, and better than a coin on the test\n"
             "  1  stored, but no better than a coin, or rows were refused\n"
             "  2  nothing was stored: the data, the options or the library cannot be used\n",
    .run = run,
};
