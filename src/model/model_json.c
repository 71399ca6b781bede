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
    model_json_err_rest(out, err);
}

void model_json_err_rest(struct json_out *out, const struct err *err)
{
    const struct err_info *info = err_info(err->id);
    json_out_text(out, "severity", err_severity_name(info->severity));
    json_out_text(out, "retry", err_retry_name(info->retry));
    json_out_text(out, "message", info->message);
    json_out_text(out, "cause", info->cause);
    json_out_text(out, "impact", info->impact);
    json_out_text(out, "remediation", info->remediation);
    json_out_text(out, "context", err->context);
}

/* ------------------------------------------------------------------ positions and orders */

void model_json_position(struct json_out *out, const struct snapshot *s, int index)
{
    const struct position *p = &s->positions[index];
    const struct snapshot_legs *legs = &s->legs[index];
    bool all = s->venue.brackets;
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
    json_out_text(out, "stop_kept_by", all || legs->stop_at_venue ? "venue" : "nightdesk");
    json_out_text(out, "target_kept_by", all || legs->target_at_venue ? "venue" : "nightdesk");
    json_out_text(out, "kept_because", all ? "" : legs->reason);
}

void model_json_positions(struct json_out *out, const char *key, const struct snapshot *s)
{
    json_out_array(out, key);
    for (int i = 0; i < s->position_count; i++) {
        json_out_object(out, NULL);
        model_json_position(out, s, i);
        json_out_end(out);
    }
    json_out_end(out);
}

void model_json_order(struct json_out *out, const struct order *o)
{
    json_out_text(out, "client_id", o->client_id);
    json_out_text(out, "symbol", o->symbol.name);
    json_out_text(out, "kind", order_kind_name(o->kind));
    json_out_text(out, "side", side_name(o->side));
    json_out_text(out, "state", order_state_name(o->state));
    json_out_text(out, "type", order_type_name(o->type));
    json_out_text(out, "time_in_force", time_in_force_name(o->time_in_force));
    json_out_bool(out, "post_only", o->post_only);
    json_out_bool(out, "reduce_only", o->reduce_only);
    json_out_dec(out, "price", o->price);
    json_out_dec(out, "qty", o->qty);
    json_out_dec(out, "reference_price", o->reference_price);
    json_out_dec(out, "stop", o->stop);
    json_out_dec(out, "target", o->target);
    json_out_dec(out, "filled_qty", o->filled_qty);
    json_out_dec(out, "average_price", o->average_price);
    json_out_i64(out, "decision_id", o->decision_id);
    json_out_time(out, "created_at", o->created_us);
    json_out_time(out, "updated_at", o->updated_us);
    json_out_text(out, "reason", o->reason);
    json_out_i64(out, "run_id", o->run_id);
}

void model_json_fill(struct json_out *out, const struct fill *f)
{
    json_out_text(out, "fill_id", f->venue_fill_id);
    json_out_text(out, "client_id", f->client_id);
    json_out_text(out, "symbol", f->symbol.name);
    json_out_text(out, "kind", order_kind_name(f->kind));
    json_out_text(out, "side", side_name(f->side));
    json_out_dec(out, "qty", f->qty);
    json_out_dec(out, "price", f->price);
    json_out_dec(out, "fee", f->fee);
    json_out_text(out, "fee_currency", f->fee_currency);
    json_out_dec(out, "fee_charged", f->fee_charged);
    json_out_time(out, "at", f->at_us);
}

void model_json_trade(struct json_out *out, const struct trade *t)
{
    json_out_i64(out, "id", t->id);
    json_out_text(out, "symbol", t->symbol.name);
    json_out_text(out, "side", side_name(t->side));
    json_out_dec(out, "qty", t->qty);
    json_out_dec(out, "entry_price", t->entry_price);
    json_out_dec(out, "exit_price", t->exit_price);
    json_out_dec(out, "pnl", t->pnl);
    json_out_dec(out, "fees", t->fees);
    json_out_time(out, "opened_at", t->opened_us);
    json_out_time(out, "closed_at", t->closed_us);
    json_out_text(out, "exit_reason", t->exit_reason);
    json_out_i64(out, "decision_id", t->decision_id);
    json_out_text(out, "client_id", t->client_id);
    json_out_i64(out, "run_id", t->run_id);
}

