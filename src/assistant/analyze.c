#include "analyze.h"

#include "assistant_internal.h"
#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "config/config.h"
#include "gather.h"
#include "io/json.h"
#include "io/json_out.h"
#include "io/pool.h"
#include "proof/text_proof.h"

#include <stdlib.h>
#include <string.h>

#define MARK           " (unverified)"
#define HYPOTHESES_MAX 6
#define QUOTES_MAX     6
#define QUOTE_LEAST    4 /* bytes; a shorter one is in every document */
#define CHECKS_MAX     5
#define MESSAGE_MAX    ((size_t)512 * 1024)

/* ------------------------------------------------------------------ the reply */

static void add_title(struct reply *r, const struct ask *q)
{
    struct json_object *alert = NULL;
    (void)gather_find(q, "/data/alert", &alert);
    reply_title(r, TONE_WARN, "Alert %lld: %s", (long long)q->alert_id, json_text(alert, "title"));
}

static void finish(struct ask *q, struct question *end, const char *runbook)
{
    struct reply *r = action_reply(q->call);
    struct action_call *call = q->call;
    AUTO_BUF struct buf why = BUF_INIT(64);
    gather_add_sources(r, q);
    if (runbook[0] != '\0') {
        reply_button(r, runbook, runbook, BUTTON_PRIMARY);
        (void)str_copy(str_c(runbook), q->proposals[q->proposal_count++], PROPOSAL_SIZE);
    }
    buf_addf(&why, "/why q%lld", (long long)q->id);
    reply_button(r, "How it was found", why.data, BUTTON_PLAIN);
    ask_store(q, end);
    ask_free(q);
    action_finish(call, NULL);
}

static void write_evidence(struct json_out *data, const char *key, struct json_object *list)
{
    json_out_array(data, key);
    for (size_t i = 0; i < json_len(list); i++) {
        json_out_object(data, NULL);
        json_out_i64(data, "source", json_i64(json_item(list, i), "source", 0));
        json_out_text(data, "quote", json_text(json_item(list, i), "quote"));
        json_out_end(data);
    }
    json_out_end(data);
}

/* The causes that code can tell, the most probable first. why: there is no other answer. */
static void finish_by_code(struct ask *q, const char *why)
{
    struct reply *r = action_reply(q->call);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    struct question end = {.state = QUESTION_ANSWERED, .source = "code", .answer = NULL};
    AUTO_BUF struct buf answer = BUF_INIT(QUESTION_ANSWER_MAX);
    add_title(r, q);
    reply_line(r, "%s Possible causes, by the order of what is known, not proven:", why);
    json_out_object(&data, "analysis");
    json_out_i64(&data, "question_id", q->id);
    json_out_i64(&data, "alert_id", q->alert_id);
    json_out_text(&data, "source", end.source);
    gather_show(q, r, &data, &answer);
    json_out_array(&data, "check_next");
    json_out_end(&data);
    json_out_text(&data, "runbook", q->runbook_count > 0 ? q->runbooks[0] : "");
    json_out_end(&data);
    end.answer = answer.data;
    finish(q, &end, q->runbook_count > 0 ? q->runbooks[0] : "");
}

/* ------------------------------------------------------------------ the model's hypotheses */

/* Without white space, as JSON would escape it: a quote may be of a text or of the JSON itself. */
static void squeeze(struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(" \n\t\\", text.ptr[i]) == NULL) {
            buf_add_char(out, text.ptr[i]);
        }
    }
}

static bool is_quoted(const struct ask *q, const struct json_object *evidence)
{
    int64_t source = json_i64(evidence, "source", 0);
    struct str quote = str_trim(json_str(evidence, "quote"));
    if (source < 1 || source > q->reading_count || quote.len < QUOTE_LEAST) {
        return false;
    }
    AUTO_BUF struct buf text = BUF_INIT(MESSAGE_MAX);
    AUTO_BUF struct buf document = BUF_INIT(MESSAGE_MAX);
    AUTO_BUF struct buf wanted = BUF_INIT(MESSAGE_MAX);
    json_add_text(&text, q->readings[source - 1].document);
    squeeze(buf_str(&text), &document);
    squeeze(quote, &wanted);
    return wanted.len >= QUOTE_LEAST && strstr(document.data, wanted.data) != NULL;
}

