#include "memory.h"

#include "assistant_internal.h"
#include "base/auto.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "command/tool.h"
#include "config/config.h"
#include "io/json.h"
#include "io/json_out.h"
#include "session.h"
#include "store/session_table.h"

#include <stdlib.h>
#include <string.h>

#define CONTEXT_MAX  ((size_t)96 * 1024)  /* bytes said and read; then it is summarised */
#define LOAD_MAX     ((size_t)384 * 1024) /* bytes that are looked at */
#define TURNS_KEPT   2                    /* the last questions are never part of a summary */
#define RESULT_SHOWN ((size_t)1500)       /* bytes of a result in what is summarised */
#define SAID_MAX     ((size_t)64 * 1024)
#define PERSON       "Person "

/* A question of the session. */
struct turn {
    struct question row;
    struct question_step steps[QUESTION_STEPS_MAX];
    int step_count;
    size_t bytes;
    bool with_results;
};

/* Those after the summary, oldest first, without the one that is being answered. */
struct turns {
    struct session session;
    struct session_member members[SESSION_MEMBERS_MAX];
    int member_count;
    struct turn *turns;
    int count;
    bool left_out; /* older ones are not there */
    size_t bytes;  /* of all that were looked at */
};

void memory_init(struct ask *q)
{
    buf_init(&q->said, SAID_MAX);
    buf_init(&q->said_all, SAID_MAX);
}

static void forget(struct ask *q)
{
    for (int i = 0; i < q->memory_count; i++) {
        (void)json_object_put(q->memory[i].document);
    }
    free(q->memory);
    q->memory = NULL;
    q->memory_count = 0;
}

void memory_release(struct ask *q)
{
    forget(q);
    buf_release(&q->said);
    buf_release(&q->said_all);
}

/* ------------------------------------------------------------------ loading */

static void turns_release(struct turns *t)
{
    for (int i = 0; i < t->count; i++) {
        for (int k = 0; k < t->turns[i].step_count; k++) {
            question_step_release(&t->turns[i].steps[k]);
        }
        question_release(&t->turns[i].row);
    }
    free(t->turns);
    session_release(&t->session);
}
#define AUTO_TURNS AUTO(turns_release)

static int load_turn(struct ops_store *store, int64_t id, struct turn *turn, struct err *err)
{
    int rc = question_table_get(store, id, &turn->row, err);
    rc = rc < 0 ? rc : question_table_steps(store, id, turn->steps, QUESTION_STEPS_MAX, err);
    turn->step_count = rc < 0 ? 0 : rc;
    if (rc < 0) {
        return rc;
    }
    turn->bytes = strlen(turn->row.question) + strlen(turn->row.answer);
    for (int i = 0; i < turn->step_count; i++) {
        turn->bytes += strlen(turn->steps[i].line) + strlen(turn->steps[i].result);
    }
    return 0;
}

/* The newest ones are loaded first, until there is enough. */
static int load(const struct ask *q, struct turns *t, struct err *err)
{
    struct ops_store *store = q->assistant->o.store;
    int64_t ids[SESSION_QUESTIONS_MAX];
    int rc = session_table_get(store, q->session_id, &t->session, err);
    rc = rc < 0 ? rc : session_table_members(store, q->session_id, t->members, err);
    t->member_count = rc < 0 ? 0 : rc;
    rc = rc < 0 ? rc
                : question_table_of_session(store, q->session_id, t->session.summary_to, ids,
                                            COUNT_OF(ids), err);
    int count = rc < 0 ? 0 : rc;
    while (count > 0 && ids[count - 1] >= q->id) {
        count--;
    }
    t->turns = calloc((size_t)count + 1, sizeof(*t->turns));
    NEED_MEMORY(t->turns != NULL);
    int first = count;
    while (rc >= 0 && first > 0 && t->bytes < LOAD_MAX) {
        first--;
        rc = load_turn(store, ids[first], &t->turns[first], err);
        t->bytes += t->turns[first].bytes;
    }
    memmove(t->turns, t->turns + first, (size_t)(count - first) * sizeof(*t->turns));
    t->count = count - first;
    t->left_out = first > 0;
    return rc < 0 ? rc : 0;
}

