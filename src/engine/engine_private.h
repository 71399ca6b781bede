/*
 * engine_private.h: the inside of struct engine, shared by the files of the step.
 *
 * engine.c runs the step; engine_venue.c keeps what the venue reports about itself;
 * engine_fills.c keeps which fills are booked; engine_decide.c lets the agents decide;
 * engine_account.c builds the account for risk; engine_terms.c decides how an order is executed;
 * engine_orders.c manages the lifecycle of orders; engine_legs.c keeps stops and targets at the
 * venue;
 * engine_reports.c applies the venue's reports; engine_listing.c collects the pages of a listing;
 * engine_reconcile.c compares our positions with the venue's; engine_control.c handles pause,
 * breaker, emergency stop and requests; engine_rules.c applies the trading rules. Thread: the
 * engine's.
 */
#pragma once

#include "agents/decision_context.h"
#include "base/err.h"
#include "engine/engine.h"
#include "ledger.h"
#include "market/returns.h"
#include "risk/risk.h"

/* Prefix of every client_id that the bot assigns. */
#define ENGINE_CLIENT_ID_PREFIX "nd-"

/* An order that is alive, or the entry of an open position. */
struct engine_slot {
    bool used;
    bool sending;        /* in outputs.sends of the last step, so it is being sent */
    bool ask;            /* the venue has to be asked about it */
    bool answered;       /* the venue has reported on it since this start */
    bool dirty;          /* differs from its row */
    bool held;           /* a close that is written and sent once no leg of its symbol is alive: a
                          * crash before forgets it, and the position keeps its legs */
    const char *closing; /* of an entry: the position it opens is closed at once, for this reason
                            (static text); NULL: it is kept */
    int64_t closing_run_id; /* of the order that closes it */
    int64_t asked_mono_us;  /* when it was sent or last asked about */
    bool page;              /* the last report was incomplete: its next page is requested at once */
    int64_t sent_mono_us;   /* when it was sent, or this run began; 0: not yet */
    int not_found;          /* answers in a row that count, see ENGINE_NOT_FOUND_ANSWERS */
    int64_t not_found_mono_us; /* of the first of them */
    int64_t not_found_last_us; /* of the last of them */
    int64_t cancel_mono_us;    /* when its cancellation was last requested; 0: never */
    int64_t amend_mono_us;     /* when its amendment was last requested; 0: never */
    bool amend_refused;        /* of a leg: it is replaced by a new one */
    int refusals;              /* in a row, of the bracket measured from its fills */
    int legs_tries;            /* of an entry: times in a row that its legs were placed in vain */
    int64_t legs_mono_us;      /* of an entry: when its legs were last placed; 0: place them now */
    int64_t reached_mono_us;   /* of an entry: since when the mark is beyond the stop that rests at
                                * the venue; 0: it is not */
    int64_t loose_mono_us;     /* of a leg: since when it does not fit its position; 0: it fits */
    char legs_reason[48];      /* of an entry: why the venue ended its legs; empty: it did not */
    char last_fill_id[FILL_ID_SIZE]; /* newest booked fill; empty: none */
    bool restored;                   /* the ids of its oldest booked fills may not be in memory */
    struct order order;              /* with the wanted stop and target; its price is that of the
                                      * venue, from which those of a leg differ while it moves */
};

/* The rules and their compiled conditions, in the same order. */
struct engine_rules {
    struct rule_book book;
    struct condition programs[RULES_MAX];
};

/* The most positions and open orders in a listing that the engine can compare, with foreign ones.
 */
#define ENGINE_LISTED_HOLDINGS 512
#define ENGINE_LISTED_OPEN     512

/* What the venue has reported about itself. */
struct engine_venue {
    struct venue_capabilities can;
    enum venue_state state;
    char reason[48];
    int64_t since_wall_us;
    int64_t since_mono_us;    /* 0: not set yet */
    int64_t reported_mono_us; /* when its state was last a fault; 0: not yet */
    bool catching_up;         /* ready again, but no listing has agreed since */
    struct venue_limit limit;
    int64_t mono_us;        /* of the current step */
    int64_t held_mono_us;   /* entries are held back until then */
    int64_t banned_mono_us; /* every request is refused until then */
    bool ban_reported;
    bool *known; /* per series: its rules are known */
    struct instrument *instruments;
    enum venue_hours hours; /* by the newest rules of a symbol that has some */
    int64_t hours_change_wall_us;
    struct venue_account account;
    int64_t account_list_id;    /* of its listing; 0: none yet */
    int64_t account_funding_id; /* and the newest event in it */
    double maintenance_pct;     /* of the notional, by its newest account report; 0: unknown */
    int balances_off;           /* account reports in a row that differ from the books */
    int legs_refused;           /* positions in a row whose legs were refused */
    int64_t misfit_id; /* the newest event of the account that did not fit the books; 0: none */
    int64_t misfit_list_id; /* the newest listing requested when it was first reported */
};

