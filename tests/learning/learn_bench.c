/*
 * What the learner proposes in markets of noise, and in markets with one planted regularity.
 *
 *     learn_bench [--quick | SEEDS]        SEEDS: other markets, of seeds from this number on
 *
 * Each market is a history of closed trades from a seed (rigs/market_rig.h), written to trading.db
 * as the engine does, some at a time; the learner of the program looks back at each trade, studies
 * when its schedule says so, and asks an engine for rules. So the figures include that it looks
 * again and again. --quick: a few seeds, for `make test`. Prints TAP and two tables; fails if
 * noise is proposed, if a rule is activated, or if less than 90 % of the planted ones are proposed.
 */
#include "base/check.h"
#include "base/log.h"
#include "io/secret.h"
#include "rigs/learner_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOISE_TRADES 3000
#define PLANT_TRADES 4500
#define STEP         40
#define NOISE        200
#define PLANTED      50
#define QUICK_NOISE  5
#define QUICK_PLANTS 4

struct totals {
    int markets;
    int64_t studies;
    int64_t tests;
    int64_t survived;
    int64_t refuted; /* survived the forming part, and was refuted by the held-out part */
    int proposed;    /* markets with a rule */
    int right;       /* markets with the planted rule */
    int64_t others;  /* rules besides the planted one */
    int active;
    int64_t trades_until; /* summed over `right` */
};

static int failed;
static int tests;

static void expect(bool ok, const char *what)
{
    printf("%s %d - learning: %s\n", ok ? "ok" : "not ok", ++tests, what);
    failed += !ok;
}

static bool has_rule(const struct learner_rig *rig, const char *condition)
{
    for (int i = 0; i < rig->book.rule_count; i++) {
        const struct rule *rule = &rig->book.rules[i];
        if (rule->effect == RULE_AVOID && strcmp(rule->condition, condition) == 0) {
            return true;
        }
    }
    return false;
}

static void add_reviews(const struct learner_rig *rig, struct totals *totals)
{
    struct learning_review review;
    for (int64_t id = 1; learning_table_get_review(rig->store, id, &review, NULL) == 0; id++) {
        totals->studies++;
        totals->tests += review.tried;
        totals->survived += review.survivors;
        totals->refuted += review.survivors - review.confirmed;
    }
}

static void run(const struct market *market, struct totals *totals)
{
    struct learner_rig *rig = calloc(1, sizeof(*rig));
    ASSERT(rig != NULL);
    learner_rig_open(rig, market);
    rig->step = STEP;
    const char *wanted = market->planted ? market_planted(market) : "";
    size_t until = 0;
    size_t trades = market->planted ? PLANT_TRADES : NOISE_TRADES;
    for (size_t closed = STEP; closed <= trades; closed += STEP) {
        learner_rig_trade(rig, closed);
        if (until == 0 && has_rule(rig, wanted)) {
            until = closed;
        }
    }
    totals->markets++;
    totals->proposed += rig->book.rule_count > 0;
    totals->active += learner_rig_rules(rig, RULE_ACTIVE);
    totals->right += until > 0;
    totals->trades_until += (int64_t)until;
    totals->others += rig->book.rule_count - (until > 0);
    add_reviews(rig, totals);
    learner_rig_close(rig);
    free(rig);
}

static void add(struct totals *to, const struct totals *from)
{
    to->markets += from->markets;
    to->studies += from->studies;
    to->tests += from->tests;
    to->survived += from->survived;
    to->refuted += from->refuted;
    to->proposed += from->proposed;
    to->right += from->right;
    to->others += from->others;
    to->active += from->active;
    to->trades_until += from->trades_until;
}

static void run_noise(int markets, uint64_t seeds, struct totals *ret)
{
    static const char *const names[] = {
        [MARKET_EVEN] = "half win",          [MARKET_RARE] = "three of ten win",
        [MARKET_STREAKS] = "streaks",        [MARKET_TOGETHER] = "hours end alike",
        [MARKET_DRIFT] = "wins come and go",
    };
    printf("# noise              markets studies   tests survived refuted proposed\n");
    for (int kind = 0; kind < MARKET_NOISE; kind++) {
        struct totals t = {0};
        for (int i = 0; i < markets / MARKET_NOISE; i++) {
            const struct market market = {.seed = seeds + (uint64_t)(100 * kind + i + 1),
                                          .kind = (enum market_kind)kind};
            run(&market, &t);
        }
        printf("# %-18s %7d %7lld %7lld %8lld %7lld %8d\n", names[kind], t.markets,
               (long long)t.studies, (long long)t.tests, (long long)t.survived,
               (long long)t.refuted, t.proposed);
        (void)fflush(stdout);
        add(ret, &t);
    }
}

static void run_planted(int markets, uint64_t seeds, struct totals *ret)
{
    static const char *const names[] = {[PLANTED_HOUR] = "an hour",
                                        [PLANTED_SYMBOL_SIDE] = "a symbol and side",
                                        [PLANTED_ZONE] = "a zone of rsi14",
                                        [PLANTED_SIDE] = "a side"};
    struct totals by_plant[PLANTED_COUNT] = {{0}};
    for (int i = 0; i < markets; i++) {
        const struct market market = {.seed = seeds + (uint64_t)(1000 + i),
                                      .planted = true,
                                      .plant = (enum plant)(i % PLANTED_COUNT)};
        run(&market, &by_plant[market.plant]);
    }
    printf("# planted            markets proposed others after trades (average)\n");
    for (int plant = 0; plant < PLANTED_COUNT; plant++) {
        const struct totals *t = &by_plant[plant];
        printf("# %-18s %7d %8d %6lld %8lld\n", names[plant], t->markets, t->right,
               (long long)t->others, (long long)(t->right > 0 ? t->trades_until / t->right : 0));
        add(ret, t);
    }
}

int main(int argc, char **argv)
{
    bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    uint64_t seeds = argc > 1 && !quick ? strtoull(argv[1], NULL, 10) : 0;
    struct totals noise = {0};
    struct totals planted = {0};
    char text[128];
    ASSERT(secret_init(NULL) == 0);
    log_set_level(LOG_LEVEL_ERROR);
    run_noise(quick ? QUICK_NOISE : NOISE, seeds, &noise);
    (void)snprintf(text, sizeof(text), "rules are proposed in %d of %d markets of noise",
                   noise.proposed, noise.markets);
    expect(noise.proposed == 0, text);
    run_planted(quick ? QUICK_PLANTS : PLANTED, seeds, &planted);
    (void)snprintf(text, sizeof(text), "%d of %d planted rules are proposed", planted.right,
                   planted.markets);
    expect(10 * planted.right >= 9 * planted.markets, text);
    (void)snprintf(text, sizeof(text), "%d rules are activated without a person",
                   noise.active + planted.active);
    expect(noise.active + planted.active == 0, text);
    printf("1..%d\n", tests);
    return failed > 0;
}
