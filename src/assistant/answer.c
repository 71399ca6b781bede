#include "assistant_internal.h"
#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "io/json.h"
#include "io/json_out.h"
#include "proof/text_proof.h"

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

static void add_documents(const struct ask *q, struct text_proof *proof)
{
    text_proof_add_text(proof, "the question", str_c(q->text));
    for (int i = 0; i < q->reading_count; i++) {
        if (q->readings[i].document != NULL) {
            text_proof_add(proof, q->readings[i].line, q->readings[i].document);
        }
    }
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
    reply_para(r, "q{} · {} read", cell_count(q->id), cell_count(q->reading_count));
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
}

static void add_report(struct reply *r, const struct ask *q, const struct question *end,
                       const struct text_proof *proof, const char *text)
{
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_object(&data, "answer");
    json_out_i64(&data, "question_id", q->id);
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

void answer_finish(struct ask *q, const char *text)
{
    AUTO_BUF struct buf shown = BUF_INIT(QUESTION_ANSWER_MAX);
    AUTO_BUF struct buf marked = BUF_INIT(2 * QUESTION_ANSWER_MAX);
    struct reply *r = action_reply(q->call);
    struct text_proof *proof = text_proof_new();
    clean(text, &shown);
    add_documents(q, proof);
    bool readable = !buf_failed(&shown) && text_proof_check(proof, buf_str(&shown));
    bool withheld = !readable || proof->unverified > proof->found + proof->derived;
    text_proof_mark(proof, MARK, &marked);

    AUTO_JSON struct json_object *figures = figures_of(proof, shown.data);
    AUTO_BUF struct buf figures_text = BUF_INIT(FIGURES_MAX);
    json_add_text(&figures_text, json_get(figures, "figures"));
    struct question end = {.state = withheld                ? QUESTION_WITHHELD
                                    : q->proposal_count > 0 ? QUESTION_PROPOSED
                                                            : QUESTION_ANSWERED,
                           .source = "model",
                           .answer = readable ? marked.data : shown.data,
                           .found = proof->found,
                           .derived = proof->derived,
                           .unverified = proof->unverified,
                           .figures = buf_failed(&figures_text) ? NULL : figures_text.data};
    if (withheld) {
        reply_title(r, TONE_WARN, "The answer is withheld");
        if (readable) {
            reply_para(r, "{} of its {} figures are not in what was read. Here is what was read.",
                       cell_count(proof->unverified), cell_count(proof->count));
        } else {
            reply_line(r, "It cannot be checked: it is too long, or in another script. Here is "
                          "what was read.");
        }
        add_data(r, q);
    } else {
        add_lines(r, marked.data);
    }
    add_report(r, q, &end, proof, marked.data);
    add_note(r, q, proof);
    ask_store(q, &end);
    text_proof_free(proof);
    struct action_call *call = q->call;
    ask_free(q);
    action_finish(call, NULL);
}
