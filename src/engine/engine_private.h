/*
 * engine_private.h: the inside of struct engine, shared by the files that are its step.
 *
 * engine.c runs the step; engine_decide.c lets the agents decide; engine_account.c is what risk
 * looks at; engine_orders.c knows the life of orders, engine_reports.c what the venue says of them,
 * engine_reconcile.c whether its positions are ours; engine_control.c is pause, breaker, emergency
 * stop, and requests; engine_rules.c is the rules. Thread: the engine's.
 */
#pragma once

#include "agents/decision_context.h"
#include "base/err.h"
#include "engine/engine.h"
#include "ledger.h"
#include "market/returns.h"
#include "risk/risk.h"

/* Every client_id of ours begins so. */
#define ENGINE_CLIENT_ID_PREFIX "nd-"

/* An order that is alive, or the entry of a position that is. */
struct engine_slot {
    bool used;
    bool leaving;        /* in outputs.sends of the last step: by now it is on its way */
    bool ask;            /* the venue's word on it is wanted */
    bool answered;       /* the venue has told of it since this start */
    bool dirty;          /* differs from its row */
    const char *closing; /* of an entry: why whatever it fills is closed at once, static text; NULL:
                          * it stays */
    int64_t asked_mono_us;  /* when it was sent or asked for */
    bool page;              /* the last report was cut: its next page is asked for at once */
    int64_t cancel_mono_us; /* when its cancellation was asked for; 0: never */
    int64_t amend_mono_us;  /* the same of its bracket */
    int refusals;           /* of the bracket that its fills are measured for, in a row */
    int64_t last_fill_id;   /* its fills are booked up to here; 0: none */
    struct order order;     /* of an entry: stop and target as they are wanted */
};

/* The rules that live, and their programs beside them. */
struct engine_rules {
    struct rule_book book;
    struct condition programs[RULES_MAX];
};

/* Entries that the rate of them is counted from: more than the symbols can cause in a minute. */
#define ENGINE_ENTRIES_MAX 64

/* What risk looks at beside positions and orders. */
struct engine_exposure {
    int64_t entries_us[ENGINE_ENTRIES_MAX]; /* when entries were made, market time: a ring */
    int entry_count;                        /* since the start */
    int foreign_count;                      /* of the newest listing: not in our books */
    struct snapshot_foreign foreign[POSITIONS_MAX];
    int foreign_seen[POSITIONS_MAX];  /* of each: in how many listings in a row */
    struct engine_liquidation_guard { /* of the symbol in series[i]: how near liquidation has come
                                       */
        enum risk_liquidation_guard done;
        struct dec keep; /* RISK_LIQUIDATION_GUARD_HALVE: what is to stay of the position */
    } liquidation_guards[SYMBOLS_MAX];
};

struct engine {
    struct settings settings;
    struct engine_state state; /* the row in trading.db */
    int traded_count;          /* symbols from here on are only held */
    int symbol_count;
    struct series series[SYMBOLS_MAX];
    struct returns returns; /* of each hour that a series closed */
    int position_count;
    struct position positions[POSITIONS_MAX];
    int slot_end; /* slots from here on are free */
    struct engine_slot slots[ENGINE_ORDERS_MAX];
    struct engine_rules rules;
    struct engine_exposure exposure;

    bool reconciled;    /* the venue and our books agreed */
    bool verified_flat; /* in an emergency stop: the venue listed nothing open */
    bool flat_asked;    /* in an emergency stop: the listing that should show it is asked for */
    bool books_balance;
    bool behind;            /* trading.db cannot be written: nothing is opened */
    int disagreements;      /* listings in a row that were not our books */
    int64_t agreed_list_id; /* of the newest listing that was our books; 0: none yet */
    bool look_first; /* a close was refused: no other before a listing has shown what there is */
    bool list_wanted;
    int64_t listed_mono_us; /* when the last listing was asked for; 0: never */
    int64_t list_id;        /* of the last listing that was asked for */
    int64_t moved_list_id;  /* listings up to this one may be older than our last movement */
    char reconcile_reason[96];
    int64_t equity_hour; /* market hour of the newest equity point */
    int64_t started_wall_us;
    int64_t market_us;
    uint64_t steps;

    const struct predictor *predictor; /* the driver's; NULL: none */

    /* of the step under way */
    const struct engine_now *now;
    const struct engine_inputs *in;
    struct engine_outputs *out;
    struct context context;      /* of the decision under way */
    struct risk_account account; /* that its entry meets */
};

/* engine.c */
struct ledger engine_ledger(struct engine *engine);
struct series *engine_series(struct engine *engine, struct symbol symbol); /* NULL: unknown */
/* What this step was shown of the order book; NULL: nothing. */
const struct quote *engine_quote(const struct engine *engine, struct symbol symbol);
struct dec engine_equity(const struct engine *engine);
/* The state that people see: STARTING until reconciled, unless an emergency stop is active. */
enum trading_state engine_shown_state(const struct engine *engine);
struct event *engine_event(struct engine *engine, enum topic topic, int64_t code);
void engine_fault(struct engine *engine, enum err_id id, struct symbol symbol);

/* engine_account.c */
/* The account as an entry in this symbol and on this side meets it. */
void engine_account_fill(const struct engine *engine, struct symbol symbol, enum side side,
                         struct risk_account *ret);
