#include "ask_rig.h"

#include "io/embed.h"
#include "io/json.h"
#include "io/json_out.h"
#include "rigs/reply_text.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ commands */

static int show_numbers(struct action_call *call, struct err *err)
{
    struct ask_rig *rig = action_userdata(call);
    AUTO_JSON struct json_object *numbers = NULL;
    (void)err;
    assert_int_equal(json_parse(str_c(rig->numbers), &JSON_LIMITS_DEFAULT, &numbers, NULL), 0);
    reply_title(action_reply(call), TONE_PLAIN, "%s", rig->title);
    reply_para(action_reply(call), "{} trades", cell_count(json_i64(numbers, "trades", 0)));
    json_object_object_foreach(numbers, key, value)
    {
        (void)json_object_object_add(reply_data(action_reply(call)), key, json_object_get(value));
    }
    return ACTION_DONE;
}

static int change(struct action_call *call, struct err *err)
{
    struct ask_rig *rig = action_userdata(call);
    (void)err;
    rig->changes++;
    reply_title(action_reply(call), TONE_GOOD, "changed");
    return ACTION_DONE;
}

static const struct action rows[] = {
    {.name = "test.numbers",
     .summary = "Numbers",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "count", .type = PARAM_INT, .minimum = "1", .maximum = "50"},
                             {.name = "kind", .type = PARAM_CHOICE, .choices = "won|lost"}),
     .run = show_numbers},
    {.name = "test.hidden",
     .summary = "What a model may not read",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .run = show_numbers},
    {.name = "test.change",
     .summary = "Changes something",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS({.name = "service", .type = PARAM_TEXT, .required = true}),
     .run = change},
    {0}};

#define HEAD(name, role) \
    "command: " name "\ngroup: test\nsummary: the command " name "\nrole: " role "\n"
#define FILE_OF(name, text)                                \
    {                                                      \
        "commands/" name ".yaml", (text), sizeof(text) - 1 \
    }

static const struct embedded_file own_files[] = {
    FILE_OF("numbers", HEAD("numbers", "read_only") "args: [{name: count, help: how many}, "
                                                    "{name: kind, help: which}]\n"
                                                    "steps: [{run: test.numbers, with: {count: "
                                                    "$count, kind: $kind}}]\n"
                                                    "examples: [numbers]\n"),
    FILE_OF("alerts", HEAD("alerts", "read_only") "args: [{name: id, help: which}]\n"
                                                  "steps: [{run: test.numbers, with: {count: "
                                                  "$id}}]\n"
                                                  "examples: [alerts]\n"),
    FILE_OF("admin_numbers", HEAD("admin_numbers", "admin") "steps: [{run: test.numbers}]\n"
                                                            "examples: [admin_numbers]\n"),
    FILE_OF("hidden", HEAD("hidden", "read_only") "steps: [{run: test.hidden}]\n"
                                                  "examples: [hidden]\n"),
    FILE_OF("tune",
            HEAD("tune", "operator") "confirm: true\n"
                                     "args: [{name: service, required: true, help: which}]\n"
                                     "steps: [{run: test.change, with: {service: $service}}]\n"
                                     "examples: [tune demo]\n"),
    {0}};

static void load_commands(struct ask_rig *rig)
{
    struct embedded_file files[16] = {{0}};
    struct err err = {0};
    size_t n = 0;
    for (; own_files[n].path != NULL; n++) {
        files[n] = own_files[n];
    }
    for (const struct embedded_file *f = embedded_files; f->path != NULL; f++) {
        if (strcmp(f->path, "commands/ask.yaml") == 0 ||
            strcmp(f->path, "commands/analyze.yaml") == 0 ||
            strcmp(f->path, "commands/troubleshoot.yaml") == 0) {
            files[n++] = *f;
        }
    }
    rig->actions = action_table_new();
    assistant_actions(rig->assistant, rig->actions);
    action_table_add(rig->actions, rows, rig);
    int rc = manifest_list_read(rig->actions, files, &rig->manifests, &err);
    assert_string_equal(rc < 0 ? err.context : "", "");
}

/* ------------------------------------------------------------------ the model */

static struct json_object *block(const char *type)
{
    struct json_object *made = json_object_new_object();
    (void)json_object_object_add(made, "type", json_object_new_string(type));
    return made;
}

static struct ask_rig_answer *add_answer(struct ask_rig *rig, const char *stop_reason)
{
    assert_true(rig->answer_count < ASK_RIG_ANSWERS);
    struct ask_rig_answer *a = &rig->answers[rig->answer_count++];
    *a = (struct ask_rig_answer){.content = json_object_new_array(), .stop_reason = stop_reason};
    return a;
}

