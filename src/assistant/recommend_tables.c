/* What rules, services, alerts and the model advise: counts against a rate that is named. */
#include "base/check.h"
#include "base/clock.h"
#include "io/db.h"
#include "recommend_internal.h"
#include "report/exact.h"
#include "report/measure.h"
#include "report/rate.h"
#include "store/rule_table.h"

#include <math.h>
#include <stdio.h>

#define OPS_WEEKS      4
#define OUTAGES_A_WEEK 1.0 /* so many are usual */
#define OUTAGES_LEAST  3
#define NOISE_SHARE    0.5 /* of the alerts of a source */
#define FAILED_SHARE   0.1 /* of the calls of the model */
#define OPS_CASES_MIN  10

/* ------------------------------------------------------------------ rules */

static double average_notional(const struct advisor *a)
{
    double sum = 0;
    for (int i = 0; i < a->trade_count; i++) {
        sum += a->trades[i].notional;
    }
    return a->trade_count > 0 ? sum / a->trade_count : (double)NAN;
}

/* What a rule that avoids has saved in each case if its shadows were right at this rate, in per
 * cent: a loss to the stop was avoided, or a profit to the target. */
static double saved_pct(const struct advisor *a, double rate)
{
    return rate * a->settings.stop_pct - (1 - rate) * a->settings.target_pct;
}

static void weigh_rule(struct advisor *a, const struct rule *rule)
{
    const struct advice_settings *s = &a->settings;
    bool avoids = rule->effect == RULE_AVOID, active = rule->status == RULE_ACTIVE;
    int64_t right = rule->success_count, cases = right + rule->failure_count;
    struct advice advice = {.area = ADVICE_RULES, .group = -1, .cases = cases};
    if (cases == 0 || s->stop_pct <= 0 || s->target_pct <= 0) {
        return;
    }
    double needed = (avoids ? s->target_pct : s->stop_pct) / (s->stop_pct + s->target_pct);
    double low = 0, high = 0, notional = average_notional(a);
    int64_t last_us = a->trade_count > 0 ? a->trades[a->trade_count - 1].closed_us : 0;
    double weeks =
        fmax(1.0 / 7, (double)(last_us - rule->created_us) / (7.0 * (double)USEC_PER_DAY));
    double scale = notional / 100 * (double)cases / weeks * (active ? -1 : 1);
    rate_wilson(right, cases, &low, &high);
    advice.p = exact_binomial(right, cases, needed, active ? EXACT_LESS : EXACT_MORE);
    advice.state = cases < ADVICE_CASES_MIN ? ADVICE_FEW : ADVICE_CHANCE;
    advice.unit = avoids && isfinite(scale) ? ADVICE_USD : ADVICE_UNKNOWN;
    if (advice.unit == ADVICE_USD) {
        advice.effect = scale * saved_pct(a, (double)right / (double)cases);
        advice.low = scale * saved_pct(a, active ? high : low);
        advice.high = scale * saved_pct(a, active ? low : high);
    }
    (void)snprintf(advice.what, sizeof(advice.what), "%s rule %lld: right in %lld of %lld",
                   active ? "Retire" : "Activate", (long long)rule->id, (long long)right,
                   (long long)cases);
    (void)snprintf(advice.basis, sizeof(advice.basis),
                   "by its shadows, at today's stop and target; %.0f %% is needed", 100 * needed);
    (void)snprintf(advice.command, sizeof(advice.command), "/rule_%s %lld",
                   active ? "retire" : "activate", (long long)rule->id);
    advise_add(a, &advice);
}

static int advise_rules(struct advisor *a, struct trading_store *trading, struct err *err)
{
    struct rule rules[RULES_MAX];
    int count = rule_table_list(trading, &(struct rule_query){0}, rules, RULES_MAX, err);
    for (int i = 0; i < count; i++) {
        weigh_rule(a, &rules[i]);
    }
    return count < 0 ? count : 0;
}

/* ------------------------------------------------------------------ services */

static int64_t since_us(const struct advisor *a)
{
    return a->settings.now_us - OPS_WEEKS * 7 * USEC_PER_DAY;
}

static void weigh_service(struct advisor *a, const struct measure_sum *s)
{
    struct advice advice = {
        .area = ADVICE_SERVICES, .group = -1, .unit = ADVICE_PCT, .cases = s->outages};
    int64_t watched_us = s->last_us - s->first_us;
    if (s->outages < OUTAGES_LEAST || watched_us < USEC_PER_DAY) {
        return;
    }
    double weeks = (double)watched_us / (7.0 * (double)USEC_PER_DAY);
    double each = 100 * (double)s->out_us / (double)s->outages / (double)watched_us;
    exact_poisson_interval(s->outages, &advice.low, &advice.high);
    advice.effect = each * (double)s->outages;
    advice.low *= each;
    advice.high *= each;
    advice.p = exact_poisson(s->outages, OUTAGES_A_WEEK * weeks);
    advice.state = ADVICE_CHANCE;
    (void)snprintf(advice.what, sizeof(advice.what), "Look into %.40s: it was down %lld times",
                   s->name, (long long)s->outages);
    (void)snprintf(advice.basis, sizeof(advice.basis),
                   "the time it was down; one outage a week is taken as usual");
    (void)snprintf(advice.command, sizeof(advice.command), "/logs %.40s", s->name);
    advise_add(a, &advice);
}

