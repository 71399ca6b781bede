#include "trades.h"

#include "base/check.h"
#include "base/clock.h"
#include "names.h"
#include "report/rate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_SHOWN 20
#define EXITS_MAX    16
#define HOURS        24
#define SIZES        8
#define OUTLIER_P    0.05

/* Kept small: each trade is added to six of them. */
struct tally {
    int64_t count;
    int64_t wins;
    int64_t pnl_e8;
    int64_t fees_e8;
    int64_t held_us;
    double size; /* sum of the notionals */
    char name[32];
};

struct period {
    struct tally sum;
    int64_t losses;
    int64_t win_e8;
    int64_t loss_e8;
    int64_t longest_us;
};

struct trades {
    const struct settings *settings;
    int64_t since_us;
    int64_t earlier_us;
    int64_t ever;        /* the number of all trades */
    int64_t ever_pnl_e8; /* their profit */
    bool overflowed;     /* which is too large */
    struct period now;
    struct period earlier;
    struct tally exits[EXITS_MAX];
    struct names exit_names;
    struct tally hours[HOURS];
    struct tally tiers[TIERS];
    struct tally sides[2];
    struct tally sizes[SIZES];
    struct tally symbols[SYMBOLS_LIMIT];
    int tier_of[SYMBOLS_LIMIT];
    int64_t loss_closed_us[SYMBOLS_LIMIT]; /* of the symbol's last loss; 0: none */
    struct names symbol_names;
    struct tally after_cooldown;
    struct tally other;
    int64_t streak; /* > 0: wins in a row up to now, < 0: losses */
    int64_t longest_win;
    int64_t longest_loss;
};

/* Upper bounds of the size classes, in quote currency. */
static const struct {
    const char *name;
    double below;
} size_classes[SIZES] = {{"below_10", 10},        {"below_100", 100},    {"below_1000", 1e3},
                         {"below_10000", 1e4},    {"below_100000", 1e5}, {"below_1000000", 1e6},
                         {"below_10000000", 1e7}, {"above", INFINITY}};

/* ------------------------------------------------------------------ the pass */

static inline void tally(struct tally *t, const struct tally *trade)
{
    t->count += trade->count;
    t->wins += trade->wins;
    t->pnl_e8 += trade->pnl_e8;
    t->fees_e8 += trade->fees_e8;
    t->held_us += trade->held_us;
    t->size += trade->size;
}

/* All but the sum. */
static void tally_period(struct period *p, const struct tally *trade)
{
    if (trade->pnl_e8 > 0) {
        p->win_e8 += trade->pnl_e8;
    } else if (trade->pnl_e8 < 0) {
        p->losses++;
        p->loss_e8 += trade->pnl_e8;
    }
    p->longest_us = trade->held_us > p->longest_us ? trade->held_us : p->longest_us;
}

static int tier_of(const struct settings *settings, const char *symbol)
{
    for (int i = 0; i < TIERS - 1; i++) {
        for (int k = 0; k < settings->tiers[i].symbol_count; k++) {
            if (strcmp(settings->tiers[i].symbols[k].name, symbol) == 0) {
                return i;
            }
        }
    }
    return TIERS - 1;
}

static int find_symbol(struct trades *trades, struct str name)
{
    bool fresh = false;
    int index = names_index(&trades->symbol_names, name, &fresh);
    if (fresh) {
        char *shown = trades->symbols[index].name;
        str_cut(name, shown, sizeof(trades->symbols[index].name));
        trades->tier_of[index] = tier_of(trades->settings, shown);
    }
    return index;
}

static struct tally *find_exit(struct trades *trades, struct str name)
{
    bool fresh = false;
    struct tally *exit = &trades->exits[names_index(&trades->exit_names, name, &fresh)];
    if (fresh) {
        str_cut(name, exit->name, sizeof(exit->name));
    }
    return exit;
}

