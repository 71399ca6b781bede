#include "session.h"

#include "assistant/grammar.h"
#include "assistant_internal.h"
#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "command/runner.h"
#include "command/tool.h"
#include "config/config.h"
#include "gather.h"
#include "handover.h"
#include "io/json_out.h"
#include "io/loop.h"
#include "memory.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define GATHER_US     (20 * USEC_PER_SEC) /* what code can tell is read in this time */
#define TITLE_SHOWN   100
#define IDLE_LOOKED   16
#define IDLE_LEAST_US USEC_PER_SEC
#define IDLE_AGAIN_US USEC_PER_MIN
#define IDLE_MOST_US  USEC_PER_HOUR /* wall time may jump */

/* ------------------------------------------------------------------ people */

struct session_member session_member_of(const struct action_call *call)
{
    const struct principal *who = action_who(call);
    struct session_member m = {
        .user_id = who->id, .chat_id = action_chat_id(call), .thread_id = action_thread_id(call)};
    (void)str_copy(str_c(channel_name(who->channel)), m.channel, sizeof(m.channel));
    (void)str_copy(str_c(who->name), m.user, sizeof(m.user));
    (void)str_copy(str_c(role_name(who->role)), m.role, sizeof(m.role));
    return m;
}

bool session_member_who(const struct assistant *assistant, const struct session_member *member,
                        struct principal *ret)
{
    enum channel channel;
    return channel_parse(str_c(member->channel), &channel) &&
           access_identify(assistant->o.access, channel, member->user_id, ret) == 0 &&
           strcmp(ret->name, member->user) == 0;
}

bool session_may_run(const struct assistant *assistant, const struct principal *who,
                     struct str command)
{
    char name[MANIFEST_NAME_SIZE];
    return str_copy(command, name, sizeof(name)) &&
           tool_find(assistant->manifests, who, name) != NULL;
}

static bool is_person(const struct session_member *m, const struct principal *who)
{
    return m->user_id == who->id && strcmp(m->user, who->name) == 0 &&
           strcmp(m->channel, channel_name(who->channel)) == 0;
}

int session_standing(struct assistant *assistant, const struct session *session,
                     const struct principal *who, struct err *err)
{
    struct session_member members[SESSION_MEMBERS_MAX];
    int count = session_table_members(assistant->o.store, session->id, members, err);
    for (int i = 0; i < count; i++) {
        if (is_person(&members[i], who)) {
            return 1;
        }
    }
    struct str rest = str_c(session->commands), command;
    while (count >= 0 && str_word(&rest, &command)) {
        if (!session_may_run(assistant, who, command)) {
            return err_set(err, ERR_SESSION_DENIED, "session %lld: /%.*s", (long long)session->id,
                           STR_ARG(command));
        }
    }
    return count < 0 ? count : 0;
}

/* A private chat, or a terminal: what is written there has to belong to one session. */
static bool is_private(const struct session_member *m)
{
    return m->chat_id >= 0;
}

static void note(struct assistant *assistant, int64_t id, enum session_event_kind kind,
                 const char *user)
{
    struct session_event event = {.at_us = clock_wall_us(assistant->o.clock), .kind = kind};
    struct err err = {0};
    (void)str_copy(str_c(user), event.user, sizeof(event.user));
    if (session_table_add_event(assistant->o.store, id, &event, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "assistant: could not note an event of a session");
    }
}

int session_join(struct assistant *assistant, const struct session *session,
                 const struct session_member *member, struct err *err)
{
    int64_t other = 0;
    bool is_new = false;
    int rc = session_table_of_chat(assistant->o.store, member, &other, err);
    if (rc < 0) {
        return rc;
    }
    if (other != 0 && other != session->id && is_private(member)) {
        return err_set(err, ERR_SESSION_ELSEWHERE, "session %lld", (long long)other);
    }
    rc = session_table_join(assistant->o.store, session->id, member, &is_new, err);
    if (rc < 0 || !is_new) {
        return rc;
    }
    AUTO_REPLY struct reply *r = reply_new();
    note(assistant, session->id, SESSION_JOINED, member->user);
    reply_line(r, "%s (%s) is in session %lld now, and sees what is said in it.", member->user,
               member->role, (long long)session->id);
    session_post(assistant, session->id, member, r);
    return 0;
}