/* The fills that are booked, of all orders in slots. */
struct engine_fills {
    int count;
    struct engine_booked list[ENGINE_BOOKED_MAX]; /* order: index of the slot */
};

/* The pages of the newest listing, in the order in which they arrived. */
struct engine_listing {
    int64_t ask_id; /* 0: none yet */
    uint64_t seen;  /* a bit per page */
    int last_page;  /* its number; -1: not seen yet */
    bool too_long;  /* something did not fit: it is never whole */
    int holding_count;
    struct venue_holding holdings[ENGINE_LISTED_HOLDINGS];
    int open_count;
    char open[ENGINE_LISTED_OPEN][CLIENT_ID_SIZE];
};

/* What risk considers besides positions and orders. */
struct engine_exposure {
    int64_t *entries_us; /* when entries were made, market time; a ring of order_capacity */
    int entry_count;     /* since the start */
    int foreign_count;   /* in the newest listing but not in our books */
    struct snapshot_foreign *foreign; /* position_capacity of them */
    int *foreign_seen;  /* per entry of foreign: consecutive listings that showed it */
    int foreign_orders; /* in the newest listing but not in our books */
    int others_seen;    /* consecutive listings with an order of another nightdesk */
    int unsaved_count;  /* of unsaved; once it is full, each symbol counts as unsaved */
    int unsaved_capacity;
    struct symbol *unsaved;           /* closed, but trading.db still has the position */
    struct engine_liquidation_guard { /* per series[i]: how close liquidation has come */
        enum risk_liquidation_guard done;
        struct dec keep; /* RISK_LIQUIDATION_GUARD_HALVE: quantity of the position to keep */
    } * liquidation_guards;
};

struct engine {
    struct settings settings;
    struct engine_state state; /* the row in trading.db */
    int traded_count;          /* symbols from this index on are only held, not traded */
    int symbol_count;
    struct series *series; /* per symbol */
    struct symbol *names;  /* of the series, close together */
    int *tiers;            /* per symbol, by the settings */
    struct engine_sentiment {
        double score;
        int64_t until_us;   /* wall; 0: never known */
    } * sentiments;         /* per symbol */
    unsigned place_mask;    /* of places: a hash table of all symbols */
    uint16_t *places;       /* index of a symbol + 1; 0: free */
    struct returns returns; /* hourly, of all series */
    int position_capacity;
    int position_count;
    struct position *positions;
    int order_capacity;
    int slot_end; /* slots from this index on are free */
    struct engine_slot *slots;
    struct engine_rules rules;
    struct engine_exposure exposure;
    struct engine_listing listing;
    struct engine_fills fills;
    struct engine_venue venue;

    bool reconciled;    /* the venue's positions and our books agree */
    bool verified_flat; /* in an emergency stop: the venue has listed nothing open */
    bool flat_asked;    /* in an emergency stop: the listing that may verify this was requested */
    bool books_balance;
    bool behind;            /* trading.db cannot be written: nothing is opened */
    bool late;              /* the bars of this step tell of the past: nothing is decided */
    int disagreements;      /* consecutive listings that differ from our books */
    int64_t agreed_list_id; /* newest listing that agreed with our books; 0: none yet */
    bool list_before_close; /* a close was refused: make no other until a listing has arrived */
    bool list_wanted;
    int64_t listed_mono_us; /* when the last listing was requested; 0: never */
    int64_t list_id;        /* of the last listing requested */
    int64_t moved_list_id;  /* listings up to this id may be older than our last order or fill */
    int64_t filled_list_id; /* the newest listing requested when a fill was booked last */
    char reconcile_reason[96];
    int64_t equity_hour; /* market hour of the newest equity point */
    int64_t started_wall_us;
    int64_t market_us;
    uint64_t steps;