/* ------------------------------------------------------------------ decisions and rules */

void model_json_decision(struct json_out *out, const struct decision *d)
{
    json_out_i64(out, "id", d->id);
    json_out_text(out, "symbol", d->symbol.name);
    json_out_time(out, "at", d->at_us);
    json_out_dec(out, "price", d->price);
    json_out_text(out, "regime", regime_name(d->regime));
    json_out_double(out, "score", d->score);
    json_out_double(out, "threshold", d->threshold);
    json_out_text(out, "direction", direction_name(d->direction));
    json_out_text(out, "outcome", outcome_name(d->outcome));
    json_out_text(out, "veto_code", d->veto_code);
    json_out_text(out, "veto_text", d->veto_text);
    json_out_dec(out, "veto_max_qty", d->veto_max_qty);
    json_out_dec(out, "qty", d->qty);
    json_out_dec(out, "stop", d->stop);
    json_out_dec(out, "target", d->target);
    json_out_array(out, "rule_ids");
    for (int i = 0; i < d->rule_count; i++) {
        json_out_i64(out, NULL, d->rule_ids[i]);
    }
    json_out_end(out);
    json_out_text(out, "client_id", d->client_id);
}

static void add_reason(struct json_out *out, const struct reason *reason)
{
    json_out_object(out, NULL);
    json_out_text(out, "indicator", reason->indicator);
    json_out_double(out, "value", reason->value);
    json_out_double(out, "threshold", reason->threshold);
    json_out_double(out, "points", reason->points);
    json_out_end(out);
}

void model_json_votes(struct json_out *out, const char *key, const struct decision *d)
{
    json_out_array(out, key);
    for (int i = 0; i < d->vote_count; i++) {
        const struct vote *v = &d->votes[i];
        json_out_object(out, NULL);
        json_out_text(out, "agent", v->agent);
        json_out_text(out, "direction", direction_name(v->direction));
        json_out_double(out, "confidence", v->confidence);
        json_out_double(out, "weight", v->weight);
        json_out_array(out, "reasons");
        for (int k = 0; k < v->reason_count; k++) {
            add_reason(out, &v->reasons[k]);
        }
        json_out_end(out);
        json_out_end(out);
    }
    json_out_end(out);
}

void model_json_rule(struct json_out *out, const struct rule *rule)
{
    json_out_i64(out, "id", rule->id);
    json_out_text(out, "status", rule_status_name(rule->status));
    json_out_text(out, "effect", rule_effect_name(rule->effect));
    json_out_text(out, "condition", rule->condition);
    json_out_text(out, "help", rule->help);
    json_out_i64(out, "success_count", rule->success_count);
    json_out_i64(out, "failure_count", rule->failure_count);
    json_out_text(out, "created_by", rule->created_by);
    json_out_time(out, "created_at", rule->created_us);
    json_out_time(out, "updated_at", rule->updated_us);
}

/* ------------------------------------------------------------------ alerts */

void model_json_alert(struct json_out *out, const struct alert *alert)
{
    AUTO_JSON struct json_object *evidence = NULL;
    (void)json_parse(str_c(alert->evidence), &JSON_LIMITS_DEFAULT, &evidence, NULL);
    json_out_i64(out, "id", alert->id);
    json_out_text(out, "type", alert_type_name(alert->type));
    json_out_text(out, "severity", severity_name(alert->severity));
    json_out_text(out, "status", alert_status_name(alert->status));
    json_out_text(out, "title", alert->title);
    json_out_text(out, "description", alert->description);
    json_out_text(out, "recommendation", alert->recommendation);
    json_out_value(out, "evidence", evidence);
    json_out_text(out, "source", alert->source);
    json_out_text(out, "fingerprint", alert->fingerprint);
    json_out_i64(out, "count", alert->count);
    json_out_i64(out, "reopened", alert->reopened);
    json_out_time(out, "created_at", alert->created_us);
    json_out_time(out, "last_seen_at", alert->last_seen_us);
    json_out_time(out, "acknowledged_at", alert->acknowledged_us);
    json_out_text(out, "acknowledged_by", alert->acked_by);
    json_out_time(out, "fixed_at", alert->fixed_us);
    json_out_text(out, "closed_by", alert->closed_by);
    json_out_text(out, "cause", alert->cause);
    json_out_text(out, "note", alert->note);
}