/* The evidence that stands. */
static void add_standing(const struct ask *q, const struct json_object *list, const char *key,
                         struct json_out *out)
{
    int kept = 0;
    json_out_array(out, key);
    for (size_t i = 0; i < json_len(list) && kept < QUOTES_MAX; i++) {
        if (is_quoted(q, json_item(list, i))) {
            json_out_value(out, NULL, json_item(list, i));
            kept++;
        }
    }
    json_out_end(out);
}

#define TEXTS_MAX (HYPOTHESES_MAX + CHECKS_MAX)

/* What a helper proves: large documents take too long for the loop. */
struct proving {
    int document_count;
    struct {
        char line[READING_LINE];
        struct json_object *document; /* lent by its reading, which gets it back */
    } documents[QUESTION_STEPS_MAX];
    int text_count;
    struct buf texts[TEXTS_MAX];  /* the causes, then what to check next */
    struct buf marked[TEXTS_MAX]; /* with their marks */
    int64_t found, derived, unverified;
};

static void add_claim(struct proving *p, struct str text)
{
    struct buf *claim = &p->texts[p->text_count];
    buf_init(claim, 2000);
    buf_init(&p->marked[p->text_count], 4000);
    buf_add_str(claim, text);
    log_redact(claim->data);
    claim->len = strlen(claim->data);
    str_make_safe(claim->data);
    p->text_count++;
}

static size_t at_most(size_t count, size_t max)
{
    return count < max ? count : max;
}

static struct proving *proving_new(struct ask *q, const struct json_object *said)
{
    const struct json_object *hypotheses = json_get(said, "hypotheses");
    const struct json_object *checks = json_get(said, "check_next");
    struct proving *p = calloc(1, sizeof(*p));
    NEED_MEMORY(p != NULL);
    for (size_t i = 0; i < at_most(json_len(hypotheses), HYPOTHESES_MAX); i++) {
        add_claim(p, json_str(json_item(hypotheses, i), "cause"));
    }
    for (size_t i = 0; i < at_most(json_len(checks), CHECKS_MAX); i++) {
        add_claim(p, json_value_str(json_item(checks, i)));
    }
    for (int i = 0; i < q->reading_count; i++) {
        (void)str_copy(str_c(q->readings[i].line), p->documents[i].line, READING_LINE);
        p->documents[i].document = TAKE(q->readings[i].document);
        p->document_count++;
    }
    return p;
}

static void proving_free(void *data)
{
    struct proving *p = data;
    for (int i = 0; i < p->document_count; i++) {
        (void)json_object_put(p->documents[i].document);
    }
    for (int i = 0; i < p->text_count; i++) {
        buf_release(&p->texts[i]);
        buf_release(&p->marked[i]);
    }
    free(p);
}

static void prove(void *data)
{
    struct proving *p = data;
    struct text_proof *proof = text_proof_new();
    for (int i = 0; i < p->document_count; i++) {
        text_proof_add(proof, p->documents[i].line, p->documents[i].document);
    }
    for (int i = 0; i < p->text_count; i++) {
        if (!text_proof_check(proof, buf_str(&p->texts[i]))) {
            buf_add_c(&p->marked[i], "(cannot be checked)");
            continue;
        }
        p->found += proof->found;
        p->derived += proof->derived;
        p->unverified += proof->unverified;
        text_proof_mark(proof, MARK, &p->marked[i]);
    }
    text_proof_free(proof);
}

struct judging {
    struct ask *q;
    struct buf answer; /* what is stored */
    bool has_root;
};

static void add_quotes(struct reply *r, const char *word, struct json_object *list)
{
    for (size_t i = 0; i < json_len(list); i++) {
        char quote[201];
        str_cut(json_str(json_item(list, i), "quote"), quote, sizeof(quote));
        reply_item(r, "{} [{}] {}", cell_text(word),
                   cell_count(json_i64(json_item(list, i), "source", 0)), cell_code(quote));
    }
}

