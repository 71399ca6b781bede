/* The lists and documents about trading, from the snapshot and trading.db. */
#include "api_internal.h"
#include "base/check.h"
#include "list.h"
#include "model/model_json.h"
#include "store/candle_table.h"
#include "store/decision_table.h"
#include "store/equity_table.h"
#include "store/order_table.h"
#include "store/trade_table.h"

#include <stdlib.h>
#include <string.h>

#define VOTES_LIMIT 20 /* decisions with votes, each of a few KiB */

static struct api_age age_of(const struct api_call *call)
{
    const struct listener *l = call->listener;
    return api_age_of_engine(l->api->shared, shared_reader_snapshot(l->reader));
}

/* Of a page: one row more than is shown, which says whether there is another page. */
static void *rows_for(const struct api_list *l, size_t size)
{
    void *rows = calloc(l->limit + 1, size);
    NEED_MEMORY(rows != NULL);
    return rows;
}

/* ---------------------------------------------------------------- positions */

static int by_symbol(const void *a, const void *b)
{
    const struct position *const *x = a, *const *y = b;
    return strcmp((*x)->symbol.name, (*y)->symbol.name);
}

void api_positions_handle(struct api_call *call)
{
    const struct snapshot *s = shared_reader_snapshot(call->listener->reader);
    const struct position *sorted[POSITIONS_LIMIT];
    struct api_list l;
    int count = s->position_count < POSITIONS_LIMIT ? s->position_count : POSITIONS_LIMIT;
    for (int i = 0; i < count; i++) {
        sorted[i] = &s->positions[i];
    }
    qsort(sorted, (size_t)count, sizeof(sorted[0]), by_symbol);
    if (!api_list_begin(&l, call, api_age_of_engine(call->listener->api->shared, s))) {
        return;
    }
    const char *only = api_symbol(call).name;
    for (int i = 0; i < count; i++) {
        const char *symbol = sorted[i]->symbol.name;
        if (strcmp(symbol, l.after) <= 0 || (only[0] != '\0' && strcmp(symbol, only) != 0)) {
            continue;
        }
        if (!api_list_next(&l)) {
            break;
        }
        api_list_item(&l);
        model_json_position(&l.answer.out, s, (int)(sorted[i] - s->positions));
        api_list_item_end(&l);
        (void)str_copy(str_c(symbol), l.key, sizeof(l.key));
    }
    api_list_end(&l, 0, NULL);
}

/* ---------------------------------------------------------------- trades */

void api_trades_handle(struct api_call *call)
{
    struct api_list l;
    struct err err = {0};
    if (!api_list_begin(&l, call, age_of(call))) {
        return;
    }
    AUTO_FREE struct trade *rows = rows_for(&l, sizeof(*rows));
    const struct trade_query query = {.symbol = api_symbol(call),
                                      .since_us = api_time_us(call, "since"),
                                      .until_us = api_time_us(call, "until"),
                                      .before_id = api_list_after(&l)};
    int rc = api_need_trading(&call->listener->stores, &err);
    rc = rc < 0 ? rc
                : trade_table_list(call->listener->stores.trading, &query, rows, l.limit + 1, &err);
    for (int i = 0; i < rc && api_list_next(&l); i++) {
        api_list_item(&l);
        model_json_trade(&l.answer.out, &rows[i]);
        api_list_item_end(&l);
        api_list_key(&l, rows[i].id);
    }
    api_list_end(&l, rc, &err);
}

/* ---------------------------------------------------------------- orders */

void api_orders_handle(struct api_call *call)
{
    struct api_list l;
    struct err err = {0};
    if (!api_list_begin(&l, call, age_of(call))) {
        return;
    }
    AUTO_FREE struct order *rows = rows_for(&l, sizeof(*rows));
    const struct order_query query = {.symbol = api_symbol(call),
                                      .state = api_text(call, "state"),
                                      .since_us = api_time_us(call, "since"),
                                      .until_us = api_time_us(call, "until"),
                                      .run_id = api_number(call, "run", 0),
                                      .before = l.after[0] != '\0' ? l.after : NULL};
    int rc = api_need_trading(&call->listener->stores, &err);
    rc = rc < 0 ? rc
                : order_table_list(call->listener->stores.trading, &query, rows, l.limit + 1, &err);
    for (int i = 0; i < rc && api_list_next(&l); i++) {
        api_list_item(&l);
        model_json_order(&l.answer.out, &rows[i]);
        api_list_item_end(&l);
        (void)str_copy(str_c(rows[i].client_id), l.key, sizeof(l.key));
    }
    api_list_end(&l, rc, &err);
}

/* ---------------------------------------------------------------- equity and candles */

