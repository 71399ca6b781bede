#include "assistant/measure.h"

#include "base/check.h"
#include "base/clock.h"
#include "config/config.h"
#include "io/pool.h"
#include "measure_job.h"
#include "store/ops.h"
#include "store/trading.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ from words */

static const struct {
    const char *word;
    enum measure measure;
    enum measure_kind kind;
} words[] = {{"summary", MEASURE_SUMMARY, MEASURE_OF_TRADES},
             {"profit", MEASURE_PROFIT, MEASURE_OF_TRADES},
             {"win_rate", MEASURE_WIN_RATE, MEASURE_OF_TRADES},
             {"trades", MEASURE_TRADES, MEASURE_OF_TRADES},
             {"fees", MEASURE_FEES, MEASURE_OF_TRADES},
             {"held", MEASURE_HELD, MEASURE_OF_TRADES},
             {"streak", MEASURE_STREAK, MEASURE_OF_TRADES},
             {"profit_factor", MEASURE_FACTOR, MEASURE_OF_TRADES},
             {"average", MEASURE_AVERAGE, MEASURE_OF_TRADES},
             {"extremes", MEASURE_EXTREMES, MEASURE_OF_TRADES},
             {"volume", MEASURE_VOLUME, MEASURE_OF_TRADES},
             {"accuracy", MEASURE_ACCURACY, MEASURE_OF_TRADES},
             {"drawdown", MEASURE_DRAWDOWN, MEASURE_OF_EQUITY},
             {"equity", MEASURE_EQUITY, MEASURE_OF_EQUITY},
             {"slippage", MEASURE_SLIPPAGE, MEASURE_OF_SLIPPAGE},
             {"funding", MEASURE_FUNDING, MEASURE_OF_FUNDING},
             {"vetoes", MEASURE_VETOES, MEASURE_OF_DECISIONS},
             {"decisions", MEASURE_DECISIONS, MEASURE_OF_DECISIONS},
             {"alerts", MEASURE_ALERTS, MEASURE_OF_ALERTS},
             {"findings", MEASURE_FINDINGS, MEASURE_OF_FINDINGS},
             {"audits", MEASURE_AUDITS, MEASURE_OF_AUDITS},
             {"cost", MEASURE_COST, MEASURE_OF_MODEL},
             {"uptime", MEASURE_UPTIME, MEASURE_OF_CHECKS},
             {"outages", MEASURE_OUTAGES, MEASURE_OF_CHECKS},
             {"errors", MEASURE_ERRORS, MEASURE_OF_ERRORS},
             {"commands", MEASURE_COMMANDS, MEASURE_OF_COMMANDS},
             {"incidents", MEASURE_INCIDENTS, MEASURE_OF_INCIDENTS}};

static const char *text_of(const struct action_call *call, const char *name)
{
    bool there = action_param_find(action_of(call), str_c(name)) != NULL;
    const char *text = there ? action_text(call, name) : NULL;
    return text == NULL ? "" : text;
}

static struct symbol symbol_of(const struct action_call *call, const char *name)
{
    bool there = action_param_find(action_of(call), str_c(name)) != NULL;
    return there ? action_symbol(call, name) : (struct symbol){0};
}

/* Both ends, or neither. */
static int read_period(const struct action_call *call, const char *from, const char *to,
                       struct measure_query *ret, bool *ret_given, struct err *err)
{
    bool begins = action_value(call, from) != NULL, ends = action_value(call, to) != NULL;
    *ret_given = begins || ends;
    ret->from_us = begins ? action_time_us(call, from) : INT64_MIN;
    ret->to_us = ends ? action_time_us(call, to) : INT64_MAX;
    if (ret->from_us >= ret->to_us) {
        return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: it is not before %s", from, to);
    }
    return 0;
}

