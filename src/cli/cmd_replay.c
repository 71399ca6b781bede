#include "base/auto.h"
#include "base/check.h"
#include "chat/render.h"
#include "cli/cli.h"
#include "cli_internal.h"
#include "engine/recorder.h"
#include "engine/replay.h"
#include "model/model_json.h"
#include "trading/why.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define OUT_MAX        ((size_t)256 * 1024)
#define PROGRESS_EVERY 100000

struct query {
    struct buf path;
    int64_t until_us; /* INT64_MAX: to the end */
    bool why;
    struct symbol symbol; /* empty: all */
    bool json;
};

/* ---------------------------------------------------------------- options */

/* ISO, seconds since 1970, or "now": the end of the journal. */
static int read_time(const char *text, int64_t *ret, struct err *err)
{
    int64_t seconds;
    *ret = INT64_MAX;
    if (text == NULL || strcmp(text, "now") == 0 || clock_parse_iso(str_c(text), ret)) {
        return 0;
    }
    if (str_to_i64(str_c(text), &seconds) && seconds >= 0 && seconds < INT64_MAX / USEC_PER_SEC) {
        *ret = seconds * USEC_PER_SEC;
        return 0;
    }
    return err_set(err, ERR_CLI_USAGE,
                   "--until takes a time such as 2026-11-21T06:20:00, seconds since 1970, or now");
}

static int read_query(const struct cli_args *args, struct query *query, struct err *err)
{
    AUTO_CONFIG struct config *config = NULL;
    const char *file = cli_value(args, "--file");
    int64_t run = 0;
    query->why = cli_flag(args, "--why");
    query->json = cli_flag(args, "--json");
    int rc = cli_number(args, "--run", 1, INT64_MAX, &run, err);
    rc = rc < 0 ? rc : read_time(cli_value(args, "--until"), &query->until_us, err);
    if (rc < 0) {
        return rc;
    }
    if (args->word_count > 0 && !symbol_parse(str_c(args->word[0]), &query->symbol)) {
        return err_set(err, ERR_CLI_USAGE, "%.40s is not a symbol", args->word[0]);
    }
    if (args->word_count > 0 && !query->why) {
        return err_set(err, ERR_CLI_USAGE, "a symbol needs --why");
    }
    if (file != NULL && run != 0) {
        return err_set(err, ERR_CLI_USAGE, "give --run or --file, not both");
    }
    if (file != NULL) {
        buf_add_c(&query->path, file);
        return 0;
    }
    rc = cli_load_config_without_secrets(args, &config, err);
    return rc < 0 ? rc : recorder_find(cli_find_state_dir(args, config), run, &query->path, err);
}

/* ---------------------------------------------------------------- progress */

static void add_counted(struct buf *out, int64_t count, const char *one)
{
    buf_addf(out, "%lld %s%s", (long long)count, one, count == 1 ? "" : "s");
}

static void add_count(struct buf *out, const struct replay *replay)
{
    const struct replay_count *c = replay_count(replay);
    buf_addf(out, "run %lld: ", (long long)replay_run(replay));
    add_counted(out, c->steps, "step");
    buf_add_c(out, ", ");
    add_counted(out, c->decisions, "decision");
    buf_add_c(out, ", ");
    add_counted(out, c->orders, "order");
    buf_add_c(out, ", ");
    add_counted(out, c->fills, "fill");
    buf_add_c(out, ", ");
    add_counted(out, c->trades, "trade");
    if (c->steps > 0) {
        buf_add_c(out, ", ");
        clock_add_iso(out, c->first_us, false);
        buf_add_c(out, " to ");
        clock_add_iso(out, c->last_us, false);
    }
}

static void add_count_json(struct json_out *out, const struct replay *replay)
{
    const struct replay_count *c = replay_count(replay);
    json_out_i64(out, "run", replay_run(replay));
    json_out_i64(out, "steps", c->steps);
    json_out_i64(out, "decisions", c->decisions);
    json_out_i64(out, "orders", c->orders);
    json_out_i64(out, "fills", c->fills);
    json_out_i64(out, "trades", c->trades);
    json_out_i64(out, "offset_bytes", c->offset);
    json_out_time(out, "first_at", c->steps > 0 ? c->first_us : 0);
    json_out_time(out, "last_at", c->steps > 0 ? c->last_us : 0);
}

