/*
 * ask_rig.h: the assistant with the runner's rig, a few commands that read, and a model whose
 * answers the test writes in advance.
 *
 *     ask_rig_uses(rig, "numbers", "{}");              // the next answer asks for this tool
 *     ask_rig_says(rig, "7 trades were closed.");      // the one after it is this text
 *     ask_rig_ask(rig, "how many trades?");            // the reply is in rig->reply
 *
 * Thread: main thread of the test binary.
 */
#pragma once

#include "assistant/assistant.h"
#include "command/reply.h"
#include "rigs/runner_rig.h"

#include <stdbool.h>

struct json_object;

#define ASK_RIG_ANSWERS 64

struct ask_rig_answer {
    struct json_object *content; /* NULL: an error */
    const char *stop_reason;
    enum err_id error;
};

struct ask_rig {
    struct runner_rig base;
    struct action_table *actions;
    struct manifest_list *manifests;
    struct assistant *assistant;
    struct runner *runner;
    struct principal who; /* read_only */
    int64_t chat_id;      /* where it writes */
    enum free_text free_text;
    int64_t reply_to;
    struct llm_client client;

    /* the model */
    struct ask_rig_answer answers[ASK_RIG_ANSWERS];
    int answer_count;
    int next;
    int asked; /* requests */
    struct loop_source *deferred;
    bool waiting;
    bool silent; /* it never answers */
    llm_answer_fn fn;
    void *userdata;
    struct json_object *last_messages; /* of the last request */
    char *last_user;                   /* of the last request without messages; NULL: none */
    struct json_object *last_tools;
    bool last_no_more;
    char last_model[64];
    struct dec cost; /* of each answer */

    /* what the command `numbers` shows, as JSON */
    const char *numbers;
    const char *title;
    int changes; /* calls of what changes something */

    struct reply *reply;
    enum err_id error;
    bool replied;
};

void ask_rig_open(struct ask_rig *rig);
void ask_rig_close(struct ask_rig *rig);
/* Forgets all answers, and lets a minute pass: the person may ask again. */
void ask_rig_again(struct ask_rig *rig);
/* cmocka set-up and tear-down: *state is the rig. */
int ask_rig_set_up(void **state);
int ask_rig_tear_down(void **state);

void ask_rig_says(struct ask_rig *rig, const char *text);
/* Several at once: call it again with more = true. */
void ask_rig_uses(struct ask_rig *rig, const char *tool, const char *input);
void ask_rig_also_uses(struct ask_rig *rig, const char *tool, const char *input);
void ask_rig_fails(struct ask_rig *rig, enum err_id error);
/* Waits for the reply; false: there is none within a time that is enough for all. */
bool ask_rig_ask(struct ask_rig *rig, const char *question);
/* Any command line as rig->who. */
bool ask_rig_send(struct ask_rig *rig, const char *line);
/* The reply as JSON and as a person reads it; its data.answer. */
void ask_rig_text(const struct ask_rig *rig, struct buf *out);
struct json_object *ask_rig_data(const struct ask_rig *rig);
