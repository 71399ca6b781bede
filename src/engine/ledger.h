/*
 * ledger.h: the effect of fills on cash, positions, fees and profit, in integers.
 *
 *     rc = ledger_book(&ledger, &fill, &opening, &trade);
 *
 * The books hold a position at cost: entry_price * qty, signed (a short is negative). Cash changes
 * by the fill's price * qty and fee, exactly. The difference between the two is added to realised:
 * a profit, a loss, or the last unit that an average price cannot represent. Therefore
 *     initial_cash + realised == cash + sum of signed costs
 * holds to the last unit, always; realised is after all fees and funding payments.
 * Invariant: a fill that cannot be booked changes nothing.
 * Thread: the engine's.
 */
#pragma once

#include "model/position.h"
#include "store/state_table.h"

#include <stdbool.h>

struct ledger {
    struct engine_state *state;
    struct position *positions;
    int *position_count;
    int position_capacity;
};

enum ledger_result {
    LEDGER_BOOKED,
    LEDGER_CLOSED,  /* booked; *ret_trade is the closed part of the position */
    LEDGER_MISFIT,  /* reduces a position that does not exist, opens against an existing one, or no
                       capacity is left */
    LEDGER_OVERFLOW /* an amount exceeds the range of dec */
};

/* order: needed for an entry (stop, target, decision), else may be NULL. ret_trade: everything but
 * id and exit_reason. */
enum ledger_result ledger_book(const struct ledger *ledger, const struct fill *fill,
                               const struct order *order, struct trade *ret_trade);

/* Books that a part of a position is gone, and nothing was paid for it. */
enum ledger_result ledger_lose(const struct ledger *ledger, const struct fill *gone,
                               struct trade *ret_trade);

/* Adds a position that the bot did not open to the books, at its cost. False: no capacity. */
bool ledger_adopt(const struct ledger *ledger, const struct position *position);
/* Removes what is left of an adopted position, as if it had never been adopted. False: overflow. */
bool ledger_disown(const struct ledger *ledger, int index);

/* Books a funding payment; positive: paid. It counts in realised as a cost of holding, but not in
 * the profit of a trade, which comes from its fills. False: overflow, nothing changed. */
bool ledger_pay(const struct ledger *ledger, struct dec payment);

/* Books a fee that belongs to no fill. It counts in realised, but in no trade's profit. False:
 * overflow, nothing changed. */
bool ledger_charge(const struct ledger *ledger, struct dec fee);

/* Books money that left the account, or with a negative amount arrived. It is neither profit nor
 * loss: the capital, the peak of equity and the start of the day move with it. If profits are
 * withdrawn, the capital falls below zero. False: overflow. */
bool ledger_transfer(const struct ledger *ledger, struct dec amount);

int ledger_find(const struct ledger *ledger, struct symbol symbol); /* -1: none */
bool ledger_balances(const struct ledger *ledger);
/* Cash and positions at their marks. */
struct dec ledger_equity(struct dec cash, const struct position *positions, int count);
/* Refreshes each position's unrealised profit. */
void ledger_mark(const struct ledger *ledger);
/* Sum of the notional values at mark. */
struct dec ledger_exposure(const struct position *positions, int count);
