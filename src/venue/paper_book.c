#include "venue/paper_book.h"

#include "base/check.h"
#include "base/hash.h"

#include <math.h>

/* The quantity quoted for an unlimited level. */
#define UNLIMITED_QTY INT64_C(1000000000)

/* ---------------------------------------------------------------- terms */

static struct dec fraction(double value, double unit)
{
    struct dec d = dec_from_double(value / unit);
    return dec_is_valid(d) ? d : DEC_ZERO;
}

void paper_book_set_leverage(struct paper_terms *terms, double leverage)
{
    terms->leverage = leverage > 1 ? fraction(leverage, 1) : dec_from_int(1);
}

void paper_book_terms(struct paper_terms *ret, const struct paper_settings *settings,
                      int64_t step_us)
{
    ASSERT(step_us > 0);
    *ret = (struct paper_terms){
        .half_spread = fraction(settings->spread_bps, 2e4),
        .level = fraction(settings->level_bps, 1e4),
        .depth = settings->depth,
        .fee = fraction(settings->fee_bps, 1e4),
        .maker_fee = fraction(settings->maker_fee_bps, 1e4),
        .funding = fraction(settings->funding_bps, 1e4),
        .min_notional = settings->min_notional,
        .reject = settings->reject_pct / 100,
        .latency_us = settings->latency_us,
        .step_us = step_us,
        .tick_digits = (int)settings->tick_digits,
        .lot = settings->lot,
        .fee_in_coins = settings->fee_in_coins,
    };
    paper_book_set_leverage(ret, settings->max_leverage);
}

static void *rows(int count, size_t size)
{
    void *memory = calloc((size_t)count, size);
    ASSERT(memory != NULL);
    return memory;
}

static int open_max(int symbols)
{
    return 4 * capacity_positions(symbols);
}

static int orders_max(int symbols)
{
    return open_max(symbols) + 1;
}

static int fills_max(int symbols)
{
    return open_max(symbols) + 2 * capacity_positions(symbols);
}

void paper_book_init(struct paper_book *book, struct dec cash, int symbols)
{
    int positions = capacity_positions(symbols);
    *book = (struct paper_book){
        .symbols = symbols, .cash = cash, .next_fill_id = 1, .next_funding_id = 1};
    book->open = rows(open_max(symbols), sizeof(*book->open));
    book->positions = rows(positions, sizeof(*book->positions));
    book->stopped_us = rows(positions, sizeof(*book->stopped_us));
    book->prices = rows(capacity_symbols(symbols), sizeof(*book->prices));
}

void paper_book_release(struct paper_book *book)
{
    free(book->open);
    free(book->positions);
    free(book->stopped_us);
    free(book->prices);
    *book = (struct paper_book){0};
}

void paper_book_copy(struct paper_book *dst, const struct paper_book *src)
{
    ASSERT(dst->symbols == src->symbols);
    struct paper_book copy = *src;
    copy.open = dst->open;
    copy.positions = dst->positions;
    copy.stopped_us = dst->stopped_us;
    copy.prices = dst->prices;
    memcpy(copy.open, src->open, (size_t)src->open_count * sizeof(*src->open));
    memcpy(copy.positions, src->positions, (size_t)src->position_count * sizeof(*src->positions));
    memcpy(copy.stopped_us, src->stopped_us,
           (size_t)src->position_count * sizeof(*src->stopped_us));
    memcpy(copy.prices, src->prices, (size_t)src->price_count * sizeof(*src->prices));
    *dst = copy;
}

int paper_book_open_max(const struct paper_book *book)
{
    return open_max(book->symbols);
}

void paper_change_init(struct paper_change *change, int symbols)
{
    *change = (struct paper_change){.symbols = symbols};
    change->orders = rows(orders_max(symbols), sizeof(*change->orders));
    change->fills = rows(fills_max(symbols), sizeof(*change->fills));
    change->payments = rows(capacity_positions(symbols), sizeof(*change->payments));
}

void paper_change_release(struct paper_change *change)
{
    free(change->orders);
    free(change->fills);
    free(change->payments);
    *change = (struct paper_change){0};
}

/* ---------------------------------------------------------------- prices */

static const struct paper_price *price_of(const struct paper_book *book, struct symbol symbol)
{
    for (int i = 0; i < book->price_count; i++) {
        if (symbol_equal(book->prices[i].symbol, symbol)) {
            return &book->prices[i];
        }
    }
    return NULL;
}

