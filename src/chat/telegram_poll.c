#include "base/check.h"
#include "base/log.h"
#include "command/manifest.h"
#include "config/config.h"
#include "fresh.h"
#include "io/json_out.h"
#include "store/ops.h"
#include "telegram_internal.h"
#include "telegram_menu.h"
#include "telegram_update.h"

#include <stdlib.h>
#include <string.h>

#define CALL_TIMEOUT_MS INT64_C(10000)
#define POLL_MAX_S      50 /* Telegram's own limit */
#define POLL_MARGIN_MS  INT64_C(10000)
#define POLL_LIMIT      100
/* 100 updates are about 100 KiB. After a larger answer updates are requested one at a time. */
#define POLL_BODY_MAX ((size_t)16 << 20)
/* Telegram keeps an update for a day, and restarts ids after a week without updates. */
#define FORGET_OFFSET_US   (2 * USEC_PER_DAY)
#define QUICK_DOUBLINGS    5
#define SLICE_US           (10 * USEC_PER_MSEC)
#define REPLY_FIRST_US     (2 * USEC_PER_MSEC) /* the next poll waits for the disk, a reply not */
#define CONFLICT_CALM_US   (10 * USEC_PER_MIN)
#define CONFLICT_WAIT_US   (3 * USEC_PER_SEC)
#define EMPTY_SAVE_US      (15 * USEC_PER_SEC)
#define EMPTY_WALL         "telegram.heard_us"      /* by our clock */
#define EMPTY_DATE         "telegram.heard_date_us" /* by Telegram's */
#define ANSWERS_MAX        64
#define ANSWER_ID_SIZE     64
#define ALERT_POLL_STALLED "telegram:poll-stalled"
#define ALERT_CONFLICT     "telegram:conflict"
#define ALERT_TOKEN        "telegram:token"

struct batch;

struct telegram_poll {
    struct telegram *t;
    struct loop_source *timer;              /* the next getUpdates */
    struct loop_source *poll_stalled_timer; /* every poll period */
    struct telegram_call *call;             /* the pending getUpdates */
    struct telegram_fault fault;
    struct loop_source *me_timer; /* the next getMe, until one succeeds */
    struct telegram_call *me_call;
    struct telegram_fault me_fault;
    bool accepted;        /* some call has accepted the token */
    unsigned refusals;    /* of the token, since the last completed poll */
    int64_t timeout_s;    /* of the pending getUpdates, or of the last one */
    int64_t offset;       /* confirms everything below; 0: nothing to confirm */
    int64_t news_mono_us; /* when the last new update arrived */
    int limit;
    struct batch *batch;       /* what is left of the last answer; NULL: nothing */
    unsigned stops;            /* calls of telegram_poll_stop */
    unsigned quick;            /* consecutive empty answers that were not long polls */
    int64_t completed_mono_us; /* last completed getUpdates, or the start */
    struct fresh empty;        /* when our queue was last empty; at first from the last process */
    int64_t empty_saved_us;
    bool conflict_raised;
    bool conflict_may_be_open; /* the alert; the last process may have raised it */
    int64_t conflict_mono_us;

    /* Ids of presses to answer, oldest first, one call at a time. */
    char answers[ANSWERS_MAX][ANSWER_ID_SIZE];
    size_t answer_count;
    struct telegram_call *answer_call;
    struct loop_source *answer_timer;

    struct telegram_call *webhook_call;
};

static void batch_free(struct batch *batch);
static void poll_now(void *userdata);
static void ask_me(void *userdata);
static void answer_next(void *userdata);
static void check_poll_stalled(void *userdata);

static int64_t now_mono(const struct telegram_poll *poll)
{
    return clock_mono_us(poll->t->options.clock);
}

static int64_t now_wall(const struct telegram_poll *poll)
{
    return clock_wall_us(poll->t->options.clock);
}

static int64_t configured_timeout_s(const struct telegram_poll *poll)
{
    int64_t s = poll->t->options.config->telegram_poll_timeout_us / USEC_PER_SEC;
    return s < 1 ? 1 : s > POLL_MAX_S ? POLL_MAX_S : s;
}

