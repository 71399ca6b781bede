#include "chat/courier.h"

#include "alerts/alerts.h"
#include "base/check.h"
#include "base/log.h"
#include "command/reply_json.h"
#include "io/loop.h"
#include "store/ops.h"
#include "transport.h"

#include <string.h>

#define BACKOFF_FIRST_US (5 * USEC_PER_SEC)
#define BACKOFF_MAX_US   (10 * USEC_PER_MIN)
#define OLD_US           USEC_PER_DAY /* an older message is given up */
#define ALERT_US         (2 * USEC_PER_MIN)
#define LOST_MAX         3 /* attempts whose answer was lost */
#define LOST_MARK        "answer lost: "

struct courier {
    const struct transport *transport;
    struct courier_options o;
    struct loop_source *deferred;
    struct loop_source *timer;
    bool open;
    bool busy;
    void *call;            /* of the transport; NULL: none */
    struct outbox_row row; /* being sent */
    struct reply *reply;
    unsigned failures;       /* in a row */
    int64_t failing_mono_us; /* since when; 0: it does not fail */
    int64_t held_mono_us;
    bool raised;
    bool resolved;
};

static void pump(void *userdata);

static void drop(struct courier *courier)
{
    outbox_row_release(&courier->row);
    reply_free(TAKE(courier->reply));
    courier->busy = false;
    courier->call = NULL;
}

static void log_store(const struct courier *courier, int rc, const struct err *err)
{
    if (rc < 0) {
        AUTO_BUF struct buf text = BUF_INIT(96);
        buf_addf(&text, "%s: could not store the state of a message", courier->transport->channel);
        log_err(LOG_LEVEL_ERROR, err, text.data);
    }
}

/* ---------------------------------------------------------------- the alert */

static void fingerprint_of(const struct courier *courier, char dst[64])
{
    (void)snprintf(dst, 64, "%s:undelivered", courier->transport->channel);
}

static void raise(struct courier *courier, const struct err *why)
{
    const struct err_info *info = err_info(why->id);
    char fingerprint[64], title[96];
    AUTO_BUF struct buf text = BUF_INIT(1024);
    fingerprint_of(courier, fingerprint);
    (void)snprintf(title, sizeof(title), "%s does not deliver", courier->transport->channel);
    buf_addf(&text, "%s: %s. %s %s", info->code, why->context, info->cause, info->impact);
    const struct alert_spec spec = {.type = ALERT_SERVICE,
                                    .severity = SEVERITY_HIGH,
                                    .source = courier->transport->channel,
                                    .fingerprint = fingerprint,
                                    .title = title,
                                    .description = text.data,
                                    .recommendation = info->remediation};
    struct err err = {0};
    courier->raised = alerts_raise(courier->o.alerts, &spec, NULL, &err) == 0;
    if (!courier->raised) {
        log_err(LOG_LEVEL_ERROR, &err, "could not store an alert");
    }
}

static void works(struct courier *courier)
{
    char fingerprint[64];
    struct err err = {0};
    if (courier->failures > 0) {
        LOG(NOTICE, "%s delivers again after %u failures", courier->transport->channel,
            courier->failures);
    }
    courier->failures = 0;
    courier->failing_mono_us = 0;
    courier->held_mono_us = 0;
    if (courier->resolved && !courier->raised) {
        return;
    }
    /* At the first success, too: the last process may have left the alert open. */
    fingerprint_of(courier, fingerprint);
    courier->resolved =
        alerts_resolve(courier->o.alerts, fingerprint, "it delivers again", &err) == 0;
    courier->raised = courier->raised && !courier->resolved;
}

static void fails(struct courier *courier, const struct err *why)
{
    int64_t now_us = clock_mono_us(courier->o.clock);
    unsigned doublings = courier->failures < 16 ? courier->failures : 16;
    int64_t delay_us = courier->o.backoff_first_us << doublings;
    delay_us = delay_us < BACKOFF_MAX_US ? delay_us : BACKOFF_MAX_US;
    if (courier->failures == 0) {
        courier->failing_mono_us = now_us;
        AUTO_BUF struct buf text = BUF_INIT(64);
        buf_addf(&text, "%s: a message was not delivered", courier->transport->channel);
        log_err(LOG_LEVEL_WARNING, why, text.data);
    }
    courier->failures++;
    courier->held_mono_us = now_us + delay_us;
    bool needs_a_person = err_info(why->id)->retry == ERR_RETRY_AFTER_FIX;
    if (!courier->raised && (needs_a_person || now_us - courier->failing_mono_us >= ALERT_US)) {
        raise(courier, why);
    }
}