void ask_rig_says(struct ask_rig *rig, const char *text)
{
    struct ask_rig_answer *a = add_answer(rig, "end_turn");
    struct json_object *said = block("text");
    (void)json_object_object_add(said, "text", json_object_new_string(text));
    (void)json_object_array_add(a->content, said);
}

static void add_use(struct ask_rig *rig, struct ask_rig_answer *a, const char *tool,
                    const char *input)
{
    char id[32];
    struct json_object *use = block("tool_use");
    struct json_object *parsed = NULL;
    (void)snprintf(id, sizeof(id), "toolu_%d_%zu", rig->answer_count, json_len(a->content));
    assert_int_equal(json_parse(str_c(input), &JSON_LIMITS_DEFAULT, &parsed, NULL), 0);
    (void)json_object_object_add(use, "id", json_object_new_string(id));
    (void)json_object_object_add(use, "name", json_object_new_string(tool));
    (void)json_object_object_add(use, "input", parsed);
    (void)json_object_array_add(a->content, use);
}

void ask_rig_uses(struct ask_rig *rig, const char *tool, const char *input)
{
    add_use(rig, add_answer(rig, "tool_use"), tool, input);
}

void ask_rig_also_uses(struct ask_rig *rig, const char *tool, const char *input)
{
    add_use(rig, &rig->answers[rig->answer_count - 1], tool, input);
}

void ask_rig_fails(struct ask_rig *rig, enum err_id error)
{
    add_answer(rig, "")->error = error;
}

/* What the model says, in one text. */
static void add_texts(struct json_object *content, struct buf *out)
{
    for (size_t i = 0; i < json_len(content); i++) {
        buf_add_str(out, json_str(json_item(content, i), "text"));
    }
}

static void on_deferred(void *userdata)
{
    struct ask_rig *rig = userdata;
    AUTO_BUF struct buf text = BUF_INIT(64 * 1024);
    if (!rig->waiting || rig->silent) {
        return;
    }
    assert_true(rig->next < rig->answer_count);
    const struct ask_rig_answer *a = &rig->answers[rig->next++];
    struct llm_answer answer = {.text = "",
                                .model = "model-of-the-test",
                                .request_id = "",
                                .stop_reason = a->stop_reason,
                                .input_tokens = 100,
                                .output_tokens = 10,
                                .cost_usd = rig->cost};
    rig->waiting = false;
    if (a->error != ERR_NONE) {
        (void)err_set(&answer.err, a->error, "scripted");
    } else {
        add_texts(a->content, &text);
        answer.text = text.data;
        answer.content = a->content;
    }
    rig->fn(&answer, rig->userdata);
}

static int model_ask(void *self, const struct llm_request *request, llm_answer_fn fn,
                     void *userdata, void **ret_handle, struct err *err)
{
    struct ask_rig *rig = self;
    (void)err;
    assert_false(rig->waiting);
    (void)json_object_put(rig->last_messages);
    (void)json_object_put(rig->last_tools);
    rig->last_messages = json_object_get(request->messages);
    if (request->user != NULL) {
        free(rig->last_user);
        rig->last_user = strdup(request->user);
    }
    rig->last_tools = json_object_get(request->tools);
    rig->last_no_more = request->no_more_tools;
    (void)str_copy(str_c(request->model != NULL ? request->model : ""), rig->last_model,
                   sizeof(rig->last_model));
    rig->asked++;
    rig->fn = fn;
    rig->userdata = userdata;
    rig->waiting = true;
    *ret_handle = rig;
    loop_defer(rig->deferred);
    return 0;
}

static void model_cancel(void *self, void *handle)
{
    struct ask_rig *rig = self;
    (void)handle;
    rig->waiting = false;
}

/* ------------------------------------------------------------------ asking */

static void on_reply(const struct reply *reply, const struct err *err, void *userdata)
{
    struct ask_rig *rig = userdata;
    reply_free(rig->reply);
    rig->reply = reply_copy(reply);
    rig->error = err != NULL ? err->id : ERR_NONE;
    rig->replied = true;
}

static bool submit(struct ask_rig *rig, const char *line, const char *args)
{
    struct err err = {0};
    const struct invocation in = {.line = line,
                                  .args_json = args,
                                  .who = &rig->who,
                                  .chat_id = rig->chat_id,
                                  .free_text = rig->free_text,
                                  .reply_to = rig->reply_to,
                                  .on_reply = on_reply,
                                  .userdata = rig};
    rig->replied = false;
    assert_int_equal(runner_submit(rig->runner, &in, &err), 0);
    for (int i = 0; i < 400 && !rig->replied; i++) {
        (void)loop_iterate(rig->base.loop, 0);
    }
    return rig->replied;
}