static void add_hypothesis(struct judging *j, const struct json_object *hypothesis,
                           const char *cause, struct json_out *data)
{
    struct reply *r = action_reply(j->q->call);
    AUTO_JSON struct json_object *evidence = json_object_new_object();
    struct json_out stands = JSON_OUT_TREE(evidence);
    add_standing(j->q, json_get(hypothesis, "evidence_for"), "for", &stands);
    add_standing(j->q, json_get(hypothesis, "evidence_against"), "against", &stands);
    struct json_object *with = json_get(evidence, "for");
    struct json_object *against = json_get(evidence, "against");
    const char *said = json_text(hypothesis, "standing");
    bool root = strcmp(said, "root_cause") == 0 && json_len(with) > 0 && !j->has_root;
    const char *standing = root                                                   ? "root_cause"
                           : json_len(with) == 0 || strcmp(said, "unlikely") == 0 ? "unlikely"
                                                                                  : "possible";
    j->has_root = j->has_root || root;
    reply_heading(r, root                                ? "Root cause"
                     : strcmp(standing, "possible") == 0 ? "Possible"
                                                         : "Unlikely");
    reply_line(r, "%s", cause);
    add_quotes(r, "for", with);
    add_quotes(r, "against", against);
    if (json_len(with) == 0) {
        reply_line(r, "No evidence for it was found.");
    }
    buf_addf(&j->answer, "%s: %s\n", standing, cause);
    json_out_object(data, NULL);
    json_out_text(data, "cause", cause);
    json_out_text(data, "standing", standing);
    write_evidence(data, "evidence_for", with);
    write_evidence(data, "evidence_against", against);
    json_out_end(data);
}

static const char *chosen_runbook(const struct ask *q, const char *line)
{
    for (int i = 0; i < q->runbook_count; i++) {
        if (strcmp(q->runbooks[i], line) == 0) {
            return q->runbooks[i];
        }
    }
    return "";
}

static void finish_by_model(struct ask *q, const struct proving *proven)
{
    struct reply *r = action_reply(q->call);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    struct judging j = {.q = q};
    const struct json_object *hypotheses = json_get(q->content, "hypotheses");
    const char *runbook = chosen_runbook(q, json_text(q->content, "runbook"));
    int causes = (int)at_most(json_len(hypotheses), HYPOTHESES_MAX);
    buf_init(&j.answer, QUESTION_ANSWER_MAX);
    add_title(r, q);
    json_out_object(&data, "analysis");
    json_out_i64(&data, "question_id", q->id);
    json_out_i64(&data, "alert_id", q->alert_id);
    json_out_text(&data, "source", "model");
    json_out_array(&data, "hypotheses");
    for (int i = 0; i < causes; i++) {
        add_hypothesis(&j, json_item(hypotheses, (size_t)i), proven->marked[i].data, &data);
    }
    json_out_end(&data);
    if (!j.has_root) {
        reply_line(r, "No root cause is proven by what was read.");
    }
    json_out_array(&data, "check_next");
    if (proven->text_count > causes) {
        reply_heading(r, "Check next");
    }
    for (int i = causes; i < proven->text_count; i++) {
        reply_item(r, "{}", cell_text(proven->marked[i].data));
        json_out_text(&data, NULL, proven->marked[i].data);
    }
    json_out_end(&data);
    json_out_text(&data, "runbook", runbook);
    json_out_end(&data);
    struct question end = {.state = runbook[0] != '\0' ? QUESTION_PROPOSED : QUESTION_ANSWERED,
                           .source = "model",
                           .answer = j.answer.data,
                           .found = proven->found,
                           .derived = proven->derived,
                           .unverified = proven->unverified};
    AUTO_BUF struct buf kept = j.answer; /* ask_store reads it */
    finish(q, &end, runbook);
}

/* The quotes are looked up here, in the documents that the readings get back. */
static void on_proven(void *data, void *userdata)
{
    struct ask *q = userdata;
    struct proving *p = data;
    q->check = NULL;
    for (int i = 0; i < p->document_count; i++) {
        q->readings[i].document = TAKE(p->documents[i].document);
    }
    finish_by_model(q, p);
}

