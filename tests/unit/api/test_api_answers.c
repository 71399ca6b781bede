/* How old an answer is, whether a client has it already, and the summary. */
#include "api_rig.h"
#include "store/alert_table.h"

#include <string.h>

/* The value of a header in the last answer; "": it has none. */
static void header_of(const char *name, char *ret, size_t size)
{
    AUTO_BUF struct buf start = BUF_INIT(64);
    buf_addf(&start, "\r\n%s: ", name);
    const char *at = strstr(api_rig_answer(), start.data);
    at = at == NULL ? "" : at + start.len;
    (void)str_copy(str_n(at, strcspn(at, "\r")), ret, size);
}

static void an_answer_that_the_client_has_is_not_sent_again(void **state)
{
    struct api_rig *f = *state;
    static const char *const paths[] = {"/api/v1/state", "/api/v1/positions", "/api/v1/summary",
                                        "/api/v1/whoami"};
    const char *body;
    char etag[64], known[128];
    api_rig_beat(f);
    api_rig_publish(f);
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        assert_int_equal(api_rig_get(f, false, paths[i], "", &body), 200);
        header_of("ETag", etag, sizeof(etag));
        assert_true(strlen(etag) > 10);
        (void)snprintf(known, sizeof(known), "If-None-Match: \"other\", %s\r\n", etag);
        usleep(20000); /* its age is another one by now */
        assert_int_equal(api_rig_get(f, false, paths[i], known, &body), 304);
        assert_string_equal(body, "");
        assert_int_equal(api_rig_get(f, false, paths[i], "If-None-Match: *\r\n", &body), 304);
        assert_int_equal(api_rig_get(f, false, paths[i], "If-None-Match: W/\"0\"\r\n", &body), 200);
    }
    assert_int_equal(api_rig_get(f, false, "/api/v1/positions", "", &body), 200);
    header_of("ETag", etag, sizeof(etag));
    f->snapshot->positions[0].qty = dec_from_int(2);
    shared_publish_snapshot(&f->shared, f->snapshot);
    (void)snprintf(known, sizeof(known), "If-None-Match: %s\r\n", etag);
    assert_int_equal(api_rig_get(f, false, "/api/v1/positions", known, &body), 200);
    assert_has(body, "\"qty\":2,");
}