    const struct predictor *predictor; /* owned by the driver; NULL: none */

    /* Of the current step. */
    const struct engine_now *now;
    const struct engine_inputs *in;
    struct engine_outputs *out;
    struct decision_context context; /* of the current decision */
    struct risk_account account;     /* that risk checks the entry against */
};

/* engine.c */
/* Index of the symbol in series, and in the snapshot's markets; -1: unknown. */
int engine_place(const struct engine *engine, struct symbol symbol);
int engine_tier(const struct engine *engine, struct symbol symbol);
struct ledger engine_ledger(struct engine *engine);
struct series *engine_series(struct engine *engine, struct symbol symbol); /* NULL: unknown */
/* The quote of this symbol in the inputs of the step; NULL: none. */
const struct quote *engine_quote(const struct engine *engine, struct symbol symbol);
struct dec engine_equity(const struct engine *engine);
/* The state shown to people: STARTING until reconciled, unless an emergency stop is active. */
enum trading_state engine_shown_state(const struct engine *engine);
struct event *engine_event(struct engine *engine, enum topic topic, int64_t code);
void engine_fault(struct engine *engine, enum err_id id, struct symbol symbol);

/* engine_sentiment.c */
void engine_sentiment_accept(struct engine *engine, const struct engine_inputs *inputs);
/* -1..1, or NaN: unknown, or too old. Only in a step. */
double engine_sentiment(const struct engine *engine, struct symbol symbol);

/* engine_venue.c */
void engine_venue_accept(struct engine *engine, const struct venue_report *report);
void engine_venue_tick(struct engine *engine);
/* The cash of the newest account report, beside that of the books. */
enum engine_cash {
    ENGINE_CASH_UNKNOWN, /* nothing is reported, or others use the account */
    ENGINE_CASH_OURS,
    ENGINE_CASH_OTHER
};
enum engine_cash engine_venue_cash(const struct engine *engine);
/* A listing agrees with the books. */
void engine_venue_agrees(struct engine *engine);
/* The capital was changed. */
void engine_venue_moved(struct engine *engine);
/* Why the venue takes no entry in this symbol and on this side now, as the end of a sentence that
 * begins with "the venue is"; NULL: it does. */
const char *engine_venue_refusal(const struct engine *engine, struct symbol symbol, enum side side);
const struct instrument *engine_venue_instrument(const struct engine *engine,
                                                 struct symbol symbol); /* NULL: no rules known */
/* The lower of the venue's and the configured one. */
double engine_venue_leverage(const struct engine *engine);
/* Maintenance margin in per cent of the notional: the higher of the venue's and the configured. */
double engine_venue_maintenance_pct(const struct engine *engine);
bool engine_venue_is_banned(const struct engine *engine);
void engine_venue_snapshot(const struct engine *engine, const struct engine_now *now,
                           struct snapshot_venue *ret);

/* engine_fills.c */
bool engine_fills_has(const struct engine *engine, const struct engine_slot *slot,
                      const char *venue_fill_id);
/* False: no capacity. */
bool engine_fills_add(struct engine *engine, struct engine_slot *slot, const char *venue_fill_id);
void engine_fills_forget(struct engine *engine, const struct engine_slot *slot);
/* So many that nothing should be opened. */
bool engine_fills_are_many(const struct engine *engine);
/* Converts the fee to the symbol's quote currency. False: there is no price for it, and the fee is
 * zero. */
bool engine_fills_convert_fee(const struct engine *engine, struct fill *fill);

/* engine_listing.c */
/* Adds a page of a listing; a page that was added before changes nothing. True: the listing is now
 * whole. */
bool engine_listing_add(struct engine_listing *listing, const struct venue_report *page);

/* engine_account.c */
/* Fills in the account that risk checks an entry in this symbol and on this side against. */
void engine_account_fill(const struct engine *engine, struct symbol symbol, enum side side,
                         struct risk_account *ret);
