#include "base/check.h"
#include "engine/state_file.h"
#include "io/file.h"
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

void state_file_of(struct state_file *file, const struct engine *engine, int64_t wall_us)
{
    const struct engine_state *s = engine_state(engine);
    int count;
    const struct position *positions = engine_positions(engine, &count);
    file->initialized = true;
    (void)str_copy(STR_LIT("paper"), file->provider, sizeof(file->provider));
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

static void add_text(struct buf *out, const char *text)
{
    if (text[0] == '\0') {
        buf_add_c(out, "null");
        return;
    }
    buf_add_char(out, '"');
    buf_add_json(out, str_c(text));
    buf_add_char(out, '"');
}

static void add_time(struct buf *out, int64_t wall_us)
{
    if (wall_us == 0) {
        buf_add_c(out, "null");
        return;
    }
    buf_add_char(out, '"');
    clock_add_iso(out, wall_us, true);
    buf_add_char(out, '"');
}

static void add_position(struct buf *out, const struct state_file_position *p)
{
    buf_addf(out, "    {\n      \"symbol\": \"%s\",\n      \"side\": \"%s\",\n      \"size\": ",
             p->symbol.name, side_name(p->side));
    dec_add_text(out, p->size);
    buf_add_c(out, ",\n      \"entry_price\": ");
    dec_add_text(out, p->entry_price);
    buf_add_c(out, ",\n      \"order_id\": ");
    add_text(out, p->order_id);
    buf_add_c(out, ",\n      \"stop_loss_order_id\": ");
    add_text(out, p->stop_loss_order_id);
    buf_add_c(out, ",\n      \"take_profit_order_id\": ");
    add_text(out, p->take_profit_order_id);
    buf_add_c(out, ",\n      \"risk_usd\": ");
    dec_add_text(out, p->risk_usd);
    buf_add_c(out, "\n    }");
}

void state_file_text(const struct state_file *file, struct buf *out)
{
    buf_addf(out,
             "{\n  \"initialized\": %s,\n  \"provider\": ", file->initialized ? "true" : "false");
    add_text(out, file->provider);
    buf_add_c(out, ",\n  \"created_at\": ");
    add_time(out, file->created_us);
    buf_add_c(out, ",\n  \"last_updated\": ");
    add_time(out, file->last_updated_us);
    buf_add_c(out, ",\n  \"active_positions\": [");
    for (int i = 0; i < file->position_count; i++) {
        buf_add_c(out, i > 0 ? ",\n" : "\n");
        add_position(out, &file->positions[i]);
    }
    buf_addf(out, "%s],\n  \"total_trades\": %lld,\n  \"win_rate\": ",
             file->position_count > 0 ? "\n  " : "", (long long)file->total_trades);
    dec_add_text(out, file->win_rate);
    buf_add_c(out, ",\n  \"total_pnl\": ");
    dec_add_text(out, file->total_pnl);
    buf_add_c(out, ",\n  \"daily_pnl\": ");
    dec_add_text(out, file->daily_pnl);
    buf_add_c(out, ",\n  \"daily_drawdown_pct\": ");
    dec_add_text(out, file->daily_drawdown_pct);
    buf_addf(out, ",\n  \"circuit_breaker_tripped\": %s,\n  \"last_circuit_trip_reason\": ",
             file->breaker_tripped ? "true" : "false");
    add_text(out, file->last_trip_reason);
    buf_add_c(out, "\n}\n");
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
