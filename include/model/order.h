/*
 * order.h: an order, from intent to final state, and its fills.
 *
 * Life: PREPARED (on disk) -> SENT -> ACKED -> PARTIAL -> FILLED | CANCELLED | REJECTED | UNKNOWN.
 * After a timeout an order is UNKNOWN until the venue reports its state; no state is assumed.
 * client_id is created before the intent is committed and is the venue's idempotency key; it is
 * never reused in one database ("nd-<run>-<sequence>").
 * Thread: any (plain values).
 */
#pragma once

#include "base/dec.h"
#include "model/symbol.h"

#include <stdbool.h>
#include <stdint.h>

enum side { SIDE_LONG, SIDE_SHORT };
enum order_kind {
    ORDER_ENTRY, /* opens a position; carries stop and target (a bracket) */
    ORDER_CLOSE, /* reduces a position, by order of a person, a rule or a signal */
    ORDER_STOP,  /* the venue's own: the bracket's protective stop was hit */
    ORDER_TARGET /* the venue's own: the bracket's target was hit */
};
enum order_state {
    ORDER_PREPARED,
    ORDER_SENT,
    ORDER_ACKED,
    ORDER_PARTIAL,
    ORDER_FILLED,
    ORDER_CANCELLED,
    ORDER_REJECTED,
    ORDER_UNKNOWN
};

/* How an order is executed. The engine chooses by what the venue can do, see struct
 * venue_capabilities. */
enum order_type {
    ORDER_TYPE_MARKET, /* at any price */
    ORDER_TYPE_LIMIT,  /* at `price` or better */
    ORDER_TYPE_STOP    /* at any price, once the market has reached `price` */
};
/* How long the part rests that is not filled on arrival. */
enum time_in_force {
    TIF_GTC, /* until it is filled or cancelled, or the venue ends it */
    TIF_DAY, /* the same, but not beyond the venue's trading day */
    TIF_IOC, /* not at all */
    TIF_FOK  /* not at all, and nothing is filled unless all of it is */
};

const char *side_name(enum side side);                /* "long" "short" */
const char *order_kind_name(enum order_kind kind);    /* "entry" "close" "stop" "target" */
const char *order_state_name(enum order_state state); /* "prepared" … */
const char *order_type_name(enum order_type type);    /* "market" "limit" "stop" */
const char *time_in_force_name(enum time_in_force t); /* "gtc" "day" "ioc" "fok" */
bool order_state_is_final(enum order_state state);    /* FILLED, CANCELLED, REJECTED */
bool side_parse(struct str s, enum side *ret);
bool order_kind_parse(struct str s, enum order_kind *ret);
bool order_state_parse(struct str s, enum order_state *ret);
bool order_type_parse(struct str s, enum order_type *ret);
bool time_in_force_parse(struct str s, enum time_in_force *ret);

/*
 * The bracket of an entry. Before the first fill, stop and target are stop_away and target_away
 * from reference_price; afterwards they are the same distances from average_price, even if the
 * market moved between decision and fill. So the loss at the stop is qty * stop_away, as approved
 * by risk. A venue that accepts a bracket as distances does this itself. If the venue accepts
 * prices, the engine requests the amendment after it received the fill; until then the prices of
 * the intent protect the position.
 */
#define CLIENT_ID_SIZE 32

struct order {
    char client_id[CLIENT_ID_SIZE];
    struct symbol symbol;
    enum order_kind kind;
    enum side side; /* of the position that it opens or reduces, not buy or sell */
    enum order_state state;
    enum order_type type;
    enum time_in_force time_in_force;
    bool post_only;   /* of a limit: rejected if it would take from the book */
    bool reduce_only; /* it closes at most the position that there is */
    struct dec price; /* of a limit or stop; zero for a market order */
    struct dec qty;
    struct dec reference_price; /* price at the decision */
    struct dec stop;            /* mandatory for an entry */
    struct dec target;          /* mandatory for an entry */
    struct dec stop_away;       /* of an entry: distance of the stop from the average fill price; */
    struct dec target_away;     /* zero: a person set the price, and it does not move */
    struct dec filled_qty;
    struct dec average_price; /* of the filled part; zero if nothing is filled */
    int64_t decision_id;      /* 0 if a person or a rule caused it */
    int64_t run_id;     /* of the command that caused it, in ops.db; 0: no command did, or it is not
                           stored there */
    int64_t created_us; /* market time */
    int64_t updated_us;
    char reason[64]; /* why it was made, or why it was refused: a code or a short word */
};

/* The venue's rules for prices, see model/venue_status.h; NULL: there are none. */
struct instrument;

/* Moves stop and target to their distances from average_price, rounded as below. A price that would
 * be <= 0 is not changed. Without a fill nothing changes. */
void order_measure(struct order *order, const struct instrument *rules);
/* Rounds stop and target to multiples of the tick, towards the price that they are measured from
 * (before a fill the reference price), so that no stop loses more than it was approved for; away
 * from it where the tick is so coarse that they would reach it. */
void order_round_bracket(struct order *order, const struct instrument *rules);

/* A fill's id at the venue: a text, which is compared for equality only. */
#define FILL_ID_SIZE 40

struct fill {
    char client_id[CLIENT_ID_SIZE];
    char venue_fill_id[FILL_ID_SIZE]; /* unique for each order: a fill reported twice is booked once
                                       */
    struct symbol symbol;
    enum order_kind kind;
    enum side side;
    struct dec qty;
    struct dec price;
    struct dec fee; /* positive: paid by the account */
    char
        fee_currency[CURRENCY_SIZE]; /* of the fee; empty: the symbol's quote currency. Once the
                                      * engine has booked the fill, the fee is in quote currency, */
    struct dec fee_charged;          /* and this is what was charged in fee_currency */
    int64_t at_us;
};

/* For venues whose fill ids are numbers: 0 is the empty text, which means no fill. */
void fill_id_of_number(int64_t number, char ret[FILL_ID_SIZE]);
/* 0: empty, or not the text of a number above 0. */
int64_t fill_id_to_number(const char *id);
