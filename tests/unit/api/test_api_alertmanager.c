#include "api_rig.h"
#include "store/alert_table.h"

#define TOKEN "Authorization: Bearer " API_RIG_TOKEN "\r\n"

static int post(struct api_rig *f, bool tcp, const char *headers, const char *body,
                const char **ret_body)
{
    AUTO_BUF struct buf text = BUF_INIT(256 * 1024);
    buf_addf(&text,
             "POST /api/v1/alertmanager HTTP/1.1\r\nHost: localhost\r\n%sConnection: close\r\n"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
             headers, strlen(body));
    buf_add_c(&text, body);
    return api_rig_exchange(f, tcp, text.data, ret_body);
}

static struct alert find(struct api_rig *f, const char *fingerprint)
{
    struct alert alert;
    assert_int_equal(alert_table_find(f->store, fingerprint, &alert, NULL), 0);
    return alert;
}

#define ALERT_OF(status, n, severity)                                                      \
    "{\"status\":\"" status "\",\"fingerprint\":\"" n "\",\"labels\":{\"alertname\":\"N" n \
    "\",\"severity\":\"" severity "\"},\"annotations\":{}}"
#define BODY(alerts) "{\"version\":\"4\",\"alerts\":[" alerts "]}"

static void their_alerts_become_ours(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    assert_int_equal(post(f, true, "", BODY(ALERT_OF("firing", "1", "page")), &body), 401);
    assert_int_equal(post(f, true, TOKEN,
                          BODY(ALERT_OF("firing", "1", "page") "," ALERT_OF("firing", "2", "low")),
                          &body),
                     200);
    assert_has(body, "{\"schema\":\"nightdesk.alertmanager/1\",\"data_age_seconds\":");
    assert_has(body, "\"firing\":2,\"resolved\":0}");
    struct alert first = find(f, "alertmanager:1");
    assert_int_equal(first.severity, SEVERITY_CRITICAL);
    assert_string_equal(first.title, "N1");
    assert_string_equal(first.source, "alertmanager");
    assert_int_equal(first.status, ALERT_OPEN);
    assert_int_equal(find(f, "alertmanager:2").severity, SEVERITY_LOW);

    /* Sent again it is counted, not raised again. */
    assert_int_equal(post(f, false, "", BODY(ALERT_OF("firing", "1", "page")), &body), 200);
    assert_int_equal(find(f, "alertmanager:1").count, 2);
    assert_int_equal(find(f, "alertmanager:1").id, first.id);

    assert_int_equal(
        post(f, false, "",
             BODY(ALERT_OF("resolved", "1", "page") "," ALERT_OF("resolved", "unknown", "page")),
             &body),
        200);
    assert_has(body, "\"firing\":0,\"resolved\":2");
    assert_int_equal(find(f, "alertmanager:1").status, ALERT_FIXED);
    assert_int_equal(find(f, "alertmanager:2").status, ALERT_OPEN);
}

static void a_malformed_notification_changes_nothing(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    struct alert alert;
    assert_int_equal(post(f, false, "",
                          BODY(ALERT_OF("firing", "5", "page") "," ALERT_OF("on", "6", "page")),
                          &body),
                     400);
    api_rig_code(body, "API_ALERTS");
    assert_has(body, "alerts[1]: status");
    assert_int_equal(alert_table_find(f->store, "alertmanager:5", &alert, NULL),
                     -ERR_STORE_NOT_FOUND);
    assert_int_equal(post(f, false, "", "{\"version\":", &body), 400);
    assert_int_equal(api_rig_get(f, false, "/api/v1/alertmanager", "", &body), 405);
    api_rig_code(body, "API_METHOD");
}

UNIT_GROUP(api_alertmanager, API_TEST(their_alerts_become_ours),
           API_TEST(a_malformed_notification_changes_nothing))