static void count_streak(struct trades *trades, const struct tally *trade)
{
    if (trade->wins > 0) {
        trades->streak = trades->streak > 0 ? trades->streak + 1 : 1;
        trades->longest_win =
            trades->streak > trades->longest_win ? trades->streak : trades->longest_win;
    } else if (trade->pnl_e8 < 0) {
        trades->streak = trades->streak < 0 ? trades->streak - 1 : -1;
        trades->longest_loss =
            -trades->streak > trades->longest_loss ? -trades->streak : trades->longest_loss;
    }
}

static void add_ever(struct trades *trades, int64_t count, int64_t pnl_e8)
{
    trades->ever += count;
    if (__builtin_add_overflow(trades->ever_pnl_e8, pnl_e8, &trades->ever_pnl_e8)) {
        trades->overflowed = true;
    }
}

/* The columns of TRADES_SQL. */
enum column { EXIT_REASON, SYMBOL, SIDE, QTY, ENTRY_PRICE, PNL, FEES, OPENED_US, CLOSED_US };

static void take_now(struct trades *trades, struct db_args *args, const struct tally *trade,
                     int symbol, int64_t opened_us)
{
    int64_t hour = (opened_us + trade->held_us) / USEC_PER_HOUR % HOURS;
    int class = 0;
    while (class < SIZES - 1 && trade->size >= size_classes[class].below) {
        class ++;
    }
    tally_period(&trades->now, trade);
    tally(&trades->symbols[symbol], trade);
    tally(find_exit(trades, db_arg_text(args, EXIT_REASON)), trade);
    tally(&trades->hours[hour >= 0 ? hour : 0], trade);
    tally(&trades->sizes[class], trade);
    tally(&trades->sides[str_equal(db_arg_text(args, SIDE), STR_LIT("short")) ? 1 : 0], trade);
    count_streak(trades, trade);
    int64_t cooled_us = trades->loss_closed_us[symbol] + trades->settings->cooldown_us;
    bool soon = trades->loss_closed_us[symbol] > 0 && opened_us >= cooled_us &&
                opened_us - cooled_us <= trades->settings->cooldown_us;
    tally(soon ? &trades->after_cooldown : &trades->other, trade);
}

static void take(struct db_args *args, void *userdata)
{
    struct trades *trades = userdata;
    int64_t pnl_e8 = db_arg_i64(args, PNL);
    int64_t closed_us = db_arg_i64(args, CLOSED_US);
    int64_t opened_us = db_arg_i64(args, OPENED_US);
    add_ever(trades, 1, pnl_e8);
    if (closed_us < trades->earlier_us) {
        return;
    }
    struct tally trade = {.count = 1,
                          .wins = pnl_e8 > 0,
                          .pnl_e8 = pnl_e8,
                          .fees_e8 = db_arg_i64(args, FEES),
                          .held_us = closed_us - opened_us,
                          .size = (double)db_arg_i64(args, QTY) / 1e8 *
                                  (double)db_arg_i64(args, ENTRY_PRICE) / 1e8};
    int symbol = find_symbol(trades, db_arg_text(args, SYMBOL));
    if (closed_us < trades->since_us) {
        tally(&trades->earlier.sum, &trade);
        tally_period(&trades->earlier, &trade);
    } else {
        take_now(trades, args, &trade, symbol, opened_us);
    }
    if (pnl_e8 < 0) {
        trades->loss_closed_us[symbol] = closed_us;
    }
}

/* What follows from the groups. */
static void sum_up(struct trades *trades)
{
    tally(&trades->now.sum, &trades->sides[0]);
    tally(&trades->now.sum, &trades->sides[1]);
    for (int i = 0; i < trades->symbol_names.count; i++) {
        tally(&trades->tiers[trades->tier_of[i]], &trades->symbols[i]);
    }
}

/* ------------------------------------------------------------------ writing */

static void add_e8(struct json_out *out, const char *key, int64_t e8)
{
    json_out_dec(out, key, (struct dec){e8});
}

/* Four decimals; all decimals for a smaller amount. */
static void add_average(struct json_out *out, const char *key, double sum, int64_t count)
{
    if (count > 0) {
        double value = sum / (double)count;
        json_out_rounded(out, key, value, fabs(value) < 0.001 ? 8 : 4);
    } else {
        json_out_null(out, key);
    }
}