int telegram_poll_new(struct telegram *t, struct err *err)
{
    struct telegram_poll *poll = calloc(1, sizeof(*poll));
    ASSERT(poll != NULL);
    t->poll = poll;
    poll->t = t;
    poll->limit = POLL_LIMIT;
    poll->timeout_s = configured_timeout_s(poll);
    poll->timer = loop_add_timer(t->options.loop, poll_now, poll);
    poll->me_timer = loop_add_timer(t->options.loop, ask_me, poll);
    poll->poll_stalled_timer = loop_add_timer(t->options.loop, check_poll_stalled, poll);
    poll->answer_timer = loop_add_timer(t->options.loop, answer_next, poll);
    loop_source_name(poll->timer, "telegram poll");
    loop_source_name(poll->me_timer, "telegram getMe");
    loop_source_name(poll->poll_stalled_timer, "telegram poll stalled");
    loop_source_name(poll->answer_timer, "telegram callbacks");
    int rc = ops_store_get_i64(t->options.store, EMPTY_WALL, 0, &poll->empty.wall_us, err);
    return rc < 0 ? rc
                  : ops_store_get_i64(t->options.store, EMPTY_DATE, 0, &poll->empty.date_us, err);
}

void telegram_poll_free(struct telegram_poll *poll)
{
    if (poll == NULL) {
        return;
    }
    telegram_poll_stop(poll);
    loop_source_free(poll->timer);
    loop_source_free(poll->me_timer);
    loop_source_free(poll->poll_stalled_timer);
    loop_source_free(poll->answer_timer);
    free(poll);
}

void telegram_poll_start(struct telegram_poll *poll)
{
    poll->completed_mono_us = now_mono(poll);
    poll->conflict_may_be_open = true;
    poll->conflict_mono_us = poll->completed_mono_us;
    loop_timer_every(poll->poll_stalled_timer, poll->timeout_s * USEC_PER_SEC);
    loop_timer_in(poll->me_timer, 0);
}

int64_t telegram_poll_offset(const struct telegram_poll *poll)
{
    return poll->offset;
}

void telegram_poll_forget(struct telegram_poll *poll)
{
    poll->offset = 0;
}

/* Retries after 5 s to 5 min: the operator may fix the token with BotFather, or the error was
 * Telegram's own. */
void telegram_poll_refused(struct telegram_poll *poll)
{
    const struct telegram_options *o = &poll->t->options;
    int64_t delay_us = 5 * o->backoff_first_us << (poll->refusals < 16 ? poll->refusals : 16);
    int64_t most_us = 5 * o->backoff_max_us;
    telegram_poll_stop(poll);
    poll->accepted = false;
    poll->refusals++;
    loop_timer_in(poll->me_timer, delay_us < most_us ? delay_us : most_us);
}

static void cancel(struct telegram_call **call)
{
    telegram_api_cancel(*call);
    *call = NULL;
}

void telegram_poll_stop(struct telegram_poll *poll)
{
    cancel(&poll->call);
    cancel(&poll->me_call);
    cancel(&poll->answer_call);
    telegram_menu_stop(poll->t->menu);
    cancel(&poll->webhook_call);
    batch_free(TAKE(poll->batch));
    poll->stops++;
    loop_timer_stop(poll->timer);
    loop_timer_stop(poll->me_timer);
    loop_timer_stop(poll->poll_stalled_timer);
    loop_timer_stop(poll->answer_timer);
}

/* ---------------------------------------------------------------------- state of the poll ---- */

static void check_poll_stalled(void *userdata)
{
    struct telegram_poll *poll = userdata;
    int64_t silent_us = now_mono(poll) - poll->completed_mono_us;
    if (poll->t->poll_stalled || silent_us < 3 * poll->timeout_s * USEC_PER_SEC) {
        return;
    }
    poll->t->poll_stalled = true;
    AUTO_BUF struct buf silent = BUF_INIT(64);
    clock_add_duration(&silent, silent_us);
    struct err err;
    (void)err_set(&err, ERR_TELEGRAM_POLL_STALLED, "no completed poll for %s%s%s", silent.data,
                  poll->fault.err.id == ERR_NONE ? "" : "; last error: ",
                  poll->fault.err.id == ERR_NONE ? "" : err_info(poll->fault.err.id)->code);
    log_err(LOG_LEVEL_ERROR, &err, "telegram");
    telegram_alert(poll->t, ALERT_SERVICE, SEVERITY_HIGH, ALERT_POLL_STALLED, &err);
}