/* The last known state is served, marked as such. */
static void a_silent_engine_makes_answers_stale(void **state)
{
    struct api_rig *f = *state;
    static const char *const paths[] = {"/api/v1/state", "/api/v1/positions", "/api/v1/summary"};
    const char *body;
    char warning[64];
    api_rig_publish(f);
    struct {
        int64_t silent_s;
        const char *stale;
        const char *ttl;
    } cases[] = {{1, "\"stale\":false", "\"ttl_seconds\":5"},
                 {20, "\"stale\":true", "\"ttl_seconds\":39,"},
                 {90, "\"stale\":true", "\"ttl_seconds\":0,"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t now_us = clock_mono_us(clock_real());
        f->snapshot->published_wall_us = clock_wall_us(clock_real());
        f->snapshot->published_mono_us = now_us;
        shared_publish_snapshot(&f->shared, f->snapshot);
        atomic_store(&f->shared.engine_beat_mono_us,
                     now_us - cases[i].silent_s * USEC_PER_SEC - USEC_PER_SEC / 2);
        for (size_t k = 0; k < COUNT_OF(paths); k++) {
            assert_int_equal(api_rig_get(f, false, paths[k], "", &body), 200);
            assert_has(body, cases[i].stale);
            assert_has(body, cases[i].ttl);
            assert_has(body, "BTC-USD");
            header_of("Warning", warning, sizeof(warning));
            assert_string_equal(warning,
                                cases[i].silent_s > 5 ? "110 - \"Response is Stale\"" : "");
        }
    }
}

static void a_reading_command_gives_its_data(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    api_rig_beat(f);
    assert_int_equal(api_rig_get(f, false, "/api/v1/whoami", "", &body), 200);
    assert_has(body, "{\"schema\":\"nightdesk.whoami/1\",\"data_age_seconds\":");
    assert_has(body, "\"role\":\"admin\"");
    assert_int_equal(api_rig_get(f, true, "/api/v1/whoami",
                                 "Authorization: Bearer " API_RIG_TOKEN "\r\n", &body),
                     200);
    assert_has(body, "\"role\":\"operator\"");
    assert_int_equal(api_rig_get(f, false, "/api/v1/services?service=demo", "", &body), 200);
    assert_has(body, "\"name\":\"demo\"");
    assert_int_equal(api_rig_get(f, false, "/api/v1/services?service=demmo", "", &body), 400);
    api_rig_code(body, "COMMAND_ARG_INVALID");
    assert_has(body, "demo?");
    assert_int_equal(api_rig_get(f, true, "/api/v1/auditlog",
                                 "Authorization: Bearer " API_RIG_TOKEN "\r\n", &body),
                     403);
    api_rig_code(body, "ACCESS_DENIED");
}

/* For a model's context: at three bytes a token, 7,500 bytes are 2,500 tokens. */
#define SUMMARY_MAX 7500

static void fill(char *text, size_t size)
{
    memset(text, 'x', size - 1);
    text[size - 1] = '\0';
}

/* With more of everything than it shows, and texts as long as they can be. */
static void the_summary_is_short_and_the_most_urgent_comes_first(void **state)
{
    struct api_rig *f = *state;
    struct err err = {0};
    const char *body;
    AUTO_OPS_STORE struct ops_store *store = NULL;
    assert_int_equal(ops_store_open(f->folder, OPS_STORE_WRITE, &store, &err), 0);
    static char title[ALERT_TITLE_SIZE], text[ALERT_TEXT_SIZE];
    fill(title, sizeof(title));
    fill(text, sizeof(text));
    for (int i = 0; i < 12; i++) {
        char fingerprint[16];
        struct alert_raised raised;
        (void)snprintf(fingerprint, sizeof(fingerprint), "f%d", i);
        (void)snprintf(title, 4, "a%02d", i);
        title[3] = 'x';
        const struct alert_new alert = {.type = ALERT_SERVICE,
                                        .severity = i == 4   ? SEVERITY_CRITICAL
                                                    : i == 7 ? SEVERITY_HIGH
                                                             : SEVERITY_MEDIUM,
                                        .title = title,
                                        .description = text,
                                        .recommendation = text,
                                        .source = "health",
                                        .fingerprint = fingerprint};
        assert_int_equal(alert_table_raise(store, &alert, USEC_PER_DAY, &raised, &err), 0);
    }
    api_rig_beat(f);
    api_rig_publish(f);
    struct snapshot *s = f->snapshot;
    fill(s->state_reason, sizeof(s->state_reason));
    s->market_count = 1;
    shared_publish_snapshot(&f->shared, s);
    assert_int_equal(api_rig_get(f, false, "/api/v1/summary", "", &body), 200);
    assert_true(strlen(body) < SUMMARY_MAX);
    AUTO_JSON struct json_object *root = NULL;
    assert_int_equal(json_parse(str_c(body), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    struct json_object *errors = json_get(root, "errors");
    assert_int_equal(json_len(errors), 3);
    assert_string_equal(json_text(json_item(errors, 0), "severity"), "critical");
    assert_string_equal(json_text(json_item(errors, 1), "severity"), "high");
    assert_int_equal(json_i64(json_item(errors, 2), "alert_id", 0), 12); /* the newest */
    assert_int_equal(json_i64(json_get(root, "errors_open"), "medium", 0), 10);
    assert_true(strstr(body, "\"errors\"") < strstr(body, "\"positions\""));
    assert_has(json_text(root, "unreadable"), "could not open the database"); /* trading.db */
    assert_int_equal(json_i64(root, "positions_open", 0), 1);
}

static void the_page_is_compressed_for_those_who_take_it(void **state)
{
    static const struct {
        const char *accepts;
        bool gzip;
    } cases[] = {{"gzip", true},
                 {"br, GZIP;q=0.001", true},
                 {"*", true},
                 {"gzip;q=1.0, *;q=0", true},
                 {"br", false},
                 {"gzip;q=0", false},
                 {"gzip;q=0.000", false},
                 {"gzip ; Q = 0.00", false},
                 {"*;q=0.0", false},
                 {"*, gzip;q=0.00", false},
                 {",,gzip;;,", true},
                 {";", false}};
    struct api_rig *f = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char header[128];
        const char *body;
        (void)snprintf(header, sizeof(header), "Accept-Encoding: %s\r\n", cases[i].accepts);
        assert_int_equal(api_rig_get(f, true, "/", header, &body), 200);
        bool gzip = strstr(api_rig_answer(), "Content-Encoding: gzip") != NULL;
        if (gzip != cases[i].gzip) {
            fail_msg("%s", cases[i].accepts);
        }
    }
}

UNIT_GROUP(api_answers, API_TEST(an_answer_that_the_client_has_is_not_sent_again),
           API_TEST(a_silent_engine_makes_answers_stale),
           API_TEST(a_reading_command_gives_its_data),
           API_TEST(the_page_is_compressed_for_those_who_take_it),
           API_TEST(the_summary_is_short_and_the_most_urgent_comes_first))