bool ask_rig_send(struct ask_rig *rig, const char *line)
{
    return submit(rig, line, NULL);
}

bool ask_rig_ask(struct ask_rig *rig, const char *question)
{
    AUTO_BUF struct buf args = BUF_INIT(8192);
    buf_add_c(&args, "{\"question\":\"");
    buf_add_json(&args, str_c(question));
    buf_add_c(&args, "\"}");
    return submit(rig, "ask", args.data);
}

void ask_rig_text(const struct ask_rig *rig, struct buf *out)
{
    AUTO_FREE char *text = calloc(1, 64 * 1024);
    assert_non_null(text);
    reply_text_all(rig->reply, text, 64 * 1024);
    buf_add_c(out, text);
}

struct json_object *ask_rig_data(const struct ask_rig *rig)
{
    return json_get(reply_data(rig->reply), "answer");
}

/* ------------------------------------------------------------------ life cycle */

void ask_rig_open(struct ask_rig *rig)
{
    struct err err = {0};
    *rig = (struct ask_rig){.numbers = "{\"trades\":7,\"lost\":4,\"net_usd\":-12.5}",
                            .title = "numbers"};
    runner_rig_open(&rig->base);
    rig->base.config.mail_server = "";
    rig->base.config.service_count = 0; /* without URLs to clean results of */
    rig->base.config.assistant_model = "";
    rig->base.config.assistant_max_calls = 4;
    rig->base.config.assistant_max_time_us = 60 * USEC_PER_SEC;
    rig->base.config.assistant_max_cost = (struct dec){DEC_ONE};
    rig->base.config.assistant_session_idle_us = 30 * USEC_PER_MIN;
    rig->base.config.assistant_session_max_time_us = 12 * USEC_PER_HOUR;
    rig->base.config.assistant_session_max_calls = 60;
    rig->base.config.assistant_session_max_cost = (struct dec){2 * DEC_ONE};
    rig->cost = (struct dec){DEC_ONE / 100};
    rig->chat_id = 5;
    rig->who = rig->base.rita;
    rig->who.channel = CHANNEL_HTTP; /* it waits for the reply */
    rig->client = (struct llm_client){.ask = model_ask, .cancel = model_cancel, .self = rig};
    rig->deferred = loop_add_deferred(rig->base.loop, on_deferred, rig);
    assert_int_equal(assistant_new(&(struct assistant_options){.loop = rig->base.loop,
                                                               .clock = &rig->base.clock.clock,
                                                               .config = &rig->base.config,
                                                               .store = rig->base.store,
                                                               .access = rig->base.access,
                                                               .state_dir = rig->base.folder,
                                                               .llm_client = &rig->client},
                                   &rig->assistant, &err),
                     0);
    load_commands(rig);
    const struct runner_options options = {.loop = rig->base.loop,
                                           .clock = &rig->base.clock.clock,
                                           .config = &rig->base.config,
                                           .store = rig->base.store,
                                           .access = rig->base.access,
                                           .actions = rig->actions,
                                           .manifests = rig->manifests,
                                           .converse = assistant_converse,
                                           .converse_userdata = rig->assistant,
                                           .noted = assistant_note_end,
                                           .noted_userdata = rig->assistant};
    assert_int_equal(runner_new(&options, &rig->runner, &err), 0);
    assistant_connect(rig->assistant, rig->runner, rig->manifests);
}

static void drop_answers(struct ask_rig *rig)
{
    for (int i = 0; i < rig->answer_count; i++) {
        (void)json_object_put(rig->answers[i].content);
    }
    rig->answer_count = rig->next = 0;
}

void ask_rig_again(struct ask_rig *rig)
{
    drop_answers(rig);
    rig->asked = 0;
    loop_advance(rig->base.loop, USEC_PER_MIN);
}

void ask_rig_close(struct ask_rig *rig)
{
    assistant_close(rig->assistant);
    runner_free(rig->runner);
    assistant_free(rig->assistant);
    manifest_list_free(rig->manifests);
    action_table_free(rig->actions);
    loop_source_free(rig->deferred);
    drop_answers(rig);
    (void)json_object_put(rig->last_messages);
    (void)json_object_put(rig->last_tools);
    free(rig->last_user);
    reply_free(rig->reply);
    runner_rig_close(&rig->base);
}

int ask_rig_set_up(void **state)
{
    struct ask_rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    ask_rig_open(rig);
    *state = rig;
    return 0;
}

int ask_rig_tear_down(void **state)
{
    ask_rig_close(*state);
    free(*state);
    return 0;
}
