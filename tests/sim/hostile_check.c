#include "base/check.h"
#include "risk/risk.h"
#include "sim/hostile_private.h"
#include "store/order_table.h"
#include "store/trade_table.h"
#include "venue/paper.h"

/* The exposure: of all symbols, and of those of one tier. */
struct stakes {
    double all;
    double tier;
};

static void add_stake(const struct hostile *h, struct symbol symbol, double notional, int tier,
                      struct stakes *ret)
{
    ret->all += notional;
    ret->tier += risk_tier(h->settings, symbol) == tier ? notional : 0;
}

/* The highest of the decision price, the current price and the best ask. */
static double price_of_entry(struct hostile *h, const struct order *o)
{
    double price = dec_to_double(
        dec_max(o->reference_price, engine_price(driver_engine(h->driver), o->symbol)));
    struct quote quote;
    bool shown = o->state == ORDER_PREPARED && venue_quote(h->inner, o->symbol, &quote);
    return shown && dec_to_double(quote.ask) > price ? dec_to_double(quote.ask) : price;
}

/* Positions at the prices of the step, the rest of entries that are alive (this one is on disk
 * already), and known foreign positions. */
static struct stakes count_stakes(struct hostile *h, int tier)
{
    struct stakes ret = {0, 0};
    const struct engine *engine = driver_engine(h->driver);
    int count;
    const struct position *positions = engine_positions(engine, &count);
    for (int i = 0; i < count; i++) {
        add_stake(h, positions[i].symbol,
                  dec_to_double(positions[i].qty) * dec_to_double(positions[i].mark_price), tier,
                  &ret);
    }
    struct order alive[ORDERS_LIMIT];
    struct err err = {0};
    count = order_table_open(h->store, alive, COUNT_OF(alive), &err);
    for (int i = 0; i < count; i++) {
        const struct order *o = &alive[i];
        if (o->kind == ORDER_ENTRY) {
            add_stake(h, o->symbol,
                      dec_to_double(dec_sub(o->qty, o->filled_qty)) * price_of_entry(h, o), tier,
                      &ret);
        }
    }
    for (int i = 0; i < h->snapshot->foreign_count; i++) {
        const struct snapshot_foreign *f = &h->snapshot->foreign[i];
        add_stake(h, f->symbol,
                  dec_to_double(f->qty) * dec_to_double(engine_price(engine, f->symbol)), tier,
                  &ret);
    }
    return ret;
}

/* Checks that the breaker's limits were respected when an entry was made. */
static void check_losses(struct hostile *h, const struct order *o, double equity)
{
    const struct settings *limits = h->settings;
    const struct engine_state *s = engine_state(driver_engine(h->driver));
    if (s->consecutive_losses >= limits->max_consecutive_losses) {
        hostile_violation(h, "%s opens after %d losses in a row", o->client_id,
                          (int)s->consecutive_losses);
    }
    if (equity < dec_to_double(s->equity_peak) * (1 - limits->max_drawdown_pct / 100) ||
        equity < dec_to_double(s->day_start_equity) * (1 - limits->max_daily_loss_pct / 100)) {
        hostile_violation(h, "%s opens beyond the loss limit: equity %.2f", o->client_id, equity);
    }
}

static void check_entry(struct hostile *h, const struct order *o)
{
    if (h->refuses_entries || h->clock->now_mono_us < h->banned_mono_us) {
        hostile_violation(h, "%s opens while the venue is down or has banned us", o->client_id);
    }
    if (h->clock->now_mono_us < h->held_mono_us || hostile_find_refused(h, o->symbol) >= 0) {
        hostile_violation(h, "%s opens although the venue %s", o->client_id,
                          hostile_find_refused(h, o->symbol) >= 0 ? "does not trade its symbol"
                                                                  : "has few requests left");
    }
    if (h->entries_forbidden) {
        hostile_violation(h, "%s opens while entries are forbidden", o->client_id);
    }
    const struct settings *limits = h->settings;
    double notional = dec_to_double(o->qty) * dec_to_double(o->reference_price);
    /* As the step left it: the order was decided at these prices. */
    const struct engine *engine = driver_engine(h->driver);
    struct engine_now now = {.wall_us = h->clock->now_wall_us};
    engine_snapshot(engine, &now, h->snapshot);
    double equity = dec_to_double(h->snapshot->equity) * (1 + 1e-9);
    int tier = risk_tier(limits, o->symbol);
    struct stakes stakes = count_stakes(h, tier);
    check_losses(h, o, equity);
    if (notional > equity * limits->max_position_pct / 100) {
        hostile_violation(h, "%s has a notional of %.2f at an equity of %.2f", o->client_id,
                          notional, equity);
    }
    if (stakes.all > equity * limits->max_exposure_pct / 100 ||
        stakes.all > equity * limits->max_leverage) {
        hostile_violation(h, "%s raises the exposure to %.2f at an equity of %.2f", o->client_id,
                          stakes.all, equity);
    }
    if (stakes.tier > equity * limits->tiers[tier].max_exposure_pct / 100) {
        hostile_violation(h, "%s raises the exposure of tier %d to %.2f at an equity of %.2f",
                          o->client_id, tier + 1, stakes.tier, equity);
    }
    for (int i = 0; i < h->snapshot->foreign_count; i++) {
        if (symbol_equal(h->snapshot->foreign[i].symbol, o->symbol)) {
            hostile_violation(h, "%s opens beside a foreign position", o->client_id);
        }
    }
    int recent = 0;
    h->entries_us[h->entry_count++] = o->created_us;
    for (int i = 0; i < h->entry_count; i++) {
        recent += o->created_us - h->entries_us[i] < USEC_PER_MIN;
    }
    if (recent > limits->max_orders_per_minute) {
        hostile_violation(h, "%s is entry %d within a minute", o->client_id, recent);
    }
    double loss = dec_to_double(o->qty) * dec_to_double(o->stop_away);
    if (loss <= 0 || loss > equity * limits->risk_per_trade_pct / 100) {
        hostile_violation(h, "%s risks %.2f at its stop with an equity of %.2f", o->client_id, loss,
                          equity);
    }
    const struct dec low = o->side == SIDE_LONG ? o->stop : o->target;
    const struct dec high = o->side == SIDE_LONG ? o->target : o->stop;
    if (low.e8 <= 0 || low.e8 >= o->reference_price.e8 || high.e8 <= o->reference_price.e8) {
        hostile_violation(h, "%s has no valid stop and target", o->client_id);
    }
    struct trade newest;
    struct err err = {0};
    if (trade_table_list(h->store, &(struct trade_query){.symbol = o->symbol}, &newest, 1, &err) ==
            1 &&
        newest.closed_us + limits->cooldown_us > o->created_us) {
        hostile_violation(h, "%s opens during the cooldown of %s", o->client_id, o->symbol.name);
    }
}