/* Replays up to until_us. 0, or a negative id; the steps before the error have been replayed. */
static int replay_until(struct replay *replay, int64_t until_us, struct err *err)
{
    int rc = 1;
    while (rc > 0 && (until_us == INT64_MAX || replay_next_us(replay) <= until_us)) {
        rc = replay_step(replay, err);
        int64_t steps = replay_count(replay)->steps;
        if (steps % PROGRESS_EVERY == 0 && isatty(STDERR_FILENO)) {
            (void)fprintf(stderr, "\r%lld steps\033[K", (long long)steps);
        }
    }
    if (replay_count(replay)->steps >= PROGRESS_EVERY && isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "\r\033[K");
    }
    return rc < 0 ? rc : 0;
}

/* ---------------------------------------------------------------- state of the engine */

static void show_account(struct reply *r, const struct snapshot *s)
{
    reply_line(r, "State: %s (%s)", trading_state_name(s->state), s->state_reason);
    reply_para(r, "Equity {}, cash {}, realised {}", cell_exact(cell_money(s->equity)),
               cell_exact(cell_money(s->cash)), cell_exact(cell_money(s->realised)));
    reply_para(r, "Drawdown {} of {}, loss of the day {} of {}, exposure {}",
               cell_pct(s->drawdown_pct, 2), cell_pct(s->max_drawdown_pct, 2),
               cell_pct(s->daily_loss_pct > 0 ? s->daily_loss_pct : 0, 2),
               cell_pct(s->max_daily_loss_pct, 2), cell_pct(s->exposure_pct, 1));
    reply_para(r, "Open orders {}, unknown {}; positions {} of {}",
               cell_count((int64_t)s->open_orders), cell_count((int64_t)s->unknown_orders),
               cell_count(s->position_count), cell_count(s->max_positions));
}

static void show_positions(struct reply *r, const struct snapshot *s)
{
    for (int i = 0; i < s->position_count; i++) {
        const struct position *p = &s->positions[i];
        const struct dec figures[] = {p->qty,  p->entry_price, p->mark_price,
                                      p->stop, p->target,      p->unrealised};
        struct cell cells[COUNT_OF(figures) + 2] = {cell_symbol(p->symbol.name),
                                                    cell_text(side_name(p->side)),
                                                    cell_qty(p->qty, p->symbol.name)};
        for (size_t k = 1; k < COUNT_OF(figures); k++) {
            cells[k + 2] = cell_exact(cell_price(figures[k], p->symbol.name));
        }
        if (i == 0) {
            reply_columns(r, "position", "side", "quantity", "entry", "now", "stop", "target",
                          "result");
        }
        cells[COUNT_OF(cells) - 1] = cell_exact(cell_money(p->unrealised));
        reply_cells_row(r, cells, COUNT_OF(cells));
    }
}

#define INDICATORS 6

static const char *const indicator_names[INDICATORS] = {"rsi14",     "macd_hist", "bb_lower",
                                                        "bb_middle", "bb_upper",  "atr14"};

/* Of one timeframe, from closed bars. */
static void find_indicators(const struct series *series, enum timeframe tf, double ret[INDICATORS])
{
    const struct frame *f = series_frame(series, tf);
    struct series_bands bands = series_bands(f);
    ret[0] = rsi_value(&f->rsi);
    ret[1] = macd_histogram(&f->macd);
    ret[2] = bands.lower;
    ret[3] = bands.middle;
    ret[4] = bands.upper;
    ret[5] = atr_value(&f->atr);
}

static void show_frame(struct reply *r, const struct series *series, enum timeframe tf)
{
    double values[INDICATORS];
    struct cell cells[INDICATORS + 2] = {cell_symbol(series->symbol.name),
                                         cell_text(timeframe_name(tf))};
    find_indicators(series, tf, values);
    for (size_t i = 0; i < INDICATORS; i++) {
        cells[i + 2] =
            isfinite(values[i]) ? cell_number(values[i], CELL_PLACES_SHORT) : cell_none();
    }
    reply_cells_row(r, cells, COUNT_OF(cells));
}

static bool is_wanted(const struct query *query, struct symbol symbol)
{
    return query->symbol.name[0] == '\0' || symbol_equal(query->symbol, symbol);
}

