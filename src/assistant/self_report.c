#include "assistant/self_report.h"

#include "base/clock.h"
#include "io/json_out.h"
#include "report/rate.h"

#include <string.h>

int self_report_read(struct ops_store *store, int64_t since_us, struct self_report *ret,
                     struct err *err)
{
    *ret = (struct self_report){.since_us = since_us};
    int rc = question_table_sums(store, since_us, &ret->questions, err);
    rc = rc < 0 ? rc : alert_table_findings(store, since_us, &ret->findings, err);
    rc = rc < 0 ? rc : llm_call_table_models(store, since_us, ret->models, SELF_REPORT_MODELS, err);
    ret->model_count = rc < 0 ? 0 : rc;
    rc = rc < 0 ? rc
                : question_table_proposals_by_model(store, since_us, ret->proposing,
                                                    SELF_REPORT_MODELS, err);
    ret->proposing_count = rc < 0 ? 0 : rc;
    return rc < 0 ? rc : 0;
}

static void add_data(struct reply *r, const struct self_report *report)
{
    const struct question_sums *q = &report->questions;
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_object(&data, "self_report");
    json_out_time(&data, "since", report->since_us);
    json_out_i64(&data, "questions", q->asked);
    json_out_i64(&data, "by_model", q->by_model);
    json_out_i64(&data, "by_grammar", q->by_grammar);
    json_out_i64(&data, "answered", q->answered);
    json_out_i64(&data, "withheld", q->withheld);
    json_out_i64(&data, "proposed", q->proposed);
    json_out_i64(&data, "failed", q->failed);
    json_out_i64(&data, "unverified", q->unverified);
    rate_add(&data, "figures_verified", q->verified, q->verified + q->unverified);
    rate_add(&data, "rated_good", q->good, q->good + q->bad);
    rate_add(&data, "findings_confirmed", report->findings.fixed,
             report->findings.fixed + report->findings.wontfix);
    json_out_array(&data, "proposals");
    for (int i = 0; i < report->proposing_count; i++) {
        const struct question_proposals *p = &report->proposing[i];
        json_out_object(&data, NULL);
        json_out_text(&data, "model", p->model);
        json_out_i64(&data, "count", p->count);
        for (int o = 0; o < PROPOSAL_OUTCOMES; o++) {
            json_out_i64(&data, proposal_outcome_name(o), p->outcomes[o]);
        }
        json_out_end(&data);
    }
    json_out_end(&data);
    json_out_array(&data, "models");
    for (int i = 0; i < report->model_count; i++) {
        const struct llm_model_spend *m = &report->models[i];
        json_out_object(&data, NULL);
        json_out_text(&data, "model", m->model);
        json_out_i64(&data, "calls", m->spend.calls);
        json_out_dec(&data, "cost_usd", m->spend.cost_usd);
        json_out_i64(&data, "unpriced", m->spend.unpriced);
        json_out_end(&data);
    }
    json_out_end(&data);
    json_out_end(&data);
}

static void add_rate(struct reply *r, int64_t k, int64_t n)
{
    double low, high;
    rate_wilson(k, n, &low, &high);
    reply_more(r, " ({} to {})", cell_pct(100 * low, 0), cell_pct(100 * high, 0));
}

/* "claude-x: 3, 1 confirmed, 1 cancelled, 1 expired" */
static void add_proposals(struct reply *r, const struct self_report *report)
{
    static const char *const words[PROPOSAL_OUTCOMES] = {
        [PROPOSAL_OPEN] = "not begun",      [PROPOSAL_ASKED] = "waiting",
        [PROPOSAL_CONFIRMED] = "confirmed", [PROPOSAL_FAILED] = "failed",
        [PROPOSAL_CANCELLED] = "cancelled", [PROPOSAL_EXPIRED] = "expired",
        [PROPOSAL_REFUSED] = "refused",
    };
    for (int i = 0; i < report->proposing_count; i++) {
        const struct question_proposals *p = &report->proposing[i];
        reply_field(r, i == 0 ? "Proposals" : "", "{}: {}",
                    cell_text(p->model[0] != '\0' ? p->model : "without a model"),
                    cell_count(p->count));
        for (int o = 0; o < PROPOSAL_OUTCOMES; o++) {
            if (p->outcomes[o] > 0) {
                reply_more(r, ", {} {}", cell_count(p->outcomes[o]), cell_text(words[o]));
            }
        }
    }
}

