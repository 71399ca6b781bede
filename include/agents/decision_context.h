/*
 * decision_context.h: what the eight agents share while they make one decision.
 *
 *     struct context board = {.series = series, .settings = settings, .quote = quote, .held = held,
 *                           .predictor = predictor, .now_us = now, .port = &port, .desk = engine,
 *                           .decision = decision};
 *     agent_run_all(&context);        // votes, score, direction, outcome stand in the decision
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

struct context;

/* What the agents may ask of the desk. Called at most once a decision each, in this order. */
struct decision_port {
    /* Trading rules, when nothing is held in the symbol: decision->score is that of the votes and
     * tells the side, agents/execution.h where stop and target would be. May set context->bias,
     * which is added to the score, or veto_code and veto_text of the decision (a veto of the
     * entry), and adds the ids of the rules that matched. NULL: there are no rules. */
    void (*rules)(void *desk, struct context *context);
    /* The size of the entry in context->order for a confidence of 0..1; zero: none. */
    struct dec (*size)(void *desk, const struct context *context, double confidence);
    /* May context->order be sent? False: veto_code, veto_text and veto_max_qty of the decision. */
    bool (*audit)(void *desk, struct context *context);
    /* Makes the intent of context->order and fills in its client_id; false when there is no room.
     */
    bool (*submit)(void *desk, struct context *context);
};

/* What is wrong with the data; anything but FLAW_NONE opens nothing. */
enum flaw {
    FLAW_NONE,
    FLAW_COLD,    /* the indicators of the decision frame are not defined yet */
    FLAW_REFUSED, /* the newest candle that came was refused */
    FLAW_GAP,     /* no bar right before the one that was just closed */
    FLAW_STALE,   /* the newest candle is older than SERIES_STALE_US */
    FLAW_NO_QUOTE,
    FLAW_BAD_QUOTE, /* bid above ask, or a price that is none */
    FLAW_OLD_QUOTE, /* older than DECISION_QUOTE_MAX_AGE_US */
    FLAW_WIDE,      /* a spread of more than DECISION_SPREAD_MAX_PCT */
    FLAW_THIN       /* nothing to trade with on one side of the book */
};

#define DECISION_QUOTE_MAX_AGE_US (3 * USEC_PER_MIN)
#define DECISION_SPREAD_MAX_PCT   1.0
#define DECISION_BARS             200 /* of each frame that data_sync wants */

/* The decision frame as quant_analyst read it: what bull and bear speak of too. */
struct reading {
    double close;
    double rsi;
    double macd;
    double macd_signal;
    struct series_bands bands;
    double hour_width_pct; /* of the hourly bands; 0 before they are defined */
};

struct context {
    /* given */
    const struct series *series;
    const struct settings *settings;
    const struct quote *quote;         /* NULL: none was shown */
    const struct position *held;       /* in this symbol; NULL: none */
    const struct predictor *predictor; /* NULL: none */
    const char *waits; /* why no close may leave now: "an order is under way"; NULL: it may */
    int64_t now_us;    /* market time */
    const struct decision_port *port;
    void *desk;

    /* left by the agents; cleared by agent_run_all */
    struct decision *decision; /* the votes of those before (given) */
    enum flaw flaw;            /* data_sync */
    bool is_warm;              /* quant_analyst: reading and drift are valid */
    int drift;                 /* quant_analyst: -1, 0, 1, where the price goes */
    struct reading reading;
    double bias;      /* rules: added to the score, > 0 is long */
    bool wants_order; /* decision_core: order is what execution would send */
    bool may_send;    /* risk_audit */
    struct order order;
};

const char *flaw_text(enum flaw flaw); /* "the venue has shown no order book" */
