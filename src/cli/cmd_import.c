#include "base/check.h"
#include "cli_csv.h"
#include "cli_internal.h"
#include "engine/state_file.h"
#include "import_candles.h"
#include "import_venue.h"
#include "model/model_json.h"

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
    if (cli_value(args, "--symbol") != NULL || args->word_count > 2) {
        (void)err_set(&err, ERR_CLI_USAGE, "--symbol and several files are for candles");
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    if (cli_load_config_without_secrets(args, &config, &err) < 0 ||
        state_file_read(args->word[1], &file, &err) < 0 ||
        import_open_store(cli_find_state_dir(args, config), &lock_fd, &store, &err) < 0) {
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

static const char *venue_option(const struct cli_args *args)
{
    static const char *const options[] = {"--since", "--until", "--timeframe", "--url", "--venue"};
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (cli_value(args, options[i]) != NULL) {
            return options[i];
        }
    }
    return NULL;
}

static int run(const struct cli_args *args)
{
    struct err err = {0};
    const char *option = venue_option(args);
    bool candles = strcmp(args->word[0], "candles") == 0;
    if (candles && cli_value(args, "--venue") != NULL) {
        return import_venue(args);
    }
    if ((!candles && strcmp(args->word[0], "state") != 0) || args->word_count < 2) {
        (void)err_set(&err, ERR_CLI_USAGE,
                      "import takes candles FILE…, candles --venue NAME, or state FILE");
    } else if (option != NULL) {
        (void)err_set(&err, ERR_CLI_USAGE, "%s is for candles --venue NAME", option);
    } else {
        return candles ? import_candles(args) : import_state(args);
    }
    return cli_fail(args, &err, CLI_CRITICAL);
}

const struct cli_command cmd_import = {
    .name = "import",
    .summary = "Import candles from files or a venue, or an account from a .trading_state.json",
    .words = "candles|state [FILE…]",
    .words_min = 1,
    .words_max = CLI_WORDS_MAX,
    .options = {{"--symbol", "SYMBOL",
                 "symbol of the candles (default: by file name, else first of market.symbols)"},
                CLI_OPTION_UNIT,
                CLI_OPTION_MAX_DROPPED,
                {"--venue", "NAME",
                 "candles: from this venue: binance, binance_futures, kraken, coinbase, alpaca"},
                {"--since", "TIME", "--venue: the first candle, such as 2026-01-31"},
                {"--until", "TIME", "--venue: end, not included (default: now)"},
                {"--timeframe", "LENGTH", "--venue: 1m, 5m, 15m or 1h (default: 5m)"},
                {"--url", "URL", "--venue: another server, such as the venue's testnet"},
                {"--replace", NULL, "state: replace open positions and orders"},
                CLI_OPTION_JSON,
                CLI_OPTION_CONFIG,
                CLI_OPTION_STATE},
    .more =
        "Candles: CSV or JSON as exchanges export them; docs/data.md lists the forms. FILE may be\n"
        "a folder, of which the .csv, .tsv, .txt and .json files are read. What was assumed about\n"
        "a file is said in one line. Without --symbol, the name of the file has it "
        "(BTCUSDT-1m.csv,\n"
        "BTC_USDT-5m.json); a single file without one is for the first of market.symbols. Candles\n"
        "are stored in the smallest of 1m, 5m, 15m and 1h that the rows fill; a stored candle is\n"
        "replaced. Of each file either all is stored or nothing, and its outcome is listed.\n"
        "\n"
        "From a venue: closed candles of --symbol, without a key. Only those that are not stored "
        "yet\n"
        "are requested, within the venue's limits, so the same command continues an import that "
        "was\n"
        "interrupted. Candles that the venue does not have are counted as missing.\n"
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
             "  1  stored, except refused rows or files\n"
             "  2  nothing was stored: no file can be used, or the daemon is running\n",
    .run = run,
};
