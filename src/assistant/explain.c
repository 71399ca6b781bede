#include "assistant_internal.h"
#include "base/auto.h"
#include "base/clock.h"
#include "io/json.h"
#include "io/json_out.h"

#include <string.h>

#define RESULT_SHOWN 1500 /* bytes of one result in the message; the whole is in its data */

static bool may_see(const struct question *q, const struct principal *who)
{
    return who->role == ROLE_ADMIN || (q->user_id == who->id && strcmp(q->user, who->name) == 0 &&
                                       strcmp(q->channel, channel_name(who->channel)) == 0);
}

static void add_head(struct reply *r, const struct question *q, int64_t now_us)
{
    reply_title(r, TONE_PLAIN, "q%lld: %s", (long long)q->id, question_state_name(q->state));
    reply_quote(r, str_c(q->question));
    reply_para(r, "{}, asked {}", cell_text(q->user), cell_time(q->asked_us, now_us));
    if (q->ended_us > 0) {
        reply_more(r, ", took {}", cell_took(q->ended_us - q->asked_us));
    }
    if (q->model[0] != '\0') {
        reply_para(r, "{}, {} tokens", cell_text(q->model), cell_count(q->tokens));
        if (dec_is_valid(q->cost_usd)) {
            reply_more(r, ", {}", cell_cost(q->cost_usd));
        }
    }
    if (q->error_code[0] != '\0') {
        reply_para(r, "It ended with {}", cell_code(q->error_code));
    }
}

static void add_figures(struct reply *r, struct json_out *data, const struct question *q)
{
    AUTO_JSON struct json_object *figures = NULL;
    if (json_parse(str_c(q->figures), &JSON_LIMITS_DEFAULT, &figures, NULL) < 0) {
        return;
    }
    json_out_value(data, "figures", figures);
    if (json_len(figures) == 0) {
        return;
    }
    reply_fold(r, "Figures");
    for (size_t i = 0; i < json_len(figures); i++) {
        const struct json_object *figure = json_item(figures, i);
        const char *where = json_text(figure, "where");
        reply_item(r, "{}: {}", cell_code(json_text(figure, "text")),
                   cell_text(where[0] != '\0' ? where : json_text(figure, "standing")));
    }
    reply_fold_end(r);
}

static void add_step(struct reply *r, struct json_out *data, const struct question_step *step)
{
    AUTO_JSON struct json_object *result = NULL;
    char shown[RESULT_SHOWN + 1];
    (void)json_parse(str_c(step->result), &JSON_LIMITS_DEFAULT, &result, NULL);
    json_out_object(data, NULL);
    json_out_text(data, "line", step->line);
    json_out_text(data, "error_code", step->error_code);
    json_out_i64(data, "took_us", step->took_us);
    if (result != NULL) {
        json_out_value(data, "result", result);
    } else {
        json_out_text(data, "result", step->result); /* cut */
    }
    json_out_end(data);
    reply_fold(r, step->line);
    if (step->error_code[0] != '\0') {
        reply_para(r, "It ended with {}", cell_code(step->error_code));
    }
    str_cut(str_c(step->result), shown, sizeof(shown));
    reply_pre(r, str_c(shown));
    if (strlen(step->result) > RESULT_SHOWN) {
        reply_para(r, "{} more bytes; {} reads it again",
                   cell_count((int64_t)(strlen(step->result) - RESULT_SHOWN)),
                   cell_code(step->line));
    }
    reply_fold_end(r);
}

static int add_proposals(struct reply *r, struct json_out *data, struct ops_store *store,
                         int64_t question_id, struct err *err)
{
    struct question_proposal proposals[PROPOSALS_MAX] = {0};
    int count = question_table_proposals(store, question_id, proposals, PROPOSALS_MAX, err);
    json_out_array(data, "proposals");
    for (int i = 0; i < count; i++) {
        const struct question_proposal *p = &proposals[i];
        const char *outcome =
            p->outcome == PROPOSAL_OPEN ? "not begun" : proposal_outcome_name(p->outcome);
        json_out_object(data, NULL);
        json_out_text(data, "line", p->line);
        json_out_text(data, "outcome", proposal_outcome_name(p->outcome));
        json_out_i64(data, "run_id", p->run_id);
        json_out_end(data);
        reply_para(r, "Proposed: {}, {}", cell_code(p->line), cell_text(outcome));
        if (p->run_id != 0) {
            reply_more(r, ", run {}", cell_count(p->run_id));
        }
    }
    json_out_end(data);
    return count < 0 ? count : 0;
}

int assistant_explain(int64_t question_id, const struct principal *who, struct reply *r,
                      void *userdata, struct err *err)
{
    const struct assistant *assistant = userdata;
    AUTO_QUESTION struct question q = {0};
    struct question_step steps[QUESTION_STEPS_MAX] = {0};
    int rc = question_table_get(assistant->o.store, question_id, &q, err);
    if (rc == -ERR_STORE_NOT_FOUND || (rc == 0 && !may_see(&q, who))) {
        return err_set(err, ERR_ASK_UNKNOWN, "q%lld", (long long)question_id);
    }
    int count = rc < 0 ? rc
                       : question_table_steps(assistant->o.store, question_id, steps,
                                              QUESTION_STEPS_MAX, err);
    if (count < 0) {
        return count;
    }
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    add_head(r, &q, clock_wall_us(assistant->o.clock));
    json_out_object(&data, "question");
    json_out_i64(&data, "id", q.id);
    json_out_text(&data, "kind", q.kind);
    json_out_text(&data, "subject", q.subject);
    json_out_text(&data, "user", q.user);
    json_out_time(&data, "asked", q.asked_us);
    json_out_time(&data, "ended", q.ended_us);
    json_out_text(&data, "text", q.question);
    json_out_text(&data, "state", question_state_name(q.state));
    json_out_text(&data, "source", q.source);
    json_out_text(&data, "answer", q.answer);
    json_out_text(&data, "model", q.model);
    json_out_i64(&data, "tokens", q.tokens);
    json_out_dec(&data, "cost_usd", q.cost_usd);
    json_out_text(&data, "error_code", q.error_code);
    rc = add_proposals(r, &data, assistant->o.store, q.id, err);
    if (q.state == QUESTION_WITHHELD) {
        reply_heading(r, "Withheld answer");
        reply_quote(r, str_c(q.answer));
    }
    add_figures(r, &data, &q);
    json_out_array(&data, "steps");
    for (int i = 0; i < count; i++) {
        add_step(r, &data, &steps[i]);
        question_step_release(&steps[i]);
    }
    json_out_end(&data);
    json_out_end(&data);
    if (count == 0) {
        reply_line(r, "Nothing was read.");
    }
    return rc;
}