/* Whether the file, not the engine, holds the order. Only orders that close may depend on it. */
static bool is_in_reserve(struct hostile *h, const struct order *order)
{
    struct reserve *file = reserve_view(h->reserve);
    bool found = false;
    for (int i = 0; i < reserve_count(file); i++) {
        struct reserve_note note;
        found = found ||
                (reserve_read(file, i, &note) && note.kind == RESERVE_ORDER &&
                 order->kind != ORDER_ENTRY && strcmp(note.order.client_id, order->client_id) == 0);
    }
    reserve_free(file);
    return found;
}

void hostile_check_send(struct hostile *h, const struct order *order)
{
    struct order row;
    struct err err = {0};
    if (order_table_get(h->store, order->client_id, &row, &err) < 0) {
        if (!is_in_reserve(h, order)) {
            hostile_violation(h, "%s was sent without an intent on disk", order->client_id);
        }
    } else if (row.state != ORDER_PREPARED) {
        hostile_violation(h, "%s was sent in state %s", order->client_id,
                          order_state_name(row.state));
    }
    for (int i = 0; i < h->sent_count; i++) {
        if (strcmp(h->sent[i], order->client_id) == 0) {
            hostile_violation(h, "%s was sent twice", order->client_id);
        }
    }
    ASSERT(h->sent_count < HOSTILE_SENT_MAX);
    memcpy(h->sent[h->sent_count++], order->client_id, CLIENT_ID_SIZE);
    hostile_traits_check(h, order);
    if (order->kind == ORDER_ENTRY) {
        check_entry(h, order);
    } else if (order->decision_id != 0 &&
               engine_state(driver_engine(h->driver))->state == TRADING_EMERGENCY) {
        hostile_violation(h, "%s closes on a signal during an emergency stop", order->client_id);
    }
}

void hostile_check_amend(struct hostile *h, const char *client_id, struct dec stop,
                         struct dec target)
{
    struct order row;
    struct err err = {0};
    if (order_table_get(h->store, client_id, &row, &err) < 0 || dec_cmp(row.stop, stop) != 0 ||
        dec_cmp(row.target, target) != 0) {
        hostile_violation(h, "an amendment of %s is not on disk", client_id);
    }
    const struct instrument rules = {.digits = paper_of(h->inner)->terms.tick_digits};
    if (instrument_round(&rules, stop, false).e8 != stop.e8 ||
        instrument_round(&rules, target, false).e8 != target.e8) {
        hostile_violation(h, "an amendment of %s is not in ticks", client_id);
    }
    bool is_leg = hostile_is_leg(&row);
    if (is_leg ? !h->can.amend || h->can.legs == VENUE_LEGS_PAIR : !h->can.brackets) {
        hostile_violation(h, "an amendment of %s at a venue that cannot do it", client_id);
    }
    if (stop.e8 <= 0 || target.e8 <= 0) {
        hostile_violation(h, "an amendment removes the stop of %s", client_id);
    }
    struct hostile_amend *a = &h->amends[h->amendments++ % HOSTILE_AMENDS_MAX];
    *a = (struct hostile_amend){.stop = stop, .target = target};
    (void)str_copy(str_c(client_id), a->client_id, sizeof(a->client_id));
}