/* ------------------------------------------------------------------ findings */

static void add_figure(struct json_out *out, const char *key, const struct finding_figure *figure)
{
    if (figure->is_text) {
        json_out_text(out, key, figure->text);
    } else {
        json_out_number(out, key, figure->text);
    }
}

void model_json_evidence(struct json_out *out, const char *key, const struct finding *finding)
{
    json_out_array(out, key);
    for (int i = 0; i < finding->evidence_count; i++) {
        const struct finding_evidence *evidence = &finding->evidence[i];
        json_out_object(out, NULL);
        json_out_text(out, "pointer", evidence->pointer);
        add_figure(out, "value", &evidence->cited);
        json_out_bool(out, "verified", evidence->verified);
        if (evidence->note[0] != '\0') {
            json_out_text(out, "note", evidence->note);
        }
        json_out_end(out);
    }
    json_out_end(out);
}

void model_json_finding_check(struct json_out *out, const struct finding_check *check)
{
    json_out_text(out, "pointer", check->pointer);
    json_out_text(out, "op", finding_op_name(check->op));
    add_figure(out, "value", &check->value);
}

void model_json_finding(struct json_out *out, const struct finding *finding,
                        const char *fingerprint)
{
    json_out_text(out, "type", alert_type_name(finding->type));
    json_out_text(out, "severity", severity_name(finding->severity));
    json_out_text(out, "subject", finding->subject);
    json_out_text(out, "problem", finding->problem);
    json_out_text(out, "title", finding->title);
    json_out_text(out, "description", finding->description);
    json_out_text(out, "recommendation", finding->recommendation);
    json_out_text(out, "source", finding->rule != NULL ? "rule" : "model");
    json_out_bool(out, "rejected", finding->rejected);
    json_out_text(out, "reason", finding->reason);
    json_out_bool(out, "capped", finding->capped);
    json_out_bool(out, "cut", finding->cut);
    json_out_text(out, "fingerprint", fingerprint);
    model_json_evidence(out, "evidence", finding);
    if (finding->check.present) {
        json_out_object(out, "check");
        model_json_finding_check(out, &finding->check);
        json_out_end(out);
    } else {
        json_out_null(out, "check");
    }
}

/* ------------------------------------------------------------------ runs */

void model_json_run(struct json_out *out, const struct run_row *row)
{
    json_out_i64(out, "id", row->id);
    json_out_text(out, "command", row->command);
    json_out_text(out, "user", row->user_name);
    json_out_text(out, "role", row->role);
    json_out_text(out, "channel", row->channel);
    json_out_text(out, "state", run_state_name(row->state));
    json_out_i64(out, "step", row->step + 1);
    json_out_time(out, "created_at", row->created_us);
    json_out_time(out, "updated_at", row->updated_us);
    json_out_text(out, "error_code", row->err_id != ERR_NONE ? err_info(row->err_id)->code : NULL);
    json_out_text(out, "cancelled_by", row->cancelled_by);
}

void model_json_approval(struct json_out *out, const char *code, int64_t expires_us,
                         const char *asked)
{
    json_out_object(out, "approval");
    json_out_text(out, "code", code);
    json_out_time(out, "expires_at", expires_us);
    if (asked != NULL) {
        json_out_text(out, "asked", asked);
    }
    json_out_end(out);
}

void model_json_step(struct json_out *out, const struct run_step *step)
{
    AUTO_JSON struct json_object *outputs = NULL;
    (void)json_parse(str_c(step->outputs), &JSON_LIMITS_DEFAULT, &outputs, NULL);
    json_out_i64(out, "index", step->index + 1);
    json_out_text(out, "action", step->action);
    json_out_text(out, "state", run_step_state_name(step->state));
    json_out_time(out, "started_at", step->started_us);
    json_out_time(out, "ended_at", step->ended_us);
    json_out_text(out, "result", step->result);
    json_out_value(out, "outputs", outputs);
}

/* ------------------------------------------------------------------ the snapshot */

