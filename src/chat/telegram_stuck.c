#include "telegram_stuck.h"

#include "alerts/alerts.h"
#include "base/check.h"
#include "base/log.h"
#include "config/config.h"
#include "io/json_out.h"
#include "store/outbox_table.h"
#include "telegram_delivery.h"

#include <stdlib.h>
#include <string.h>

#define ALERT_STUCK  "telegram:stuck"
#define LOOK_US      (5 * USEC_PER_SEC)
#define LOOK_MIN_US  (500 * USEC_PER_MSEC) /* with a shorter telegram.stuck_after */
#define HEADS_MAX    32
#define ATTEMPTS_MIN 2 /* of a message that is said to be refused */

/* The oldest message of a chat: since when it has been that, and how many the bot had sent then. */
struct head {
    int64_t id;
    int64_t since_mono_us;
    uint64_t sent;
};

enum cause { CAUSE_NONE, CAUSE_MESSAGE, CAUSE_LIMIT, CAUSE_SERVER };
static const char *const causes[] = {"", "message", "limit", "server"};

struct telegram_stuck {
    struct telegram_send *send;
    struct loop_source *timer;
    struct head heads[HEADS_MAX];
    size_t count;
    enum cause cause; /* of the alert as it was last stored */
    int64_t told_id;  /* its message */
    bool settled;     /* there is no open alert of an earlier process */
    int64_t aside_id; /* to set aside; 0: none */
};

static int64_t after_us(const struct telegram_stuck *stuck)
{
    int64_t us = stuck->send->t->options.config->telegram_stuck_after_us;
    return us > 0 ? us : 2 * USEC_PER_MIN; /* a configuration of a test */
}

/* ------------------------------------------------------------------ looking */

/* rows: HEADS_MAX; the same places as in stuck->heads afterwards. */
static void read_heads(struct telegram_stuck *stuck, struct outbox_head *rows)
{
    struct head next[HEADS_MAX];
    const struct telegram *t = stuck->send->t;
    struct err err = {0};
    int n = outbox_table_heads(t->options.store, TELEGRAM_CHANNEL, telegram_send_wall(stuck->send),
                               rows, HEADS_MAX, &err);
    if (n < 0) {
        telegram_log_store(n, &err);
        n = 0;
    }
    for (int i = 0; i < n; i++) {
        next[i] = (struct head){rows[i].id, telegram_send_mono(stuck->send), t->sent};
        for (size_t k = 0; k < stuck->count; k++) {
            next[i] = stuck->heads[k].id == rows[i].id ? stuck->heads[k] : next[i];
        }
    }
    memcpy(stuck->heads, next, (size_t)n * sizeof(next[0]));
    stuck->count = (size_t)n;
}

static bool is_late(const struct telegram_stuck *stuck, const struct head *head)
{
    return telegram_send_mono(stuck->send) - head->since_mono_us >= after_us(stuck);
}

/* Of those that have waited too long; NULL: there is none. */
static const struct head *oldest(const struct telegram_stuck *stuck)
{
    const struct head *found = NULL;
    for (size_t i = 0; i < stuck->count; i++) {
        const struct head *head = &stuck->heads[i];
        if (is_late(stuck, head) && (found == NULL || head->since_mono_us < found->since_mono_us)) {
            found = head;
        }
    }
    return found;
}

static enum cause cause_of(const struct telegram_stuck *stuck, const struct head *head,
                           const struct outbox_head *row)
{
    bool waits = strcmp(row->last_error, "429") == 0 || row->attempts == 0;
    if (waits && stuck->send->fault.err.id == ERR_NONE) {
        return CAUSE_LIMIT;
    }
    return stuck->send->t->sent > head->sent && row->attempts >= ATTEMPTS_MIN ? CAUSE_MESSAGE
                                                                              : CAUSE_SERVER;
}

/* ------------------------------------------------------------------ telling */

