#include "api_rig.h"

static int64_t last_of(const char *body)
{
    AUTO_JSON struct json_object *root = NULL;
    assert_int_equal(json_parse(str_c(body), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    assert_string_equal(json_text(root, "schema"), "nightdesk.events/1");
    return json_i64(root, "last", 0);
}

static int get_events(struct api_rig *f, int64_t after, const char **ret_body)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/api/v1/events?after=%lld", (long long)after);
    return api_rig_get(f, false, path, "", ret_body);
}

static void publish_titles(struct api_rig *f, int count)
{
    for (int i = 0; i < count; i++) {
        AUTO_REPLY struct reply *r = reply_new();
        reply_title(r, TONE_GOOD, "event %d", i);
        api_publish(f->api, r);
    }
}

static void publish_later(void *userdata)
{
    publish_titles(userdata, 1);
}

static void events_are_given_as_they_happen(void **state)
{
    struct api_rig *f = *state;
    const char *body = NULL;
    assert_int_equal(api_rig_get(f, false, "/api/v1/events", "", &body), 200);
    int64_t last = last_of(body);
    assert_non_null(strstr(body, "\"events\":[]"));

    struct loop_source *timer = loop_add_timer(f->loop, publish_later, f);
    int64_t began_us = clock_mono_us(clock_real());
    loop_timer_in(timer, 300 * USEC_PER_MSEC);
    assert_int_equal(get_events(f, last, &body), 200); /* it waits */
    assert_true(clock_mono_us(clock_real()) - began_us >= 300 * USEC_PER_MSEC);
    assert_non_null(strstr(body, "\"title\":\"event 0\""));
    assert_int_equal(last_of(body), last + 1);
    loop_source_free(timer);

    publish_titles(f, 20); /* more than one answer holds */
    assert_int_equal(get_events(f, last + 1, &body), 200);
    assert_int_equal(last_of(body), last + 17);
    assert_null(strstr(body, "event 16"));
    assert_int_equal(get_events(f, last + 17, &body), 200);
    assert_int_equal(last_of(body), last + 21);
    assert_non_null(strstr(body, "event 19"));

    publish_titles(f, 100); /* more than are kept */
    assert_int_equal(get_events(f, last + 21, &body), 200);
    assert_non_null(strstr(body, "\"missed\":36"));
    assert_non_null(strstr(body, "event 36"));
    assert_int_equal(get_events(f, 7, &body), 200); /* of another process */
    assert_non_null(strstr(body, "\"missed\":0,\"events\":[]"));
    assert_int_equal(api_rig_get(f, false, "/api/v1/events?after=x", "", &body), 400);
    api_rig_code(body, "API_QUERY");
}

/* As a chat edits it into one message; nobody but the caller at the socket sees it. */
static void progress_is_given_to_its_caller(void **state)
{
    struct api_rig *f = *state;
    static struct api_client clients[4];
    pthread_t threads[COUNT_OF(clients)];
    const char *body = NULL;
    assert_int_equal(api_rig_get(f, false, "/api/v1/events", "", &body), 200);
    AUTO_BUF struct buf events = BUF_INIT(512), token = BUF_INIT(512);
    buf_addf(&events, "GET /api/v1/events?after=%lld HTTP/1.1\r\nHost: localhost\r\n",
             (long long)last_of(body));
    buf_addf(&token, "%sAuthorization: Bearer " API_RIG_TOKEN "\r\nConnection: close\r\n\r\n",
             events.data);
    buf_add_c(&events, "Connection: close\r\n\r\n");
    static const char command[] =
        "POST /api/v1/commands/config_history HTTP/1.1\r\nHost: localhost\r\n"
        "Connection: close\r\nContent-Length: 2\r\n\r\n{}";
    clients[0] = (struct api_client){.f = f, .request = events.data};
    clients[1] = (struct api_client){.f = f, .request = token.data, .tcp = true};
    clients[2] = (struct api_client){.f = f, .request = events.data};
    clients[3] = (struct api_client){.f = f, .request = command};
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, api_client_run, &clients[i]), 0);
        for (int k = 0; k < 10; k++) {
            (void)loop_iterate(f->loop, 10 * USEC_PER_MSEC);
        }
    }
    for (int i = 0; i < 1000 && !atomic_load(&clients[2].done); i++) {
        (void)loop_iterate(f->loop, 10 * USEC_PER_MSEC);
    }
    for (size_t i = 0; i < 3; i++) { /* it has answered them; the one over TCP without it */
        (void)pthread_join(threads[i], NULL);
        bool shown = strstr(clients[i].answer, "reading shelf 7") != NULL;
        assert_int_equal(shown, !clients[i].tcp);
        assert_true(!shown || strstr(clients[i].answer, "\"tone\":\"busy\"") != NULL);
        assert_non_null(strstr(clients[i].answer, "\"missed\":0"));
    }
    assert_false(atomic_load(&clients[3].done));
    assert_non_null(api_rig_slow_call);
    reply_title(action_reply(api_rig_slow_call), TONE_GOOD, "the last shelf");
    action_finish(api_rig_slow_call, NULL);
    for (int i = 0; i < 1000 && !atomic_load(&clients[3].done); i++) {
        (void)loop_iterate(f->loop, 10 * USEC_PER_MSEC);
    }
    (void)pthread_join(threads[3], NULL);
    assert_non_null(strstr(clients[3].answer, "the last shelf"));
}

static void stopping_answers_the_readers_of_events(void **state)
{
    struct api_rig *f = *state;
    static struct api_client client;
    const char *body = NULL;
    assert_int_equal(api_rig_get(f, false, "/api/v1/events", "", &body), 200);
    AUTO_BUF struct buf text = BUF_INIT(512);
    buf_addf(&text,
             "GET /api/v1/events?after=%lld HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
             (long long)last_of(body));
    client = (struct api_client){.f = f, .request = text.data};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, api_client_run, &client), 0);
    for (int i = 0; i < 20; i++) {
        (void)loop_iterate(f->loop, 10 * USEC_PER_MSEC);
    }
    assert_false(atomic_load(&client.done));
    api_stop(f->api);
    f->api = NULL;
    (void)pthread_join(thread, NULL);
    assert_non_null(strstr(client.answer, "API_STOPPING"));
}

UNIT_GROUP(api_events, API_TEST(events_are_given_as_they_happen),
           API_TEST(progress_is_given_to_its_caller),
           API_TEST(stopping_answers_the_readers_of_events))