static void show_market(struct reply *r, const struct replay *replay, const struct query *query,
                        const struct snapshot *s)
{
    reply_columns(r, "market", "price", "bid", "ask", "spread", "regime", "refused");
    for (int i = 0; i < s->market_count; i++) {
        const struct snapshot_market *m = &s->markets[i];
        if (!is_wanted(query, m->symbol)) {
            continue;
        }
        const struct quote *q = replay_quote(replay, m->symbol);
        const char *symbol = m->symbol.name;
        struct cell bid = cell_none(), ask = cell_none(), spread = cell_none();
        if (q != NULL) {
            bid = cell_exact(cell_price(q->bid, symbol));
            ask = cell_exact(cell_price(q->ask, symbol));
            spread = cell_exact(cell_price(dec_sub(q->ask, q->bid), symbol));
        }
        reply_cells(r, cell_symbol(symbol), cell_exact(cell_price(m->price, symbol)), bid, ask,
                    spread, cell_text(regime_name(m->regime)), cell_count((int64_t)m->refused));
    }
    reply_columns(r, "indicators", "bars", "rsi14", "macd_hist", "bb_lower", "bb_middle",
                  "bb_upper", "atr14");
    for (int i = 0; i < s->market_count; i++) {
        const struct series *series = replay_series(replay, s->markets[i].symbol);
        for (int tf = TF_5M; tf < TF_COUNT && is_wanted(query, s->markets[i].symbol); tf++) {
            show_frame(r, series, (enum timeframe)tf);
        }
    }
}

static void print_reply(const struct reply *r)
{
    AUTO_BUF struct buf out = BUF_INIT(OUT_MAX);
    render_text(r, &(struct render_text_options){0}, &out);
    buf_add_char(&out, '\n');
    cli_print(buf_str(&out));
}

/* The latest decision of each symbol, each as a reply of its own. */
static void print_decisions(const struct replay *replay, const struct query *query,
                            const struct snapshot *s)
{
    for (int i = 0; i < s->market_count; i++) {
        const struct decision *d = replay_decision(replay, s->markets[i].symbol);
        if (d == NULL || !is_wanted(query, d->symbol)) {
            continue;
        }
        AUTO_REPLY struct reply *one = reply_new();
        why_head(one, d);
        why_conclusion(one, d);
        why_details(one, d);
        print_reply(one);
    }
}

static void print_state(const struct replay *replay, const struct query *query,
                        const struct snapshot *s)
{
    AUTO_REPLY struct reply *r = reply_new();
    AUTO_BUF struct buf time = BUF_INIT(64);
    clock_add_iso(&time, replay_now(replay)->market_us, true);
    reply_title(r, TONE_PLAIN, "Engine state · %s · step %lld of run %lld", time.data,
                (long long)replay_count(replay)->steps, (long long)replay_run(replay));
    show_account(r, s);
    show_positions(r, s);
    show_market(r, replay, query, s);
    print_reply(r);
    print_decisions(replay, query, s);
}

/* ---------------------------------------------------------------- the same as JSON */

static void add_quotes(struct json_out *out, const struct replay *replay, const struct query *query,
                       const struct snapshot *s)
{
    json_out_array(out, "quotes");
    for (int i = 0; i < s->market_count; i++) {
        const struct quote *q = replay_quote(replay, s->markets[i].symbol);
        if (q == NULL || !is_wanted(query, s->markets[i].symbol)) {
            continue;
        }
        json_out_object(out, NULL);
        json_out_text(out, "symbol", s->markets[i].symbol.name);
        json_out_dec(out, "bid", q->bid);
        json_out_dec(out, "ask", q->ask);
        json_out_end(out);
    }
    json_out_end(out);
}

static void add_indicators(struct json_out *out, const struct replay *replay,
                           const struct query *query, const struct snapshot *s)
{
    json_out_array(out, "indicators");
    for (int i = 0; i < s->market_count; i++) {
        const struct series *series = replay_series(replay, s->markets[i].symbol);
        for (int tf = TF_5M; tf < TF_COUNT && is_wanted(query, s->markets[i].symbol); tf++) {
            double values[INDICATORS];
            find_indicators(series, (enum timeframe)tf, values);
            json_out_object(out, NULL);
            json_out_text(out, "symbol", series->symbol.name);
            json_out_text(out, "timeframe", timeframe_name((enum timeframe)tf));
            for (size_t k = 0; k < INDICATORS; k++) {
                json_out_double(out, indicator_names[k], values[k]);
            }
            json_out_end(out);
        }
    }
    json_out_end(out);
}

static void add_decisions(struct json_out *out, const struct replay *replay,
                          const struct query *query, const struct snapshot *s)
{
    json_out_array(out, "decisions");
    for (int i = 0; i < s->market_count; i++) {
        const struct decision *d = replay_decision(replay, s->markets[i].symbol);
        if (d == NULL || !is_wanted(query, d->symbol)) {
            continue;
        }
        json_out_object(out, NULL);
        model_json_decision(out, d);
        model_json_votes(out, "votes", d);
        json_out_end(out);
    }
    json_out_end(out);
}

