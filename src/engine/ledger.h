/*
 * ledger.h: what fills do to cash, positions, fees and profit, in integers.
 *
 *     rc = ledger_book(&ledger, &fill, &opening, &trade);
 *
 * A position stands in the books at cost: entry_price * qty, signed (a short is negative). Cash
 * moves by the fill's price * qty and fee, exactly. What a fill leaves between the two, a profit,
 * a loss, or the last unit that an average price cannot express, goes to realised. So
 *     initial_cash + realised == cash + sum of signed costs
 * holds to the last unit, always; realised is after every fee and funding payment.
 * Invariant: a fill that cannot be booked changes nothing.
 * Thread: the engine's.
 */
#pragma once

#include "model/position.h"
#include "store/state_table.h"

#include <stdbool.h>

struct ledger {
    struct engine_state *state;
    struct position *positions; /* POSITIONS_MAX */
    int *position_count;
};

enum ledger_result {
    LEDGER_BOOKED,
    LEDGER_CLOSED,  /* booked, and *ret_trade is the part of the position that it closed */
    LEDGER_MISFIT,  /* reduces what is not there, opens against what is, or has no room */
    LEDGER_OVERFLOW /* an amount left the range of dec */
};

/* order: of an entry, for stop, target and decision; else it may be NULL. ret_trade: everything but
 * id and exit_reason. */
enum ledger_result ledger_book(const struct ledger *ledger, const struct fill *fill,
                               const struct order *order, struct trade *ret_trade);

/* Takes a position into the books that the bot did not open, at its cost. False: no room. */
bool ledger_adopt(const struct ledger *ledger, const struct position *position);
/* And out of them again, what is left of it: as if it had never been there. False: overflow. */
bool ledger_disown(const struct ledger *ledger, int index);

/* A funding payment; positive is paid. It is part of realised, as what holding cost; of no trade,
 * whose profit is that of its fills. False: overflow, and nothing is changed. */
bool ledger_pay(const struct ledger *ledger, struct dec payment);

int ledger_find(const struct ledger *ledger, struct symbol symbol); /* -1: none */
bool ledger_balances(const struct ledger *ledger);
/* Cash and positions at their marks. */
struct dec ledger_equity(struct dec cash, const struct position *positions, int count);
/* Refreshes each position's unrealised profit. */
void ledger_mark(const struct ledger *ledger);
/* Sum of the notional values at mark. */
struct dec ledger_exposure(const struct position *positions, int count);
