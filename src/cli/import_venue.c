#include "import_venue.h"

#include "base/check.h"
#include "cli_csv.h"
#include "import_candles.h"
#include "io/file.h"
#include "io/json_out.h"
#include "store/candle_table.h"
#include "venue/exchange.h"
#include "venue/rest.h"

#include <unistd.h>

#define STORED_BATCH 512
#define PATH_SIZE    512

struct fetch {
    const struct cli_args *args;
    const struct exchange *exchange;
    struct symbol symbol;
    enum timeframe tf;
    int64_t from_us; /* [from, until), multiples of the timeframe */
    int64_t until_us;
    struct loop *loop;
    struct rest *rest;
    struct secret *key_id, *key_secret; /* NULL: the candles are public */
    int lock_fd;
    struct trading_store *store;
    struct exchange_market market;
    struct exchange_ask ask; /* the page that is requested */
    int64_t next_us;         /* before it everything is stored, or missing at the venue */
    int64_t clock_offset_us; /* of the venue's clock */
    int64_t stored, present, missing;
    int64_t first_us, last_us; /* of the candles that are there; 0: none */
    struct err err;
    struct candle page[EXCHANGE_CANDLES_MAX];
};

static void fetch_release(struct fetch *f)
{
    rest_free(f->rest);
    secret_free(f->key_id);
    secret_free(f->key_secret);
    loop_free(f->loop);
    trading_store_free(f->store);
    auto_fd_cleanup(&f->lock_fd);
}

static int64_t step_us(const struct fetch *f)
{
    return timeframe_us(f->tf);
}

/* ---------------------------------------------------------------- what is asked for */

static int choose_time(const struct cli_args *args, const char *option, int64_t fallback_us,
                       int64_t *ret_us, struct err *err)
{
    const char *text = cli_value(args, option);
    *ret_us = fallback_us;
    if (text != NULL && (!clock_parse_iso(str_c(text), ret_us) || *ret_us < 0)) {
        return err_set(err, ERR_CLI_USAGE, "%s takes a time (UTC) such as 2026-01-31", option);
    }
    return 0;
}

static int choose_range(struct fetch *f, struct err *err)
{
    int64_t now_us = clock_wall_us(clock_real());
    if (cli_value(f->args, "--since") == NULL) {
        return err_set(err, ERR_CLI_USAGE, "--venue needs --since, such as --since 2026-01-31");
    }
    int rc = choose_time(f->args, "--since", 0, &f->from_us, err);
    rc = rc < 0 ? rc : choose_time(f->args, "--until", now_us, &f->until_us, err);
    if (rc < 0) {
        return rc;
    }
    f->from_us += (step_us(f) - f->from_us % step_us(f)) % step_us(f);
    f->until_us = f->until_us > now_us ? now_us : f->until_us;
    f->until_us -= f->until_us % step_us(f);
    return f->from_us < f->until_us
               ? 0
               : err_set(err, ERR_CLI_USAGE,
                         "--since must be before --until and now, by a candle at least");
}

static int read_options(struct fetch *f, struct err *err)
{
    const char *symbol = cli_value(f->args, "--symbol"), *tf = cli_value(f->args, "--timeframe");
    const char *name = cli_value(f->args, "--venue"), *url = cli_value(f->args, "--url");
    f->exchange = exchange_find(name);
    if (f->exchange == NULL) {
        AUTO_BUF struct buf names = BUF_INIT(256);
        exchange_add_names(&names);
        return err_set(err, ERR_CLI_USAGE, "--venue takes one of: %s", names.data);
    }
    if (f->args->word_count > 1 || cli_value(f->args, "--unit") != NULL ||
        cli_value(f->args, "--max-dropped") != NULL) {
        return err_set(err, ERR_CLI_USAGE,
                       "files, --unit and --max-dropped do not go with --venue");
    }
    if (symbol == NULL || !symbol_parse(str_c(symbol), &f->symbol) ||
        symbol_base(&f->symbol).len == 0 || symbol_quote(&f->symbol).len == 0) {
        return err_set(err, ERR_CLI_USAGE, "--venue needs --symbol, such as --symbol BTC-USD");
    }
    if (url != NULL && !str_starts(str_c(url), "https://") && !str_starts(str_c(url), "http://")) {
        return err_set(err, ERR_CLI_USAGE,
                       "--url takes a URL that begins with https:// or http://");
    }
    f->tf = TF_5M;
    int rc = tf != NULL ? cli_csv_timeframe(tf, &f->tf, err) : 0;
    return rc < 0 ? rc : choose_range(f, err);
}

/* ---------------------------------------------------------------- pages */

static void give_up(struct fetch *f, const struct err *err)
{
    if (err != &f->err) {
        f->err = *err;
    }
    loop_exit(f->loop, 0);
}