/* ------------------------------------------------------------------ who */

static int member_of(const struct turns *t, const char *channel, int64_t user_id, const char *user)
{
    for (int i = 0; i < t->member_count; i++) {
        const struct session_member *m = &t->members[i];
        if (m->user_id == user_id && strcmp(m->user, user) == 0 &&
            strcmp(m->channel, channel) == 0) {
            return i;
        }
    }
    return -1;
}

static void add_person(struct buf *out, const struct turns *t, int member)
{
    if (member < 0) {
        buf_add_c(out, "A person");
    } else {
        buf_addf(out, PERSON "%c (%s)", 'A' + member, t->members[member].role);
    }
}

void memory_add_speaker(const struct ask *q, struct buf *out)
{
    struct turns t = {0};
    struct err err = {0};
    int rc = session_table_members(q->assistant->o.store, q->session_id, t.members, &err);
    t.member_count = rc < 0 ? 0 : rc;
    add_person(out, &t, member_of(&t, channel_name(q->who.channel), q->who.id, q->who.name));
}

void memory_add_named(const struct session_member *members, int count, struct str text,
                      struct buf *out)
{
    for (size_t at = 0; at < text.len;) {
        struct str rest = str_n(text.ptr + at, text.len - at);
        int member = str_starts(rest, PERSON) && rest.len > strlen(PERSON)
                         ? rest.ptr[strlen(PERSON)] - 'A'
                         : -1;
        bool ends = rest.len <= strlen(PERSON) + 1 || (rest.ptr[strlen(PERSON) + 1] | 0x20) < 'a' ||
                    (rest.ptr[strlen(PERSON) + 1] | 0x20) > 'z';
        if (member >= 0 && member < count && ends) {
            buf_add_c(out, members[member].user);
            at += strlen(PERSON) + 1;
        } else {
            buf_add_char(out, text.ptr[at++]);
        }
    }
}

void memory_name_people(const struct ask *q, struct str text, struct buf *out)
{
    struct session_member members[SESSION_MEMBERS_MAX];
    struct err err = {0};
    int rc = q->session_id == 0
                 ? 0
                 : session_table_members(q->assistant->o.store, q->session_id, members, &err);
    memory_add_named(members, rc < 0 ? 0 : rc, text, out);
}

/* ------------------------------------------------------------------ messages */

/* "/logs demo lines=new" is of the command logs. */
static bool may_read(const struct ask *q, const char *line)
{
    struct str rest = str_c(line[0] == '/' ? line + 1 : line), word = {0};
    char name[MANIFEST_NAME_SIZE];
    return str_word(&rest, &word) && str_copy(word, name, sizeof(name)) &&
           tool_find(q->assistant->manifests, &q->who, name) != NULL;
}

static void remember(struct ask *q, const struct turn *turn, const struct question_step *step,
                     struct buf *out)
{
    AUTO_JSON struct json_object *document = NULL;
    if (!may_read(q, step->line)) {
        buf_addf(out, "\n%s: not shown, since this person may not run it\n", step->line);
        return;
    }
    if (!turn->with_results ||
        json_parse(str_c(step->result), &JSON_LIMITS_DEFAULT, &document, NULL) < 0) {
        buf_addf(out, "\n%s: not kept; call it again if you need it\n", step->line);
        return;
    }
    buf_addf(out, "\n%s:\n", step->line);
    llm_add_untrusted(document, out);
    q->memory = reallocarray(q->memory, (size_t)q->memory_count + 1, sizeof(*q->memory));
    NEED_MEMORY(q->memory != NULL);
    struct remembered *kept = &q->memory[q->memory_count++];
    AUTO_BUF struct buf label = BUF_INIT(sizeof(kept->label) - 1);
    buf_addf(&label, "%s (q%lld)", step->line, (long long)turn->row.id);
    str_cut(buf_str(&label), kept->label, sizeof(kept->label));
    kept->document = TAKE(document);
}