static int advise_services(struct advisor *a, struct ops_store *ops, struct err *err)
{
    struct measure_result *result = measure_result_new();
    const struct measure_query query = {.kind = MEASURE_OF_CHECKS,
                                        .by = MEASURE_BY_SERVICE,
                                        .from_us = since_us(a),
                                        .to_us = INT64_MAX};
    int rc = measure_read(&(struct measure_sources){.ops = ops_store_db(ops)}, &query, result, err);
    for (int i = 0; rc == 0 && i < result->count; i++) {
        weigh_service(a, &result->groups[i]);
    }
    measure_result_free(result);
    return rc;
}

/* ------------------------------------------------------------------ alerts, the model */

/* k of n, where at most `usual` of them are in order. */
static void weigh_share(struct advisor *a, struct advice *advice, int64_t k, int64_t n,
                        double usual)
{
    advice->group = -1;
    advice->cases = n;
    advice->state = n < OPS_CASES_MIN ? ADVICE_FEW : ADVICE_CHANCE;
    advice->p = exact_binomial(k, n, usual, EXACT_MORE);
    advise_add(a, advice);
}

static int advise_alerts(struct advisor *a, struct ops_store *ops, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(ops_store_db(ops),
                      "SELECT source, sum(status IN ('wontfix', 'rejected')), count(*)"
                      " FROM monitoring_alerts WHERE status NOT IN ('open', 'acknowledged')"
                      " AND created_at >= strftime('%Y-%m-%dT%H:%M:%SZ', ?1 / 1000000, 'unixepoch')"
                      " GROUP BY source ORDER BY source",
                      DB_VALUES(DB_I64(since_us(a))), &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        struct advice advice = {.area = ADVICE_ALERTS, .unit = ADVICE_ALERT};
        struct str source = db_text(rows, 0);
        int64_t k = db_i64(rows, 1), n = db_i64(rows, 2);
        char name[41];
        str_cut(source, name, sizeof(name));
        rate_wilson(k, n, &advice.low, &advice.high);
        advice.effect = (double)k / OPS_WEEKS;
        advice.low *= (double)n / OPS_WEEKS;
        advice.high *= (double)n / OPS_WEEKS;
        (void)snprintf(advice.what, sizeof(advice.what), "Mute %s: %lld of %lld alerts were noise",
                       name, (long long)k, (long long)n);
        (void)snprintf(advice.basis, sizeof(advice.basis),
                       "alerts that a person rejected, or will not fix");
        (void)snprintf(advice.command, sizeof(advice.command), "/mute source:%s 7d", name);
        weigh_share(a, &advice, k, n, NOISE_SHARE);
    }
    return rc < 0 ? rc : 0;
}

static int advise_model(struct advisor *a, struct ops_store *ops, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(ops_store_db(ops),
                      "SELECT model, sum(error_code <> ''), count(*),"
                      " coalesce(sum(CASE WHEN error_code <> '' THEN cost_usd END), 0)"
                      " FROM llm_calls WHERE at_us >= ?1 GROUP BY model ORDER BY model",
                      DB_VALUES(DB_I64(since_us(a))), &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        struct advice advice = {.area = ADVICE_MODEL, .unit = ADVICE_USD};
        int64_t k = db_i64(rows, 1), n = db_i64(rows, 2);
        double each = k > 0 ? dec_to_double(db_dec(rows, 3)) / (double)k / OPS_WEEKS : 0;
        char name[41];
        str_cut(db_text(rows, 0), name, sizeof(name));
        rate_wilson(k, n, &advice.low, &advice.high);
        advice.effect = each * (double)k;
        advice.low *= each * (double)n;
        advice.high *= each * (double)n;
        (void)snprintf(advice.what, sizeof(advice.what),
                       "Choose another model: %lld of %lld calls of %s failed", (long long)k,
                       (long long)n, name);
        (void)snprintf(advice.basis, sizeof(advice.basis),
                       "what calls without a whole answer cost; claude.model names the model");
        (void)snprintf(advice.command, sizeof(advice.command), "/measure_ops cost by=day");
        weigh_share(a, &advice, k, n, FAILED_SHARE);
    }
    return rc < 0 ? rc : 0;
}

int advise_tables(struct advisor *a, struct trading_store *trading, struct ops_store *ops,
                  struct err *err)
{
    int rc = trading == NULL ? 0 : advise_rules(a, trading, err);
    if (rc < 0 || ops == NULL) {
        return rc;
    }
    rc = advise_services(a, ops, err);
    rc = rc < 0 ? rc : advise_alerts(a, ops, err);
    return rc < 0 ? rc : advise_model(a, ops, err);
}
