/*
 * decision_context.h: the data that the eight agents share while they make one decision.
 *
 *     struct decision_context context = {.series = series, .settings = settings, .quote = quote,
 *                                        .held = held, .predictor = predictor, .now_us = now,
 *                                        .port = &port, .userdata = engine, .decision = decision};
 *     agent_run_all(&context);        // sets votes, score, direction and outcome of the decision
 *
 * The caller fills the input fields and the decision's id, symbol, time and price. The agents run
 * in the order of their table; each reads the results of the agents before it. Risk, rules and
 * orders belong to higher layers; agents call them through the port.
 * Invariants: used for one decision; a plain value without allocations. A decision is never cleared
 * as a whole: only the entries up to its counts, and the texts up to their NUL, are valid.
 * Thread: one at a time per context.
 */
#pragma once

#include "agents/predictor.h"
#include "market/series.h"
#include "model/decision.h"
#include "model/order.h"
#include "model/position.h"
#include "model/quote.h"
#include "model/settings.h"
#include "model/venue_status.h"

#include <stdbool.h>
#include <stdint.h>

struct decision_context;

/* The functions of the engine that the agents call, each at most once a decision and in this
 * order. */
struct decision_port {
    /* Applies the trading rules, when there is no position in the symbol. decision->score is that
     * of the votes, and its sign is the side; see agents/execution.h for stop and target. May set
     * context->bias, which is added to the score, or veto_code and veto_text of the decision (a
     * veto of the entry); adds the ids of the matching rules. NULL: there are no rules. */
    void (*rules)(void *userdata, struct decision_context *context);
    /* The size of the entry in context->order for a confidence of 0..1; zero: no entry. */
    struct dec (*size)(void *userdata, const struct decision_context *context, double confidence);
    /* Whether context->order may be sent. If false, it has set veto_code, veto_text and
     * veto_max_qty of the decision. */
    bool (*audit)(void *userdata, struct decision_context *context);
    /* Makes the intent of context->order and sets its client_id; false when the order table is
     * full. */
    bool (*submit)(void *userdata, struct decision_context *context);
};

/* What is wrong with the data; with any flaw but FLAW_NONE no position is opened. */
enum flaw {
    FLAW_NONE,
    FLAW_COLD,    /* the indicators of the decision frame are not defined yet */
    FLAW_REFUSED, /* the newest candle was refused */
    FLAW_GAP,     /* the bar before the one just closed is missing */
    FLAW_STALE,   /* the newest candle is older than SERIES_STALE_US */
    FLAW_NO_QUOTE,
    FLAW_BAD_QUOTE, /* bid above ask, or an invalid price */
    FLAW_OLD_QUOTE, /* older than DECISION_QUOTE_MAX_AGE_US */
    FLAW_WIDE,      /* a spread of more than DECISION_SPREAD_MAX_PCT */
    FLAW_THIN       /* no quantity on one side of the book */
};

#define DECISION_QUOTE_MAX_AGE_US (3 * USEC_PER_MIN)
#define DECISION_SPREAD_MAX_PCT   1.0
#define DECISION_BARS             200 /* of each frame that data_sync expects */

/* The indicators of the decision frame, read by quant_analyst and used by bull and bear too. */
struct reading {
    double close;
    double rsi;
    double macd;
    double macd_signal;
    struct series_bands bands;
    double hour_width_pct; /* of the hourly bands; 0 before they are defined */
};

struct decision_context {
    /* input */
    const struct series *series;
    const struct settings *settings;
    const struct quote *quote;         /* NULL: none is known */
    const struct instrument *rules;    /* that prices must follow; NULL: none */
    const struct position *held;       /* in this symbol; NULL: none */
    const struct predictor *predictor; /* NULL: none */
    double sentiment;                  /* of the symbol, -1..1; NaN: unknown */
    const char *close_blocked; /* why no close may be sent: "an order is under way"; NULL: it may */
    int64_t now_us;            /* market time */
    const struct decision_port *port;
    void *userdata;

    /* set by the agents; cleared by agent_run_all */
    struct decision *decision; /* input; has the votes of the agents before */
    enum flaw flaw;            /* data_sync */
    bool is_warm;              /* quant_analyst: reading and drift are valid */
    int drift;                 /* quant_analyst: direction of the price, -1, 0 or 1 */
    struct reading reading;
    double bias;      /* rules: added to the score, > 0 is long */
    bool wants_order; /* decision_core: order is set, and execution sends it unless vetoed */
    bool may_send;    /* risk_audit */
    struct order order;
};

const char *flaw_text(enum flaw flaw); /* "the venue has shown no order book" */