static void add_knew(struct json_out *out, const struct replay *replay, const struct query *query,
                     const struct snapshot *s)
{
    json_out_object(out, "knew");
    model_json_snapshot(out, s);
    add_quotes(out, replay, query, s);
    add_indicators(out, replay, query, s);
    add_decisions(out, replay, query, s);
    json_out_end(out);
}

/* ---------------------------------------------------------------- the command */

static void print_text(const struct replay *replay, const struct err *failure)
{
    AUTO_BUF struct buf out = BUF_INIT(4096);
    bool differs = failure->id == ERR_ENGINE_REPLAY_DIFFERS;
    add_count(&out, replay);
    buf_addf(&out, ": %s\n", differs ? "identical except the last step" : "identical");
    cli_print(buf_str(&out));
    if (failure->id != ERR_NONE) {
        AUTO_BUF struct buf reply = BUF_INIT(8192);
        render_text_error(failure, &reply);
        (void)fflush(stdout);
        (void)fprintf(stderr, "%s", reply.data);
    }
}

/* s: NULL without --why. */
static void print_json(const struct replay *replay, const struct query *query,
                       const struct snapshot *s, const struct err *failure)
{
    AUTO_BUF struct buf text = BUF_INIT(OUT_MAX);
    struct json_out out = JSON_OUT(&text);
    json_out_document(&out, "nightdesk.replay/1");
    add_count_json(&out, replay);
    json_out_bool(&out, "identical", failure->id == ERR_NONE);
    if (failure->id != ERR_NONE) {
        json_out_object(&out, "error");
        model_json_err(&out, failure);
        json_out_end(&out);
    }
    if (s != NULL) {
        add_knew(&out, replay, query, s);
    }
    json_out_end(&out);
    buf_add_char(&text, '\n');
    cli_print(buf_str(&text));
}

static int run(const struct cli_args *args)
{
    AUTO_REPLAY struct replay *replay = NULL;
    AUTO_FREE struct snapshot *knew = NULL;
    struct err err = {0};
    struct query query = {.path = BUF_INIT(4096), .until_us = INT64_MAX};
    int rc = read_query(args, &query, &err);
    rc = rc < 0 ? rc : replay_open(query.path.data, cli_value(args, "--model"), &replay, &err);
    buf_release(&query.path);
    if (rc < 0) {
        return cli_fail(args, &err, rc == -ERR_ENGINE_RECORD_DAMAGED ? CLI_REFUSED : CLI_CRITICAL);
    }
    rc = replay_until(replay, query.until_us, &err);
    if (query.why && replay_count(replay)->steps > 0) {
        knew = snapshot_new(engine_symbol_count(replay_engine(replay)));
        engine_snapshot(replay_engine(replay), replay_now(replay), knew);
    }
    if (query.json) {
        print_json(replay, &query, knew, &err);
    } else {
        if (knew != NULL) {
            print_state(replay, &query, knew);
        }
        print_text(replay, &err);
    }
    return rc < 0 ? CLI_REFUSED : CLI_FINE;
}

const struct cli_command cmd_replay = {
    .name = "replay",
    .summary = "Replay a recorded run, and show the engine's state",
    .words = "[SYMBOL]",
    .words_max = 1,
    .options = {{"--run", "N", "which run of the state folder (default: the newest)"},
                {"--file", "FILE", "a journal by its path"},
                {"--until", "TIME", "stop at this market time: ISO, seconds since 1970, or now"},
                {"--why", NULL, "show account, market and decisions at that moment"},
                {"--model", "FILE", "the model of the run (default: its path at that time)"},
                CLI_OPTION_JSON,
                CLI_OPTION_CONFIG,
                CLI_OPTION_STATE},
    .more =
        "The daemon records the inputs of each step in journal/run-N.ndj of the state folder. A\n"
        "replay runs the same step on the same inputs, without database, venue or clock, and\n"
        "compares its outputs with the recorded checksums. With --why, SYMBOL shows only that\n"
        "symbol.",
    .exits = "  0  every step gave the recorded outputs\n"
             "  1  a step now decides differently, or the journal is damaged; the steps before it\n"
             "     were replayed\n"
             "  2  there is no such run, or it cannot be replayed here\n",
    .run = run,
};