static void add_minutes(struct json_out *out, const char *key, int64_t us, int64_t count)
{
    if (count > 0) {
        json_out_rounded(out, key, (double)us / (double)count / (double)USEC_PER_MIN, 1);
    } else {
        json_out_null(out, key);
    }
}

/* Count, size and duration: a member of "trades". */
static void add_pattern(struct json_out *out, const char *key, const struct tally *t)
{
    json_out_object(out, key);
    json_out_i64(out, "count", t->count);
    add_average(out, "average_size", t->size, t->count);
    add_minutes(out, "average_hold_min", t->held_us, t->count);
    json_out_end(out);
}

/* Win rate and profit: a member of "win_loss". */
static void add_result(struct json_out *out, const char *key, const struct tally *t)
{
    json_out_object(out, key);
    rate_add(out, "win_rate", t->wins, t->count);
    add_e8(out, "pnl", t->pnl_e8);
    add_e8(out, "fees", t->fees_e8);
    json_out_end(out);
}

typedef void (*add_fn)(struct json_out *out, const char *key, const struct tally *t);

static int by_count(const void *a, const void *b)
{
    const struct tally *x = a;
    const struct tally *y = b;
    return x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp(x->name, y->name);
}

/* The most frequent groups, and the sum of the others as "rest". */
static void add_groups(struct json_out *out, const char *key, const struct tally *groups, int count,
                       add_fn add)
{
    struct tally rest = {.name = "rest"};
    json_out_object(out, key);
    for (int i = 0; i < count; i++) {
        if (groups[i].count == 0) {
            continue;
        }
        if (i < GROUPS_SHOWN) {
            add(out, groups[i].name, &groups[i]);
            continue;
        }
        tally(&rest, &groups[i]);
    }
    if (rest.count > 0) {
        add(out, "rest", &rest);
    }
    json_out_end(out);
}

static void add_all_groups(struct json_out *out, const struct trades *trades, add_fn add)
{
    add_groups(out, "by_symbol", trades->symbols, trades->symbol_names.count, add);
    add_groups(out, "by_exit", trades->exits, trades->exit_names.count, add);
    add_groups(out, "by_tier", trades->tiers, TIERS, add);
    add_groups(out, "by_side", trades->sides, 2, add);
    json_out_object(out, "by_hour"); /* all of them: 24 are few */
    for (int i = 0; i < HOURS; i++) {
        if (trades->hours[i].count > 0) {
            add(out, trades->hours[i].name, &trades->hours[i]);
        }
    }
    json_out_end(out);
}

static int add_recent(struct source *source, struct json_out *out, struct err *err)
{
    json_out_object(out, "recent");
    int rc = source_rows(source->trading, out,
                         "SELECT 'trade-' || id, symbol, side, qty AS qty_e8,"
                         " entry_price AS entry_price_e8, exit_price AS exit_price_e8,"
                         " pnl AS pnl_e8, fees AS fees_e8, opened_us AS opened_at,"
                         " closed_us AS closed_at, (closed_us - opened_us) / 6e7 AS held_min,"
                         " exit_reason, decision_id FROM trades"
                         " WHERE closed_us >= fact('since_us')"
                         " ORDER BY closed_us DESC, id DESC LIMIT 20",
                         err);
    json_out_end(out);
    return rc;
}

static int add_patterns(struct source *source, struct json_out *out, const struct trades *trades,
                        struct err *err)
{
    const struct tally *all = &trades->now.sum;
    json_out_object(out, "trades");
    json_out_i64(out, "count", all->count);
    json_out_i64(out, "symbols", trades->symbol_names.count);
    add_average(out, "average_size", all->size, all->count);
    add_minutes(out, "average_hold_min", all->held_us, all->count);
    add_minutes(out, "longest_hold_min", trades->now.longest_us, all->count > 0);
    add_all_groups(out, trades, add_pattern);
    add_groups(out, "by_size", trades->sizes, SIZES, add_pattern);
    int rc = add_recent(source, out, err);
    json_out_end(out);
    return rc;
}

