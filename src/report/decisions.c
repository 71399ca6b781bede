#include "decisions.h"

#include "base/check.h"
#include "base/clock.h"
#include "names.h"
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
    struct names names;
    struct group items[SYMBOLS_LIMIT];
};

struct pass {
    int64_t since_us;
    int64_t count, holds, vetoed, entries, closes;
    int64_t earlier, earlier_vetoed;
    int64_t first_us, last_us;
    double max_score, earlier_max_score, threshold;
    struct groups symbols, codes;
};

static struct group *find(struct groups *groups, struct str name)
{
    bool fresh = false;
    struct group *group = &groups->items[names_index(&groups->names, name, &fresh)];
    if (fresh) {
        *group = (struct group){.least = INFINITY, .most = -INFINITY};
        str_cut(name, group->name, sizeof(group->name));
    }
    return group;
}

/* The columns of DECISIONS_SQL. */
enum column { SYMBOL, AT_US, SCORE, THRESHOLD, OUTCOME, VETO_CODE, STOP };

static void take(struct db_args *args, void *userdata)
{
    struct pass *pass = userdata;
    struct str outcome = db_arg_text(args, OUTCOME);
    bool vetoed = str_equal(outcome, STR_LIT("vetoed"));
    int64_t at_us = db_arg_i64(args, AT_US);
    double score = db_arg_double(args, SCORE);
    if (at_us < pass->since_us) {
        pass->earlier++;
        pass->earlier_vetoed += vetoed;
        pass->earlier_max_score = fmax(pass->earlier_max_score, fabs(score));
        return;
    }
    bool order = str_equal(outcome, STR_LIT("order"));
    bool entry = order && db_arg_i64(args, STOP) > 0; /* a close has no stop */
    struct group *symbol = find(&pass->symbols, db_arg_text(args, SYMBOL));
    pass->count++;
    pass->holds += !vetoed && !order;
    pass->vetoed += vetoed;
    pass->entries += entry;
    pass->closes += order && !entry;
    pass->first_us = pass->first_us == 0 || at_us < pass->first_us ? at_us : pass->first_us;
    pass->last_us = at_us > pass->last_us ? at_us : pass->last_us;
    pass->max_score = fmax(pass->max_score, fabs(score));
    pass->threshold = fmin(pass->threshold, db_arg_double(args, THRESHOLD));
    symbol->count++;
    symbol->vetoed += vetoed;
    symbol->least = fmin(symbol->least, score);
    symbol->most = fmax(symbol->most, score);
    if (vetoed) {
        struct group *code = find(&pass->codes, db_arg_text(args, VETO_CODE));
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
    for (int i = 0; i < codes->names.count && i < SHOWN; i++) {
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
    for (int i = 0; i < symbols->names.count; i++) {
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

#define DECISIONS_SQL                                                                       \
    "SELECT each(symbol, at_us, score, threshold, outcome, veto_code, stop) FROM decisions" \
    " WHERE id > (SELECT max(id) FROM decisions) - fact('decisions_read')"                  \
    " AND at_us >= fact('earlier_us')"

int decisions_add(struct source *source, struct json_out *out, struct err *err)
{
    struct pass *pass = calloc(1, sizeof(*pass));
    NEED_MEMORY(pass != NULL);
    pass->since_us = json_i64(source->facts, "since_us", 0);
    pass->threshold = INFINITY;
    pass->symbols.names.max = SYMBOLS_LIMIT;
    pass->codes.names.max = CODES_MAX;
    source_fact_i64(source, "decisions_read", DECISIONS_READ);
    int rc = db_each(source->trading, DECISIONS_SQL, DB_NO_VALUES, take, pass, err);
    if (rc == 0) {
        struct group *symbols = pass->symbols.items, *codes = pass->codes.items;
        qsort(symbols, (size_t)pass->symbols.names.count, sizeof(symbols[0]), by_count);
        qsort(codes, (size_t)pass->codes.names.count, sizeof(codes[0]), by_count);
        add_pass(out, pass, json_i64(source->facts, "market_us", 0));
    }
    free(pass);
    return rc;
}
