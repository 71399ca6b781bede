/*
 * engine.h: the engine as a pure step: state and inputs in, state and outputs out.
 *
 *     struct engine *engine = engine_new(&settings, symbols, count);
 *     engine_step(engine, &now, &inputs, &outputs);
 *     journal_commit(store, engine, &outputs, err);   // then, and only then:
 *     ship(&outputs);                                 // sends, cancels, queries, events
 *
 * A step reads no clock, does no input or output, and allocates nothing: so live trading, paper
 * trading, back-test, replay and the simulator are drivers around this one function, and the same
 * inputs give the same outputs, byte for byte.
 * Invariants, after every step:
 * - every order in outputs.sends is in outputs.orders in state PREPARED: on disk before it leaves;
 * - the books balance: initial_cash + realised == cash + sum of the positions at cost, to the last
 *   unit (books_balance tells; the simulator asserts it);
 * - closing and reducing is always possible; opening only what risk let through.
 * Contract with the driver: outputs are committed and shipped, in this order, before the next
 * step. While trading.db cannot be written the driver keeps them, ships what needs no row there
 * (driver.h says what), and tells the next steps so. It may hold back an order: what the venue
 * never heard of is cancelled.
 * Thread: one at a time per engine.
 */
#pragma once

#include "agents/predictor.h"
#include "market/series.h"
#include "market/source.h"
#include "model/decision.h"
#include "model/event.h"
#include "model/funding.h"
#include "model/order.h"
#include "model/position.h"
#include "model/quote.h"
#include "model/request.h"
#include "model/rule.h"
#include "model/settings.h"
#include "model/snapshot.h"
#include "store/equity_table.h"
#include "store/state_table.h"
#include "venue/venue.h"

#include <stdbool.h>
#include <stdint.h>

#define ENGINE_ORDERS_MAX  64 /* orders that are alive, or whose position is */
#define ENGINE_REPORTS_MAX 16 /* a step */
#define ENGINE_FILLS_MAX   (ENGINE_REPORTS_MAX * VENUE_FILLS_MAX)
#define ENGINE_EVENTS_MAX  512

/* How long the venue may take to answer an order, and how often it is asked (monotonic time). */
#define ENGINE_ANSWER_US      (10 * USEC_PER_SEC)
#define ENGINE_ASK_EVERY_US   (2 * USEC_PER_SEC)
#define ENGINE_LIST_EVERY_US  (30 * USEC_PER_SEC)
#define ENGINE_RESTING_ASK_US (30 * USEC_PER_SEC)
/* How often a venue may refuse the bracket that an entry's fills ask for. */
#define ENGINE_REFUSALS_MAX 5

struct engine;

struct engine_now {
    int64_t market_us;
    int64_t wall_us;
    int64_t mono_us;
};

/* Whether what the steps answer reaches trading.db. */
enum engine_disk {
    ENGINE_DISK_OK,     /* all of it has */
    ENGINE_DISK_BEHIND, /* not now: nothing is opened */
    ENGINE_DISK_LOST,   /* not for so long that trading is paused, until somebody resumes it */
    ENGINE_DISK_LATE    /* a slow disk: it will, with what follows */
};

struct engine_inputs {
    bool halt; /* the kill switch: an emergency stop, asked for or not */
    enum engine_disk disk;
    const struct settings *settings; /* new ones; NULL: unchanged */
    const struct request *request;   /* one that trading.db does not know yet; NULL: none */
    int bar_count;
    struct source_bar bars[SYMBOLS_MAX];
    int quote_count; /* newest known, one a symbol; with every step that has bars */
    struct quote quotes[SYMBOLS_MAX];
    int report_count;
    struct venue_report reports[ENGINE_REPORTS_MAX];
};

struct engine_outputs {
    /* to be committed in one transaction; `write` false: nothing to commit */
    bool write;
    bool market_moved; /* series and source have to be saved too */
    bool positions_changed;
    bool rules_changed; /* engine_rule_book() has to be saved */
    int order_count;
    struct order orders[ENGINE_ORDERS_MAX];
    int fill_count;
    struct fill fills[ENGINE_FILLS_MAX];
    int payment_count;
    struct funding payments[ENGINE_REPORTS_MAX];
    int trade_count;
    struct trade trades[ENGINE_FILLS_MAX + POSITIONS_MAX]; /* of fills, and what is written off */
    int decision_count;
    struct decision decisions[SYMBOLS_MAX];
    int candle_count; /* closed bars of the decision frame */
    struct source_bar candles[SYMBOLS_MAX];
    bool equity_point;
    struct equity_point equity;
    bool has_request;
    struct request request;
    int request_err; /* ERR_NONE or why it was refused */
    int64_t at_us;   /* market time of the step */