static struct dec last_price(const struct paper_book *book, struct symbol symbol)
{
    const struct paper_price *p = price_of(book, symbol);
    return p == NULL ? DEC_ZERO : p->price;
}

void paper_book_price(struct paper_book *book, struct symbol symbol, struct dec price,
                      int64_t at_us)
{
    for (int i = 0; i < book->price_count; i++) {
        if (symbol_equal(book->prices[i].symbol, symbol)) {
            book->prices[i].price = price;
            book->prices[i].at_us = at_us;
            return;
        }
    }
    if (book->price_count < capacity_symbols(book->symbols)) {
        book->prices[book->price_count++] = (struct paper_price){symbol, price, at_us};
    }
}

/* Rounds to a number of significant digits. */
static struct dec to_tick(struct dec price, int digits, bool up)
{
    if (digits <= 0 || price.e8 <= 0) {
        return price;
    }
    struct dec step = dec_digit_step(price, digits);
    return up ? dec_ceil_to(price, step) : dec_floor_to(price, step);
}

/* The deeper the level, the more a buyer pays and the less a seller gets. */
static struct dec level_price(const struct paper_terms *terms, struct dec middle, int level,
                              bool buys)
{
    struct dec away = dec_add(terms->half_spread, (struct dec){terms->level.e8 * level});
    struct dec distance = dec_mul(middle, away);
    return buys ? dec_add(middle, distance) : dec_sub(middle, distance);
}

struct consumed {
    struct dec qty; /* filled by the book, at most the wanted quantity */
    struct dec price;
};

static bool is_worse(struct dec price, struct dec limit, bool buys)
{
    return limit.e8 > 0 && (buys ? price.e8 > limit.e8 : price.e8 < limit.e8);
}

/* Whole lots, and at least one. */
static struct dec level_qty(const struct paper_terms *terms, struct dec price)
{
    struct dec qty = dec_div(terms->depth, price);
    return terms->lot.e8 > 0 ? dec_max(dec_floor_to(qty, terms->lot), terms->lot) : qty;
}

/* Walks the book, not beyond the limit if it is above zero; with `all` the deepest level is
 * unlimited. False when nothing is filled, or when the amount overflows. */
static bool consume(const struct paper_terms *terms, struct dec middle, struct dec wanted,
                    struct dec limit, bool buys, bool all, struct consumed *ret)
{
    struct dec left = wanted;
    struct dec paid = DEC_ZERO;
    struct dec price = DEC_ZERO;
    int level = 0;
    for (; level < PAPER_LEVELS && left.e8 > 0; level++) {
        struct dec next = level_price(terms, middle, level, buys);
        if (is_worse(to_tick(next, terms->tick_digits, buys), limit, buys)) {
            break;
        }
        price = next;
        bool unlimited = terms->depth.e8 <= 0 || (all && level == PAPER_LEVELS - 1);
        struct dec part = unlimited ? left : dec_min(left, level_qty(terms, price));
        paid = dec_add(paid, dec_mul(price, part));
        left = dec_sub(left, part);
    }
    ret->qty = dec_sub(wanted, left);
    if (level > 1) {
        price = dec_div(paid, ret->qty);
    }
    ret->price = to_tick(price, terms->tick_digits, buys);
    return dec_is_valid(paid) && dec_is_valid(ret->qty) && dec_is_valid(ret->price) &&
           ret->qty.e8 > 0 && ret->price.e8 > 0;
}

/* ---------------------------------------------------------------- the book */

int paper_book_find(const struct paper_book *book, struct symbol symbol)
{
    for (int i = 0; i < book->position_count; i++) {
        if (symbol_equal(book->positions[i].symbol, symbol)) {
            return i;
        }
    }
    return -1;
}

static struct order *find_open(struct paper_book *book, const char *client_id)
{
    for (int i = 0; i < book->open_count; i++) {
        if (strcmp(book->open[i].client_id, client_id) == 0) {
            return &book->open[i];
        }
    }
    return NULL;
}

/* Adds the current state of the order to the change. */
static void record_order(struct paper_change *change, const struct order *order)
{
    for (int i = 0; i < change->order_count; i++) {
        if (strcmp(change->orders[i].client_id, order->client_id) == 0) {
            change->orders[i] = *order;
            return;
        }
    }
    ASSERT(change->order_count < orders_max(change->symbols));
    change->orders[change->order_count++] = *order;
}

static void end_order(struct order *order, enum order_state state, const char *why, int64_t at_us,
                      struct paper_change *change)
{
    order->state = state;
    order->updated_us = at_us;
    (void)str_copy(str_c(why), order->reason, sizeof(order->reason));
    record_order(change, order);
}