static int read_by(const struct action_call *call, enum measure measure, enum measure_by *ret,
                   struct err *err)
{
    for (int i = 0; i < MEASURE_BYS; i++) {
        if (strcmp(text_of(call, "by"), measure_by_name((enum measure_by)i)) == 0) {
            *ret = (enum measure_by)i;
        }
    }
    /* The groups of the grammar are in the same order. */
    if (*ret != MEASURE_BY_NONE && (measure_info(measure)->groups & 1u << *ret) == 0) {
        return err_set(err, ERR_COMMAND_ARG_INVALID, "by: the %s cannot be told apart by %s",
                       measure_info(measure)->title, measure_by_name(*ret));
    }
    return 0;
}

static int check_fit(const struct measure_job *job, struct err *err)
{
    const struct measure_info *info = measure_info(job->measure);
    const struct measure_query *q = &job->query;
    const char *odd = q->symbol[0] != '\0' && !info->symbols     ? "symbol"
                      : q->agent[0] != '\0' && !info->agents     ? "agent"
                      : q->side != 0 && !info->sides             ? "side"
                      : q->service[0] != '\0' && !info->services ? "service"
                      : q->last > 0 && !info->trades             ? "last"
                                                                 : NULL;
    if (odd != NULL) {
        return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: the %s cannot be narrowed by it", odd,
                       info->title);
    }
    if (job->has_versus && q->by != MEASURE_BY_NONE) {
        return err_set(err, ERR_COMMAND_ARG_INVALID, "by: not together with a comparison");
    }
    return 0;
}

/* What differs is the symbol, the period, or both. */
static int read_versus(const struct action_call *call, struct measure_job *job, struct err *err)
{
    struct symbol symbol = symbol_of(call, "versus_symbol");
    bool period = false;
    job->versus_query = job->query;
    int rc = read_period(call, "versus_from", "versus_to", &job->versus_query, &period, err);
    if (!period) {
        job->versus_query.from_us = job->query.from_us;
        job->versus_query.to_us = job->query.to_us;
    } else {
        job->versus_query.last = 0;
    }
    if (symbol.name[0] != '\0') {
        memcpy(job->versus_query.symbol, symbol.name, sizeof(job->versus_query.symbol));
    }
    job->has_versus = period || symbol.name[0] != '\0';
    return rc;
}

static int read_call(const struct action_call *call, struct measure_job *job, struct err *err)
{
    const char *word = action_text(call, "measure");
    struct measure_query *q = &job->query;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strcmp(word, words[i].word) == 0) {
            job->measure = words[i].measure;
            q->kind = words[i].kind;
        }
    }
    struct symbol symbol = symbol_of(call, "symbol");
    memcpy(q->symbol, symbol.name, sizeof(q->symbol));
    q->accuracy = job->measure == MEASURE_ACCURACY;
    (void)str_copy(str_c(text_of(call, "agent")), q->agent, sizeof(q->agent));
    (void)str_copy(str_c(text_of(call, "service")), q->service, sizeof(q->service));
    q->side = strcmp(text_of(call, "side"), "long") == 0    ? 1
              : strcmp(text_of(call, "side"), "short") == 0 ? -1
                                                            : 0;
    bool has_last = action_param_find(action_of(call), STR_LIT("last")) != NULL &&
                    action_value(call, "last") != NULL;
    q->last = has_last ? action_int(call, "last") : 0;
    job->order = strcmp(text_of(call, "order"), "best") == 0    ? 1
                 : strcmp(text_of(call, "order"), "worst") == 0 ? -1
                                                                : 0;
    static const char *const premises[] = {"loss", "gain", "up", "down"};
    job->premise = "";
    for (size_t i = 0; i < COUNT_OF(premises); i++) {
        job->premise =
            strcmp(text_of(call, "premise"), premises[i]) == 0 ? premises[i] : job->premise;
    }
    job->why = strcmp(text_of(call, "why"), "yes") == 0;
    int rc = read_period(call, "from", "to", q, &job->has_period, err);
    rc = rc < 0 ? rc : read_by(call, job->measure, &q->by, err);
    rc = rc < 0 ? rc : read_versus(call, job, err);
    return rc < 0 ? rc : check_fit(job, err);
}

