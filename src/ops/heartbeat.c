#include "heartbeat.h"

#include "alerts/alerts.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "io/http.h"
#include "io/json_out.h"
#include "io/loop.h"

#define TIMEOUT_MS INT64_C(10000)
#define ANSWER_MAX ((size_t)16 * 1024)

/* The state of the alert as this process last stored it. */
enum stored_alert { STORED_NOTHING, STORED_RAISED, STORED_RESOLVED };

struct heartbeat {
    struct heartbeat_options o;
    struct loop_source *timer;
    struct http_call *call;   /* the heartbeat under way */
    int64_t accepted_mono_us; /* of the last successful heartbeat; at first: heartbeat_start */
    int64_t failures;         /* since accepted_mono_us */
    int64_t sent;             /* since the start */
    bool withheld;
    enum stored_alert alert;
    char last_failure[96];
};

static int64_t now_mono_us(const struct heartbeat *h)
{
    return clock_mono_us(loop_clock(h->o.loop));
}

static void raise_undelivered(struct heartbeat *h)
{
    AUTO_BUF struct buf text = BUF_INIT(512);
    buf_add_c(&text, "No heartbeat was delivered for ");
    clock_add_duration(&text, now_mono_us(h) - h->accepted_mono_us);
    buf_addf(&text,
             ": %lld failed, the last with %s. The monitoring service assumes that nightdesk is "
             "down, and can no longer warn you if it really is.",
             (long long)h->failures, h->last_failure);
    const struct alert_spec spec = {
        .type = ALERT_SERVICE,
        .severity = SEVERITY_MEDIUM,
        .source = "ops",
        .fingerprint = HEARTBEAT_ALERT,
        .title = "heartbeats are not delivered",
        .description = text.data,
        .recommendation = "Check that the monitoring service is up and that "
                          "monitoring.heartbeat_url is still correct.",
    };
    struct err err = {0};
    int64_t id;
    if (alerts_raise(h->o.alerts, &spec, &id, &err) == 0) {
        h->alert = STORED_RAISED;
    } else {
        log_err(LOG_LEVEL_WARNING, &err, "could not store an alert");
    }
}

static void on_accepted(struct heartbeat *h)
{
    struct err err = {0};
    if (h->failures > 0) {
        LOG(NOTICE, "heartbeat delivered again after %lld failures", (long long)h->failures);
    }
    h->accepted_mono_us = now_mono_us(h);
    h->failures = 0;
    /* At the first success too: the last process may have left the alert open. */
    if (h->alert != STORED_RESOLVED &&
        alerts_resolve(h->o.alerts, HEARTBEAT_ALERT, "heartbeats are delivered again", &err) == 0) {
        h->alert = STORED_RESOLVED;
    }
}

static void on_failed(struct heartbeat *h)
{
    h->failures++;
    if (h->failures == 1) {
        LOG(WARNING, "heartbeat failed: %s", h->last_failure);
    }
    if (h->alert != STORED_RAISED && now_mono_us(h) - h->accepted_mono_us >= h->o.alert_after_us) {
        raise_undelivered(h);
    }
}

static void on_answer(const struct http_response *response, void *userdata)
{
    struct heartbeat *h = userdata;
    h->call = NULL;
    if (response->outcome == HTTP_OK && response->status >= 200 && response->status < 300) {
        on_accepted(h);
        return;
    }
    if (response->status != 0) {
        (void)snprintf(h->last_failure, sizeof(h->last_failure), "HTTP status %d",
                       response->status);
    } else { /* not the context, which contains the URL */
        (void)snprintf(h->last_failure, sizeof(h->last_failure), "%s",
                       err_info(response->err.id)->message);
    }
    on_failed(h);
}

static void on_timer(void *userdata)
{
    struct heartbeat *h = userdata;
    bool alive = h->o.alive(h->o.userdata);
    if (alive == h->withheld) {
        h->withheld = !alive;
        LOG(NOTICE, "%s",
            alive ? "heartbeats are sent again"
                  : "the heartbeat is withheld: a thread makes no progress");
    }
    if (!alive || h->call != NULL) {
        return;
    }
    struct err err = {0};
    const struct http_request request = {
        .url = h->o.url, .timeout_ms = TIMEOUT_MS, .max_body_bytes = ANSWER_MAX};
    h->sent++;
    h->call = http_send(h->o.http, &request, on_answer, h, &err);
    if (h->call == NULL) {
        (void)snprintf(h->last_failure, sizeof(h->last_failure), "%s", err_info(err.id)->message);
        on_failed(h);
    }
}

struct heartbeat *heartbeat_new(const struct heartbeat_options *options)
{
    if (options->url[0] == '\0') {
        return NULL;
    }
    struct heartbeat *h = calloc(1, sizeof(*h));
    ASSERT(h != NULL);
    h->o = *options;
    h->timer = loop_add_timer(options->loop, on_timer, h);
    loop_source_name(h->timer, "heartbeat");
    return h;
}

void heartbeat_start(struct heartbeat *heartbeat)
{
    if (heartbeat != NULL) {
        heartbeat->accepted_mono_us = now_mono_us(heartbeat);
        loop_timer_every(heartbeat->timer, heartbeat->o.interval_us);
    }
}

void heartbeat_move(struct heartbeat *heartbeat, const char *url)
{
    if (heartbeat != NULL) {
        heartbeat->o.url = url;
    }
}

void heartbeat_free(struct heartbeat *heartbeat)
{
    if (heartbeat == NULL) {
        return;
    }
    if (heartbeat->call != NULL) {
        http_cancel(heartbeat->call);
    }
    loop_source_free(heartbeat->timer);
    free(heartbeat);
}

void heartbeat_status(struct buf *out, struct json_object *data, void *userdata)
{
    const struct heartbeat *h = userdata;
    if (h->failures > 0) {
        buf_addf(out, "Heartbeat not delivered for ");
        clock_add_duration(out, now_mono_us(h) - h->accepted_mono_us);
        buf_addf(out, " (%lld failed)", (long long)h->failures);
    }
    struct json_out members = JSON_OUT_TREE(data);
    json_out_object(&members, "heartbeat");
    json_out_i64(&members, "sent", h->sent);
    json_out_i64(&members, "failures", h->failures);
    json_out_bool(&members, "withheld", h->withheld);
    json_out_end(&members);
}
