#include "transcript.h"

#include "base/auto.h"
#include "base/check.h"
#include "base/clock.h"
#include "io/json.h"
#include "memory.h"
#include "session.h"
#include "store/question_table.h"
#include "store/session_table.h"

#include <stdlib.h>
#include <string.h>

#define PROPOSALS_LISTED 8

struct writing {
    struct ops_store *store;
    const struct transcript_options *o;
    struct buf *out;
    struct session session;
    struct session_member members[SESSION_MEMBERS_MAX];
    int member_count;
};

static void add_time(struct buf *out, int64_t at_us)
{
    clock_add_iso(out, at_us, false);
}

/* Each line behind "> ", so that no text can pass for a part of the document. */
static void add_quote(struct buf *out, struct str text)
{
    struct str line;
    while (str_split(&text, '\n', &line)) {
        buf_addf(out, "> %.*s\n", STR_ARG(line));
    }
}

static void add_money(struct buf *out, struct dec amount)
{
    if (dec_is_valid(amount)) {
        buf_add_char(out, '$');
        dec_add_amount(out, amount, 4);
    } else {
        buf_add_c(out, "unknown");
    }
}

static int add_head(struct writing *w, struct err *err)
{
    struct session_sums sums;
    struct buf *out = w->out;
    const struct session *s = &w->session;
    int rc = session_table_sums(w->store, s->id, &sums, err);
    if (rc < 0) {
        return rc;
    }
    buf_addf(out, "# Troubleshooting session %lld\n\n", (long long)s->id);
    add_quote(out, str_c(s->title));
    buf_add_c(out, "\n- opened: ");
    add_time(out, s->opened_us);
    buf_add_c(out, s->open ? "\n- still open" : "\n- closed: ");
    if (!s->open) {
        add_time(out, s->closed_us);
        buf_addf(out, " (%s)", s->closed_by);
    }
    buf_add_c(out, "\n- people: ");
    for (int i = 0; i < w->member_count; i++) {
        const struct session_member *m = &w->members[i];
        buf_addf(out, "%s%s (%s, %s)", i > 0 ? ", " : "", m->user, m->role, m->channel);
    }
    buf_addf(out, "\n- questions: %lld, commands read: %lld, tokens: %lld, cost: ",
             (long long)sums.questions, (long long)sums.calls, (long long)sums.tokens);
    add_money(out, sums.cost_usd);
    buf_addf(out, "\n- figures in the answers: %lld verified, %lld not\n\n",
             (long long)(sums.found + sums.derived), (long long)sums.unverified);
    if (s->summary[0] != '\0') {
        buf_addf(out,
                 "## Summary up to q%lld\n\nWritten by the model; its figures are not "
                 "verified.\n\n",
                 (long long)s->summary_to);
        add_quote(out, str_c(s->summary));
        buf_add_char(out, '\n');
    }
    return 0;
}

static bool is_hidden(const struct writing *w, const char *line)
{
    struct str rest = str_c(line[0] == '/' ? line + 1 : line), name = {0}, words, word;
    words = str_c(w->o->hidden != NULL ? w->o->hidden : "");
    (void)str_word(&rest, &name);
    while (str_word(&words, &word)) {
        if (str_equal(word, name)) {
            return true;
        }
    }
    return false;
}

/* A result is JSON in one line, so it cannot end the block. */
static void add_step(struct writing *w, const struct question_step *step)
{
    struct buf *out = w->out;
    buf_addf(out, "\nRead `%s`", step->line);
    if (step->error_code[0] != '\0') {
        buf_addf(out, ", which ended with %s", step->error_code);
    }
    if (is_hidden(w, step->line)) {
        buf_add_c(out, ". The result is left out: not everybody who gets this may run it.\n");
        return;
    }
    char shown[TRANSCRIPT_RESULT_MAX + 1];
    str_cut(str_c(step->result), shown, sizeof(shown));
    buf_addf(out, ":\n\n```json\n%s\n```\n", shown);
    if (strlen(step->result) > strlen(shown)) {
        buf_addf(out, "\n%zu more bytes are left out.\n", strlen(step->result) - strlen(shown));
    }
}

static void add_figures(struct buf *out, const char *figures)
{
    AUTO_JSON struct json_object *list = NULL;
    if (json_parse(str_c(figures), &JSON_LIMITS_DEFAULT, &list, NULL) < 0 || json_len(list) == 0) {
        return;
    }
    buf_add_c(out, "\nFigures:\n\n");
    for (size_t i = 0; i < json_len(list); i++) {
        const struct json_object *figure = json_item(list, i);
        const char *where = json_text(figure, "where");
        buf_addf(out, "- `%s`: %s%s%s\n", json_text(figure, "text"), json_text(figure, "standing"),
                 where[0] != '\0' ? ", " : "", where);
    }
}

