/* The auditor's findings as a list that people work through, and how they ended. */
#include "alert_reply.h"
#include "alerts_internal.h"
#include "base/check.h"
#include "io/json_out.h"
#include "model/model_json.h"
#include "store/alert_table.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define PAGE_SIZE    10
#define BUTTONS_MAX  5
#define CLOSED       (1u << ALERT_FIXED | 1u << ALERT_WONTFIX)
#define UNDECIDED    (1u << ALERT_OPEN | 1u << ALERT_ACKNOWLEDGED)
#define ALL_STATUSES (CLOSED | UNDECIDED | 1u << ALERT_REJECTED)

static const struct {
    const char *word;
    unsigned statuses;
    const char *title;
} views[] = {{"open", UNDECIDED, "Open findings"},
             {"fixed", 1u << ALERT_FIXED, "Fixed findings"},
             {"wontfix", 1u << ALERT_WONTFIX, "Findings that won't be fixed"},
             {"closed", CLOSED, "Closed findings"},
             {"rejected", 1u << ALERT_REJECTED, "Rejected findings"},
             {"all", ALL_STATUSES, "All findings"}};

static void add_pages(struct reply *r, const char *command, int64_t page, bool more)
{
    AUTO_BUF struct buf previous = BUF_INIT(64);
    AUTO_BUF struct buf next = BUF_INIT(64);
    if (page > 1) {
        buf_addf(&previous, "/%s page=%lld", command, (long long)page - 1);
    }
    if (more) {
        buf_addf(&next, "/%s page=%lld", command, (long long)page + 1);
    }
    if (previous.len + next.len > 0) {
        reply_page(r, buf_str(&previous).len > 0 ? previous.data : NULL,
                   buf_str(&next).len > 0 ? next.data : NULL);
    }
}

static void add_button(struct reply *r, const char *text, const char *command, int64_t id,
                       enum button_style style)
{
    AUTO_BUF struct buf line = BUF_INIT(64);
    buf_addf(&line, "/%s %lld", command, (long long)id);
    reply_button(r, text, line.data, style);
}

static void write_alerts(struct reply *r, const struct alert *rows, int count)
{
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_array(&data, "alerts");
    for (int i = 0; i < count; i++) {
        json_out_object(&data, NULL);
        model_json_alert(&data, &rows[i]);
        json_out_end(&data);
    }
    json_out_end(&data);
}

/* "12 · high · bug: the books do not balance" and a line of what is known about it. */
static void add_item(struct reply *r, const struct alert *a, int64_t now_us)
{
    reply_para(r, "{} · {} · {}", cell_count(a->id), cell_text(severity_name(a->severity)),
               cell_text(a->title));
    reply_more(r, "\n  {}, since {}, seen {} time{}", cell_text(alert_status_name(a->status)),
               cell_time(a->created_us, now_us), cell_count(a->count),
               cell_text(a->count == 1 ? "" : "s"));
    if (a->reopened > 0) {
        reply_more(r, ", came back {} time{}", cell_count(a->reopened),
                   cell_text(a->reopened == 1 ? "" : "s"));
    }
    if (a->note[0] != '\0') {
        reply_quote(r, str_c(a->note));
    }
}

/* A reason is required, so the button asks for one. */
static int ask_reason(const struct alert *alert, struct reply *r, struct err *err)
{
    static const char *const reasons[] = {"false alarm", "known and accepted",
                                          "not worth the effort"};
    if (!alert_is_finding(alert)) {
        return err_set(err, ERR_ALERT_NOT_FINDING, "%lld comes from %s", (long long)alert->id,
                       alert->source);
    }
    if (((1u << alert->status) & UNDECIDED) == 0) {
        return err_set(err, ERR_ALERT_CLOSED, "%lld is %s", (long long)alert->id,
                       alert_status_name(alert->status));
    }
    reply_title(r, TONE_PLAIN, "Why won't finding %lld be fixed?", (long long)alert->id);
    reply_line(r, "%s", alert->title);
    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        char label[32], line[64];
        (void)snprintf(label, sizeof(label), "%c%s", toupper((unsigned char)reasons[i][0]),
                       reasons[i] + 1);
        (void)snprintf(line, sizeof(line), "/wontfix %lld \"%s\"", (long long)alert->id,
                       reasons[i]);
        reply_button(r, label, line, BUTTON_PLAIN);
    }
    reply_para(r, "In your own words: {}. It is counted, but not raised again.",
               cell_code("/wontfix <number> \"reason\""));
    write_alerts(r, alert, 1);
    return ACTION_DONE;
}

