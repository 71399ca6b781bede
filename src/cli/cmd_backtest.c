#include "backtest_report.h"
#include "base/check.h"
#include "cli_csv.h"
#include "cli_internal.h"
#include "cli_simulated.h"
#include "engine/backtest.h"
#include "engine/journal_source.h"
#include "market/coarse.h"
#include "market/simulated.h"

#include <stdio.h>
#include <sys/stat.h>

#define REPORT_MAX   ((size_t)4 << 20)
#define OUT_FLUSH    ((size_t)48 * 1024)
#define PROGRESS_US  (100 * USEC_PER_MSEC)
#define PROGRESS_BAR 30

struct job {
    const struct cli_args *args;
    struct settings settings;
    struct venue_settings venue;
    int data_count;
    const char *data[SYMBOLS_LIMIT];
    int unit[SYMBOLS_LIMIT]; /* of each file */
    struct csv_limits limits;
    int64_t from_us;
    int64_t to_us;
    bool is_simulated;
    bool is_journal;
    struct simulated market;
    struct source *journal; /* NULL: not open */
    struct csv_source files;
    struct coarse coarse;
    struct source *source;
    struct backtest_model model;
    struct sentiment_history *sentiment; /* NULL: none */

    bool json;
    bool lists_trades;
    FILE *trades;     /* with --json: struct trade each */
    bool head_is_out; /* of the list, without --json */
    struct buf out;
    bool shows_progress;
    int64_t total_bytes;
    int64_t shown_mono_us;
};

/* ---------------------------------------------------------------- options */

static int read_time(const struct cli_args *args, const char *option, int64_t *ret_us,
                     struct err *err)
{
    const char *text = cli_value(args, option);
    if (text != NULL && (!clock_parse_iso(str_c(text), ret_us) || *ret_us <= 0)) {
        return err_set(err, ERR_CLI_USAGE,
                       "%s takes a UTC time after 1970, such as 2022-01-05 or "
                       "2022-01-05T14:30, not \"%.40s\"",
                       option, text);
    }
    return 0;
}

static int read_range(struct job *job, struct err *err)
{
    int rc = read_time(job->args, "--from", &job->from_us, err);
    if (rc >= 0) {
        rc = read_time(job->args, "--to", &job->to_us, err);
    }
    if (rc >= 0 && job->to_us != 0 && job->from_us >= job->to_us) {
        rc = err_set(err, ERR_CLI_USAGE, "--from %.40s is not before --to %.40s",
                     cli_value(job->args, "--from"), cli_value(job->args, "--to"));
    }
    return rc;
}

/* The symbol's index in the configuration; symbols that are not configured sort last, by name. */
static int rank(const struct config_symbols *configured, struct symbol symbol)
{
    int i = 0;
    while (i < configured->count && !symbol_equal(configured->items[i], symbol)) {
        i++;
    }
    return i;
}

static bool comes_before(const struct config_symbols *configured, struct symbol a, struct symbol b)
{
    int rank_a = rank(configured, a), rank_b = rank(configured, b);
    return rank_a != rank_b ? rank_a < rank_b : strcmp(a.name, b.name) < 0;
}

/* The engine handles symbols in this order, so it must not depend on the command line. */
static void sort_symbols(struct job *job, const struct config_symbols *configured)
{
    struct settings *s = &job->settings;
    for (int i = 1; i < s->symbol_count; i++) {
        for (int j = i; j > 0 && comes_before(configured, s->symbols[j], s->symbols[j - 1]); j--) {
            struct symbol symbol = s->symbols[j];
            s->symbols[j] = s->symbols[j - 1];
            s->symbols[j - 1] = symbol;
            const char *data = job->data[j];
            job->data[j] = job->data[j - 1];
            job->data[j - 1] = data;
            int unit = job->unit[j];
            job->unit[j] = job->unit[j - 1];
            job->unit[j - 1] = unit;
        }
    }
}

