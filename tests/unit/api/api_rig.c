#include "api_rig.h"

#include "assistant/assistant.h"
#include "assistant/measure.h"
#include "assistant/recommend.h"
#include "assistant/review.h"
#include "assistant/self_report.h"
#include "auditor/auditor.h"
#include "deploy/deploy.h"
#include "health/autofix.h"
#include "io/secret.h"
#include "learning/learner.h"
#include "trading/desk.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

static int dial(const struct api_client *c)
{
    if (c->tcp) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const struct sockaddr_in to = {.sin_family = AF_INET,
                                       .sin_port = htons(api_port(c->f->api)),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        ASSERT(connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0);
        return fd;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (c->uid != 0) { /* the system call changes this thread alone */
        ASSERT(syscall(SYS_setresuid, c->uid, c->uid, c->uid) == 0);
    }
    ASSERT(str_copy(str_c(c->f->socket_path), to.sun_path, sizeof(to.sun_path)));
    ASSERT(connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0);
    return fd;
}

void *api_client_run(void *userdata)
{
    struct api_client *c = userdata;
    int fd = dial(c);
    size_t len = strlen(c->request);
    for (size_t sent = 0; sent < len;) {
        ssize_t n = send(fd, c->request + sent, len - sent, MSG_NOSIGNAL);
        if (n <= 0) {
            break;
        }
        sent += (size_t)n;
    }
    while (!c->hang_up && c->len + 1 < sizeof(c->answer)) {
        ssize_t n = read(fd, c->answer + c->len, sizeof(c->answer) - 1 - c->len);
        if (n <= 0) {
            break;
        }
        c->len += (size_t)n;
    }
    c->answer[c->len] = '\0';
    (void)close(fd);
    atomic_store(&c->done, true);
    return NULL;
}

static struct api_client client;

const char *api_rig_answer(void)
{
    return client.answer;
}

/* Sends raw bytes while running the loop; returns the HTTP status and the body in *ret_body. */
int api_rig_exchange(struct api_rig *f, bool tcp, const char *request, const char **ret_body)
{
    memset(&client, 0, sizeof(client));
    client.f = f;
    client.tcp = tcp;
    client.uid = tcp ? 0 : f->caller_uid;
    client.request = request;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, api_client_run, &client), 0);
    for (int i = 0; i < 1000 && !atomic_load(&client.done); i++) {
        (void)loop_iterate(f->loop, 10 * USEC_PER_MSEC);
    }
    assert_true(atomic_load(&client.done));
    (void)pthread_join(thread, NULL);
    int64_t status = 0;
    assert_true(client.len > 12 && strncmp(client.answer, "HTTP/1.1 ", 9) == 0);
    assert_true(str_to_i64(str_n(client.answer + 9, 3), &status));
    const char *body = strstr(client.answer, "\r\n\r\n");
    assert_non_null(body);
    if (ret_body != NULL) {
        *ret_body = body + 4;
    }
    return (int)status;
}

int api_rig_get(struct api_rig *f, bool tcp, const char *path, const char *headers,
                const char **ret_body)
{
    AUTO_BUF struct buf text = BUF_INIT(8192);
    buf_addf(&text, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%sConnection: close\r\n\r\n", path,
             headers);
    return api_rig_exchange(f, tcp, text.data, ret_body);
}

int api_rig_post(struct api_rig *f, bool tcp, const char *name, const char *headers,
                 const char *body, const char **ret_body)
{
    AUTO_BUF struct buf text = BUF_INIT(256 * 1024);
    buf_addf(&text,
             "POST /api/v1/commands/%s HTTP/1.1\r\nHost: localhost:80\r\n%sConnection: "
             "close\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
             name, headers, strlen(body));
    buf_add_c(&text, body);
    return api_rig_exchange(f, tcp, text.data, ret_body);
}