/* The first answer that proves the token valid: messages may be sent. */
static void note_accepted(struct telegram_poll *poll)
{
    if (!poll->accepted) {
        poll->accepted = true;
        telegram_alert_over(poll->t, ALERT_TOKEN, "the token is accepted");
        telegram_send_open(poll->t->send);
        telegram_menu_check(poll->t->menu);
    }
}

static void note_completed(struct telegram_poll *poll)
{
    struct telegram *t = poll->t;
    bool first = t->polls == 0;
    note_accepted(poll);
    poll->refusals = 0;
    t->polls++;
    poll->completed_mono_us = now_mono(poll);
    t->last_poll_wall_us = now_wall(poll);
    t->state = TELEGRAM_POLLING;
    telegram_fault_over(t, &poll->fault, "poll");
    if (first || t->poll_stalled) {
        telegram_alert_over(t, ALERT_POLL_STALLED, "polls complete again");
        t->poll_stalled = false;
    }
    if (poll->conflict_may_be_open &&
        poll->completed_mono_us - poll->conflict_mono_us > CONFLICT_CALM_US) {
        telegram_alert_over(t, ALERT_CONFLICT, "no conflict for ten minutes");
        poll->conflict_may_be_open = false;
        poll->conflict_raised = false;
    }
}

/* Called after the updates of the answer are stored: updates that Telegram sends again after a
 * crash then get the same age. Saved only every 15 s: an earlier time makes a press look older,
 * which is safe. */
static void note_empty(struct telegram_poll *poll, const struct fresh *at)
{
    struct ops_store *store = poll->t->options.store;
    struct err err = {0};
    poll->empty = *at;
    if (at->wall_us >= poll->empty_saved_us && at->wall_us - poll->empty_saved_us < EMPTY_SAVE_US) {
        return;
    }
    poll->empty_saved_us = at->wall_us;
    if (ops_store_write_i64(store, EMPTY_WALL, at->wall_us, &err) < 0 ||
        ops_store_write_i64(store, EMPTY_DATE, at->date_us, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "telegram: could not save the time of the last poll");
    }
}

static void retry_after_failure(struct telegram_poll *poll, const struct telegram_answer *answer,
                                const char *what)
{
    struct telegram *t = poll->t;
    int64_t delay_us = telegram_fault(t, &poll->fault, &answer->err, what);
    if (answer->result == TELEGRAM_WAIT && delay_us < answer->retry_after_s * USEC_PER_SEC) {
        delay_us = answer->retry_after_s * USEC_PER_SEC;
    }
    if (answer->result == TELEGRAM_CONFLICT) {
        /* Two pollers cancel each other's polls. Waiting keeps the log readable; the alert is
         * raised once. */
        delay_us = delay_us < CONFLICT_WAIT_US ? CONFLICT_WAIT_US : delay_us;
        poll->conflict_mono_us = now_mono(poll);
        poll->conflict_may_be_open = true;
        if (!poll->conflict_raised) {
            poll->conflict_raised = true;
            telegram_alert(t, ALERT_SECURITY, SEVERITY_CRITICAL, ALERT_CONFLICT, &answer->err);
        }
    }
    t->state = TELEGRAM_BACKING_OFF;
    loop_timer_in(poll->timer, delay_us);
}

/* --------------------------------------------------------------- answers to button presses ---- */

static void drop_first_answer(struct telegram_poll *poll)
{
    poll->answer_count--;
    memmove(poll->answers[0], poll->answers[1], poll->answer_count * sizeof(poll->answers[0]));
}

