#include "backtest_model.h"

#include "base/clock.h"
#include "cli_simulated.h"

#include <math.h>

/* ---------------------------------------------------------------- the model */

void backtest_model_load(struct backtest_model *model, const struct settings *settings,
                         int64_t step_us, const char *market)
{
    *model = (struct backtest_model){.path = NULL};
    if (settings->model[0] == '\0') {
        return;
    }
    model->path = settings->model;
    if (predictor_load(settings->model, &model->predictor, &model->why) < 0 ||
        predictor_check_step(model->predictor, step_us, &model->why) < 0) {
        predictor_free(TAKE(model->predictor));
        return;
    }
    const struct predictor_origin *o = predictor_origin(model->predictor);
    model->other_market = o->known && strcmp(o->market, market) != 0;
    model->seen_until_us = o->known && !model->other_market ? o->seen_to_us : 0;
}

void backtest_model_release(struct backtest_model *model)
{
    predictor_free(model->predictor);
}

static bool is_known(const struct backtest_model *model)
{
    return model->predictor == NULL || predictor_origin(model->predictor)->known;
}

const char *backtest_model_result_of(const struct backtest_model *model,
                                     const struct backtest_result *r)
{
    return !is_known(model) ? "not known"
           : !r->has_seen   ? "all"
           : r->has_unseen  ? "unseen"
                            : "none";
}

const struct performance *backtest_model_figures(const struct backtest_model *model,
                                                 const struct backtest_result *r,
                                                 bool *ret_is_result)
{
    *ret_is_result = is_known(model) && (!r->has_seen || r->has_unseen);
    return r->has_unseen ? &r->unseen : &r->performance;
}

/* ---------------------------------------------------------------- text */

static void begin_row(struct buf *out, const char *name)
{
    buf_addf(out, "  %-14s", name);
}

static void add_period(struct buf *out, int64_t from_us, int64_t to_us)
{
    AUTO_BUF struct buf from = BUF_INIT(64), to = BUF_INIT(64);
    clock_add_iso(&from, from_us, false);
    clock_add_iso(&to, to_us, false);
    buf_addf(out, "%.10s %.5s to %.10s %.5s", from.data, from.data + 11, to.data, to.data + 11);
}

static void add_part(struct buf *out, const char *name, const struct performance *p)
{
    struct performance_summary s;
    performance_summary(p, &s);
    begin_row(out, name);
    add_period(out, p->start_us, p->last_us);
    buf_addf(out, ": %+.2f %%, %lld trades", fabs(s.return_pct) < 0.005 ? 0 : s.return_pct,
             (long long)p->all.trades);
    if (p->all.trades > 0) {
        buf_addf(out, ", %.1f %% won", s.win_rate_pct);
    }
}

static void add_other_symbols(struct buf *out, const struct settings *settings,
                              struct symbol learned)
{
    const char *before = "ANOTHER SYMBOL: it was trained on ";
    for (int i = 0; i < settings->symbol_count; i++) {
        if (symbol_equal(settings->symbols[i], learned)) {
            continue;
        }
        if (before != NULL) {
            begin_row(out, "");
            buf_addf(out, "%s%s, this is ", before, learned.name);
            before = NULL;
        } else {
            buf_add_c(out, ", ");
        }
        buf_add_c(out, settings->symbols[i].name);
    }
    buf_add_c(out, before == NULL ? "\n" : "");
}

static void add_parts(const struct backtest_result *r, struct buf *out)
{
    add_part(out, "Seen", &r->seen);
    buf_add_c(out, "; NO RESULT: the model was trained on it\n");
    if (r->has_unseen) {
        add_part(out, "Unseen", &r->unseen);
        buf_add_c(out, "; all figures below are of this part unless they say otherwise\n");
    } else {
        begin_row(out, "Unseen");
        buf_add_c(out,
                  "nothing: the figures below show how well it fits its training data, not how "
                  "well it trades\n");
    }
}

void backtest_model_text(const struct backtest_model *model, const struct settings *settings,
                         const struct backtest_result *r, struct buf *out)
{
    if (model->path == NULL) {
        return;
    }
    begin_row(out, "Model");
    if (model->predictor == NULL) {
        buf_addf(out, "NOT USED: %s: %s; the predict agent was neutral\n",
                 err_info(model->why.id)->code, model->why.context);
        return;
    }
    const struct predictor_origin *o = predictor_origin(model->predictor);
    buf_addf(out, "%s %.16s: ", model->path, predictor_hash(model->predictor));
    if (!o->known) {
        buf_add_c(out, "its training data is NOT KNOWN and may include all of this\n");
        return;
    }
    buf_addf(out, "trained on %s %s, ", o->symbol.name,
             timeframe_name(predictor_timeframe(model->predictor)));
    add_period(out, o->train_from_us, o->seen_to_us);
    buf_add_c(out, ", tested on ");
    add_period(out, o->test_from_us, o->test_to_us);
    buf_add_char(out, '\n');
    add_other_symbols(out, settings, o->symbol);
    if (model->other_market) {
        begin_row(out, "");
        buf_addf(out, "another market than the one that it was trained on (%s)\n", o->market);
    } else if (r->has_seen) {
        add_parts(r, out);
    }
}

