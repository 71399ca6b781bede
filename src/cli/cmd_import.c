#include "base/check.h"
#include "cli_csv.h"
#include "cli_internal.h"
#include "engine/state_file.h"
#include "io/file.h"
#include "market/resample.h"
#include "model/model_json.h"
#include "ops/ops.h"
#include "store/candle_table.h"

#define PROGRESS_EVERY 50000

struct import {
    const char *path;
    struct symbol symbol;
    enum timeframe tf;
    struct csv_report report;
    int64_t stored;
    int64_t unfit; /* prices or volumes that do not fit 1e-8 or the range */
    int64_t first_us;
    int64_t last_us;
};

/* The smallest timeframe that the rows fill. */
static int choose_timeframe(struct import *import, struct err *err)
{
    for (int tf = 0; tf < TF_COUNT; tf++) {
        import->tf = (enum timeframe)tf;
        int rc = cli_csv_check_timeframe(import->path, &import->report, import->tf, err);
        if (rc == 0) {
            err_clear(err);
            return 0;
        }
    }
    return -err->id;
}

static int store_one(struct import *import, struct trading_store *store, const struct candle *c,
                     struct err *err)
{
    if (!candle_is_valid(c)) {
        import->unfit++;
        return 0;
    }
    int rc = candle_table_import(store, import->symbol, import->tf, c, err);
    if (rc < 0) {
        return rc;
    }
    if (import->stored == 0) {
        import->first_us = c->open_us;
    }
    import->last_us = c->open_us;
    import->stored++;
    return 0;
}

static void show_progress(const struct import *import, int64_t rows)
{
    if (rows % PROGRESS_EVERY == 0 && isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "\r%lld of %lld rows\033[K", (long long)rows,
                      (long long)import->report.accepted);
    }
}

static int store_all(struct import *import, struct trading_store *store, struct err *err)
{
    AUTO_CSV struct csv *csv = NULL;
    struct resample resample;
    struct csv_row row, closed;
    int64_t rows = 0;
    int rc = csv_open(import->path, &csv, err);
    resample_init(&resample, timeframe_us(import->tf));
    while (rc >= 0 && (rc = csv_next(csv, &row, err)) > 0) {
        show_progress(import, ++rows);
        if (resample_push(&resample, &row, &closed)) {
            rc = store_one(import, store, &closed.candle, err);
        }
    }
    if (rows >= PROGRESS_EVERY && isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "\r\033[K");
    }
    /* The timeframe of a file with one row is unknown: the row counts as a whole candle. */
    int64_t step_us = import->report.step_us > 0 ? import->report.step_us : resample.length_us;
    if (rc == 0 && resample_end(&resample, step_us, &closed)) {
        rc = store_one(import, store, &closed.candle, err);
    }
    return rc;
}

/* trading.db has one writer: while the daemon runs, that is its engine. */
static int open_store(const char *state_dir, int *ret_lock_fd, struct trading_store **ret,
                      struct err *err)
{
    AUTO_BUF struct buf lock = BUF_INIT(4096);
    int rc = file_make_folder(state_dir, 0750, err);
    if (rc < 0) {
        return rc;
    }
    buf_addf(&lock, "%s/" OPS_LOCK_NAME, state_dir);
    rc = file_lock(lock.data, ret_lock_fd, err);
    return rc < 0 ? rc : trading_store_open(state_dir, TRADING_STORE_WRITE, ret, err);
}

/* Imports all of the file or nothing, in one transaction; SQLite spills a large one to disk. */
static int import_file(struct import *import, const char *state_dir, struct err *err)
{
    AUTO_FD int lock_fd = -1;
    AUTO_TRADING_STORE struct trading_store *store = NULL;
    int rc = open_store(state_dir, &lock_fd, &store, err);
    rc = rc < 0 ? rc : trading_store_begin(store, err);
    if (rc < 0) {
        return rc;
    }
    rc = store_all(import, store, err);
    if (rc < 0) {
        trading_store_rollback(store);
        return rc;
    }
    if (import->stored == 0) {
        trading_store_rollback(store);
        return err_set(err, ERR_MARKET_CSV_EMPTY, "%s: no complete %s bar within range",
                       import->path, timeframe_name(import->tf));
    }
    return trading_store_commit(store, err);
}

