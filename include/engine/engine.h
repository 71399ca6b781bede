/*
 * engine.h: the engine as a pure step: state and inputs in, state and outputs out.
 *
 *     struct engine *engine = engine_new(&settings, symbols, count);
 *     engine_inputs_init(&inputs, count); engine_outputs_init(&outputs, count);
 *     engine_step(engine, &now, &inputs, &outputs);
 *     journal_commit(store, engine, source, &outputs, err);   // then, and only then:
 *     ship(&outputs);                                         // sends, cancels, queries, events
 *
 * A step reads no clock, does no input or output, and allocates nothing. Live trading, paper
 * trading, backtest, replay and the simulator are all drivers around this one function, and the
 * same inputs give the same outputs, byte for byte.
 * Invariants, after every step:
 * - Every order in outputs.sends is also in outputs.orders in state PREPARED, so it is on disk
 *   before it is sent.
 * - The books balance: initial_cash + realised == cash + sum of the positions at cost, to the last
 *   unit (books_balance in the snapshot; the simulator asserts it).
 * - Closing and reducing is always possible; an entry needs the approval of risk.
 * Contract with the driver: it commits and then ships the outputs before the next step. While
 * trading.db cannot be written, it keeps the outputs, ships only those that driver.h lists, and
 * reports the disk state in the inputs of the following steps. It may hold back an order; an order
 * that the venue repeatedly does not find is cancelled.
 * Thread: one at a time per engine.
 */
#pragma once

#include "agents/predictor.h"
#include "market/series.h"
#include "market/source.h"
#include "model/capacity.h"
#include "model/decision.h"
#include "model/event.h"
#include "model/funding.h"
#include "model/order.h"
#include "model/position.h"
#include "model/quote.h"
#include "model/request.h"
#include "model/rule.h"
#include "model/sentiment.h"
#include "model/settings.h"
#include "model/snapshot.h"
#include "store/equity_table.h"
#include "store/state_table.h"
#include "store/transfer_table.h"
#include "venue/venue.h"

#include <stdbool.h>
#include <stdint.h>

#define ENGINE_REPORTS_MAX 16 /* per step */
#define ENGINE_FILLS_MAX   (ENGINE_REPORTS_MAX * VENUE_FILLS_MAX)
/* Trades of a step: from fills and write-offs. */
#define ENGINE_TRADES(positions) (ENGINE_FILLS_MAX + (positions))
/* Events of a step; symbols: at least CAPACITY_MIN. */
#define ENGINE_EVENTS(symbols) (448 + 8 * (symbols))
#define ENGINE_BOOKED_MAX      4096 /* booked fills of all orders in memory */

/* How often in a row, at intervals of ENGINE_ASK_EVERY_US, a venue must not find an order before it
 * is taken as never received: one answer may come from a part of the venue that lags. The first
 * counts from ENGINE_ANSWER_US after the order was sent, when its call can no longer arrive, and
 * the last is not_found_us of the venue's capabilities later. */
#define ENGINE_NOT_FOUND_ANSWERS 3
/* How long the venue may take to answer an order, and how often it is asked (monotonic time). */
#define ENGINE_ANSWER_US      (10 * USEC_PER_SEC)
#define ENGINE_ASK_EVERY_US   (2 * USEC_PER_SEC)
#define ENGINE_LIST_EVERY_US  (30 * USEC_PER_SEC)
#define ENGINE_RESTING_ASK_US (30 * USEC_PER_SEC)
/* How often in a row a venue may refuse the bracket measured from an entry's fills. */
#define ENGINE_REFUSALS_MAX 5

struct engine;

struct engine_now {
    int64_t market_us;
    int64_t wall_us;
    int64_t mono_us;
};

/* Whether the outputs of the steps reach trading.db. */
enum engine_disk {
    ENGINE_DISK_OK,     /* all outputs are committed */
    ENGINE_DISK_BEHIND, /* commits fail: nothing is opened */
    ENGINE_DISK_LOST, /* they have failed for so long that trading is paused until a person resumes
                         it */
    ENGINE_DISK_LATE  /* a slow disk: outputs are committed with a later step */
};

/* Rows: engine_buffers.h. */
struct engine_inputs {
    bool halt;           /* the kill switch: an emergency stop, with or without a request */
    int64_t halt_run_id; /* of the command that set it; 0: not known */
    enum engine_disk disk;
    const struct settings *settings; /* new settings; NULL: unchanged */
    const struct request *request;   /* not in trading.db yet; NULL: none */
    bool has_sentiment;              /* new values, which replace all values before */
    int sentiment_count;
    struct sentiment_value *sentiments;
    bool late; /* the bars tell of the past, and newer ones exist: nothing is decided on them, and
                * nothing is opened */
    int bar_count;
    struct source_bar *bars; /* one per symbol at most */
    int quote_count;         /* the newest of each symbol; given with every step that has bars */
    struct quote *quotes;
    int report_count;
    struct venue_report reports[ENGINE_REPORTS_MAX];
};

/* The wanted bracket of an entry or its position, or the wanted price of a leg, see venue_amend. */
struct engine_amend {
    char client_id[CLIENT_ID_SIZE];
    struct dec stop;
    struct dec target;
};

/* Rows: engine_buffers.h. */
struct engine_outputs {
    int symbols; /* of the engine that they are sized for */