/* Cancels resting entries in symbols that exceed the exposure limits at current prices. */
void engine_account_watch(struct engine *engine);
/* Notional of all positions at mark, foreign ones included. */
struct dec engine_account_held(const struct engine *engine);
void engine_account_entry(struct engine *engine, int64_t at_us); /* an entry was made */
/* No entry in the symbol before until_us; a later end stays. */
void engine_account_cool(struct engine *engine, struct symbol symbol, int64_t until_us);
/* Ends the cooldown of a symbol (empty: of all); returns how many were not over. */
int engine_account_lift(struct engine *engine, struct symbol symbol);
void engine_account_snapshot(const struct engine *engine, struct snapshot *ret);

/* engine_liquidation.c */
/* Reduces or closes positions before the venue liquidates. Call after each step that moved prices.
 */
void engine_liquidation_guard_tick(struct engine *engine, struct dec equity);

/* engine_decide.c */
/* Decides on the bar that this series has just closed; appends to outputs.decisions. */
void engine_decide(struct engine *engine, const struct series *series);

/* engine_terms.c */
/* Sets type, price, time in force, post_only and reduce_only of an order that is made now: as the
 * settings want, within what the venue can do. */
void engine_terms_set(const struct engine *engine, struct order *order);
/* The rules that prices in this symbol must follow; NULL: none, or not known. */
const struct instrument *engine_terms_rules(const struct engine *engine, struct symbol symbol);
/* What can be closed of this quantity now: outside regular hours perhaps whole shares only. */
struct dec engine_terms_closable(const struct engine *engine, struct symbol symbol, struct dec qty);
/* An order that has rested for long enough, or waits for nothing. A close is made again while its
 * reason lasts. */
bool engine_terms_is_over(const struct engine *engine, const struct order *order,
                          int64_t sent_mono_us);

/* engine_orders.c */
/* Creates an order in PREPARED that is sent with this step; NULL: no free slot. */
struct order *engine_orders_prepare(struct engine *engine, enum order_kind kind,
                                    const struct position *position, const char *reason);
bool engine_orders_busy(const struct engine *engine, struct symbol symbol); /* one is alive */
/* The same without legs, which may rest for days. */
bool engine_orders_acting(const struct engine *engine, struct symbol symbol);
int engine_orders_entries_alive(const struct engine *engine);
int engine_orders_alive(const struct engine *engine); /* not in a final state */
bool engine_orders_has_capacity(
    const struct engine *engine); /* for another entry and the orders that follow it */
void engine_orders_restore(struct engine *engine, const struct engine_memory *memory);
/* Makes a close order for the part of position->qty that no close order under way covers. */
void engine_orders_close(struct engine *engine, const struct position *position, const char *reason,
                         int64_t run_id);
/* Gives the orders that have this reason and no run this one, and the trades of this step. */
void engine_orders_claim(struct engine *engine, const char *reason, int64_t run_id);
/* Cancels resting entries of a symbol (empty: of all). Each cancellation is sent at most once in
 * ENGINE_ASK_EVERY_US. Returns how many entries are alive. */
int engine_orders_cancel_entries(struct engine *engine, struct symbol symbol);
/* Marks a symbol (empty: all) to be closed by the operator: its positions, and whatever its entries
 * fill while they are being cancelled, until nothing is left. Not kept over a restart. */
void engine_orders_close_symbol(struct engine *engine, struct symbol symbol, int64_t run_id);
/* Sets the wanted stop and target of a position (zero: unchanged). The venue is asked until it
 * reports them. Returns ERR_NONE, ERR_ENGINE_AMEND or ERR_ENGINE_NOTHING_OPEN. */
int engine_orders_amend(struct engine *engine, const struct position *position, struct dec stop,
                        struct dec target);
void engine_orders_begin(struct engine *engine); /* marks the orders of the last step as SENT */
void engine_orders_tick(struct engine *engine);
/* For a venue without brackets: closes positions whose mark has reached their stop or target. */
void engine_orders_guard(struct engine *engine); /* timeouts, queries, amendments */
bool engine_orders_finish(
    struct engine *engine); /* writes changed rows, frees slots; true: any row written */

/* Shared by the files that handle orders. */
struct engine_slot *engine_orders_find(const struct engine *engine, const char *client_id);
bool engine_orders_is_alive(const struct engine_slot *slot);
void engine_orders_touch(struct engine *engine, struct engine_slot *slot);
void engine_orders_move(struct engine *engine, struct engine_slot *slot, enum order_state state);
/* Asks the venue about all orders of a symbol: the entry, whose report includes the bracket, and
 * every order under way. */
