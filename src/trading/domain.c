#include "base/check.h"
#include "base/clock.h"
#include "config/config.h"
#include "desk_internal.h"
#include "store/order_table.h"
#include "store/trade_table.h"

static bool is_configured(const struct desk *desk, struct symbol symbol)
{
    const struct config_symbols *symbols = &desk->o.config->market_symbols;
    for (int i = 0; i < symbols->count; i++) {
        if (symbol_equal(symbols->items[i], symbol)) {
            return true;
        }
    }
    return false;
}

static void list_symbols(value_emit_fn emit, void *emit_userdata, void *userdata)
{
    const struct desk *desk = userdata;
    const struct config_symbols *symbols = &desk->o.config->market_symbols;
    for (int i = 0; i < symbols->count; i++) {
        emit(symbols->items[i].name, emit_userdata);
    }
}

/* Also the symbols of open positions that are not traded any more, or were not opened by the bot:
 * they must be closable. */
static void list_all(value_emit_fn emit, void *emit_userdata, void *userdata)
{
    struct desk *desk = userdata;
    const struct snapshot *s = desk_snapshot(desk);
    emit("all", emit_userdata);
    list_symbols(emit, emit_userdata, desk);
    for (int i = 0; i < s->position_count; i++) {
        if (!is_configured(desk, s->positions[i].symbol)) {
            emit(s->positions[i].symbol.name, emit_userdata);
        }
    }
    for (int i = 0; i < s->foreign_count; i++) {
        if (!is_configured(desk, s->foreign[i].symbol)) {
            emit(s->foreign[i].symbol.name, emit_userdata);
        }
    }
}

static void list_positions(value_emit_fn emit, void *emit_userdata, void *userdata)
{
    const struct snapshot *s = desk_snapshot(userdata);
    for (int i = 0; i < s->position_count; i++) {
        emit(s->positions[i].symbol.name, emit_userdata);
    }
}

static void add_name(const char *candidate, void *userdata)
{
    struct buf *out = userdata;
    buf_addf(out, "%s%s", out->len == 0 ? "" : ", ", candidate);
}

static int refuse_position(struct desk *desk, const char *name, struct symbol symbol,
                           struct err *err)
{
    AUTO_BUF struct buf traded = BUF_INIT(120);
    const struct config_symbols *symbols = &desk->o.config->market_symbols;
    for (int i = 0; i < symbols->count; i++) {
        if (symbol_equal(symbols->items[i], symbol) ||
            str_equal(symbol_base(&symbols->items[i]), str_c(symbol.name))) {
            return err_set(err, ERR_ENGINE_NOTHING_OPEN, "%s", symbols->items[i].name);
        }
    }
    list_symbols(add_name, &traded, desk);
    return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: %s is not traded; traded symbols: %s", name,
                   symbol.name, traded.data);
}

/* No position has this number: it may be that of a closed trade, which people see in /trades. */
static int refuse_number(struct desk *desk, int64_t number, int open, struct err *err)
{
    struct trade trade;
    if (desk->o.trading != NULL && trade_table_get(desk->o.trading, number, &trade, NULL) == 0) {
        AUTO_BUF struct buf at = BUF_INIT(40);
        clock_add_iso(&at, trade.closed_us, false);
        return err_set(err, ERR_ENGINE_NOTHING_OPEN,
                       "trade %lld (%s) is closed, since %s; no position has this number: %d open",
                       (long long)number, trade.symbol.name, at.data, open);
    }
    return err_set(err, ERR_ENGINE_NOTHING_OPEN, "position %lld: %d open", (long long)number, open);
}

/* Positions are numbered in the order of /positions. The value then holds the symbol: the number
 * may be another position's when the command runs. */
static int find_position(const char *name, struct arg_value *value, void *userdata, struct err *err)
{
    struct desk *desk = userdata;
    const struct snapshot *s = desk_snapshot(desk);
    struct value_position *wanted = &value->position;
    if (s->version == 0) {
        return err_set(err, ERR_ENGINE_SILENT, "%s", name);
    }
    for (int i = 0; i < s->position_count; i++) {
        if (wanted->number == i + 1 || symbol_equal(wanted->symbol, s->positions[i].symbol)) {
            *wanted = (struct value_position){.symbol = s->positions[i].symbol};
            return 0;
        }
    }
    if (wanted->symbol.name[0] != '\0') {
        return refuse_position(desk, name, wanted->symbol, err);
    }
    return refuse_number(desk, wanted->number, s->position_count, err);
}

static int find_order(const char *name, struct arg_value *value, void *userdata, struct err *err)
{
    const struct desk *desk = userdata;
    struct order order;
    if (desk->o.trading == NULL) {
        return err_set(err, ERR_ENGINE_SILENT, "trading.db does not exist yet");
    }
    int rc = order_table_get(desk->o.trading, value->text, &order, err);
    return rc == -ERR_STORE_NOT_FOUND
               ? err_set(err, ERR_COMMAND_ARG_INVALID, "%s: no order %s", name, value->text)
               : rc;
}

static struct dec current_price(const struct snapshot *s, struct symbol symbol)
{
    for (int i = 0; i < s->position_count; i++) {
        if (symbol_equal(s->positions[i].symbol, symbol)) {
            return s->positions[i].mark_price;
        }
    }
    for (int i = 0; i < s->market_count; i++) {
        if (symbol_equal(s->markets[i].symbol, symbol)) {
            return s->markets[i].price;
        }
    }
    return DEC_ZERO;
}

/* Rounded to the tick: a person who asks for percent cannot know it. */
static int price_from_percent(struct symbol symbol, struct dec percent, struct dec *ret,
                              void *userdata, struct err *err)
{
    struct desk *desk = userdata;
    const struct snapshot *s = desk_snapshot(desk);
    if (s->version == 0 || desk_is_silent(desk, s)) {
        return err_set(err, ERR_ENGINE_SILENT, "the price of %s is not current", symbol.name);
    }
    struct dec now = current_price(s, symbol);
    struct dec price = dec_mul_div(now, dec_add(dec_from_int(100), percent), dec_from_int(100));
    struct dec step = desk_tick(desk, symbol, price);
    price = dec_is_valid(step) ? dec_round_to(price, step) : price;
    if (now.e8 <= 0 || !dec_is_valid(price) || price.e8 <= 0) {
        return err_set(err, ERR_COMMAND_ARG_INVALID, "the price of %s is not known", symbol.name);
    }
    *ret = price;
    return 0;
}

void domain_register(struct desk *desk, struct action_table *table)
{
    static const struct value_domain domains[] = {
        {.type = PARAM_SYMBOL,
         .before = "",
         .after = " is not traded",
         .listed = "traded symbols",
         .edits = 1,
         .list = list_symbols},
        {.type = PARAM_SYMBOL_OR_ALL, .before = "", .after = " is not one of", .list = list_all},
        {.type = PARAM_POSITION,
         .before = "",
         .after = " is not a position",
         .listed = "open",
         .edits = 1,
         .list = list_positions,
         .find = find_position},
        {.type = PARAM_ORDER, .find = find_order},
        {.type = PARAM_PRICE, .price = price_from_percent},
    };
    for (size_t i = 0; i < COUNT_OF(domains); i++) {
        action_table_add_domain(table, &domains[i], desk);
    }
}