static void add_candles_json(const struct import *import, struct buf *text)
{
    const struct csv_report *r = &import->report;
    struct json_out out = JSON_OUT(text);
    json_out_document(&out, "nightdesk.import_candles/1");
    json_out_text(&out, "symbol", import->symbol.name);
    json_out_text(&out, "timeframe", timeframe_name(import->tf));
    json_out_i64(&out, "stored", import->stored);
    json_out_time(&out, "first_at", import->first_us);
    json_out_time(&out, "last_at", import->last_us);
    json_out_i64(&out, "rows", r->accepted + r->duplicates + r->refused);
    json_out_i64(&out, "missing", csv_report_missing(r));
    json_out_i64(&out, "duplicates", r->duplicates);
    json_out_i64(&out, "refused", r->refused);
    json_out_i64(&out, "unfit", import->unfit);
    json_out_end(&out);
    buf_add_char(text, '\n');
}

static void print_report(const struct import *import, bool json)
{
    const struct csv_report *r = &import->report;
    AUTO_BUF struct buf out = BUF_INIT(2048);
    if (json) {
        add_candles_json(import, &out);
    } else {
        buf_addf(&out, "%s %s: %lld candles stored, ", import->symbol.name,
                 timeframe_name(import->tf), (long long)import->stored);
        clock_add_iso(&out, import->first_us, false);
        buf_add_c(&out, " to ");
        clock_add_iso(&out, import->last_us, false);
        buf_addf(
            &out, "\nrows %lld, missing %lld, duplicates %lld, refused %lld, out of range %lld\n",
            (long long)(r->accepted + r->duplicates + r->refused), (long long)csv_report_missing(r),
            (long long)r->duplicates, (long long)r->refused, (long long)import->unfit);
    }
    cli_print(buf_str(&out));
}

/* ---------------------------------------------------------------- a state file */

static void add_text_report(struct buf *out, const struct state_file *file,
                            const struct state_file_imported *done, const struct settings *settings)
{
    buf_addf(out, "imported: %d position%s, %lld trades, total_pnl ", done->positions,
             done->positions == 1 ? "" : "s", (long long)file->total_trades);
    dec_add_text(out, file->total_pnl);
    buf_addf(out, "; the account %s\n",
             done->fresh ? "is new" : "already existed and keeps its history");
    for (int i = 0; i < file->position_count; i++) {
        const struct state_file_position *p = &file->positions[i];
        buf_addf(out, "  %s %s ", p->symbol.name, side_name(p->side));
        dec_add_text(out, p->size);
        buf_add_c(out, " @ ");
        dec_add_text(out, p->entry_price);
        buf_add_char(out, '\n');
    }
    if (done->positions > 0) {
        buf_addf(
            out,
            "The file has order ids, not prices: stops are set %.2f %% and targets %.2f %% from "
            "the entry prices.\n",
            settings->stop_pct, settings->target_pct);
    }
    if (done->replaced_positions > 0 || done->cancelled_orders > 0) {
        buf_addf(out, "replaced: %d positions; cancelled: %d orders\n", done->replaced_positions,
                 done->cancelled_orders);
    }
}

static void add_state_json(struct buf *text, const struct state_file *file,
                           const struct state_file_imported *done, const struct settings *settings)
{
    struct json_out out = JSON_OUT(text);
    json_out_document(&out, "nightdesk.import_state/1");
    json_out_i64(&out, "positions", done->positions);
    json_out_i64(&out, "trades", file->total_trades);
    json_out_bool(&out, "fresh", done->fresh);
    json_out_i64(&out, "replaced_positions", done->replaced_positions);
    json_out_i64(&out, "cancelled_orders", done->cancelled_orders);
    model_json_pct(&out, "stop_pct", settings->stop_pct);
    model_json_pct(&out, "target_pct", settings->target_pct);
    json_out_end(&out);
    buf_add_char(text, '\n');
}

