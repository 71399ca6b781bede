/*
 * order.h: an order, from intent to its end, and a fill of it.
 *
 * Life: PREPARED (on disk) -> SENT -> ACKED -> PARTIAL -> FILLED | CANCELLED | REJECTED | UNKNOWN.
 * A time-out is UNKNOWN and is resolved by asking the venue, never assumed.
 * client_id is made by us before the intent is committed and is the venue's idempotency key; it is
 * unique for all time in one database ("nd-<run>-<sequence>").
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
    ORDER_CLOSE, /* reduces a position because a person, a rule or a signal said so */
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

const char *side_name(enum side side);                /* "long" "short" */
const char *order_kind_name(enum order_kind kind);    /* "entry" "close" "stop" "target" */
const char *order_state_name(enum order_state state); /* "prepared" … */
bool order_state_is_final(enum order_state state);    /* FILLED, CANCELLED, REJECTED */
bool side_parse(struct str s, enum side *ret);
bool order_kind_parse(struct str s, enum order_kind *ret);
bool order_state_parse(struct str s, enum order_state *ret);

/*
 * The bracket of an entry. Until it fills, stop and target stand as far from reference_price as
 * stop_away and target_away say; then as far from average_price, whatever the market did between
 * decision and fill: qty * stop_away is what the position loses at its stop, and what risk let
 * through. A venue that takes an attached bracket as distances measures by itself; of one that
 * takes prices the engine asks for the amendment once it has heard of the fill, and the prices of
 * the intent protect the position until then.
 */
#define CLIENT_ID_SIZE 32

struct order {
    char client_id[CLIENT_ID_SIZE];
    struct symbol symbol;
    enum order_kind kind;
    enum side side; /* of the position that it opens or reduces, not of the trade ticket */
    enum order_state state;
    struct dec qty;
    struct dec reference_price; /* the price that the decision saw */
    struct dec stop;            /* mandatory for an entry */
    struct dec target;          /* mandatory for an entry */
    struct dec stop_away;       /* of an entry: how far from its fills the stop is to be; zero: */
    struct dec target_away;     /* it stays at its price, since a person has put it there */
    struct dec filled_qty;
    struct dec average_price; /* of what is filled; zero before */
    int64_t decision_id;      /* 0 when a person or a rule caused it */
    int64_t created_us;       /* market time */
    int64_t updated_us;
    char reason[64]; /* why it exists, or why it was refused: a code or a short word */
};

/* Puts stop and target as far from average_price as they are to be. One that would not be above
 * zero stays. No fill yet: nothing changes. */
void order_measure(struct order *order);

struct fill {
    char client_id[CLIENT_ID_SIZE];
    int64_t venue_fill_id; /* unique per venue: a fill seen twice counts once */
    struct symbol symbol;
    enum order_kind kind;
    enum side side;
    struct dec qty;
    struct dec price;
    struct dec fee; /* quote currency, positive is paid */
    int64_t at_us;
};
