#include "analyze.h"

#include "assistant_internal.h"
#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "command/tool.h"
#include "config/config.h"
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
#define PATTERNS_SHOWN 3

/* ------------------------------------------------------------------ gathering */

enum wants { WANTS_NOTHING, WANTS_ID, WANTS_SERVICE };

/* In this order; the first one says which service it is about. */
static const struct {
    const char *command;
    enum wants wants;
    const char *lines; /* of a log; "": none */
} sources[] = {
    {"alerts", WANTS_ID, ""},        {"incident", WANTS_ID, ""},
    {"services", WANTS_NOTHING, ""}, {"logs", WANTS_SERVICE, "new"},
    {"logs", WANTS_SERVICE, "30"},   {"alerts", WANTS_NOTHING, ""},
    {"runs", WANTS_NOTHING, ""},     {"status", WANTS_NOTHING, ""},
    {"findings", WANTS_NOTHING, ""}, {"decisions", WANTS_NOTHING, ""},
};

/* "service:demo" is about demo, and so is "service:demo:memory". */
static void note_service(struct ask *q)
{
    struct json_object *alert = json_at(q->readings[0].document, "/data/alert");
    struct str fingerprint = json_str(alert, "fingerprint");
    if (str_starts(fingerprint, "service:")) {
        struct str name =
            str_n(fingerprint.ptr + strlen("service:"), fingerprint.len - strlen("service:"));
        const char *end = memchr(name.ptr, ':', name.len);
        name.len = end != NULL ? (size_t)(end - name.ptr) : name.len;
        (void)str_copy(name, q->service, sizeof(q->service));
    }
}

/* False: nothing is left to be gathered. */
static bool gather_next(struct ask *q)
{
    const struct assistant *assistant = q->assistant;
    while (q->gathered < (int)COUNT_OF(sources)) {
        int at = q->gathered++;
        const struct manifest *m = tool_find(assistant->manifests, &q->who, sources[at].command);
        if (m == NULL || (sources[at].wants == WANTS_SERVICE && q->service[0] == '\0')) {
            continue;
        }
        AUTO_JSON struct json_object *args = json_object_new_object();
        AUTO_BUF struct buf shown = BUF_INIT(128);
        struct json_out out = JSON_OUT_TREE(args);
        if (sources[at].wants == WANTS_ID) {
            json_out_i64(&out, "id", q->alert_id);
        } else if (sources[at].wants == WANTS_SERVICE) {
            json_out_text(&out, "service", q->service);
            json_out_text(&out, "lines", sources[at].lines);
        }
        buf_addf(&shown, "⏳ reading /%s", m->name);
        action_stream(q->call, buf_str(&shown));
        tool_run_start(q, m, args);
        return true;
    }
    return false;
}

/* ------------------------------------------------------------------ what code can tell */

static bool add_cause(struct ask *q, int weight, int source, const char *quote, const char *text)
{
    if (q->cause_count == CAUSES_MAX || source < 0) {
        return false;
    }
    int at = q->cause_count++;
    while (at > 0 && q->causes[at - 1].weight < weight) { /* stable: equal ones in order */
        q->causes[at] = q->causes[at - 1];
        at--;
    }
    struct cause *cause = &q->causes[at];
    *cause = (struct cause){.weight = weight, .source = source};
    str_cut(str_c(text), cause->text, sizeof(cause->text));
    str_cut(str_c(quote), cause->quote, sizeof(cause->quote));
    return true;
}

/* The reading whose document has this member of data; -1: none. */
static int source_of(const struct ask *q, const char *pointer, struct json_object **ret)
{
    for (int i = 0; i < q->reading_count; i++) {
        *ret = json_at(q->readings[i].document, pointer);
        if (*ret != NULL) {
            return i;
        }
    }
    *ret = NULL;
    return -1;
}

__attribute__((format(printf, 5, 6))) static void tell(struct ask *q, int weight, int source,
                                                       const char *quote, const char *format, ...)
{
    AUTO_BUF struct buf text = BUF_INIT(CAUSE_TEXT_SIZE);
    va_list args;
    va_start(args, format);
    buf_addv(&text, format, args);
    va_end(args);
    (void)add_cause(q, weight, source, quote, text.data);
}

/* It follows from another alert, or something was changed shortly before it. */
static void tell_incident(struct ask *q)
{
    struct json_object *incident = NULL, *events = NULL, *alert = NULL;
    int source = source_of(q, "/data/incident", &incident);
    int64_t root = json_i64(incident, "id", q->alert_id);
    if (root != q->alert_id) {
        tell(q, 9, source, json_text(incident, "title"), "It follows from incident %lld: %s",
             (long long)root, json_text(incident, "title"));
    }
    source = source_of(q, "/data/alert", &alert);
    if (json_text(alert, "cause")[0] != '\0') {
        tell(q, 8, source, json_text(alert, "cause"), "It was raised because of %s",
             json_text(alert, "cause"));
    }
    source = source_of(q, "/data/events", &events);
    for (size_t i = json_len(events); i-- > 0;) { /* the newest is the most probable */
        const struct json_object *event = json_item(events, i);
        if (strcmp(json_text(event, "kind"), "changed") == 0) {
            tell(q, 6, source, json_text(event, "text"), "Shortly before it: %s",
                 json_text(event, "text"));
        }
    }
}