static int show_one(struct action_call *call, int64_t id, struct err *err)
{
    struct alerts *alerts = action_userdata(call);
    struct reply *r = action_reply(call);
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    int rc = alert_find(alerts, id, alert, err);
    if (rc < 0) {
        return rc;
    }
    if (action_value(call, "ask") != NULL) {
        return ask_reason(alert, r, err);
    }
    AUTO_ALERT_REPORT struct alert_report report = {0};
    if ((rc = alert_report_load(alerts->o.store, &report, err)) < 0) {
        return rc;
    }
    alert_reply_full(alert, &report, clock_wall_us(alerts->o.clock), r);
    alert_reply_close_buttons(alert, r);
    return ACTION_DONE;
}

static int list_findings(struct action_call *call, struct err *err)
{
    struct alerts *alerts = action_userdata(call);
    struct reply *r = action_reply(call);
    const struct arg_value *what = action_value(call, "what");
    if (what != NULL && what->type == PARAM_INT) {
        return show_one(call, what->number, err);
    }
    size_t view = 0;
    for (size_t i = 0; what != NULL && i < COUNT_OF(views); i++) {
        view = strcmp(action_text(call, "what"), views[i].word) == 0 ? i : view;
    }
    int64_t page = action_int(call, "page");
    struct alert *rows = calloc(PAGE_SIZE + 1, sizeof(*rows));
    AUTO_FREE struct alert *memory = rows;
    ASSERT(rows != NULL);
    const struct alert_query query = {.statuses = views[view].statuses,
                                      .source = "auditor",
                                      .offset = (size_t)(page - 1) * PAGE_SIZE};
    int n = alert_table_list(alerts->o.store, &query, rows, PAGE_SIZE + 1, err);
    if (n < 0) {
        return n;
    }
    bool more = n > PAGE_SIZE;
    n = more ? PAGE_SIZE : n;
    write_alerts(r, rows, n);
    if (n == 0) {
        reply_title(r, TONE_GOOD, "%s: none%s", views[view].title, page > 1 ? " on this page" : "");
        reply_para(r, "{} runs an audit now.", cell_code("/audit"));
        return ACTION_DONE;
    }
    reply_title(r, TONE_PLAIN, "%s", views[view].title);
    for (int i = 0; i < n; i++) {
        char text[24];
        add_item(r, &rows[i], clock_wall_us(alerts->o.clock));
        (void)snprintf(text, sizeof(text), "%lld", (long long)rows[i].id);
        if (i < BUTTONS_MAX) {
            add_button(r, text, "findings", rows[i].id, BUTTON_PLAIN);
        }
    }
    reply_para(r, "{} shows one", cell_code("/findings <number>"));
    if ((views[view].statuses & UNDECIDED) != 0) {
        reply_more(r, "; {} and {} close it", cell_code("/fixed"), cell_code("/wontfix"));
    }
    reply_more(r, "{}", cell_text("."));
    AUTO_BUF struct buf command = BUF_INIT(32);
    buf_addf(&command, "findings %s", views[view].word);
    add_pages(r, command.data, page, more);
    return ACTION_DONE;
}

/* ------------------------------------------------------------------------------------- close */

