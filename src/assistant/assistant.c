#include "assistant/assistant.h"

#include "analyze.h"
#include "assistant/grammar.h"
#include "assistant_internal.h"
#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "command/runner.h"
#include "config/config.h"
#include "handover.h"
#include "io/json.h"
#include "io/loop.h"
#include "io/pool.h"
#include "memory.h"
#include "session.h"
#include "troubleshoot.h"

#include <stdlib.h>
#include <string.h>

/* The command and the prompt of each kind. */
static const char *const ask_kinds[ASK_KINDS] = {
    [ASK_QUESTION] = "ask", [ASK_ANALYSIS] = "analyze", [ASK_SESSION] = "troubleshoot"};

/* ------------------------------------------------------------------ one question */

void ask_free(struct ask *q)
{
    for (struct ask **at = &q->assistant->asks; *at != NULL; at = &(*at)->next) {
        if (*at == q) {
            *at = q->next;
            break;
        }
    }
    talk_stop(q);
    pool_cancel(q->check);
    loop_source_free(q->deadline);
    loop_source_free(q->deferred);
    for (int i = 0; i < q->reading_count; i++) {
        tool_run_release(&q->readings[i]);
    }
    (void)json_object_put(q->tools);
    (void)json_object_put(q->messages);
    (void)json_object_put(q->content);
    (void)json_object_put(q->results);
    memory_release(q);
    free(q->use_id);
    free(q->understood);
    free(q->text);
    session_next(q);
    free(q);
}

/* The proposals only of an answer that shows their buttons. */
static int store_end(const struct ask *q, const struct question *end, struct err *err)
{
    struct ops_store *store = q->assistant->o.store;
    bool shown = end->state == QUESTION_ANSWERED || end->state == QUESTION_PROPOSED ||
                 end->state == QUESTION_WITHHELD || q->outage.id != ERR_NONE;
    int rc = 0;
    for (int i = 0; shown && rc == 0 && i < q->proposal_count; i++) {
        rc = question_table_propose(store, q->id, i, q->proposals[i], err);
    }
    return rc < 0 ? rc : question_table_end(store, end, err);
}

void ask_store(struct ask *q, struct question *end)
{
    struct err err = {0};
    end->id = q->id;
    end->ended_us = clock_wall_us(q->assistant->o.clock);
    end->tokens = q->tokens;
    end->cost_usd = q->cost;
    (void)str_copy(str_c(q->model), end->model, sizeof(end->model));
    if (q->id != 0 && store_end(q, end, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "assistant: could not store an answer");
    }
    if (q->session_id != 0 && q->id != 0) {
        session_store(q);
    }
}

void ask_fail(struct ask *q, const struct err *why)
{
    struct question end = {.state = why->id == ERR_ASK_LOST ? QUESTION_LOST : QUESTION_FAILED};
    struct err given = *why;
    struct action_call *call = q->call;
    struct reply *r = action_reply(call);
    (void)str_copy(str_c(err_info(why->id)->code), end.error_code, sizeof(end.error_code));
    ask_store(q, &end);
    reply_line(r, "Nothing was changed.");
    if (q->reading_count > 0) {
        AUTO_BUF struct buf line = BUF_INIT(64);
        buf_addf(&line, "/why q%lld", (long long)q->id);
        reply_button(r, "What was read", line.data, BUTTON_PLAIN);
    }
    ask_free(q);
    action_finish(call, &given);
}

void ask_model_failed(struct ask *q, const struct err *why)
{
    if (q->kind == ASK_SESSION && q->id != 0) {
        session_without_model(q, why);
    } else {
        ask_fail(q, why);
    }
}

static void on_deadline(void *userdata)
{
    struct ask *q = userdata;
    struct err err = {0};
    (void)err_set(&err, ERR_ASK_LATE, "%lld s, %d readings",
                  (long long)(q->assistant->o.config->assistant_max_time_us / USEC_PER_SEC),
                  q->reading_count);
    talk_stop(q);
    if (q->outage.id != ERR_NONE) { /* nothing more is gathered */
        session_finish_by_code(q);
    } else {
        ask_model_failed(q, &err);
    }
}

/* A new row, or that of the run if it is asked again after a crash. */
static int begin_row(struct ask *q, struct err *err)
{
    struct question row = {.run_id = action_run_id(q->call),
                           .user_id = q->who.id,
                           .session_id = q->session_id,
                           .asked_us = clock_wall_us(q->assistant->o.clock),
                           .question = q->text};
    bool again = false;
    (void)str_copy(str_c(ask_kinds[q->kind]), row.kind, sizeof(row.kind));
    (void)str_copy(str_c(q->subject), row.subject, sizeof(row.subject));
    (void)str_copy(str_c(q->who.name), row.user, sizeof(row.user));
    (void)str_copy(str_c(channel_name(q->who.channel)), row.channel, sizeof(row.channel));
    int rc = question_table_begin(q->assistant->o.store, &row, &q->id, &again, err);
    int64_t away_us = row.asked_us - action_begun_us(q->call);
    if (rc == 0 && again && away_us > ASK_AGAIN_US) {
        return err_set(err, ERR_ASK_LOST, "q%lld, asked %lld min ago", (long long)q->id,
                       (long long)(away_us / USEC_PER_MIN));
    }
    return rc;
}