static int import_state(const struct cli_args *args)
{
    AUTO_CONFIG struct config *config = NULL;
    AUTO_FD int lock_fd = -1;
    AUTO_TRADING_STORE struct trading_store *store = NULL;
    struct err err = {0};
    struct settings settings;
    struct state_file file;
    struct state_file_imported done;
    if (cli_value(args, "--symbol") != NULL) {
        (void)err_set(&err, ERR_CLI_USAGE, "--symbol is for candles");
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    if (cli_load_config(args, &config, &err) < 0 ||
        state_file_read(args->word[1], &file, &err) < 0 ||
        open_store(cli_find_state_dir(args, config), &lock_fd, &store, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    config_settings(config, &settings);
    struct venue_settings venue;
    config_venue(config, &venue);
    const struct state_file_import options = {.settings = &settings,
                                              .venue = venue_importer(&venue),
                                              .wall_us = clock_wall_us(clock_real()),
                                              .replace = cli_flag(args, "--replace")};
    if (state_file_import(&file, &options, store, &done, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    AUTO_BUF struct buf out = BUF_INIT(8192);
    if (cli_flag(args, "--json")) {
        add_state_json(&out, &file, &done, &settings);
    } else {
        add_text_report(&out, &file, &done, &settings);
    }
    cli_print(buf_str(&out));
    return CLI_FINE;
}

static int run(const struct cli_args *args)
{
    AUTO_CONFIG struct config *config = NULL;
    struct err err = {0};
    struct import import = {.path = args->word[1]};
    const char *symbol = cli_value(args, "--symbol");
    if (strcmp(args->word[0], "state") == 0) {
        return import_state(args);
    }
    if (strcmp(args->word[0], "candles") != 0) {
        (void)err_set(&err, ERR_CLI_USAGE, "import takes candles FILE or state FILE");
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    if (symbol != NULL && !symbol_parse(str_c(symbol), &import.symbol)) {
        (void)err_set(&err, ERR_CLI_USAGE,
                      "--symbol takes 1 to 15 letters, digits and dashes, such as BTC-USD");
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    if (cli_load_config(args, &config, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    if (symbol == NULL) {
        import.symbol = config->market_symbols.items[0];
    }
    if (cli_csv_scan(import.path, &import.report, &err) < 0 ||
        choose_timeframe(&import, &err) < 0 ||
        import_file(&import, cli_find_state_dir(args, config), &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    print_report(&import, cli_flag(args, "--json"));
    return import.unfit > 0 ? CLI_REFUSED : cli_csv_code(&import.report);
}

const struct cli_command cmd_import = {
    .name = "import",
    .summary = "Import candles from a CSV file, or an account from a .trading_state.json",
    .words = "candles|state FILE",
    .words_min = 2,
    .words_max = 2,
    .options = {{"--symbol", "SYMBOL",
                 "symbol of the candles (default: the first of market.symbols)"},
                {"--replace", NULL, "state: replace open positions and orders"},
                CLI_OPTION_JSON,
                CLI_OPTION_CONFIG,
                CLI_OPTION_STATE},
    .more =
        "The header names time, open, high, low, close and volume, in any order; a time is ISO\n"
        "text, or seconds, milliseconds or microseconds. Candles are stored in the smallest of\n"
        "1m, 5m, 15m and 1h that the rows fill; a stored candle is replaced. Either all of the\n"
        "file is stored or nothing.\n"
        "\n"
        "A state file has positions, trades, profit and the circuit breaker. Entries, sizes and\n"
        "sides are required, everything else is optional. Its orders are unknown to the venue, so\n"
        "each position gets a stop and a target at the configured distance from its entry. A\n"
        "damaged file is refused with line and column, and nothing is imported. The simulated\n"
        "market has its own prices: if they are far from the entries, a stop or a target is hit\n"
        "at once.\n"
        "\n"
        "The daemon must be stopped, because it is the only writer of trading.db.",
    .exits = "  0  stored\n"
             "  1  stored, except refused rows\n"
             "  2  nothing was stored: the file cannot be used, or the daemon is running\n",
    .run = run,
};