void model_json_account(struct json_out *out, const struct snapshot *s)
{
    /* The books are kept in the quote currency of the symbols. */
    struct str currency = s->market_count > 0 ? symbol_quote(&s->markets[0].symbol) : STR_LIT("");
    if (currency.len > 0) {
        json_out_str(out, "currency", currency);
    } else {
        json_out_null(out, "currency");
    }
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
    if (m->bid.e8 > 0) {
        json_out_dec(out, "bid", m->bid);
        json_out_dec(out, "ask", m->ask);
    }
    if (m->bid_depth.e8 > 0) {
        json_out_dec(out, "bid_depth", m->bid_depth);
        json_out_dec(out, "ask_depth", m->ask_depth);
    }
}

void model_json_foreign(struct json_out *out, const char *key, const struct snapshot *s)
{
    json_out_array(out, key);
    for (int i = 0; i < s->foreign_count; i++) {
        const struct snapshot_foreign *f = &s->foreign[i];
        json_out_object(out, NULL);
        json_out_text(out, "symbol", f->symbol.name);
        json_out_text(out, "side", side_name(f->side));
        json_out_dec(out, "qty", f->qty);
        json_out_dec(out, "entry_price", f->entry_price);
        json_out_end(out);
    }
    json_out_end(out);
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

static void add_venue(struct json_out *out, const struct snapshot_venue *v)
{
    json_out_text(out, "name", v->name);
    json_out_text(out, "state", venue_state_name(v->state));
    json_out_text(out, "reason", v->reason);
    json_out_time(out, "since", v->since_wall_us);
    json_out_i64(out, "requests_used", v->limit.used);
    json_out_i64(out, "requests_limit", v->limit.most);
    json_out_i64(out, "limited_ms", v->limited_us / USEC_PER_MSEC);
    json_out_text(out, "hours", venue_hours_name(v->hours));
    json_out_time(out, "hours_change", v->hours_change_wall_us);
    json_out_array(out, "balances");
    for (int i = 0; i < v->account.balance_count; i++) {
        const struct venue_balance *b = &v->account.balances[i];
        json_out_object(out, NULL);
        json_out_text(out, "currency", b->currency);
        json_out_dec(out, "total", b->total);
        json_out_dec(out, "available", b->available);
        json_out_end(out);
    }
    json_out_end(out);
    json_out_dec(out, "margin_used", v->account.margin_used);
    json_out_dec(out, "margin_maintenance", v->account.margin_maintenance);
    json_out_double(out, "max_leverage", v->account.leverage);
}

static void add_trading(struct json_out *out, const struct snapshot *s)
{
    json_out_text(out, "state", trading_state_name(s->state));
    json_out_text(out, "reason", s->state_reason);
    json_out_time(out, "since", s->state_since_us);
}

static void add_stream(struct json_out *out, const struct snapshot_stream *s)
{
    json_out_text(out, "venue", s->venue);
    json_out_bool(out, "up", s->up);
    json_out_bool(out, "late", s->late);
    json_out_u64(out, "connections", s->connections);
    json_out_u64(out, "lost", s->lost);
    json_out_u64(out, "filled", s->filled);
    json_out_u64(out, "late_candles", s->late_candles);
    json_out_u64(out, "refused", s->refused);
    json_out_u64(out, "books", s->books);
    json_out_u64(out, "books_lost", s->books_lost);
}

void model_json_snapshot(struct json_out *out, const struct snapshot *s)
{
    json_out_u64(out, "version", s->version);
    json_out_time(out, "published_at", s->published_wall_us);
    json_out_time(out, "started_at", s->started_wall_us);
    json_out_time(out, "market_time", s->market_us);
    json_out_i64(out, "market_speed", s->market_speed);
    json_out_bool(out, "market_ended", s->market_ended);
    if (s->stream.venue[0] != '\0') {
        json_out_object(out, "stream");
        add_stream(out, &s->stream);
        json_out_end(out);
    }
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
    model_json_foreign(out, "foreign_positions", s);
    json_out_i64(out, "max_positions", s->max_positions);
    json_out_object(out, "counters");
    add_counters(out, s);
    json_out_end(out);
    json_out_object(out, "venue");
    add_venue(out, &s->venue);
    json_out_end(out);
    json_out_object(out, "disk");
    add_disk(out, &s->disk);
    json_out_end(out);
    json_out_text(out, "last_error_code", s->last_err != 0 ? err_info(s->last_err)->code : NULL);
}
