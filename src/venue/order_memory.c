#include "order_memory.h"

#include "base/check.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

#define FILLS_MAX 10000 /* of one order */

struct order_memory {
    int count;
    struct known_order *orders[ORDER_MEMORY_MAX];
    /* Of their client ids, side by side: an order that is on its way to the venue is looked for
     * among all of them, and each of theirs would be a wait for memory. */
    uint64_t keys[ORDER_MEMORY_MAX];
};

static uint64_t key_of(const char *client_id)
{
    return hash_add(HASH_BEGIN, client_id, strlen(client_id));
}

struct order_memory *order_memory_new(void)
{
    struct order_memory *m = calloc(1, sizeof(*m));
    NEED_MEMORY(m != NULL);
    return m;
}

static void free_order(struct known_order *o)
{
    free(o->fills);
    free(o);
}

void order_memory_free(struct order_memory *m)
{
    for (int i = 0; m != NULL && i < m->count; i++) {
        free_order(m->orders[i]);
    }
    free(m);
}

int order_memory_count(const struct order_memory *m)
{
    return m->count;
}

struct known_order *order_memory_at(const struct order_memory *m, int index)
{
    return m->orders[index];
}

struct known_order *order_memory_find(const struct order_memory *m, const char *client_id)
{
    uint64_t key = key_of(client_id);
    for (int i = m->count - 1; i >= 0; i--) {
        if (m->keys[i] == key && strcmp(m->orders[i]->client_id, client_id) == 0) {
            return m->orders[i];
        }
    }
    return NULL;
}

struct known_order *order_memory_find_theirs(const struct order_memory *m, const char *theirs)
{
    for (int i = m->count - 1; i >= 0 && theirs[0] != '\0'; i--) {
        if (strcmp(m->orders[i]->theirs, theirs) == 0) {
            return m->orders[i];
        }
    }
    return NULL;
}

struct known_order *order_memory_find_id(const struct order_memory *m, const char *id)
{
    for (int i = m->count - 1; i >= 0 && id[0] != '\0'; i--) {
        if (strcmp(m->orders[i]->id, id) == 0) {
            return m->orders[i];
        }
    }
    return NULL;
}

/* A final one, if there is any: a live order is known to the engine, which asks about it again. */
static int least_needed(const struct order_memory *m)
{
    int best = 0;
    for (int i = 1; i < m->count; i++) {
        const struct known_order *a = m->orders[i], *b = m->orders[best];
        bool a_final = a->has_state && order_state_is_final(a->state) && !a->fetching;
        bool b_final = b->has_state && order_state_is_final(b->state) && !b->fetching;
        if (a_final != b_final ? a_final : a->used_mono_us < b->used_mono_us) {
            best = i;
        }
    }
    return best;
}

struct known_order *order_memory_add(struct order_memory *m, const char *client_id,
                                     const char *theirs, int market, int64_t now_mono_us)
{
    if (m->count == ORDER_MEMORY_MAX) {
        int place = least_needed(m);
        free_order(m->orders[place]);
        m->count--;
        memmove(&m->orders[place], &m->orders[place + 1],
                (size_t)(m->count - place) * sizeof(struct known_order *));
        memmove(&m->keys[place], &m->keys[place + 1],
                (size_t)(m->count - place) * sizeof(m->keys[0]));
    }
    struct known_order *o = calloc(1, sizeof(*o));
    NEED_MEMORY(o != NULL);
    (void)str_copy(str_c(client_id), o->client_id, sizeof(o->client_id));
    (void)str_copy(str_c(theirs), o->theirs, sizeof(o->theirs));
    o->market = market;
    o->used_mono_us = now_mono_us;
    m->keys[m->count] = key_of(o->client_id);
    m->orders[m->count++] = o;
    return o;
}

/* ---------------------------------------------------------------- what the venue says */

static int rank(enum order_state state)
{
    switch (state) {
    case ORDER_PREPARED:
    case ORDER_SENT:
    case ORDER_UNKNOWN:
        return 0;
    case ORDER_ACKED:
        return 1;
    case ORDER_PARTIAL:
        return 2;
    case ORDER_FILLED:
    case ORDER_CANCELLED:
    case ORDER_REJECTED:
        return 3;
    }
    return 0;
}

