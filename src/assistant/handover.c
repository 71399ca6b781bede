#include "handover.h"

#include "assistant_internal.h"
#include "base/auto.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "io/json_out.h"
#include "io/loop.h"
#include "io/pool.h"
#include "session.h"
#include "store/attachment.h"
#include "transcript.h"

#include <stdlib.h>
#include <string.h>

#define NAME  "troubleshoot.md"
#define MEDIA "text/markdown"
#define IDLE  "idle"

/* What a helper does. */
struct writing {
    char state_dir[4096];
    int64_t session_id;
    char hidden[512];
    char closed_by[64]; /* "": it stays as it is */
    int64_t closed_us;
    struct attachment added;
    struct err err;
};

struct handover {
    struct handover *next;
    struct assistant *assistant;
    struct action_call *call; /* NULL: nobody has said anything for long */
    enum handover_kind kind;
    int64_t session_id;
    struct loop_source *deferred; /* begins it */
    struct pool_job *job;         /* writes the transcript; NULL: none */
};

static void handover_free(struct handover *h)
{
    for (struct handover **at = &h->assistant->handovers; *at != NULL; at = &(*at)->next) {
        if (*at == h) {
            *at = h->next;
            break;
        }
    }
    pool_cancel(h->job);
    loop_source_free(h->deferred);
    free(h);
}

static void finish(struct handover *h, const struct err *err)
{
    struct action_call *call = h->call;
    handover_free(h);
    if (call != NULL) {
        action_finish(call, err);
    }
}

static void fail(struct handover *h, const struct err *err)
{
    struct assistant *assistant = h->assistant;
    struct err ignored = {0};
    if (h->call == NULL) {
        log_err(LOG_LEVEL_WARNING, err, "assistant: could not close an idle session");
    }
    if (h->call == NULL && err->id == ERR_STORE_DAMAGED) { /* without a word: it is unreadable */
        (void)session_table_close(assistant->o.store, h->session_id, IDLE,
                                  clock_wall_us(assistant->o.clock), &ignored);
    }
    finish(h, err);
}

/* ------------------------------------------------------------------ the document */

static int write_file(struct writing *w, struct err *err)
{
    AUTO_OPS_STORE struct ops_store *store = NULL;
    AUTO_BUF struct buf text = BUF_INIT(TRANSCRIPT_MAX);
    AUTO_BUF struct buf dir = BUF_INIT(sizeof(w->state_dir) + 64);
    int rc = ops_store_open(w->state_dir, OPS_STORE_READ, &store, err);
    const struct transcript_options options = {.session_id = w->session_id,
                                               .hidden = w->hidden,
                                               .closed_by =
                                                   w->closed_by[0] != '\0' ? w->closed_by : NULL,
                                               .closed_us = w->closed_us};
    rc = rc < 0 ? rc : transcript_write(store, &options, &text, err);
    attachment_dir(w->state_dir, &dir);
    return rc < 0 ? rc
                  : attachment_add(dir.data,
                                   &(struct attachment_new){
                                       .name = NAME, .media_type = MEDIA, .bytes = buf_str(&text)},
                                   &w->added, err);
}

static void work(void *data)
{
    struct writing *w = data;
    (void)write_file(w, &w->err);
}

/* Of the commands that were read, those that this person may not run. */
static void add_hidden(const struct handover *h, const struct session *s,
                       const struct principal *who, struct buf *out)
{
    struct str rest = str_c(s->commands), command;
    while (str_word(&rest, &command)) {
        if (!session_may_run(h->assistant, who, command)) {
            buf_addf(out, " %.*s", STR_ARG(command));
        }
    }
}

/* What goes to all of them is what each of them may read. */
static int find_hidden(const struct handover *h, const struct session *s, struct buf *out,
                       struct err *err)
{
    struct session_member members[SESSION_MEMBERS_MAX];
    struct principal who;
    if (h->call != NULL) {
        add_hidden(h, s, action_who(h->call), out);
    }
    if (h->kind != HANDOVER_END) {
        return 0;
    }
    int count = session_table_members(h->assistant->o.store, s->id, members, err);
    for (int i = 0; i < count; i++) {
        if (session_member_who(h->assistant, &members[i], &who)) {
            add_hidden(h, s, &who, out);
        }
    }
    return count < 0 ? count : 0;
}

/* ------------------------------------------------------------------ the reply */

