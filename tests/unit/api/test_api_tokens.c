#include "../../../src/api/api_tally.h"
#include "api_rig.h"
#include "store/alert_table.h"
#include "store/audit_chain.h"
#include "store/read_table.h"

/* Makes a token; returns the header with it, and the token itself if the caller wants it. */
static const char *make(struct api_rig *f, const struct access_token_wish *wish, char *ret_token)
{
    static char header[4][128];
    static int next;
    char token[ACCESS_TOKEN_SIZE];
    const struct principal owner = {.channel = CHANNEL_CONSOLE, .name = "owner"};
    struct access_token_wish whole = *wish;
    struct err err = {0};
    whole.networks = wish->networks == NULL ? "" : wish->networks;
    whole.commands = wish->commands == NULL ? "" : wish->commands;
    if (access_token_create(f->access, &owner, &whole, token, &err) < 0) {
        fail_msg("%s: %s", err_info(err.id)->code, err.context);
    }
    api_apply(f->api, f->config);
    char *slot = header[next++ % 4];
    (void)snprintf(slot, sizeof(header[0]), "Authorization: Bearer %s\r\n", token);
    if (ret_token != NULL) {
        memcpy(ret_token, token, sizeof(token));
    }
    return slot;
}

static const char *make_reader(struct api_rig *f, const char *name)
{
    return make(f, &(struct access_token_wish){.name = name, .role = ROLE_READ_ONLY}, NULL);
}

static int get(struct api_rig *f, const char *headers, const char **ret_body)
{
    return api_rig_get(f, true, "/api/v1/positions", headers, ret_body);
}

/* The value of a header of the last answer; -1: it has none. */
static int64_t header_number(const char *name)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "\r\n%s: ", name);
    const char *at = strstr(api_rig_answer(), text);
    return at == NULL ? -1 : strtoll(at + strlen(text), NULL, 10);
}

static void apply(struct api_rig *f, const char *yaml, struct config **ret)
{
    struct err err = {0};
    if (config_parse(str_c(yaml), "test", ret, NULL, &err) < 0) {
        fail_msg("%s", err.context);
    }
    api_apply(f->api, *ret);
}

static int64_t audited(struct api_rig *f, const char *action, struct audit_row *ret_newest)
{
    static struct audit_row rows[256];
    int n = audit_chain_list(f->store, 0, rows, 256, NULL);
    int64_t count = 0;
    for (int i = 0; i < n; i++) {
        if (strcmp(rows[i].action, action) == 0) {
            *ret_newest = count == 0 ? rows[i] : *ret_newest;
            count++;
        }
    }
    return count;
}

/* ------------------------------------------------------------------------------- who it is ---- */

static void a_token_has_the_name_and_the_role_it_was_made_with(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    struct audit_row row;
    api_rig_publish(f);
    const char *reader = make_reader(f, "grafana");
    assert_int_equal(get(f, reader, &body), 200);
    assert_int_equal(api_rig_post(f, true, "whoami", reader, "{}", &body), 200);
    assert_has(body, "\"name\":\"grafana\",\"role\":\"read_only\"");
    assert_int_equal(api_rig_post(f, true, "restart", reader, "{\"args\":[\"demo\"]}", &body), 403);
    assert_has(body, "ACCESS_DENIED");
    assert_int_equal(audited(f, "command.denied", &row), 1);
    assert_string_equal(row.user, "grafana");
    assert_string_equal(row.channel, "http");
    const char *limited = make(
        f, &(struct access_token_wish){.name = "ci", .role = ROLE_OPERATOR, .commands = "who*"},
        NULL);
    assert_int_equal(api_rig_post(f, true, "whoami", limited, "{}", &body), 200);
    assert_int_equal(api_rig_post(f, true, "version", limited, "{}", &body), 403);
    assert_has(body, "the token ci may only run who*");
}

