#include "record.h"

#include "engine_private.h"
#include "io/secret.h"
#include "record_values.h"

/* ---------------------------------------------------------------- a step */

/* Nearly always one of the symbols that the run started with. */
static void pack_known(struct pack *p, struct symbol *symbol, const struct record_start *start)
{
    int place = 0;
    for (int i = 0; !p->reading && i < start->symbol_count && place == 0; i++) {
        place = symbol_equal(start->symbols[i], *symbol) ? i + 1 : 0;
    }
    pack_count(p, &place, start->symbol_count);
    if (place == 0) {
        pack_symbol(p, symbol);
    } else {
        *symbol = start->symbols[place - 1];
    }
}

static void pack_quote(struct pack *p, struct quote *q, int64_t near_us,
                       const struct record_start *start)
{
    pack_known(p, &q->symbol, start);
    pack_dec(p, &q->bid);
    pack_near(p, &q->ask.e8, q->bid.e8);
    pack_dec(p, &q->bid_qty);
    pack_dec(p, &q->ask_qty);
    pack_near(p, &q->at_us, near_us);
}

static void pack_listing(struct pack *p, struct venue_report *r)
{
    pack_i64(p, &r->ask_id);
    if (p->version == 1) {
        r->page = 0; /* the whole listing; it was cut if this is false: */
        pack_bool(p, &r->last);
    } else {
        pack_count(p, &r->page, VENUE_PAGES_MAX - 1);
        pack_bool(p, &r->last);
    }
    pack_count(p, &r->holding_count, VENUE_PAGE_HOLDINGS);
    for (int i = 0; i < r->holding_count; i++) {
        struct venue_holding *h = &r->holdings[i];
        pack_symbol(p, &h->symbol);
        PACK_ENUM(p, h->side, SIDE_SHORT);
        pack_dec(p, &h->qty);
        pack_dec(p, &h->entry_price);
    }
    pack_count(p, &r->open_count, VENUE_PAGE_OPEN);
    for (int i = 0; i < r->open_count; i++) {
        pack_text(p, r->open[i], sizeof(r->open[i]));
    }
}

static void pack_instrument(struct pack *p, struct instrument *x)
{
    pack_symbol(p, &x->symbol);
    PACK_ENUM(p, x->status, INSTRUMENT_CLOSED);
    pack_dec(p, &x->tick);
    pack_count(p, &x->digits, 18);
    pack_dec(p, &x->step);
    pack_dec(p, &x->min_qty);
    pack_dec(p, &x->max_qty);
    pack_dec(p, &x->min_notional);
    if (p->version >= 8) {
        pack_bool(p, &x->limits_only);
        pack_i64(p, &x->hours_change_wall_us);
    }
}

static void pack_account(struct pack *p, struct venue_account *a)
{
    pack_count(p, &a->balance_count, VENUE_BALANCES_MAX);
    for (int i = 0; i < a->balance_count; i++) {
        pack_text(p, a->balances[i].currency, sizeof(a->balances[i].currency));
        pack_dec(p, &a->balances[i].total);
        pack_dec(p, &a->balances[i].available);
        if (p->version >= 8) {
            pack_dec(p, &a->balances[i].accrued);
        }
    }
    pack_dec(p, &a->margin_used);
    if (p->version >= 3) {
        pack_dec(p, &a->margin_maintenance);
    }
    pack_double(p, &a->leverage);
}

/* Version 1 had funding only. */
static void pack_event(struct pack *p, struct venue_report *r)
{
    PACK_ENUM(p, r->event, VENUE_EVENT_FEE);
    PACK_ENUM(p, r->side, SIDE_SHORT);
    pack_dec(p, &r->qty);
    pack_dec(p, &r->price);
    if (p->version >= 9) {
        pack_text(p, r->fee_currency, sizeof(r->fee_currency));
    }
}

/* The fields of version 1, whatever the kind (an unused one costs one byte), then those of the
 * kind.
 */