static int64_t until_of(const struct api_list *l)
{
    int64_t until_us = api_time_us(l->call, "until"), after_us = api_list_after(l);
    until_us = until_us == 0 ? INT64_MAX : until_us;
    return after_us != 0 && after_us < until_us ? after_us : until_us;
}

/* The newest first, as every list; the table gives them in the order of time. */
void api_equity_handle(struct api_call *call)
{
    struct api_list l;
    struct err err = {0};
    if (!api_list_begin(&l, call, age_of(call))) {
        return;
    }
    AUTO_FREE struct equity_point *rows = rows_for(&l, sizeof(*rows));
    int rc = api_need_trading(&call->listener->stores, &err);
    rc = rc < 0 ? rc
                : equity_table_list(call->listener->stores.trading, api_time_us(call, "since"),
                                    until_of(&l), rows, l.limit + 1, &err);
    for (int i = rc - 1; i >= 0 && api_list_next(&l); i--) {
        api_list_item(&l);
        json_out_time(&l.answer.out, "at", rows[i].at_us);
        json_out_dec(&l.answer.out, "equity", rows[i].equity);
        json_out_dec(&l.answer.out, "cash", rows[i].cash);
        json_out_dec(&l.answer.out, "realised_pnl", rows[i].realised);
        api_list_item_end(&l);
        api_list_key(&l, rows[i].at_us);
    }
    api_list_end(&l, rc, &err);
}

void api_candles_handle(struct api_call *call)
{
    struct api_list l;
    struct err err = {0};
    if (!api_list_begin(&l, call, age_of(call))) {
        return;
    }
    AUTO_FREE struct candle *rows = rows_for(&l, sizeof(*rows));
    int rc = api_need_trading(&call->listener->stores, &err);
    rc = rc < 0 ? rc
                : candle_table_between(call->listener->stores.trading, api_symbol(call),
                                       api_time_us(call, "since"), until_of(&l), rows, l.limit + 1,
                                       &err);
    for (int i = rc - 1; i >= 0 && api_list_next(&l); i--) {
        api_list_item(&l);
        json_out_time(&l.answer.out, "opened_at", rows[i].open_us);
        json_out_dec(&l.answer.out, "open", rows[i].open);
        json_out_dec(&l.answer.out, "high", rows[i].high);
        json_out_dec(&l.answer.out, "low", rows[i].low);
        json_out_dec(&l.answer.out, "close", rows[i].close);
        json_out_dec(&l.answer.out, "volume", rows[i].volume);
        api_list_item_end(&l);
        api_list_key(&l, rows[i].open_us);
    }
    api_list_end(&l, rc, &err);
}

/* ---------------------------------------------------------------- decisions */

void api_decisions_handle(struct api_call *call)
{
    struct api_list l;
    struct err err = {0};
    bool votes = strcmp(api_text(call, "votes"), "true") == 0;
    if (!api_list_begin(&l, call, age_of(call))) {
        return;
    }
    l.limit = votes && l.limit > VOTES_LIMIT ? VOTES_LIMIT : l.limit;
    AUTO_FREE struct decision *rows = rows_for(&l, sizeof(*rows));
    const struct decision_query query = {.symbol = api_symbol(call),
                                         .outcome = api_text(call, "outcome"),
                                         .since_us = api_time_us(call, "since"),
                                         .until_us = api_time_us(call, "until"),
                                         .before_id = api_list_after(&l)};
    int rc = api_need_trading(&call->listener->stores, &err);
    rc = rc < 0
             ? rc
             : decision_table_list(call->listener->stores.trading, &query, rows, l.limit + 1, &err);
    for (int i = 0; i < rc && api_list_next(&l); i++) {
        api_list_item(&l);
        model_json_decision(&l.answer.out, &rows[i]);
        if (votes) {
            model_json_votes(&l.answer.out, "votes", &rows[i]);
        }
        api_list_item_end(&l);
        api_list_key(&l, rows[i].id);
    }
    api_list_end(&l, rc, &err);
}

void api_decision_handle(struct api_call *call)
{
    struct api_answer a;
    struct err err = {0};
    AUTO_FREE struct decision *d = calloc(1, sizeof(*d));
    NEED_MEMORY(d != NULL);
    int rc = api_need_trading(&call->listener->stores, &err);
    rc = rc < 0 ? rc
                : decision_table_get(call->listener->stores.trading, api_number(call, "id", 0), d,
                                     &err);
    if (rc < 0) {
        api_answer_err(call->request, &err);
        return;
    }
    api_answer_begin(&a, call->route->answer, age_of(call));
    json_out_object(&a.out, "decision");
    model_json_decision(&a.out, d);
    model_json_votes(&a.out, "votes", d);
    api_answer_send(&a, call->request);
}