static void show_progress(const struct fetch *f)
{
    if (isatty(STDERR_FILENO)) {
        AUTO_BUF struct buf line = BUF_INIT(128);
        clock_add_iso(&line, f->next_us, false);
        (void)fprintf(stderr, "\r%s: %lld candles, %d %%\033[K", line.data, (long long)f->stored,
                      (int)((f->next_us - f->from_us) * 100 / (f->until_us - f->from_us)));
    }
}

static void count_range(struct fetch *f, int64_t open_us)
{
    f->first_us = f->first_us == 0 ? open_us : f->first_us;
    f->last_us = open_us;
}

/* Moves next_us over candles that are stored without a gap. */
static int skip_stored(struct fetch *f, struct err *err)
{
    struct candle batch[STORED_BATCH];
    int count;
    while ((count = candle_table_imported(f->store, f->symbol, f->tf, f->next_us, batch,
                                          STORED_BATCH, err)) > 0) {
        for (int i = 0; i < count; i++) {
            if (batch[i].open_us != f->next_us || f->next_us >= f->until_us) {
                return 0;
            }
            count_range(f, f->next_us);
            f->present++;
            f->next_us += step_us(f);
        }
    }
    return count;
}

static int store_page(struct fetch *f, int count, struct err *err)
{
    int rc = trading_store_begin(f->store, err);
    for (int i = 0; i < count && rc >= 0; i++) {
        rc = candle_table_import(f->store, f->symbol, f->tf, &f->page[i], err);
    }
    if (rc < 0) {
        trading_store_rollback(f->store);
        return rc;
    }
    return trading_store_commit(f->store, err);
}

static void on_candles(const struct rest_answer *answer, void *userdata);

static void next_page(struct fetch *f)
{
    AUTO_BUF struct buf path = BUF_INIT(PATH_SIZE);
    if (skip_stored(f, &f->err) < 0) {
        give_up(f, &f->err);
        return;
    }
    show_progress(f);
    if (f->next_us >= f->until_us) {
        loop_exit(f->loop, 0);
        return;
    }
    f->ask = (struct exchange_ask){
        .market = &f->market,
        .tf = f->tf,
        .from_us = f->next_us,
        .until_us = exchange_ask_until_us(f->exchange, f->tf, f->next_us, f->until_us)};
    f->exchange->add_candles_path(&f->ask, &path);
    rest_get(f->rest, path.data, f->exchange->candles_weight, on_candles, f);
}

static void on_candles(const struct rest_answer *answer, void *userdata)
{
    struct fetch *f = userdata;
    int count = 0;
    if (answer->err != NULL) {
        give_up(f, answer->err);
        return;
    }
    if (f->exchange->read_candles(answer->root, &f->ask, f->page, &count, &f->err) < 0 ||
        store_page(f, count, &f->err) < 0) {
        give_up(f, &f->err);
        return;
    }
    for (int i = 0; i < count; i++) {
        /* Before its first candle a market did not exist. */
        if (f->first_us > 0) {
            f->missing += (f->page[i].open_us - f->next_us) / step_us(f);
        }
        count_range(f, f->page[i].open_us);
        f->next_us = f->page[i].open_us + step_us(f);
    }
    f->stored += count;
    if (count == 0) { /* the venue has no more in this range */
        f->missing += f->first_us > 0 ? (f->ask.until_us - f->next_us) / step_us(f) : 0;
        f->next_us = f->ask.until_us;
    }
    next_page(f);
}

static void on_market(const struct rest_answer *answer, void *userdata)
{
    struct fetch *f = userdata;
    if (answer->err != NULL) {
        give_up(f, answer->err);
    } else if (f->exchange->read_market(answer->root, &f->symbol, &f->market, &f->err) < 0) {
        give_up(f, &f->err);
    } else {
        next_page(f);
    }
}

/* Of a venue that gives only its newest candles: those that are wanted and not stored are among
 * them. */
static int check_history(const struct fetch *f, int64_t closed_us, struct err *err)
{
    int64_t oldest_us = closed_us - (f->exchange->candles_kept - 1) * step_us(f);
    if (f->exchange->candles_kept > 0 && f->next_us < f->until_us && f->next_us < oldest_us) {
        AUTO_BUF struct buf oldest = BUF_INIT(64);
        clock_add_iso(&oldest, oldest_us, false);
        return err_set(err, ERR_VENUE_HISTORY, "%s: candles of %s from %s on", f->exchange->name,
                       timeframe_name(f->tf), oldest.data);
    }
    return 0;
}

/* The candle that the venue's clock is in is open: it is not imported. */
static void on_time(const struct rest_answer *answer, void *userdata)
{
    struct fetch *f = userdata;
    int64_t venue_us = 0;
    AUTO_BUF struct buf path = BUF_INIT(PATH_SIZE);
    if (answer->err != NULL) {
        give_up(f, answer->err);
        return;
    }
    if (f->exchange->read_time(answer->root, &venue_us, &f->err) < 0) {
        give_up(f, &f->err);
        return;
    }
    venue_us += answer->elapsed_us / 2; /* the way back */
    f->clock_offset_us = venue_us - clock_wall_us(clock_real());
    int64_t closed_us = venue_us - venue_us % step_us(f);
    f->until_us = f->until_us > closed_us ? closed_us : f->until_us;
    if (skip_stored(f, &f->err) < 0 || check_history(f, closed_us, &f->err) < 0) {
        give_up(f, &f->err);
        return;
    }
    f->exchange->add_market_path(&f->symbol, &path);
    rest_get(f->rest, path.data, f->exchange->market_weight, on_market, f);
}

