/* The lists and documents about operations: from ops.db, and the rules from trading.db. */
#include "alerts/alerts.h"
#include "api_internal.h"
#include "base/check.h"
#include "command/approval_open.h"
#include "learning/learner.h"
#include "list.h"
#include "model/model_json.h"
#include "store/alert_table.h"
#include "store/audit_search.h"
#include "store/audit_table.h"
#include "store/confirmation_table.h"
#include "store/incident_table.h"
#include "store/learning_table.h"
#include "store/rule_table.h"
#include "store/run_table.h"

#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 64

static struct api_age age_of(const struct api_call *call)
{
    return api_age_of_ops(call->listener->api->shared);
}

static void *rows_for(size_t count, size_t size)
{
    void *rows = calloc(count, size);
    NEED_MEMORY(rows != NULL);
    return rows;
}

/* ---------------------------------------------------------------- alerts and findings */

/* The word of the query as bits of the statuses; "all" is none. */
static uint32_t statuses_of(const char *word)
{
    enum alert_status status = ALERT_OPEN;
    if (strcmp(word, "live") == 0) {
        return 1U << ALERT_OPEN | 1U << ALERT_ACKNOWLEDGED;
    }
    return alert_status_parse(str_c(word), &status) ? 1U << status : 0;
}

/* The key of an alert in the order of the list: its severity and its id. */
static void read_key(const struct api_list *l, struct alert_query *ret)
{
    struct str rest = str_c(l->after), part;
    int64_t severity = 0, id = 0;
    if (str_split(&rest, '.', &part) && str_to_i64(part, &severity) && str_to_i64(rest, &id) &&
        severity >= SEVERITY_INFO && severity <= SEVERITY_CRITICAL) {
        ret->after_severity = (enum severity)severity;
        ret->after_id = id;
    }
}

static void answer_alerts(struct api_call *call, const char *source)
{
    struct api_list l;
    struct err err = {0};
    enum severity severity = SEVERITY_INFO;
    if (!api_list_begin(&l, call, age_of(call))) {
        return;
    }
    (void)severity_parse(str_c(api_text(call, "severity")), &severity);
    struct alert_query query = {.statuses = statuses_of(api_text(call, "status")),
                                .min_severity = severity,
                                .since_us = api_time_us(call, "since"),
                                .source = source};
    read_key(&l, &query);
    AUTO_FREE struct alert *rows = rows_for(l.limit + 1, sizeof(*rows));
    int rc = api_need_ops(&call->listener->stores, &err);
    rc =
        rc < 0 ? rc : alert_table_list(call->listener->stores.ops, &query, rows, l.limit + 1, &err);
    for (int i = 0; i < rc && api_list_next(&l); i++) {
        api_list_item(&l);
        model_json_alert(&l.answer.out, &rows[i]);
        api_list_item_end(&l);
        (void)snprintf(l.key, sizeof(l.key), "%d.%lld", (int)rows[i].severity,
                       (long long)rows[i].id);
    }
    api_list_end(&l, rc, &err);
}

void api_alerts_handle(struct api_call *call)
{
    answer_alerts(call, api_text(call, "source"));
}

void api_findings_handle(struct api_call *call)
{
    answer_alerts(call, "auditor");
}

/* ---------------------------------------------------------------- incidents */

void api_incidents_handle(struct api_call *call)
{
    struct api_list l;
    struct err err = {0};
    if (!api_list_begin(&l, call, age_of(call))) {
        return;
    }
    AUTO_FREE struct incident *rows = rows_for(l.limit + 1, sizeof(*rows));
    AUTO_FREE struct alert *alert = rows_for(1, sizeof(*alert));
    bool open = strcmp(api_text(call, "status"), "open") == 0;
    int rc = api_need_ops(&call->listener->stores, &err);
    rc = rc < 0 ? rc
                : incident_table_list(call->listener->stores.ops, open, api_list_after(&l), rows,
                                      l.limit + 1, &err);
    for (int i = 0; i < rc && api_list_next(&l); i++) {
        api_list_key(&l, rows[i].id);
        if (alert_table_get(call->listener->stores.ops, rows[i].id, alert, NULL) == 0) {
            api_list_item(&l);
            alerts_write_incident(&l.answer.out, &rows[i], alert);
            api_list_item_end(&l);
        }
    }
    api_list_end(&l, rc, &err);
}

/* ---------------------------------------------------------------- runs */

static uint32_t states_of(const char *word)
{
    enum run_state state = RUN_CONFIRMING;
    if (word == NULL) {
        return 0;
    }
    return run_state_parse(str_c(word), &state) ? 1U << state : 0;
}

