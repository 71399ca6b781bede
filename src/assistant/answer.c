#include "assistant/self_report.h"
#include "assistant_internal.h"
#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "io/json.h"
#include "io/json_out.h"
#include "io/pool.h"
#include "memory.h"
#include "proof/text_proof.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>

#define MARK        " (unverified)"
#define DATA_SHOWN  3 /* readings whose data is shown in place of an answer */
#define FIGURES_MAX ((size_t)64 * 1024)

/* The text that is shown: nothing that looks like a secret leaves with it. */
static void clean(const char *text, struct buf *out)
{
    struct str rest = str_trim(str_c(text));
    while (rest.len > 0) {
        size_t len = 0;
        while (len < rest.len && strchr(" \n\t", rest.ptr[len]) == NULL) {
            len++;
        }
        buf_add_str(out,
                    str_looks_secret(str_n(rest.ptr, len)) ? str_c("***") : str_n(rest.ptr, len));
        if (len < rest.len) {
            buf_add_char(out, rest.ptr[len++]);
        }
        rest = str_n(rest.ptr + len, rest.len - len);
    }
    log_redact(out->data);
    out->len = strlen(out->data);
    str_make_safe(out->data);
}

/* What a helper looks at: large documents take too long for the loop. */
struct checking {
    char *question;
    struct buf said; /* in the session before */
    int count;
    struct remembered *documents; /* taken from the readings and the memory */
    struct buf shown;             /* the answer */
    struct buf marked;            /* with its marks */
    struct buf figures;
    struct text_proof *proof;
    bool readable;
};

static struct checking *checking_new(struct ask *q, const char *text)
{
    struct checking *c = calloc(1, sizeof(*c));
    NEED_MEMORY(c != NULL);
    buf_init(&c->shown, QUESTION_ANSWER_MAX);
    buf_init(&c->marked, 2 * QUESTION_ANSWER_MAX);
    buf_init(&c->figures, FIGURES_MAX);
    c->question = strdup(q->text);
    NEED_MEMORY(c->question != NULL);
    clean(text, &c->shown);
    c->documents = calloc((size_t)(q->reading_count + q->memory_count) + 1, sizeof(*c->documents));
    NEED_MEMORY(c->documents != NULL);
    for (int i = 0; i < q->reading_count; i++) {
        struct remembered *document = &c->documents[c->count++];
        (void)str_copy(str_c(q->readings[i].line), document->label, sizeof(document->label));
        document->document = TAKE(q->readings[i].document);
    }
    for (int i = 0; i < q->memory_count; i++) {
        c->documents[c->count++] = q->memory[i];
        q->memory[i].document = NULL;
    }
    c->said = q->said;
    buf_init(&q->said, 0);
    return c;
}

static void checking_free(void *data)
{
    struct checking *c = data;
    text_proof_free(c->proof);
    for (int i = 0; i < c->count; i++) {
        (void)json_object_put(c->documents[i].document);
    }
    buf_release(&c->shown);
    buf_release(&c->marked);
    buf_release(&c->figures);
    buf_release(&c->said);
    free(c->documents);
    free(c->question);
    free(c);
}

/* [{"text", "standing", "where"}] */
static struct json_object *figures_of(const struct text_proof *proof, const char *text)
{
    struct json_object *root = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(root);
    json_out_array(&out, "figures");
    for (int i = 0; i < proof->count; i++) {
        const struct text_figure *figure = &proof->figures[i];
        json_out_object(&out, NULL);
        json_out_str(&out, "text", str_n(text + figure->from, figure->len));
        json_out_text(&out, "standing", text_standing_name(figure->standing));
        json_out_text(&out, "where", figure->where);
        json_out_end(&out);
    }
    json_out_end(&out);
    return root;
}

static void add_lines(struct reply *r, const char *text)
{
    struct str rest = str_c(text), line;
    while (str_split(&rest, '\n', &line)) {
        if (str_trim(line).len == 0) {
            reply_gap(r);
        } else {
            reply_line(r, "%.*s", STR_ARG(line));
        }
    }
}

/* What was read last, as its command shows it. */
static void add_data(struct reply *r, const struct ask *q)
{
    int shown = 0;
    for (int i = q->reading_count; i-- > 0 && shown < DATA_SHOWN;) {
        if (q->readings[i].reply != NULL) {
            reply_heading(r, q->readings[i].line);
            reply_append(r, q->readings[i].reply);
            shown++;
        }
    }
    if (shown == 0) {
        reply_line(r, "Nothing was read.");
    }
}