/* ------------------------------------------------------------------ reading */

static int read_whys(const struct measure_sources *sources, struct measure_job *job,
                     struct err *err)
{
    static const enum measure_by bys[MEASURE_WHYS] = {MEASURE_BY_SYMBOL, MEASURE_BY_EXIT,
                                                      MEASURE_BY_SIDE};
    struct measure_query q = job->query;
    q.kind = MEASURE_OF_TRADES;
    if (job->measure == MEASURE_DRAWDOWN && !job->has_period) {
        q.from_us = job->result->peak_us;
        q.to_us = INT64_MAX;
    }
    int rc = 0;
    for (int i = 0; rc == 0 && i < MEASURE_WHYS; i++) {
        job->whys[i] = measure_result_new();
        q.by = bys[i];
        rc = measure_read(sources, &q, job->whys[i], err);
    }
    return rc;
}

int measure_job_read(struct measure_job *job, struct err *err)
{
    AUTO_TRADING_STORE struct trading_store *trading = NULL;
    AUTO_OPS_STORE struct ops_store *ops = NULL;
    (void)zone_load(job->zone_name, &job->zone, NULL); /* without it: UTC, as the label says */
    zone_label(job->zone, job->zone_name, job->now_us, job->zone_name);
    job->query.zone = job->zone;
    job->versus_query.zone = job->zone;
    bool of_ops = measure_info(job->measure)->wall;
    int rc = of_ops ? ops_store_open(job->dir, OPS_STORE_READ, &ops, err)
                    : trading_store_open(job->dir, TRADING_STORE_READ, &trading, err);
    if (rc < 0) {
        return rc;
    }
    const struct measure_sources sources = {.trading =
                                                trading == NULL ? NULL : trading_store_db(trading),
                                            .ops = ops == NULL ? NULL : ops_store_db(ops)};
    job->result = measure_result_new();
    rc = measure_read(&sources, &job->query, job->result, err);
    if (rc == 0 && job->has_versus) {
        job->versus = measure_result_new();
        rc = measure_read(&sources, &job->versus_query, job->versus, err);
    }
    return rc == 0 && job->why ? read_whys(&sources, job, err) : rc;
}

void measure_job_free(void *data)
{
    struct measure_job *job = data;
    measure_result_free(job->result);
    measure_result_free(job->versus);
    for (int i = 0; i < MEASURE_WHYS; i++) {
        measure_result_free(job->whys[i]);
    }
    zone_free(job->zone);
    free(job);
}

/* ------------------------------------------------------------------ the action */

static void work(void *data)
{
    struct measure_job *job = data;
    job->rc = measure_job_read(job, &job->err);
}

static void done(void *data, void *userdata)
{
    const struct measure_job *job = data;
    struct action_call *call = userdata;
    action_set_state(call, NULL);
    if (job->rc == 0) {
        measure_show(job, action_reply(call));
    }
    action_finish(call, job->rc == 0 ? NULL : &job->err);
}

static int start(const struct measures *m, struct action_call *call, struct measure_job *job,
                 struct err *err)
{
    if (m->helpers == NULL) {
        int rc = measure_job_read(job, err);
        if (rc == 0) {
            measure_show(job, action_reply(call));
        }
        measure_job_free(job);
        return rc < 0 ? rc : ACTION_DONE;
    }
    struct pool_job *handle = pool_start(
        m->helpers,
        &(struct pool_work){
            .work = work, .done = done, .drop = measure_job_free, .data = job, .userdata = call},
        err);
    if (handle == NULL) {
        measure_job_free(job);
        return -ERR_POOL_BUSY;
    }
    action_set_state(call, handle);
    return ACTION_PENDING;
}