/* What people have run, and who has joined, from one message to the next. */
static void add_events(const struct ask *q, const struct turns *t, int64_t from_us, int64_t to_us,
                       struct buf *out)
{
    struct session_event *events = calloc(SESSION_EVENTS_MAX, sizeof(*events));
    NEED_MEMORY(events != NULL);
    struct err err = {0};
    int count = session_table_events(q->assistant->o.store, q->session_id, from_us, events,
                                     SESSION_EVENTS_MAX, &err);
    for (int i = 0; i < count; i++) {
        const struct session_event *event = &events[i];
        int member = -1;
        for (int k = t->member_count; k-- > 0;) {
            member = strcmp(t->members[k].user, event->user) == 0 ? k : member;
        }
        if (event->at_us >= to_us || event->kind != SESSION_RAN) {
            continue;
        }
        add_person(out, t, member);
        buf_addf(out, " ran %s\n", event->text);
    }
    free(events);
}

/* {"summary": "…"}: written by a model from data of others, so it is data, too. */
static void add_summary(const struct turns *t, struct buf *out)
{
    AUTO_JSON struct json_object *root = json_object_new_object();
    struct json_out text = JSON_OUT_TREE(root);
    json_out_text(&text, "summary", t->session.summary);
    buf_add_c(out, "What was said before, in short. Its figures are not proven: look them up again "
                   "before you state one.\n");
    llm_add_untrusted(root, out);
    buf_add_char(out, '\n');
}

static void add_turn(struct ask *q, const struct turns *t, const struct turn *turn, struct buf *out)
{
    clock_add_iso(out, turn->row.asked_us, false);
    buf_add_c(out, ". ");
    add_person(out, t, member_of(t, turn->row.channel, turn->row.user_id, turn->row.user));
    buf_addf(out, " says:\n%s\n", turn->row.question);
    for (int i = 0; i < turn->step_count; i++) {
        if (i == 0) {
            buf_add_c(out, "\nRead for it:");
        }
        remember(q, turn, &turn->steps[i], out);
    }
    talk_add_text(talk_add_message(q, "user"), buf_str(out));
    buf_clear(out);
    if (turn->row.answer[0] != '\0' && turn->row.state != QUESTION_WITHHELD) {
        buf_add_c(out, turn->row.answer);
    } else {
        buf_addf(out, "(no answer: %s)",
                 turn->row.error_code[0] != '\0' ? turn->row.error_code
                                                 : question_state_name(turn->row.state));
    }
    struct question_proposal proposals[PROPOSALS_MAX] = {0};
    struct err err = {0};
    int count = question_table_proposals(q->assistant->o.store, turn->row.id, proposals,
                                         PROPOSALS_MAX, &err);
    for (int i = 0; i < count; i++) {
        buf_addf(out, "\n(button: %s)", proposals[i].line);
    }
    talk_add_text(talk_add_message(q, "assistant"), buf_str(out));
    buf_clear(out);
}

/* The newest results are kept; what was said is kept whole, as far as it was loaded. */
static void choose_results(struct turns *t)
{
    size_t bytes = 0;
    for (int i = t->count; i-- > 0;) {
        bytes += t->turns[i].bytes;
        t->turns[i].with_results = bytes <= CONTEXT_MAX;
    }
}

/* All that people said, for proposals; the newest first, until there is no more room. */
static void hear_all(struct ask *q)
{
    struct ops_store *store = q->assistant->o.store;
    int64_t ids[SESSION_QUESTIONS_MAX];
    struct err err = {0};
    int count = question_table_of_session(store, q->session_id, 0, ids, COUNT_OF(ids), &err);
    buf_clear(&q->said_all);
    for (int i = count; i-- > 0;) {
        AUTO_QUESTION struct question row = {0};
        if (ids[i] < q->id && question_table_get(store, ids[i], &row, &err) == 0) {
            buf_addf(&q->said_all, "%s\n", row.question);
        }
    }
}