void api_rig_code(const char *body, const char *code)
{
    AUTO_JSON struct json_object *root = NULL;
    assert_int_equal(json_parse(str_c(body), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    assert_string_equal(json_text(root, "error_code"), code);
    assert_true(json_text(root, "cause")[0] != '\0');
    assert_true(json_text(root, "impact")[0] != '\0');
    assert_true(json_text(root, "remediation")[0] != '\0');
}

/* ---------------------------------------------------------------- fixture */

/* The actions of ops/reload.h, a layer above this one, so that the embedded manifests load. */
static int never_run(struct action_call *call, struct err *err)
{
    (void)call;
    return err_set(err, ERR_INTERNAL, "not used here");
}

/* Says what it does and waits for the test. */
struct action_call *api_rig_slow_call;

static int show_slowly(struct action_call *call, struct err *err)
{
    (void)err;
    api_rig_slow_call = call;
    action_progress(call, "reading shelf %d", 7);
    return ACTION_PENDING;
}

static void give_up(struct action_call *call)
{
    (void)call;
    api_rig_slow_call = NULL;
}

static struct shelf *shelf_of_rig;

static int show_picture(struct action_call *call, struct err *err)
{
    (void)err;
    struct shelf_picture picture = {
        .media_type = "image/png", .bytes = strdup(API_RIG_PNG), .size = strlen(API_RIG_PNG)};
    ASSERT(picture.bytes != NULL);
    attachment_id("mood.png", picture.id);
    shelf_put(shelf_of_rig, action_who(call), &picture);
    reply_image(action_reply(call), &(struct reply_file){.id = picture.id,
                                                         .name = "mood.png",
                                                         .media_type = "image/png",
                                                         .size_bytes = (int64_t)picture.size});
    return ACTION_DONE;
}

static const struct action ops_rows[] = {
    {.name = "sentiment.show",
     .summary = "Sentiment",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "what", .type = PARAM_TEXT}),
     .run = show_picture},
    {.name = "sentiment.test",
     .summary = "Test a source",
     .effect = ACTION_READS,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS({.name = "source", .type = PARAM_TEXT, .required = true}),
     .run = never_run},
    {.name = "config.reload",
     .summary = "Reload the configuration",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .params = ACTION_PARAMS({.name = "why", .type = PARAM_TEXT}),
     .run = never_run},
    {.name = "config.history",
     .summary = "Earlier configurations",
     .effect = ACTION_READS,
     .lowest = ROLE_ADMIN,
     .params = ACTION_PARAMS({.name = "id", .type = PARAM_INT}),
     .run = show_slowly,
     .cancel = give_up},
    {.name = "config.get",
     .summary = "An option",
     .effect = ACTION_READS,
     .lowest = ROLE_ADMIN,
     .params = ACTION_PARAMS({.name = "option", .type = PARAM_TEXT}),
     .run = never_run},
    {.name = "config.set",
     .summary = "Change an option",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .params = ACTION_PARAMS({.name = "option", .type = PARAM_TEXT, .required = true},
                             {.name = "value", .type = PARAM_TEXT, .required = true}),
     .run = never_run},
    {.name = "config.diff",
     .summary = "What differs",
     .effect = ACTION_READS,
     .lowest = ROLE_ADMIN,
     .params =
         ACTION_PARAMS({.name = "version", .type = PARAM_INT}, {.name = "other", .type = PARAM_INT},
                       {.name = "candidate", .type = PARAM_TEXT}),
     .run = never_run},
    {.name = "config.validate",
     .summary = "Whether it can be used",
     .effect = ACTION_READS,
     .lowest = ROLE_ADMIN,
     .params = ACTION_PARAMS({.name = "candidate", .type = PARAM_TEXT}),
     .run = never_run},
    {.name = "config.apply",
     .summary = "Replace the file",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .params = ACTION_PARAMS({.name = "candidate", .type = PARAM_TEXT, .required = true},
                             {.name = "why", .type = PARAM_TEXT}),
     .run = never_run},
    {.name = "config.rollback",
     .summary = "Restore a version",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .params = ACTION_PARAMS({.name = "version", .type = PARAM_INT, .required = true},
                             {.name = "why", .type = PARAM_TEXT}),
     .run = never_run},
    {.name = "risk.set",
     .summary = "Change limits",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .params = ACTION_PARAMS({.name = "changes", .type = PARAM_TEXT, .required = true}),
     .run = never_run},
    {.name = "token.rotate",
     .summary = "Use a new secret",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .params = ACTION_PARAMS({.name = "which", .type = PARAM_CHOICE, .choices = "telegram|api"},
                             {.name = "grace", .type = PARAM_DURATION},
                             {.name = "other_bot", .type = PARAM_CHOICE, .choices = "no|yes"}),
     .run = never_run},
    {.name = "state.backup",
     .summary = "Copy both databases",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS({.name = "keep", .type = PARAM_INT, .minimum = "1", .maximum = "100"}),
     .run = never_run},
    {.name = "state.backups",
     .summary = "The copies",
     .effect = ACTION_READS,
     .lowest = ROLE_OPERATOR,
     .run = never_run},
    {.name = "state.restore",
     .summary = "Prepare a copy for the next start",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .params = ACTION_PARAMS({.name = "backup", .type = PARAM_TEXT}),
     .run = never_run},
    {.name = "state.free_space",
     .summary = "Delete old files",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .run = never_run},
    {.name = "outbox.reconnect",
     .summary = "Connect again",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .run = never_run},
    {.name = "outbox.set_aside",
     .summary = "Set a message aside",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .outputs = "message",
     .run = never_run},
    {.name = "outbox.put_back",
     .summary = "Put a message back",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS({.name = "message", .type = PARAM_INT, .required = true}),
     .run = never_run},
    {0},
};