void known_order_name(struct known_order *o, const struct account_order *state)
{
    bool next = state->before[0] != '\0' && strcmp(state->before, o->id) == 0;
    bool better =
        o->id[0] == '\0' || (strchr(o->id, ':') != NULL && strchr(state->id, ':') == NULL) || next;
    if (state->id[0] != '\0' && better) {
        (void)str_copy(str_c(state->id), o->id, sizeof(o->id));
        o->replaced = o->replaced || state->before[0] != '\0';
    }
}

bool known_order_price(struct known_order *o, struct dec price)
{
    bool is_leg = o->kind == ORDER_STOP || o->kind == ORDER_TARGET;
    bool fresh = is_leg && dec_is_valid(price) && price.e8 > 0 && price.e8 != o->price.e8;
    o->price = fresh ? price : o->price;
    return fresh;
}

bool known_order_update(struct known_order *o, const struct account_order *state)
{
    bool fresh = known_order_price(o, o->kind == ORDER_STOP ? state->stop_price : state->price);
    fresh = fresh || !o->has_state;
    known_order_name(o, state);
    o->changing = state->changing;
    if (dec_is_valid(state->filled_qty) && state->filled_qty.e8 > o->filled_qty.e8) {
        o->filled_qty = state->filled_qty;
        fresh = true;
    }
    if (!o->has_state || rank(state->state) > rank(o->state)) {
        fresh = fresh || o->state != state->state;
        o->state = state->state;
        memcpy(o->reason, state->reason, sizeof(o->reason));
    }
    o->has_state = true;
    return fresh;
}

/* Ids that are numbers are compared as numbers. */
static int compare_ids(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    bool numbers = strspn(a, "0123456789") == la && strspn(b, "0123456789") == lb;
    if (numbers && la != lb) {
        return la < lb ? -1 : 1;
    }
    return strcmp(a, b);
}

static bool is_before(const struct account_fill *a, const struct account_fill *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : compare_ids(a->id, b->id) < 0;
}

bool known_order_fill(struct known_order *o, const struct account_fill *fill)
{
    for (int i = 0; i < o->fill_count; i++) {
        if (strcmp(o->fills[i].id, fill->id) == 0) {
            return false;
        }
    }
    if (o->fill_count == FILLS_MAX || fill->qty.e8 <= 0) {
        return false;
    }
    if (o->fill_count == o->fill_capacity) {
        o->fill_capacity = o->fill_capacity == 0 ? 8 : 2 * o->fill_capacity;
        o->fills = realloc(o->fills, (size_t)o->fill_capacity * sizeof(o->fills[0]));
        NEED_MEMORY(o->fills != NULL);
    }
    int place = o->fill_count++;
    while (place > 0 && is_before(fill, &o->fills[place - 1])) {
        o->fills[place] = o->fills[place - 1];
        place--;
    }
    o->fills[place] = *fill;
    return true;
}

static struct dec sum_of(const struct known_order *o)
{
    struct dec sum = DEC_ZERO;
    for (int i = 0; i < o->fill_count; i++) {
        sum = dec_add(sum, o->fills[i].qty);
    }
    return sum;
}

bool known_order_is_whole(const struct known_order *o)
{
    struct dec sum = sum_of(o);
    return dec_is_valid(sum) && sum.e8 == o->filled_qty.e8;
}

/* ---------------------------------------------------------------- what the engine gets */

/* Goes through the fills from the first on, since what is rounded depends on those before. */
struct net {
    const struct known_order *o;
    const struct order_terms *terms;
    int next;
    struct dec got;      /* coins that the account has from all fills so far */
    struct dec reported; /* of them, in whole steps */
    struct dec paid;     /* since the last fill that was reported, with fees in quote currency */
};