void self_report_add(struct reply *r, const struct self_report *report)
{
    const struct question_sums *q = &report->questions;
    int64_t rated = q->good + q->bad, figures = q->verified + q->unverified;
    add_data(r, report);
    reply_field(r, "Questions", "{}: {} by a model, {} without one", cell_count(q->asked),
                cell_count(q->by_model), cell_count(q->by_grammar));
    if (q->asked > 0) {
        reply_field(r, "Not answered", "{} withheld, {} failed or stopped", cell_count(q->withheld),
                    cell_count(q->failed));
    }
    add_proposals(r, report);
    if (rated > 0) {
        reply_field(r, "Rated good", "{} of {}", cell_count(q->good), cell_count(rated));
        add_rate(r, q->good, rated);
    } else if (q->asked > 0) {
        reply_field(r, "Rated good", "{}", cell_text("nobody has rated an answer"));
    }
    if (figures > 0) {
        reply_field(r, "Figures", "{} of {} not verified", cell_count(q->unverified),
                    cell_count(figures));
    }
    for (int i = 0; i < report->model_count; i++) {
        const struct llm_model_spend *m = &report->models[i];
        reply_field(r, i == 0 ? "Models" : "", "{}: {} for {} requests", cell_text(m->model),
                    cell_cost(m->spend.cost_usd), cell_count(m->spend.calls));
    }
}

void self_report_add_buttons(struct reply *r, int64_t question_id)
{
    static const char *const words[][2] = {{"👍", "good"}, {"👎", "bad"}};
    for (int i = 0; i < 2; i++) {
        char line[48];
        (void)snprintf(line, sizeof(line), "/rate %lld %s", (long long)question_id, words[i][1]);
        reply_button(r, words[i][0], line, BUTTON_PLAIN);
    }
}

/* ------------------------------------------------------------------ actions */

static int run_report(struct action_call *call, struct err *err)
{
    const struct self_report_actions *a = action_userdata(call);
    struct reply *r = action_reply(call);
    struct self_report report;
    int64_t now_us = clock_wall_us(a->clock), weeks = action_int(call, "weeks");
    int rc = self_report_read(a->store, now_us - weeks * 7 * USEC_PER_DAY, &report, err);
    if (rc < 0) {
        return rc;
    }
    const struct alert_findings *f = &report.findings;
    reply_title(r, TONE_PLAIN, "The assistant about itself");
    reply_para(r, "Since {}", cell_time(report.since_us, now_us));
    self_report_add(r, &report);
    reply_field(r, "Findings", "{} new, {} fixed, {} won't fix, {} rejected by code",
                cell_count(f->found), cell_count(f->fixed), cell_count(f->wontfix),
                cell_count(f->rejected));
    return ACTION_DONE;
}

static int run_rate(struct action_call *call, struct err *err)
{
    const struct self_report_actions *a = action_userdata(call);
    const struct principal *who = action_who(call);
    int64_t id = action_int(call, "question");
    const char *rating = action_text(call, "rating");
    const struct question_rating row = {.question_id = id,
                                        .channel = channel_name(who->channel),
                                        .user = who->name,
                                        .good = strcmp(rating, "good") == 0,
                                        .at_us = clock_wall_us(a->clock)};
    int rc = question_table_rate(a->store, &row, err);
    if (rc < 0) {
        return rc;
    }
    reply_title(action_reply(call), TONE_GOOD, "q%lld is rated %s", (long long)id, rating);
    return ACTION_DONE;
}

/* A second time gives the same. */
static int recover_rate(struct action_call *call, bool *ret_happened, struct err *err)
{
    int rc = run_rate(call, err);
    *ret_happened = rc == ACTION_DONE;
    return rc;
}

static const struct action actions[] = {
    {.name = "assistant.report",
     .summary = "What the assistant said, how it was rated, and what it cost",
     .data = "self_report",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .assistant = true,
     .params = ACTION_PARAMS({.name = "weeks",
                              .type = PARAM_INT,
                              .default_text = "1",
                              .minimum = "1",
                              .maximum = "12",
                              .help = "of how many weeks"}),
     .run = run_report},
    {.name = "assistant.rate",
     .summary = "Say whether an answer of the assistant was good",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "question",
                              .type = PARAM_INT,
                              .required = true,
                              .minimum = "1",
                              .help = "its number"},
                             {.name = "rating",
                              .type = PARAM_CHOICE,
                              .choices = "good|bad",
                              .required = true,
                              .help = "good or bad"}),
     .run = run_rate,
     .recover = recover_rate},
    {0}};

void self_report_actions(struct self_report_actions *userdata, struct action_table *table)
{
    action_table_add(table, actions, userdata);
}