static void describe(const struct telegram_stuck *stuck, const struct head *head,
                     const struct outbox_head *row, enum cause cause, struct buf *out,
                     const char **ret_advice)
{
    const char *why = row->last_error[0] != '\0' ? row->last_error : "no answer";
    buf_addf(out, "Message %lld to chat %lld has waited for ", (long long)head->id,
             (long long)row->chat_id);
    clock_add_duration(out, telegram_send_mono(stuck->send) - head->since_mono_us);
    if (cause == CAUSE_MESSAGE) {
        buf_addf(out, ": Telegram does not take it (%s). Others are delivered.", why);
        *ret_advice = "Auto-fix keeps it as undelivered; /status counts it, and the second channel "
                      "gets it.";
    } else if (cause == CAUSE_LIMIT) {
        buf_add_c(out, ": Telegram has asked the bot to wait (429).");
        *ret_advice = "Nothing can be done but wait, and send less to this chat.";
    } else {
        buf_addf(out, ": Telegram answers polls, but takes no message (%s).", why);
        *ret_advice = "Auto-fix connects again. If that does not help, look at the network and at "
                      "proxies of this machine; the console and nightdesk do still work.";
    }
}

static void add_fact(struct json_out *out, const char *pointer, const char *value)
{
    json_out_object(out, NULL);
    json_out_text(out, "pointer", pointer);
    json_out_text(out, "value", value);
    json_out_end(out);
}