static int keep_document(struct str text, char ret_hash[API_DOCUMENT_HASH_SIZE], void *userdata,
                         struct err *err)
{
    (void)userdata;
    (void)err;
    secret_hmac_sha256(str_c("document"), text, ret_hash);
    return 0;
}

static int set_up(void **state, bool on_disk)
{
    struct api_rig *f = calloc(1, sizeof(*f));
    struct err err = {0};
    (void)str_copy(str_c("/var/tmp/nd-api.XXXXXX"), f->folder, sizeof(f->folder));
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->socket_path, sizeof(f->socket_path), "%s/sock", f->folder);
    shared_init(&f->shared, CAPACITY_MIN);
    struct shared_reader *socket_reader = shared_reader_add(&f->shared, "socket", 0);
    struct shared_reader *tcp_reader = shared_reader_add(&f->shared, "tcp", 0);
    struct shared_reader *stream_reader =
        shared_reader_add(&f->shared, "stream", API_STREAM_TOPICS);
    shared_reader_sleep(stream_reader);
    shared_seal(&f->shared);
    assert_int_equal(secret_init(&err), 0);
    f->loop = loop_new(&err);
    assert_non_null(f->loop);
    assert_int_equal(
        config_parse(STR_LIT("api:\n  token: " API_RIG_TOKEN "\nservices:\n"
                             "  demo: {command: [self], url: 'http://127.0.0.1:8099'}\n"
                             "  backup: {checks: {nightly: {heartbeat: 1d}}}\n"),
                     "test", &f->config, NULL, &err),
        0);
    assert_int_equal(
        ops_store_open(on_disk ? f->folder : ":memory:", OPS_STORE_WRITE, &f->store, &err), 0);
    assert_int_equal(access_new(f->config, f->store, clock_real(), &f->access, &err), 0);
    f->builtin = (struct builtin){.store = f->store, .clock = clock_real(), .access = f->access};
    f->actions = action_table_new();
    /* These actions are only described, not run: the tests run version and help. */
    builtin_actions(&f->builtin, f->actions);
    desk_actions(NULL, f->actions);
    alerts_actions(NULL, f->actions);
    const struct alerts_options alerts = {
        .clock = clock_real(), .config = f->config, .store = f->store};
    assert_int_equal(alerts_new(&alerts, &f->alerts, &err), 0);
    const struct health_options health = {.loop = f->loop,
                                          .config = f->config,
                                          .store = f->store,
                                          .alerts = f->alerts,
                                          .state_dir = f->folder};
    assert_int_equal(health_new(&health, &f->health, &err), 0);
    health_actions(f->health, f->actions);
    deploy_actions(NULL, f->actions);
    autofix_actions(NULL, f->actions);
    auditor_actions(NULL, f->actions);
    assistant_actions(NULL, f->actions);
    review_actions(NULL, f->actions);
    self_report_actions(NULL, f->actions);
    learner_actions(NULL, f->actions);
    measure_actions(NULL, f->actions);
    recommend_actions(NULL, f->actions);
    action_table_add(f->actions, ops_rows, NULL);
    assert_int_equal(manifest_list_load(f->actions, &f->manifests, &err), 0);
    f->builtin.manifests = f->manifests;
    f->shelf = shelf_of_rig = shelf_new(f->loop);
    const struct runner_options runner = {.loop = f->loop,
                                          .clock = clock_real(),
                                          .config = f->config,
                                          .store = f->store,
                                          .access = f->access,
                                          .actions = f->actions,
                                          .manifests = f->manifests,
                                          .shelf = f->shelf};
    assert_int_equal(runner_new(&runner, &f->runner, &err), 0);
    const struct api_options options = {.loop = f->loop,
                                        .shared = &f->shared,
                                        .socket_reader = socket_reader,
                                        .tcp_reader = tcp_reader,
                                        .stream_reader = stream_reader,
                                        .runner = f->runner,
                                        .access = f->access,
                                        .alerts = f->alerts,
                                        .health = f->health,
                                        .socket_path = f->socket_path,
                                        .tcp = true,
                                        .config = f->config,
                                        .state_dir = f->folder,
                                        .store = f->store,
                                        .manifests = f->manifests,
                                        .shelf = f->shelf,
                                        .offer = keep_document};
    assert_int_equal(api_start(&options, &f->api, &err), 0);
    *state = f;
    return 0;
}