/* In the middle of the run: a step `approve`. */
static void add_step_approval(struct ops_store *store, int64_t run_id, struct json_out *out)
{
    struct approval_open open;
    AUTO_FREE struct run_step *steps = rows_for(STEPS_MAX, sizeof(*steps));
    int count = run_table_steps(store, run_id, steps, STEPS_MAX, NULL);
    for (int i = 0; i < count; i++) {
        if (approval_open_read(&steps[i], &open)) {
            model_json_approval(out, open.code, open.expires_us, open.asked);
            return;
        }
    }
}

/* What a run waits for that another person has to approve: so that a page can offer it to them.
 * Who may is judged when they answer. */
static void add_approval(const struct api_call *call, const struct run_row *run,
                         struct json_out *out)
{
    struct confirmation c;
    struct ops_store *store = call->listener->stores.ops;
    if (call->role < ROLE_OPERATOR) {
        return;
    }
    if (run->state == RUN_RUNNING) {
        add_step_approval(store, run->id, out);
    } else if (run->state == RUN_CONFIRMING &&
               confirmation_table_of_run(store, run->id, &c, NULL) == 0 && !c.used &&
               strcmp(c.stage, "approve") == 0) {
        model_json_approval(out, c.nonce, c.expires_us, NULL);
    }
}

void api_runs_handle(struct api_call *call)
{
    struct api_list l;
    struct err err = {0};
    if (!api_list_begin(&l, call, age_of(call))) {
        return;
    }
    AUTO_FREE struct run_row *rows = rows_for(l.limit + 1, sizeof(*rows));
    const struct run_query query = {.states = states_of(api_text(call, "state")),
                                    .command = api_text(call, "command"),
                                    .user = api_text(call, "user"),
                                    .since_us = api_time_us(call, "since"),
                                    .until_us = api_time_us(call, "until"),
                                    .before_id = api_list_after(&l)};
    int rc = api_need_ops(&call->listener->stores, &err);
    rc = rc < 0 ? rc : run_table_list(call->listener->stores.ops, &query, rows, l.limit + 1, &err);
    for (int i = 0; i < rc && api_list_next(&l); i++) {
        api_list_item(&l);
        model_json_run(&l.answer.out, &rows[i]);
        add_approval(call, &rows[i], &l.answer.out);
        api_list_item_end(&l);
        api_list_key(&l, rows[i].id);
    }
    api_list_end(&l, rc, &err);
    for (int i = 0; i < rc; i++) {
        run_row_release(&rows[i]);
    }
}

int api_run_write(struct ops_store *store, int64_t id, struct json_out *out, struct err *err)
{
    AUTO_RUN_ROW struct run_row row = {0};
    AUTO_FREE struct run_step *steps = rows_for(STEPS_MAX, sizeof(*steps));
    int rc = run_table_get(store, id, &row, err);
    int count = rc < 0 ? rc : run_table_steps(store, id, steps, STEPS_MAX, err);
    if (count < 0) {
        return count;
    }
    AUTO_JSON struct json_object *args = NULL, *result = NULL;
    (void)json_parse(str_c(row.args_json), &JSON_LIMITS_DEFAULT, &args, NULL);
    (void)json_parse(str_c(row.result_json), &JSON_LIMITS_DEFAULT, &result, NULL);
    json_out_object(out, "run");
    model_json_run(out, &row);
    json_out_value(out, "args", args);
    json_out_end(out);
    json_out_array(out, "steps");
    for (int i = 0; i < count; i++) {
        json_out_object(out, NULL);
        model_json_step(out, &steps[i]);
        json_out_end(out);
    }
    json_out_end(out);
    json_out_value(out, "result", result);
    return 0;
}

void api_run_handle(struct api_call *call)
{
    struct api_answer a;
    struct err err = {0};
    api_answer_begin(&a, call->route->answer, age_of(call));
    int rc = api_need_ops(&call->listener->stores, &err);
    rc = rc < 0
             ? rc
             : api_run_write(call->listener->stores.ops, api_number(call, "id", 0), &a.out, &err);
    if (rc < 0) {
        api_answer_drop(&a);
        api_answer_err(call->request, &err);
    } else {
        api_answer_send(&a, call->request);
    }
}

/* ---------------------------------------------------------------- rules and learnings */

void api_rules_handle(struct api_call *call)
{
    struct api_list l;
    struct err err = {0};
    struct api_age age = api_age_of_engine(call->listener->api->shared,
                                           shared_reader_snapshot(call->listener->reader));
    if (!api_list_begin(&l, call, age)) {
        return;
    }
    AUTO_FREE struct rule *rows = rows_for(l.limit + 1, sizeof(*rows));
    const struct rule_query query = {.retired = strcmp(api_text(call, "status"), "all") == 0,
                                     .before_id = api_list_after(&l)};
    int rc = api_need_trading(&call->listener->stores, &err);
    rc = rc < 0 ? rc
                : rule_table_list(call->listener->stores.trading, &query, rows, l.limit + 1, &err);
    for (int i = 0; i < rc && api_list_next(&l); i++) {
        api_list_item(&l);
        model_json_rule(&l.answer.out, &rows[i]);
        api_list_item_end(&l);
        api_list_key(&l, rows[i].id);
    }
    api_list_end(&l, rc, &err);
}

