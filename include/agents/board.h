/*
 * board.h: what the eight agents share while they make one decision.
 *
 *     struct board board = {.series = series, .settings = settings, .quote = quote, .held = held,
 *                           .predictor = predictor, .now_us = now, .port = &port, .desk = engine,
 *                           .decision = decision};
 *     agent_run_all(&board);        // votes, score, direction, outcome stand in the decision
 *
 * Whoever decides fills the upper half and the decision's id, symbol, time and price; the agents
 * run in the order of their table, each reads what those before it have left. Risk, rules and
 * orders belong to higher floors: agents reach them through the port.
 * Invariants: lives for one decision; a plain value; nothing on it is allocated. A decision is
 * never cleared as a whole: its counts and outcome say what is set in it, texts end at their NUL.
 * Thread: one at a time per board.
 */
#pragma once

#include "agents/predictor.h"
#include "market/series.h"
#include "model/decision.h"
#include "model/order.h"
#include "model/position.h"
#include "model/quote.h"
#include "model/settings.h"

#include <stdbool.h>
#include <stdint.h>

struct board;

/* What the agents may ask of the desk. Called at most once a decision each, in this order. */
struct desk_port {
    /* Trading rules: the raw score and the side that it speaks for stand on the board. May set
     * bias, size_factor, decision->veto_code and veto_text (a veto), and adds the ids of the rules
     * that matched to the decision. NULL: there are no rules. */
    void (*rules)(void *desk, struct board *board);
    /* The size of an entry at this price for a confidence of 0..1. */
    struct dec (*size)(void *desk, struct dec price, double confidence);
    /* May board->order be sent? False: veto_code, veto_text and veto_max_qty of the decision. */
    bool (*audit)(void *desk, struct board *board);
    /* Makes the intent of board->order; false when there is no room. Fills order.client_id. */
    bool (*submit)(void *desk, struct board *board);
};

/* What is wrong with the data, by the most severe; anything but FLAW_NONE opens nothing. */
enum flaw {
    FLAW_NONE,
    FLAW_COLD,     /* the indicators of the decision frame are not defined yet */
    FLAW_GAP,      /* minutes are missing in the bars that were just closed */
    FLAW_REFUSED,  /* the newest bar that came was refused */
    FLAW_NO_QUOTE, /* the venue has shown no order book */
    FLAW_CROSSED,  /* bid above ask, or a price that is none */
    FLAW_OLD_QUOTE,
    FLAW_WIDE, /* a spread of more than BOARD_SPREAD_MAX_PCT */
    FLAW_EMPTY /* nothing to trade with on one side of the book */
};

#define BOARD_QUOTE_MAX_AGE_US (3 * USEC_PER_MIN)
#define BOARD_SPREAD_MAX_PCT   1.0
#define BOARD_BARS             200 /* of each frame that data_sync wants */

struct board {
    /* given */
    const struct series *series;
    const struct settings *settings;
    const struct quote *quote;         /* NULL: none was shown */
    const struct position *held;       /* in this symbol; NULL: none */
    const struct predictor *predictor; /* NULL: none */
    bool busy;                         /* an order of this symbol is alive */
    int64_t now_us;                    /* market time */
    const struct desk_port *port;
    void *desk;

    /* left by the agents */
    struct decision *decision; /* the votes of those before */
    enum flaw flaw;            /* data_sync */
    int drift;                 /* quant_analyst: -1, 0, 1, where the price goes */
    double bias;               /* rules: added to the score */
    double size_factor;        /* rules: times the size; 1 without */
    bool wants_order;          /* risk_audit: board->order is what execution would send */
    bool audited;              /* risk_audit: it may be sent */
    struct order order;        /* valid when wants_order */
};
