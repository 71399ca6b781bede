#include "store/question_table.h"

#include "base/check.h"
#include "row.h"

#include <stdlib.h>
#include <string.h>

static const char *const state_names[] = {
    [QUESTION_RUNNING] = "running",   [QUESTION_ANSWERED] = "answered",
    [QUESTION_WITHHELD] = "withheld", [QUESTION_PROPOSED] = "proposed",
    [QUESTION_STOPPED] = "stopped",   [QUESTION_FAILED] = "failed",
    [QUESTION_LOST] = "lost"};

const char *question_state_name(enum question_state state)
{
    return state_names[state];
}

bool question_state_parse(struct str text, enum question_state *ret)
{
    for (size_t i = 0; i < COUNT_OF(state_names); i++) {
        if (str_equal_c(text, state_names[i])) {
            *ret = (enum question_state)i;
            return true;
        }
    }
    return false;
}

void question_release(struct question *question)
{
    free(question->question);
    free(question->answer);
    free(question->figures);
    *question = (struct question){0};
}

void question_step_release(struct question_step *step)
{
    free(step->line);
    free(step->result);
    *step = (struct question_step){0};
}

static int add(struct ops_store *store, const struct question *q, int64_t *ret_id, struct err *err)
{
    int rc = db_run(
        store->db,
        "INSERT INTO questions(run_id, kind, subject, user, user_id, channel, asked_us,"
        " question, state, cost_usd, session_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'running', 0, nullif(?, 0))",
        DB_VALUES(DB_I64(q->run_id), DB_TEXT_C(q->kind), DB_TEXT_C(q->subject), DB_TEXT_C(q->user),
                  DB_I64(q->user_id), DB_TEXT_C(q->channel), DB_I64(q->asked_us),
                  DB_TEXT(row_cut(q->question, QUESTION_TEXT_MAX + 1)), DB_I64(q->session_id)),
        err);
    if (rc < 0) {
        return rc;
    }
    *ret_id = db_last_rowid(store->db);
    return db_run(store->db,
                  "DELETE FROM questions WHERE id <= ? AND state <> 'running'"
                  " AND session_id IS NULL",
                  DB_VALUES(DB_I64(*ret_id - QUESTIONS_KEPT)), err);
}

static int forget_attempt(struct ops_store *store, int64_t id, struct err *err)
{
    int rc = db_run(store->db, "DELETE FROM question_steps WHERE question_id = ?",
                    DB_VALUES(DB_I64(id)), err);
    return rc < 0 ? rc
                  : db_run(store->db, "DELETE FROM question_proposals WHERE question_id = ?",
                           DB_VALUES(DB_I64(id)), err);
}

int question_table_begin(struct ops_store *store, const struct question *question, int64_t *ret_id,
                         bool *ret_again, struct err *err)
{
    AUTO_ROLLBACK struct db *own = NULL;
    int64_t id = 0;
    int rc = row_begin(store->db, &own, err);
    if (rc >= 0 && question->run_id != 0) {
        rc =
            db_get_i64(store->db, "SELECT id FROM questions WHERE run_id = ? AND state = 'running'",
                       DB_VALUES(DB_I64(question->run_id)), 0, &id, err);
    }
    *ret_again = id != 0;
    if (rc >= 0) {
        rc = id != 0 ? forget_attempt(store, id, err) : add(store, question, &id, err);
    }
    if (rc < 0 || (rc = row_commit(&own, err)) < 0) {
        return rc;
    }
    *ret_id = id;
    return 0;
}

int question_table_step(struct ops_store *store, int64_t id, const struct question_step *step,
                        struct err *err)
{
    return db_run(
        store->db,
        "INSERT OR REPLACE INTO question_steps(question_id, idx, line, result, error_code,"
        " took_us) VALUES (?, ?, ?, ?, ?, ?)",
        DB_VALUES(DB_I64(id), DB_I64(step->index), DB_TEXT(row_cut(step->line, QUESTION_TEXT_MAX)),
                  DB_TEXT(row_cut(step->result, QUESTION_RESULT_MAX)), DB_TEXT_C(step->error_code),
                  DB_I64(step->took_us)),
        err);
}

