#include "assistant_internal.h"
#include "base/auto.h"
#include "base/check.h"
#include "base/clock.h"
#include "command/tool.h"
#include "config/config.h"
#include "io/json.h"
#include "io/json_out.h"
#include "io/loop.h"
#include "memory.h"
#include "tools.h"

#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX ((size_t)256 * 1024)

static void ask_model(struct ask *q);

/* ------------------------------------------------------------------ messages */

static struct json_object *new_list(void)
{
    AUTO_JSON struct json_object *root = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(root);
    json_out_array(&out, "list");
    json_out_end(&out);
    return json_object_get(json_get(root, "list"));
}

struct json_object *talk_add_message(struct ask *q, const char *role)
{
    struct json_out out = JSON_OUT_ITEMS(q->messages);
    json_out_object(&out, NULL);
    json_out_text(&out, "role", role);
    json_out_array(&out, "content");
    json_out_end(&out);
    json_out_end(&out);
    return json_get(json_item(q->messages, json_len(q->messages) - 1), "content");
}

void talk_add_text(struct json_object *content, struct str text)
{
    struct json_out out = JSON_OUT_ITEMS(content);
    json_out_object(&out, NULL);
    json_out_text(&out, "type", "text");
    json_out_str(&out, "text", text);
    json_out_end(&out);
}

/* The blocks of the model's answer, unchanged, but for empty texts, which the API does not take. */
static void add_answer(struct ask *q)
{
    struct json_out out = JSON_OUT_ITEMS(talk_add_message(q, "assistant"));
    for (size_t i = 0; i < json_len(q->content); i++) {
        struct json_object *block = json_item(q->content, i);
        bool empty = strcmp(json_text(block, "type"), "text") == 0 &&
                     str_trim(json_str(block, "text")).len == 0;
        if (!empty) {
            json_out_value(&out, NULL, block);
        }
    }
}

static void add_result(struct ask *q, const char *id, struct str text, bool is_error)
{
    struct json_out out = JSON_OUT_ITEMS(q->results);
    json_out_object(&out, NULL);
    json_out_text(&out, "type", "tool_result");
    json_out_text(&out, "tool_use_id", id);
    json_out_str(&out, "content", text);
    if (is_error) {
        json_out_bool(&out, "is_error", true);
    }
    json_out_end(&out);
}

/* What the rules cannot know: the time, and who asks. */
static void add_question(struct ask *q)
{
    AUTO_BUF struct buf text = BUF_INIT(MESSAGE_MAX);
    if (q->session_id != 0) {
        memory_add(q, &text); /* messages come first, and the text begins with what is new */
    }
    struct json_object *content = talk_add_message(q, "user");
    buf_add_c(&text, "Now: ");
    clock_add_iso(&text, clock_wall_us(q->assistant->o.clock), false);
    if (q->session_id != 0) {
        buf_add_c(&text, ". ");
        memory_add_speaker(q, &text);
        buf_addf(&text, " says:\n%s", q->text);
    } else {
        buf_addf(&text, ". The role of the person who asks: %s.\nThe question:\n%s",
                 role_name(q->who.role), q->text);
    }
    talk_add_text(content, buf_str(&text));
}

/* ------------------------------------------------------------------ tools */

static bool is_over_cost(const struct ask *q)
{
    return dec_is_valid(q->cost) && q->cost.e8 >= q->cost_max.e8;
}

static void show_reading(struct ask *q, const char *command)
{
    AUTO_BUF struct buf text = BUF_INIT(128);
    buf_addf(&text, "⏳ reading /%s", command);
    action_stream(q->call, buf_str(&text));
}

static void run_tool(struct ask *q, const struct json_object *use)
{
    const char *name = json_text(use, "name");
    struct json_object *input = json_get(use, "input");
    AUTO_BUF struct buf why = BUF_INIT(1000);
    free(q->use_id);
    q->use_id = strdup(json_text(use, "id"));
    ASSERT(q->use_id != NULL);
    if (q->last_round || q->calls >= q->calls_max || q->reading_count == QUESTION_STEPS_MAX) {
        buf_addf(&why,
                 "Not run: the limit of %d calls for a question, or its cost, is reached. "
                 "Answer now with what you have read.",
                 q->calls_max);
        add_result(q, q->use_id, buf_str(&why), true);
        return;
    }
    q->calls++;
    if (strcmp(name, TOOL_PROPOSE) == 0) {
        bool added = proposal_add(q, json_str(input, "command"), &why);
        add_result(q, q->use_id, added ? str_c("The person sees it as a button.") : buf_str(&why),
                   !added);
        return;
    }
    const struct manifest *m = tool_find(q->assistant->manifests, &q->who, name);
    if (m == NULL || !json_is_object(input)) {
        buf_addf(&why, "there is no tool %.64s, or its input is no object", name);
        add_result(q, q->use_id, buf_str(&why), true);
        return;
    }
    show_reading(q, m->name);
    tool_run_start(q, m, input);
}