/* The i-th --unit belongs to the i-th --data. */
static int read_units(struct job *job, struct err *err)
{
    const char *units[SYMBOLS_LIMIT] = {0};
    int count = cli_values(job->args, "--unit", units, SYMBOLS_LIMIT);
    if (count > 0 && (job->is_simulated || job->is_journal || count != job->data_count)) {
        return err_set(err, ERR_CLI_USAGE, "%d --unit for %d files", count,
                       job->is_simulated || job->is_journal ? 0 : job->data_count);
    }
    int rc = 0;
    for (int i = 0; i < count && rc >= 0; i++) {
        rc = cli_csv_unit(units[i], &job->settings.symbols[i], &job->unit[i], err);
    }
    return rc;
}

/* The i-th --symbol belongs to the i-th --data. Without any, a single file is for the first
 * configured symbol. Several files need names: a wrong order would trade a symbol on another's
 * prices. */
static int read_symbols(struct job *job, const struct config *config, struct err *err)
{
    const char *names[SYMBOLS_LIMIT] = {0};
    struct settings *s = &job->settings;
    if (job->is_journal) {
        int rc = journal_source_open(job->data[0], &job->journal, err);
        if (rc >= 0) {
            s->symbol_count = journal_source_symbols(job->journal, s->symbols);
        }
        return rc;
    }
    int count = cli_values(job->args, "--symbol", names, SYMBOLS_LIMIT);
    if (count > SYMBOLS_LIMIT) {
        return err_set(err, ERR_CLI_USAGE, "at most %d symbols", SYMBOLS_LIMIT);
    }
    if (count == 0 && job->is_simulated) {
        return 0;
    }
    if (count == 0 && job->data_count > 1) {
        return err_set(err, ERR_CLI_USAGE, "%d files: give each --data its --symbol",
                       job->data_count);
    }
    if (count > 0 && !job->is_simulated && count != job->data_count) {
        return err_set(err, ERR_CLI_USAGE, "%d --symbol for %d --data", count, job->data_count);
    }
    for (int i = 0; i < count; i++) {
        if (!symbol_parse(str_c(names[i]), &s->symbols[i])) {
            return err_set(err, ERR_CLI_USAGE,
                           "--symbol takes 1 to 15 letters, digits and dashes, such as BTC-USD");
        }
        for (int j = 0; j < i; j++) {
            if (symbol_equal(s->symbols[i], s->symbols[j])) {
                return err_set(err, ERR_CLI_USAGE, "symbol %s is given twice", s->symbols[i].name);
            }
        }
    }
    s->symbol_count = count > 0 ? count : job->data_count;
    int rc = read_units(job, err);
    if (rc >= 0 && !job->is_simulated) {
        sort_symbols(job, &config->market_symbols);
    }
    return rc;
}

static int read_data(struct job *job, struct err *err)
{
    job->data_count = cli_values(job->args, "--data", job->data, SYMBOLS_LIMIT);
    if (job->data_count == 0) {
        return err_set(err, ERR_CLI_USAGE, "backtest needs --data FILE or --data " CLI_SIMULATED);
    }
    if (job->data_count > SYMBOLS_LIMIT) {
        return err_set(err, ERR_CLI_USAGE, "at most %d files", SYMBOLS_LIMIT);
    }
    for (int i = 0; i < job->data_count; i++) {
        job->is_simulated = job->is_simulated || cli_is_simulated(job->data[i]);
        job->is_journal = job->is_journal || journal_source_fits(job->data[i]);
    }
    if (job->is_journal && (job->data_count > 1 || cli_value(job->args, "--symbol") != NULL)) {
        return err_set(err, ERR_CLI_USAGE,
                       "a journal must be the only --data, without --symbol: it has the symbols "
                       "of its run");
    }
    if (job->is_simulated && job->data_count > 1) {
        return err_set(err, ERR_CLI_USAGE,
                       "--data " CLI_SIMULATED " must be the only --data: it has "
                       "every symbol");
    }
    return 0;
}

/* ---------------------------------------------------------------- the market */