static void judge(struct ask *q)
{
    struct pool *helpers = q->assistant->o.helpers;
    struct proving *p = proving_new(q, q->content);
    struct err busy = {0};
    if (helpers != NULL) {
        q->check = pool_start(
            helpers,
            &(struct pool_work){
                .work = prove, .done = on_proven, .drop = proving_free, .data = p, .userdata = q},
            &busy);
    }
    if (q->check == NULL) { /* no helper, or none is free */
        prove(p);
        on_proven(p, q);
        proving_free(p);
    }
}

static void on_answer(const struct llm_answer *answer, void *userdata)
{
    struct ask *q = userdata;
    AUTO_JSON struct json_object *said = NULL;
    q->request = NULL;
    q->tokens += answer->input_tokens + answer->output_tokens;
    q->cost = dec_add(q->cost, answer->cost_usd);
    (void)str_copy(str_c(answer->model), q->model, sizeof(q->model));
    bool usable = answer->err.id == ERR_NONE &&
                  json_parse(str_c(answer->text), &JSON_LIMITS_DEFAULT, &said, NULL) == 0 &&
                  json_len(json_get(said, "hypotheses")) > 0;
    if (usable) {
        q->content = TAKE(said);
        judge(q);
        return;
    }
    AUTO_BUF struct buf why = BUF_INIT(200);
    const char *code =
        answer->err.id != ERR_NONE ? err_info(answer->err.id)->code : "an answer that is no JSON";
    buf_addf(&why, "The model gave no analysis (%s).", code);
    finish_by_code(q, why.data);
}

static void add_documents(const struct ask *q, struct buf *out)
{
    for (int i = 0; i < q->reading_count; i++) {
        buf_addf(out, "Document %d, %s:\n", i + 1, q->readings[i].line);
        llm_add_untrusted(q->readings[i].document, out);
        buf_add_char(out, '\n');
    }
    buf_add_c(out, "Commands that fit: ");
    for (int i = 0; i < q->runbook_count; i++) {
        buf_addf(out, "%s%s", i > 0 ? ", " : "", q->runbooks[i]);
    }
    buf_add_c(out, q->runbook_count > 0 ? ".\n" : "none.\n");
}

static void ask_model(struct ask *q)
{
    struct err err = {0};
    AUTO_BUF struct buf user = BUF_INIT(MESSAGE_MAX);
    const char *own = q->assistant->o.config->assistant_model;
    buf_addf(&user, "Alert %lld.\n", (long long)q->alert_id);
    add_documents(q, &user);
    const struct llm_request request = {.system = q->prompt->text,
                                        .user = user.data,
                                        .schema = q->prompt->schema,
                                        .model = own[0] != '\0' ? own : q->prompt->model};
    action_stream(q->call, str_c("⏳ thinking"));
    if (q->client.ask(q->client.self, &request, on_answer, q, &q->request, &err) < 0) {
        AUTO_BUF struct buf why = BUF_INIT(200);
        buf_addf(&why, "The model is not asked (%s).", err_info(err.id)->code);
        finish_by_code(q, why.data);
    }
}

void analyze_go_on(struct ask *q)
{
    if (q->reading_count == 1) {
        const struct tool_run *first = &q->readings[0];
        if (first->error != ERR_NONE) { /* there is no such alert, or it may not be read */
            struct err err = {0};
            const struct json_object *failed = json_get(first->document, "error");
            (void)err_set(&err, first->error, "%s", json_text(failed, "context"));
            ask_fail(q, &err);
            return;
        }
        gather_note_service(q);
    }
    if (gather_next(q)) {
        return;
    }
    gather_causes(q);
    if (!q->assistant->has_client) {
        finish_by_code(q, "No model is configured.");
        return;
    }
    q->client = q->assistant->client;
    ask_model(q);
}

void analyze_begin(struct ask *q)
{
    if (!gather_next(q)) {
        struct err err = {0};
        (void)err_set(&err, ERR_ACCESS_DENIED, "none of the commands that an analysis reads");
        ask_fail(q, &err);
    }
}
