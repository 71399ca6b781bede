#include "model/order.h"

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

NAMES_PRINT(side, enum side, side_words)
NAMES_PARSE(side, enum side, side_words)
NAMES_PRINT(order_kind, enum order_kind, kind_words)
NAMES_PARSE(order_kind, enum order_kind, kind_words)
NAMES_PRINT(order_state, enum order_state, state_words)
NAMES_PARSE(order_state, enum order_state, state_words)

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

void order_measure(struct order *order)
{
    if (order->average_price.e8 > 0) {
        bool is_long = order->side == SIDE_LONG;
        measure(order->average_price, order->stop_away, !is_long, &order->stop);
        measure(order->average_price, order->target_away, is_long, &order->target);
    }
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