static int open_simulated(struct job *job, struct err *err)
{
    int64_t seed, days;
    int rc = cli_simulated_parse(job->data[0], &seed, &days, err);
    if (rc < 0) {
        return rc;
    }
    int64_t end_us = CLI_SIMULATED_START_US + days * USEC_PER_DAY;
    simulated_init(&job->market, (uint64_t)seed, job->settings.symbols, job->settings.symbol_count,
                   CLI_SIMULATED_START_US - BACKTEST_WARM_UP_MIN * USEC_PER_MIN);
    job->from_us = job->from_us > CLI_SIMULATED_START_US ? job->from_us : CLI_SIMULATED_START_US;
    job->to_us = job->to_us == 0 || job->to_us > end_us ? end_us : job->to_us;
    job->source = &job->market.source;
    return 0;
}

static int open_files(struct job *job, struct err *err)
{
    struct csv_source_file files[SYMBOLS_LIMIT];
    for (int i = 0; i < job->data_count; i++) {
        files[i] = (struct csv_source_file){.symbol = job->settings.symbols[i],
                                            .path = job->data[i],
                                            .max_dropped_pct = job->limits.max_dropped_pct,
                                            .unit = job->unit[i]};
        struct stat st;
        job->total_bytes += stat(job->data[i], &st) == 0 ? st.st_size : 0;
    }
    int rc = csv_source_init(&job->files, files, job->data_count, err);
    struct csv_limits limits = job->limits;
    struct csv_check check;
    if (rc == -ERR_MARKET_CSV_EMPTY || rc == -ERR_MARKET_DROPPED) {
        /* Print the errors of the rows, which explain why the file was refused. */
        for (int i = 0; i < job->data_count; i++) {
            limits.unit = job->unit[i];
            (void)cli_csv_check(job->data[i], &limits, &check, NULL);
        }
    }
    job->source = &job->files.source;
    return rc;
}

static int open_market(struct job *job, struct err *err)
{
    int rc = 0;
    if (job->is_journal) {
        job->source = job->journal;
    } else {
        rc = job->is_simulated ? open_simulated(job, err) : open_files(job, err);
    }
    const char *text = cli_value(job->args, "--timeframe");
    if (rc < 0 || text == NULL) {
        return rc;
    }
    enum timeframe tf;
    rc = cli_csv_timeframe(text, &tf, err);
    if (rc < 0) {
        return rc;
    }
    int64_t step_us = source_step_us(job->source);
    if (timeframe_us(tf) % step_us != 0) {
        AUTO_BUF struct buf step = BUF_INIT(64);
        clock_add_duration(&step, step_us);
        return err_set(err, ERR_MARKET_TIMEFRAME, "%s: rows are %s apart, %s was requested",
                       job->data[0], step.data, text);
    }
    if (timeframe_us(tf) != step_us) {
        coarse_init(&job->coarse, job->source, timeframe_us(tf));
        job->source = &job->coarse.source;
    }
    return 0;
}

/* ---------------------------------------------------------------- progress and trades */

static double part_done(const struct job *job, int64_t market_us)
{
    if (job->is_simulated) {
        int64_t start_us = CLI_SIMULATED_START_US - BACKTEST_WARM_UP_MIN * USEC_PER_MIN;
        return (double)(market_us - start_us) / (double)(job->to_us - start_us);
    }
    int64_t bytes = 0;
    for (int i = 0; i < job->files.count; i++) {
        bytes += csv_read_bytes(job->files.parts[i].csv);
    }
    return job->total_bytes > 0 ? (double)bytes / (double)job->total_bytes : 1;
}

static void show_progress(int64_t market_us, int64_t candles, void *userdata)
{
    struct job *job = userdata;
    int64_t mono_us = clock_mono_us(clock_real());
    if (!job->shows_progress || mono_us - job->shown_mono_us < PROGRESS_US) {
        return;
    }
    job->shown_mono_us = mono_us;
    double done = part_done(job, market_us);
    done = done < 0 ? 0 : done > 1 ? 1 : done;
    char bar[PROGRESS_BAR + 1];
    for (int i = 0; i < PROGRESS_BAR; i++) {
        bar[i] = i < (int)(done * PROGRESS_BAR) ? '#' : '.';
    }
    bar[PROGRESS_BAR] = '\0';
    AUTO_BUF struct buf when = BUF_INIT(64);
    clock_add_iso(&when, market_us, false);
    (void)fprintf(stderr, "\r[%s] %3.0f %%  %.10s  %.1f million candles\033[K", bar, 100 * done,
                  when.data, (double)candles / 1e6);
}