static void remove_final_orders(struct paper_book *book)
{
    int kept = 0;
    for (int i = 0; i < book->open_count; i++) {
        if (!order_state_is_final(book->open[i].state)) {
            if (kept < i) {
                book->open[kept] = book->open[i];
            }
            kept++;
        }
    }
    book->open_count = kept;
}

static void cancel_rest(struct paper_book *book, const char *client_id, int64_t at_us,
                        struct paper_change *change)
{
    struct order *order = find_open(book, client_id);
    if (order != NULL && !order_state_is_final(order->state)) {
        end_order(order, ORDER_CANCELLED, "position closed", at_us, change);
    }
}

/* Books a fill with its fee and its payment; false, and nothing is changed, when the amount
 * overflows. */
static bool book_paid(struct paper_book *book, const struct fill *fill, struct paper_change *change)
{
    struct fill f = *fill;
    struct dec amount = dec_mul(f.price, f.qty);
    fill_id_of_number(book->next_fill_id, f.venue_fill_id);
    (void)str_copy(symbol_quote(&f.symbol), f.fee_currency, sizeof(f.fee_currency));
    bool buys = (f.kind == ORDER_ENTRY) == (f.side == SIDE_LONG);
    struct dec cash = buys ? dec_sub(book->cash, amount) : dec_add(book->cash, amount);
    cash = dec_sub(cash, f.fee);
    if (!dec_is_valid(cash)) {
        return false;
    }
    ASSERT(change->fill_count < fills_max(change->symbols));
    change->fills[change->fill_count++] = f;
    book->cash = cash;
    book->next_fill_id++;
    return true;
}

static bool book_fill(struct paper_book *book, const struct fill *fill, struct dec fee_rate,
                      struct paper_change *change)
{
    struct fill f = *fill;
    f.fee = dec_mul(dec_mul(f.price, f.qty), fee_rate);
    return book_paid(book, &f, change);
}

static void drop_position(struct paper_book *book, int index, int64_t at_us,
                          struct paper_change *change)
{
    cancel_rest(book, book->positions[index].client_id, at_us, change);
    book->position_count--;
    for (int i = index; i < book->position_count; i++) {
        book->positions[i] = book->positions[i + 1];
        book->stopped_us[i] = book->stopped_us[i + 1];
    }
}

/* Subtracts the quantity of a fill from the position. */
static void reduce(struct paper_book *book, int index, struct dec qty, int64_t at_us,
                   struct paper_change *change)
{
    struct position *p = &book->positions[index];
    p->qty = dec_sub(p->qty, qty);
    if (p->qty.e8 <= 0) {
        drop_position(book, index, at_us, change);
    }
}

struct dec paper_book_equity(const struct paper_book *book, struct dec *ret_exposure)
{
    struct dec equity = book->cash;
    *ret_exposure = DEC_ZERO;
    for (int i = 0; i < book->position_count; i++) {
        const struct position *p = &book->positions[i];
        struct dec price = last_price(book, p->symbol);
        struct dec worth = dec_mul(price.e8 > 0 ? price : p->entry_price, p->qty);
        equity = p->side == SIDE_LONG ? dec_add(equity, worth) : dec_sub(equity, worth);
        *ret_exposure = dec_add(*ret_exposure, worth);
    }
    return equity;
}

static bool affordable(const struct paper_book *book, const struct paper_terms *terms,
                       const struct consumed *taken)
{
    struct dec exposure;
    struct dec most = dec_mul(paper_book_equity(book, &exposure), terms->leverage);
    exposure = dec_add(exposure, dec_mul(taken->price, taken->qty));
    return dec_is_valid(most) && dec_is_valid(exposure) && dec_cmp(exposure, most) <= 0;
}

/* ---------------------------------------------------------------- orders */

static void count_fill(struct order *order, const struct consumed *taken)
{
    struct dec qty = dec_add(order->filled_qty, taken->qty);
    struct dec value = dec_add(dec_mul(order->average_price, order->filled_qty),
                               dec_mul(taken->price, taken->qty));
    struct dec average = order->filled_qty.e8 == 0 ? taken->price : dec_div(value, qty);
    order->filled_qty = qty;
    order->average_price = dec_is_valid(average) ? average : taken->price;
    order->state = dec_cmp(order->filled_qty, order->qty) >= 0 ? ORDER_FILLED : ORDER_PARTIAL;
}

