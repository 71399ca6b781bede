/*
 * The rules of learnings in the engine. Learnings in ops.db say what is wanted, rules in trading.db
 * what is: each look compares them and asks the engine for what is missing. Nothing depends on an
 * answer that could be lost: a crash at any point, or an event that was missed, is put right by the
 * next look.
 */
#include "access/access.h"
#include "alerts/alerts.h"
#include "base/buf.h"
#include "base/log.h"
#include "config/config.h"
#include "learner_internal.h"
#include "report/rate.h"
#include "store/ops.h"
#include "store/rule_table.h"
#include "trading/desk.h"

#include <stdio.h>
#include <string.h>

#define LIVE_MAX (2 * RULES_MAX)
#define ASKED_US (15 * USEC_PER_SEC) /* a request has been answered or has expired by then */

struct proposal {
    struct learner *learner;
    struct learning learning;
    struct rule rule;
    const char *action; /* for the audit log; NULL: a person's command left its own line */
    bool notify;
};

/* ------------------------------------------------------------------ storing a change */

static struct reply *notice_of(const struct proposal *p)
{
    struct reply *r = reply_new();
    char line[48];
    bool proposed = p->rule.status != RULE_RETIRED;
    reply_title(r, TONE_PLAIN, "Rule %lld %s", (long long)p->rule.id,
                proposed ? "is proposed" : "was retired: it is of no use");
    reply_line(r, "%s when %s", rule_effect_name(p->rule.effect), p->rule.condition);
    if (proposed) {
        reply_line(r, "%s.", p->learning.text);
        reply_line(r, "It is counted and changes nothing until somebody activates it.");
    } else {
        reply_line(r, "%s.", p->learning.note);
    }
    (void)snprintf(line, sizeof(line), "/learning %lld", (long long)p->learning.id);
    reply_button(r, "Why", line, BUTTON_PLAIN);
    (void)snprintf(line, sizeof(line), "/rules %lld", (long long)p->rule.id);
    reply_button(r, "Rule", line, BUTTON_PLAIN);
    return r;
}

/* The learning, a line in the audit log and the message, in one transaction. */
static int store(struct proposal *p, struct err *err)
{
    struct learner *l = p->learner;
    static const struct principal self = {.channel = CHANNEL_SCHEDULE, .name = "nightdesk"};
    p->learning.updated_us = clock_wall_us(l->o.clock);
    int rc = ops_store_begin(l->o.store, err);
    if (rc < 0) {
        return rc;
    }
    rc = learning_table_save(l->o.store, &p->learning, err);
    if (rc >= 0 && p->action != NULL) {
        AUTO_BUF struct buf detail = BUF_INIT(512);
        buf_addf(&detail, "rule %lld of learning %lld: %s when %s", (long long)p->rule.id,
                 (long long)p->learning.id, rule_effect_name(p->rule.effect), p->rule.condition);
        rc = access_audit(l->o.access, &self, p->action, detail.data, "ok", err);
    }
    if (rc >= 0 && p->notify) {
        AUTO_REPLY struct reply *reply = notice_of(p);
        rc = alerts_notify(l->o.alerts,
                           &(struct alert_notice){.kind = NOTICE_REPORT, .reply = reply}, err);
    }
    if (rc < 0) {
        ops_store_rollback(l->o.store);
        return rc;
    }
    return ops_store_commit(l->o.store, err);
}

/* ------------------------------------------------------------------ asking the engine */

static int ask(struct learner *l, enum request_kind kind, int64_t rule, const char *text,
               struct err *err)
{
    int64_t now = clock_mono_us(l->o.clock);
    if (l->asked_mono_us != 0 && now - l->asked_mono_us < ASKED_US) {
        return 0; /* one thing at a time */
    }
    int rc = desk_ask_rule(l->o.desk, kind, rule, text, err);
    if (rc == -ERR_ENGINE_BUSY) {
        err_clear(err);
        return 0; /* the next look asks */
    }
    l->asked_mono_us = rc < 0 ? 0 : now;
    return rc;
}

static int set_note(struct proposal *p, const char *note, struct err *err)
{
    if (strcmp(p->learning.note, note) == 0) {
        return 0;
    }
    (void)str_copy(str_c(note), p->learning.note, sizeof(p->learning.note));
    return store(p, err);
}

static int ask_to_add(struct proposal *p, struct err *err)
{
    struct learner *l = p->learner;
    const struct learning *from = &p->learning;
    struct rule live[RULES_MAX];
    int n = rule_table_list(l->o.trading, &(struct rule_query){0}, live, RULES_MAX, err);
    if (n < 0) {
        return n;
    }
    if (n == RULES_MAX) {
        return set_note(p, "not proposed yet: no rule is free, so retire one", err);
    }
    struct rule rule = {.effect = from->effect};
    char text[REQUEST_TEXT_SIZE];
    (void)str_copy(str_c(from->pattern), rule.condition, sizeof(rule.condition));
    (void)snprintf(rule.help, sizeof(rule.help), "learning %lld: %lld of %lld won; of all %.0f %%",
                   (long long)from->id, (long long)from->wins, (long long)from->cases,
                   100.0 * (double)(from->formed.all_wins + from->held.all_wins) /
                       (double)(from->formed.all_cases + from->held.all_cases));
    rule_write(&rule, text);
    return ask(l, REQUEST_RULE_ADD, 0, text, err);
}