static void end_progress(const struct job *job)
{
    if (job->shown_mono_us != 0) {
        (void)fprintf(stderr, "\r\033[K");
    }
}

static void list_trade(const struct trade *trade, void *userdata)
{
    struct job *job = userdata;
    if (job->json) {
        (void)fwrite(trade, sizeof(*trade), 1, job->trades);
        return;
    }
    if (!job->head_is_out) {
        backtest_report_trade_head(&job->out);
        job->head_is_out = true;
    }
    backtest_report_trade(trade, &job->out);
    if (job->out.len > OUT_FLUSH) {
        end_progress(job);
        cli_print(buf_str(&job->out));
        buf_clear(&job->out);
    }
}

/* ---------------------------------------------------------------- the run */

static int report(struct job *job, const struct backtest_result *result, double seconds,
                  struct err *err)
{
    struct backtest_report r = {.result = result,
                                .settings = &job->settings,
                                .venue = &job->venue,
                                .model = &job->model,
                                .step_us = source_step_us(job->source),
                                .files = job->is_simulated || job->is_journal ? NULL : &job->files,
                                .is_recorded = job->is_journal,
                                .seconds = seconds};
    memcpy(r.data, job->data, sizeof(r.data));
    const char *chart = cli_value(job->args, "--chart");
    if (!job->json) {
        buf_add_c(&job->out, job->head_is_out ? "\n" : "");
        backtest_report_text(&r, &job->out);
        cli_print(buf_str(&job->out));
    }
    int rc = chart != NULL ? backtest_report_chart(&r, chart, err) : 0;
    if (rc >= 0 && job->json) {
        if (job->trades != NULL) {
            rewind(job->trades);
        }
        backtest_report_json(&r, job->trades, &job->out);
        cli_print(buf_str(&job->out));
    }
    return rc;
}

/* Prints what was assumed, refused rows and other errors of the files on standard error. */
static int print_files(const struct job *job)
{
    int code = CLI_FINE;
    for (int i = 0; i < job->files.count; i++) {
        struct csv_source_report file = csv_source_report(&job->files, i);
        if (csv_dropped(file.checked, true) + file.checked->no_volume > 0) {
            cli_csv_report(job->data[i], file.note, file.checked);
            code = file.checked->refused + file.checked->unfit > 0 ? CLI_REFUSED : code;
        } else if (file.note[0] != '\0') {
            (void)fprintf(stderr, "%s: %s\n", job->data[i], file.note);
        }
    }
    return code;
}

static int trade(struct job *job, struct err *err)
{
    int64_t started_us = clock_mono_us(clock_real());
    struct backtest *backtest =
        backtest_new(&(struct backtest_options){.settings = &job->settings,
                                                .venue = &job->venue,
                                                .source = job->source,
                                                .predictor = job->model.predictor,
                                                .sentiment = job->sentiment,
                                                .seen_until_us = job->model.seen_until_us,
                                                .from_us = job->from_us,
                                                .to_us = job->to_us,
                                                .on_trade = job->lists_trades ? list_trade : NULL,
                                                .on_candles = show_progress,
                                                .userdata = job});
    int rc = backtest_run(backtest, err);
    end_progress(job);
    bool of_files = !job->is_simulated && !job->is_journal;
    const struct err *broken = of_files ? csv_source_error(&job->files) : NULL;
    if (job->is_journal && rc >= 0) {
        rc = journal_source_end(job->journal, err);
    }
    if (broken != NULL) {
        *err = *broken;
        rc = -broken->id;
    }
    if (rc >= 0) {
        double seconds = (double)(clock_mono_us(clock_real()) - started_us) / 1e6;
        rc = report(job, backtest_result(backtest), seconds, err);
    }
    backtest_free(backtest);
    return rc;
}

static void load_model(struct job *job)
{
    char market[32] = CLI_RECORDED;
    int64_t seed = 0, days = 0;
    if (job->is_simulated && cli_simulated_parse(job->data[0], &seed, &days, NULL) == 0) {
        (void)snprintf(market, sizeof(market), CLI_SIMULATED ":%lld", (long long)seed);
    }
    backtest_model_load(&job->model, &job->settings, source_step_us(job->source), market);
}