/* The next fill; false: there are no more. */
static bool net_next(struct net *n, struct fill *ret)
{
    const struct known_order *o = n->o;
    struct dec step = n->terms->step.e8 > 0 ? n->terms->step : (struct dec){1};
    while (n->next < o->fill_count) {
        const struct account_fill *f = &o->fills[n->next++];
        *ret = (struct fill){.symbol = n->terms->symbol,
                             .kind = o->kind,
                             .side = o->side,
                             .qty = f->qty,
                             .price = f->price,
                             .fee = f->fee,
                             .at_us = f->at_us};
        memcpy(ret->client_id, o->client_id, sizeof(ret->client_id));
        memcpy(ret->venue_fill_id, f->id, sizeof(ret->venue_fill_id));
        memcpy(ret->fee_currency, f->fee_currency, sizeof(ret->fee_currency));
        bool in_coins = f->buys && n->terms->takes_coins &&
                        str_equal_c(symbol_base(&n->terms->symbol), f->fee_currency);
        bool in_quote = f->fee_currency[0] == '\0' ||
                        str_equal_c(symbol_quote(&n->terms->symbol), f->fee_currency);
        struct dec worth = dec_mul(f->price, f->qty);
        struct dec cost = f->cost.e8 > 0 ? f->cost : worth;
        n->got = dec_add(n->got, in_coins ? dec_sub(f->qty, f->fee) : f->qty);
        n->paid = dec_add(n->paid, in_quote ? dec_add(cost, f->fee) : cost);
        if (!f->buys || !n->terms->takes_coins) {
            /* What the venue has rounded counts as fee. */
            struct dec more = f->buys ? dec_sub(cost, worth) : dec_sub(worth, cost);
            ret->fee = in_quote ? dec_add(f->fee, more) : f->fee;
            return true;
        }
        struct dec whole = dec_floor_to(n->got, step);
        ret->qty = dec_sub(whole, n->reported);
        /* With a later fill it may be a whole step. An order that is over has cost something for
         * nothing. */
        bool later = n->next < o->fill_count || !order_state_is_final(o->state);
        if (ret->qty.e8 <= 0 && n->reported.e8 == 0 && later) {
            continue;
        }
        struct dec rest = dec_sub(n->paid, dec_mul(f->price, ret->qty));
        if (in_coins || in_quote || rest.e8 != 0) {
            /* A fee in a third currency stays as it is; then nothing is rounded, either. */
            ret->fee = rest;
            ret->fee_currency[0] = '\0';
        }
        n->reported = whole;
        n->paid = DEC_ZERO;
        return true;
    }
    return false;
}

static struct dec net_quantity(const struct known_order *o, const struct order_terms *terms)
{
    struct net n = {.o = o, .terms = terms};
    struct dec sum = DEC_ZERO;
    struct fill fill;
    while (net_next(&n, &fill)) {
        sum = dec_add(sum, fill.qty);
    }
    return sum;
}

static int net_count(const struct known_order *o, const struct order_terms *terms)
{
    struct net n = {.o = o, .terms = terms};
    struct fill fill;
    int count = 0;
    while (net_next(&n, &fill)) {
        count++;
    }
    return count;
}

void known_order_report(const struct known_order *o, const struct order_terms *terms,
                        const char *after_fill_id, bool newest, struct venue_report *ret)
{
    ASSERT(o->has_state);
    *ret = (struct venue_report){.kind = VENUE_ORDER, .state = o->state};
    memcpy(ret->client_id, o->client_id, sizeof(ret->client_id));
    memcpy(ret->reason, o->reason, sizeof(ret->reason));
    ret->stop = o->kind == ORDER_STOP ? o->price : DEC_ZERO;
    ret->target = o->kind == ORDER_TARGET ? o->price : DEC_ZERO;
    if (!known_order_is_whole(o)) {
        ret->filled_qty = o->filled_qty; /* no fills; the engine asks again */
        (void)str_copy(str_c(after_fill_id), ret->fills_after, sizeof(ret->fills_after));
        ret->more = true;
        return;
    }
    ret->filled_qty = net_quantity(o, terms);
    int skip = newest ? net_count(o, terms) - VENUE_FILLS_MAX : 0;
    struct net n = {.o = o, .terms = terms};
    struct fill fill;
    bool found = newest || after_fill_id[0] == '\0';
    for (int i = 0; !found && i < o->fill_count; i++) {
        found = strcmp(o->fills[i].id, after_fill_id) == 0;
        skip = found ? INT32_MAX : 0;
    }
    for (int i = 0; net_next(&n, &fill); i++) {
        if (i < skip) {
            memcpy(ret->fills_after, fill.venue_fill_id, sizeof(ret->fills_after));
            skip = strcmp(fill.venue_fill_id, after_fill_id) == 0 && skip == INT32_MAX ? 0 : skip;
        } else if (ret->fill_count < VENUE_FILLS_MAX) {
            ret->fills[ret->fill_count++] = fill;
        } else {
            ret->more = true;
        }
    }
}