static void pack_report(struct pack *p, struct venue_report *r)
{
    PACK_ENUM(p, r->kind, VENUE_ACCOUNT);
    PACK_ENUM(p, r->asked, VENUE_CALL_AMEND);
    pack_text(p, r->client_id, sizeof(r->client_id));
    PACK_ENUM(p, r->state, ORDER_UNKNOWN);
    pack_dec(p, &r->filled_qty);
    pack_text(p, r->reason, sizeof(r->reason));
    record_fill_id_pack(p, r->fills_after);
    pack_bool(p, &r->more);
    pack_count(p, &r->fill_count, VENUE_FILLS_MAX);
    for (int i = 0; i < r->fill_count; i++) {
        record_fill_pack(p, &r->fills[i]);
    }
    pack_dec(p, &r->stop);
    pack_dec(p, &r->target);
    if (r->kind == VENUE_REFUSED) { /* zero in all other kinds */
        pack_dec(p, &r->current_stop);
        pack_dec(p, &r->current_target);
    }
    pack_i64(p, &r->funding_id);
    pack_i64(p, &r->prev_funding_id);
    pack_symbol(p, &r->symbol);
    pack_dec(p, &r->payment);
    pack_i64(p, &r->at_us);
    pack_listing(p, r);
    switch (r->kind) {
    case VENUE_CONNECTION:
        PACK_ENUM(p, r->venue_state, VENUE_MAINTENANCE);
        break;
    case VENUE_LIMIT:
        pack_i64(p, &r->limit.used);
        pack_i64(p, &r->limit.most);
        pack_i64(p, &r->limit.reset_us);
        pack_i64(p, &r->limit.banned_us);
        break;
    case VENUE_INSTRUMENT:
        pack_instrument(p, &r->instrument);
        break;
    case VENUE_ACCOUNT:
        pack_account(p, &r->account);
        break;
    case VENUE_FUNDING:
        if (p->version >= 2) {
            pack_event(p, r);
        }
        break;
    case VENUE_ORDER:
    case VENUE_NOT_FOUND:
    case VENUE_NO_ANSWER:
    case VENUE_LISTING:
    case VENUE_REFUSED:
        break;
    }
}

static void pack_digest(struct pack *p, struct record_digest *a, const struct record_start *start)
{
    for (int i = 0; i < RECORD_PARTS; i++) {
        pack_u32(p, &a->sums[i]);
    }
    pack_count(p, &a->sends, capacity_orders(start->symbol_count));
    pack_count(p, &a->decision_count, capacity_symbols(start->symbol_count));
    for (int i = 0; i < a->decision_count; i++) {
        struct record_decision *d = &a->decisions[i];
        pack_known(p, &d->symbol, start);
        PACK_ENUM(p, d->direction, DIRECTION_SHORT);
        PACK_ENUM(p, d->outcome, OUTCOME_ORDER);
        pack_double(p, &d->score);
    }
}

static void pack_sentiment(struct pack *p, struct engine_inputs *in, int64_t wall_us,
                           const struct record_start *start)
{
    pack_count(p, &in->sentiment_count, capacity_symbols(start->symbol_count));
    for (int i = 0; i < in->sentiment_count; i++) {
        struct sentiment_value *v = &in->sentiments[i];
        pack_known(p, &v->symbol, start);
        pack_double(p, &v->score);
        pack_near(p, &v->until_us, wall_us);
    }
}

/* Everything but settings and request, which the inputs only point to. */
static void pack_market(struct pack *p, struct engine_inputs *in, int64_t market_us,
                        const struct record_start *start)
{
    pack_count(p, &in->bar_count, capacity_symbols(start->symbol_count));
    for (int i = 0; i < in->bar_count; i++) {
        pack_known(p, &in->bars[i].symbol, start);
        pack_candle(p, &in->bars[i].candle, market_us);
    }
    pack_count(p, &in->quote_count, capacity_symbols(start->symbol_count));
    for (int i = 0; i < in->quote_count; i++) {
        pack_quote(p, &in->quotes[i], market_us, start);
    }
    pack_count(p, &in->report_count, ENGINE_REPORTS_MAX);
    for (int i = 0; i < in->report_count; i++) {
        pack_report(p, &in->reports[i]);
    }
}

#define HAS_SENTIMENT 8
/* Bars of the past; earlier versions had none. */
#define IS_LATE 16