int question_table_end(struct ops_store *store, const struct question *q, struct err *err)
{
    return db_run(
        store->db,
        "UPDATE questions SET state = ?, source = ?, answer = ?, model = ?, tokens = ?,"
        " cost_usd = ?, found = ?, derived = ?, unverified = ?, figures = ?, error_code = ?,"
        " ended_us = ? WHERE id = ?",
        DB_VALUES(DB_TEXT_C(question_state_name(q->state)), DB_TEXT_C(q->source),
                  DB_TEXT(row_cut(q->answer, QUESTION_ANSWER_MAX)), DB_TEXT_C(q->model),
                  DB_I64(q->tokens), DB_DEC(q->cost_usd), DB_I64(q->found), DB_I64(q->derived),
                  DB_I64(q->unverified), DB_TEXT_C(q->figures != NULL ? q->figures : "[]"),
                  DB_TEXT_C(q->error_code), DB_I64(q->ended_us), DB_I64(q->id)),
        err);
}

int question_table_get(struct ops_store *store, int64_t id, struct question *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(
        store->db,
        "SELECT id, run_id, kind, subject, user, user_id, channel, asked_us, ended_us, question,"
        " state, source, answer, model, tokens, cost_usd, found, derived, unverified, figures,"
        " error_code, coalesce(session_id, 0) FROM questions WHERE id = ?",
        DB_VALUES(DB_I64(id)), &row, err);
    if (rc <= 0) {
        return rc < 0 ? rc : err_set(err, ERR_STORE_NOT_FOUND, "question %lld", (long long)id);
    }
    ret->id = row_i64(&row);
    ret->run_id = row_i64(&row);
    row_text(&row, ret->kind, sizeof(ret->kind));
    row_text(&row, ret->subject, sizeof(ret->subject));
    row_text(&row, ret->user, sizeof(ret->user));
    ret->user_id = row_i64(&row);
    row_text(&row, ret->channel, sizeof(ret->channel));
    ret->asked_us = row_i64(&row);
    ret->ended_us = row_i64(&row);
    ret->question = row_heap(&row);
    ROW_WORD(&row, question_state, &ret->state);
    row_text(&row, ret->source, sizeof(ret->source));
    ret->answer = row_heap(&row);
    row_text(&row, ret->model, sizeof(ret->model));
    ret->tokens = row_i64(&row);
    ret->cost_usd = row_dec(&row);
    ret->found = row_i64(&row);
    ret->derived = row_i64(&row);
    ret->unverified = row_i64(&row);
    ret->figures = row_heap(&row);
    row_text(&row, ret->error_code, sizeof(ret->error_code));
    ret->session_id = row_i64(&row);
    return row_check(&row, "questions", id, err);
}