static int close_body(struct alert_change *change, struct err *err)
{
    struct alerts *alerts = change->alerts;
    const struct alert_closing *how = change->userdata;
    struct alert *alert = change->alert;
    bool closed = alert->status == how->status || alert->status == ALERT_REJECTED ||
                  (alert->status == ALERT_FIXED && how->status == ALERT_WONTFIX);
    if (closed) {
        return err_set(err, ERR_ALERT_CLOSED, "%lld is %s", (long long)alert->id,
                       alert_status_name(alert->status));
    }
    int rc =
        alert_table_close(alerts->o.store, alert->id, how, clock_wall_us(alerts->o.clock), err);
    if (rc < 0 || (rc = alert_table_get(alerts->o.store, alert->id, alert, err)) < 0) {
        return rc;
    }
    if (incident_has(alert)) {
        AUTO_BUF struct buf why = BUF_INIT(ALERT_NOTE_SIZE + 80);
        buf_addf(&why, "by %s%s%s", how->by, alert->note[0] == '\0' ? "" : ": ", alert->note);
        if ((rc = incident_resolved(alerts, alert, why.data, err)) < 0) {
            return rc;
        }
    }
    return alert_changed(alerts, alert, err);
}

static int close_alert(struct action_call *call, enum alert_status status, const char *note,
                       struct err *err)
{
    struct alerts *alerts = action_userdata(call);
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    int rc = alert_find(alerts, action_int(call, "id"), alert, err);
    if (rc < 0) {
        return rc;
    }
    if (status == ALERT_WONTFIX && !alert_is_finding(alert)) {
        return err_set(err, ERR_ALERT_NOT_FINDING, "%lld comes from %s", (long long)alert->id,
                       alert->source);
    }
    struct alert_closing how = {.status = status, .by = action_who(call)->name, .note = note};
    struct alert_change change = {
        .alerts = alerts, .body = close_body, .alert = alert, .userdata = &how};
    if ((rc = alert_run(&change, err)) < 0) {
        return rc;
    }
    struct reply *r = action_reply(call);
    bool finding = alert_is_finding(alert);
    reply_title(r, TONE_GOOD, "%s %lld %s", finding ? "Finding" : "Alert", (long long)alert->id,
                status == ALERT_FIXED ? "is marked as fixed" : "won't be fixed");
    reply_line(r, "%s", alert->title);
    if (alert->note[0] != '\0') {
        reply_quote(r, str_c(alert->note));
    }
    if (status == ALERT_WONTFIX) {
        add_button(r, "Undo: fixed", "fixed", alert->id, BUTTON_PLAIN);
        reply_line(r, "It is counted, but not raised again.");
    } else {
        reply_line(r, finding ? "The next audit looks for it: if it is found again, it comes back."
                              : "It comes back if it happens again.");
    }
    write_alerts(r, alert, 1);
    return ACTION_DONE;
}

static int mark_fixed(struct action_call *call, struct err *err)
{
    return close_alert(call, ALERT_FIXED, action_text(call, "note"), err);
}

static int mark_wontfix(struct action_call *call, struct err *err)
{
    return close_alert(call, ALERT_WONTFIX, action_text(call, "reason"), err);
}

static int recover_close(struct action_call *call, enum alert_status status, bool *ret_happened,
                         struct err *err)
{
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    int rc = alert_find(action_userdata(call), action_int(call, "id"), alert, err);
    *ret_happened =
        rc == 0 && alert->status == status && strcmp(alert->closed_by, action_who(call)->name) == 0;
    return rc;
}

static int recover_fixed(struct action_call *call, bool *ret_happened, struct err *err)
{
    return recover_close(call, ALERT_FIXED, ret_happened, err);
}

static int recover_wontfix(struct action_call *call, bool *ret_happened, struct err *err)
{
    return recover_close(call, ALERT_WONTFIX, ret_happened, err);
}

/* --------------------------------------------------------------------------------- learnings */

static void add_end(struct reply *r, const struct alert *a, int64_t now_us)
{
    int64_t ended_us = a->status == ALERT_FIXED ? a->fixed_us : a->acknowledged_us;
    reply_para(r, "{} · {}", cell_count(a->id), cell_text(a->title));
    if (a->status == ALERT_WONTFIX) {
        reply_more(r, "\n  stays as it is, says {}, {}", cell_text(a->closed_by),
                   cell_time(ended_us, now_us));
    } else if (a->closed_by[0] != '\0') {
        reply_more(r, "\n  fixed by {} after {}", cell_text(a->closed_by),
                   cell_duration(ended_us - a->created_us));
    } else {
        reply_more(r, "\n  over after {}: the auditor no longer finds it",
                   cell_duration(ended_us - a->created_us));
    }
    if (a->reopened > 0) {
        reply_more(r, "; came back {} time{} before", cell_count(a->reopened),
                   cell_text(a->reopened == 1 ? "" : "s"));
    }
    if (a->note[0] != '\0') {
        reply_quote(r, str_c(a->note));
    }
}

