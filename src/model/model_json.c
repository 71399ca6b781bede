#include "model/model_json.h"

#include "base/clock.h"

void model_json_pct(struct json_out *out, const char *key, double value)
{
    json_out_rounded(out, key, value, 6);
}

void model_json_err(struct json_out *out, const struct err *err)
{
    const struct err_info *info = err_info(err->id);
    json_out_text(out, "error_code", info->code);
    json_out_text(out, "type", err_type_name(info->type));
    json_out_text(out, "severity", err_severity_name(info->severity));
    json_out_text(out, "retry", err_retry_name(info->retry));
    json_out_text(out, "message", info->message);
    json_out_text(out, "cause", info->cause);
    json_out_text(out, "impact", info->impact);
    json_out_text(out, "remediation", info->remediation);
    json_out_text(out, "context", err->context);
}

/* ------------------------------------------------------------------ positions and orders */

void model_json_position(struct json_out *out, const struct position *p)
{
    json_out_text(out, "symbol", p->symbol.name);
    json_out_text(out, "side", side_name(p->side));
    json_out_dec(out, "qty", p->qty);
    json_out_dec(out, "entry_price", p->entry_price);
    json_out_dec(out, "mark_price", p->mark_price);
    json_out_dec(out, "stop", p->stop);
    json_out_dec(out, "target", p->target);
    json_out_dec(out, "unrealised_pnl", p->unrealised);
    json_out_dec(out, "fees", p->fees);
    json_out_time(out, "opened_at", p->opened_us);
    json_out_i64(out, "decision_id", p->decision_id);
    json_out_text(out, "client_id", p->client_id);
}

void model_json_positions(struct json_out *out, const char *key, const struct snapshot *s)
{
    json_out_array(out, key);
    for (int i = 0; i < s->position_count; i++) {
        json_out_object(out, NULL);
        model_json_position(out, &s->positions[i]);
        json_out_end(out);
    }
    json_out_end(out);
}

/* ------------------------------------------------------------------ the snapshot */

void model_json_account(struct json_out *out, const struct snapshot *s)
{
    json_out_text(out, "currency", "USD");
    json_out_dec(out, "initial_cash", s->initial_cash);
    json_out_dec(out, "cash", s->cash);
    json_out_dec(out, "equity", s->equity);
    json_out_dec(out, "equity_peak", s->equity_peak);
    json_out_dec(out, "day_start_equity", s->day_start_equity);
    json_out_dec(out, "realised_pnl", s->realised);
    json_out_dec(out, "fees", s->fees);
    json_out_dec(out, "funding", s->funding);
    model_json_pct(out, "drawdown_pct", s->drawdown_pct);
    model_json_pct(out, "max_drawdown_pct", s->max_drawdown_pct);
    model_json_pct(out, "exposure_pct", s->exposure_pct);
    model_json_pct(out, "daily_loss_pct", s->daily_loss_pct);
    model_json_pct(out, "max_daily_loss_pct", s->max_daily_loss_pct);
    json_out_bool(out, "books_balance", s->books_balance);
}

static void add_market(struct json_out *out, const struct snapshot_market *m)
{
    json_out_text(out, "symbol", m->symbol.name);
    json_out_dec(out, "price", m->price);
    json_out_dec(out, "change_24h_pct", m->change_24h_pct);
    json_out_time(out, "updated_at", m->updated_us);
    json_out_text(out, "regime", regime_name(m->regime));
    json_out_double(out, "rsi", m->rsi);
    json_out_double(out, "ema_fast", m->ema_fast);
    json_out_double(out, "ema_slow", m->ema_slow);
    json_out_u64(out, "refused_candles", m->refused);
    json_out_u64(out, "refused_impossible", m->refused_impossible);
    json_out_u64(out, "refused_backward", m->refused_backward);
    json_out_u64(out, "refused_stale", m->refused_stale);
    json_out_u64(out, "refused_future", m->refused_future);
    json_out_u64(out, "missing_candles", m->gaps);
    json_out_bool(out, "suspect", m->suspect);
}

static void add_foreign(struct json_out *out, const struct snapshot_foreign *f)
{
    json_out_text(out, "symbol", f->symbol.name);
    json_out_text(out, "side", side_name(f->side));
    json_out_dec(out, "qty", f->qty);
    json_out_dec(out, "entry_price", f->entry_price);
}

static void add_counters(struct json_out *out, const struct snapshot *s)
{
    json_out_u64(out, "candles", s->candles);
    json_out_u64(out, "decisions", s->decisions);
    json_out_u64(out, "orders", s->orders);
    json_out_u64(out, "fills", s->fills);
    json_out_u64(out, "trades", s->trades);
    json_out_u64(out, "wins", s->wins);
    json_out_u64(out, "vetoes", s->vetoes);
    json_out_u64(out, "open_orders", s->open_orders);
    json_out_u64(out, "unknown_orders", s->unknown_orders);
    json_out_u64(out, "steps", s->steps);
    json_out_i64(out, "step_p99_ns", s->step_p99_ns);
}

static void add_disk(struct json_out *out, const struct snapshot_disk *disk)
{
    json_out_text(out, "state", disk_state_name(disk->state));
    if (disk->state == DISK_FAILED) {
        json_out_text(out, "error_code", err_info(disk->err)->code);
        json_out_bool(out, "closes", disk->closes);
    }
    if (disk->state == DISK_SLOW) {
        json_out_i64(out, "commit_ms", disk->commit_us / USEC_PER_MSEC);
    }
    if (disk->state != DISK_OK) {
        json_out_time(out, "since", disk->since_wall_us);
    }
}

static void add_trading(struct json_out *out, const struct snapshot *s)
{
    json_out_text(out, "state", trading_state_name(s->state));
    json_out_text(out, "reason", s->state_reason);
    json_out_time(out, "since", s->state_since_us);
}

void model_json_snapshot(struct json_out *out, const struct snapshot *s)
{
    json_out_u64(out, "version", s->version);
    json_out_time(out, "published_at", s->published_wall_us);
    json_out_time(out, "started_at", s->started_wall_us);
    json_out_time(out, "market_time", s->market_us);
    json_out_i64(out, "market_speed", s->market_speed);
    json_out_bool(out, "market_ended", s->market_ended);
    json_out_object(out, "trading");
    add_trading(out, s);
    json_out_end(out);
    json_out_object(out, "account");
    model_json_account(out, s);
    json_out_end(out);
    json_out_array(out, "markets");
    for (int i = 0; i < s->market_count; i++) {
        json_out_object(out, NULL);
        add_market(out, &s->markets[i]);
        json_out_end(out);
    }
    json_out_end(out);
    model_json_positions(out, "positions", s);
    json_out_array(out, "foreign_positions");
    for (int i = 0; i < s->foreign_count; i++) {
        json_out_object(out, NULL);
        add_foreign(out, &s->foreign[i]);
        json_out_end(out);
    }
    json_out_end(out);
    json_out_i64(out, "max_positions", s->max_positions);
    json_out_object(out, "counters");
    add_counters(out, s);
    json_out_end(out);
    json_out_object(out, "disk");
    add_disk(out, &s->disk);
    json_out_end(out);
    json_out_text(out, "last_error_code", s->last_err != 0 ? err_info(s->last_err)->code : NULL);
}