int question_table_of_session(struct ops_store *store, int64_t session_id, int64_t after_id,
                              int64_t *ret_ids, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc =
        db_query(store->db,
                 "SELECT id FROM questions WHERE session_id = ? AND id > ? ORDER BY id"
                 " LIMIT ?",
                 DB_VALUES(DB_I64(session_id), DB_I64(after_id), DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        ret_ids[n++] = row_i64(&row);
    }
    return rc < 0 ? rc : (int)n;
}

int question_table_steps(struct ops_store *store, int64_t id, struct question_step *ret, size_t max,
                         struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT idx, line, result, error_code, took_us FROM question_steps"
                      " WHERE question_id = ? ORDER BY idx LIMIT ?",
                      DB_VALUES(DB_I64(id), DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct question_step *step = &ret[n++];
        step->index = row_i64(&row);
        step->line = row_heap(&row);
        step->result = row_heap(&row);
        row_text(&row, step->error_code, sizeof(step->error_code));
        step->took_us = row_i64(&row);
        rc = row_check(&row, "question_steps", id, err);
    }
    return rc < 0 ? rc : (int)n;
}

int question_table_rate(struct ops_store *store, const struct question_rating *r, struct err *err)
{
    int64_t known = 0;
    int rc = db_get_i64(store->db, "SELECT count(*) FROM questions WHERE id = ?",
                        DB_VALUES(DB_I64(r->question_id)), 0, &known, err);
    if (rc >= 0 && known == 0) {
        return err_set(err, ERR_STORE_NOT_FOUND, "question %lld", (long long)r->question_id);
    }
    return rc < 0 ? rc
                  : db_run(store->db,
                           "INSERT INTO question_ratings(question_id, channel, user, good, at_us)"
                           " VALUES (?, ?, ?, ?, ?) ON CONFLICT(question_id, channel, user)"
                           " DO UPDATE SET good = excluded.good, at_us = excluded.at_us",
                           DB_VALUES(DB_I64(r->question_id), DB_TEXT_C(r->channel),
                                     DB_TEXT_C(r->user), DB_I64(r->good), DB_I64(r->at_us)),
                           err);
}

int question_table_sums(struct ops_store *store, int64_t since_us, struct question_sums *ret,
                        struct err *err)
{
    AUTO_ROW struct row row = {0};
    *ret = (struct question_sums){0};
    int rc = row_query_one(
        store->db,
        "SELECT count(*), coalesce(sum(source = 'model'), 0), coalesce(sum(source = 'grammar'), 0),"
        " coalesce(sum(state = 'answered'), 0), coalesce(sum(state = 'withheld'), 0),"
        " coalesce(sum(state = 'proposed'), 0),"
        " coalesce(sum(state IN ('failed', 'stopped', 'lost')), 0),"
        " coalesce(sum(found + derived), 0), coalesce(sum(unverified), 0),"
        " (SELECT count(*) FROM question_ratings r JOIN questions q ON q.id = r.question_id"
        " WHERE q.asked_us >= ?1 AND r.good), (SELECT count(*) FROM question_ratings r"
        " JOIN questions q ON q.id = r.question_id WHERE q.asked_us >= ?1 AND NOT r.good)"
        " FROM questions WHERE asked_us >= ?1",
        DB_VALUES(DB_I64(since_us)), &row, err);
    if (rc < 0) {
        return rc;
    }
    int64_t *const values[] = {&ret->asked,      &ret->by_model, &ret->by_grammar, &ret->answered,
                               &ret->withheld,   &ret->proposed, &ret->failed,     &ret->verified,
                               &ret->unverified, &ret->good,     &ret->bad};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        *values[i] = row_i64(&row);
    }
    return row_check(&row, "questions", 0, err);
}

/* ------------------------------------------------------------------ proposals */

static const char *const outcome_names[] = {
    [PROPOSAL_OPEN] = "open",           [PROPOSAL_ASKED] = "asked",
    [PROPOSAL_CONFIRMED] = "confirmed", [PROPOSAL_FAILED] = "failed",
    [PROPOSAL_CANCELLED] = "cancelled", [PROPOSAL_EXPIRED] = "expired",
    [PROPOSAL_REFUSED] = "refused"};

const char *proposal_outcome_name(enum proposal_outcome outcome)
{
    return outcome_names[outcome];
}

static bool proposal_outcome_parse(struct str text, enum proposal_outcome *ret)
{
    for (size_t i = 0; i < COUNT_OF(outcome_names); i++) {
        if (str_equal_c(text, outcome_names[i])) {
            *ret = (enum proposal_outcome)i;
            return true;
        }
    }
    return false;
}

/* Of the run r of a proposal p. A run that was cancelled while it worked was confirmed before. */
#define OUTCOME_SQL                                                               \
    "CASE WHEN p.run_id = 0 THEN 'open' WHEN r.state = 'confirming' THEN 'asked'" \
    " WHEN r.state IN ('running', 'done') THEN 'confirmed'"                       \
    " WHEN r.state = 'cancelled' AND r.cancelled_by = '' THEN 'cancelled'"        \
    " WHEN r.state = 'cancelled' THEN 'confirmed'"                                \
    " WHEN r.state IN ('expired', 'refused') THEN r.state ELSE 'failed' END"