_Static_assert((1 | ENGINE_DISK_LATE << 1) < HAS_SENTIMENT, "the flags are apart");

/* The kill switch in the lowest bit, as in earlier versions; the disk state above it. */
static void pack_flags(struct pack *p, struct engine_inputs *in)
{
    int disk = 1 | ENGINE_DISK_LATE << 1;
    int flags = (in->halt ? 1 : 0) | (int)in->disk << 1 | (in->has_sentiment ? HAS_SENTIMENT : 0) |
                (in->late ? IS_LATE : 0);
    pack_count(p, &flags, disk | HAS_SENTIMENT | IS_LATE);
    if (p->reading) {
        p->failed = p->failed || ((flags & HAS_SENTIMENT) != 0 && p->version < 6);
        in->halt = (flags & 1) != 0;
        in->late = (flags & IS_LATE) != 0;
        in->has_sentiment = (flags & HAS_SENTIMENT) != 0;
        in->sentiment_count = 0;
        in->disk = (enum engine_disk)((flags & disk) >> 1);
    }
    if (in->halt && p->version >= 5) {
        pack_i64(p, &in->halt_run_id);
    }
}

void record_step_pack(struct pack *p, struct record_step *step, const struct engine_now *before,
                      const struct record_start *start)
{
    struct engine_inputs *in = step->inputs;
    p->version = start->version;
    bool has_settings = in->settings != NULL;
    bool has_request = in->request != NULL;
    record_now_pack(p, &step->now, before);
    pack_flags(p, in);
    pack_bool(p, &has_settings);
    if (has_settings) {
        record_settings_pack(p, step->settings);
    }
    pack_bool(p, &has_request);
    if (has_request) {
        record_request_pack(p, step->request);
        if (p->version >= 5) {
            pack_i64(p, &step->request->run_id);
        }
    }
    if (p->reading) {
        in->settings = has_settings ? step->settings : NULL;
        in->request = has_request ? step->request : NULL;
    }
    if (in->has_sentiment) {
        pack_sentiment(p, in, step->now.wall_us, start);
    }
    pack_market(p, in, step->now.market_us, start);
    pack_digest(p, &step->digest, start);
    if (p->reading) {
        p->failed = p->failed || p->at != p->size;
    }
}

/* Feed and venue may send any value, which the engine checks itself. Settings, requests and
 * sentiment come from this program, which checked them before. */
bool record_step_is_sane(const struct record_step *step)
{
    const struct settings *s = step->inputs->settings;
    const struct request *r = step->inputs->request;
    for (int i = 0; i < step->inputs->sentiment_count; i++) {
        if (!sentiment_value_is_sane(&step->inputs->sentiments[i])) {
            return false;
        }
    }
    return (s == NULL || record_settings_are_sane(s)) &&
           (r == NULL || (dec_is_valid(r->stop) && dec_is_valid(r->target))) &&
           step->now.market_us >= 0 && step->now.mono_us >= 0;
}

bool record_is_idle(const struct engine_inputs *inputs, const struct engine_outputs *outputs)
{
    return inputs->settings == NULL && inputs->request == NULL && !inputs->has_sentiment &&
           inputs->bar_count == 0 && inputs->report_count == 0 && !outputs->write &&
           !outputs->list && !outputs->clear_halt && outputs->send_count == 0 &&
           outputs->cancel_count == 0 && outputs->amend_count == 0 && outputs->query_count == 0 &&
           outputs->event_count == 0;
}

/* ---------------------------------------------------------------- frames */

uint64_t record_sum(const uint8_t *frame, size_t size, int64_t offset)
{
    return secret_checksum(str_n((const char *)frame + 8, size + 4), (uint64_t)offset);
}

void record_seal(uint8_t *frame, size_t size, int64_t offset)
{
    uint32_t length = (uint32_t)size;
    struct pack p = PACK_WRITE(frame + 8, 4);
    pack_u32(&p, &length);
    uint64_t sum = record_sum(frame, size, offset);
    for (unsigned i = 0; i < 8; i++) {
        frame[i] = (uint8_t)(sum >> (8 * i));
    }
}
