#include "base/check.h"
#include "engine/state_file.h"
#include "io/file.h"
#include "io/json_out.h"
#include "ledger.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* ---------------------------------------------------------------- values */

static struct dec percent_of(struct dec part, struct dec whole)
{
    struct dec p = whole.e8 > 0 ? dec_mul_div(part, dec_from_int(100), whole) : DEC_ZERO;
    return dec_is_valid(p) ? p : DEC_ZERO;
}

static struct dec or_zero(struct dec a)
{
    return dec_is_valid(a) ? a : DEC_ZERO;
}

static void position_of(const struct position *p, struct state_file_position *ret)
{
    *ret = (struct state_file_position){
        .symbol = p->symbol, .side = p->side, .size = p->qty, .entry_price = p->entry_price};
    (void)snprintf(ret->order_id, sizeof(ret->order_id), "%s", p->client_id);
    if (p->stop.e8 > 0) {
        (void)snprintf(ret->stop_loss_order_id, sizeof(ret->stop_loss_order_id), "%s-sl",
                       p->client_id);
        ret->risk_usd = or_zero(dec_mul(dec_abs(dec_sub(p->entry_price, p->stop)), p->qty));
    }
    if (p->target.e8 > 0) {
        (void)snprintf(ret->take_profit_order_id, sizeof(ret->take_profit_order_id), "%s-tp",
                       p->client_id);
    }
}

void state_file_of(struct state_file *file, const struct engine *engine, const char *provider,
                   int64_t wall_us)
{
    const struct engine_state *s = engine_state(engine);
    int count;
    const struct position *positions = engine_positions(engine, &count);
    file->initialized = true;
    (void)str_copy(str_c(provider), file->provider, sizeof(file->provider));
    file->last_updated_us = wall_us;
    file->position_count = count;
    for (int i = 0; i < count; i++) {
        position_of(&positions[i], &file->positions[i]);
    }
    file->total_trades = s->trades;
    file->win_rate = percent_of(dec_from_int(s->wins), dec_from_int(s->trades));
    file->total_pnl = s->realised;
    struct dec equity = ledger_equity(s->cash, positions, count);
    file->daily_pnl = or_zero(dec_sub(equity, s->day_start_equity));
    file->daily_drawdown_pct = file->daily_pnl.e8 < 0
                                   ? percent_of(dec_neg(file->daily_pnl), s->day_start_equity)
                                   : DEC_ZERO;
    file->breaker_tripped = s->state == TRADING_BREAKER;
    if (file->breaker_tripped) {
        (void)str_copy(str_c(s->state_reason), file->last_trip_reason,
                       sizeof(file->last_trip_reason));
    }
}

/* ---------------------------------------------------------------- text */

/* null for an empty text. */
static void add_text(struct json_out *out, const char *key, const char *text)
{
    json_out_text(out, key, text[0] != '\0' ? text : NULL);
}

static void add_position(struct json_out *out, const struct state_file_position *p)
{
    json_out_object(out, NULL);
    json_out_text(out, "symbol", p->symbol.name);
    json_out_text(out, "side", side_name(p->side));
    json_out_dec(out, "size", p->size);
    json_out_dec(out, "entry_price", p->entry_price);
    add_text(out, "order_id", p->order_id);
    add_text(out, "stop_loss_order_id", p->stop_loss_order_id);
    add_text(out, "take_profit_order_id", p->take_profit_order_id);
    json_out_dec(out, "risk_usd", p->risk_usd);
    json_out_end(out);
}

void state_file_text(const struct state_file *file, struct buf *text)
{
    struct json_out out = JSON_OUT_INDENTED(text);
    json_out_document(&out, "nightdesk.trading_state/1");
    json_out_bool(&out, "initialized", file->initialized);
    add_text(&out, "provider", file->provider);
    json_out_time(&out, "created_at", file->created_us);
    json_out_time(&out, "last_updated", file->last_updated_us);
    json_out_array(&out, "active_positions");
    for (int i = 0; i < file->position_count; i++) {
        add_position(&out, &file->positions[i]);
    }
    json_out_end(&out);
    json_out_i64(&out, "total_trades", file->total_trades);
    json_out_dec(&out, "win_rate", file->win_rate);
    json_out_dec(&out, "total_pnl", file->total_pnl);
    json_out_dec(&out, "daily_pnl", file->daily_pnl);
    json_out_dec(&out, "daily_drawdown_pct", file->daily_drawdown_pct);
    json_out_bool(&out, "circuit_breaker_tripped", file->breaker_tripped);
    add_text(&out, "last_circuit_trip_reason", file->last_trip_reason);
    json_out_end(&out);
    buf_add_char(text, '\n');
}

int state_file_write(const struct state_file *file, const char *state_dir, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(STATE_FILE_MAX_BYTES);
    AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);
    state_file_text(file, &text);
    ASSERT(!buf_failed(&text)); /* a few hundred bytes per position */
    buf_addf(&path, "%s/" STATE_FILE_NAME, state_dir);
    return file_write(path.data, buf_str(&text), 0640, err);
}

bool state_file_differs(const struct state_file *a, const struct state_file *b)
{
    bool same = a->position_count == b->position_count && a->total_trades == b->total_trades &&
                a->total_pnl.e8 == b->total_pnl.e8 && a->breaker_tripped == b->breaker_tripped &&
                strcmp(a->last_trip_reason, b->last_trip_reason) == 0;
    for (int i = 0; same && i < a->position_count; i++) {
        const struct state_file_position *p = &a->positions[i];
        const struct state_file_position *q = &b->positions[i];
        same = symbol_equal(p->symbol, q->symbol) && p->side == q->side &&
               p->size.e8 == q->size.e8 && p->entry_price.e8 == q->entry_price.e8 &&
               p->risk_usd.e8 == q->risk_usd.e8 && strcmp(p->order_id, q->order_id) == 0 &&
               strcmp(p->stop_loss_order_id, q->stop_loss_order_id) == 0 &&
               strcmp(p->take_profit_order_id, q->take_profit_order_id) == 0;
    }
    return !same;
}
