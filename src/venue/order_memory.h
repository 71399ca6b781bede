/*
 * order_memory.h: what a real venue has said about our orders, put together from answers and from
 * its stream, which repeat each other and arrive in any order.
 *
 *     struct known_order *o = order_memory_add(m, client_id, theirs, market);
 *     known_order_update(o, &state), known_order_fill(o, &fill);
 *     if (known_order_is_whole(o)) known_order_report(o, &terms, after_fill_id, &report);
 *
 * Always true: a filled quantity never shrinks and a final state stays; a fill counts once. Fills
 * are kept in the order of their time and id, so that every report has the same sequence; a report
 * contains fills only while their sum is the filled quantity that the venue reports, because one
 * that is missing in the middle would change the sequence.
 * Spot: what the account got counts. A fee that was taken from the bought coins makes the fill
 * smaller, and what is less than a step cannot be sold: the quantity is rounded down to the step
 * (over the whole order), and the rest of what was paid becomes the fee, in quote currency, as does
 * what the venue rounds of the cost. So cash
 * and quantity are the account's to the last unit. A fill of which nothing remains has quantity
 * zero, or joins the next one if it is the first.
 * Thread: one at a time.
 */
#pragma once

#include "venue/account.h"

struct order_memory;

struct known_order {
    char client_id[CLIENT_ID_SIZE]; /* the engine's */
    char theirs[ACCOUNT_ID_SIZE];   /* its form at the venue */
    char id[ACCOUNT_ID_SIZE];       /* the venue's; "": not known yet */
    int market;                     /* index of the caller */
    enum order_type type;
    enum order_kind kind;
    enum side side;
    bool has_state;
    bool seen_resting;
    enum order_state state;
    struct dec filled_qty; /* as the venue counts */
    struct dec price;      /* of a leg, the newest that the venue has said; zero: none yet */
    char reason[48];
    int fill_count;
    int fill_capacity;
    struct account_fill *fills;
    bool changing; /* an amendment is under way at the venue */
    bool moving;   /* it was taken, and what became of it is not known yet */
    struct dec wanted_stop, wanted_target;
    bool replaced; /* it is another order there than the one that was placed */
    bool fetching; /* its fills are being asked for */
    int fetches;   /* in vain, one after another */
    int64_t used_mono_us;
};

struct order_terms {
    struct symbol symbol;
    struct dec step;  /* of quantities; zero: 1e-8 */
    bool takes_coins; /* spot: see above */
};

/* Orders beyond so many: the final one that was used longest ago is forgotten. */
#define ORDER_MEMORY_MAX 4096

struct order_memory *order_memory_new(void);
void order_memory_free(struct order_memory *m); /* accepts NULL */
/* By the engine's id; by the venue's form of it; by the venue's own. NULL: not known. */
struct known_order *order_memory_find(const struct order_memory *m, const char *client_id);
struct known_order *order_memory_find_theirs(const struct order_memory *m, const char *theirs);
struct known_order *order_memory_find_id(const struct order_memory *m, const char *id);
/* Valid until the next addition. */
struct known_order *order_memory_add(struct order_memory *m, const char *client_id,
                                     const char *theirs, int market, int64_t now_mono_us);
int order_memory_count(const struct order_memory *m);
struct known_order *order_memory_at(const struct order_memory *m, int index);

/* The venue's id: the first that is known; another one in place of an id with a colon, which a
 * table makes for orders that get a number when they trigger; and the one that has replaced it. */
void known_order_name(struct known_order *o, const struct account_order *state);
/* A leg rests at this price. True: that is new. */
bool known_order_price(struct known_order *o, struct dec price);
/* True: something is new. */
bool known_order_update(struct known_order *o, const struct account_order *state);
bool known_order_fill(struct known_order *o, const struct account_fill *fill);
bool known_order_is_whole(const struct known_order *o);
/* A VENUE_ORDER report; without has_state nothing can be reported (ASSERT). After the given fill,
 * which is unknown or "": from the first, or the newest ones if `newest`. */
void known_order_report(const struct known_order *o, const struct order_terms *terms,
                        const char *after_fill_id, bool newest, struct venue_report *ret);
