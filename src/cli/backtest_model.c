#include "backtest_model.h"

#include "base/clock.h"
#include "cli_simulated.h"
#include "model/model_json.h"

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

static void add_range(struct json_out *out, int64_t from_us, int64_t to_us)
{
    json_out_time(out, "from", from_us);
    json_out_time(out, "to", to_us);
}

static void add_figures(struct json_out *out, const char *key, const struct performance *p,
                        bool is_result)
{
    struct performance_summary s;
    performance_summary(p, &s);
    json_out_object(out, key);
    add_range(out, p->start_us, p->last_us);
    json_out_bool(out, "is_result", is_result);
    json_out_dec(out, "initial_equity", p->initial);
    json_out_dec(out, "final_equity", p->equity);
    model_json_pct(out, "return_pct", s.return_pct);
    model_json_pct(out, "max_drawdown_pct", s.max_drawdown_pct);
    json_out_double(out, "sharpe", s.sharpe);
    json_out_double(out, "sortino", s.sortino);
    json_out_double(out, "profit_factor", s.profit_factor);
    json_out_i64(out, "trades", p->all.trades);
    model_json_pct(out, "win_rate_pct", s.win_rate_pct);
    json_out_rounded(out, "expectancy", s.expectancy, 8);
    json_out_end(out);
}

static void add_origin(struct json_out *out, const struct backtest_model *model,
                       const struct settings *settings)
{
    const struct predictor_origin *origin = predictor_origin(model->predictor);
    json_out_text(out, "hash", predictor_hash(model->predictor));
    json_out_text(out, "timeframe", timeframe_name(predictor_timeframe(model->predictor)));
    json_out_i64(out, "horizon", predictor_horizon(model->predictor));
    json_out_bool(out, "known", origin->known);
    if (!origin->known) {
        return;
    }
    json_out_text(out, "symbol", origin->symbol.name);
    json_out_array(out, "other_symbols");
    for (int i = 0; i < settings->symbol_count; i++) {
        if (!symbol_equal(settings->symbols[i], origin->symbol)) {
            json_out_text(out, NULL, settings->symbols[i].name);
        }
    }
    json_out_end(out);
    json_out_text(out, "market", origin->market);
    json_out_bool(out, "other_market", model->other_market);
    json_out_object(out, "train");
    add_range(out, origin->train_from_us, origin->seen_to_us);
    json_out_end(out);
    json_out_object(out, "test");
    add_range(out, origin->test_from_us, origin->test_to_us);
    json_out_end(out);
    json_out_text(out, "data_hash", origin->data_hash);
}

static void add_model(struct json_out *out, const struct backtest_model *model,
                      const struct settings *settings)
{
    if (model->path == NULL) {
        json_out_null(out, "model");
        return;
    }
    json_out_object(out, "model");
    json_out_text(out, "file", model->path);
    json_out_bool(out, "used", model->predictor != NULL);
    if (model->predictor != NULL) {
        add_origin(out, model, settings);
    } else {
        json_out_text(out, "error_code", err_info(model->why.id)->code);
        json_out_text(out, "why", model->why.context);
    }
    json_out_end(out);
}

void backtest_model_json(const struct backtest_model *model, const struct settings *settings,
                         const struct backtest_result *r, struct json_out *out)
{
    add_model(out, model, settings);
    json_out_text(out, "result_of", backtest_model_result_of(model, r));
    if (r->has_seen) {
        add_figures(out, "seen", &r->seen, false);
    } else {
        json_out_null(out, "seen");
    }
    if (r->has_unseen) {
        add_figures(out, "unseen", &r->unseen, true);
    } else {
        json_out_null(out, "unseen");
    }
}
