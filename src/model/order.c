#include "model/order.h"

#include "model/venue_status.h"
#include "names.h"

#include <stdio.h>
#include <string.h>

static const char *const side_words[] = {[SIDE_LONG] = "long", [SIDE_SHORT] = "short"};
static const char *const kind_words[] = {
    [ORDER_ENTRY] = "entry",
    [ORDER_CLOSE] = "close",
    [ORDER_STOP] = "stop",
    [ORDER_TARGET] = "target",
};
static const char *const state_words[] = {
    [ORDER_PREPARED] = "prepared", [ORDER_SENT] = "sent",       [ORDER_ACKED] = "acked",
    [ORDER_PARTIAL] = "partial",   [ORDER_FILLED] = "filled",   [ORDER_CANCELLED] = "cancelled",
    [ORDER_REJECTED] = "rejected", [ORDER_UNKNOWN] = "unknown",
};
static const char *const type_words[] = {
    [ORDER_TYPE_MARKET] = "market", [ORDER_TYPE_LIMIT] = "limit", [ORDER_TYPE_STOP] = "stop"};
static const char *const tif_words[] = {
    [TIF_GTC] = "gtc", [TIF_DAY] = "day", [TIF_IOC] = "ioc", [TIF_FOK] = "fok"};

NAMES_PRINT(side, enum side, side_words)
NAMES_PARSE(side, enum side, side_words)
NAMES_PRINT(order_kind, enum order_kind, kind_words)
NAMES_PARSE(order_kind, enum order_kind, kind_words)
NAMES_PRINT(order_state, enum order_state, state_words)
NAMES_PARSE(order_state, enum order_state, state_words)
NAMES_PRINT(order_type, enum order_type, type_words)
NAMES_PARSE(order_type, enum order_type, type_words)
NAMES_PRINT(time_in_force, enum time_in_force, tif_words)
NAMES_PARSE(time_in_force, enum time_in_force, tif_words)

bool order_state_is_final(enum order_state state)
{
    return state == ORDER_FILLED || state == ORDER_CANCELLED || state == ORDER_REJECTED;
}

static void measure(struct dec from, struct dec away, bool up, struct dec *price)
{
    struct dec to = up ? dec_add(from, away) : dec_sub(from, away);
    if (away.e8 > 0 && dec_is_valid(to) && to.e8 > 0) {
        *price = to;
    }
}

static struct dec round_towards(struct dec price, struct dec from, const struct instrument *rules)
{
    bool below = price.e8 < from.e8;
    struct dec near = instrument_round(rules, price, below);
    bool reaches = below ? near.e8 >= from.e8 : near.e8 <= from.e8;
    return reaches ? instrument_round(rules, price, !below) : near;
}

void order_round_bracket(struct order *order, const struct instrument *rules)
{
    struct dec from = order->average_price.e8 > 0 ? order->average_price : order->reference_price;
    struct dec stop = round_towards(order->stop, from, rules);
    struct dec target = round_towards(order->target, from, rules);
    order->stop = stop.e8 > 0 ? stop : order->stop;
    order->target = target.e8 > 0 ? target : order->target;
}

void order_measure(struct order *order, const struct instrument *rules)
{
    if (order->average_price.e8 <= 0) {
        return;
    }
    bool is_long = order->side == SIDE_LONG;
    struct order moved = *order;
    measure(order->average_price, order->stop_away, !is_long, &moved.stop);
    measure(order->average_price, order->target_away, is_long, &moved.target);
    order_round_bracket(&moved, rules);
    /* A price that a person set stays as it is. */
    order->stop = order->stop_away.e8 > 0 ? moved.stop : order->stop;
    order->target = order->target_away.e8 > 0 ? moved.target : order->target;
}

void fill_id_of_number(int64_t number, char ret[FILL_ID_SIZE])
{
    memset(ret, 0, FILL_ID_SIZE);
    if (number > 0) {
        (void)snprintf(ret, FILL_ID_SIZE, "%lld", (long long)number);
    }
}

int64_t fill_id_to_number(const char *id)
{
    int64_t number = 0;
    return str_to_i64(str_c(id), &number) && number > 0 ? number : 0;
}