/* "q12 · 3 read · 5 figures checked, 1 unverified · $0.0123" */
static void add_note(struct reply *r, const struct ask *q, const struct text_proof *proof)
{
    AUTO_BUF struct buf why = BUF_INIT(64);
    int checked = proof->found + proof->derived;
    buf_addf(&why, "/why q%lld", (long long)q->id);
    reply_gap(r);
    if (q->session_id != 0) {
        reply_para(r, "session {} · q{} · {} read", cell_count(q->session_id), cell_count(q->id),
                   cell_count(q->reading_count));
    } else {
        reply_para(r, "q{} · {} read", cell_count(q->id), cell_count(q->reading_count));
    }
    if (proof->count > 0) {
        reply_more(r, " · {} of {} figures verified", cell_count(checked),
                   cell_count(proof->count));
    }
    if (dec_is_valid(q->cost)) {
        reply_more(r, " · {}", cell_cost(q->cost));
    }
    for (int i = 0; i < q->proposal_count; i++) {
        reply_button(r, q->proposals[i], q->proposals[i], BUTTON_PRIMARY);
    }
    if (q->proposal_count > 0) {
        reply_button_row(r);
    }
    reply_button(r, "How it was found", why.data, BUTTON_PLAIN);
    self_report_add_buttons(r, q->id);
    session_add_buttons(r, q->session_id);
}

static void add_report(struct reply *r, const struct ask *q, const struct question *end,
                       const struct text_proof *proof, const char *text)
{
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_object(&data, "answer");
    json_out_i64(&data, "question_id", q->id);
    json_out_i64(&data, "session_id", q->session_id);
    json_out_text(&data, "state", question_state_name(end->state));
    json_out_text(&data, "source", end->source);
    json_out_text(&data, "text", end->state == QUESTION_WITHHELD ? "" : text);
    json_out_text(&data, "model", q->model);
    json_out_dec(&data, "cost_usd", q->cost);
    json_out_i64(&data, "found", proof->found);
    json_out_i64(&data, "derived", proof->derived);
    json_out_i64(&data, "unverified", proof->unverified);
    json_out_array(&data, "read");
    for (int i = 0; i < q->reading_count; i++) {
        json_out_text(&data, NULL, q->readings[i].line);
    }
    json_out_end(&data);
    json_out_array(&data, "proposals");
    for (int i = 0; i < q->proposal_count; i++) {
        json_out_text(&data, NULL, q->proposals[i]);
    }
    json_out_end(&data);
    json_out_end(&data);
}

static void check(void *data)
{
    struct checking *c = data;
    c->proof = text_proof_new();
    text_proof_add_text(c->proof, "the question", str_c(c->question));
    for (int i = 0; i < c->count; i++) {
        if (c->documents[i].document != NULL) {
            text_proof_add(c->proof, c->documents[i].label, c->documents[i].document);
        }
    }
    if (c->said.len > 0) {
        text_proof_add_text(c->proof, "what was said", buf_str(&c->said));
    }
    c->readable = !buf_failed(&c->shown) && text_proof_check(c->proof, buf_str(&c->shown));
    text_proof_mark(c->proof, MARK, &c->marked);
    AUTO_JSON struct json_object *figures = figures_of(c->proof, c->shown.data);
    json_add_text(&c->figures, json_get(figures, "figures"));
}

static void answer_with(struct ask *q, const struct checking *c)
{
    const struct text_proof *proof = c->proof;
    struct reply *r = action_reply(q->call);
    bool withheld = !c->readable || proof->unverified > proof->found + proof->derived;
    struct question end = {.state = withheld                ? QUESTION_WITHHELD
                                    : q->proposal_count > 0 ? QUESTION_PROPOSED
                                                            : QUESTION_ANSWERED,
                           .source = "model",
                           .answer = c->readable ? c->marked.data : c->shown.data,
                           .found = proof->found,
                           .derived = proof->derived,
                           .unverified = proof->unverified,
                           .figures = buf_failed(&c->figures) ? NULL : c->figures.data};
    if (withheld) {
        reply_title(r, TONE_WARN, "The answer is withheld");
        if (c->readable) {
            reply_para(r, "{} of its {} figures are not in what was read. Here is what was read.",
                       cell_count(proof->unverified), cell_count(proof->count));
        } else {
            reply_line(r, "It cannot be checked: it is too long, or in another script. Here is "
                          "what was read.");
        }
        add_data(r, q);
    } else {
        AUTO_BUF struct buf named = BUF_INIT(4 * QUESTION_ANSWER_MAX);
        memory_name_people(q, buf_str(&c->marked), &named);
        add_lines(r, named.data);
    }
    add_report(r, q, &end, proof, c->marked.data);
    add_note(r, q, proof);
    ask_store(q, &end);
    session_tell_others(q, r);
    struct action_call *call = q->call;
    ask_free(q);
    action_finish(call, NULL);
}

static void on_checked(void *data, void *userdata)
{
    struct ask *q = userdata;
    q->check = NULL;
    answer_with(q, data);
}

void answer_finish(struct ask *q, const char *text)
{
    struct pool *helpers = q->assistant->o.helpers;
    struct checking *c = checking_new(q, text);
    struct err busy = {0};
    if (helpers != NULL) {
        q->check = pool_start(
            helpers,
            &(struct pool_work){
                .work = check, .done = on_checked, .drop = checking_free, .data = c, .userdata = q},
            &busy);
    }
    if (q->check == NULL) { /* no helper, or none is free */
        check(c);
        answer_with(q, c);
        checking_free(c);
    }
}