static void add_overall(struct json_out *out, const struct period *p)
{
    const struct tally *all = &p->sum;
    json_out_i64(out, "wins", all->wins);
    json_out_i64(out, "losses", p->losses);
    rate_add(out, "win_rate", all->wins, all->count);
    add_e8(out, "gross_profit", p->win_e8);
    add_e8(out, "gross_loss", p->loss_e8);
    add_e8(out, "net", all->pnl_e8);
    add_e8(out, "fees", all->fees_e8);
    add_average(out, "average_win", (double)p->win_e8 / 1e8, all->wins);
    add_average(out, "average_loss", (double)p->loss_e8 / 1e8, p->losses);
    if (p->loss_e8 < 0) {
        json_out_rounded(out, "profit_factor", -(double)p->win_e8 / (double)p->loss_e8, 3);
    }
}

static void add_win_loss(struct json_out *out, const struct trades *trades)
{
    json_out_object(out, "win_loss");
    add_overall(out, &trades->now);
    json_out_object(out, "streak");
    json_out_i64(out, "wins_now", trades->streak > 0 ? trades->streak : 0);
    json_out_i64(out, "losses_now", trades->streak < 0 ? -trades->streak : 0);
    json_out_i64(out, "longest_wins", trades->longest_win);
    json_out_i64(out, "longest_losses", trades->longest_loss);
    json_out_end(out);
    add_all_groups(out, trades, add_result);
    json_out_object(out, "cooldown"); /* do trades soon after one fare better? */
    add_result(out, "soon_after", &trades->after_cooldown);
    add_result(out, "other", &trades->other);
    json_out_end(out);
    json_out_end(out);
}

/* ------------------------------------------------------------------ outliers */

struct outlier {
    const char *kind;
    const struct tally *group;
    double p;
};

static int by_p(const void *a, const void *b)
{
    const struct outlier *x = a;
    const struct outlier *y = b;
    return x->p < y->p ? -1 : x->p > y->p;
}

static int collect_outliers(const struct trades *trades, const struct tally *groups, int count,
                            const char *kind, struct outlier *ret)
{
    int found = 0;
    for (int i = 0; i < count; i++) {
        const struct tally *group = &groups[i];
        if (group->count >= RATE_FEW_SAMPLES) {
            ret[found++] = (struct outlier){kind, group,
                                            rate_p(group->wins, group->count,
                                                   trades->now.sum.wins - group->wins,
                                                   trades->now.sum.count - group->count)};
        }
    }
    return found;
}

/* The symbols and hours whose win rate differs from that of the rest, at a family-wise error of 5 %
 * (Holm 1979): the smallest p of m is multiplied by m, the next by m - 1, until one fails. */
static void add_outliers(struct json_out *out, const struct trades *trades)
{
    struct outlier outliers[SYMBOLS_LIMIT + HOURS];
    int count =
        collect_outliers(trades, trades->symbols, trades->symbol_names.count, "symbol", outliers);
    count += collect_outliers(trades, trades->hours, HOURS, "hour", outliers + count);
    qsort(outliers, (size_t)count, sizeof(outliers[0]), by_p);
    json_out_object(out, "outliers");
    json_out_i64(out, "groups_compared", count);
    for (int i = 0; i < count && i < GROUPS_SHOWN; i++) {
        double p = outliers[i].p * (count - i);
        if (p >= OUTLIER_P) {
            break;
        }
        const struct tally *group = outliers[i].group;
        char name[64];
        (void)snprintf(name, sizeof(name), "%s-%s", outliers[i].kind, group->name);
        json_out_object(out, name);
        rate_add(out, "win_rate", group->wins, group->count);
        rate_add(out, "rest_win_rate", trades->now.sum.wins - group->wins,
                 trades->now.sum.count - group->count);
        json_out_rounded(out, "p_holm", p, 6);
        json_out_end(out);
    }
    json_out_end(out);
}