static void on_answered(const struct telegram_answer *answer, void *userdata)
{
    struct telegram_poll *poll = userdata;
    poll->answer_call = NULL;
    switch (answer->result) {
    case TELEGRAM_TOKEN_REFUSED:
        telegram_refuse_token(poll->t, &answer->err);
        return;
    case TELEGRAM_WAIT:
        loop_timer_in(poll->answer_timer, answer->retry_after_s * USEC_PER_SEC);
        return;
    case TELEGRAM_OK:
    case TELEGRAM_NO: /* too old to be answered; the button's spinner has timed out */
    case TELEGRAM_NOT_SENT:
    case TELEGRAM_FAILED:
    case TELEGRAM_LOST:
    case TELEGRAM_CONFLICT:
        /* The answer only stops the button's spinner, so it is not retried. */
        drop_first_answer(poll);
        answer_next(poll);
        return;
    }
}

static void answer_next(void *userdata)
{
    struct telegram_poll *poll = userdata;
    if (poll->answer_count == 0 || poll->answer_call != NULL ||
        loop_timer_armed(poll->answer_timer)) {
        return;
    }
    struct json_object *params = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(params);
    json_out_text(&out, "callback_query_id", poll->answers[0]);
    poll->answer_call = telegram_api_call(
        poll->t->api,
        &(struct telegram_request){
            .method = "answerCallbackQuery", .params = params, .timeout_ms = CALL_TIMEOUT_MS},
        on_answered, poll);
}

void telegram_poll_answer(struct telegram_poll *poll, const char *id)
{
    if (poll->answer_count == ANSWERS_MAX ||
        !str_copy(str_c(id), poll->answers[poll->answer_count], sizeof(poll->answers[0]))) {
        LOG(DEBUG, "telegram: too many presses to answer; one is not answered");
        return;
    }
    poll->answer_count++;
    answer_next(poll);
}

/* ------------------------------------------------------------------------------- updates ---- */

/* One answer of getUpdates. */
/* An answer of getUpdates. It is accepted in slices, so that a full one does not keep the loop. */
struct batch {
    struct json_object *updates;
    struct telegram_moment moment;
    int64_t elapsed_us; /* of the request */
    size_t asked;       /* the limit of the request */
    size_t count;
    size_t next; /* to be accepted */
    size_t news; /* updates that this process had not seen */
};

static void batch_free(struct batch *batch)
{
    if (batch != NULL) {
        json_object_put(batch->updates);
        free(batch);
    }
}

/* Until the end or for a slice of time; batch->next says how far. */
static int accept_slice(struct telegram_poll *poll, struct batch *batch, struct err *err)
{
    int64_t until_us = now_mono(poll) + SLICE_US;
    while (batch->next < batch->count && now_mono(poll) < until_us) {
        struct json_object *update = json_item(batch->updates, batch->next++);
        int64_t id = json_i64(update, "update_id", -1);
        if (!json_is_object(update) || id < 0) {
            LOG(WARNING, "telegram: skipped an update without an id");
            continue;
        }
        if (poll->offset > 0 && id < poll->offset) {
            continue; /* already confirmed, but the server sent it again */
        }
        int rc = telegram_update_accept(poll->t, update, &batch->moment, err);
        if (rc < 0) {
            return rc;
        }
        poll->t->updates++;
        poll->offset = id + 1;
        batch->news++;
    }
    return 0;
}

/* -------------------------------------------------------------------------------- webhook ---- */

static void on_webhook(const struct telegram_answer *answer, void *userdata)
{
    struct telegram_poll *poll = userdata;
    poll->webhook_call = NULL;
    if (answer->result == TELEGRAM_OK && json_text(answer->value, "url")[0] != '\0') {
        /* The webhook is not deleted: it may belong to another program of the owner, or be the
         * evidence of a stolen token. The URL may contain a secret and is not shown. */
        struct err err;
        (void)err_set(&err, ERR_TELEGRAM_CONFLICT, "a webhook is set for this bot");
        log_err(LOG_LEVEL_ERROR, &err, "telegram");
        poll->conflict_raised = true;
        telegram_alert(poll->t, ALERT_SECURITY, SEVERITY_CRITICAL, ALERT_CONFLICT, &err);
    }
}

/* --------------------------------------------------------------------------- the long poll ---- */