/* ------------------------------------------------------------------ one question */

bool session_is_busy(const struct assistant *assistant, int64_t session_id)
{
    for (const struct ask *q = assistant->asks; q != NULL; q = q->next) {
        if (q->session_id == session_id && q->begun) {
            return true;
        }
    }
    return false;
}

void session_next(const struct ask *q)
{
    struct ask *next = NULL;
    for (struct ask *other = q->assistant->asks; other != NULL; other = other->next) {
        if (q->session_id != 0 && other->session_id == q->session_id && other->waits) {
            next = other; /* the oldest is the last of the list */
        }
    }
    if (next != NULL) {
        next->waits = false;
        loop_defer(next->deferred);
    }
}

static int open_session(struct ask *q, const struct session_member *member, struct err *err)
{
    struct assistant *assistant = q->assistant;
    char title[TITLE_SHOWN + 1];
    int64_t now_us = clock_wall_us(assistant->o.clock);
    if (now_us - action_begun_us(q->call) > ASK_AGAIN_US) {
        return err_set(err, ERR_ASK_LOST, "asked %lld min ago",
                       (long long)((now_us - action_begun_us(q->call)) / USEC_PER_MIN));
    }
    str_cut(str_c(q->text), title, sizeof(title));
    int rc = session_table_open(assistant->o.store, title, member, now_us, &q->session_id, err);
    if (rc == 0) {
        note(assistant, q->session_id, SESSION_OPENED, member->user);
    }
    return rc;
}

static struct dec smaller(struct dec a, struct dec b)
{
    return a.e8 < b.e8 ? a : b;
}

/* What is left of the limits of the session is the limit of the question. */
static int check_limits(struct ask *q, const struct session *s, struct err *err)
{
    const struct config *config = q->assistant->o.config;
    struct session_sums sums;
    int rc = session_table_sums(q->assistant->o.store, s->id, &sums, err);
    if (rc < 0) {
        return rc;
    }
    int64_t age_us = clock_wall_us(q->assistant->o.clock) - s->opened_us;
    int64_t calls = config->assistant_session_max_calls - sums.calls;
    struct dec cost = dec_sub(config->assistant_session_max_cost, sums.cost_usd);
    const char *what = sums.questions >= SESSION_QUESTIONS_MAX          ? "questions"
                       : age_us > config->assistant_session_max_time_us ? "time"
                       : calls <= 0                                     ? "calls"
                       : cost.e8 <= 0                                   ? "cost"
                                                                        : NULL;
    if (what != NULL) {
        return err_set(err, ERR_SESSION_SPENT, "%s of session %lld", what, (long long)s->id);
    }
    q->calls_max = calls < q->calls_max ? (int)calls : q->calls_max;
    q->cost_max = smaller(q->cost_max, cost);
    return 0;
}

int session_enter(struct ask *q, struct err *err)
{
    struct assistant *assistant = q->assistant;
    const struct session_member member = session_member_of(q->call);
    AUTO_SESSION struct session s = {0};
    int rc = q->session_id != 0
                 ? 0
                 : session_table_of_chat(assistant->o.store, &member, &q->session_id, err);
    if (rc < 0) {
        return rc;
    }
    if (q->session_id == 0) {
        /* Without a model there is nothing that would remember. */
        return assistant->has_client ? open_session(q, &member, err) : 0;
    }
    rc = session_table_get(assistant->o.store, q->session_id, &s, err);
    if (rc < 0) {
        (void)err_set(err, rc == -ERR_STORE_NOT_FOUND ? ERR_SESSION_UNKNOWN : err->id,
                      "session %lld", (long long)q->session_id);
        q->session_id = 0;
        return -(int)err->id;
    }
    if (!s.open) {
        q->session_id = 0;
        return err_set(err, ERR_SESSION_CLOSED, "session %lld", (long long)s.id);
    }
    if ((rc = session_standing(assistant, &s, &q->who, err)) < 0 ||
        (rc = session_join(assistant, &s, &member, err)) < 0 ||
        (rc = check_limits(q, &s, err)) < 0 ||
        (rc = session_table_touch(assistant->o.store, s.id, clock_wall_us(assistant->o.clock),
                                  err)) < 0) {
        q->session_id = 0;
        return rc;
    }
    q->waits = session_is_busy(assistant, s.id);
    return 0;
}

