#include "decisions.h"

#include "base/check.h"
#include "base/clock.h"
#include "model/capacity.h"
#include "report/rate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN     20
#define CODES_MAX 32

struct group {
    char name[32];
    int64_t count;
    int64_t vetoed;
    int64_t last_us;
    double least;
    double most;
};

struct groups {
    int count;
    int max;
    struct group *items;
};

struct pass {
    int64_t count, holds, vetoed, entries, closes;
    int64_t earlier, earlier_vetoed;
    int64_t first_us, last_us;
    double max_score, earlier_max_score, threshold;
    struct groups symbols, codes;
};

/* The group of a name; the last one stands for all that have no room. The newest group is tried
 * first, as decisions of one candle come one after the other. */
static struct group *find(struct groups *groups, struct str name)
{
    for (int i = 0; i < groups->count; i++) {
        if (str_equal_c(name, groups->items[i].name)) {
            return &groups->items[i];
        }
    }
    if (groups->count == groups->max) {
        return &groups->items[groups->max - 1];
    }
    struct group *group = &groups->items[groups->count++];
    *group = (struct group){.least = INFINITY, .most = -INFINITY};
    str_cut(name, group->name, sizeof(group->name));
    return group;
}

static void take(struct pass *pass, struct db_rows *rows, int64_t since_us)
{
    struct str outcome = db_text(rows, 2);
    bool vetoed = str_equal_c(outcome, "vetoed");
    int64_t at_us = db_i64(rows, 1);
    double score = db_double(rows, 3);
    if (at_us < since_us) {
        pass->earlier++;
        pass->earlier_vetoed += vetoed;
        pass->earlier_max_score = fmax(pass->earlier_max_score, fabs(score));
        return;
    }
    bool order = str_equal_c(outcome, "order");
    bool entry = order && db_i64(rows, 5) > 0; /* a close has no stop */
    struct group *symbol = find(&pass->symbols, db_text(rows, 0));
    pass->count++;
    pass->holds += !vetoed && !order;
    pass->vetoed += vetoed;
    pass->entries += entry;
    pass->closes += order && !entry;
    pass->first_us = pass->first_us == 0 || at_us < pass->first_us ? at_us : pass->first_us;
    pass->last_us = at_us > pass->last_us ? at_us : pass->last_us;
    pass->max_score = fmax(pass->max_score, fabs(score));
    pass->threshold = fmin(pass->threshold, db_double(rows, 4));
    symbol->count++;
    symbol->vetoed += vetoed;
    symbol->least = fmin(symbol->least, score);
    symbol->most = fmax(symbol->most, score);
    if (vetoed) {
        struct group *code = find(&pass->codes, db_text(rows, 6));
        code->count++;
        code->last_us = at_us > code->last_us ? at_us : code->last_us;
    }
}

static int by_count(const void *a, const void *b)
{
    const struct group *x = a;
    const struct group *y = b;
    return x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp(x->name, y->name);
}

static void add_vetoes(struct json_out *out, const struct groups *codes)
{
    json_out_object(out, "vetoes");
    for (int i = 0; i < codes->count && i < SHOWN; i++) {
        json_out_object(out, codes->items[i].name);
        json_out_i64(out, "count", codes->items[i].count);
        json_out_time(out, "last_at", codes->items[i].last_us);
        json_out_end(out);
    }
    json_out_end(out);
}

static void add_symbols(struct json_out *out, const struct groups *symbols)
{
    int64_t rest = 0;
    json_out_object(out, "by_symbol");
    for (int i = 0; i < symbols->count; i++) {
        const struct group *symbol = &symbols->items[i];
        if (i >= SHOWN) {
            rest += symbol->count;
            continue;
        }
        json_out_object(out, symbol->name);
        json_out_i64(out, "count", symbol->count);
        json_out_i64(out, "vetoed", symbol->vetoed);
        json_out_rounded(out, "least_score", symbol->least, 6);
        json_out_rounded(out, "most_score", symbol->most, 6);
        json_out_end(out);
    }
    if (rest > 0) {
        json_out_object(out, "rest");
        json_out_i64(out, "count", rest);
        json_out_end(out);
    }
    json_out_end(out);
}

static void add_pass(struct json_out *out, const struct pass *pass, int64_t market_us)
{
    json_out_i64(out, "count", pass->count);
    json_out_time(out, "first_at", pass->first_us);
    json_out_i64(out, "holds", pass->holds);
    json_out_i64(out, "vetoed", pass->vetoed);
    json_out_i64(out, "entries", pass->entries);
    json_out_i64(out, "closes", pass->closes);
    rate_add(out, "veto_rate", pass->vetoed, pass->vetoed + pass->entries);
    if (pass->count > 0) {
        json_out_rounded(out, "max_abs_score", pass->max_score, 6);
        json_out_rounded(out, "threshold", pass->threshold, 6);
        json_out_rounded(out, "since_last_min",
                         (double)(market_us - pass->last_us) / (double)USEC_PER_MIN, 1);
    }
    add_vetoes(out, &pass->codes);
    add_symbols(out, &pass->symbols);
    json_out_object(out, "earlier");
    json_out_i64(out, "count", pass->earlier);
    json_out_i64(out, "vetoed", pass->earlier_vetoed);
    json_out_rounded(out, "max_abs_score", pass->earlier_max_score, 6);
    json_out_end(out);
}

int decisions_add(struct source *source, struct json_out *out, struct err *err)
{
    struct group *groups = calloc(SYMBOLS_LIMIT + CODES_MAX, sizeof(*groups));
    NEED_MEMORY(groups != NULL);
    struct pass pass = {.threshold = INFINITY,
                        .symbols = {.max = SYMBOLS_LIMIT, .items = groups},
                        .codes = {.max = CODES_MAX, .items = groups + SYMBOLS_LIMIT}};
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int64_t since_us = json_i64(source->facts, "since_us", 0);
    source_fact_i64(source, "decisions_read", DECISIONS_READ);
    int rc = db_query(source->trading,
                      "SELECT symbol, at_us, outcome, score, threshold, stop, veto_code"
                      " FROM decisions WHERE id > (SELECT max(id) FROM decisions)"
                      " - fact('decisions_read') AND at_us >= fact('earlier_us')",
                      DB_NO_VALUES, &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        take(&pass, rows, since_us);
    }
    if (rc == 0) {
        qsort(pass.symbols.items, (size_t)pass.symbols.count, sizeof(struct group), by_count);
        qsort(pass.codes.items, (size_t)pass.codes.count, sizeof(struct group), by_count);
        add_pass(out, &pass, json_i64(source->facts, "market_us", 0));
    }
    free(groups);
    return rc;
}