/* ---------------------------------------------------------------- one message */

static void store_end(struct courier *courier, enum transport_outcome outcome,
                      const struct err *why)
{
    struct ops_store *store = courier->o.store;
    struct err err = {0};
    int64_t id = courier->row.id, now_us = clock_wall_us(courier->o.clock);
    AUTO_BUF struct buf text = BUF_INIT(512);
    buf_addf(&text, "%s%s: %s", outcome == TRANSPORT_LOST ? LOST_MARK : "",
             why == NULL ? "" : err_info(why->id)->code, why == NULL ? "" : why->context);
    int rc = 0;
    switch (outcome) {
    case TRANSPORT_DELIVERED:
        rc = outbox_table_delivered(store, id, 0, &err);
        break;
    case TRANSPORT_REFUSED:
        rc = outbox_table_dead(store, id, text.data, &err);
        break;
    case TRANSPORT_LATER:
        rc = now_us - courier->row.created_us > OLD_US
                 ? outbox_table_dead(store, id, text.data, &err)
                 : outbox_table_retry(store, id, 0, text.data, &err);
        break;
    case TRANSPORT_LOST:
        rc = courier->row.attempts >= LOST_MAX ? outbox_table_uncertain(store, id, text.data, &err)
                                               : outbox_table_retry(store, id, 0, text.data, &err);
        break;
    }
    log_store(courier, rc, &err);
}

void courier_done(struct courier *courier, enum transport_outcome outcome, const struct err *err)
{
    ASSERT(courier->busy);
    store_end(courier, outcome, err);
    drop(courier);
    if (outcome == TRANSPORT_DELIVERED) {
        works(courier);
    } else {
        fails(courier, err);
        if (outcome == TRANSPORT_REFUSED) {
            courier->held_mono_us = 0; /* the next message may be fine */
        }
    }
    courier_wake(courier);
}

static void begin(struct courier *courier)
{
    struct err err = {0};
    const struct outbox_row *row = &courier->row;
    courier->busy = true;
    if (row->kind != OUTBOX_SEND) {
        (void)err_set(&err, ERR_OUTBOX_PAYLOAD, "outbox %lld: not a message", (long long)row->id);
    } else if (reply_json_read(row->payload, strlen(row->payload), &courier->reply, &err) < 0) {
        (void)err_set(&err, ERR_OUTBOX_PAYLOAD, "outbox %lld", (long long)row->id);
    }
    if (err.id != ERR_NONE) {
        log_store(courier,
                  outbox_table_dead(courier->o.store, row->id, err_info(err.id)->code, NULL), &err);
        drop(courier);
        courier_wake(courier);
        return;
    }
    if (outbox_table_sending(courier->o.store, row->id, false, &err) < 0) {
        /* Not sent: without a stored state it could be sent twice. */
        drop(courier);
        fails(courier, &err);
        courier_wake(courier);
        return;
    }
    courier->row.attempts++;
    bool lost = strncmp(row->last_error, LOST_MARK, strlen(LOST_MARK)) == 0;
    void *call = courier->transport->begin(&(struct transport_message){.courier = courier,
                                                                       .o = &courier->o,
                                                                       .row = row,
                                                                       .reply = courier->reply,
                                                                       .repeated = lost});
    courier->call = courier->busy ? call : NULL;
}

static void arm(struct courier *courier)
{
    int64_t now_us = clock_mono_us(courier->o.clock), due_us = INT64_MAX;
    struct err err = {0};
    if (outbox_table_next_due_us(courier->o.store, courier->transport->channel, &due_us, &err) <
        0) {
        due_us = clock_wall_us(courier->o.clock) + USEC_PER_SEC;
    }
    if (due_us == INT64_MAX) {
        loop_timer_stop(courier->timer);
        return;
    }
    int64_t at_us = now_us + (due_us - clock_wall_us(courier->o.clock));
    at_us = at_us > courier->held_mono_us ? at_us : courier->held_mono_us;
    loop_timer_at(courier->timer, at_us > now_us ? at_us : now_us + USEC_PER_MSEC);
}