/* ------------------------------------------------------------------ one learning */

static enum learning_outcome outcome_of(enum rule_status status)
{
    switch (status) {
    case RULE_TESTING:
        return LEARNING_TESTING;
    case RULE_ACTIVE:
        return LEARNING_ACTIVE;
    case RULE_RETIRED:
        return LEARNING_RETIRED;
    }
    return LEARNING_RETIRED;
}

static int propose(struct proposal *p, struct err *err)
{
    struct rule found[4];
    const struct rule_query query = {.retired = true, .condition = p->learning.pattern};
    int n = rule_table_list(p->learner->o.trading, &query, found, COUNT_OF(found), err);
    for (int i = 0; i < n; i++) {
        if (found[i].effect != p->learning.effect) {
            continue;
        }
        bool retired = found[i].status == RULE_RETIRED; /* it is not proposed again */
        bool ours = !retired && strcmp(found[i].created_by, "nightdesk") == 0;
        p->rule = found[i];
        p->learning.rule_id = found[i].id;
        p->learning.outcome = outcome_of(found[i].status);
        p->action = ours ? "rule.proposed" : NULL;
        p->notify = ours;
        (void)str_copy(str_c(ours      ? ""
                             : retired ? "a rule with this condition was retired before"
                                       : "somebody had added this rule before"),
                       p->learning.note, sizeof(p->learning.note));
        return store(p, err);
    }
    return n < 0 ? n : ask_to_add(p, err);
}

/* How often a rule has to be right to be of use. Of entries that end at their stop or target, s and
 * t per cent away, avoiding them pays if more than t / (s + t) end at the stop, and favouring them
 * if more than s / (s + t) end at the target. Fees make the first a little less and the second a
 * little more; they are left out. */
static double break_even(const struct config *config, enum rule_effect effect)
{
    double whole = config->risk_stop_pct + config->risk_target_pct;
    return (effect == RULE_AVOID ? config->risk_target_pct : config->risk_stop_pct) / whole;
}

static bool is_useless(struct proposal *p)
{
    const struct config *config = p->learner->o.config;
    int64_t cases = p->rule.success_count + p->rule.failure_count;
    if (cases < config->learning_retire_cases) {
        return false;
    }
    double low = 0;
    double high = 0;
    double needed = break_even(config, p->rule.effect);
    rate_wilson(p->rule.success_count, cases, &low, &high);
    if (high >= needed) {
        return false;
    }
    (void)snprintf(p->learning.note, sizeof(p->learning.note),
                   "right in %lld of %lld cases: at most %.0f %%, and %.0f %% are needed",
                   (long long)p->rule.success_count, (long long)cases, 100 * high, 100 * needed);
    return true;
}

static int follow(struct proposal *p, struct err *err)
{
    struct learning *l = &p->learning;
    const struct rule_query query = {.id = l->rule_id, .retired = true};
    int n = rule_table_list(p->learner->o.trading, &query, &p->rule, 1, err);
    if (n < 0) {
        return n;
    }
    if (n == 0) { /* the engine's database lost it */
        l->rule_id = 0;
        l->outcome = LEARNING_CONFIRMED;
        return store(p, err);
    }
    if (p->rule.status == RULE_RETIRED) {
        p->notify = l->outcome == LEARNING_RETIRING;
        p->action = p->notify ? "rule.retired" : NULL;
        l->outcome = LEARNING_RETIRED;
        if (!p->notify) {
            (void)str_copy(str_c("a person has retired its rule"), l->note, sizeof(l->note));
        }
        return store(p, err);
    }
    if (l->outcome == LEARNING_RETIRING) {
        return ask(p->learner, REQUEST_RULE_STATUS, p->rule.id, rule_status_name(RULE_RETIRED),
                   err);
    }
    if (is_useless(p)) {
        l->outcome = LEARNING_RETIRING;
        int rc = store(p, err);
        return rc < 0 ? rc
                      : ask(p->learner, REQUEST_RULE_STATUS, p->rule.id,
                            rule_status_name(RULE_RETIRED), err);
    }
    if (outcome_of(p->rule.status) == l->outcome) {
        return 0;
    }
    l->outcome = outcome_of(p->rule.status);
    return store(p, err);
}

int proposals_sync(struct learner *l, struct err *err)
{
    int64_t ids[LIVE_MAX];
    int n = learning_table_live(l->o.store, ids, LIVE_MAX, err);
    int rc = n < 0 ? n : 0;
    for (int i = 0; rc >= 0 && i < n; i++) {
        struct proposal p = {.learner = l};
        rc = learning_table_get(l->o.store, ids[i], &p.learning, err);
        if (rc >= 0) {
            rc = p.learning.rule_id == 0 ? propose(&p, err) : follow(&p, err);
        }
    }
    return rc;
}