    /* To commit in one transaction. `write` false: nothing to commit. */
    bool write;
    bool market_moved; /* save the series and the source too */
    bool positions_changed;
    bool rules_changed; /* save engine_rule_book() */
    int order_count;
    struct order *orders;
    int fill_count;
    struct fill fills[ENGINE_FILLS_MAX];
    int payment_count;
    struct funding payments[ENGINE_REPORTS_MAX];
    int trade_count;
    struct trade *trades; /* from fills and write-offs */
    int decision_count;
    struct decision *decisions;
    int candle_count; /* closed bars of the decision frame */
    struct source_bar *candles;
    bool equity_point;
    struct equity_point equity;
    int transfer_count;
    struct transfer transfers[ENGINE_REPORTS_MAX + 1]; /* reported ones, and a request */
    bool has_request;
    struct request request;
    int request_err; /* ERR_NONE, or why it was refused */
    int64_t at_us;   /* market time of the step */

    /* To ship after the commit. */
    bool clear_halt;
    bool list;
    int64_t list_id;
    int64_t list_after_funding_id;
    bool list_doubts; /* the newest listing differs from the books */
    int send_count;
    int *sends; /* indexes into orders */
    int cancel_count;
    char (*cancels)[CLIENT_ID_SIZE];
    int amend_count;
    struct engine_amend *amends;
    int query_count;
    struct venue_question *queries;
    int event_count;
    struct event *events;
};

/* What recovery restores into an engine: everything that trading.db holds. */
struct engine_memory {
    struct engine_state state;
    int position_count;
    struct position positions[POSITIONS_LIMIT];
    int order_count; /* alive, or their position is open */
    struct order orders[ORDERS_LIMIT];
    struct rule_book rules;
    int entry_count; /* entries made in the last minute before the end, whatever their state */
    int64_t entries_us[ORDERS_LIMIT]; /* market time */
    int booked_count; /* fills of these orders that are booked, in the order of booking */
    struct engine_booked {
        int order; /* index into orders */
        char venue_fill_id[FILL_ID_SIZE];
    } booked[ENGINE_BOOKED_MAX];
};

/* Copies without the unused rows, which take much memory. */
void engine_memory_copy(struct engine_memory *dst, const struct engine_memory *src);

/* symbols: first those that are traded, then those that are only held; each once, at most
 * SYMBOLS_LIMIT. Everything is sized by their number (capacity.h). Never NULL. */
struct engine *engine_new(const struct settings *settings, const struct symbol *symbols, int count);
void engine_free(struct engine *engine);
/* Sets the length of the candles; one minute unless this is called. Call before the first candle
 * and before any history is loaded. */
void engine_set_step(struct engine *engine, int64_t step_us);

/* What the venue can do; without this call it is one that executes brackets, reports neither
 * connection nor instruments, and whose answers are final. Call before the first step. */
void engine_set_venue(struct engine *engine, const struct venue_capabilities *capabilities);

/* Sets the model that the predict agent uses from the next step on. Owned by the caller, must
 * outlive the engine's use of it. NULL: the agent stays neutral. */
void engine_use_predictor(struct engine *engine, const struct predictor *predictor);

/* A first start: opens the books with settings.initial_cash. */
void engine_begin(struct engine *engine, const struct engine_now *now);
/* After engine_begin: gives the first run this number instead of 1, so that client ids are not
 * reused after a database was lost. */
void engine_begin_at_run(struct engine *engine, int64_t run);
/* A start from the state of an earlier run, which fits the capacities (ASSERT); the next steps
 * reconcile it with the venue. Counts as a new run. */
void engine_restore(struct engine *engine, const struct engine_memory *memory);

/* Warms candles and indicators with history before the first step; makes no decision. Returns the
 * number of completed bars of the decision frame, and the bars in ret_closed. */
int engine_warm(struct engine *engine, const struct source_bar *bars, int count,
                struct source_bar *ret_closed);

/* The bars of candle_table, oldest first, after engine_series_load. They fill the windows of a
 * symbol whose series was loaded, and are the whole history of one whose series was not. */
void engine_history(struct engine *engine, struct symbol symbol, const struct candle *bars,
                    int count);

/* Whether a request may change the capital to this now, and how much more cash than the books the
 * account has (venue_set_capital): ERR_NONE, ERR_VENUE_CAPITAL_USED, or ERR_VENUE_CAPITAL, and then
 * the next step asks for a listing, which may tell. A step with such a request does not check it
 * again. */
int engine_check_capital(struct engine *engine, struct dec capital, struct dec *ret_surplus);

void engine_step(struct engine *engine, const struct engine_now *now,
                 const struct engine_inputs *inputs, struct engine_outputs *ret);

/* Fills in everything but version, market_speed, step_p99_ns and last_err, which the driver sets.
 */
void engine_snapshot(const struct engine *engine, const struct engine_now *now,
                     struct snapshot *ret);

/* For the journal and the tests. */
int engine_symbol_count(const struct engine *engine);
const struct engine_state *engine_state(const struct engine *engine);
const struct position *engine_positions(const struct engine *engine, int *ret_count);
const struct rule_book *engine_rule_book(const struct engine *engine);
struct dec engine_price(const struct engine *engine, struct symbol symbol); /* zero: unknown */

/* Saves the market history that decisions are based on, without the windows, as bytes. Load returns
 * false and changes nothing if the bytes have another layout or another step. Symbols that the
 * bytes do not contain stay cold. */
/* The bytes that save needs. */
size_t engine_series_size(const struct engine *engine);
size_t engine_series_save(const struct engine *engine, void *dst, size_t dst_size);
bool engine_series_load(struct engine *engine, const void *bytes, size_t size);