int api_rig_setup(void **state)
{
    return set_up(state, false);
}

int api_rig_setup_on_disk(void **state)
{
    return set_up(state, true);
}

int api_rig_teardown(void **state)
{
    struct api_rig *f = *state;
    api_stop(f->api);
    runner_free(f->runner);
    shelf_free(f->shelf);
    manifest_list_free(f->manifests);
    action_table_free(f->actions);
    health_free(f->health);
    alerts_free(f->alerts);
    access_free(f->access);
    ops_store_free(f->store);
    config_free(f->config);
    loop_free(f->loop);
    shared_release(&f->shared);
    free(f->snapshot);
    char command[80];
    (void)snprintf(command, sizeof(command), "rm -r -- '%s'", f->folder);
    assert_int_equal(system(command), 0); /* the socket was deleted too */
    free(f);
    return 0;
}

void api_rig_publish(struct api_rig *f)
{
    free(f->snapshot);
    struct snapshot *s = f->snapshot = snapshot_new(CAPACITY_MIN);
    s->version = 7;
    s->state = TRADING_PAUSED;
    (void)str_copy(str_c("paused by alice"), s->state_reason, sizeof(s->state_reason));
    s->published_wall_us = INT64_C(1700000000) * USEC_PER_SEC;
    s->equity = dec_from_int(10412);
    s->cash = (struct dec){.e8 = 1};
    s->market_count = 1;
    (void)str_copy(str_c("BTC-USD"), s->markets[0].symbol.name, SYMBOL_SIZE);
    s->markets[0].price = (struct dec){.e8 = 6412050000000};
    s->position_count = 1;
    (void)str_copy(str_c("BTC-USD"), s->positions[0].symbol.name, SYMBOL_SIZE);
    s->positions[0].side = SIDE_LONG;
    s->positions[0].qty = (struct dec){.e8 = 310000};
    shared_publish_snapshot(&f->shared, s);
}

void api_rig_beat(struct api_rig *f)
{
    int64_t now_us = clock_mono_us(clock_real());
    atomic_store(&f->shared.engine_beat_mono_us, now_us);
    atomic_store(&f->shared.ops_beat_mono_us, now_us);
}