/* ---------------------------------------------------------------- the outcome */

static void print_json(const struct fetch *f)
{
    AUTO_BUF struct buf text = BUF_INIT(4096);
    struct json_out out = JSON_OUT(&text);
    json_out_document(&out, "nightdesk.import_venue/1");
    json_out_text(&out, "venue", f->exchange->name);
    json_out_text(&out, "symbol", f->symbol.name);
    json_out_text(&out, "market", f->market.name);
    json_out_text(&out, "timeframe", timeframe_name(f->tf));
    json_out_i64(&out, "stored", f->stored);
    json_out_i64(&out, "present", f->present);
    json_out_i64(&out, "missing", f->missing);
    json_out_time(&out, "first_at", f->first_us);
    json_out_time(&out, "last_at", f->last_us);
    json_out_i64(&out, "requests", rest_sent(f->rest));
    json_out_i64(&out, "clock_offset_ms", f->clock_offset_us / USEC_PER_MSEC);
    json_out_end(&out);
    buf_add_char(&text, '\n');
    cli_print(buf_str(&text));
}

static void print_text(const struct fetch *f)
{
    AUTO_BUF struct buf out = BUF_INIT(4096);
    buf_addf(&out, "%s %s of %s: %lld candles stored, %lld were there\n", f->symbol.name,
             timeframe_name(f->tf), f->exchange->name, (long long)f->stored, (long long)f->present);
    clock_add_iso(&out, f->first_us, false);
    buf_add_c(&out, " to ");
    clock_add_iso(&out, f->last_us, false);
    buf_addf(&out, ", missing %lld, requests %lld\n", (long long)f->missing,
             (long long)rest_sent(f->rest));
    cli_print(buf_str(&out));
}

static int load_key(struct fetch *f, const struct config *config, struct rest_options *options,
                    struct err *err)
{
    const char *id, *secret;
    config_price_key(config, f->exchange->key_of, &id, &secret);
    if (id[0] == '\0' || secret[0] == '\0') {
        return err_set(err, ERR_MARKET_KEY, "%s: %s", f->exchange->name, f->symbol.name);
    }
    int rc = exchange_check_url("--url", options->url != NULL ? options->url : "", err);
    if (rc < 0) {
        return rc;
    }
    f->key_id = secret_new(str_c(id));
    f->key_secret = secret_new(str_c(secret));
    options->key_id = f->key_id;
    options->key_secret = f->key_secret;
    options->ca_file = config->market_ca_file;
    return 0;
}

static int run_fetch(struct fetch *f, struct err *err)
{
    AUTO_CONFIG struct config *config = NULL;
    struct rest_options options = {.exchange = f->exchange, .url = cli_value(f->args, "--url")};
    bool keys = exchange_needs_key(f->exchange, &f->symbol);
    int rc = keys ? cli_load_config(f->args, &config, err)
                  : cli_load_config_without_secrets(f->args, &config, err);
    rc = rc < 0 || !keys ? rc : load_key(f, config, &options, err);
    rc = rc < 0
             ? rc
             : import_open_store(cli_find_state_dir(f->args, config), &f->lock_fd, &f->store, err);
    if (rc < 0) {
        return rc;
    }
    if ((f->loop = loop_new(err)) == NULL || (f->rest = rest_new(f->loop, &options, err)) == NULL) {
        return -err->id;
    }
    f->next_us = f->from_us;
    rest_get(f->rest, f->exchange->time_path, f->exchange->time_weight, on_time, f);
    (void)loop_run(f->loop);
    if (isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "\r\033[K");
    }
    *err = f->err;
    if (err->id == ERR_NONE && f->first_us == 0) {
        return err_set(err, ERR_VENUE_SYMBOL, "%s has no candle of %s within this time",
                       f->exchange->name, f->symbol.name);
    }
    return -err->id;
}

int import_venue(const struct cli_args *args)
{
    struct err err = {0};
    AUTO_FREE struct fetch *f = calloc(1, sizeof(*f));
    NEED_MEMORY(f != NULL);
    f->args = args;
    f->lock_fd = -1;
    int rc = read_options(f, &err);
    rc = rc < 0 ? rc : run_fetch(f, &err);
    int code = CLI_FINE;
    if (rc < 0) {
        if (f->stored > 0) {
            (void)fprintf(stderr, "%lld candles were stored before; the same command continues\n",
                          (long long)f->stored);
        }
        code = cli_fail(args, &err, CLI_CRITICAL);
    } else if (cli_flag(args, "--json")) {
        print_json(f);
    } else {
        print_text(f);
    }
    fetch_release(f);
    return code;
}