static int add_session(struct handover *h, const struct session *s, struct reply *r,
                       struct err *err)
{
    struct session_member members[SESSION_MEMBERS_MAX];
    struct session_sums sums;
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    int64_t now_us = clock_wall_us(h->assistant->o.clock);
    int rc = session_table_sums(h->assistant->o.store, s->id, &sums, err);
    int count = rc < 0 ? rc : session_table_members(h->assistant->o.store, s->id, members, err);
    if (count < 0) {
        return count;
    }
    AUTO_BUF struct buf people = BUF_INIT(1000);
    for (int i = 0; i < count; i++) {
        buf_addf(&people, "%s%s (%s)", i > 0 ? ", " : "", members[i].user, members[i].role);
    }
    reply_quote(r, str_c(s->title));
    reply_field(r, "Opened", "{}", cell_time(s->opened_us, now_us));
    if (!s->open) {
        reply_field(r, "Closed", "{} ({})", cell_time(s->closed_us, now_us),
                    cell_text(s->closed_by));
    }
    reply_field(r, "People", "{}", cell_text(people.data));
    reply_field(r, "Questions", "{}, {} commands read", cell_count(sums.questions),
                cell_count(sums.calls));
    reply_field(r, "Figures", "{} verified, {} not", cell_count(sums.found + sums.derived),
                cell_count(sums.unverified));
    reply_field(r, "Cost", "{}", cell_cost(sums.cost_usd));
    json_out_object(&data, "session");
    json_out_i64(&data, "id", s->id);
    json_out_text(&data, "state", s->open ? "open" : "closed");
    json_out_text(&data, "title", s->title);
    json_out_time(&data, "opened", s->opened_us);
    json_out_time(&data, "closed", s->closed_us);
    json_out_text(&data, "closed_by", s->closed_by);
    json_out_array(&data, "people");
    for (int i = 0; i < count; i++) {
        json_out_text(&data, NULL, members[i].user);
    }
    json_out_end(&data);
    json_out_i64(&data, "questions", sums.questions);
    json_out_i64(&data, "calls", sums.calls);
    json_out_i64(&data, "verified", sums.found + sums.derived);
    json_out_i64(&data, "unverified", sums.unverified);
    json_out_dec(&data, "cost_usd", sums.cost_usd);
    json_out_end(&data);
    return 0;
}

static void add_button(struct reply *r, const char *text, const char *verb, int64_t id)
{
    AUTO_BUF struct buf line = BUF_INIT(64);
    buf_addf(&line, "/troubleshoot %s %lld", verb, (long long)id);
    reply_button(r, text, line.data, BUTTON_PLAIN);
}

static void add_file(struct reply *r, const struct writing *w)
{
    if (w->err.id != ERR_NONE) {
        reply_para(r, "The transcript could not be written ({}). {} tries it again.",
                   cell_code(err_info(w->err.id)->code), cell_code("/troubleshoot"));
        return;
    }
    const struct reply_file file = {.id = w->added.id,
                                    .name = NAME,
                                    .media_type = MEDIA,
                                    .size_bytes = w->added.size_bytes,
                                    .caption = "Who said what, what was read, and what was done."};
    reply_document(r, &file);
    reply_protect(r);
}

/* ------------------------------------------------------------------ the end */

static int close_session(struct handover *h, struct session *s, const struct writing *w,
                         struct err *err)
{
    struct assistant *assistant = h->assistant;
    const char *by = w->closed_by;
    int64_t now_us = w->closed_us;
    struct session_event event = {.at_us = now_us, .kind = SESSION_CLOSED};
    AUTO_REPLY struct reply *r = reply_new();
    (void)str_copy(str_c(by), event.user, sizeof(event.user));
    int rc = session_table_close(assistant->o.store, s->id, by, now_us, err);
    rc = rc < 0 ? rc : session_table_add_event(assistant->o.store, s->id, &event, err);
    if (rc < 0) {
        return rc;
    }
    s->open = false;
    s->closed_us = now_us;
    (void)str_copy(str_c(by), s->closed_by, sizeof(s->closed_by));
    reply_title(r, TONE_PLAIN, "Session %lld is closed", (long long)s->id);
    if (h->call == NULL) {
        reply_para(r, "Nobody has said anything for {}.",
                   cell_duration(assistant->o.config->assistant_session_idle_us));
    }
    if ((rc = add_session(h, s, r, err)) < 0) {
        return rc;
    }
    add_button(r, "Go on", "open", s->id);
    add_file(r, w);
    if (h->call != NULL) {
        const struct session_member own = session_member_of(h->call);
        reply_title(action_reply(h->call), TONE_PLAIN, "%s", reply_get_title(r));
        reply_append(action_reply(h->call), r);
        session_post(assistant, s->id, &own, r);
    } else {
        session_post(assistant, s->id, NULL, r);
    }
    return 0;
}

