/*
 * venue_settings.h: which venue executes the orders, whose prices are traded on, and the settings
 * of each.
 *
 * Built by config/ from the options table. Only the venue reads its own part; the engine passes it
 * on. Thread: any (plain values).
 */
#pragma once

#include "base/dec.h"
#include "model/capacity.h"
#include "model/symbol.h"

#include <stdbool.h>
#include <stdint.h>

/* The paper venue's costs and limits. */
struct paper_settings {
    struct dec initial_cash; /* of a new account */
    double max_leverage;
    double spread_bps;       /* full spread between bid and ask */
    double fee_bps;          /* of fills that take from the book */
    double maker_fee_bps;    /* of fills that rested in the book: targets */
    struct dec depth;        /* quote currency at each level of the book, each side; 0: unlimited */
    double level_bps;        /* distance between two levels */
    int64_t latency_us;      /* of an order on its way to the venue, market time */
    double reject_pct;       /* of the entries, at random */
    struct dec min_notional; /* smaller entries are rejected */
    int64_t tick_digits;     /* significant digits of a price */
    double funding_bps;      /* paid by longs to shorts every eight hours; may be negative */
    struct dec lot;          /* quantities are multiples of it; zero: any */
    bool fee_in_coins;       /* of long entries: the position is smaller by it */
};

/* The live prices of a venue. The texts of the key belong to the configuration, and must outlive
 * market_feed_new, which copies them. */
struct live_settings {
    char venue[16];
    char url[208];        /* empty: the venue's own */
    char stream_url[208]; /* the same */
    int64_t depth;        /* levels of the books; 0: best prices only */
    char ca_file[304];    /* "": the authorities of the system */
    const char *key_id;   /* "": none */
    const char *key_secret;
};

#define LIVE_VENUES_MAX 6

/* The venues whose prices are traded on: the first has all symbols but those that are routed. */
struct live_plan {
    int count;
    struct live_settings venues[LIVE_VENUES_MAX];
    int route_count;
    struct live_route {
        struct symbol symbol;
        int venue; /* of venues */
    } routes[SYMBOLS_LIMIT];
};

/* How a real venue is used. */
enum venue_mode {
    VENUE_DRY_RUN, /* the account is read, nothing is sent */
    VENUE_SANDBOX, /* the venue's own test system */
    VENUE_LIVE
};

/* Coins on the account that are not ours to trade. */
#define RESERVED_MAX 32
struct reserved_coin {
    char currency[CURRENCY_SIZE];
    struct dec amount; /* > 0 */
};

/* Zero: none of it is reserved. */
static inline struct dec reserved_amount(const struct reserved_coin *coins, int count,
                                         const char *currency)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(coins[i].currency, currency) == 0) {
            return coins[i].amount;
        }
    }
    return DEC_ZERO;
}

/* The texts belong to the configuration, and must outlive venue_new, which copies them. */
struct real_venue_settings {
    enum venue_mode mode;
    const char *key_id;
    const char *key_secret;
    const char *url;        /* "": the venue's own, by the mode */
    const char *stream_url; /* the same, of the account's stream */
    const char *ca_file;    /* "": the authorities of the system */
    bool accept_withdrawal;
    bool accept_unknown_withdrawal;
    bool extended_hours; /* stocks are traded before and after regular hours too */
    int reserved_count;
    struct reserved_coin reserved[RESERVED_MAX];
};

struct venue_settings {
    char name[16]; /* "paper", "binance", … */
    struct paper_settings paper;
    struct real_venue_settings real;
};