static void raise(struct telegram_stuck *stuck, const struct head *head,
                  const struct outbox_head *row, enum cause cause)
{
    AUTO_BUF struct buf text = BUF_INIT(1024);
    AUTO_BUF struct buf evidence = BUF_INIT(512);
    const char *advice = "";
    struct json_out out = JSON_OUT(&evidence);
    char id[24];
    describe(stuck, head, row, cause, &text, &advice);
    (void)snprintf(id, sizeof(id), "%lld", (long long)head->id);
    json_out_array(&out, NULL);
    add_fact(&out, "/telegram/cause", causes[cause]); /* for commands/fix_outbox.yaml */
    add_fact(&out, "/telegram/message", id);
    json_out_end(&out);
    const struct alert_spec spec = {.type = ALERT_SERVICE,
                                    .severity = SEVERITY_HIGH,
                                    .source = "telegram",
                                    .fingerprint = ALERT_STUCK,
                                    .title = "messages to Telegram do not move",
                                    .description = text.data,
                                    .evidence_json = evidence.data,
                                    .recommendation = advice,
                                    .status = ALERT_OPEN};
    struct err err = {0};
    int64_t alert_id = 0;
    if (alerts_raise(stuck->send->t->options.alerts, &spec, &alert_id, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not raise the alert about the outbox");
        return;
    }
    stuck->cause = cause;
    stuck->told_id = head->id;
    stuck->settled = true;
}

static void look(void *userdata)
{
    struct telegram_stuck *stuck = userdata;
    const struct telegram *t = stuck->send->t;
    loop_timer_in(stuck->timer, after_us(stuck) / 4 < LOOK_US && after_us(stuck) / 4 > LOOK_MIN_US
                                    ? after_us(stuck) / 4
                                : after_us(stuck) / 4 <= LOOK_MIN_US ? LOOK_MIN_US
                                                                     : LOOK_US);
    struct outbox_head rows[HEADS_MAX];
    read_heads(stuck, rows);
    const struct head *head = oldest(stuck);
    const struct outbox_head *row = head == NULL ? NULL : &rows[head - stuck->heads];
    enum cause cause = head == NULL ? CAUSE_NONE : cause_of(stuck, head, row);
    stuck->aside_id = cause == CAUSE_MESSAGE ? head->id : 0;
    if (head != NULL && t->state == TELEGRAM_POLLING && !t->poll_stalled) {
        if (cause != stuck->cause || head->id != stuck->told_id) {
            raise(stuck, head, row, cause);
        }
    } else if (head == NULL && (stuck->cause != CAUSE_NONE || !stuck->settled)) {
        telegram_alert_over(stuck->send->t, ALERT_STUCK, "messages are delivered again");
        stuck->cause = CAUSE_NONE;
        stuck->settled = true;
    }
}

struct telegram_stuck *telegram_stuck_new(struct telegram_send *send)
{
    struct telegram_stuck *stuck = calloc(1, sizeof(*stuck));
    ASSERT(stuck != NULL);
    stuck->send = send;
    stuck->timer = loop_add_timer(send->t->options.loop, look, stuck);
    loop_source_name(stuck->timer, "telegram stuck");
    return stuck;
}

void telegram_stuck_free(struct telegram_stuck *stuck)
{
    if (stuck != NULL) {
        loop_source_free(stuck->timer);
        free(stuck);
    }
}

void telegram_stuck_start(struct telegram_stuck *stuck)
{
    loop_timer_in(stuck->timer, LOOK_MIN_US);
}

/* ------------------------------------------------------------------ mending */

int64_t telegram_stuck_message(const struct telegram *telegram)
{
    return telegram->send == NULL ? 0 : telegram->send->stuck->aside_id;
}

static struct delivery *under_way(const struct telegram_send *send, int64_t outbox_id)
{
    for (size_t i = 0; i < TELEGRAM_DELIVERIES_MAX; i++) {
        if (send->deliveries[i] != NULL && send->deliveries[i]->row.id == outbox_id) {
            return send->deliveries[i];
        }
    }
    return NULL;
}

/* A call that has had no answer for telegram.stuck_after will have none. */
static void drop_hanging(const struct telegram_send *send)
{
    const struct telegram_stuck *stuck = send->stuck;
    for (size_t i = 0; i < stuck->count; i++) {
        struct delivery *d = under_way(send, stuck->heads[i].id);
        if (d != NULL && is_late(stuck, &stuck->heads[i])) {
            telegram_delivery_drop(d);
        }
    }
}

int telegram_reconnect(struct telegram *telegram, struct err *err)
{
    if (telegram->api == NULL) {
        return err_set(err, ERR_TELEGRAM_OFF, "no bot token is configured");
    }
    int rc = telegram_api_reconnect(telegram->api, err);
    if (rc == 0) {
        drop_hanging(telegram->send);
        rc = outbox_table_retry_now(telegram->options.store, TELEGRAM_CHANNEL,
                                    telegram_send_wall(telegram->send), err);
    }
    if (rc == 0) {
        telegram->send->held_mono_us = 0;
        telegram->send->fault.failures = 0;
        telegram_send_wake(telegram->send);
        LOG(NOTICE, "telegram: connecting again");
    }
    return rc;
}

int telegram_set_aside(struct telegram *telegram, int64_t outbox_id, struct err *err)
{
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    struct ops_store *store = telegram->options.store;
    struct err why = {0};
    int rc = outbox_table_get(store, outbox_id, &row, err);
    if (rc < 0) {
        return rc;
    }
    (void)err_set(&why, ERR_TELEGRAM_SET_ASIDE, "%lld attempts: %s", (long long)row.attempts,
                  row.last_error);
    telegram->send->stuck->aside_id = 0;
    struct delivery *d = under_way(telegram->send, outbox_id);
    if (d != NULL) {
        telegram_delivery_dead(d, &why);
        return 0;
    }
    AUTO_BUF struct buf line = BUF_INIT(512);
    err_line(&why, &line);
    rc = outbox_table_dead(store, outbox_id, line.data, err);
    if (rc == 0) {
        log_err(LOG_LEVEL_ERROR, &why, "telegram: a message cannot be delivered");
        telegram_delivery_alert(telegram->send, outbox_id, &why);
        telegram_send_wake(telegram->send);
    }
    return rc;
}

int telegram_put_back(struct telegram *telegram, int64_t outbox_id, struct err *err)
{
    int rc = outbox_table_retry(telegram->options.store, outbox_id,
                                telegram_send_wall(telegram->send), "put back", err);
    if (rc == 0) {
        telegram_send_wake(telegram->send);
    }
    return rc;
}
