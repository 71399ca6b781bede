#include "troubleshoot.h"

#include "assistant_internal.h"
#include "base/auto.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "command/runner.h"
#include "handover.h"
#include "io/json_out.h"
#include "session.h"

#include <stdlib.h>

#define COMMAND    "troubleshoot"
#define LISTED_MAX 20

/* ------------------------------------------------------------------ words */

/* "3" or "#3", and nothing else. */
static bool read_number(struct str text, int64_t *ret)
{
    text = str_trim(text);
    if (text.len > 1 && text.ptr[0] == '#') {
        text = str_n(text.ptr + 1, text.len - 1);
    }
    return str_to_i64(text, ret) && *ret > 0;
}

struct troubleshoot_words troubleshoot_read(struct str what)
{
    static const struct {
        const char *word;
        enum troubleshoot_verb verb;
        bool alone; /* it needs no number */
    } verbs[] = {{"list", TROUBLESHOOT_LIST, true},
                 {"end", TROUBLESHOOT_END, true},
                 {"join", TROUBLESHOOT_JOIN, false},
                 {"open", TROUBLESHOOT_OPEN, false}};
    struct str text = str_trim(what), rest = text, word = {0};
    struct troubleshoot_words said = {.verb = TROUBLESHOOT_SAY, .text = text};
    int64_t number = 0;
    if (read_number(text, &number)) {
        return (struct troubleshoot_words){.verb = TROUBLESHOOT_SHOW, .session_id = number};
    }
    (void)str_word(&rest, &word);
    rest = str_trim(rest);
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        bool numbered = read_number(rest, &number);
        if (str_equal_nocase(word, verbs[i].word) &&
            (numbered || (verbs[i].alone && rest.len == 0))) {
            return (struct troubleshoot_words){.verb = verbs[i].verb,
                                               .session_id = numbered ? number : 0};
        }
    }
    if (word.len > 1 && word.ptr[0] == '#' && read_number(word, &number) && rest.len > 0) {
        said.session_id = number;
        said.text = rest;
    }
    return said;
}

/* ------------------------------------------------------------------ the list */

static void write_session(struct json_out *data, const struct session *s, const char *by)
{
    json_out_object(data, NULL);
    json_out_i64(data, "id", s->id);
    json_out_text(data, "state", s->open ? "open" : "closed");
    json_out_text(data, "title", s->title);
    json_out_text(data, "opened_by", by);
    json_out_time(data, "opened", s->opened_us);
    json_out_end(data);
}

static void add_usage(struct reply *r)
{
    reply_para(r, "{} begins one; {}, {}, {} and {} are for those that there are.",
               cell_code("/troubleshoot what is wrong"), cell_code("/troubleshoot 3"),
               cell_code("join 3"), cell_code("open 3"), cell_code("end 3"));
}

static int show_list(struct action_call *call, struct err *err)
{
    struct assistant *assistant = action_userdata(call);
    struct reply *r = action_reply(call);
    struct session *sessions = calloc(LISTED_MAX, sizeof(*sessions));
    NEED_MEMORY(sessions != NULL);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    int64_t now_us = clock_wall_us(assistant->o.clock);
    int count = session_table_list(assistant->o.store, sessions, LISTED_MAX, err);
    int shown = 0, rc = count < 0 ? count : 0;
    reply_title(r, TONE_PLAIN, "Troubleshooting sessions");
    json_out_array(&data, "sessions");
    for (int i = 0; rc >= 0 && i < count; i++) {
        const struct session *s = &sessions[i];
        struct session_member members[SESSION_MEMBERS_MAX];
        struct err denied = {0};
        if (session_standing(assistant, s, action_who(call), &denied) < 0) {
            continue;
        }
        rc = session_table_members(assistant->o.store, s->id, members, err);
        const char *by = rc > 0 ? members[0].user : "";
        reply_item(r, "{} {}, {}, {}: {}", cell_count(s->id),
                   cell_text(s->open ? "open" : "closed"), cell_text(by),
                   cell_time(s->opened_us, now_us), cell_text(s->title));
        write_session(&data, s, by);
        shown++;
    }
    json_out_end(&data);
    free(sessions);
    if (rc < 0) {
        return rc;
    }
    if (shown == 0) {
        reply_line(r, "There are none that you may see.");
    }
    add_usage(r);
    return ACTION_DONE;
}

