#include "sim/hostile_private.h"

#include <stdio.h>

/* What passes between engine and venue, one line each, to follow a seed that failed. */

static double at(const struct hostile *h)
{
    return (double)h->clock->now_mono_us / (double)USEC_PER_SEC;
}

void hostile_trace_send(const struct hostile *h, const struct order *o)
{
    char qty[DEC_TEXT_SIZE];
    if (h->trace) {
        printf("# %.3f > %s %s %s %s %s, %s\n", at(h), o->client_id, order_kind_name(o->kind),
               side_name(o->side), o->symbol.name, dec_text(o->qty, qty), o->reason);
    }
}

static void trace_holdings(const struct venue_report *r)
{
    char qty[DEC_TEXT_SIZE];
    for (int i = 0; i < r->holding_count; i++) {
        printf(" %s %s", r->holdings[i].symbol.name, dec_text(r->holdings[i].qty, qty));
    }
    for (int i = 0; i < r->open_count; i++) {
        printf(" %s", r->open[i]);
    }
}

void hostile_trace_report(const struct hostile *h, const struct venue_report *r)
{
    static const char *const kinds[] = {"order",      "not found", "no answer",  "listing",
                                        "event",      "refused",   "connection", "limit",
                                        "instrument", "account"};
    char filled[DEC_TEXT_SIZE];
    if (!h->trace) {
        return;
    }
    printf("# %.3f < %s", at(h), kinds[r->kind]);
    switch (r->kind) {
    case VENUE_ORDER:
        printf(" %s %s, %s in %d fills, %s", r->client_id, order_state_name(r->state),
               dec_text(r->filled_qty, filled), r->fill_count, r->reason);
        break;
    case VENUE_NOT_FOUND:
    case VENUE_NO_ANSWER:
    case VENUE_REFUSED:
        printf(" %s", r->client_id);
        break;
    case VENUE_LISTING:
        printf(" %lld:", (long long)r->ask_id);
        trace_holdings(r);
        break;
    case VENUE_FUNDING:
        printf(" %lld, of kind %d, %s", (long long)r->funding_id, (int)r->event, r->symbol.name);
        break;
    case VENUE_CONNECTION:
        printf(" %s", venue_state_name(r->venue_state));
        break;
    case VENUE_INSTRUMENT:
        printf(" %s %s", r->instrument.symbol.name, instrument_status_name(r->instrument.status));
        break;
    case VENUE_ACCOUNT:
        printf(" %lld, after event %lld: %s", (long long)r->ask_id, (long long)r->funding_id,
               dec_text(r->account.balances[0].total, filled));
        break;
    case VENUE_LIMIT:
        break;
    }
    printf("\n");
}