static void begin_talk(struct ask *q)
{
    struct err err = {0};
    if (!q->assistant->has_client) {
        (void)err_set(&err, ERR_ASK_NOT_UNDERSTOOD, "no key is configured (claude.api_key)");
        ask_fail(q, &err);
        return;
    }
    q->client = q->assistant->client;
    talk_begin(q);
}

static void begin_question(struct ask *q)
{
    struct err err = {0};
    struct grammar_reading *unknown = NULL;
    if (plain_begin(q, &unknown)) {
        return;
    }
    if (q->assistant->has_client) {
        begin_talk(q);
    } else {
        (void)err_set(&err, ERR_ASK_NOT_UNDERSTOOD, "no key is configured (claude.api_key)");
        plain_unknown(q, unknown, &err);
    }
    grammar_reading_free(unknown);
}

static void begin(struct ask *q)
{
    const struct config *config = q->assistant->o.config;
    struct err err = {0};
    q->calls_max = (int)config->assistant_max_calls;
    q->cost_max = config->assistant_max_cost;
    if (q->kind == ASK_SESSION && session_enter(q, &err) < 0) {
        ask_fail(q, &err);
        return;
    }
    if (q->waits) {
        return; /* session_next goes on with it */
    }
    q->begun = true;
    if (begin_row(q, &err) < 0) {
        ask_fail(q, &err);
        return;
    }
    loop_timer_in(q->deadline, config->assistant_max_time_us);
    switch (q->kind) {
    case ASK_QUESTION:
        begin_question(q);
        break;
    case ASK_ANALYSIS:
        analyze_begin(q);
        break;
    case ASK_SESSION:
        session_begin(q);
        break;
    case ASK_KINDS:
        break;
    }
}

static void on_deferred(void *userdata)
{
    struct ask *q = userdata;
    if (!q->begun) {
        begin(q);
    } else if (q->kind == ASK_ANALYSIS) {
        analyze_go_on(q);
    } else if (q->understood != NULL) {
        plain_finish(q);
    } else if (q->outage.id != ERR_NONE) {
        session_gather_on(q);
    } else {
        talk_go_on(q);
    }
}

/* ------------------------------------------------------------------ the action */

static size_t count_asks(const struct assistant *assistant)
{
    size_t count = 0;
    for (const struct ask *q = assistant->asks; q != NULL; q = q->next) {
        count++;
    }
    return count;
}

/* What follows is done from the loop: the run is stored by then. */
int ask_begin_call(struct action_call *call, enum ask_kind kind, const char *text, int64_t alert_id,
                   int64_t session_id, struct err *err)
{
    struct assistant *assistant = action_userdata(call);
    struct llm_prompt **prompt = &assistant->prompts[kind];
    if (count_asks(assistant) >= ASKS_MAX) {
        return err_set(err, ERR_CLAUDE_BUSY, "%d questions", ASKS_MAX);
    }
    if (*prompt == NULL && llm_prompt_load(ask_kinds[kind], prompt, err) < 0) {
        return -(int)err->id;
    }
    struct ask *q = calloc(1, sizeof(*q));
    NEED_MEMORY(q != NULL);
    q->kind = kind;
    q->assistant = assistant;
    q->call = call;
    q->who = *action_who(call);
    q->prompt = *prompt;
    q->alert_id = alert_id;
    q->session_id = session_id;
    memory_init(q);
    q->cost = DEC_ZERO;
    q->text = strdup(text);
    NEED_MEMORY(q->text != NULL);
    log_redact(q->text);
    q->deadline = loop_add_timer(assistant->o.loop, on_deadline, q);
    q->deferred = loop_add_deferred(assistant->o.loop, on_deferred, q);
    loop_source_name(q->deadline, "question's deadline");
    loop_source_name(q->deferred, "question");
    q->next = assistant->asks;
    assistant->asks = q;
    action_set_state(call, q);
    loop_defer(q->deferred);
    return ACTION_PENDING;
}

static int run_ask(struct action_call *call, struct err *err)
{
    return ask_begin_call(call, ASK_QUESTION, action_text(call, "question"), 0, 0, err);
}

static int run_analyze(struct action_call *call, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(64);
    buf_addf(&text, "what is behind alert %lld?", (long long)action_int(call, "id"));
    return ask_begin_call(call, ASK_ANALYSIS, text.data, action_int(call, "id"), 0, err);
}