void memory_add(struct ask *q, struct buf *out)
{
    AUTO_TURNS struct turns t = {0};
    AUTO_BUF struct buf text = BUF_INIT(2 * LOAD_MAX);
    struct err err = {0};
    forget(q);
    buf_clear(&q->said);
    if (load(q, &t, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "assistant: could not read what was said in a session");
        buf_add_c(out, "What was said before cannot be read.\n");
        return;
    }
    hear_all(q);
    choose_results(&t);
    if (t.session.summary[0] != '\0') {
        add_summary(&t, &text);
    } else if (t.left_out) {
        buf_add_c(&text, "The beginning of what was said is left out.\n");
    }
    int64_t from_us = 0;
    for (int i = 0; i < t.count; i++) {
        add_events(q, &t, from_us, t.turns[i].row.asked_us, &text);
        from_us = t.turns[i].row.asked_us;
        add_turn(q, &t, &t.turns[i], &text);
        buf_addf(&q->said, "%s\n", t.turns[i].row.question);
    }
    add_events(q, &t, from_us, INT64_MAX, &text);
    buf_add_str(out, buf_str(&text));
}

/* ------------------------------------------------------------------ the summary */

bool memory_is_long(struct ask *q)
{
    AUTO_TURNS struct turns t = {0};
    struct err err = {0};
    return !q->summarised && load(q, &t, &err) == 0 && t.count > TURNS_KEPT &&
           t.bytes > CONTEXT_MAX;
}

static void on_summary(const struct llm_answer *answer, void *userdata)
{
    struct ask *q = userdata;
    struct err err = answer->err;
    q->request = NULL;
    q->tokens += answer->input_tokens + answer->output_tokens;
    q->cost = dec_add(q->cost, answer->cost_usd);
    (void)str_copy(str_c(answer->model), q->model, sizeof(q->model));
    if (err.id == ERR_NONE) {
        AUTO_BUF struct buf text = BUF_INIT((size_t)64 * 1024);
        buf_add_str(&text, str_trim(str_c(answer->text)));
        log_redact(text.data);
        text.len = strlen(text.data);
        str_make_safe(text.data);
        (void)session_table_set_summary(q->assistant->o.store, q->session_id, text.data,
                                        q->summary_to, &err);
    }
    if (err.id != ERR_NONE) { /* the oldest is left out in its place */
        log_err(LOG_LEVEL_NOTICE, &err, "assistant: could not summarise a session");
    }
    session_talk(q);
}

/* With results cut short: the summary says what they were about. */
static void add_short(const struct ask *q, const struct turns *t, const struct turn *turn,
                      struct buf *out)
{
    add_person(out, t, member_of(t, turn->row.channel, turn->row.user_id, turn->row.user));
    buf_addf(out, " said: %s\n", turn->row.question);
    for (int i = 0; i < turn->step_count; i++) {
        char shown[RESULT_SHOWN + 1];
        str_cut(str_c(turn->steps[i].result), shown, sizeof(shown));
        AUTO_JSON struct json_object *root = json_object_new_object();
        struct json_out result = JSON_OUT_TREE(root);
        json_out_text(&result, "result", may_read(q, turn->steps[i].line) ? shown : "left out");
        buf_addf(out, "%s: ", turn->steps[i].line);
        llm_add_untrusted(root, out);
        buf_add_char(out, '\n');
    }
    buf_addf(out, "Answer: %s\n\n", turn->row.answer);
}

static int load_prompt(struct assistant *assistant, struct err *err)
{
    return assistant->summary_prompt != NULL
               ? 0
               : llm_prompt_load("summary", &assistant->summary_prompt, err);
}

bool memory_summarise(struct ask *q)
{
    AUTO_TURNS struct turns t = {0};
    AUTO_BUF struct buf user = BUF_INIT(2 * LOAD_MAX);
    struct err err = {0};
    const char *own = q->assistant->o.config->assistant_model;
    q->summarised = true;
    if (load(q, &t, &err) < 0 || load_prompt(q->assistant, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "assistant: could not summarise a session");
        return false;
    }
    if (t.session.summary[0] != '\0') {
        add_summary(&t, &user);
    }
    for (int i = 0; i < t.count - TURNS_KEPT; i++) {
        add_short(q, &t, &t.turns[i], &user);
        q->summary_to = t.turns[i].row.id;
    }
    const struct llm_prompt *prompt = q->assistant->summary_prompt;
    const struct llm_request request = {
        .system = prompt->text, .user = user.data, .model = own[0] != '\0' ? own : prompt->model};
    action_stream(q->call, str_c("⏳ summing up what was said"));
    return q->client.ask(q->client.self, &request, on_summary, q, &q->request, &err) == 0;
}