static int end_session(struct handover *h, struct session *s, const struct writing *w,
                       struct err *err)
{
    struct ops_store_change change;
    if (session_is_busy(h->assistant, s->id)) { /* while the transcript was written */
        return err_set(err, ERR_SESSION_BUSY, "session %lld", (long long)s->id);
    }
    int rc = ops_store_change_begin(h->assistant->o.store, &change, err);
    rc = rc < 0 ? rc : close_session(h, s, w, err);
    if (rc < 0) {
        if (change.store != NULL) {
            ops_store_change_rollback(&change);
        }
        return rc;
    }
    return ops_store_change_commit(&change, err);
}

static int show_session(struct handover *h, const struct session *s, const struct writing *w,
                        struct err *err)
{
    struct reply *r = action_reply(h->call);
    reply_title(r, TONE_PLAIN, "Session %lld: %s", (long long)s->id, s->open ? "open" : "closed");
    int rc = add_session(h, s, r, err);
    if (rc < 0) {
        return rc;
    }
    add_button(r, s->open ? "End the session" : "Go on", s->open ? "end" : "open", s->id);
    add_file(r, w);
    return 0;
}

static void done(void *data, void *userdata)
{
    struct handover *h = userdata;
    const struct writing *w = data;
    AUTO_SESSION struct session s = {0};
    struct err err = {0};
    h->job = NULL;
    int rc = session_table_get(h->assistant->o.store, h->session_id, &s, &err);
    if (rc == 0 && h->kind == HANDOVER_END && !s.open) {
        rc = err_set(&err, ERR_SESSION_CLOSED, "session %lld", (long long)s.id);
    }
    if (rc == 0) {
        rc = h->kind == HANDOVER_END ? end_session(h, &s, w, &err) : show_session(h, &s, w, &err);
    }
    if (rc < 0) {
        fail(h, &err);
        return;
    }
    struct assistant *assistant = h->assistant;
    finish(h, NULL);
    session_schedule(assistant);
}

static void write_transcript(struct handover *h, const struct session *s)
{
    struct writing *w = calloc(1, sizeof(*w));
    NEED_MEMORY(w != NULL);
    AUTO_BUF struct buf hidden = BUF_INIT((size_t)8 * 1024);
    struct err err = {0};
    w->session_id = s->id;
    w->closed_us = clock_wall_us(h->assistant->o.clock);
    if (h->kind == HANDOVER_END) {
        const char *by = h->call != NULL ? action_who(h->call)->name : IDLE;
        (void)str_copy(str_c(by), w->closed_by, sizeof(w->closed_by));
    }
    (void)str_copy(str_c(h->assistant->o.state_dir), w->state_dir, sizeof(w->state_dir));
    if (find_hidden(h, s, &hidden, &err) < 0 ||
        !str_copy(buf_str(&hidden), w->hidden, sizeof(w->hidden))) {
        (void)str_copy(str_c(s->commands), w->hidden, sizeof(w->hidden)); /* rather too little */
    }
    if (h->assistant->o.helpers != NULL) {
        h->job = pool_start(
            h->assistant->o.helpers,
            &(struct pool_work){.work = work, .done = done, .drop = free, .data = w, .userdata = h},
            &err);
        if (h->job == NULL) {
            free(w);
            fail(h, &err);
        }
        return;
    }
    work(w);
    done(w, h);
    free(w);
}

/* ------------------------------------------------------------------ joining, opening again */

static int open_again(struct handover *h, const struct session *s,
                      const struct session_member *member, struct err *err)
{
    struct assistant *assistant = h->assistant;
    int64_t now_us = clock_wall_us(assistant->o.clock);
    struct session_event event = {.at_us = now_us, .kind = SESSION_OPENED};
    struct ops_store_change change;
    int rc = ops_store_change_begin(assistant->o.store, &change, err);
    if (rc < 0) {
        return rc;
    }
    (void)str_copy(str_c(member->user), event.user, sizeof(event.user));
    rc = session_join(assistant, s, member, err);
    rc = rc < 0 || s->open ? rc : session_table_reopen(assistant->o.store, s->id, now_us, err);
    rc = rc < 0 || s->open ? rc : session_table_add_event(assistant->o.store, s->id, &event, err);
    if (rc < 0) {
        ops_store_change_rollback(&change);
        return rc;
    }
    return ops_store_change_commit(&change, err);
}

