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
    rc = cli_load_config(args, &config, err);
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

static struct json_object *count_json(const struct replay *replay)
{
    const struct replay_count *c = replay_count(replay);
    struct json_object *o = json_object_new_object();
    const struct {
        const char *key;
        int64_t value;
    } rows[] = {{"run", replay_run(replay)}, {"steps", c->steps}, {"decisions", c->decisions},
                {"orders", c->orders},       {"fills", c->fills}, {"trades", c->trades},
                {"offset", c->offset}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        (void)json_object_object_add(o, rows[i].key, json_object_new_int64(rows[i].value));
    }
    const int64_t times[] = {c->first_us, c->last_us};
    for (size_t i = 0; i < COUNT_OF(times) && c->steps > 0; i++) {
        AUTO_BUF struct buf text = BUF_INIT(64);
        clock_add_iso(&text, times[i], true);
        (void)json_object_object_add(o, i == 0 ? "first" : "last",
                                     json_object_new_string(text.data));
    }
    return o;
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

static void set_text(struct json_object *o, const char *key, const char *text)
{
    (void)json_object_object_add(o, key, json_object_new_string(text));
}

static void set_dec(struct json_object *o, const char *key, struct dec value)
{
    char text[DEC_TEXT_SIZE];
    set_text(o, key, dec_text(value, text));
}

static void set_double(struct json_object *o, const char *key, double value)
{
    (void)json_object_object_add(o, key, isfinite(value) ? json_object_new_double(value) : NULL);
}

static void show_account(struct reply *r, const struct snapshot *s)
{
    char equity[DEC_TEXT_SIZE];
    char cash[DEC_TEXT_SIZE];
    char realised[DEC_TEXT_SIZE];
    struct json_object *data = json_object_new_object();
    reply_line(r, "State: %s (%s)", trading_state_name(s->state), s->state_reason);
    reply_line(r, "Equity %s, cash %s, realised %s", dec_text(s->equity, equity),
               dec_text(s->cash, cash), dec_text(s->realised, realised));
    reply_line(r, "Drawdown %.2f of %.2f %%, loss of the day %.2f of %.2f %%, exposure %.1f %%",
               s->drawdown_pct, s->max_drawdown_pct, s->daily_loss_pct > 0 ? s->daily_loss_pct : 0,
               s->max_daily_loss_pct, s->exposure_pct);
    reply_line(r, "Open orders %llu, unknown %llu; positions %d of %d",
               (unsigned long long)s->open_orders, (unsigned long long)s->unknown_orders,
               s->position_count, s->max_positions);
    set_text(data, "state", trading_state_name(s->state));
    set_text(data, "state_reason", s->state_reason);
    set_dec(data, "equity", s->equity);
    set_dec(data, "cash", s->cash);
    set_dec(data, "realised", s->realised);
    set_double(data, "drawdown_pct", s->drawdown_pct);
    set_double(data, "daily_loss_pct", s->daily_loss_pct);
    set_double(data, "exposure_pct", s->exposure_pct);
    (void)json_object_object_add(data, "orders_alive",
                                 json_object_new_int64((int64_t)s->open_orders));
    (void)json_object_object_add(reply_data(r), "account", data);
}

static void show_positions(struct reply *r, const struct snapshot *s)
{
    struct json_object *list = json_object_new_array();
    for (int i = 0; i < s->position_count; i++) {
        const struct position *p = &s->positions[i];
        const struct dec figures[] = {p->qty,  p->entry_price, p->mark_price,
                                      p->stop, p->target,      p->unrealised};
        static const char *const keys[] = {"qty",  "entry_price", "mark_price",
                                           "stop", "target",      "unrealised"};
        const char *cells[COUNT_OF(figures) + 2] = {p->symbol.name, side_name(p->side)};
        char texts[COUNT_OF(figures)][DEC_TEXT_SIZE];
        struct json_object *o = json_object_new_object();
        set_text(o, "symbol", p->symbol.name);
        set_text(o, "side", side_name(p->side));
        for (size_t k = 0; k < COUNT_OF(figures); k++) {
            cells[k + 2] = dec_text(figures[k], texts[k]);
            set_dec(o, keys[k], figures[k]);
        }
        if (i == 0) {
            reply_table(r, (int)COUNT_OF(cells),
                        (const char *const[]){"position", "side", "quantity", "entry", "now",
                                              "stop", "target", "result"});
        }
        reply_row(r, cells);
        (void)json_object_array_add(list, o);
    }
    (void)json_object_object_add(reply_data(r), "positions", list);
}

static void add_number(struct buf *out, double value)
{
    buf_addf(out, isfinite(value) ? "%.6g" : "–", value);
}

/* The indicators of one timeframe, from closed bars. */
static void show_frame(struct reply *r, struct json_object *list, const struct series *series,
                       enum timeframe tf)
{
    const struct frame *f = series_frame(series, tf);
    struct series_bands bands = series_bands(f);
    double values[] = {rsi_value(&f->rsi), macd_histogram(&f->macd), bands.lower, bands.middle,
                       bands.upper,        atr_value(&f->atr)};
    static const char *const keys[] = {"rsi14",     "macd_hist", "bb_lower",
                                       "bb_middle", "bb_upper",  "atr14"};
    struct json_object *o = json_object_new_object();
    struct buf texts[COUNT_OF(values)];
    const char *cells[COUNT_OF(values) + 2] = {series->symbol.name, timeframe_name(tf)};
    set_text(o, "symbol", series->symbol.name);
    set_text(o, "timeframe", timeframe_name(tf));
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        buf_init(&texts[i], 64);
        add_number(&texts[i], values[i]);
        cells[i + 2] = texts[i].data;
        set_double(o, keys[i], values[i]);
    }
    reply_row(r, cells);
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        buf_release(&texts[i]);
    }
    (void)json_object_array_add(list, o);
}

