#include "base/check.h"
#include "base/clock.h"
#include "io/db.h"
#include "recommend_internal.h"
#include "store/reflection_table.h"

#include <math.h>
#include <stdlib.h>

#define PAGE 100 /* reflections */

static int read_symbols(struct advisor *a, struct db *db, int64_t since_us, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(db,
                      "SELECT symbol FROM trades WHERE closed_us >= ?1 GROUP BY symbol"
                      " ORDER BY count(*) DESC, symbol LIMIT ?2",
                      DB_VALUES(DB_I64(since_us), DB_I64(ADVICE_SYMBOLS_MAX)), &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        if (symbol_parse(db_text(rows, 0), &a->symbols[a->symbol_count])) {
            a->symbol_count++;
        }
    }
    return rc < 0 ? rc : 0;
}

static int symbol_index(const struct advisor *a, struct str name)
{
    for (int i = 0; i < a->symbol_count; i++) {
        if (str_equal_c(name, a->symbols[i].name)) {
            return i;
        }
    }
    return ADVICE_SYMBOLS_MAX;
}

static void add_trade(struct advisor *a, struct db_rows *rows)
{
    struct advice_trade *t = &a->trades[a->trade_count];
    *t = (struct advice_trade){.id = db_i64(rows, 0),
                               .symbol = symbol_index(a, db_text(rows, 1)),
                               .pnl = dec_to_double(db_dec(rows, 3)),
                               .fees = dec_to_double(db_dec(rows, 4)),
                               .notional =
                                   dec_to_double(db_dec(rows, 5)) * dec_to_double(db_dec(rows, 6)),
                               .opened_us = db_i64(rows, 7),
                               .closed_us = db_i64(rows, 8),
                               .best_pct = (double)NAN,
                               .worst_pct = (double)NAN};
    bool whole = isfinite(t->pnl) && isfinite(t->fees) && t->notional > 0;
    if (whole && side_parse(db_text(rows, 2), &t->side)) {
        a->trade_count++;
    }
}

static int read_trades(struct advisor *a, struct db *db, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int64_t newest_us = 0;
    int rc = db_get_i64(db, "SELECT max(closed_us) FROM trades", DB_NO_VALUES, 0, &newest_us, err);
    int64_t since_us = newest_us - ADVICE_DAYS * USEC_PER_DAY;
    rc = rc < 0 ? rc : read_symbols(a, db, since_us, err);
    rc = rc < 0 ? rc
                : db_query(db,
                           "SELECT * FROM (SELECT id, symbol, side, pnl, fees, qty, entry_price,"
                           " opened_us, closed_us FROM trades WHERE closed_us >= ?1"
                           " ORDER BY closed_us DESC, id DESC LIMIT ?2) ORDER BY closed_us, id",
                           DB_VALUES(DB_I64(since_us), DB_I64(ADVICE_TRADES_MAX)), &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        add_trade(a, rows);
    }
    return rc < 0 ? rc : 0;
}

static int compare_id(const void *x, const void *y)
{
    const struct advice_trade *const *a = x, *const *b = y;
    return ((*a)->id > (*b)->id) - ((*a)->id < (*b)->id);
}

/* A trade of an earlier trading.db may have had the same id: its time tells it apart. */
static int read_excursions(struct advisor *a, struct ops_store *ops, struct err *err)
{
    struct advice_trade **by_id = calloc((size_t)a->trade_count + 1, sizeof(struct advice_trade *));
    struct reflection *page = calloc(PAGE, sizeof(*page));
    NEED_MEMORY(by_id != NULL && page != NULL);
    for (int i = 0; i < a->trade_count; i++) {
        by_id[i] = &a->trades[i];
    }
    qsort(by_id, (size_t)a->trade_count, sizeof(by_id[0]), compare_id);
    int got = PAGE;
    for (size_t offset = 0; got == PAGE && offset < REFLECTIONS_KEPT; offset += PAGE) {
        got = reflection_table_list(ops, offset, page, PAGE, err);
        for (int i = 0; i < got; i++) {
            const struct advice_trade wanted = {.id = page[i].trade_id}, *key = &wanted;
            struct advice_trade **found =
                bsearch(&key, by_id, (size_t)a->trade_count, sizeof(by_id[0]), compare_id);
            if (found != NULL && (*found)->closed_us == page[i].closed_us) {
                (*found)->best_pct = page[i].best_pct;
                (*found)->worst_pct = page[i].worst_pct;
            }
        }
    }
    free(by_id);
    free(page);
    return got < 0 ? got : 0;
}

int advisor_read(struct advisor *a, struct trading_store *trading, struct ops_store *ops,
                 struct err *err)
{
    a->trades = calloc(ADVICE_TRADES_MAX, sizeof(*a->trades));
    a->values = calloc(ADVICE_TRADES_MAX, sizeof(*a->values));
    NEED_MEMORY(a->trades != NULL && a->values != NULL);
    int rc = trading == NULL ? 0 : read_trades(a, trading_store_db(trading), err);
    return rc < 0 || ops == NULL ? rc : read_excursions(a, ops, err);
}