    /* to be shipped after the commit */
    bool clear_halt;
    bool list;
    int64_t list_id;
    int64_t list_after_funding_id;
    int send_count;
    int sends[ENGINE_ORDERS_MAX]; /* indexes into orders */
    int cancel_count;
    char cancels[ENGINE_ORDERS_MAX][CLIENT_ID_SIZE];
    int amend_count;
    struct engine_amend {
        char client_id[CLIENT_ID_SIZE];
        struct dec stop;
        struct dec target;
    } amends[POSITIONS_MAX];
    int query_count;
    struct engine_query {
        char client_id[CLIENT_ID_SIZE];
        int64_t after_fill_id; /* fills up to it are booked */
    } queries[ENGINE_ORDERS_MAX];
    int event_count;
    struct event events[ENGINE_EVENTS_MAX];
};

/* What recovery gives back to an engine: all that stood in trading.db. */
struct engine_memory {
    struct engine_state state;
    int position_count;
    struct position positions[POSITIONS_MAX];
    int order_count; /* alive, and those whose position is open */
    struct order orders[ENGINE_ORDERS_MAX];
    int64_t last_fill_ids[ENGINE_ORDERS_MAX]; /* of each order: booked up to it; 0: none */
    struct rule_book rules;
    int entry_count; /* entries made in the last minute before the end, however they ended */
    int64_t entries_us[ENGINE_ORDERS_MAX]; /* market time */
};

/* symbols: those that are traded first, then those that are only held. Never NULL. */
struct engine *engine_new(const struct settings *settings, const struct symbol *symbols, int count);
void engine_free(struct engine *engine);
/* The length of the candles that will come, before the first and before what is loaded; one minute
 * unless this is called. */
void engine_set_step(struct engine *engine, int64_t step_us);

/* What the predict agent asks from the next step on; stays the caller's, who keeps it at least as
 * long. NULL: the agent is neutral. */
void engine_use_predictor(struct engine *engine, const struct predictor *predictor);

/* A first start: the books are opened with settings.initial_cash. */
void engine_begin(struct engine *engine, const struct engine_now *now);
/* After engine_begin: the first run has this number and not 1, for client ids must not come again
 * when a database was lost. */
void engine_begin_at_run(struct engine *engine, int64_t run);
/* A start on what an earlier run left: the next steps reconcile it with the venue. Counts a new
 * run. */
void engine_restore(struct engine *engine, const struct engine_memory *memory);

/* History, before the first step: warms candles and indicators, decides nothing. Returns how many
 * bars of the decision frame became complete, in ret_closed. */
int engine_warm(struct engine *engine, const struct source_bar *bars, int count,
                struct source_bar ret_closed[SYMBOLS_MAX]);

/* The bars of candle_table, oldest first, after engine_series_load: they fill the windows of a
 * symbol whose series is back, and are the whole history of one that is cold. */
void engine_history(struct engine *engine, struct symbol symbol, const struct candle *bars,
                    int count);

void engine_step(struct engine *engine, const struct engine_now *now,
                 const struct engine_inputs *inputs, struct engine_outputs *ret);

/* Everything but version, market_speed, step_p99_ns and last_err, which are the driver's. */
void engine_snapshot(const struct engine *engine, const struct engine_now *now,
                     struct snapshot *ret);

/* For the journal and the tests. */
const struct engine_state *engine_state(const struct engine *engine);
const struct position *engine_positions(const struct engine *engine, int *ret_count);
const struct rule_book *engine_rule_book(const struct engine *engine);
struct dec engine_price(const struct engine *engine, struct symbol symbol); /* zero: none yet */

/* The market history that decisions rest on, but for the windows, as bytes; load refuses (false,
 * nothing changed) what is not of this layout or of another step. Symbols that the bytes do not
 * know stay cold. */
size_t engine_series_save(const struct engine *engine, void *dst, size_t dst_size);
bool engine_series_load(struct engine *engine, const void *bytes, size_t size);