/* Their order changes with their figures, and there are few: a page begins behind the row of the
 * cursor, wherever that stands now. */
void api_learnings_handle(struct api_call *call)
{
    struct api_list l;
    struct err err = {0};
    struct learning_query query = {0};
    const char *outcome = api_text(call, "outcome");
    if (!api_list_begin(&l, call, age_of(call))) {
        return;
    }
    query.has_outcome = outcome != NULL && learning_outcome_parse(str_c(outcome), &query.outcome);
    AUTO_FREE struct learning *rows = rows_for(LEARNINGS_MAX, sizeof(*rows));
    int rc = api_need_ops(&call->listener->stores, &err);
    rc = rc < 0
             ? rc
             : learning_table_list(call->listener->stores.ops, &query, rows, LEARNINGS_MAX, &err);
    int first = 0;
    for (int i = 0; i < rc; i++) {
        first = rows[i].id == api_list_after(&l) ? i + 1 : first;
    }
    for (int i = first; i < rc && api_list_next(&l); i++) {
        api_list_item(&l);
        learner_write(&l.answer.out, &rows[i]);
        api_list_item_end(&l);
        api_list_key(&l, rows[i].id);
    }
    api_list_end(&l, rc, &err);
}

/* ---------------------------------------------------------------- audits and the audit log */

static void write_audit(struct json_out *out, const struct audit_record *r)
{
    json_out_i64(out, "id", r->id);
    json_out_time(out, "started_at", r->started_us);
    json_out_time(out, "finished_at", r->finished_us);
    json_out_text(out, "verdict", r->verdict);
    json_out_text(out, "trigger", r->trigger);
    json_out_text(out, "model", r->model);
    json_out_i64(out, "tokens_in", r->tokens_in);
    json_out_i64(out, "tokens_out", r->tokens_out);
    json_out_rounded(out, "cost_usd", (double)r->cost_microusd / 1e6, 6);
    json_out_object(out, "findings");
    for (int severity = SEVERITY_CRITICAL; severity >= SEVERITY_INFO; severity--) {
        json_out_i64(out, severity_name((enum severity)severity),
                     r->findings_by_severity[severity]);
    }
    json_out_end(out);
    json_out_i64(out, "claimed", r->claimed);
    json_out_i64(out, "rejected", r->rejected);
    json_out_i64(out, "dropped", r->dropped);
    json_out_i64(out, "cut", r->cut);
    json_out_text(out, "note", r->note);
}

void api_audits_handle(struct api_call *call)
{
    struct api_list l;
    struct err err = {0};
    if (!api_list_begin(&l, call, age_of(call))) {
        return;
    }
    AUTO_FREE struct audit_record *rows = rows_for(l.limit + 1, sizeof(*rows));
    int rc = api_need_ops(&call->listener->stores, &err);
    rc = rc < 0 ? rc
                : audit_table_list(call->listener->stores.ops, api_list_after(&l), rows,
                                   l.limit + 1, &err);
    for (int i = 0; i < rc && api_list_next(&l); i++) {
        api_list_item(&l);
        write_audit(&l.answer.out, &rows[i]);
        api_list_item_end(&l);
        api_list_key(&l, rows[i].id);
    }
    api_list_end(&l, rc, &err);
    for (int i = 0; i < rc; i++) {
        audit_record_release(&rows[i]);
    }
}

void api_auditlog_handle(struct api_call *call)
{
    struct api_list l;
    struct err err = {0};
    if (!api_list_begin(&l, call, age_of(call))) {
        return;
    }
    AUTO_FREE struct audit_row *rows = rows_for(l.limit + 1, sizeof(*rows));
    const struct audit_filter filter = {.user = api_text(call, "user"),
                                        .command = api_text(call, "command"),
                                        .result = api_text(call, "result"),
                                        .since_us = api_time_us(call, "since"),
                                        .run_id = api_number(call, "run", 0),
                                        .before_id = api_list_after(&l)};
    int rc = api_need_ops(&call->listener->stores, &err);
    rc = rc < 0 ? rc : audit_search(call->listener->stores.ops, &filter, rows, l.limit + 1, &err);
    for (int i = 0; i < rc && api_list_next(&l); i++) {
        api_list_item(&l);
        audit_row_write(&l.answer.out, &rows[i]);
        api_list_item_end(&l);
        api_list_key(&l, rows[i].id);
    }
    api_list_end(&l, rc, &err);
}