static int list_learnings(struct action_call *call, struct err *err)
{
    struct alerts *alerts = action_userdata(call);
    struct reply *r = action_reply(call);
    int64_t page = action_int(call, "page");
    struct alert *rows = calloc(PAGE_SIZE + 1, sizeof(*rows));
    AUTO_FREE struct alert *memory = rows;
    ASSERT(rows != NULL);
    int n = alert_table_closed_findings(alerts->o.store, (size_t)(page - 1) * PAGE_SIZE, rows,
                                        PAGE_SIZE + 1, err);
    if (n < 0) {
        return n;
    }
    bool more = n > PAGE_SIZE;
    n = more ? PAGE_SIZE : n;
    write_alerts(r, rows, n);
    if (n == 0) {
        reply_title(r, TONE_PLAIN, "%s", page > 1 ? "No more learnings" : "No learnings yet");
        reply_line(r, "A finding that is fixed, or won't be, appears here with its reason.");
        return ACTION_DONE;
    }
    reply_title(r, TONE_PLAIN, "What was learnt from findings");
    for (int i = 0; i < n; i++) {
        add_end(r, &rows[i], clock_wall_us(alerts->o.clock));
    }
    reply_button(r, "Open findings", "/findings", BUTTON_PLAIN);
    reply_button(r, "Rules", "/rules", BUTTON_PLAIN);
    add_pages(r, "learnings findings", page, more);
    return ACTION_DONE;
}

static const struct action_param view_word = {.type = PARAM_CHOICE,
                                              .choices = "open|closed|fixed|wontfix|rejected|all"};
#define PAGE_PARAM                                                              \
    {                                                                           \
        .name = "page", .type = PARAM_INT, .default_text = "1", .minimum = "1", \
        .maximum = "100000", .help = "page of the list"                         \
    }
#define ID_PARAM                                                           \
    {                                                                      \
        .name = "id", .type = PARAM_INT, .required = true, .minimum = "1", \
        .help = "number of the finding"                                    \
    }

static const struct action actions[] = {
    {.name = "alert.findings",
     .summary = "Findings of the auditor, worst first, or one in full",
     .data = "alerts alert",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "what",
                              .type = PARAM_INT,
                              .minimum = "1",
                              .otherwise = &view_word,
                              .noun = "a number, open, closed, fixed, wontfix, rejected or all",
                              .help = "a number, or which ones"},
                             PAGE_PARAM,
                             {.name = "ask",
                              .type = PARAM_CHOICE,
                              .choices = "wontfix",
                              .help = "with a number: asks for a reason not to fix it"}),
     .run = list_findings},
    {.name = "alert.fixed",
     .summary = "Mark a finding or another alert as fixed; it comes back if it is found again",
     .data = "alerts",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .params =
         ACTION_PARAMS(ID_PARAM, {.name = "note", .type = PARAM_TEXT, .help = "what was done"}),
     .run = mark_fixed,
     .recover = recover_fixed},
    {.name = "alert.wontfix",
     .summary = "Mark a finding as won't fix, with the reason; it is not raised again",
     .data = "alerts",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS(
         ID_PARAM,
         {.name = "reason", .type = PARAM_TEXT, .required = true, .help = "why it stays"}),
     .run = mark_wontfix,
     .recover = recover_wontfix},
    {.name = "alert.learnings",
     .summary = "How findings ended, and what people wrote about them",
     .data = "alerts",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS(PAGE_PARAM),
     .run = list_learnings},
    {0},
};

void alert_findings_actions(struct alerts *alerts, struct action_table *table)
{
    action_table_add(table, actions, alerts);
}