static bool is_wanted(const struct query *query, struct symbol symbol)
{
    return query->symbol.name[0] == '\0' || symbol_equal(query->symbol, symbol);
}

static void show_market(struct reply *r, const struct replay *replay, const struct query *query,
                        const struct snapshot *s)
{
    struct json_object *list = json_object_new_array();
    reply_table(
        r, 7,
        (const char *const[]){"market", "price", "bid", "ask", "spread", "regime", "refused"});
    for (int i = 0; i < s->market_count; i++) {
        const struct snapshot_market *m = &s->markets[i];
        if (!is_wanted(query, m->symbol)) {
            continue;
        }
        const struct quote *q = replay_quote(replay, m->symbol);
        char price[DEC_TEXT_SIZE];
        char bid[DEC_TEXT_SIZE] = "–";
        char ask[DEC_TEXT_SIZE] = "–";
        char spread[DEC_TEXT_SIZE] = "–";
        char refused[24];
        struct json_object *o = json_object_new_object();
        set_text(o, "symbol", m->symbol.name);
        set_dec(o, "price", m->price);
        if (q != NULL) {
            (void)dec_text(q->bid, bid);
            (void)dec_text(q->ask, ask);
            (void)dec_text(dec_sub(q->ask, q->bid), spread);
            set_text(o, "bid", bid);
            set_text(o, "ask", ask);
        }
        set_text(o, "regime", regime_name(m->regime));
        (void)snprintf(refused, sizeof(refused), "%llu", (unsigned long long)m->refused);
        reply_row(r, (const char *const[]){m->symbol.name, dec_text(m->price, price), bid, ask,
                                           spread, regime_name(m->regime), refused});
        (void)json_object_array_add(list, o);
    }
    (void)json_object_object_add(reply_data(r), "markets", list);
    list = json_object_new_array();
    reply_table(r, 8,
                (const char *const[]){"indicators", "bars", "rsi14", "macd_hist", "bb_lower",
                                      "bb_middle", "bb_upper", "atr14"});
    for (int i = 0; i < s->market_count; i++) {
        const struct series *series = replay_series(replay, s->markets[i].symbol);
        for (int tf = TF_5M; tf < TF_COUNT && is_wanted(query, s->markets[i].symbol); tf++) {
            show_frame(r, list, series, (enum timeframe)tf);
        }
    }
    (void)json_object_object_add(reply_data(r), "indicators", list);
}

static void print_reply(const struct reply *r)
{
    AUTO_BUF struct buf out = BUF_INIT(OUT_MAX);
    render_text(r, &(struct render_text_options){0}, &out);
    buf_add_char(&out, '\n');
    cli_print(buf_str(&out));
}

/* The latest decision of each symbol. */
static void show_decisions(struct reply *r, const struct replay *replay, const struct query *query,
                           const struct snapshot *s)
{
    struct json_object *list = json_object_new_array();
    for (int i = 0; i < s->market_count; i++) {
        const struct decision *d = replay_decision(replay, s->markets[i].symbol);
        if (d == NULL || !is_wanted(query, d->symbol)) {
            continue;
        }
        AUTO_REPLY struct reply *one = reply_new();
        why_head(one, d);
        why_conclusion(one, d);
        why_details(one, d);
        if (!query->json) {
            print_reply(one);
        }
        (void)json_object_array_add(list, json_object_get(reply_data(one)));
    }
    (void)json_object_object_add(reply_data(r), "decisions", list);
}

static void show_state(struct reply *r, const struct replay *replay, const struct query *query)
{
    AUTO_FREE struct snapshot *s = snapshot_new(engine_symbol_count(replay_engine(replay)));
    AUTO_BUF struct buf time = BUF_INIT(64);
    clock_add_iso(&time, replay_now(replay)->market_us, true);
    engine_snapshot(replay_engine(replay), replay_now(replay), s);
    reply_title(r, TONE_PLAIN, "Engine state · %s · step %lld of run %lld", time.data,
                (long long)replay_count(replay)->steps, (long long)replay_run(replay));
    set_text(reply_data(r), "at", time.data);
    show_account(r, s);
    show_positions(r, s);
    show_market(r, replay, query, s);
    if (!query->json) {
        print_reply(r);
    }
    show_decisions(r, replay, query, s);
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

static void print_json(const struct replay *replay, struct reply *r, const struct err *failure)
{
    AUTO_JSON struct json_object *root = count_json(replay);
    (void)json_object_object_add(root, "identical",
                                 json_object_new_boolean(failure->id == ERR_NONE));
    if (failure->id != ERR_NONE) {
        struct json_out error = JSON_OUT_TREE(root);
        json_out_object(&error, "error");
        model_json_err(&error, failure);
        json_out_end(&error);
    }
    if (r != NULL) {
        (void)json_object_object_add(root, "knew", json_object_get(reply_data(r)));
    }
    AUTO_BUF struct buf out = BUF_INIT(OUT_MAX);
    json_add_text(&out, root);
    buf_add_char(&out, '\n');
    cli_print(buf_str(&out));
}

static int run(const struct cli_args *args)
{
    AUTO_REPLAY struct replay *replay = NULL;
    AUTO_REPLY struct reply *state = NULL;
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
        state = reply_new();
        show_state(state, replay, &query);
    }
    if (query.json) {
        print_json(replay, state, &err);
    } else {
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
