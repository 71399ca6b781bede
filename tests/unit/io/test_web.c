/* The server: what its handlers and its clients get. */
#include "http_rig.h"
#include "scratch.h"
#include "unit/unit.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void an_added_header_is_in_every_kind_of_answer(void **state)
{
    (void)state;
    struct http_rig d;
    static const char *const kinds[][2] = {{"own", "own"}, {"kept", "same"}, {"held", "quick"}};
    http_rig_open(&d, &http_rig_plain);
    http_rig_kept = web_content_new(&(struct web_answer){
        .status = 200, .content_type = "text/x-kept", .body = STR_LIT("same")});
    for (size_t i = 0; i < 3; i++) {
        char path[32];
        (void)snprintf(path, sizeof(path), "/added?as=%s", kinds[i][0]);
        http_rig_call(&d, path, (struct http_request){0});
        assert_string_equal(d.body, kinds[i][1]);
        assert_int_equal(d.retry_after_s, 9);
    }
    http_rig_call(&d, "/kept", (struct http_request){0});
    assert_string_equal(d.body, "same");
    assert_string_equal(d.type, "text/x-kept");
    assert_int_not_equal(d.retry_after_s, 9);
    http_rig_close(&d);
    web_content_free(http_rig_kept);
}

static void large_request_is_refused_without_the_handler(void **state)
{
    (void)state;
    struct http_rig d;
    http_rig_open(&d, &http_rig_plain);
    AUTO_BUF struct buf body = BUF_INIT(200000);
    for (int i = 0; i < 150000; i++) {
        buf_add_char(&body, 'x');
    }
    http_rig_call(&d, "/echo", (struct http_request){.body = buf_str(&body)});
    assert_int_equal(d.outcome, HTTP_OK);
    assert_int_equal(d.status, 413);
    assert_int_equal(http_rig_requests(), 0);
    http_rig_close(&d);
}

static void a_unix_socket_has_the_uid_of_its_peer(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "api.sock");
    struct web_options options = http_rig_plain;
    options.unix_path = path;
    struct http_rig d;
    http_rig_open(&d, &options);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    assert_int_equal(web_port(d.web), 0);
    (void)str_copy(str_c("http://localhost"), d.url, sizeof(d.url));
    http_rig_call(&d, "/whoami", (struct http_request){.unix_path = path});
    char expected[64];
    (void)snprintf(expected, sizeof(expected), "uid=%u remote=unix", (unsigned)geteuid());
    assert_string_equal(d.body, expected);
    assert_string_equal(d.type, "application/json");
    /* A second server cannot take the path of a running one. */
    struct web *second = NULL;
    struct err err = {0};
    assert_int_equal(web_start(&options, &second, &err), -ERR_WEB_LISTEN);
    http_rig_close(&d);
    assert_int_equal(stat(path, &st), -1);
    /* It replaces the socket of a killed one. */
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct {
        sa_family_t family;
        char path[108];
    } address = {.family = AF_UNIX};
    (void)str_copy(str_c(path), address.path, sizeof(address.path));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    (void)close(fd);
    assert_int_equal(web_start(&options, &second, &err), 0);
    web_stop(second);
}

static void tcp_has_no_peer_uid_and_excludes_a_second_server(void **state)
{
    (void)state;
    struct http_rig d;
    http_rig_open(&d, &http_rig_plain);
    http_rig_call(&d, "/whoami", (struct http_request){0});
    assert_non_null(strstr(d.body, "uid=-1 remote=127.0.0.1:"));
    struct web *second = NULL;
    struct err err = {0};
    struct web_options taken = http_rig_plain;
    taken.port = web_port(d.web);
    assert_int_equal(web_start(&taken, &second, &err), -ERR_WEB_LISTEN);
    http_rig_close(&d);
}

static void held_request_is_answered_later(void **state)
{
    (void)state;
    struct http_rig d;
    http_rig_open(&d, &http_rig_plain);
    (void)http_rig_send(&d, "/hold?q=kept", (struct http_request){0});
    struct web_request *r = http_rig_wait_held(&d);
    assert_int_equal(d.answers, 0);
    assert_true(str_equal_c(web_query(r, "q"), "kept"));
    web_answer_c(r, 201, "late");
    http_rig_wait(&d);
    assert_int_equal(d.status, 201);
    assert_string_equal(d.body, "late");
    for (int i = 0; i < 50; i++) { /* answered before the handler returns */
        http_rig_call(&d, "/quick", (struct http_request){0});
        assert_string_equal(d.body, "quick");
    }
    http_rig_close(&d);
}

static void a_held_request_stays_valid_without_client_and_server(void **state)
{
    (void)state;
    struct http_rig d;
    http_rig_open(&d, &http_rig_plain);
    struct http_call *call = http_rig_send(&d, "/hold?q=1", (struct http_request){0});
    struct web_request *abandoned = http_rig_wait_held(&d);
    http_cancel(call);
    http_free(d.http); /* closes the connection */
    d.http = http_new(d.loop, NULL);
    web_answer_c(abandoned, 200, "to nobody");

    (void)http_rig_send(&d, "/hold?q=2", (struct http_request){0});
    struct web_request *orphan = http_rig_wait_held(&d);
    web_stop(TAKE(d.web));
    http_rig_wait(&d); /* 503 or a closed connection */
    assert_true(d.outcome == HTTP_UNKNOWN || d.status == 503);
    assert_true(str_equal_c(web_query(orphan, "q"), "2"));
    web_answer_c(orphan, 200, "to nobody");
    http_rig_close(&d);
}

UNIT_GROUP(web, cmocka_unit_test(an_added_header_is_in_every_kind_of_answer),
           cmocka_unit_test(large_request_is_refused_without_the_handler),
           cmocka_unit_test(a_unix_socket_has_the_uid_of_its_peer),
           cmocka_unit_test(tcp_has_no_peer_uid_and_excludes_a_second_server),
           cmocka_unit_test(held_request_is_answered_later),
           cmocka_unit_test(a_held_request_stays_valid_without_client_and_server))