static void pump(void *userdata)
{
    struct courier *courier = userdata;
    if (!courier->open || courier->busy) {
        return;
    }
    if (clock_mono_us(courier->o.clock) >= courier->held_mono_us) {
        struct err err = {0};
        int rc = outbox_table_due(courier->o.store, courier->transport->channel,
                                  clock_wall_us(courier->o.clock), &courier->row, &err);
        if (rc > 0) {
            begin(courier);
            return;
        }
        if (rc == -ERR_STORE_DAMAGED) {
            log_err(LOG_LEVEL_ERROR, &err, "dropped an unreadable message");
            courier_wake(courier);
            return;
        }
        if (rc < 0) {
            fails(courier, &err);
        }
    }
    arm(courier);
}

/* ---------------------------------------------------------------- life */

void courier_wake(struct courier *courier)
{
    if (courier != NULL && courier->open) {
        loop_defer(courier->deferred);
    }
}

/* Begins; what the last process was sending is sent again. */
static void open_outbox(struct courier *courier)
{
    int64_t after = 0;
    bool more = !courier->open;
    courier->open = true;
    while (more) {
        AUTO_OUTBOX_ROW struct outbox_row row = {0};
        struct err err = {0};
        int rc = outbox_table_next_uncertain(courier->o.store, courier->transport->channel, after,
                                             &row, &err);
        more = rc > 0 || rc == -ERR_STORE_DAMAGED;
        if (rc <= 0) {
            continue;
        }
        after = row.id;
        if (row.attempts < LOST_MAX && clock_wall_us(courier->o.clock) - row.created_us < OLD_US) {
            log_store(courier,
                      outbox_table_retry(courier->o.store, row.id, 0,
                                         LOST_MARK "nightdesk was stopped", &err),
                      &err);
        }
    }
    courier_wake(courier);
}

/* No message is begun any more. Whatever waits is dead: the channel was switched off. */
static void switch_off(struct courier *courier)
{
    int64_t count = 0;
    struct err err = {0};
    courier->open = false;
    loop_timer_stop(courier->timer);
    log_store(courier,
              outbox_table_expire(courier->o.store, courier->transport->channel, INT64_MAX,
                                  "the channel is off", &count, &err),
              &err);
    if (count > 0) {
        LOG(WARNING, "%s is off: %lld messages are not sent", courier->transport->channel,
            (long long)count);
    }
}

struct courier *courier_new(enum courier_kind kind, const struct courier_options *options)
{
    static const struct transport *const transports[] = {
        [COURIER_MAIL] = &mailer_transport, [COURIER_WEBHOOK] = &webhook_transport};
    struct courier *courier = calloc(1, sizeof(*courier));
    ASSERT(courier != NULL);
    *courier = (struct courier){.transport = transports[kind], .o = *options};
    courier->o.backoff_first_us =
        options->backoff_first_us > 0 ? options->backoff_first_us : BACKOFF_FIRST_US;
    courier->deferred = loop_add_deferred(options->loop, pump, courier);
    courier->timer = loop_add_timer(options->loop, pump, courier);
    loop_source_name(courier->deferred, courier->transport->channel);
    loop_source_name(courier->timer, courier->transport->channel);
    return courier;
}

void courier_free(struct courier *courier)
{
    if (courier == NULL) {
        return;
    }
    courier_stop(courier);
    drop(courier);
    loop_source_free(courier->deferred);
    loop_source_free(courier->timer);
    free(courier);
}

void courier_start(struct courier *courier)
{
    if (courier->transport->is_on(courier->o.config)) {
        open_outbox(courier);
    }
}

void courier_stop(struct courier *courier)
{
    courier->open = false;
    if (courier->call != NULL) {
        courier->transport->cancel(TAKE(courier->call));
    }
}

void courier_apply(struct courier *courier, const struct config *config)
{
    bool was_on = courier->transport->is_on(courier->o.config);
    courier->o.config = config;
    if (courier->transport->is_on(config)) {
        courier->held_mono_us = 0; /* the server may be another one */
        open_outbox(courier);
    } else if (was_on) {
        switch_off(courier);
    }
}
