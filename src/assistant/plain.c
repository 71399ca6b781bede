#include "assistant/grammar.h"
#include "assistant_internal.h"
#include "base/auto.h"
#include "base/check.h"
#include "io/json.h"
#include "io/json_out.h"
#include "session.h"
#include "trading/desk.h"

#include <stdlib.h>
#include <string.h>

#define BUTTON_MAX 64 /* bytes of a command behind a button */

static void reading_free_slot(struct grammar_reading **slot)
{
    grammar_reading_free(*slot);
}

/* The end of a question that needed no model. */
static void finish(struct ask *q, enum question_state state, const char *answer)
{
    struct question end = {.state = state, .source = "grammar"};
    struct action_call *call = q->call;
    struct reply *r = action_reply(call);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    end.answer = (char *)(uintptr_t)answer;
    json_out_object(&data, "answer");
    json_out_i64(&data, "question_id", q->id);
    json_out_i64(&data, "session_id", q->session_id);
    json_out_text(&data, "state", question_state_name(state));
    json_out_text(&data, "source", end.source);
    json_out_text(&data, "text", answer);
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
    session_add_outage(q, r);
    ask_store(q, &end);
    session_tell_others(q, r);
    ask_free(q);
    action_finish(call, NULL);
}

static void add_choices(struct reply *r, const struct grammar_reading *reading)
{
    for (int i = 0; i < reading->choice_count; i++) {
        AUTO_BUF struct buf line = BUF_INIT(2 * GRAMMAR_CHOICE_SIZE);
        buf_addf(&line, "/ask %s", reading->choices[i].question);
        if (line.len <= BUTTON_MAX) {
            reply_button(r, reading->choices[i].label, line.data, BUTTON_PLAIN);
        } else {
            reply_para(r, "{}: {}", cell_text(reading->choices[i].label), cell_code(line.data));
        }
    }
}

static void propose(struct ask *q, const struct grammar_reading *reading)
{
    struct reply *r = action_reply(q->call);
    struct str line = str_c(reading->line);
    AUTO_BUF struct buf why = BUF_INIT(400);
    reply_para(r, "{} would do that. Nothing is done until you start it.",
               cell_code(reading->line));
    if (reading->understood[0] != '\0') {
        reply_line(r, "Understood: %s", reading->understood);
    }
    if (proposal_add(q, line, &why)) {
        reply_button(r, reading->line, q->proposals[0], BUTTON_PRIMARY);
        finish(q, QUESTION_PROPOSED, reading->line);
        return;
    }
    reply_line(r, "It is not offered: %s.", why.data);
    finish(q, QUESTION_ANSWERED, reading->line);
}

static bool answer(struct ask *q, const struct grammar_reading *reading)
{
    const struct manifest *m = manifest_find(q->assistant->manifests, reading->command);
    AUTO_JSON struct json_object *args = NULL;
    if (m == NULL || m->changes ||
        json_parse(str_c(reading->args), &JSON_LIMITS_DEFAULT, &args, NULL) < 0 ||
        !json_is_object(args)) {
        return false;
    }
    free(q->understood);
    q->understood = strdup(reading->understood);
    NEED_MEMORY(q->understood != NULL);
    tool_run_start(q, m, args);
    return true;
}

bool plain_begin(struct ask *q, struct grammar_reading **ret_unknown)
{
    const struct assistant *assistant = q->assistant;
    const struct desk *desk = assistant->o.desk;
    AUTO_FREE struct grammar_context *context = calloc(1, sizeof(*context));
    NEED_MEMORY(context != NULL);
    grammar_context_fill(context,
                         &(struct grammar_sources){
                             .config = assistant->o.config,
                             .snapshot = desk != NULL ? desk_snapshot(assistant->o.desk) : NULL,
                             .clock = assistant->o.clock,
                             .zone = desk != NULL ? desk_zone(desk) : NULL});
    __attribute__((cleanup(reading_free_slot))) struct grammar_reading *reading =
        grammar_reading_new();
    struct reply *r = action_reply(q->call);
    switch (grammar_read(context, str_c(q->text), reading)) {
    case GRAMMAR_ANSWER:
        if (answer(q, reading)) {
            return true;
        }
        break;
    case GRAMMAR_CLARIFY:
        if (q->outage.id != ERR_NONE) { /* what can be told is worth more than a question back */
            break;
        }
        reply_line(r, "%s", reading->message);
        add_choices(r, reading);
        finish(q, QUESTION_ANSWERED, reading->message);
        return true;
    case GRAMMAR_PROPOSAL:
        propose(q, reading);
        return true;
    case GRAMMAR_REFUSED:
        reply_line(r, "%s", reading->message);
        finish(q, QUESTION_ANSWERED, reading->message);
        return true;
    case GRAMMAR_UNKNOWN:
        break;
    }
    *ret_unknown = TAKE(reading);
    return false;
}

void plain_unknown(struct ask *q, const struct grammar_reading *reading, const struct err *why)
{
    struct reply *r = action_reply(q->call);
    if (reading->message[0] != '\0') {
        reply_line(r, "%s", reading->message);
    }
    add_choices(r, reading);
    ask_fail(q, why);
}

void plain_finish(struct ask *q)
{
    const struct tool_run *reading = &q->readings[0];
    struct reply *r = action_reply(q->call);
    AUTO_BUF struct buf why = BUF_INIT(64);
    if (reading->error != ERR_NONE) {
        struct err err = {0};
        const struct json_object *failed = json_get(reading->document, "error");
        (void)err_set(&err, reading->error, "%s", json_text(failed, "context"));
        ask_fail(q, &err);
        return;
    }
    reply_title(r, TONE_PLAIN, "%s", reply_get_title(reading->reply));
    reply_append(r, reading->reply);
    reply_para(r, "Understood: {}", cell_text(q->understood));
    buf_addf(&why, "/why q%lld", (long long)q->id);
    reply_button(r, "How it was found", why.data, BUTTON_PLAIN);
    finish(q, QUESTION_ANSWERED, q->understood);
}