static void end_unfilled(struct order *order, const char *why, int64_t at_us,
                         struct paper_change *change)
{
    end_order(order, order->filled_qty.e8 > 0 ? ORDER_CANCELLED : ORDER_REJECTED, why, at_us,
              change);
}

static struct fill fill_of(const struct order *order, const struct consumed *taken, int64_t at_us)
{
    struct fill f = {.symbol = order->symbol,
                     .kind = order->kind,
                     .side = order->side,
                     .qty = taken->qty,
                     .price = taken->price,
                     .at_us = at_us};
    memcpy(f.client_id, order->client_id, sizeof(f.client_id));
    return f;
}

/* At what an order may fill now. */
struct offer {
    struct dec price; /* the middle of the book; resting: what it fills at */
    bool resting;     /* the order is in the book, and is filled whole, at the maker's fee */
    int64_t at_us;
};

static bool is_buy(const struct order *order)
{
    return (order->kind == ORDER_ENTRY) == (order->side == SIDE_LONG);
}

/* False: nothing is filled. */
static bool take(const struct paper_terms *terms, const struct order *order,
                 const struct offer *offer, struct dec left, struct consumed *ret)
{
    if (offer->resting) {
        *ret = (struct consumed){left, offer->price};
        return true;
    }
    if (order->time_in_force == TIF_FOK) {
        return consume(terms, offer->price, left, order->price, is_buy(order), false, ret) &&
               dec_cmp(ret->qty, left) == 0;
    }
    return consume(terms, offer->price, left, order->price, is_buy(order), false, ret);
}

/* Makes a fill smaller by the fee, which becomes what was paid for the difference. */
static void take_coins(const struct paper_terms *terms, struct fill *f, struct dec rate)
{
    struct dec paid = dec_mul(f->price, f->qty);
    struct dec kept = dec_sub(f->qty, dec_mul(f->qty, rate));
    f->qty = terms->lot.e8 > 0 ? dec_floor_to(kept, terms->lot) : kept;
    f->fee = dec_sub(paid, dec_mul(f->price, f->qty));
}

static void fill_entry(struct paper_book *book, const struct paper_terms *terms,
                       struct order *order, const struct offer *offer, struct paper_change *change)
{
    int64_t at_us = offer->at_us;
    int index = paper_book_find(book, order->symbol);
    if (index < 0 ? book->position_count == capacity_positions(book->symbols)
                  : strcmp(book->positions[index].client_id, order->client_id) != 0) {
        end_unfilled(order, index < 0 ? "too many positions" : "symbol has a position", at_us,
                     change);
        return;
    }
    struct consumed taken;
    struct dec left = dec_sub(order->qty, order->filled_qty);
    if (!take(terms, order, offer, left, &taken)) {
        if (!dec_is_valid(dec_mul(offer->price, left))) {
            end_unfilled(order, "size is too large", at_us, change);
        }
        return; /* nothing at its price: the order rests */
    }
    struct fill f = fill_of(order, &taken, at_us);
    struct dec fee = offer->resting ? terms->maker_fee : terms->fee;
    f.fee = dec_mul(dec_mul(f.price, f.qty), fee);
    if (terms->fee_in_coins && order->side == SIDE_LONG) {
        take_coins(terms, &f, fee);
        if (f.qty.e8 <= 0) {
            return; /* less than a lot would remain */
        }
    }
    if (!affordable(book, terms, &taken) || !book_paid(book, &f, change)) {
        end_unfilled(order, "insufficient funds", at_us, change);
        return;
    }
    order->qty = dec_sub(order->qty, dec_sub(taken.qty, f.qty));
    taken.qty = f.qty;
    order->updated_us = at_us;
    count_fill(order, &taken);
    const struct instrument rules = {.digits = terms->tick_digits};
    order_measure(order, &rules);
    if (index < 0) {
        index = book->position_count++;
        book->positions[index] = (struct position){.symbol = order->symbol,
                                                   .side = order->side,
                                                   .opened_us = at_us,
                                                   .decision_id = order->decision_id};
        memcpy(book->positions[index].client_id, order->client_id, CLIENT_ID_SIZE);
        book->stopped_us[index] = 0;
    }
    struct position *p = &book->positions[index];
    struct dec qty = dec_add(p->qty, taken.qty);
    struct dec value = dec_add(dec_mul(p->entry_price, p->qty), dec_mul(taken.price, taken.qty));
    struct dec average = dec_div(value, qty);
    p->entry_price = p->qty.e8 == 0 || !dec_is_valid(average) ? taken.price : average;
    p->qty = qty;
    p->stop = order->stop;
    p->target = order->target;
    p->mark_price = taken.price;
    p->fees = dec_add(p->fees, change->fills[change->fill_count - 1].fee);
    record_order(change, order);
}