static int prepare(struct job *job, struct err *err)
{
    AUTO_CONFIG struct config *config = NULL;
    int rc = read_data(job, err);
    rc = rc < 0 ? rc : cli_csv_limits(job->args, true, &job->limits, err);
    if (rc >= 0) {
        rc = read_range(job, err);
    }
    if (rc >= 0) {
        rc = cli_load_config_without_secrets(job->args, &config, err);
    }
    if (rc < 0) {
        return rc;
    }
    config_settings(config, &job->settings);
    config_venue(config, &job->venue);
    rc = read_symbols(job, config, err);
    if (rc >= 0) {
        rc = open_market(job, err);
    }
    const char *sentiment = cli_value(job->args, "--sentiment");
    if (rc >= 0 && sentiment != NULL) {
        rc = sentiment_history_load(sentiment, &job->sentiment, err);
    }
    if (rc >= 0) {
        load_model(job);
    }
    job->json = cli_flag(job->args, "--json");
    job->lists_trades = cli_flag(job->args, "--trades");
    /* The length of a journal is unknown until its end. */
    job->shows_progress = isatty(STDERR_FILENO) != 0 && !job->is_journal;
    if (rc >= 0 && job->json && job->lists_trades) {
        job->trades = tmpfile();
        if (job->trades == NULL) {
            rc = err_set(err, ERR_FILE_FAILED, "a temporary file for the trades");
        }
    }
    return rc;
}

static int run(const struct cli_args *args)
{
    AUTO_FREE struct job *job = calloc(1, sizeof(*job));
    ASSERT(job != NULL);
    struct err err = {0};
    job->args = args;
    buf_init(&job->out, REPORT_MAX);
    int rc = prepare(job, &err);
    if (rc >= 0) {
        rc = trade(job, &err);
    }
    int code = print_files(job);
    if (job->model.path != NULL && job->model.predictor == NULL) {
        code = CLI_REFUSED;
    }
    if (rc < 0) {
        code = cli_fail(args, &err, CLI_CRITICAL);
    }
    if (job->trades != NULL) {
        (void)fclose(job->trades);
    }
    backtest_model_release(&job->model);
    sentiment_history_free(job->sentiment);
    csv_source_release(&job->files);
    journal_source_free(job->journal);
    buf_release(&job->out);
    return code;
}

const struct cli_command cmd_backtest = {
    .name = "backtest",
    .summary = "Trade on past candles and report the result",
    .words = "",
    .options = {{"--data", "FILE", "candles, once per symbol; simulated[:SEED[:DAYS]]; a journal"},
                {"--symbol", "SYMBOL",
                 "symbol of a file, once per file (default: the first of market.symbols)"},
                {"--timeframe", "TF", "build candles of 1m, 5m, 15m or 1h (default: as they are)"},
                {"--from", "TIME", "start of trading (UTC)"},
                {"--to", "TIME", "end of trading (UTC)"},
                CLI_OPTION_UNIT,
                CLI_OPTION_MAX_DROPPED,
                {"--sentiment", "FILE", "stored sentiment, made by /export sentiment"},
                {"--trades", NULL, "list every trade"},
                {"--chart", "FILE", "write a picture (PNG)"},
                CLI_OPTION_JSON,
                CLI_OPTION_CONFIG},
    .more =
        "The same engine, agents, risk manager and paper venue as `nightdesk run`, with the\n"
        "settings of the configuration: over the same candles it makes the same trades. An order\n"
        "fills at the next candle's open, worse by half the spread and the depth of the book.\n"
        "With --from, the days before it warm up the indicators; without it, decisions start once\n"
        "the indicators are defined. Memory use does not grow with the file, and no database is\n"
        "read or written. A model that cannot be used is reported, and the run continues without\n"
        "it. The period that a model was trained on is shown first and does not count: the "
        "figures\n"
        "cover the unseen part; costs, decisions and the curve cover the whole run.",
    .exits = "  0  done\n"
             "  1  done, but rows were refused or the model was not used\n"
             "  2  the data or the options cannot be used\n",
    .run = run,
};