void engine_orders_ask(struct engine *engine, struct symbol symbol);
int engine_orders_unanswered(
    const struct engine *engine); /* orders that the venue was asked about and has not answered,
                                   * without legs that are missing */

/* Asks the venue to cancel an order, at most once in ENGINE_ASK_EVERY_US. */
void engine_orders_cancel(struct engine *engine, struct engine_slot *slot);
/* Asks the venue for the stop and target of the order's row, as often at most. */
void engine_orders_send_amend(struct engine *engine, struct engine_slot *slot);
/* Which end of the bracket the mark has reached; NULL: neither. */
const char *engine_orders_reached(const struct position *position);

/* engine_legs.c */
bool engine_legs_alive(const struct engine *engine, struct symbol symbol);
/* Places, moves and cancels legs, and sends the closes that waited for their end. */
void engine_legs_tick(struct engine *engine);
/* The mark has reached the stop or target of a position, or has not (NULL). True: the venue's leg
 * is left to act. */
bool engine_legs_act(struct engine *engine, const struct position *position, const char *reached);
/* A leg that the venue repeatedly does not find: nothing waits for it. */
bool engine_legs_is_missing(const struct engine_slot *slot);
/* Another leg of this kind may hold the coins: then the venue refuses this one. */
bool engine_legs_has_other(const struct engine *engine, const struct engine_slot *leg);
/* The venue has reported the price at which this leg rests, zero: it has not. */
void engine_legs_price(struct engine *engine, struct engine_slot *leg, struct dec price);
/* The venue does not move this leg. */
void engine_legs_refused(struct engine *engine, struct engine_slot *leg,
                         const struct venue_report *report);
/* The venue has ended this leg. */
void engine_legs_over(struct engine *engine, const struct engine_slot *leg,
                      const struct venue_report *report);
void engine_legs_snapshot(const struct engine *engine, struct snapshot *ret);

/* engine_reports.c */
/* Money moved to the books (above zero) or from them. False: overflow, nothing changed. */
bool engine_reports_transfer(struct engine *engine, int64_t request_id, struct dec amount);
void engine_reports_accept(struct engine *engine, const struct venue_report *report);
/* A position, or a part of it, was closed: numbers and counts the trade, starts the cooldown. */
void engine_reports_trade(struct engine *engine, const char *exit_reason, struct trade *trade);

/* engine_reconcile.c */
void engine_reconcile_page(struct engine *engine, const struct venue_report *page);
void engine_reconcile_tick(struct engine *engine);
void engine_reconcile_finish(struct engine *engine,
                             bool moved); /* moved: orders were written in this step */
/* Adopts foreign positions of a symbol (empty: all) into the books, to close them; returns how
 * many. */
int engine_reconcile_adopt(struct engine *engine, struct symbol symbol);

/* engine_control.c */
void engine_control_set(struct engine *engine, enum trading_state state, const char *reason);
/* The kill switch is set: an emergency stop that needs no request and no disk of the requester, and
 * that survives a crash. */
void engine_control_halt(struct engine *engine);
/* trading.db could not be written for long: paused until a person resumes. */
void engine_control_lost(struct engine *engine);
/* Pauses trading until a person resumes. */
void engine_control_warned(struct engine *engine, const char *reason);
int engine_control_request(struct engine *engine, const struct request *request);
void engine_control_tick(struct engine *engine); /* market day, breaker, emergency stop */

/* engine_rules.c */
/* Takes over the rules of trading.db; their conditions compile, since rule_table_load checked them.
 */
void engine_rules_restore(struct engine *engine, const struct rule_book *book);
void engine_rules_begin(struct engine *engine); /* forgets the rules retired in the last step */
/* Advances the shadows of this symbol by one bar; call before the decisions of the step. */
void engine_rules_bar(struct engine *engine, struct symbol symbol, const struct candle *bar);
/* decision_port.rules. Without rules it only reads their count. An entry is wanted if nothing is
 * held and |score| plus the bias of the rules reaches the threshold; only then are ids noted,
 * shadows opened and vetoes given. */
void engine_rules_judge(void *userdata, struct decision_context *context);
int engine_rules_add(struct engine *engine, const struct request *request);
int engine_rules_set(struct engine *engine, const struct request *request);