/* ------------------------------------------------------------------ the action */

/* The session of the chat in which the command was sent. */
static int find_own(struct action_call *call, int64_t *ret_id, struct err *err)
{
    const struct assistant *assistant = action_userdata(call);
    const struct session_member member = session_member_of(call);
    return session_table_of_chat(assistant->o.store, &member, ret_id, err);
}

static int say(struct action_call *call, const struct troubleshoot_words *words, struct err *err)
{
    int64_t own = 0;
    if (words->text.len > 0) {
        return ask_begin_call(call, ASK_SESSION, words->text.ptr, 0, words->session_id, err);
    }
    int rc = find_own(call, &own, err);
    return rc < 0     ? rc
           : own != 0 ? handover_start(call, HANDOVER_SHOW, own, err)
                      : show_list(call, err);
}

int troubleshoot_run(struct action_call *call, struct err *err)
{
    const char *what = action_text(call, "what");
    struct troubleshoot_words words = troubleshoot_read(str_c(what != NULL ? what : ""));
    int rc = 0;
    switch (words.verb) {
    case TROUBLESHOOT_SAY:
        return say(call, &words, err);
    case TROUBLESHOOT_LIST:
        return show_list(call, err);
    case TROUBLESHOOT_SHOW:
        return handover_start(call, HANDOVER_SHOW, words.session_id, err);
    case TROUBLESHOOT_JOIN:
        return handover_start(call, HANDOVER_JOIN, words.session_id, err);
    case TROUBLESHOOT_OPEN:
        return handover_start(call, HANDOVER_OPEN, words.session_id, err);
    case TROUBLESHOOT_END:
        break;
    }
    rc = words.session_id != 0 ? 0 : find_own(call, &words.session_id, err);
    if (rc == 0 && words.session_id == 0) {
        return err_set(err, ERR_SESSION_UNKNOWN, "none of yours is open in this chat");
    }
    return rc < 0 ? rc : handover_start(call, HANDOVER_END, words.session_id, err);
}

void troubleshoot_cancel(struct action_call *call)
{
    if (!handover_cancel(call)) {
        ask_cancel(call);
    }
}

/* ------------------------------------------------------------------ free text */

bool assistant_converse(const struct invocation *in, const char **ret_command, struct buf *ret_text,
                        void *userdata)
{
    const struct assistant *assistant = userdata;
    struct session_member member = {.user_id = in->who->id, .chat_id = in->chat_id};
    struct err err = {0};
    int64_t id = 0;
    const char *channel = channel_name(in->who->channel);
    (void)str_copy(str_c(channel), member.channel, sizeof(member.channel));
    (void)str_copy(str_c(in->who->name), member.user, sizeof(member.user));
    int rc = in->reply_to == 0 ? 0
                               : session_table_of_message(assistant->o.store, channel, in->chat_id,
                                                          in->reply_to, &id, &err);
    if (rc == 0 && id == 0 && in->free_text == FREE_TEXT_MAYBE) { /* a private chat, a terminal */
        rc = session_table_of_chat(assistant->o.store, &member, &id, &err);
    }
    if (rc < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "assistant: could not look for a session");
    }
    if (id == 0) {
        return false;
    }
    *ret_command = COMMAND;
    buf_addf(ret_text, "#%lld ", (long long)id);
    return true;
}

void assistant_note_end(const struct runner_note *note, void *userdata)
{
    const struct assistant *assistant = userdata;
    struct session_event event = {.at_us = clock_wall_us(assistant->o.clock), .kind = SESSION_RAN};
    AUTO_BUF struct buf text = BUF_INIT(sizeof(event.text) - 1);
    struct err err = {0};
    if (note->begins) {
        return;
    }
    buf_addf(&text, "/%.150s: %s", note->line,
             note->failure == NULL ? "done" : err_info(note->failure->id)->code);
    (void)str_copy(str_c(note->who), event.user, sizeof(event.user));
    str_cut(buf_str(&text), event.text, sizeof(event.text));
    if (session_table_note(assistant->o.store, &event, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "assistant: could not note a run in a session");
    }
}
