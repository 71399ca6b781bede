#include "api_rig.h"
#include "base/log.h"
#include "store/alert_table.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

/* The stream, over real sockets; the loop of ops runs while the client waits. */

#define TOKEN "Authorization: Bearer " API_RIG_TOKEN "\r\n"
#define KEY   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
#define WS    "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" KEY
#define MASK  "\0\0\0\0"

struct reader {
    struct api_rig *f;
    int fd;
    char bytes[256 * 1024];
    size_t len;
};

static void dial(struct api_rig *f, struct reader *r, const char *path, const char *headers)
{
    AUTO_BUF struct buf text = BUF_INIT(4096);
    const int room = 64 * 1024;
    *r = (struct reader){.f = f, .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    (void)setsockopt(r->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons(api_port(f->api)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(r->fd, (const struct sockaddr *)&to, sizeof(to)), 0);
    buf_addf(&text, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n", path, headers);
    assert_int_equal(send(r->fd, text.data, text.len, MSG_NOSIGNAL), (ssize_t)text.len);
}

/* True once the text has arrived; false at the end of the connection. */
static bool wait_for(struct reader *r, const char *text)
{
    for (int i = 0; i < 1000; i++) {
        if (memmem(r->bytes, r->len, text, strlen(text)) != NULL) {
            return true;
        }
        struct pollfd ready = {.fd = r->fd, .events = POLLIN};
        (void)loop_iterate(r->f->loop, 0);
        api_tick(r->f->api);
        if (poll(&ready, 1, 5) == 1) {
            ssize_t n = recv(r->fd, r->bytes + r->len, sizeof(r->bytes) - 1 - r->len, 0);
            if (n <= 0) {
                return false;
            }
            r->len += (size_t)n;
        }
    }
    fail_msg("%s did not come, only: %.*s", text, (int)r->len, r->bytes);
    return false;
}

static void expect(struct reader *r, const char *text)
{
    if (!wait_for(r, text)) {
        fail_msg("closed before %s: %.*s", text, (int)r->len, r->bytes);
    }
}

static void hang_up(struct reader *r)
{
    (void)close(r->fd);
}

static int64_t raise_alert(struct api_rig *f, const char *title, enum severity severity,
                           const char *source)
{
    const struct alert_new alert = {.type = ALERT_SERVICE,
                                    .severity = severity,
                                    .title = title,
                                    .fingerprint = title,
                                    .source = source};
    struct alert_raised raised;
    assert_int_equal(
        alert_table_raise(f->store, &alert, clock_wall_us(clock_real()), &raised, NULL), 0);
    return raised.id;
}

static struct reader one, two;

static void a_websocket_gets_what_is_there_and_what_happens(void **state)
{
    struct api_rig *f = *state;
    (void)raise_alert(f, "old one", SEVERITY_HIGH, "health");
    dial(f, &one, "/api/v1/stream?topics=alerts,services,state", TOKEN WS);
    expect(&one, "HTTP/1.1 101 ");
    expect(&one, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    expect(&one, "\"type\":\"hello\"");
    expect(&one, "\"topics\":[\"state\",\"alerts\",\"services\"]");
    expect(&one, "\"topic\":\"alerts\",\"data\":[{\"id\":1,");
    expect(&one, "old one");
    expect(&one, "\"topic\":\"services\",\"data\":[{\"name\":\"");
    assert_null(memmem(one.bytes, one.len, "\"type\":\"event\"", 14));
    (void)raise_alert(f, "new one", SEVERITY_LOW, "health");
    expect(&one, "-1\",\"seq\":1,\"type\":\"event\",\"data\":{\"id\":2,");
    expect(&one, "new one");
    /* A finding is another topic. */
    (void)raise_alert(f, "a finding", SEVERITY_HIGH, "auditor");
    (void)raise_alert(f, "third one", SEVERITY_LOW, "health");
    expect(&one, "third one");
    assert_null(memmem(one.bytes, one.len, "a finding", 9));
    hang_up(&one);
}

/* The id of the last text that has arrived. */
static void last_id(const struct reader *r, char *ret, size_t size)
{
    const char *at = NULL, *next = r->bytes;
    while ((next = memmem(next, r->len - (size_t)(next - r->bytes), "{\"id\":\"", 7)) != NULL) {
        at = next += 7;
    }
    assert_non_null(at);
    (void)str_copy(str_n(at, strcspn(at, "\"")), ret, size);
}

static void server_sent_events_are_the_same_texts(void **state)
{
    struct api_rig *f = *state;
    char id[64], headers[256];
    dial(f, &one, "/api/v1/stream?topics=alerts&severity=medium",
         TOKEN "Accept: text/html, text/event-stream;q=0.9\r\n");
    expect(&one, "HTTP/1.1 200 ");
    expect(&one, "Content-Type: text/event-stream");
    expect(&one, "data: {\"id\":\"");
    expect(&one, "\"topic\":\"alerts\",\"data\":[]}\nid: ");
    (void)raise_alert(f, "too small", SEVERITY_LOW, "health");
    (void)raise_alert(f, "large enough", SEVERITY_MEDIUM, "health");
    expect(&one, "\"topic\":\"alerts\",\"sent_at\":");
    expect(&one, "large enough");
    assert_null(memmem(one.bytes, one.len, "too small", 9));
    last_id(&one, id, sizeof(id));
    hang_up(&one);
    /* What happened meanwhile is sent to a client that resumes, and no snapshot is. */
    dial(f, &one, "/api/v1/stream?topics=services", TOKEN WS);
    expect(&one, "\"type\":\"snapshot\"");
    (void)raise_alert(f, "in between", SEVERITY_HIGH, "health");
    (void)snprintf(headers, sizeof(headers),
                   TOKEN "Accept: text/event-stream\r\nLast-Event-ID: %s\r\n", id);
    dial(f, &two, "/api/v1/stream?topics=alerts", headers);
    expect(&two, "\"resumed\":true");
    expect(&two, "in between");
    assert_null(memmem(two.bytes, two.len, "snapshot", 8));
    hang_up(&two);
    hang_up(&one);
}

/* An id of another process, as after a restart, or of the future. */
static void an_unknown_id_starts_from_a_snapshot(void **state)
{
    struct api_rig *f = *state;
    static const char *const ids[] = {"1a2b-5", "ffffffffffffffff-0"};
    for (size_t i = 0; i < 2; i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "/api/v1/stream?topics=alerts&after=%s", ids[i]);
        dial(f, &one, path, TOKEN WS);
        expect(&one, "\"resumed\":false");
        expect(&one, "\"type\":\"snapshot\"");
        hang_up(&one);
    }
}

static int status_of(struct api_rig *f, const char *path, const char *headers, const char *code)
{
    const char *body = NULL;
    int status = api_rig_get(f, true, path, headers, &body);
    api_rig_code(body, code);
    return status;
}

static void wrong_requests_are_refused_with_their_reason(void **state)
{
    struct api_rig *f = *state;
    const char *path = "/api/v1/stream";
    assert_int_equal(status_of(f, path, WS, "API_UNAUTHORIZED"), 401);
    assert_int_equal(status_of(f, path, TOKEN, "API_STREAM_UPGRADE"), 426);
    assert_int_equal(status_of(f, path, TOKEN "Upgrade: websocket\r\n", "API_STREAM_UPGRADE"), 426);
    assert_int_equal(status_of(f, path,
                               TOKEN "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n",
                               "API_STREAM_UPGRADE"),
                     426);
    assert_int_equal(status_of(f, path, TOKEN "Origin: http://evil.example\r\n" WS, "API_FOREIGN"),
                     403);
    assert_int_equal(status_of(f, "/api/v1/stream?topics=order", TOKEN WS, "API_QUERY"), 400);
    assert_int_equal(status_of(f, "/api/v1/stream?topics=", TOKEN WS, "API_QUERY"), 400);
    assert_int_equal(status_of(f, "/api/v1/stream?severity=bad", TOKEN WS, "API_QUERY"), 400);
    assert_int_equal(status_of(f, "/api/v1/stream?after=12", TOKEN WS, "API_QUERY"), 400);
    assert_int_equal(
        status_of(f, "/api/v1/stream?after=1-99999999999999999999", TOKEN WS, "API_QUERY"), 400);
    assert_int_equal(status_of(f, "/api/v1/stream?token=" API_RIG_TOKEN, TOKEN WS, "API_QUERY"),
                     400);
    assert_int_equal(status_of(f, "/api/v1/stream?ticket=GUESS", WS, "API_TICKET"), 401);
}

static void get_ticket(struct api_rig *f, char *path, size_t size)
{
    const char *body = NULL;
    const char request[] = "POST /api/v1/stream/ticket HTTP/1.1\r\nHost: localhost\r\n" TOKEN
                           "Connection: close\r\nContent-Length: 0\r\n\r\n";
    assert_int_equal(api_rig_exchange(f, true, request, &body), 200);
    AUTO_JSON struct json_object *root = NULL;
    assert_int_equal(json_parse(str_c(body), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    (void)snprintf(path, size, "/api/v1/stream?topics=alerts&ticket=%s", json_text(root, "ticket"));
}

static void a_ticket_opens_the_stream_once(void **state)
{
    struct api_rig *f = *state;
    char path[128];
    get_ticket(f, path, sizeof(path));
    dial(f, &one, path, "Origin: http://127.0.0.1:8088\r\n" WS);
    expect(&one, "\"type\":\"hello\"");
    hang_up(&one);
    assert_int_equal(status_of(f, path, WS, "API_TICKET"), 401);
    get_ticket(f, path, sizeof(path));
    assert_int_equal(status_of(f, path, "Origin: http://evil.example\r\n" WS, "API_FOREIGN"), 403);
}

/* Each with the code that the close frame has. */
static void frames_that_lie_end_the_connection(void **state)
{
    struct api_rig *f = *state;
    static const struct {
        const char *frame;
        size_t len;
        const char *close;
    } rows[] = {
        {"\x81\x02hi", 4, "\x88\x02\x03\xEA"},               /* not masked: 1002 */
        {"\xC1\x80" MASK, 6, "\x88\x02\x03\xEA"},            /* a reserved bit: 1002 */
        {"\x09\x80" MASK, 6, "\x88\x02\x03\xEA"},            /* a fragmented ping: 1002 */
        {"\x81\x82" MASK "\xC3\x28", 8, "\x88\x02\x03\xEF"}, /* not UTF-8: 1007 */
        {"\x81\xFF\x40\0\0\0\0\0\0\0" MASK "x", 15, "\x88\x02\x03\xF1"}, /* too long: 1009 */
        {"\x82\x81" MASK "x", 7, "\x88"},                    /* a message: 1003, with a reason */
        {"\x88\x82" MASK "\x03\xE8", 8, "\x88\x02\x03\xE8"}, /* a close: 1000 */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        dial(f, &one, "/api/v1/stream?topics=alerts", TOKEN WS);
        expect(&one, "\"type\":\"snapshot\"");
        (void)usleep(2000);
        one.len = 0;
        assert_int_equal(send(one.fd, rows[i].frame, rows[i].len, MSG_NOSIGNAL),
                         (ssize_t)rows[i].len);
        expect(&one, rows[i].close);
        hang_up(&one);
    }
    dial(f, &one, "/api/v1/stream?topics=alerts", TOKEN WS);
    expect(&one, "\"type\":\"snapshot\"");
    assert_int_equal(send(one.fd, "\x89\x82" MASK "hi", 8, MSG_NOSIGNAL), 8);
    expect(&one, "\x8A\x02hi");
    hang_up(&one);
}

/* A slow client learns later how much it missed; another one gets all of it. */
static void a_slow_reader_is_told_what_it_missed(void **state)
{
    struct api_rig *f = *state;
    enum { RAISED = 1200 }; /* of 10 KB: more than the replay and the buffers of a socket */
    static char long_title[160];
    static char text[2000], evidence[6000];
    memset(text, 'x', sizeof(text) - 1);
    memset(evidence, 'x', sizeof(evidence) - 1);
    memcpy(evidence, "[\"", 2);
    memcpy(evidence + sizeof(evidence) - 3, "\"]", 2);
    dial(f, &one, "/api/v1/stream?topics=alerts", TOKEN WS);
    expect(&one, "\"type\":\"snapshot\"");
    dial(f, &two, "/api/v1/stream?topics=alerts", TOKEN WS);
    expect(&two, "\"type\":\"snapshot\"");
    two.len = 0;
    uint64_t seen = 0;
    for (int i = 0; i < RAISED; i++) {
        struct alert_raised raised;
        (void)snprintf(long_title, sizeof(long_title), "number %d;", i);
        const struct alert_new alert = {.type = ALERT_SERVICE,
                                        .severity = SEVERITY_HIGH,
                                        .title = long_title,
                                        .description = text,
                                        .recommendation = text,
                                        .evidence = evidence,
                                        .fingerprint = long_title,
                                        .source = "health"};
        assert_int_equal(ops_store_begin_unsynced(f->store, NULL), 0);
        assert_int_equal(alert_table_raise(f->store, &alert, 1, &raised, NULL), 0);
        assert_int_equal(ops_store_commit(f->store, NULL), 0);
        (void)loop_iterate(f->loop, 0);
        if (i % 20 == 19) { /* the fast one reads along */
            (void)snprintf(long_title, sizeof(long_title), "\"title\":\"number %d;\"", i);
            expect(&two, long_title);
            seen += 20;
            two.len = 0;
        }
    }
    assert_int_equal(seen, RAISED);
    /* What the slow one has got, and what it missed, are all of them together. */
    uint64_t got = 0, missed = 0;
    char last[64];
    (void)snprintf(last, sizeof(last), "\"title\":\"number %d;\"", RAISED - 1);
    for (bool ended = false; !ended;) {
        struct pollfd ready = {.fd = one.fd, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, 5000), 1);
        ssize_t n = recv(one.fd, one.bytes + one.len, sizeof(one.bytes) - 1 - one.len, 0);
        assert_true(n > 0);
        one.len += (size_t)n;
        one.bytes[one.len] = '\0';
        ended = memmem(one.bytes, one.len, last, strlen(last)) != NULL;
        /* Whole texts are counted; the rest stays. */
        char *end = memrchr(one.bytes, '{', one.len);
        size_t whole = ended ? one.len : (size_t)(end - one.bytes);
        const char *at = one.bytes, *stop = one.bytes + whole;
        while ((at = memmem(at, (size_t)(stop - at), "\"title\":\"number ", 16)) != NULL) {
            got++;
            at++;
        }
        at = memmem(one.bytes, whole, "\"type\":\"missed\",\"count\":", 24);
        if (at != NULL) {
            missed += strtoull(at + 24, NULL, 10);
        }
        memmove(one.bytes, one.bytes + whole, one.len - whole);
        one.len -= whole;
    }
    assert_true(missed > 0);
    assert_int_equal(got + missed, RAISED);
    hang_up(&one);
    hang_up(&two);
}

/* Those who may not read any more are disconnected, and so is everybody at the stop. */
static void streams_end_with_their_permission(void **state)
{
    struct api_rig *f = *state;
    dial(f, &one, "/api/v1/stream?topics=logs", TOKEN WS);
    expect(&one, "\"type\":\"hello\"");
    LOG(NOTICE, "said to the stream");
    expect(&one, "said to the stream");
    api_stop(f->api);
    f->api = NULL;
    one.f = f;
    char bytes[4096];
    ssize_t n, len = 0;
    while ((n = recv(one.fd, bytes + len, sizeof(bytes) - (size_t)len, 0)) > 0) {
        len += n;
    }
    assert_int_equal(n, 0);
    assert_non_null(memmem(bytes, (size_t)len, "\x03\xE9nightdesk stops", 17)); /* 1001 */
    hang_up(&one);
}

/* Also those of api.token, which has no row of its own. */
static void streams_end_when_the_token_is_replaced(void **state)
{
    struct api_rig *f = *state;
    struct config *other = NULL;
    struct err err = {0};
    assert_int_equal(
        config_parse(str_c("api: {token: another-horse-battery}"), "test", &other, NULL, &err), 0);
    dial(f, &one, "/api/v1/stream?topics=logs", TOKEN WS);
    expect(&one, "\"type\":\"hello\"");
    api_apply(f->api, f->config); /* the same token */
    LOG(NOTICE, "said before");
    expect(&one, "said before");
    api_apply(f->api, other);
    expect(&one, "may not read this any more");
    hang_up(&one);
    api_apply(f->api, f->config);
    config_free(other);
}

#define STREAM_TEST(name) \
    cmocka_unit_test_setup_teardown(name, api_rig_setup_on_disk, api_rig_teardown)
UNIT_GROUP(api_stream, STREAM_TEST(a_websocket_gets_what_is_there_and_what_happens),
           STREAM_TEST(server_sent_events_are_the_same_texts),
           STREAM_TEST(an_unknown_id_starts_from_a_snapshot),
           STREAM_TEST(wrong_requests_are_refused_with_their_reason),
           STREAM_TEST(a_ticket_opens_the_stream_once),
           STREAM_TEST(frames_that_lie_end_the_connection),
           STREAM_TEST(a_slow_reader_is_told_what_it_missed),
           STREAM_TEST(streams_end_with_their_permission),
           STREAM_TEST(streams_end_when_the_token_is_replaced))