static int propose(struct api_rig *f, const char *token, const char *line, const char **ret_body)
{
    AUTO_BUF struct buf body = BUF_INIT(1000);
    AUTO_BUF struct buf request = BUF_INIT(2000);
    buf_addf(&body,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
             "\"propose_command\",\"arguments\":{\"command\":\"%s\",\"reason\":\"a test\"}}}",
             line);
    buf_addf(&request,
             "POST /mcp HTTP/1.1\r\nHost: localhost\r\n%sMCP-Protocol-Version: 2025-11-25\r\n"
             "Connection: close\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             token, body.len, body.data);
    return api_rig_exchange(f, true, request.data, ret_body);
}

/* What it may not run it may not propose either: a person who accepts has another role. */
static void a_token_proposes_only_what_it_may_run(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    const char *limited = make(
        f, &(struct access_token_wish){.name = "ci", .role = ROLE_OPERATOR, .commands = "pau*"},
        NULL);
    api_rig_publish(f);
    assert_int_equal(propose(f, limited, "/restart demo", &body), 200);
    assert_has(body, "\"isError\":true");
    assert_has(body, "ACCESS_DENIED");
    assert_has(body, "the token ci may only run pau*");
    assert_int_equal(propose(f, limited, "/pause", &body), 200);
    assert_has(body, "\"isError\":false");
}

/* A caller who may not change the configuration may not have one kept either. */
static void a_low_role_cannot_apply_a_configuration(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    struct audit_row row;
    static const char document[] = "{\"document\":\"market: {speed: 5}\",\"confirm\":true}";
    static const struct access_token_wish wishes[] = {{.name = "reader", .role = ROLE_READ_ONLY},
                                                      {.name = "worker", .role = ROLE_OPERATOR}};
    api_rig_publish(f);
    for (size_t i = 0; i < COUNT_OF(wishes); i++) {
        AUTO_BUF struct buf request = BUF_INIT(2000);
        buf_addf(&request,
                 "POST /api/v1/config/apply HTTP/1.1\r\nHost: localhost\r\n%sConnection: close\r\n"
                 "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                 make(f, &wishes[i], NULL), sizeof(document) - 1, document);
        assert_int_equal(api_rig_exchange(f, true, request.data, &body), 403);
        api_rig_code(body, "ACCESS_DENIED");
        assert_int_equal(audited(f, "command.denied", &row), (int64_t)i + 1);
    }
}

/* A prompt belongs to the token that asked; another one that knows its code cannot answer it. */
static void a_confirmation_is_bound_to_the_token(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    const struct access_token_wish wishes[] = {{.name = "one", .role = ROLE_OPERATOR},
                                               {.name = "two", .role = ROLE_OPERATOR}};
    const char *one = make(f, &wishes[0], NULL), *two = make(f, &wishes[1], NULL);
    api_rig_publish(f);
    (void)api_rig_post(f, true, "restart", one, "{\"args\":[\"demo\"]}", &body);
    assert_has(body, "CONFIRM_NEEDED");
    const char *code = strstr(body, "\"context\":\"");
    assert_non_null(code);
    char request[64];
    (void)snprintf(request, sizeof(request), "{\"args\":[\"%.*s\"]}", (int)strcspn(code + 11, "\""),
                   code + 11);
    assert_int_not_equal(api_rig_post(f, true, "confirm", two, request, &body), 200);
    assert_has(body, "CONFIRM_");
    assert_int_not_equal(api_rig_post(f, true, "cancel", two, request, &body), 200);
    assert_int_equal(api_rig_post(f, true, "cancel", one, request, &body), 200);
}

static void a_revoked_token_ends_while_it_is_in_use(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    const struct principal owner = {.channel = CHANNEL_CONSOLE, .name = "owner"};
    const char *one = make_reader(f, "one"), *two = make_reader(f, "two");
    assert_int_equal(get(f, one, &body), 200);
    assert_int_equal(access_token_revoke(f->access, &owner, "one", NULL), 0);
    api_apply(f->api, f->config);
    for (int i = 0; i < 20; i++) { /* a program that still has it is no attacker */
        assert_int_equal(get(f, one, &body), 401);
        api_rig_code(body, "API_TOKEN_ENDED");
        assert_has(body, "it was revoked at ");
    }
    assert_int_equal(api_rig_post(f, true, "whoami", one, "{}", &body), 401);
    assert_int_equal(get(f, two, &body), 200);
}

/* The ticket is used up by the refusal, so that the second one is as good as the first. */
static void a_ticket_ends_with_its_token(void **state)
{
    struct api_rig *f = *state;
    const struct principal owner = {.channel = CHANNEL_CONSOLE, .name = "owner"};
    const char *body, *one = make_reader(f, "one");
    char request[512], path[128];
    (void)snprintf(request, sizeof(request),
                   "POST /api/v1/stream/ticket HTTP/1.1\r\nHost: localhost\r\n%s"
                   "Connection: close\r\nContent-Length: 0\r\n\r\n",
                   one);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(api_rig_exchange(f, true, request, &body), 200);
        AUTO_JSON struct json_object *root = NULL;
        assert_int_equal(json_parse(str_c(body), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
        (void)snprintf(path, sizeof(path), "/api/v1/stream?ticket=%s", json_text(root, "ticket"));
        if (i == 0) { /* without an upgrade it is admitted, and goes no further */
            assert_int_equal(api_rig_get(f, true, path, "", &body), 426);
        }
    }
    assert_int_equal(access_token_revoke(f->access, &owner, "one", NULL), 0);
    api_apply(f->api, f->config);
    assert_int_equal(api_rig_get(f, true, path, "", &body), 401);
    api_rig_code(body, "API_TICKET");
    assert_has(body, "the token that asked for it has ended");
}

static void an_expired_token_is_refused(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    const char *brief =
        make(f,
             &(struct access_token_wish){
                 .name = "brief", .role = ROLE_READ_ONLY, .lifetime_us = USEC_PER_SEC / 4},
             NULL);
    assert_int_equal(get(f, brief, &body), 200);
    (void)usleep(300 * 1000);
    assert_int_equal(get(f, brief, &body), 401);
    api_rig_code(body, "API_TOKEN_ENDED");
    assert_has(body, "it expired at ");
}

/* Both are valid until the grace ends, also before ops has noticed that. */
static void a_rotated_token_ends_with_its_grace(void **state)
{
    static const char before[] = "Authorization: Bearer " API_RIG_TOKEN "\r\n";
    static const char after[] = "Authorization: Bearer horse-battery-correct\r\n";
    struct api_rig *f = *state;
    struct config *rotated = NULL;
    const char *body;
    api_rig_publish(f);
    api_grace(f->api, clock_wall_us(clock_real()) + USEC_PER_SEC / 4);
    apply(f, "api: {token: horse-battery-correct}\nservices: {}\n", &rotated);
    assert_int_equal(get(f, before, &body), 200);
    assert_int_equal(get(f, after, &body), 200);
    (void)usleep(300 * 1000);
    assert_int_equal(get(f, before, &body), 401);
    assert_int_equal(get(f, after, &body), 200);
    api_tick(f->api);
    assert_int_equal(get(f, before, &body), 401);
    api_rig_code(body, "API_UNAUTHORIZED");
    assert_int_equal(get(f, after, &body), 200);
    api_apply(f->api, f->config);
    config_free(rotated);
}

static void a_token_is_bound_to_its_addresses(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    struct alert alert;
    const char *here =
        make(f,
             &(struct access_token_wish){
                 .name = "here", .role = ROLE_READ_ONLY, .networks = "10.0.0.0/8,127.0.0.0/8"},
             NULL);
    const char *there = make(f,
                             &(struct access_token_wish){
                                 .name = "there", .role = ROLE_READ_ONLY, .networks = "10.0.0.0/8"},
                             NULL);
    assert_int_equal(get(f, here, &body), 200);
    assert_int_equal(get(f, there, &body), 403);
    api_rig_code(body, "API_TOKEN_ADDRESS");
    api_tally_write(f->api);
    const struct alert_query query = {.statuses = 1U << ALERT_OPEN};
    assert_int_equal(alert_table_list(f->store, &query, &alert, 1, NULL), 1);
    assert_string_equal(alert.fingerprint, "api:token-address:there");
}

/* --------------------------------------------------------------------------- wrong shapes ---- */

static void tokens_of_every_wrong_shape_are_refused(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    char token[ACCESS_TOKEN_SIZE];
    (void)make(f, &(struct access_token_wish){.name = "a", .role = ROLE_ADMIN}, token);
    static const struct {
        const char *before, *after, *code;
        int cut; /* characters of the token that are left out at its end */
    } rows[] = {{"Authorization: Bearer ", "", "API_TOKEN_SHAPE", 1},
                {"Authorization: Bearer ", "", "API_TOKEN_SHAPE", 52},
                {"Authorization: Bearer ", "A", "API_TOKEN_SHAPE", 0},
                {"Authorization: Bearer ", "u", "API_TOKEN_SHAPE", 1},
                {"Authorization: Bearer \"", "\"", "API_UNAUTHORIZED", 0},
                {"Authorization: Bearer Bearer ", "", "API_TOKEN_SHAPE", 0},
                {"Authorization: Bearer  ", "", "API_TOKEN_SHAPE", 0},
                {"Authorization: Bearer ", " x", "API_TOKEN_SHAPE", 0},
                {"Authorization: Bearer ", "\xC3\xA9", "API_TOKEN_SHAPE", 0},
                {"Authorization: Bearer", "", "API_TOKEN_SHAPE", 55},
                {"Authorization: Bearer", "", "API_UNAUTHORIZED", 0},
                {"Authorization: Basic ", "", "API_UNAUTHORIZED", 0},
                {"Authorization: ", "", "API_UNAUTHORIZED", 0},
                {"X-Token: ", "", "API_UNAUTHORIZED", 0},
                {"Cookie: token=", "", "API_UNAUTHORIZED", 0}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf header = BUF_INIT(512);
        buf_addf(&header, "%s%.*s%s\r\n", rows[i].before, (int)strlen(token) - rows[i].cut, token,
                 rows[i].after);
        int status = get(f, header.data, &body);
        if (status != 401 || strstr(body, rows[i].code) == NULL) {
            fail_msg("row %zu: %d %s", i, status, body);
        }
        assert_null(strstr(body, token));
    }
    AUTO_BUF struct buf path = BUF_INIT(256);
    buf_addf(&path, "/api/v1/positions?token=%s", token);
    assert_int_equal(api_rig_get(f, true, path.data, "", &body), 401);
    AUTO_BUF struct buf large = BUF_INIT(8192);
    buf_add_c(&large, "Authorization: Bearer ");
    for (int i = 0; i < 4000; i++) {
        buf_add_char(&large, 'x');
    }
    buf_add_c(&large, "\r\n");
    assert_int_equal(get(f, large.data, &body), 401);
    AUTO_BUF struct buf lower = BUF_INIT(256);
    buf_addf(&lower, "authorization: bearer %s\r\n", token); /* RFC 9110: any case */
    assert_int_equal(get(f, lower.data, &body), 200);
}

/* ---------------------------------------------------------------------------------- limits ---- */

static void a_token_has_so_many_requests_a_minute(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    AUTO_CONFIG struct config *config = NULL;
    const char *one = make_reader(f, "one"), *two = make_reader(f, "two");
    api_rig_publish(f);
    apply(f, "api: {rate: 3}", &config);
    for (int left = 2; left >= 0; left--) {
        assert_int_equal(get(f, one, &body), 200);
        assert_int_equal(header_number("RateLimit-Limit"), 3);
        assert_int_equal(header_number("RateLimit-Remaining"), left);
        assert_in_range(header_number("RateLimit-Reset"), 50, 60);
        assert_has(api_rig_answer(), "RateLimit-Policy: \"minute\";q=3;w=60\r\n");
    }
    assert_int_equal(get(f, one, &body), 429);
    api_rig_code(body, "API_RATE");
    assert_in_range(header_number("Retry-After"), 50, 60);
    assert_int_equal(header_number("RateLimit-Remaining"), 0);
    assert_int_equal(get(f, two, &body), 200);
    /* Also an answer that is given many times. */
    assert_int_equal(api_rig_get(f, true, "/api/v1/state", two, &body), 200);
    assert_int_equal(header_number("RateLimit-Remaining"), 1);
    for (int i = 0; i < 5; i++) { /* a person in the terminal has no limit */
        assert_int_equal(api_rig_get(f, false, "/api/v1/positions", "", &body), 200);
        assert_int_equal(header_number("RateLimit-Limit"), -1);
    }
    AUTO_CONFIG struct config *none = NULL;
    apply(f, "api: {rate: 0}", &none);
    assert_int_equal(get(f, one, &body), 200);
    assert_int_equal(header_number("RateLimit-Limit"), -1);
    api_apply(f->api, f->config);
}

/* All programs of this machine have one address, so the right token must still be accepted. */
static void guesses_are_refused_and_the_right_token_is_not(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    struct alert alert;
    struct audit_row row;
    const char *right = make_reader(f, "right");
    api_rig_publish(f);
    int refused = 0;
    for (int i = 0; i < 60; i++) {
        char wrong[64];
        (void)snprintf(wrong, sizeof(wrong), "Authorization: Bearer guess-%d\r\n", i);
        int status = get(f, wrong, &body);
        assert_int_equal(status, i < 6 ? 401 : 429);
        refused += status == 429;
        if (status == 429) {
            api_rig_code(body, "API_BLOCKED");
            assert_true(header_number("Retry-After") > 0);
        }
        assert_int_equal(get(f, right, &body), 200);
    }
    assert_int_equal(refused, 54);
    api_tally_write(f->api);
    const struct alert_query query = {.statuses = 1U << ALERT_OPEN};
    assert_int_equal(alert_table_list(f->store, &query, &alert, 1, NULL), 1);
    assert_string_equal(alert.fingerprint, "api:wrong-tokens");
    assert_has(alert.description, "127.0.0.1");
    /* One row at once, and one of the minute: a flood costs the hash chain nothing. */
    assert_int_equal(audited(f, "api.refused", &row), 2);
    assert_string_equal(row.result, "API_UNAUTHORIZED");
    assert_string_equal(row.user, "unknown");
    assert_has(row.detail, " calls from 127.0.0.1, the first to /api/v1/positions; refused for ");
    assert_null(strstr(row.detail, "guess"));
}

/* -------------------------------------------------------------------------------- the log ---- */

static void what_was_read_is_counted(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    struct read_count reads[8];
    struct access_token t;
    const char *one = make_reader(f, "one");
    api_rig_publish(f);
    for (int i = 0; i < 7; i++) {
        assert_int_equal(get(f, one, &body), 200);
    }
    assert_int_equal(api_rig_get(f, true, "/api/v1/state", one, &body), 200);
    assert_int_equal(api_rig_get(f, false, "/api/v1/state", "", &body), 200);
    assert_int_equal(api_rig_get(f, true, "/healthz", "", &body), 503); /* nobody's */
    api_tally_write(f->api);
    int n = read_table_list(f->store, 0, 0, reads, 8, NULL);
    int seen = 0;
    for (int i = 0; i < n; i++) {
        bool http = strcmp(reads[i].channel, "http") == 0;
        assert_string_equal(reads[i].user, http ? "one" : "uid 0");
        seen += http && strcmp(reads[i].command, "/positions") == 0 && reads[i].count == 7;
        seen += http && strcmp(reads[i].command, "/state") == 0 && reads[i].count == 1;
        seen += !http && strcmp(reads[i].command, "/state") == 0 && reads[i].count == 1;
    }
    assert_int_equal(seen, 3);
    assert_int_equal(n, 3);
    assert_int_equal(access_token_find(f->access, "one", &t, NULL), 0);
    assert_string_equal(t.used_from, "127.0.0.1");
    assert_in_range(clock_wall_us(clock_real()) - t.used_us, 0, 60 * USEC_PER_SEC);
}

static void refusals_of_an_hour_are_a_few_rows(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    struct audit_row row;
    int64_t rows = 0;
    for (int i = 0; i < API_REFUSALS_MAX + 20; i++) {
        assert_int_equal(get(f, "", &body), 401);
        assert_int_equal(get(f, "", &body), 401);
        api_tally_write(f->api); /* as if a minute had passed */
    }
    rows = audited(f, "api.refused", &row);
    assert_int_equal(rows, API_REFUSALS_MAX);
    assert_string_equal(row.detail, "2 calls from 127.0.0.1, the first to /api/v1/positions");
}

/* -------------------------------------------------------------------- other hosts and pages ----
 */

static int send_as(struct api_rig *f, const char *method, const char *host, const char *headers,
                   const char **ret_body)
{
    AUTO_BUF struct buf text = BUF_INIT(2048);
    buf_addf(&text,
             "%s /api/v1/commands/version HTTP/1.1\r\nHost: %s\r\n%sContent-Length: 0\r\n"
             "Connection: close\r\n\r\n",
             method, host, headers);
    return api_rig_exchange(f, true, text.data, ret_body);
}

static void a_page_of_a_configured_origin_may_call(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    AUTO_CONFIG struct config *config = NULL;
    AUTO_BUF struct buf page = BUF_INIT(512), other = BUF_INIT(512);
    const char *token = make_reader(f, "page");
    apply(f, "api: {hosts: [desk.example.com], cors_origins: ['https://charts.example.com']}",
          &config);
    buf_addf(&page, "%sOrigin: https://charts.example.com\r\n", token);
    buf_addf(&other, "%sOrigin: https://evil.example.com\r\n", token);
    assert_int_equal(send_as(f, "OPTIONS", "localhost",
                             "Origin: https://charts.example.com\r\n"
                             "Access-Control-Request-Method: POST\r\n"
                             "Access-Control-Request-Headers: authorization\r\n",
                             &body),
                     204);
    assert_has(api_rig_answer(), "\r\nAccess-Control-Allow-Origin: https://charts.example.com\r\n");
    assert_has(api_rig_answer(), "\r\nAccess-Control-Allow-Methods: POST\r\n");
    assert_has(api_rig_answer(), "\r\nAccess-Control-Allow-Headers: Authorization, ");
    assert_has(api_rig_answer(), "\r\nVary: Origin\r\n");
    assert_int_equal(send_as(f, "POST", "localhost", page.data, &body), 200);
    assert_has(api_rig_answer(), "\r\nAccess-Control-Allow-Origin: https://charts.example.com\r\n");
    assert_null(strstr(api_rig_answer(), "Allow-Credentials"));
    assert_int_equal(send_as(f, "POST", "localhost", other.data, &body), 403);
    api_rig_code(body, "API_FOREIGN");
    assert_null(strstr(api_rig_answer(), "Allow-Origin"));
    assert_int_equal(send_as(f, "OPTIONS", "localhost",
                             "Origin: https://evil.example.com\r\n"
                             "Access-Control-Request-Method: POST\r\n",
                             &body),
                     403);
    /* An error is readable by the page, too. */
    assert_int_equal(
        send_as(f, "POST", "localhost", "Origin: https://charts.example.com\r\n", &body), 401);
    assert_has(api_rig_answer(), "Access-Control-Allow-Origin: https://charts.example.com");
    assert_int_equal(send_as(f, "POST", "localhost", token, &body), 200);
    assert_null(strstr(api_rig_answer(), "Allow-Origin"));
    api_apply(f->api, f->config);
    assert_int_equal(send_as(f, "POST", "localhost", page.data, &body), 403);
}

static void a_host_behind_a_proxy_has_to_be_configured(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    AUTO_CONFIG struct config *config = NULL;
    const char *token = make_reader(f, "page");
    static const struct {
        const char *host, *origin;
        int status;
    } rows[] = {{"desk.example.com", "", 200},
                {"Desk.Example.com.:8443", "Origin: HTTPS://desk.example.com.:8443\r\n", 200},
                {"localhost.", "", 200},
                {"desk.example.com:8443", "", 200},
                {"DESK.example.com", "Origin: https://desk.example.com\r\n", 200},
                {"desk.example.com", "Origin: https://desk.example.com:8443\r\n", 200},
                {"desk.example.com", "Origin: null\r\n", 403},
                {"desk.example.com", "Origin: https://desk.example.com.evil\r\n", 403},
                {"desk.example.com", "Origin: ftp://desk.example.com\r\n", 403},
                {"desk.example.com", "Origin: https://localhost\r\n", 403},
                {"desk.example.com.evil", "", 403},
                {"evil-desk.example.com", "", 403},
                {"desk.example.com:x", "", 403},
                {"desk.example.com:0", "", 403},
                {"desk.example.com:99999", "", 403},
                {"localhost:8088:1", "", 403},
                {"127.0.0.1", "Origin: http://localhost:3000\r\n", 200},
                {"example.com", "", 403}};
    assert_int_equal(send_as(f, "POST", "desk.example.com", token, &body), 403);
    apply(f, "api: {hosts: [desk.example.com]}", &config);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf headers = BUF_INIT(512);
        buf_addf(&headers, "%s%s", token, rows[i].origin);
        int status = send_as(f, "POST", rows[i].host, headers.data, &body);
        bool refused = status == 403 || status == 400; /* what is no name at all, by the server */
        if (status != rows[i].status && (rows[i].status == 200 || !refused)) {
            fail_msg("row %zu: %d", i, status);
        }
    }
    api_apply(f->api, f->config);
}

UNIT_GROUP(api_tokens, API_TEST(a_token_has_the_name_and_the_role_it_was_made_with),
           API_TEST(a_token_proposes_only_what_it_may_run),
           API_TEST(a_low_role_cannot_apply_a_configuration),
           API_TEST(a_ticket_ends_with_its_token), API_TEST(a_confirmation_is_bound_to_the_token),
           API_TEST(a_revoked_token_ends_while_it_is_in_use), API_TEST(an_expired_token_is_refused),
           API_TEST(a_rotated_token_ends_with_its_grace),
           API_TEST(a_token_is_bound_to_its_addresses),
           API_TEST(tokens_of_every_wrong_shape_are_refused),
           API_TEST(a_token_has_so_many_requests_a_minute),
           API_TEST(guesses_are_refused_and_the_right_token_is_not),
           API_TEST(what_was_read_is_counted), API_TEST(refusals_of_an_hour_are_a_few_rows),
           API_TEST(a_page_of_a_configured_origin_may_call),
           API_TEST(a_host_behind_a_proxy_has_to_be_configured))
