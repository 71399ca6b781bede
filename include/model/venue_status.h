/*
 * venue_status.h: what a venue reports about itself: its connection, request limits, instruments
 * and the account; plain values.
 *
 *     step = instrument_price_step(&instrument, price);    // of the prices that the venue accepts
 *
 * Thread: any (plain values).
 */
#pragma once

#include "base/dec.h"
#include "model/order.h"
#include "model/symbol.h"

#include <stdbool.h>
#include <stdint.h>

/* Nothing is opened in any state but READY. */
enum venue_state {
    VENUE_CONNECTING,
    VENUE_READY,      /* orders are accepted, and their reports arrive */
    VENUE_DEGRADED,   /* it answers, but late or not to everything */
    VENUE_DOWN,       /* it does not answer */
    VENUE_MAINTENANCE /* it says that it does not trade */
};

const char *venue_state_name(enum venue_state s); /* "connecting" "ready" … */

/* Requests count in a window of time; too many lead to a ban. Durations, since the venue's clock is
 * not ours. */
struct venue_limit {
    int64_t used;
    int64_t most;      /* 0: unknown */
    int64_t reset_us;  /* until the window ends */
    int64_t banned_us; /* > 0: every request is refused for so long */
};

enum instrument_status {
    INSTRUMENT_TRADING,
    INSTRUMENT_CLOSE_ONLY, /* positions can only be reduced */
    INSTRUMENT_HALTED,
    INSTRUMENT_CLOSED /* outside the hours of its exchange */
};

/* The rules for orders in one symbol. Zero: no such rule. */
struct instrument {
    struct symbol symbol;
    enum instrument_status status;
    struct dec tick; /* prices are multiples of it */
    int digits;      /* most significant digits of a price */
    struct dec step; /* quantities are multiples of it */
    struct dec min_qty;
    struct dec max_qty;
    struct dec min_notional;      /* of an entry, in quote currency */
    bool limits_only;             /* extended hours: it takes no market order now */
    int64_t hours_change_wall_us; /* its exchange opens or closes then; 0: it has no hours */
};

const char *instrument_status_name(enum instrument_status s); /* "trading" "halted" … */
/* The step of prices near this one; invalid: they have none. */
struct dec instrument_price_step(const struct instrument *instrument, struct dec price);
/* A multiple of that step; without a step, or with a NULL instrument, the price itself. */
struct dec instrument_round(const struct instrument *instrument, struct dec price, bool up);

/* A venue reports at most so many: first the quote currency of the traded symbols, in which the
 * books are kept, then those of margin and fees. Coins that are held are in the listings. */
#define VENUE_BALANCES_MAX 8

struct venue_balance {
    char currency[CURRENCY_SIZE];
    struct dec total;
    struct dec available;
    struct dec
        accrued; /* fees that are charged later: they may be missing from the total already */
};

struct venue_account {
    int balance_count;
    struct venue_balance balances[VENUE_BALANCES_MAX];
    struct dec margin_used;
    struct dec margin_maintenance; /* below it the venue liquidates; zero: not reported */
    double leverage;               /* the most that the venue allows; 0: unknown */
};

/* Of the symbols that have hours: they are those of one exchange. */
enum venue_hours {
    VENUE_HOURS_NONE,
    VENUE_HOURS_CLOSED,
    VENUE_HOURS_EXTENDED,
    VENUE_HOURS_REGULAR
};

const char *venue_hours_name(enum venue_hours h); /* "none" "closed" "extended" "regular" */

/* The part of the snapshot about the venue. */
struct snapshot_venue {
    char name[16];
    enum venue_state state;
    char reason[48];
    int64_t since_wall_us;
    bool brackets;      /* it executes stops and targets itself; if not, nightdesk does */
    bool catching_up;   /* ready again, but orders and positions have not been compared yet */
    int64_t limited_us; /* no entries for so long, because of its request limit; 0: not limited */
    enum venue_hours hours;
    int64_t hours_change_wall_us; /* until then */
    struct venue_limit limit;
    struct venue_account account;
};
