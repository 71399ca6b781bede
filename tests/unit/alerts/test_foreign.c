#include "alerts/foreign.h"
#include "base/buf.h"
#include "unit/unit.h"

#include <stdlib.h>

#define HEAD        "{\"version\":\"4\",\"status\":\"firing\",\"alerts\":["
#define ONE(fields) HEAD "{" fields "}]}"
#define FIRING      "\"status\":\"firing\",\"fingerprint\":\"a1\""

static int read_text(const char *body, struct foreign_alert **ret)
{
    struct err err = {0};
    int n = foreign_read(str_c(body), ret, &err);
    if (n < 0) {
        assert_null(*ret);
        assert_int_equal(-n, err.id);
    }
    return n;
}

static void words_of_others_have_a_severity(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        enum severity severity;
    } rows[] = {
        {"critical", SEVERITY_CRITICAL}, {"PAGE", SEVERITY_CRITICAL},   {"Error", SEVERITY_HIGH},
        {"high", SEVERITY_HIGH},         {"warning", SEVERITY_MEDIUM},  {"", SEVERITY_MEDIUM},
        {"p1", SEVERITY_MEDIUM},         {"low", SEVERITY_LOW},         {"info", SEVERITY_INFO},
        {"none", SEVERITY_INFO},         {"criticall", SEVERITY_MEDIUM}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(foreign_severity(str_c(rows[i].word)), rows[i].severity);
    }
}

static void an_alert_is_read_whole(void **state)
{
    (void)state;
    struct foreign_alert *list;
    int n = read_text(
        HEAD
        "{" FIRING ",\"startsAt\":\"2026-11-30T01:00:00Z\",\"labels\":{\"alertname\":\"DiskFull\","
        "\"severity\":\"critical\",\"instance\":\"db1:9100\",\"job\":\"node\"},\"annotations\":"
        "{\"summary\":\"db1 is full\",\"description\":\"3 % left\\non /var\","
        "\"runbook_url\":\"https://wiki/disk\"},\"generatorURL\":\"http://p/graph\"},"
        "{\"status\":\"resolved\",\"fingerprint\":\"b2\",\"labels\":{\"alertname\":\"Late\"},"
        "\"annotations\":{\"runbook_url\":\"javascript:alert(1)\"}}],\"truncatedAlerts\":3}",
        &list);
    assert_int_equal(n, 2);
    assert_false(list[0].resolved);
    assert_int_equal(list[0].severity, SEVERITY_CRITICAL);
    assert_string_equal(list[0].fingerprint, "alertmanager:a1");
    assert_string_equal(list[0].title, "db1 is full");
    assert_string_equal(list[0].description, "3 % left on /var\nFrom Alertmanager: DiskFull, "
                                             "instance=db1:9100, job=node");
    assert_string_equal(list[0].recommendation, "Runbook: https://wiki/disk");
    assert_true(list[1].resolved);
    assert_string_equal(list[1].title, "Late");
    assert_string_equal(list[1].description, "From Alertmanager: Late");
    assert_string_equal(list[1].recommendation, "");
    free(list);
    assert_int_equal(read_text(HEAD "]}", &list), 0);
    free(list);
}

static void a_malformed_body_is_refused_whole(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "[]",
        "\"x\"",
        "null",
        "{}",
        "{\"version\":\"4\"}",
        "{\"version\":4,\"alerts\":[]}",
        "{\"version\":\"3\",\"alerts\":[]}",
        "{\"version\":\"4\",\"alerts\":{}}",
        HEAD "7]}",
        HEAD "null]}",
        HEAD "[]]}",
        ONE(""),
        ONE("\"status\":\"firing\""),
        ONE("\"status\":\"FIRING\",\"fingerprint\":\"a\""),
        ONE("\"status\":1,\"fingerprint\":\"a\""),
        ONE("\"status\":\"firing\",\"fingerprint\":\"\""),
        ONE("\"status\":\"firing\",\"fingerprint\":\"a b\""),
        ONE("\"status\":\"firing\",\"fingerprint\":\"a\\u0000b\""),
        ONE("\"status\":\"firing\",\"fingerprint\":\"../../x\""),
        ONE("\"status\":\"firing\",\"fingerprint\":"
            "\"00000000000000000000000000000000000000000000000"
            "000000000000000000\""),
        ONE(FIRING ",\"labels\":[]"),
        ONE(FIRING ",\"labels\":\"x\""),
        ONE(FIRING ",\"labels\":{\"a\":1}"),
        ONE(FIRING ",\"labels\":{\"a\":null}"),
        ONE(FIRING ",\"annotations\":{\"a\":{}}"),
        HEAD "{" FIRING "},{\"status\":\"firing\"}]}",
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct foreign_alert *list;
        if (read_text(bodies[i], &list) != -ERR_API_ALERTS) {
            print_error("%s\n", bodies[i]);
            fail();
        }
    }
    static const char *const no_json[] = {"",
                                          "{",
                                          "nul",
                                          "{\"version\":\"4\",}",
                                          "\xff",
                                          "{\"version\":\"4\",\"version\":\"4\"}",
                                          "[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]"};
    for (size_t i = 0; i < sizeof(no_json) / sizeof(no_json[0]); i++) {
        struct foreign_alert *list;
        assert_true(read_text(no_json[i], &list) < 0);
    }
    AUTO_BUF struct buf many = BUF_INIT(64 * 1024);
    buf_add_c(&many, HEAD "{" FIRING "}");
    for (int i = 0; i < FOREIGN_MAX; i++) {
        buf_add_c(&many, ",{" FIRING "}");
    }
    buf_add_c(&many, "]}");
    struct foreign_alert *list;
    assert_int_equal(read_text(many.data, &list), -ERR_API_ALERTS);
}

static void texts_are_bounded_and_harmless(void **state)
{
    (void)state;
    AUTO_BUF struct buf body = BUF_INIT(256 * 1024);
    buf_add_c(&body, HEAD "{" FIRING ",\"annotations\":{\"summary\":\"a\\u001b[2J\\u202eb\\nc ");
    for (int i = 0; i < 300; i++) {
        buf_add_c(&body, "\xC3\xA9");
    }
    buf_add_c(&body, "\",\"description\":\"");
    for (int i = 0; i < 40000; i++) {
        buf_add_char(&body, 'd');
    }
    buf_add_c(&body, "\"},\"labels\":{\"alertname\":\"\"");
    for (int i = 0; i < 100; i++) {
        buf_addf(&body, ",\"label%d\":\"<b>%0*d</b>\"", i, 500, i);
    }
    buf_add_c(&body, "}}]}");
    struct foreign_alert *list;
    assert_int_equal(read_text(body.data, &list), 1);
    assert_int_equal(strncmp(list[0].title, "a?[2J???b c \xC3\xA9", 14), 0);
    assert_true(strlen(list[0].title) < ALERT_TITLE_SIZE && str_is_utf8(str_c(list[0].title)));
    assert_true(strlen(list[0].description) < ALERT_TEXT_SIZE &&
                strlen(list[0].description) > ALERT_TEXT_SIZE / 2);
    assert_has(list[0].description, "d\nFrom Alertmanager, label0=<b>00");
    free(list);
}

UNIT_GROUP(foreign, cmocka_unit_test(words_of_others_have_a_severity),
           cmocka_unit_test(an_alert_is_read_whole),
           cmocka_unit_test(a_malformed_body_is_refused_whole),
           cmocka_unit_test(texts_are_bounded_and_harmless))