static void add_answer(struct writing *w, const struct question *q)
{
    struct buf *out = w->out;
    AUTO_BUF struct buf named = BUF_INIT(4 * QUESTION_ANSWER_MAX);
    buf_addf(out, "\nAnswer (%s%s%s", question_state_name(q->state),
             q->source[0] != '\0' ? ", " : "", q->source);
    if (q->error_code[0] != '\0') {
        buf_addf(out, ", %s", q->error_code);
    }
    if (q->model[0] != '\0') {
        buf_addf(out, ", %s, ", q->model);
        add_money(out, q->cost_usd);
    }
    buf_add_c(out, "):\n\n");
    memory_add_named(w->members, w->member_count, str_c(q->answer), &named);
    add_quote(out, named.len > 0 ? buf_str(&named) : str_c("(none)"));
    add_figures(out, q->figures);
}

static int add_proposals(struct writing *w, int64_t id, struct err *err)
{
    struct question_proposal proposals[PROPOSALS_LISTED] = {0};
    int count = question_table_proposals(w->store, id, proposals, PROPOSALS_LISTED, err);
    if (count > 0) {
        buf_add_c(w->out, "\nProposed, to be pressed by a person:\n\n");
    }
    for (int i = 0; i < count; i++) {
        buf_addf(w->out, "- `%s`: %s\n", proposals[i].line,
                 proposals[i].outcome == PROPOSAL_OPEN
                     ? "not begun"
                     : proposal_outcome_name(proposals[i].outcome));
    }
    buf_add_char(w->out, '\n');
    return count < 0 ? count : 0;
}

static int add_question(struct writing *w, int64_t id, struct err *err)
{
    AUTO_QUESTION struct question q = {0};
    struct question_step steps[QUESTION_STEPS_MAX] = {0};
    int rc = question_table_get(w->store, id, &q, err);
    int count = rc < 0 ? rc : question_table_steps(w->store, id, steps, QUESTION_STEPS_MAX, err);
    if (count < 0) {
        return count;
    }
    buf_addf(w->out, "## q%lld: %s, ", (long long)id, q.user);
    add_time(w->out, q.asked_us);
    buf_add_c(w->out, "\n\n");
    add_quote(w->out, str_c(q.question));
    for (int i = 0; i < count; i++) {
        add_step(w, &steps[i]);
        question_step_release(&steps[i]);
    }
    add_answer(w, &q);
    return add_proposals(w, id, err);
}

static int add_events(struct writing *w, struct err *err)
{
    struct session_event *events = calloc(SESSION_EVENTS_MAX, sizeof(*events));
    NEED_MEMORY(events != NULL);
    int count = session_table_events(w->store, w->session.id, 0, events, SESSION_EVENTS_MAX, err);
    buf_add_c(w->out, "## What was done\n\n");
    for (int i = 0; i < count; i++) {
        buf_add_c(w->out, "- ");
        add_time(w->out, events[i].at_us);
        buf_addf(w->out, " %s: %s%s%s\n", events[i].user, session_event_name(events[i].kind),
                 events[i].text[0] != '\0' ? " " : "", events[i].text);
    }
    if (w->o->closed_by != NULL) {
        buf_add_c(w->out, "- ");
        add_time(w->out, w->o->closed_us);
        buf_addf(w->out, " %s: closed\n", w->o->closed_by);
    }
    free(events);
    return count < 0 ? count : 0;
}

int transcript_write(struct ops_store *store, const struct transcript_options *options,
                     struct buf *out, struct err *err)
{
    struct writing w = {.store = store, .o = options, .out = out};
    int64_t session_id = options->session_id;
    int64_t ids[SESSION_QUESTIONS_MAX];
    int rc = session_table_get(store, session_id, &w.session, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        rc = err_set(err, ERR_SESSION_UNKNOWN, "session %lld", (long long)session_id);
    }
    if (rc == 0 && options->closed_by != NULL) {
        w.session.open = false;
        w.session.closed_us = options->closed_us;
        (void)str_copy(str_c(options->closed_by), w.session.closed_by, sizeof(w.session.closed_by));
    }
    rc = rc < 0 ? rc : session_table_members(store, session_id, w.members, err);
    w.member_count = rc < 0 ? 0 : rc;
    rc = rc < 0 ? rc : add_head(&w, err);
    int count =
        rc < 0 ? rc : question_table_of_session(store, session_id, 0, ids, COUNT_OF(ids), err);
    for (int i = 0; count >= 0 && i < count && rc == 0; i++) {
        rc = add_question(&w, ids[i], err);
    }
    rc = rc < 0 || count < 0 ? -(int)err->id : add_events(&w, err);
    session_release(&w.session);
    if (rc == 0 && buf_failed(out)) {
        rc = err_set(err, ERR_BUF_FULL, "transcript of session %lld", (long long)session_id);
    }
    return rc;
}