/* What was written until then is not checked, so it is not shown; what was read is. */
static void say_stopped(const struct ask *q)
{
    struct reply *r = action_reply(q->call);
    AUTO_BUF struct buf why = BUF_INIT(64);
    reply_title(r, TONE_PLAIN, "Stopped");
    if (q->reading_count == 0) {
        return;
    }
    reply_para(r, "Read until then: {}", cell_code(q->readings[0].line));
    for (int i = 1; i < q->reading_count; i++) {
        reply_more(r, ", {}", cell_code(q->readings[i].line));
    }
    buf_addf(&why, "/why q%lld", (long long)q->id);
    reply_button(r, "What was read", why.data, BUTTON_PLAIN);
}

void ask_cancel(struct action_call *call)
{
    struct ask *q = action_state(call);
    struct question end = {.state = QUESTION_STOPPED};
    if (!q->assistant->closing) {
        say_stopped(q);
        ask_store(q, &end);
    }
    ask_free(q);
}

static const struct action actions[] = {
    {.name = "assistant.ask",
     .summary = "Answer a question from what may be read",
     .data = "*",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS(
         {.name = "question", .type = PARAM_TEXT, .required = true, .help = "in your own words"}),
     .run = run_ask,
     .cancel = ask_cancel},
    {.name = "assistant.analyze",
     .summary = "Weigh what may be behind an alert",
     .data = "analysis",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "id",
                              .type = PARAM_INT,
                              .required = true,
                              .minimum = "1",
                              .help = "number of the alert"}),
     .run = run_analyze,
     .cancel = ask_cancel},
    {.name = "assistant.troubleshoot",
     .summary = "Find out together with the model what is wrong, in a session with memory",
     .data = "*",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "what",
                              .type = PARAM_TEXT,
                              .help = "what is wrong; or list, a number, open, join, end"}),
     .run = troubleshoot_run,
     .cancel = troubleshoot_cancel},
    {0}};

/* ------------------------------------------------------------------ life cycle */

void assistant_apply(struct assistant *assistant, const struct config *config,
                     const struct llm_client *llm_client)
{
    assistant->o.config = config;
    assistant->has_client = llm_client != NULL;
    if (llm_client != NULL) {
        assistant->client = *llm_client;
    }
    session_schedule(assistant); /* assistant.session_idle may be another one */
}

int assistant_new(const struct assistant_options *options, struct assistant **ret, struct err *err)
{
    (void)err; /* cannot fail today */
    struct assistant *assistant = calloc(1, sizeof(*assistant));
    NEED_MEMORY(assistant != NULL);
    assistant->o = *options;
    assistant_apply(assistant, options->config, options->llm_client);
    *ret = assistant;
    return 0;
}

void assistant_free(struct assistant *assistant)
{
    if (assistant == NULL) {
        return;
    }
    while (assistant->asks != NULL) {
        ask_free(assistant->asks);
    }
    handover_stop_all(assistant);
    loop_source_free(assistant->idle);
    llm_prompt_free(assistant->summary_prompt);
    for (size_t i = 0; i < ASK_KINDS; i++) {
        llm_prompt_free(assistant->prompts[i]);
    }
    free(assistant);
}

void assistant_actions(struct assistant *assistant, struct action_table *table)
{
    action_table_add(table, actions, assistant);
}

void assistant_connect(struct assistant *assistant, struct runner *runner,
                       const struct manifest_list *manifests)
{
    assistant->runner = runner;
    assistant->manifests = manifests;
    session_schedule(assistant);
}

void assistant_note_run(const struct invocation *in, int64_t run_id, void *userdata)
{
    const struct assistant *assistant = userdata;
    const struct principal *who = in->who;
    AUTO_BUF struct buf line = BUF_INIT(PROPOSAL_SIZE + 1);
    struct err err = {0};
    struct str text = str_trim(str_c(in->line));
    buf_addf(&line, "%s%.*s", text.len > 0 && text.ptr[0] == '/' ? "" : "/", STR_ARG(text));
    if (in->args_json != NULL || buf_failed(&line)) {
        return; /* longer than any proposal, or not a line */
    }
    const struct question_taken taken = {.line = line.data,
                                         .channel = channel_name(who->channel),
                                         .chat_id = in->chat_id,
                                         .user = who->name,
                                         .message_id = in->message_id,
                                         .since_us =
                                             clock_wall_us(assistant->o.clock) - PROPOSAL_OPEN_US,
                                         .run_id = run_id};
    if (question_table_take(assistant->o.store, &taken, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "assistant: could not note who took a proposal");
    }
}

void assistant_close(struct assistant *assistant)
{
    if (assistant != NULL) {
        assistant->closing = true;
    }
}