/* ------------------------------------------------------------------ all of it */

/* Trades get their ids as they close, so the table is read from a little before the first one of
 * the period on, which is far faster than by the index of closing times. A row with another time
 * than its neighbours is found by the invariants. */
#define FIRST_SQL                                                                          \
    "SELECT coalesce(min(id) - 1000, (SELECT max(id) + 1 FROM trades), 0) FROM (SELECT id" \
    " FROM trades WHERE closed_us >= ? ORDER BY closed_us LIMIT 100)"
#define BEFORE_SQL "SELECT count(*), sum(pnl) FROM trades WHERE id < ?"
/* Without an index the rows come by their ids. The last column of the table is read first, so that
 * SQLite looks once for where the columns of a row are. */
#define TRADES_SQL                                                                   \
    "SELECT each(exit_reason, symbol, side, qty, entry_price, pnl, fees, opened_us," \
    " closed_us) FROM trades NOT INDEXED WHERE id >= ?"

struct trades *trades_new(const struct settings *settings, int64_t since_us, int64_t earlier_us)
{
    struct trades *trades = calloc(1, sizeof(*trades));
    NEED_MEMORY(trades != NULL);
    trades->settings = settings;
    trades->since_us = since_us;
    trades->earlier_us = earlier_us;
    trades->symbol_names.max = SYMBOLS_LIMIT;
    trades->exit_names.max = EXITS_MAX;
    for (int i = 0; i < HOURS; i++) {
        (void)snprintf(trades->hours[i].name, sizeof(trades->hours[i].name), "%02d", i);
    }
    for (int i = 0; i < TIERS; i++) {
        (void)snprintf(trades->tiers[i].name, sizeof(trades->tiers[i].name), "tier_%d", i + 1);
    }
    for (int i = 0; i < SIZES; i++) {
        (void)str_copy(str_c(size_classes[i].name), trades->sizes[i].name, 32);
    }
    (void)str_copy(STR_LIT("long"), trades->sides[0].name, 32);
    (void)str_copy(STR_LIT("short"), trades->sides[1].name, 32);
    return trades;
}

void trades_free(struct trades *trades)
{
    free(trades);
}

/* SQLite fails if the sum overflows, which is nothing that the other figures need. */
static int read_before(struct trades *trades, struct db *db, int64_t first, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(db, BEFORE_SQL, DB_VALUES(DB_I64(first)), &rows, err);
    if (rc == 0 && db_next(rows, NULL) > 0) {
        add_ever(trades, db_i64(rows, 0), db_i64(rows, 1));
    } else {
        trades->overflowed = true;
    }
    return rc;
}

int trades_read(struct trades *trades, struct db *db, struct err *err)
{
    int64_t first = 0;
    int rc = db_get_i64(db, FIRST_SQL, DB_VALUES(DB_I64(trades->earlier_us)), 0, &first, err);
    rc = rc < 0 ? rc : read_before(trades, db, first, err);
    rc = rc < 0 ? rc : db_each(db, TRADES_SQL, DB_VALUES(DB_I64(first)), take, trades, err);
    sum_up(trades);
    return rc;
}

int trades_add(struct trades *trades, struct source *source, struct json_out *out, struct err *err)
{
    /* The names point into the unsorted groups, and are not needed any more. */
    qsort(trades->symbols, (size_t)trades->symbol_names.count, sizeof(trades->symbols[0]),
          by_count);
    qsort(trades->exits, (size_t)trades->exit_names.count, sizeof(trades->exits[0]), by_count);
    int rc = add_patterns(source, out, trades, err);
    add_win_loss(out, trades);
    add_outliers(out, trades);
    json_out_object(out, "earlier");
    json_out_i64(out, "trades", trades->earlier.sum.count);
    add_overall(out, &trades->earlier);
    json_out_end(out);
    if (!trades->overflowed) {
        source_fact_i64(source, "trades_count", trades->ever);
        source_fact_i64(source, "trades_pnl_e8", trades->ever_pnl_e8);
    }
    return rc;
}