/* Until the end, or to a tool whose end has to be waited for. */
static void run_tools(struct ask *q)
{
    while (!q->is_reading && q->next_block < json_len(q->content)) {
        const struct json_object *block = json_item(q->content, q->next_block++);
        int before = q->reading_count;
        if (strcmp(json_text(block, "type"), "tool_use") == 0) {
            run_tool(q, block);
        }
        if (q->reading_count > before) {
            return; /* talk_go_on takes its result, also if it has ended already */
        }
    }
    if (q->is_reading) {
        return;
    }
    if (q->last_round) {
        struct err err = {0};
        (void)err_set(&err, ERR_ASK_LOOP, "after %d calls", q->calls);
        ask_model_failed(q, &err);
        return;
    }
    q->last_round = q->calls >= q->calls_max || is_over_cost(q);
    struct json_object *content = talk_add_message(q, "user");
    struct json_out out = JSON_OUT_ITEMS(content);
    for (size_t i = 0; i < json_len(q->results); i++) {
        json_out_value(&out, NULL, json_item(q->results, i));
    }
    if (q->last_round) {
        talk_add_text(content,
                      str_c("No more tools: answer now with what you have read, and say what "
                            "you could not look up."));
    }
    (void)json_object_put(q->results);
    q->results = new_list();
    ask_model(q);
}

void talk_go_on(struct ask *q)
{
    const struct tool_run *reading = &q->readings[q->reading_count - 1];
    AUTO_BUF struct buf text = BUF_INIT(MESSAGE_MAX);
    llm_add_untrusted(reading->document, &text);
    add_result(q, q->use_id, buf_str(&text), reading->error != ERR_NONE);
    run_tools(q);
}

/* ------------------------------------------------------------------ the model */

static void on_text(struct str text, void *userdata)
{
    struct ask *q = userdata;
    action_stream(q->call, text);
}

static void on_answer(const struct llm_answer *answer, void *userdata)
{
    struct ask *q = userdata;
    q->request = NULL;
    q->tokens += answer->input_tokens + answer->output_tokens;
    q->cost = dec_add(q->cost, answer->cost_usd);
    (void)str_copy(str_c(answer->model), q->model, sizeof(q->model));
    if (answer->err.id != ERR_NONE) {
        ask_model_failed(q, &answer->err);
    } else if (strcmp(answer->stop_reason, "tool_use") == 0) {
        (void)json_object_put(q->content);
        q->content = json_object_get(answer->content);
        q->next_block = 0;
        add_answer(q);
        run_tools(q);
    } else {
        answer_finish(q, answer->text);
    }
}

static void ask_model(struct ask *q)
{
    struct err err = {0};
    const char *own = q->assistant->o.config->assistant_model;
    const struct llm_request request = {.system = q->prompt->text,
                                        .messages = q->messages,
                                        .tools = q->tools,
                                        .no_more_tools = q->last_round,
                                        .model = own[0] != '\0' ? own : q->prompt->model,
                                        .on_text = on_text};
    if (q->client.ask(q->client.self, &request, on_answer, q, &q->request, &err) < 0) {
        ask_model_failed(q, &err);
    }
}

void talk_begin(struct ask *q)
{
    q->tools = tools_json(q->assistant->manifests, &q->who, true);
    q->messages = new_list();
    q->results = new_list();
    add_question(q);
    action_stream(q->call, str_c("⏳ thinking"));
    ask_model(q);
}

void talk_stop(struct ask *q)
{
    if (q->request != NULL) {
        q->client.cancel(q->client.self, q->request);
        q->request = NULL;
    }
    tool_run_stop(q);
}
