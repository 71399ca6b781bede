#include "trades.h"

#include "base/check.h"
#include "base/clock.h"
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
/* A power of two well above SYMBOLS_LIMIT, so that a look-up takes one or two steps. */
#define SLOTS 1024

struct tally {
    char name[32];
    int64_t count;
    int64_t wins;
    int64_t losses;
    int64_t pnl_e8;
    int64_t win_e8;
    int64_t loss_e8;
    int64_t fees_e8;
    int64_t held_us;
    int64_t longest_us;
    double size; /* sum of the notionals */
};

struct pass {
    const struct settings *settings;
    struct tally all;
    struct tally earlier;
    struct tally exits[EXITS_MAX];
    int exit_count;
    struct tally hours[HOURS];
    struct tally tiers[TIERS];
    struct tally sides[2];
    struct tally sizes[SIZES];
    struct tally symbols[SYMBOLS_LIMIT];
    int tier_of[SYMBOLS_LIMIT];
    int64_t loss_closed_us[SYMBOLS_LIMIT]; /* of the symbol's last loss; 0: none */
    int symbol_count;
    int slots[SLOTS]; /* index of a symbol + 1; 0: free */
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

static void tally(struct tally *t, const struct tally *trade)
{
    t->count += trade->count;
    t->wins += trade->wins;
    t->losses += trade->losses;
    t->pnl_e8 += trade->pnl_e8;
    t->win_e8 += trade->win_e8;
    t->loss_e8 += trade->loss_e8;
    t->fees_e8 += trade->fees_e8;
    t->held_us += trade->held_us;
    t->longest_us = trade->held_us > t->longest_us ? trade->held_us : t->longest_us;
    t->size += trade->size;
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

/* The index of a symbol; the last one stands for all that have no room. */
static int find_symbol(struct pass *pass, struct str name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < name.len; i++) {
        hash = (hash ^ (unsigned char)name.ptr[i]) * 16777619u;
    }
    size_t at = hash % SLOTS;
    while (pass->slots[at] != 0 && !str_equal_c(name, pass->symbols[pass->slots[at] - 1].name)) {
        at = (at + 1) % SLOTS;
    }
    if (pass->slots[at] == 0) {
        if (pass->symbol_count == SYMBOLS_LIMIT) {
            return SYMBOLS_LIMIT - 1;
        }
        int index = pass->symbol_count++;
        str_cut(name, pass->symbols[index].name, sizeof(pass->symbols[index].name));
        pass->tier_of[index] = tier_of(pass->settings, pass->symbols[index].name);
        pass->slots[at] = index + 1;
    }
    return pass->slots[at] - 1;
}

static struct tally *find_exit(struct pass *pass, struct str name)
{
    for (int i = 0; i < pass->exit_count; i++) {
        if (str_equal_c(name, pass->exits[i].name)) {
            return &pass->exits[i];
        }
    }
    if (pass->exit_count == EXITS_MAX) {
        return &pass->exits[EXITS_MAX - 1];
    }
    struct tally *t = &pass->exits[pass->exit_count++];
    str_cut(name, t->name, sizeof(t->name));
    return t;
}

static void count_streak(struct pass *pass, const struct tally *trade)
{
    if (trade->wins > 0) {
        pass->streak = pass->streak > 0 ? pass->streak + 1 : 1;
        pass->longest_win = pass->streak > pass->longest_win ? pass->streak : pass->longest_win;
    } else if (trade->losses > 0) {
        pass->streak = pass->streak < 0 ? pass->streak - 1 : -1;
        pass->longest_loss =
            -pass->streak > pass->longest_loss ? -pass->streak : pass->longest_loss;
    }
}

static void take(struct pass *pass, struct db_rows *rows, int64_t since_us)
{
    int64_t closed_us = db_i64(rows, 6);
    int64_t opened_us = db_i64(rows, 5);
    int64_t pnl_e8 = db_i64(rows, 3);
    struct tally trade = {.count = 1,
                          .wins = pnl_e8 > 0,
                          .losses = pnl_e8<0, .pnl_e8 = pnl_e8, .win_e8 = pnl_e8> 0 ? pnl_e8 : 0,
                          .loss_e8 = pnl_e8 < 0 ? pnl_e8 : 0,
                          .fees_e8 = db_i64(rows, 4),
                          .held_us = closed_us - opened_us,
                          .size = (double)db_i64(rows, 1) / 1e8 * (double)db_i64(rows, 2) / 1e8};
    int symbol = find_symbol(pass, db_text(rows, 0));
    if (closed_us < since_us) {
        tally(&pass->earlier, &trade);
    } else {
        int64_t hour = closed_us / USEC_PER_HOUR % HOURS;
        int class = 0;
        while (class < SIZES - 1 && trade.size >= size_classes[class].below) {
            class ++;
        }
        tally(&pass->all, &trade);
        tally(&pass->symbols[symbol], &trade);
        tally(&pass->tiers[pass->tier_of[symbol]], &trade);
        tally(find_exit(pass, db_text(rows, 7)), &trade);
        tally(&pass->hours[hour >= 0 ? hour : 0], &trade);
        tally(&pass->sizes[class], &trade);
        tally(&pass->sides[str_equal_c(db_text(rows, 8), "short") ? 1 : 0], &trade);
        count_streak(pass, &trade);
        int64_t cooled_us = pass->loss_closed_us[symbol] + pass->settings->cooldown_us;
        bool soon = pass->loss_closed_us[symbol] > 0 && opened_us >= cooled_us &&
                    opened_us - cooled_us <= pass->settings->cooldown_us;
        tally(soon ? &pass->after_cooldown : &pass->other, &trade);
    }
    if (trade.losses > 0) {
        pass->loss_closed_us[symbol] = closed_us;
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

static void add_all_groups(struct json_out *out, const struct pass *pass, add_fn add)
{
    add_groups(out, "by_symbol", pass->symbols, pass->symbol_count, add);
    add_groups(out, "by_exit", pass->exits, pass->exit_count, add);
    add_groups(out, "by_tier", pass->tiers, TIERS, add);
    add_groups(out, "by_side", pass->sides, 2, add);
    json_out_object(out, "by_hour"); /* all of them: 24 are few */
    for (int i = 0; i < HOURS; i++) {
        if (pass->hours[i].count > 0) {
            add(out, pass->hours[i].name, &pass->hours[i]);
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

static int add_patterns(struct source *source, struct json_out *out, const struct pass *pass,
                        struct err *err)
{
    const struct tally *all = &pass->all;
    json_out_object(out, "trades");
    json_out_i64(out, "count", all->count);
    json_out_i64(out, "symbols", pass->symbol_count);
    add_average(out, "average_size", all->size, all->count);
    add_minutes(out, "average_hold_min", all->held_us, all->count);
    add_minutes(out, "longest_hold_min", all->longest_us, all->count > 0);
    add_all_groups(out, pass, add_pattern);
    add_groups(out, "by_size", pass->sizes, SIZES, add_pattern);
    int rc = add_recent(source, out, err);
    json_out_end(out);
    return rc;
}

static void add_overall(struct json_out *out, const struct tally *all)
{
    json_out_i64(out, "wins", all->wins);
    json_out_i64(out, "losses", all->losses);
    rate_add(out, "win_rate", all->wins, all->count);
    add_e8(out, "gross_profit", all->win_e8);
    add_e8(out, "gross_loss", all->loss_e8);
    add_e8(out, "net", all->pnl_e8);
    add_e8(out, "fees", all->fees_e8);
    add_average(out, "average_win", (double)all->win_e8 / 1e8, all->wins);
    add_average(out, "average_loss", (double)all->loss_e8 / 1e8, all->losses);
    if (all->loss_e8 < 0) {
        json_out_rounded(out, "profit_factor", -(double)all->win_e8 / (double)all->loss_e8, 3);
    }
}

static void add_win_loss(struct json_out *out, const struct pass *pass)
{
    json_out_object(out, "win_loss");
    add_overall(out, &pass->all);
    json_out_object(out, "streak");
    json_out_i64(out, "wins_now", pass->streak > 0 ? pass->streak : 0);
    json_out_i64(out, "losses_now", pass->streak < 0 ? -pass->streak : 0);
    json_out_i64(out, "longest_wins", pass->longest_win);
    json_out_i64(out, "longest_losses", pass->longest_loss);
    json_out_end(out);
    add_all_groups(out, pass, add_result);
    json_out_object(out, "cooldown"); /* do trades soon after one fare better? */
    add_result(out, "soon_after", &pass->after_cooldown);
    add_result(out, "other", &pass->other);
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

static int collect_outliers(const struct pass *pass, const struct tally *groups, int count,
                            const char *kind, struct outlier *ret)
{
    int found = 0;
    for (int i = 0; i < count; i++) {
        const struct tally *group = &groups[i];
        if (group->count >= RATE_FEW_SAMPLES) {
            ret[found++] =
                (struct outlier){kind, group,
                                 rate_p(group->wins, group->count, pass->all.wins - group->wins,
                                        pass->all.count - group->count)};
        }
    }
    return found;
}

/* The symbols and hours whose win rate differs from that of the rest, at a family-wise error of 5 %
 * (Holm 1979): the smallest p of m is multiplied by m, the next by m - 1, until one fails. */
static void add_outliers(struct json_out *out, const struct pass *pass)
{
    struct outlier outliers[SYMBOLS_LIMIT + HOURS];
    int count = collect_outliers(pass, pass->symbols, pass->symbol_count, "symbol", outliers);
    count += collect_outliers(pass, pass->hours, HOURS, "hour", outliers + count);
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
        rate_add(out, "rest_win_rate", pass->all.wins - group->wins,
                 pass->all.count - group->count);
        json_out_rounded(out, "p_holm", p, 6);
        json_out_end(out);
    }
    json_out_end(out);
}

/* ------------------------------------------------------------------ all of it */

/* Trades get their ids as they close, so the table is read from a little before the first one of
 * the period on, which is far faster than by the index of closing times. A row with another time
 * than its neighbours is found by the invariants. */
#define TRADES_SQL                                                                     \
    "SELECT symbol, qty, entry_price, pnl, fees, opened_us, closed_us,"                \
    " exit_reason, side FROM trades WHERE closed_us >= fact('earlier_us')"             \
    " AND id >= (SELECT min(id) - 1000 FROM (SELECT id FROM trades WHERE closed_us >=" \
    " fact('earlier_us') ORDER BY closed_us LIMIT 100)) ORDER BY id"

static void pass_init(struct pass *pass, const struct settings *settings)
{
    pass->settings = settings;
    for (int i = 0; i < HOURS; i++) {
        (void)snprintf(pass->hours[i].name, sizeof(pass->hours[i].name), "%02d", i);
    }
    for (int i = 0; i < TIERS; i++) {
        (void)snprintf(pass->tiers[i].name, sizeof(pass->tiers[i].name), "tier_%d", i + 1);
    }
    for (int i = 0; i < SIZES; i++) {
        (void)str_copy(str_c(size_classes[i].name), pass->sizes[i].name, 32);
    }
    (void)str_copy(STR_LIT("long"), pass->sides[0].name, 32);
    (void)str_copy(STR_LIT("short"), pass->sides[1].name, 32);
}

static int pass_run(struct source *source, struct pass *pass, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int64_t since_us = json_i64(source->facts, "since_us", 0);
    int rc = db_query(source->trading, TRADES_SQL, DB_NO_VALUES, &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        take(pass, rows, since_us);
    }
    return rc;
}

int trades_add(struct source *source, const struct settings *settings, struct json_out *out,
               struct err *err)
{
    struct pass *pass = calloc(1, sizeof(*pass));
    NEED_MEMORY(pass != NULL);
    pass_init(pass, settings);
    int rc = pass_run(source, pass, err);
    if (rc == 0) {
        /* The slots point into the unsorted symbols, and are not needed any more. */
        qsort(pass->symbols, (size_t)pass->symbol_count, sizeof(pass->symbols[0]), by_count);
        qsort(pass->exits, (size_t)pass->exit_count, sizeof(pass->exits[0]), by_count);
        rc = add_patterns(source, out, pass, err);
        add_win_loss(out, pass);
        add_outliers(out, pass);
        json_out_object(out, "earlier");
        json_out_i64(out, "trades", pass->earlier.count);
        add_overall(out, &pass->earlier);
        json_out_end(out);
    }
    free(pass);
    return rc;
}
