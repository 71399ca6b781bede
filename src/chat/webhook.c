#include "base/check.h"
#include "chat/render.h"
#include "config/config.h"
#include "io/http.h"
#include "io/json_out.h"
#include "io/secret.h"
#include "model/model_json.h"
#include "store/alert_message_table.h"
#include "store/alert_table.h"
#include "transport.h"

#include <string.h>

#define TIMEOUT_MS   INT64_C(15000)
#define DOCUMENT_MAX ((size_t)2 * 1024 * 1024)
#define ANSWER_MAX   ((size_t)64 * 1024)

/* ---------------------------------------------------------------- the document */

static void add_alert(struct ops_store *store, int64_t outbox_id, struct json_out *out)
{
    int64_t id = 0, total = 0, open = 0;
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    if (alert_message_table_alerts(store, outbox_id, &id, 1, &total, &open, NULL) == 1 &&
        total == 1 && alert_table_get(store, id, alert, NULL) == 0) {
        json_out_object(out, "alert");
        model_json_alert(out, alert);
        json_out_end(out);
    }
}

static const char *severity_of(enum outbox_priority priority)
{
    switch (priority) {
    case OUTBOX_CRITICAL:
        return "critical";
    case OUTBOX_HIGH:
        return "high";
    case OUTBOX_NORMAL:
        return "medium";
    case OUTBOX_INFO:
        return "info";
    }
    return "info";
}

static void document(struct ops_store *store, const struct transport_message *message,
                     struct buf *out)
{
    struct json_out json = JSON_OUT(out);
    AUTO_BUF struct buf text = BUF_INIT(RENDER_TEXT_MAX);
    render_text(message->reply, &(struct render_text_options){0}, &text);
    json_out_object(&json, NULL);
    json_out_text(&json, "schema", "nightdesk.message/1");
    json_out_i64(&json, "id", message->row->id);
    json_out_time(&json, "created_at", message->row->created_us);
    json_out_text(&json, "severity", severity_of(message->row->priority));
    json_out_text(&json, "title", reply_get_title(message->reply));
    json_out_text(&json, "text", text.data);
    json_out_bool(&json, "possibly_repeated", message->repeated);
    add_alert(store, message->row->id, &json);
    json_out_end(&json);
}

/* ---------------------------------------------------------------- delivery */

static bool is_on(const struct config *config)
{
    return config->webhook_url != NULL && config->webhook_url[0] != '\0';
}

/* Without the context of the HTTP client, which quotes the host and the path of the URL. */
static void set_failure(const struct http_response *response, enum err_id id, struct err *err)
{
    if (response->status != 0) {
        (void)err_set(err, id, "HTTP status %d", response->status);
    } else {
        (void)err_set(err, id, "%s", err_info(response->err.id)->message);
    }
}

static void on_answer(const struct http_response *response, void *userdata)
{
    struct courier *courier = userdata;
    struct err err = {0};
    int status = response->status;
    bool later = status == 408 || status == 425 || status == 429 || status >= 500 || status < 200;
    if (response->outcome == HTTP_UNKNOWN) {
        set_failure(response, ERR_WEBHOOK_FAILED, &err);
        courier_done(courier, TRANSPORT_LOST, &err);
    } else if (response->outcome == HTTP_NOT_SENT) {
        set_failure(response, ERR_WEBHOOK_FAILED, &err);
        courier_done(courier, TRANSPORT_LATER, &err);
    } else if (status >= 200 && status < 300) { /* also if its body is too large */
        courier_done(courier, TRANSPORT_DELIVERED, NULL);
    } else {
        set_failure(response, later ? ERR_WEBHOOK_FAILED : ERR_WEBHOOK_REFUSED, &err);
        courier_done(courier, later ? TRANSPORT_LATER : TRANSPORT_REFUSED, &err);
    }
}

static void *begin(const struct transport_message *message)
{
    const struct config *config = message->o->config;
    AUTO_BUF struct buf body = BUF_INIT(DOCUMENT_MAX);
    AUTO_BUF struct buf text = BUF_INIT(DOCUMENT_MAX);
    char signature[SECRET_HASH_HEX_SIZE], timestamp[64], delivery[96], signed_by[128];
    long long now_s = (long long)(clock_wall_us(message->o->clock) / USEC_PER_SEC);
    document(message->o->store, message, &body);
    ASSERT(!buf_failed(&body)); /* a reply is far smaller */
    buf_addf(&text, "%lld.", now_s);
    buf_add_str(&text, buf_str(&body));
    secret_hmac_sha256(str_c(config->webhook_secret), buf_str(&text), signature);
    (void)snprintf(timestamp, sizeof(timestamp), "X-Nightdesk-Timestamp: %lld", now_s);
    (void)snprintf(delivery, sizeof(delivery), "X-Nightdesk-Delivery: %lld-%lld",
                   (long long)message->row->id, (long long)message->row->created_us);
    (void)snprintf(signed_by, sizeof(signed_by), "X-Nightdesk-Signature: v1=%s", signature);
    const char *const headers[] = {timestamp, delivery, signed_by, NULL};
    struct err err = {0};
    const struct http_request request = {
        .url = config->webhook_url,
        .headers = headers,
        .body = buf_str(&body),
        .content_type = "application/json",
        .timeout_ms = message->o->timeout_ms > 0 ? message->o->timeout_ms : TIMEOUT_MS,
        .max_body_bytes = ANSWER_MAX};
    struct http_call *call =
        http_send(message->o->http, &request, on_answer, message->courier, &err);
    if (call == NULL) {
        struct err why;
        (void)err_set(&why, ERR_WEBHOOK_FAILED, "%s", err_info(err.id)->message);
        courier_done(message->courier, TRANSPORT_LATER, &why);
    }
    return call;
}

static void cancel(void *call)
{
    http_cancel(call);
}

const struct transport webhook_transport = {
    .channel = "webhook", .is_on = is_on, .begin = begin, .cancel = cancel};