void session_talk(struct ask *q)
{
    if (memory_is_long(q) && memory_summarise(q)) {
        return;
    }
    talk_begin(q);
}

void session_begin(struct ask *q)
{
    struct err err = {0};
    session_schedule(q->assistant);
    if (q->assistant->has_client) {
        q->client = q->assistant->client;
        session_talk(q);
        return;
    }
    (void)err_set(&err, ERR_CLAUDE_KEY, "no key is configured (claude.api_key)");
    session_without_model(q, &err);
}

/* ------------------------------------------------------------------ without a model */

static bool says_word(const char *text, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = strcasestr(text, word); at != NULL; at = strcasestr(at + 1, word)) {
        bool begins = at == text || !isalnum((unsigned char)at[-1]);
        if (begins && !isalnum((unsigned char)at[len])) {
            return true;
        }
    }
    return false;
}

/* "alert 12", and the first service whose name is said. */
static void find_subject(struct ask *q)
{
    const struct config *config = q->assistant->o.config;
    const char *at = strcasestr(q->text, "alert ");
    if (at != NULL) {
        size_t digits = strspn(at + strlen("alert "), "0123456789");
        int64_t id = 0;
        (void)str_to_i64(str_n(at + strlen("alert "), digits), &id);
        q->alert_id = id > 0 ? id : 0;
    }
    for (int i = 0; i < config->service_count && q->service[0] == '\0'; i++) {
        if (says_word(q->text, config->services[i].name)) {
            (void)str_copy(str_c(config->services[i].name), q->service, sizeof(q->service));
        }
    }
}

void session_without_model(struct ask *q, const struct err *why)
{
    struct grammar_reading *unknown = NULL;
    q->outage = *why;
    loop_timer_in(q->deadline, GATHER_US);
    if (why->id == ERR_ASK_LATE) { /* there was time enough */
        session_finish_by_code(q);
        return;
    }
    if (q->reading_count == 0 && plain_begin(q, &unknown)) {
        return;
    }
    grammar_reading_free(unknown);
    find_subject(q);
    session_gather_on(q);
}

void session_gather_on(struct ask *q)
{
    if (!gather_next(q)) {
        session_finish_by_code(q);
    }
}

void session_add_outage(const struct ask *q, struct reply *r)
{
    if (q->outage.id == ERR_NONE) {
        return;
    }
    const struct err_info *info = err_info(q->outage.id);
    if (!q->assistant->has_client) {
        reply_line(r, "No model is configured (claude.api_key), so there is no conversation: this "
                      "is what code can tell.");
    } else {
        reply_para(r, "The model does not answer: {} ({}). {}", cell_text(info->message),
                   cell_code(info->code), cell_text(info->remediation));
    }
    if (q->session_id != 0) {
        reply_para(r,
                   "Session {} stays open with all that was said. Write on: it goes on once the "
                   "model answers again.",
                   cell_count(q->session_id));
    }
}

/* The list of alerts and that of services, as their commands show them. */
static void add_data(const struct ask *q, struct reply *r)
{
    static const char *const lines[] = {"/alerts", "/services"};
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        for (int k = 0; k < q->reading_count; k++) {
            if (strcmp(q->readings[k].line, lines[i]) == 0 && q->readings[k].reply != NULL) {
                reply_heading(r, lines[i]);
                reply_append(r, q->readings[k].reply);
                break;
            }
        }
    }
}