/* Cancels what is left of entries once the limits of exposure are passed at the prices of now. */
void engine_account_watch(struct engine *engine);
/* Notional of all positions at mark, those that the bot did not open too. */
struct dec engine_account_held(const struct engine *engine);
void engine_account_entry(struct engine *engine, int64_t at_us); /* one was made */
void engine_account_snapshot(const struct engine *engine, struct snapshot *ret);

/* engine_liquidation.c */
/* Closes before the venue liquidates; after each step that moved prices. */
void engine_liquidation_guard_tick(struct engine *engine, struct dec equity);

/* engine_decide.c */
/* A decision on the bar that this series has just closed; into outputs.decisions. */
void engine_decide(struct engine *engine, const struct series *series);

/* engine_orders.c */
/* A fresh order in PREPARED that leaves with this step; NULL when there is no slot for it. */
struct order *engine_orders_prepare(struct engine *engine, enum order_kind kind,
                                    const struct position *position, const char *reason);
bool engine_orders_busy(const struct engine *engine, struct symbol symbol); /* one is alive */
int engine_orders_entries_alive(const struct engine *engine);
int engine_orders_alive(const struct engine *engine); /* not in a final state */
bool engine_orders_room(const struct engine *engine); /* for another entry and what follows it */
void engine_orders_restore(struct engine *engine, const struct order *order, int64_t last_fill_id);
/* Makes a close order for position->qty, as far as those under way do not cover it already. */
void engine_orders_close(struct engine *engine, const struct position *position,
                         const char *reason);
/* Cancels resting entries of a symbol (empty: of all); each is mentioned to the venue at most once
 * in ENGINE_ASK_EVERY_US. Returns how many are alive. */
int engine_orders_cancel_entries(struct engine *engine, struct symbol symbol);
/* Somebody closes a symbol (empty: all): its positions, and what its entries fill while they are
 * being cancelled, are closed until nothing is left. Forgotten by a restart. */
void engine_orders_want_closed(struct engine *engine, struct symbol symbol);
/* New stop and target of a position, zero leaves it as it is: wanted from now on, and asked of the
 * venue until it says that they stand. ERR_NONE, or why not: ERR_ENGINE_AMEND,
 * ERR_ENGINE_NOTHING_OPEN. */
int engine_orders_amend(struct engine *engine, const struct position *position, struct dec stop,
                        struct dec target);
void engine_orders_begin(struct engine *engine);  /* what left with the last step is SENT */
void engine_orders_tick(struct engine *engine);   /* time-outs, questions, amendments */
bool engine_orders_finish(struct engine *engine); /* rows to write, slots to free; any written? */

/* Shared by the files that know orders. */
struct engine_slot *engine_orders_find(struct engine *engine, const char *client_id);
bool engine_orders_is_alive(const struct engine_slot *slot);
void engine_orders_touch(struct engine *engine, struct engine_slot *slot);
void engine_orders_move(struct engine *engine, struct engine_slot *slot, enum order_state state);
/* The whole truth about a symbol is wanted: its entry's, which knows of the bracket, and that of
 * every order under way. */
void engine_orders_ask(struct engine *engine, struct symbol symbol);
int engine_orders_unheard(const struct engine *engine); /* about which the venue was asked */

/* engine_reports.c */
void engine_reports_accept(struct engine *engine, const struct venue_report *report);
/* A position, or a part of it, was closed: numbers it, counts it, starts the cooldown. */
void engine_reports_trade(struct engine *engine, const char *exit_reason, struct trade *trade);

/* engine_reconcile.c */
void engine_reconcile_listing(struct engine *engine, const struct venue_report *listing);
void engine_reconcile_tick(struct engine *engine);
void engine_reconcile_finish(struct engine *engine, bool moved); /* moved: orders were written */
/* Takes foreign positions of a symbol (empty: all) into the books, to be closed; returns how many.
 */
int engine_reconcile_adopt(struct engine *engine, struct symbol symbol);

/* engine_control.c */
void engine_control_set(struct engine *engine, enum trading_state state, const char *reason);
/* The kill switch is set: an emergency stop that depends on no queue and on no disk but ours, and
 * that stands after a crash. */
void engine_control_halt(struct engine *engine);
/* trading.db could not be written for long: paused, until a person has looked. */
void engine_control_lost(struct engine *engine);
int engine_control_request(struct engine *engine, const struct request *request);
void engine_control_tick(struct engine *engine); /* day, breaker, emergency stop */

/* engine_rules.c */
/* Takes over what trading.db holds; its conditions compile, rule_table_load saw to it. */
void engine_rules_restore(struct engine *engine, const struct rule_book *book);
void engine_rules_begin(struct engine *engine); /* what was retired in the last step is forgotten */
/* Follows the shadows of this symbol along one more bar; before the decisions of the step. */
void engine_rules_bar(struct engine *engine, struct symbol symbol, const struct candle *bar);
/* decision_port.rules: no more than a look at the count while there are no rules. An entry is
 * wanted when nothing is held and |score| with the bias of the rules reaches the threshold: only
 * then are ids noted, shadows opened and vetoes given. */
void engine_rules_judge(void *desk, struct context *context);
int engine_rules_add(struct engine *engine, const struct request *request);
int engine_rules_set(struct engine *engine, const struct request *request);