/* The person is in it from now on. */
static int enter(struct handover *h, const struct session *s, struct err *err)
{
    struct reply *r = action_reply(h->call);
    const struct session_member member = session_member_of(h->call);
    if (h->kind == HANDOVER_JOIN && !s->open) {
        return err_set(err, ERR_SESSION_CLOSED, "session %lld", (long long)s->id);
    }
    int rc = open_again(h, s, &member, err);
    if (rc < 0) {
        return rc;
    }
    struct session now = *s;
    now.open = true;
    reply_title(r, TONE_GOOD, "You are in session %lld", (long long)s->id);
    if ((rc = add_session(h, &now, r, err)) < 0) {
        return rc;
    }
    reply_line(r, member.chat_id < 0
                      ? "Go on by answering one of its messages. All of it is seen by everybody "
                        "who is in it."
                      : "Write on here: plain text goes to it. All of it is seen by everybody who "
                        "is in it.");
    session_add_buttons(r, s->id);
    session_schedule(h->assistant);
    return 0;
}

static void begin(void *userdata)
{
    struct handover *h = userdata;
    AUTO_SESSION struct session s = {0};
    struct err err = {0};
    int rc = session_table_get(h->assistant->o.store, h->session_id, &s, &err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        rc = err_set(&err, ERR_SESSION_UNKNOWN, "session %lld", (long long)h->session_id);
    }
    if (rc == 0 && h->call != NULL) {
        rc = session_standing(h->assistant, &s, action_who(h->call), &err);
        if (rc == 0 && h->kind == HANDOVER_END && action_who(h->call)->role < ROLE_ADMIN) {
            rc = err_set(&err, ERR_SESSION_UNKNOWN, "you are not in session %lld", (long long)s.id);
        }
    }
    if (rc >= 0 && h->kind == HANDOVER_END && session_is_busy(h->assistant, s.id)) {
        rc = err_set(&err, ERR_SESSION_BUSY, "session %lld", (long long)s.id);
    }
    if (rc < 0) {
        fail(h, &err);
        return;
    }
    if (h->kind == HANDOVER_SHOW || h->kind == HANDOVER_END) {
        write_transcript(h, &s);
        return;
    }
    rc = enter(h, &s, &err);
    if (rc < 0) {
        fail(h, &err);
    } else {
        finish(h, NULL);
    }
}

static struct handover *handover_new(struct assistant *assistant, struct action_call *call,
                                     enum handover_kind kind, int64_t session_id)
{
    struct handover *h = calloc(1, sizeof(*h));
    NEED_MEMORY(h != NULL);
    *h = (struct handover){.assistant = assistant,
                           .next = assistant->handovers,
                           .call = call,
                           .kind = kind,
                           .session_id = session_id};
    assistant->handovers = h;
    h->deferred = loop_add_deferred(assistant->o.loop, begin, h);
    loop_source_name(h->deferred, "session");
    loop_defer(h->deferred);
    return h;
}

int handover_start(struct action_call *call, enum handover_kind kind, int64_t session_id,
                   struct err *err)
{
    (void)err; /* what can go wrong is found out from the loop */
    action_set_state(call, handover_new(action_userdata(call), call, kind, session_id));
    return ACTION_PENDING;
}

void handover_idle(struct assistant *assistant, int64_t session_id)
{
    for (const struct handover *h = assistant->handovers; h != NULL; h = h->next) {
        if (h->session_id == session_id && h->kind == HANDOVER_END) {
            return;
        }
    }
    (void)handover_new(assistant, NULL, HANDOVER_END, session_id);
}

bool handover_cancel(struct action_call *call)
{
    struct assistant *assistant = action_userdata(call);
    for (struct handover *h = assistant->handovers; h != NULL; h = h->next) {
        if (h->call == call) {
            handover_free(h);
            return true;
        }
    }
    return false;
}

void handover_stop_all(struct assistant *assistant)
{
    while (assistant->handovers != NULL) {
        handover_free(assistant->handovers);
    }
}