void session_finish_by_code(struct ask *q)
{
    struct reply *r = action_reply(q->call);
    struct action_call *call = q->call;
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    AUTO_BUF struct buf answer = BUF_INIT(QUESTION_ANSWER_MAX);
    AUTO_BUF struct buf why = BUF_INIT(64);
    bool failed = q->assistant->has_client;
    const char *code = failed ? err_info(q->outage.id)->code : "";
    struct question end = {.state = failed ? QUESTION_FAILED : QUESTION_ANSWERED, .source = "code"};
    (void)str_copy(str_c(code), end.error_code, sizeof(end.error_code));
    gather_causes(q);
    reply_title(r, TONE_WARN, "Without the model");
    session_add_outage(q, r);
    reply_heading(r, "Possible causes");
    reply_line(r, "By the order of what is known, not proven:");
    json_out_object(&data, "gathered");
    json_out_i64(&data, "question_id", q->id);
    json_out_i64(&data, "session_id", q->session_id);
    json_out_text(&data, "source", end.source);
    json_out_text(&data, "error_code", code);
    gather_show(q, r, &data, &answer);
    json_out_text(&data, "runbook", q->runbook_count > 0 ? q->runbooks[0] : "");
    json_out_end(&data);
    add_data(q, r);
    gather_add_sources(r, q);
    reply_line(r, "Nothing was changed.");
    if (q->runbook_count > 0 && q->proposal_count < PROPOSALS_MAX) {
        reply_button(r, q->runbooks[0], q->runbooks[0], BUTTON_PRIMARY);
        (void)str_copy(str_c(q->runbooks[0]), q->proposals[q->proposal_count++], PROPOSAL_SIZE);
    }
    buf_addf(&why, "/why q%lld", (long long)q->id);
    reply_button(r, "How it was found", why.data, BUTTON_PLAIN);
    session_add_buttons(r, q->session_id);
    if (answer.len == 0) {
        buf_add_c(&answer, "Nothing that was read points to a cause.");
    }
    end.answer = answer.data;
    ask_store(q, &end);
    session_tell_others(q, r);
    ask_free(q);
    action_finish(call, NULL);
}

/* ------------------------------------------------------------------ its end, and the others */

static bool has_word(const char *words, struct str word)
{
    struct str rest = str_c(words), one;
    while (str_word(&rest, &one)) {
        if (str_equal(one, word)) {
            return true;
        }
    }
    return false;
}

static int store_commands(struct ask *q, struct err *err)
{
    struct ops_store *store = q->assistant->o.store;
    AUTO_SESSION struct session s = {0};
    int rc = session_table_get(store, q->session_id, &s, err);
    AUTO_BUF struct buf commands = BUF_INIT(sizeof(s.commands) - 1);
    buf_add_c(&commands, s.commands);
    for (int i = 0; rc == 0 && i < q->reading_count; i++) {
        struct str rest = str_c(q->readings[i].line + 1), name = {0};
        if (str_word(&rest, &name) && !has_word(commands.data, name)) {
            buf_addf(&commands, "%s%.*s", commands.len > 0 ? " " : "", STR_ARG(name));
        }
    }
    return rc < 0 ? rc : session_table_set_commands(store, q->session_id, commands.data, err);
}

void session_store(struct ask *q)
{
    struct assistant *assistant = q->assistant;
    struct err err = {0};
    if (store_commands(q, &err) < 0 ||
        session_table_touch(assistant->o.store, q->session_id, clock_wall_us(assistant->o.clock),
                            &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "assistant: could not store a session");
    }
    session_schedule(assistant);
}