int question_table_propose(struct ops_store *store, int64_t id, int64_t index, const char *line,
                           struct err *err)
{
    return db_run(store->db,
                  "INSERT OR REPLACE INTO question_proposals(question_id, idx, line)"
                  " VALUES (?, ?, ?)",
                  DB_VALUES(DB_I64(id), DB_I64(index), DB_TEXT_C(line)), err);
}

int question_table_take(struct ops_store *store, const struct question_taken *t, struct err *err)
{
    return db_run(
        store->db,
        "UPDATE question_proposals SET run_id = ?1 WHERE (question_id, idx) = ("
        " SELECT p.question_id, p.idx FROM question_proposals p"
        " JOIN questions q ON q.id = p.question_id JOIN command_runs asked ON asked.id = q.run_id"
        " LEFT JOIN command_runs r ON r.id = p.run_id"
        " WHERE p.line = ?2 AND q.channel = ?3 AND asked.chat_id = ?4"
        " AND (?4 <> 0 OR q.user = ?5) AND q.asked_us >= ?6"
        " AND (p.run_id = 0 OR r.state IN ('expired', 'refused')"
        " OR (r.state = 'cancelled' AND r.cancelled_by = ''))"
        " ORDER BY ?7 <> 0 AND EXISTS (SELECT 1 FROM outbox o WHERE o.run_id = q.run_id"
        " AND o.run_id > 0 AND o.message_id = ?7) DESC, q.id DESC LIMIT 1)",
        DB_VALUES(DB_I64(t->run_id), DB_TEXT_C(t->line), DB_TEXT_C(t->channel), DB_I64(t->chat_id),
                  DB_TEXT_C(t->user), DB_I64(t->since_us), DB_I64(t->message_id)),
        err);
}

int question_table_proposals(struct ops_store *store, int64_t id, struct question_proposal *ret,
                             size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT p.line, p.run_id, " OUTCOME_SQL
                      " FROM question_proposals p LEFT JOIN command_runs r ON r.id = p.run_id"
                      " WHERE p.question_id = ? ORDER BY p.idx LIMIT ?",
                      DB_VALUES(DB_I64(id), DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct question_proposal *p = &ret[n++];
        row_text(&row, p->line, sizeof(p->line));
        p->run_id = row_i64(&row);
        ROW_WORD(&row, proposal_outcome, &p->outcome);
        rc = row_check(&row, "question_proposals", id, err);
    }
    return rc < 0 ? rc : (int)n;
}

int question_table_proposals_by_model(struct ops_store *store, int64_t since_us,
                                      struct question_proposals *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(
        store->db,
        "SELECT model, count(*), sum(o = 'open'), sum(o = 'asked'), sum(o = 'confirmed'),"
        " sum(o = 'failed'), sum(o = 'cancelled'), sum(o = 'expired'), sum(o = 'refused') FROM"
        " (SELECT q.model AS model, " OUTCOME_SQL " AS o FROM questions q"
        " JOIN question_proposals p ON p.question_id = q.id"
        " LEFT JOIN command_runs r ON r.id = p.run_id WHERE q.asked_us >= ?)"
        " GROUP BY model ORDER BY count(*) DESC, model LIMIT ?",
        DB_VALUES(DB_I64(since_us), DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct question_proposals *p = &ret[n++];
        row_text(&row, p->model, sizeof(p->model));
        p->count = row_i64(&row);
        for (int i = 0; i < PROPOSAL_OUTCOMES; i++) {
            p->outcomes[i] = row_i64(&row);
        }
        rc = row_check(&row, "question_proposals", 0, err);
    }
    return rc < 0 ? rc : (int)n;
}