static void fill_close(struct paper_book *book, const struct paper_terms *terms,
                       struct order *order, const struct offer *offer, struct paper_change *change)
{
    int64_t at_us = offer->at_us;
    int index = paper_book_find(book, order->symbol);
    if (index < 0 || book->positions[index].side != order->side) {
        end_unfilled(order, "nothing to reduce", at_us, change);
        return;
    }
    struct dec left = dec_sub(order->qty, order->filled_qty);
    struct dec held = book->positions[index].qty;
    if (dec_cmp(left, held) > 0) {
        /* A close only reduces: cut the order to the quantity held. */
        order->qty = dec_add(order->filled_qty, held);
        left = held;
    }
    struct consumed taken;
    if (!take(terms, order, offer, left, &taken)) {
        return;
    }
    struct fill f = fill_of(order, &taken, at_us);
    if (!book_fill(book, &f, offer->resting ? terms->maker_fee : terms->fee, change)) {
        end_unfilled(order, "the account cannot book it", at_us, change);
        return;
    }
    order->updated_us = at_us;
    count_fill(order, &taken);
    reduce(book, index, taken.qty, at_us, change);
    record_order(change, order);
}

/* A pseudo-random number, 0..1, which depends on the id only. */
static double random_of(const char *client_id)
{
    uint64_t h = hash_add(HASH_BEGIN, client_id, strlen(client_id));
    /* A finaliser that mixes all bits. */
    h = (h ^ (h >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ (h >> 27)) * UINT64_C(0x94d049bb133111eb);
    h ^= h >> 31;
    return ldexp((double)(h >> 11), -53);
}

/* Why the venue does not execute an order as it says; NULL: it does. */
static const char *terms_refusal(const struct paper_terms *terms, const struct order *order)
{
    bool limited = order->type == ORDER_TYPE_LIMIT;
    if (order->type == ORDER_TYPE_STOP) {
        return "stop orders are not supported";
    }
    if (order->time_in_force == TIF_DAY) {
        return "day orders are not supported";
    }
    if (limited ? !dec_is_valid(order->price) || order->price.e8 <= 0 : order->price.e8 != 0) {
        return limited ? "limit without a price" : "market order with a price";
    }
    if (limited && to_tick(order->price, terms->tick_digits, false).e8 != order->price.e8) {
        return "price is not a multiple of the tick";
    }
    if (order->kind == ORDER_ENTRY && terms->lot.e8 > 0 && order->qty.e8 % terms->lot.e8 != 0) {
        return "size is not a multiple of the lot";
    }
    if (order->post_only && (!limited || order->time_in_force != TIF_GTC)) {
        return "post-only orders must rest";
    }
    return order->reduce_only && order->kind == ORDER_ENTRY ? "reduce-only opens nothing" : NULL;
}

static const char *refusal(const struct paper_book *book, const struct paper_terms *terms,
                           const struct order *order)
{
    const char *unsupported = terms_refusal(terms, order);
    if (unsupported != NULL) {
        return unsupported;
    }
    int index = paper_book_find(book, order->symbol);
    struct dec price = last_price(book, order->symbol);
    if (!dec_is_valid(order->qty) || order->qty.e8 <= 0) {
        return "size is not above zero";
    }
    if (price.e8 <= 0) {
        return "no price for this symbol";
    }
    if (book->open_count == open_max(book->symbols)) {
        return "too many open orders";
    }
    if (order->kind != ORDER_ENTRY) {
        return order->kind == ORDER_CLOSE && index >= 0 &&
                       book->positions[index].side == order->side
                   ? NULL
                   : "nothing to reduce";
    }
    if (order->stop.e8 <= 0 || order->target.e8 <= 0) {
        return "entry without stop or target";
    }
    if (index >= 0) {
        return "symbol has a position";
    }
    struct dec notional = dec_mul(price, order->qty);
    if (!dec_is_valid(notional)) {
        return "size is too large";
    }
    if (dec_cmp(notional, terms->min_notional) < 0) {
        return "below the smallest order";
    }
    return random_of(order->client_id) < terms->reject ? "rejected at random" : NULL;
}

/* The first time that an order meets the book: the only one for IOC and FOK, and none for
 * post-only.
 */
static void try_now(struct paper_book *book, const struct paper_terms *terms, struct order *order,
                    const struct offer *offer, struct paper_change *change)
{
    bool rests = order->time_in_force == TIF_GTC;
    if (order->post_only) {
        struct dec best = to_tick(level_price(terms, offer->price, 0, is_buy(order)),
                                  terms->tick_digits, is_buy(order));
        if (!is_worse(best, order->price, is_buy(order))) {
            end_order(order, ORDER_REJECTED, "post-only order would take", offer->at_us, change);
        }
        return;
    }
    if (order->kind == ORDER_ENTRY) {
        fill_entry(book, terms, order, offer, change);
    } else {
        fill_close(book, terms, order, offer, change);
    }
    if (!rests && !order_state_is_final(order->state)) {
        end_order(order, ORDER_CANCELLED, "not filled at once", offer->at_us, change);
    }
}

void paper_book_send(struct paper_book *book, const struct paper_terms *terms,
                     const struct order *sent, struct paper_change *change)
{
    struct order order = *sent;
    order.filled_qty = DEC_ZERO;
    order.average_price = DEC_ZERO;
    const char *reason = refusal(book, terms, &order);
    if (reason != NULL) {
        end_order(&order, ORDER_REJECTED, reason, order.created_us, change);
        return;
    }
    order.state = ORDER_ACKED;
    struct order *open = &book->open[book->open_count++];
    *open = order;
    if (order.kind == ORDER_CLOSE && order.decision_id == 0) {
        try_now(book, terms, open,
                &(struct offer){.price = last_price(book, order.symbol), .at_us = order.created_us},
                change);
    }
    record_order(change, open);
    remove_final_orders(book);
}

bool paper_book_cancel(struct paper_book *book, const char *client_id, struct paper_change *change)
{
    struct order *order = find_open(book, client_id);
    if (order == NULL) {
        return false;
    }
    end_order(order, ORDER_CANCELLED, "cancelled", order->updated_us, change);
    remove_final_orders(book);
    return true;
}

enum paper_amend paper_book_amend(struct paper_book *book, const char *client_id, struct dec stop,
                                  struct dec target, struct paper_change *change)
{
    struct order *order = find_open(book, client_id);
    int index = -1;
    for (int i = 0; i < book->position_count; i++) {
        index = strcmp(book->positions[i].client_id, client_id) == 0 ? i : index;
    }
    if (index < 0 && (order == NULL || order->kind != ORDER_ENTRY)) {
        return PAPER_NO_BRACKET;
    }
    const struct symbol symbol = index >= 0 ? book->positions[index].symbol : order->symbol;
    const enum side side = index >= 0 ? book->positions[index].side : order->side;
    struct dec price = last_price(book, symbol);
    struct dec low = side == SIDE_LONG ? stop : target;
    struct dec high = side == SIDE_LONG ? target : stop;
    if (!dec_is_valid(low) || !dec_is_valid(high) || low.e8 <= 0 || low.e8 >= price.e8 ||
        high.e8 <= price.e8 || (index >= 0 && book->stopped_us[index] != 0)) {
        return PAPER_AMEND_REFUSED;
    }
    if (order != NULL) {
        order->stop = stop;
        order->target = target;
        order->stop_away = DEC_ZERO;
        order->target_away = DEC_ZERO;
        record_order(change, order);
    }
    if (index >= 0) {
        book->positions[index].stop = stop;
        book->positions[index].target = target;
    }
    return PAPER_AMENDED;
}

/* ---------------------------------------------------------------- bars */

static bool touches_stop(const struct position *p, const struct candle *c)
{
    return p->side == SIDE_LONG ? c->low.e8 <= p->stop.e8 : c->high.e8 >= p->stop.e8;
}

static bool touches_target(const struct position *p, const struct candle *c)
{
    return p->side == SIDE_LONG ? c->high.e8 >= p->target.e8 : c->low.e8 <= p->target.e8;
}

/* The target then filled before the bar could touch the stop. */
static bool opens_beyond_target(const struct position *p, const struct candle *c)
{
    return p->side == SIDE_LONG ? c->open.e8 >= p->target.e8 : c->open.e8 <= p->target.e8;
}

static struct fill bracket_fill(const struct position *p, enum order_kind kind, int64_t at_us)
{
    struct fill f = {
        .symbol = p->symbol, .kind = kind, .side = p->side, .qty = p->qty, .at_us = at_us};
    memcpy(f.client_id, p->client_id, sizeof(f.client_id));
    return f;
}

static void hit_stop(struct paper_book *book, const struct paper_terms *terms, int index,
                     const struct candle *c, struct paper_change *change)
{
    const struct position *p = &book->positions[index];
    bool is_long = p->side == SIDE_LONG;
    int64_t since_us = book->stopped_us[index];
    int64_t at_us = since_us == 0 ? c->open_us + terms->step_us : c->open_us;
    struct dec at = c->open;
    if (since_us == 0) {
        at = is_long ? dec_min(p->stop, c->open) : dec_max(p->stop, c->open);
        book->stopped_us[index] = at_us;
        cancel_rest(book, p->client_id, at_us, change);
    }
    bool all = since_us != 0 && c->open_us - since_us >= PAPER_REST_BARS * terms->step_us;
    struct consumed taken;
    struct fill f = bracket_fill(p, ORDER_STOP, at_us);
    if (!consume(terms, at, p->qty, DEC_ZERO, !is_long, all, &taken)) {
        return;
    }
    f.qty = taken.qty;
    f.price = taken.price;
    if (book_fill(book, &f, terms->fee, change)) {
        reduce(book, index, taken.qty, at_us, change);
    }
}

/* The target is a resting limit order: it fills at its price, or at the better open when the bar
 * opens beyond it. */
static void hit_target(struct paper_book *book, const struct paper_terms *terms, int index,
                       const struct candle *c, struct paper_change *change)
{
    const struct position *p = &book->positions[index];
    bool at_open = opens_beyond_target(p, c);
    int64_t at_us = at_open ? c->open_us : c->open_us + terms->step_us;
    struct fill f = bracket_fill(p, ORDER_TARGET, at_us);
    f.price = at_open ? c->open : p->target;
    if (book_fill(book, &f, terms->maker_fee, change)) {
        drop_position(book, index, at_us, change);
    }
}

static void check_bracket(struct paper_book *book, const struct paper_terms *terms, int index,
                          const struct candle *c, struct paper_change *change)
{
    const struct position *p = &book->positions[index];
    bool stopping = book->stopped_us[index] != 0;
    /* Opened by a resting limit within this bar: the high or low may have been before that. Only
     * the stop lies beyond the limit, so it was reached afterwards. */
    bool opened_within = p->opened_us > c->open_us;
    if (stopping || (touches_stop(p, c) && (opened_within || !opens_beyond_target(p, c)))) {
        hit_stop(book, terms, index, c, change);
    } else if (touches_target(p, c) && !opened_within) {
        hit_target(book, terms, index, c, change);
    }
}

/* A limit in the book fills at its price when the bar reaches it, or at the better open when it
 * rested there already. */
static void fill_resting(struct paper_book *book, const struct paper_terms *terms,
                         struct order *order, const struct candle *c, bool rested,
                         struct paper_change *change)
{
    bool buys = is_buy(order);
    bool at_open = rested && !is_worse(c->open, order->price, buys);
    if (!at_open && is_worse(buys ? c->low : c->high, order->price, buys)) {
        return;
    }
    const struct offer offer = {.price = at_open ? c->open : order->price,
                                .resting = true,
                                .at_us = at_open ? c->open_us : c->open_us + terms->step_us};
    if (order->kind == ORDER_ENTRY) {
        fill_entry(book, terms, order, &offer, change);
    } else {
        fill_close(book, terms, order, &offer, change);
    }
}

static void trade_order(struct paper_book *book, const struct paper_terms *terms,
                        struct order *order, const struct candle *c, struct paper_change *change)
{
    int64_t arrives_us = order->created_us + terms->latency_us;
    if (order_state_is_final(order->state) || order->created_us > c->open_us ||
        (order->filled_qty.e8 == 0 && c->open_us + terms->step_us <= arrives_us)) {
        return;
    }
    if (c->open_us - arrives_us > PAPER_REST_BARS * terms->step_us) {
        end_order(order, ORDER_CANCELLED, "expired", c->open_us, change);
        return;
    }
    int64_t before_us = c->open_us - terms->step_us;
    bool rested = order->created_us <= before_us && c->open_us > arrives_us;
    bool limited = order->type == ORDER_TYPE_LIMIT;
    if (!rested || !limited || order->time_in_force != TIF_GTC) {
        try_now(book, terms, order, &(struct offer){.price = c->open, .at_us = c->open_us}, change);
    }
    if (limited && !order_state_is_final(order->state)) {
        fill_resting(book, terms, order, c, rested, change);
    }
}

static void trade_bar(struct paper_book *book, const struct paper_terms *terms,
                      const struct source_bar *bar, struct paper_change *change)
{
    for (int i = 0; i < book->open_count; i++) {
        if (symbol_equal(book->open[i].symbol, bar->symbol)) {
            trade_order(book, terms, &book->open[i], &bar->candle, change);
        }
    }
    int index = paper_book_find(book, bar->symbol);
    if (index >= 0) {
        check_bracket(book, terms, index, &bar->candle, change);
    }
}

static void pay_funding(struct paper_book *book, const struct paper_terms *terms,
                        const struct source_bar *bars, int count, int64_t at_us,
                        struct paper_change *change)
{
    for (int i = 0; i < book->position_count; i++) {
        const struct position *p = &book->positions[i];
        struct dec price = last_price(book, p->symbol);
        for (int j = 0; j < count; j++) {
            if (symbol_equal(bars[j].symbol, p->symbol) && candle_is_valid(&bars[j].candle)) {
                price = bars[j].candle.open;
            }
        }
        struct dec payment = dec_mul(dec_mul(price, p->qty), terms->funding);
        payment = p->side == SIDE_LONG ? payment : dec_neg(payment);
        struct dec cash = dec_sub(book->cash, payment);
        if (!dec_is_valid(cash) || payment.e8 == 0) {
            continue;
        }
        ASSERT(change->payment_count < capacity_positions(change->symbols));
        book->cash = cash;
        change->payments[change->payment_count++] =
            (struct funding){book->next_funding_id++, p->symbol, payment, at_us, false};
    }
}

void paper_book_bars(struct paper_book *book, const struct paper_terms *terms,
                     const struct source_bar *bars, int count, struct paper_change *change)
{
    if (count <= 0 || bars[0].candle.open_us < book->bar_us) {
        return;
    }
    int64_t open_us = bars[0].candle.open_us;
    bool fresh = open_us > book->bar_us;
    int64_t period = open_us / PAPER_FUNDING_US;
    if (fresh && period > book->funding_period) {
        if (book->funding_period > 0) {
            pay_funding(book, terms, bars, count, open_us, change);
        }
        book->funding_period = period;
    }
    book->bar_us = open_us;
    for (int i = 0; i < count; i++) {
        if (bars[i].candle.open_us != open_us || !candle_is_valid(&bars[i].candle)) {
            continue;
        }
        if (fresh && (book->open_count > 0 || book->position_count > 0)) {
            trade_bar(book, terms, &bars[i], change);
        }
        paper_book_price(book, bars[i].symbol, bars[i].candle.close, open_us + terms->step_us);
    }
    if (change->order_count > 0) {
        remove_final_orders(book);
    }
}

bool paper_book_is_affected(const struct paper_book *book, const struct source_bar *bars, int count)
{
    if ((book->open_count == 0 && book->position_count == 0) || count <= 0 ||
        bars[0].candle.open_us <= book->bar_us) {
        return false;
    }
    if (book->open_count > 0 || bars[0].candle.open_us / PAPER_FUNDING_US > book->funding_period) {
        return true;
    }
    for (int i = 0; i < book->position_count; i++) {
        const struct position *p = &book->positions[i];
        for (int j = 0; j < count; j++) {
            const struct candle *c = &bars[j].candle;
            if (symbol_equal(p->symbol, bars[j].symbol) &&
                (book->stopped_us[i] != 0 || touches_stop(p, c) || touches_target(p, c))) {
                return true; /* an impossible bar too, which paper_book_bars ignores */
            }
        }
    }
    return false;
}

bool paper_book_quote(const struct paper_book *book, const struct paper_terms *terms,
                      struct symbol symbol, struct quote *ret)
{
    const struct paper_price *p = price_of(book, symbol);
    if (p == NULL || p->price.e8 <= 0) {
        return false;
    }
    struct dec bid = to_tick(level_price(terms, p->price, 0, false), terms->tick_digits, false);
    struct dec ask = to_tick(level_price(terms, p->price, 0, true), terms->tick_digits, true);
    if (!dec_is_valid(bid) || !dec_is_valid(ask) || bid.e8 <= 0) {
        return false;
    }
    bool unlimited = terms->depth.e8 <= 0;
    *ret = (struct quote){
        .symbol = symbol,
        .bid = bid,
        .ask = ask,
        .bid_qty = unlimited ? dec_from_int(UNLIMITED_QTY) : level_qty(terms, bid),
        .ask_qty = unlimited ? dec_from_int(UNLIMITED_QTY) : level_qty(terms, ask),
        .at_us = p->at_us,
    };
    return dec_is_valid(ret->bid_qty) && ret->bid_qty.e8 > 0 && ret->ask_qty.e8 > 0;
}