void session_add_buttons(struct reply *r, int64_t session_id)
{
    if (session_id == 0) {
        return;
    }
    AUTO_BUF struct buf line = BUF_INIT(64);
    buf_addf(&line, "/troubleshoot end %lld", (long long)session_id);
    reply_button_row(r);
    reply_button(r, "End the session", line.data, BUTTON_PLAIN);
}

static bool is_chat(const struct session_member *a, const struct session_member *b)
{
    return a->chat_id == b->chat_id && strcmp(a->channel, b->channel) == 0;
}

void session_post(struct assistant *assistant, int64_t session_id,
                  const struct session_member *except, const struct reply *message)
{
    struct session_member members[SESSION_MEMBERS_MAX], told[SESSION_MEMBERS_MAX];
    struct err err = {0};
    int count = session_table_members(assistant->o.store, session_id, members, &err), done = 0;
    for (int i = 0; i < count; i++) {
        const struct session_member *m = &members[i];
        struct principal who;
        bool skip =
            (except != NULL && is_chat(m, except)) || !session_member_who(assistant, m, &who);
        for (int k = 0; k < done; k++) {
            skip = skip || is_chat(m, &told[k]);
        }
        if (skip) {
            continue;
        }
        AUTO_REPLY struct reply *copy = reply_copy(message);
        const struct runner_place place = {
            .channel = who.channel, .chat_id = m->chat_id, .thread_id = m->thread_id};
        told[done++] = *m;
        if (runner_post(assistant->runner, &place, copy, &err) < 0) {
            log_err(LOG_LEVEL_WARNING, &err, "assistant: could not tell a chat of a session");
            err_clear(&err);
        }
    }
    if (count < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "assistant: could not read who is in a session");
    }
}

void session_tell_others(const struct ask *q, const struct reply *answer)
{
    if (q->session_id == 0) {
        return;
    }
    AUTO_REPLY struct reply *r = reply_new();
    const struct session_member own = session_member_of(q->call);
    reply_title(r, TONE_PLAIN, "Session %lld: %s", (long long)q->session_id, q->who.name);
    reply_quote(r, str_c(q->text));
    reply_append(r, answer);
    reply_protect(r);
    session_post(q->assistant, q->session_id, &own, r);
}

/* ------------------------------------------------------------------ idle */

static void arm(struct assistant *assistant, int64_t least_us);

static void on_idle(void *userdata)
{
    struct assistant *assistant = userdata;
    int64_t ids[IDLE_LOOKED];
    struct err err = {0};
    int64_t until_us =
        clock_wall_us(assistant->o.clock) - assistant->o.config->assistant_session_idle_us;
    int count = session_table_idle(assistant->o.store, until_us, ids, COUNT_OF(ids), &err);
    for (int i = 0; i < count; i++) {
        if (!session_is_busy(assistant, ids[i])) {
            handover_idle(assistant, ids[i]);
        }
    }
    arm(assistant, IDLE_AGAIN_US); /* for one that cannot be closed now */
}

static void arm(struct assistant *assistant, int64_t least_us)
{
    int64_t active_us = 0;
    struct err err = {0};
    if (session_table_idlest(assistant->o.store, &active_us, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "assistant: could not look for idle sessions");
        active_us = clock_wall_us(assistant->o.clock);
    }
    if (active_us == 0) {
        loop_source_free(assistant->idle);
        assistant->idle = NULL;
        return;
    }
    if (assistant->idle == NULL) {
        assistant->idle = loop_add_timer(assistant->o.loop, on_idle, assistant);
        loop_source_name(assistant->idle, "idle sessions");
    }
    int64_t left_us = active_us + assistant->o.config->assistant_session_idle_us -
                      clock_wall_us(assistant->o.clock);
    left_us = left_us < least_us ? least_us : left_us;
    loop_timer_in(assistant->idle, left_us < IDLE_MOST_US ? left_us : IDLE_MOST_US);
}

void session_schedule(struct assistant *assistant)
{
    if (assistant->runner != NULL && !assistant->closing) {
        arm(assistant, IDLE_LEAST_US);
    }
}