/* ---------------------------------------------------------------- JSON */

static void add(struct json_object *to, const char *key, struct json_object *value)
{
    (void)json_object_object_add(to, key, value);
}

static void add_text(struct json_object *to, const char *key, const char *text)
{
    add(to, key, json_object_new_string(text));
}

static void add_time(struct json_object *to, const char *key, int64_t at_us)
{
    AUTO_BUF struct buf text = BUF_INIT(64);
    clock_add_iso(&text, at_us, false);
    add_text(to, key, text.data);
}

static void add_number(struct json_object *to, const char *key, double value)
{
    add(to, key, isfinite(value) ? json_object_new_double(value) : NULL);
}

static struct json_object *period(int64_t from_us, int64_t to_us)
{
    struct json_object *o = json_object_new_object();
    add_time(o, "from", from_us);
    add_time(o, "to", to_us);
    return o;
}

static struct json_object *figures(const struct performance *p, bool is_result)
{
    struct performance_summary s;
    char text[DEC_TEXT_SIZE];
    struct json_object *o = period(p->start_us, p->last_us);
    performance_summary(p, &s);
    add(o, "is_result", json_object_new_boolean(is_result));
    add_text(o, "initial_equity", dec_text(p->initial, text));
    add_text(o, "final_equity", dec_text(p->equity, text));
    add_number(o, "return_pct", s.return_pct);
    add_number(o, "max_drawdown_pct", s.max_drawdown_pct);
    add_number(o, "sharpe", s.sharpe);
    add_number(o, "sortino", s.sortino);
    add_number(o, "profit_factor", s.profit_factor);
    add(o, "trades", json_object_new_int64(p->all.trades));
    add_number(o, "win_rate_pct", s.win_rate_pct);
    add_number(o, "expectancy", s.expectancy);
    return o;
}

static void add_origin(struct json_object *o, const struct backtest_model *model,
                       const struct settings *settings)
{
    const struct predictor_origin *origin = predictor_origin(model->predictor);
    add_text(o, "hash", predictor_hash(model->predictor));
    add_text(o, "timeframe", timeframe_name(predictor_timeframe(model->predictor)));
    add(o, "horizon", json_object_new_int64(predictor_horizon(model->predictor)));
    add(o, "known", json_object_new_boolean(origin->known));
    if (!origin->known) {
        return;
    }
    struct json_object *others = json_object_new_array();
    for (int i = 0; i < settings->symbol_count; i++) {
        if (!symbol_equal(settings->symbols[i], origin->symbol)) {
            (void)json_object_array_add(others, json_object_new_string(settings->symbols[i].name));
        }
    }
    add_text(o, "symbol", origin->symbol.name);
    add(o, "other_symbols", others);
    add_text(o, "market", origin->market);
    add(o, "other_market", json_object_new_boolean(model->other_market));
    add(o, "train", period(origin->train_from_us, origin->seen_to_us));
    add(o, "test", period(origin->test_from_us, origin->test_to_us));
    add_text(o, "data_hash", origin->data_hash);
}

void backtest_model_json(const struct backtest_model *model, const struct settings *settings,
                         const struct backtest_result *r, struct buf *out)
{
    AUTO_JSON struct json_object *o = NULL, *seen = NULL, *unseen = NULL;
    if (model->path != NULL) {
        o = json_object_new_object();
        add_text(o, "file", model->path);
        add(o, "used", json_object_new_boolean(model->predictor != NULL));
        if (model->predictor != NULL) {
            add_origin(o, model, settings);
        } else {
            add_text(o, "error_code", err_info(model->why.id)->code);
            add_text(o, "why", model->why.context);
        }
    }
    seen = r->has_seen ? figures(&r->seen, false) : NULL;
    unseen = r->has_unseen ? figures(&r->unseen, true) : NULL;
    buf_add_c(out, "\"model\":");
    json_add_text(out, o);
    buf_addf(out, ",\"result_of\":\"%s\",\"seen\":", backtest_model_result_of(model, r));
    json_add_text(out, seen);
    buf_add_c(out, ",\"unseen\":");
    json_add_text(out, unseen);
}