static void tell_logs(struct ask *q)
{
    struct json_object *patterns = NULL;
    int source = source_of(q, "/data/patterns", &patterns);
    for (size_t i = 0; i < json_len(patterns) && i < PATTERNS_SHOWN; i++) {
        const struct json_object *pattern = json_item(patterns, i);
        tell(q, 4, source, json_text(pattern, "example"), "New in its log: %s",
             json_text(pattern, "example"));
    }
}

/* What else is wrong: another service, a machine without memory or disk. */
static void tell_others(struct ask *q)
{
    static const char *const machine[] = {"disk", "memory", "swap", "cpu", "descriptor"};
    struct json_object *services = NULL, *alerts = NULL;
    int source = source_of(q, "/data/services", &services);
    for (size_t i = 0; i < json_len(services); i++) {
        const struct json_object *service = json_item(services, i);
        const char *name = json_text(service, "name");
        if (strcmp(json_text(service, "state"), "down") == 0 && strcmp(name, q->service) != 0) {
            tell(q, 3, source, json_text(service, "detail"), "%s is down, too", name);
        } else if (strcmp(name, q->service) == 0 && json_text(service, "detail")[0] != '\0') {
            tell(q, 5, source, json_text(service, "detail"), "Its check says: %s",
                 json_text(service, "detail"));
        }
    }
    source = source_of(q, "/data/alerts", &alerts);
    for (size_t i = 0; i < json_len(alerts); i++) {
        const struct json_object *alert = json_item(alerts, i);
        for (size_t k = 0; k < COUNT_OF(machine); k++) {
            if (json_i64(alert, "id", 0) != q->alert_id &&
                strcasestr(json_text(alert, "title"), machine[k]) != NULL) {
                tell(q, 5, source, json_text(alert, "title"), "The machine: %s",
                     json_text(alert, "title"));
                break;
            }
        }
    }
}

/* ------------------------------------------------------------------ runbooks */

/* Chosen by code, for the service of the alert; a model can only pick one of them. */
static void find_runbooks(struct ask *q)
{
    static const char *const commands[] = {"restart", "force_restart", "rollback"};
    const struct assistant *assistant = q->assistant;
    for (size_t i = 0; q->service[0] != '\0' && i < COUNT_OF(commands); i++) {
        const struct manifest *m = manifest_find(assistant->manifests, commands[i]);
        AUTO_BUF struct buf line = BUF_INIT(128);
        buf_addf(&line, "/%s %s", commands[i], q->service);
        if (m != NULL && manifest_is_visible(m, q->who.channel) &&
            manifest_permit(m, &q->who, NULL, NULL) == 0 && line.len < PROPOSAL_SIZE) {
            (void)str_copy(buf_str(&line), q->runbooks[q->runbook_count++], PROPOSAL_SIZE);
        }
    }
}

/* ------------------------------------------------------------------ the reply */

static void add_title(struct reply *r, const struct ask *q)
{
    struct json_object *alert = NULL;
    (void)source_of(q, "/data/alert", &alert);
    reply_title(r, TONE_WARN, "Alert %lld: %s", (long long)q->alert_id, json_text(alert, "title"));
}

static void add_sources(struct reply *r, const struct ask *q)
{
    reply_fold(r, "What was read");
    for (int i = 0; i < q->reading_count; i++) {
        reply_item(r, "[{}] {}{}", cell_count(i + 1), cell_code(q->readings[i].line),
                   cell_text(q->readings[i].error != ERR_NONE ? ": failed" : ""));
    }
    reply_fold_end(r);
}

static void finish(struct ask *q, struct question *end, const char *runbook)
{
    struct reply *r = action_reply(q->call);
    struct action_call *call = q->call;
    AUTO_BUF struct buf why = BUF_INIT(64);
    add_sources(r, q);
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
    json_out_array(&data, "hypotheses");
    for (int i = 0; i < q->cause_count; i++) {
        const struct cause *cause = &q->causes[i];
        reply_item(r, "{} [{}]", cell_text(cause->text), cell_count(cause->source + 1));
        buf_addf(&answer, "%s [%d]\n", cause->text, cause->source + 1);
        json_out_object(&data, NULL);
        json_out_text(&data, "cause", cause->text);
        json_out_text(&data, "standing", "possible");
        json_out_array(&data, "evidence_for");
        json_out_object(&data, NULL);
        json_out_i64(&data, "source", cause->source + 1);
        json_out_text(&data, "quote", cause->quote);
        json_out_end(&data);
        json_out_end(&data);
        json_out_array(&data, "evidence_against");
        json_out_end(&data);
        json_out_end(&data);
    }
    json_out_end(&data);
    json_out_array(&data, "check_next");
    json_out_end(&data);
    json_out_text(&data, "runbook", q->runbook_count > 0 ? q->runbooks[0] : "");
    json_out_end(&data);
    if (q->cause_count == 0) {
        reply_line(r, "Nothing that was read points to a cause.");
    }
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
        note_service(q);
    }
    if (gather_next(q)) {
        return;
    }
    tell_incident(q);
    tell_logs(q);
    tell_others(q);
    find_runbooks(q);
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