static int run(struct action_call *call, struct err *err)
{
    const struct measures *m = action_userdata(call);
    struct measure_job *job = calloc(1, sizeof(*job));
    NEED_MEMORY(job != NULL);
    int rc = read_call(call, job, err);
    if (rc < 0) {
        measure_job_free(job);
        return rc;
    }
    const char *zone = m->config(m->userdata)->alerts_timezone;
    job->now_us = action_begun_us(call);
    (void)str_copy(str_c(zone == NULL ? "" : zone), job->zone_name, sizeof(job->zone_name));
    (void)str_copy(str_c(m->state_dir), job->dir, sizeof(job->dir));
    return start(m, call, job, err);
}

static void cancel(struct action_call *call)
{
    pool_cancel(action_state(call));
}

#define PERIOD_PARAMS                                                                           \
    {.name = "from",                                                                            \
     .type = PARAM_TIME,                                                                        \
     .help = "beginning of the period; all before if left "                                     \
             "out"},                                                                            \
        {.name = "to", .type = PARAM_TIME, .help = "end of the period; up to now if left out"}, \
        {.name = "versus_from",                                                                 \
         .type = PARAM_TIME,                                                                    \
         .help = "beginning of a period to compare with"},                                      \
    {                                                                                           \
        .name = "versus_to", .type = PARAM_TIME, .help = "its end"                              \
    }

static const struct action rows[] = {
    {.name = "trading.measure",
     .summary = "One measure of trading, of a period: figures, how many trades, and a comparison",
     .data = "measured",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .assistant = true,
     .params = ACTION_PARAMS(
         {.name = "measure",
          .type = PARAM_CHOICE,
          .required = true,
          .choices = "summary|profit|win_rate|trades|fees|funding|slippage|accuracy|drawdown|held|"
                     "streak|profit_factor|average|extremes|volume|vetoes|decisions|equity",
          .help = "what; drawdown without a period is that of now"},
         {.name = "symbol", .type = PARAM_SYMBOL, .unlisted = true, .help = "only this symbol"},
         PERIOD_PARAMS,
         {.name = "last",
          .type = PARAM_INT,
          .minimum = "1",
          .maximum = "100000",
          .help = "the last so many trades, instead of a period"},
         {.name = "by",
          .type = PARAM_CHOICE,
          .choices = "none|symbol|exit|side|hour|day|agent|regime|code",
          .default_text = "none",
          .help = "what to group by"},
         {.name = "order",
          .type = PARAM_CHOICE,
          .choices = "best|worst",
          .help = "which group comes first"},
         {.name = "side", .type = PARAM_CHOICE, .choices = "long|short", .help = "only this side"},
         {.name = "agent",
          .type = PARAM_CHOICE,
          .choices = "data_sync|quant_analyst|predict|bull|bear|decision_core|risk_audit|execution",
          .help = "only trades for whose side it voted; of accuracy: whose votes"},
         {.name = "versus_symbol",
          .type = PARAM_SYMBOL,
          .unlisted = true,
          .help = "a symbol to compare with"},
         {.name = "why",
          .type = PARAM_CHOICE,
          .choices = "no|yes",
          .default_text = "no",
          .help = "yes: what made it up, by symbol, exit reason and side"},
         {.name = "premise",
          .type = PARAM_CHOICE,
          .choices = "loss|gain|up|down",
          .help = "what the question takes for granted: the reply says if it is not so"}),
     .run = run,
     .cancel = cancel},
    {.name = "ops.measure",
     .summary = "Alerts, findings, audits, cost of the model, uptime, errors, commands of a period",
     .data = "measured",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .assistant = true,
     .params = ACTION_PARAMS(
         {.name = "measure",
          .type = PARAM_CHOICE,
          .required = true,
          .choices = "alerts|findings|audits|cost|uptime|outages|errors|commands|incidents",
          .help = "what"},
         PERIOD_PARAMS,
         {.name = "service", .type = PARAM_SERVICE, .help = "of uptime and outages: only this one"},
         {.name = "by",
          .type = PARAM_CHOICE,
          .choices = "none|day|service",
          .default_text = "none",
          .help = "what to group by"}),
     .run = run,
     .cancel = cancel},
    {0},
};

void measure_actions(struct measures *measures, struct action_table *table)
{
    action_table_add(table, rows, measures);
}