static void leave_refusal(struct telegram_poll *poll)
{
    struct telegram *t = poll->t;
    if (t->state == TELEGRAM_REFUSED) {
        t->state = TELEGRAM_STARTING;
        t->refused_wall_us = 0;
        err_clear(&t->last_err);
        poll->completed_mono_us = now_mono(poll);
        loop_timer_every(poll->poll_stalled_timer, poll->timeout_s * USEC_PER_SEC);
    }
}

/* getMe returns our user name, which only commands with a mention need. If it fails, polling starts
 * anyway and getMe is retried. */
static void on_me(const struct telegram_answer *answer, void *userdata)
{
    struct telegram_poll *poll = userdata;
    struct telegram *t = poll->t;
    poll->me_call = NULL;
    const char *username = json_text(answer->value, "username");
    if (answer->result == TELEGRAM_TOKEN_REFUSED) {
        telegram_refuse_token(t, &answer->err);
        return;
    }
    if (answer->result == TELEGRAM_OK && username[0] != '\0') {
        (void)str_copy(str_c(username), t->username, sizeof(t->username));
        telegram_fault_over(t, &poll->me_fault, "getMe");
        LOG(NOTICE, "telegram: connected as @%s", t->username);
        leave_refusal(poll);
        note_accepted(poll);
        poll->webhook_call = telegram_api_call(
            t->api,
            &(struct telegram_request){.method = "getWebhookInfo", .timeout_ms = CALL_TIMEOUT_MS},
            on_webhook, poll);
    } else {
        struct err failed = answer->err;
        if (answer->result == TELEGRAM_OK) {
            (void)err_set(&failed, ERR_TELEGRAM_GARBLED, "getMe: no username");
        }
        int64_t delay_us = telegram_fault(t, &poll->me_fault, &failed, "getMe");
        int64_t retry_us = answer->retry_after_s * USEC_PER_SEC;
        loop_timer_in(poll->me_timer, delay_us > retry_us ? delay_us : retry_us);
    }
    if (t->state != TELEGRAM_REFUSED && !loop_timer_armed(poll->timer)) {
        poll_now(poll);
    }
}

static void ask_me(void *userdata)
{
    struct telegram_poll *poll = userdata;
    poll->me_call = telegram_api_call(
        poll->t->api, &(struct telegram_request){.method = "getMe", .timeout_ms = CALL_TIMEOUT_MS},
        on_me, poll);
}

/* The pause before the next poll. A server that returns an empty answer at once, because it knows
 * no long poll, must not make the loop spin; nor does it need to be asked more seldom than one that
 * does: once in a poll timeout. So a pause never makes the poll look stalled. */
static int64_t gap_us(struct telegram_poll *poll, size_t news, int64_t waited_us)
{
    int64_t timeout_us = poll->timeout_s * USEC_PER_SEC;
    if (news > 0 || waited_us >= timeout_us / 2 || waited_us >= USEC_PER_SEC) {
        poll->quick = 0;
        return 0;
    }
    poll->quick += poll->quick < QUICK_DOUBLINGS ? 1 : 0;
    int64_t gap = poll->t->options.poll_gap_us << (poll->quick - 1);
    return gap < timeout_us ? gap : timeout_us;
}

/* The time at which the answer left Telegram, estimated: an empty answer that took longer than the
 * poll timeout was delayed on the way. */
static struct fresh empty_moment(const struct telegram_poll *poll, const struct batch *batch,
                                 int64_t elapsed_us)
{
    struct fresh at = batch->moment.now;
    int64_t late_us = elapsed_us - poll->timeout_s * USEC_PER_SEC;
    if (batch->count == 0 && late_us > 0) {
        at.wall_us -= late_us;
        at.mono_us -= late_us;
    }
    return at;
}

static void end_batch(struct telegram_poll *poll, const struct batch *batch)
{
    if (batch->count < batch->asked) {
        /* After a full answer the queue may not be empty: the next answer has the rest. */
        struct fresh empty = empty_moment(poll, batch, batch->elapsed_us);
        note_empty(poll, &empty);
    }
    if (batch->news > 0) {
        poll->news_mono_us = now_mono(poll);
    } else if (now_mono(poll) - poll->news_mono_us > FORGET_OFFSET_US) {
        /* Telegram no longer keeps any update that we confirmed, and after a quiet week new ids may
         * be lower: an offset above them would discard them unread. */
        poll->offset = 0;
    }
    int64_t gap = gap_us(poll, batch->news, batch->elapsed_us);
    loop_timer_in(poll->timer, gap > REPLY_FIRST_US || batch->news == 0 ? gap : REPLY_FIRST_US);
}

/* Accepts the next slice of the batch. */
static void go_on(struct telegram_poll *poll)
{
    struct err err = {0};
    struct batch *batch = TAKE(poll->batch);
    unsigned stops = poll->stops;
    int rc = accept_slice(poll, batch, &err);
    if (poll->stops != stops) { /* a command has stopped us; Telegram keeps the rest */
        batch_free(batch);
    } else if (rc < 0) {
        /* The offset is after the last stored update; Telegram keeps the rest. */
        batch_free(batch);
        loop_timer_in(poll->timer,
                      telegram_fault(poll->t, &poll->fault, &err, "an update could not be stored"));
    } else if (batch->next < batch->count) {
        poll->batch = batch;
        loop_timer_in(poll->timer, 0);
    } else {
        end_batch(poll, batch);
        batch_free(batch);
    }
}

static void on_updates(const struct telegram_answer *answer, void *userdata)
{
    struct telegram_poll *poll = userdata;
    poll->call = NULL;
    if (answer->result == TELEGRAM_TOKEN_REFUSED) {
        telegram_refuse_token(poll->t, &answer->err);
        return;
    }
    if (answer->result != TELEGRAM_OK || !json_is_array(answer->value)) {
        struct telegram_answer failed = *answer;
        if (answer->result == TELEGRAM_OK) {
            failed.result = TELEGRAM_LOST;
            (void)err_set(&failed.err, ERR_TELEGRAM_GARBLED, "getUpdates: result is not a list");
        }
        poll->limit = answer->too_large ? 1 : poll->limit;
        retry_after_failure(poll, &failed, "poll");
        return;
    }
    note_completed(poll);
    struct batch *batch = calloc(1, sizeof(*batch));
    ASSERT(batch != NULL);
    *batch = (struct batch){
        .updates = json_object_get(answer->value),
        .moment = {.now = fresh_now(poll->t->options.clock, answer->date_us), .empty = poll->empty},
        .elapsed_us = answer->elapsed_us,
        .asked = (size_t)poll->limit,
        .count = json_len(answer->value)};
    poll->limit = POLL_LIMIT;
    poll->batch = batch;
    go_on(poll);
}

static void poll_now(void *userdata)
{
    struct telegram_poll *poll = userdata;
    struct telegram *t = poll->t;
    if (poll->call != NULL) {
        return;
    }
    if (poll->batch != NULL) {
        go_on(poll);
        return;
    }
    struct err err = {0};
    if (poll->offset > 0 && ops_store_sync(t->options.store, &err) < 0) {
        /* The request would confirm updates that a power cut could still take from us. */
        loop_timer_in(poll->timer,
                      telegram_fault(t, &poll->fault, &err, "updates could not be stored"));
        return;
    }
    if (poll->timeout_s != configured_timeout_s(poll)) { /* a reload has changed it */
        poll->timeout_s = configured_timeout_s(poll);
        loop_timer_every(poll->poll_stalled_timer, poll->timeout_s * USEC_PER_SEC);
    }
    struct json_object *params = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(params);
    if (poll->offset > 0) {
        json_out_i64(&out, "offset", poll->offset);
    }
    json_out_i64(&out, "limit", poll->limit);
    json_out_i64(&out, "timeout", poll->timeout_s);
    json_out_array(&out, "allowed_updates");
    const char *kind = NULL;
    for (size_t i = 0; (kind = telegram_update_kind(i)) != NULL; i++) {
        json_out_text(&out, NULL, kind);
    }
    json_out_end(&out);
    poll->call = telegram_api_call(
        t->api,
        &(struct telegram_request){.method = "getUpdates",
                                   .params = params,
                                   .held = true,
                                   .timeout_ms = poll->timeout_s * 1000 + POLL_MARGIN_MS,
                                   .max_body_bytes = POLL_BODY_MAX},
        on_updates, poll);
}
