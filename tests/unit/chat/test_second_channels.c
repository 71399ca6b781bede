/* Mail and webhook against a strict fake and a web server: what they send, and what becomes of the
 * outbox row if the server is busy, refuses, is silent or cuts the connection, and across kill -9
 * between any two writes. */
#include "../../../src/chat/mailer.h"
#include "alerts/alerts.h"
#include "base/log.h"
#include "chat/courier.h"
#include "command/reply_json.h"
#include "config/config.h"
#include "fakes/fake_smtp.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/secret.h"
#include "io/web.h"
#include "store/alert_table.h"
#include "store/ops.h"
#include "store/outbox_table.h"
#include "unit/unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHAT 42

struct rig {
    struct fake_smtp *smtp;
    struct web *web;
    pthread_mutex_t lock;
    char request[16384]; /* the last one: headers of interest, body */
    char signature[128];
    char timestamp[32];
    char delivery[64];
    int status; /* of the web server's answers */
    struct config *config;
    struct loop *loop;
    struct http *http;
    struct ops_store *store;
    struct alerts *alerts;
    struct courier *mailer;
    struct courier *webhook;
};

static void keep(char *dst, size_t size, struct str value)
{
    str_cut(value, dst, size);
}

static void on_request(struct web_request *request, void *userdata)
{
    struct rig *rig = userdata;
    (void)pthread_mutex_lock(&rig->lock);
    keep(rig->request, sizeof(rig->request), web_body(request));
    keep(rig->signature, sizeof(rig->signature), web_header(request, "X-Nightdesk-Signature"));
    keep(rig->timestamp, sizeof(rig->timestamp), web_header(request, "X-Nightdesk-Timestamp"));
    keep(rig->delivery, sizeof(rig->delivery), web_header(request, "X-Nightdesk-Delivery"));
    int status = rig->status;
    (void)pthread_mutex_unlock(&rig->lock);
    web_answer_c(request, status, "{}");
}

static struct config *configure(const struct rig *rig, const char *more)
{
    struct config *config = NULL;
    struct err err = {0};
    AUTO_BUF struct buf text = BUF_INIT(8192);
    buf_addf(&text,
             "telegram: {bot_token: '1:abc', chat_id: %d}\nconsole: {enabled: false}\n"
             "mail: {server: 127.0.0.1, port: %u, tls: none, from: bot@example.org,"
             " to: [al@example.org]}\n%s",
             CHAT, fake_smtp_port(rig->smtp), more);
    if (config_parse(buf_str(&text), "t.yaml", &config, NULL, &err) < 0) {
        fail_msg("%s", err.context);
    }
    return config;
}

static void wake(void *userdata)
{
    struct rig *rig = userdata;
    courier_wake(rig->mailer);
    courier_wake(rig->webhook);
}

static void open_rig(struct rig *rig, const char *folder)
{
    struct err err = {0};
    assert_int_equal(ops_store_open(folder, OPS_STORE_WRITE, &rig->store, &err), 0);
    rig->loop = loop_new(NULL);
    rig->http = http_new(rig->loop, NULL);
    assert_int_equal(alerts_new(&(struct alerts_options){.clock = clock_real(),
                                                         .config = rig->config,
                                                         .store = rig->store,
                                                         .headless = true,
                                                         .outbox_changed = wake,
                                                         .userdata = rig},
                                &rig->alerts, NULL),
                     0);
    rig->mailer =
        courier_new(COURIER_MAIL, &(struct courier_options){.loop = rig->loop,
                                                            .http = rig->http,
                                                            .clock = clock_real(),
                                                            .config = rig->config,
                                                            .store = rig->store,
                                                            .alerts = rig->alerts,
                                                            .backoff_first_us = 30 * USEC_PER_MSEC,
                                                            .timeout_ms = 400});
    rig->webhook = courier_new(COURIER_WEBHOOK,
                               &(struct courier_options){.loop = rig->loop,
                                                         .http = rig->http,
                                                         .clock = clock_real(),
                                                         .config = rig->config,
                                                         .store = rig->store,
                                                         .alerts = rig->alerts,
                                                         .backoff_first_us = 30 * USEC_PER_MSEC,
                                                         .timeout_ms = 400});
}

static void close_rig(struct rig *rig)
{
    courier_free(rig->mailer);
    courier_free(rig->webhook);
    alerts_free(rig->alerts);
    http_free(rig->http);
    loop_free(rig->loop);
    ops_store_free(rig->store);
}

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    log_set_level(LOG_LEVEL_ERROR);
    (void)signal(SIGPIPE, SIG_IGN); /* as the program does */
    assert_int_equal(secret_init(NULL), 0);
    (void)pthread_mutex_init(&rig->lock, NULL);
    rig->status = 200;
    assert_int_equal(fake_smtp_start(&rig->smtp), 0);
    assert_int_equal(
        web_start(&(struct web_options){.port = 0, .handler = on_request, .userdata = rig},
                  &rig->web, NULL),
        0);
    rig->config = configure(rig, "");
    open_rig(rig, ":memory:");
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    assert_string_equal(fake_smtp_violations(rig->smtp), "");
    close_rig(rig);
    web_stop(rig->web);
    fake_smtp_stop(rig->smtp);
    config_free(rig->config);
    (void)pthread_mutex_destroy(&rig->lock);
    free(rig);
    return 0;
}

static int64_t post(struct rig *rig, const char *channel, const char *title)
{
    AUTO_REPLY struct reply *r = reply_new();
    AUTO_BUF struct buf text = BUF_INIT(OUTBOX_PAYLOAD_MAX);
    int64_t id = 0;
    reply_title(r, TONE_BAD, "%s", title);
    reply_line(r, "text of %s", title);
    reply_json_message(r, &text);
    assert_int_equal(outbox_table_add(rig->store,
                                      &(struct outbox_new){.channel = channel,
                                                           .kind = OUTBOX_SEND,
                                                           .priority = OUTBOX_CRITICAL,
                                                           .payload = text.data},
                                      clock_wall_us(clock_real()), &id, NULL),
                     0);
    wake(rig);
    return id;
}

static enum outbox_state state_of(struct rig *rig, int64_t id, char last_error[128])
{
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    assert_int_equal(outbox_table_get(rig->store, id, &row, NULL), 0);
    if (last_error != NULL) {
        memcpy(last_error, row.last_error, 128);
    }
    return row.state;
}

/* Runs the loop until the row has this state, at most five seconds. */
static void reach(struct rig *rig, int64_t id, enum outbox_state state)
{
    int64_t end_us = clock_mono_us(clock_real()) + 5 * USEC_PER_SEC;
    while (state_of(rig, id, NULL) != state) {
        if (clock_mono_us(clock_real()) > end_us) {
            char why[128];
            enum outbox_state now = state_of(rig, id, why);
            fail_msg("row %lld is %s (%s)", (long long)id, outbox_table_state_name(now), why);
        }
        (void)loop_iterate(rig->loop, 10 * USEC_PER_MSEC);
    }
}

static void run_for(struct rig *rig, int64_t us)
{
    int64_t end_us = clock_mono_us(clock_real()) + us;
    while (clock_mono_us(clock_real()) < end_us) {
        (void)loop_iterate(rig->loop, 10 * USEC_PER_MSEC);
    }
}

static enum alert_status alert_status_of(struct rig *rig, const char *fingerprint)
{
    static struct alert alert;
    return alert_table_find(rig->store, fingerprint, &alert, NULL) < 0 ? ALERT_REJECTED
                                                                       : alert.status;
}

/* ---------------------------------------------------------------- mail */

static void a_mail_is_delivered(void **state)
{
    struct rig *rig = *state;
    int64_t id = post(rig, "mail", "prediction is down · 5 °C");
    courier_start(rig->mailer);
    reach(rig, id, OUTBOX_DELIVERED);
    const char *mail = fake_smtp_mail(rig->smtp, 0);
    assert_non_null(strstr(mail, "Subject: =?UTF-8?B?"));
    assert_non_null(strstr(mail, "To: <al@example.org>"));
    assert_non_null(strstr(mail, "X-Priority: 1"));
    assert_non_null(strstr(mail, "@example.org>\n"));
    assert_int_equal(fake_smtp_count(rig->smtp), 1);
}

static void the_text_of_a_mail(void **state)
{
    struct rig *rig = *state;
    AUTO_REPLY struct reply *r = reply_new();
    AUTO_BUF struct buf out = BUF_INIT(65536);
    reply_title(r, TONE_BAD, "a\r\nBcc: eve@example.org");
    const struct outbox_row row = {.id = 7, .created_us = 99, .priority = OUTBOX_HIGH};
    mailer_text(rig->config, &row, r, false, INT64_C(1795000000000000), &out);
    assert_non_null(strstr(out.data, "Message-ID: <outbox-7.99@example.org>\r\n"));
    assert_non_null(strstr(out.data, "Date: Wed, 18 Nov 2026 "));
    assert_null(strstr(out.data, "Bcc"));
    assert_null(strstr(out.data, "X-Priority"));
    for (const char *p = out.data; (p = strchr(p, '\n')) != NULL; p++) {
        assert_true(p[-1] == '\r');
    }
}

static void a_busy_server_is_tried_again(void **state)
{
    struct rig *rig = *state;
    char why[128] = "";
    fake_smtp_behave(rig->smtp, FAKE_SMTP_BUSY);
    int64_t id = post(rig, "mail", "t");
    courier_start(rig->mailer);
    for (int i = 0; i < 200 && strstr(why, "451 try again later") == NULL; i++) {
        reach(rig, id, OUTBOX_SENDING);
        reach(rig, id, OUTBOX_QUEUED);
        (void)state_of(rig, id, why);
    }
    assert_non_null(strstr(why, "451 try again later"));
    fake_smtp_behave(rig->smtp, FAKE_SMTP_ACCEPT);
    reach(rig, id, OUTBOX_DELIVERED);
    assert_int_equal(fake_smtp_count(rig->smtp), 1);
}

static void a_refused_mail_is_dead_and_raises_an_alert(void **state)
{
    struct rig *rig = *state;
    char why[128];
    fake_smtp_behave(rig->smtp, FAKE_SMTP_REFUSE);
    int64_t id = post(rig, "mail", "t");
    courier_start(rig->mailer);
    reach(rig, id, OUTBOX_DEAD);
    (void)state_of(rig, id, why);
    assert_non_null(strstr(why, "550 no such user"));
    assert_int_equal(alert_status_of(rig, "mail:undelivered"), ALERT_OPEN);
    fake_smtp_behave(rig->smtp, FAKE_SMTP_ACCEPT);
    id = post(rig, "mail", "u");
    reach(rig, id, OUTBOX_DELIVERED);
    assert_int_equal(alert_status_of(rig, "mail:undelivered"), ALERT_FIXED);
}

/* The alert about mail is a message to Telegram. If Telegram is down, too, mail does not carry it.
 */
static void a_channel_does_not_carry_its_own_failure(void **state)
{
    struct rig *rig = *state;
    fake_smtp_behave(rig->smtp, FAKE_SMTP_REFUSE);
    int64_t id = post(rig, "mail", "t");
    courier_start(rig->mailer);
    reach(rig, id, OUTBOX_DEAD);
    for (int i = 0; i < 3; i++) {
        alerts_tick(rig->alerts, true);
        run_for(rig, 50 * USEC_PER_MSEC);
    }
    int64_t newest = 0;
    assert_int_equal(outbox_table_newest(rig->store, &newest, NULL), 0);
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    assert_int_equal(outbox_table_get(rig->store, newest, &row, NULL), 0);
    assert_string_equal(row.channel, "telegram");
}

/* A loop that waits for the server is away for as long as the server is silent; a busy machine
 * takes the processor away for less. */
#define SILENT_US (600 * USEC_PER_MSEC)
#define AWAY_US   (SILENT_US / 2)

static void a_silent_server_does_not_stop_the_loop(void **state)
{
    struct rig *rig = *state;
    fake_smtp_behave(rig->smtp, FAKE_SMTP_SILENT);
    int64_t id = post(rig, "mail", "t");
    courier_start(rig->mailer);
    run_for(rig, SILENT_US);
    char why[128];
    assert_int_not_equal(state_of(rig, id, why), OUTBOX_DELIVERED);
    fake_smtp_behave(rig->smtp, FAKE_SMTP_ACCEPT);
    reach(rig, id, OUTBOX_DELIVERED);
    assert_true(loop_stats(rig->loop).longest_us < AWAY_US);
}

static void a_server_that_does_not_answer_quit_does_not_stop_the_loop(void **state)
{
    struct rig *rig = *state;
    fake_smtp_behave(rig->smtp, FAKE_SMTP_SILENT_QUIT);
    int64_t id = post(rig, "mail", "t");
    courier_start(rig->mailer);
    reach(rig, id, OUTBOX_DELIVERED);
    id = post(rig, "mail", "u");
    reach(rig, id, OUTBOX_DELIVERED);
    http_free(TAKE(rig->http)); /* closes the connections */
    rig->http = http_new(rig->loop, NULL);
    assert_true(loop_stats(rig->loop).longest_us < AWAY_US);
}

/* The Message-ID of a mail, up to the '>'. */
static struct str message_id(const char *mail)
{
    const char *at = strstr(mail, "Message-ID: ");
    assert_non_null(at);
    return str_n(at, (size_t)(strchr(at, '>') - at));
}

static void a_lost_answer_is_repeated_with_the_same_id(void **state)
{
    struct rig *rig = *state;
    fake_smtp_behave(rig->smtp, FAKE_SMTP_CUT);
    int64_t id = post(rig, "mail", "t");
    courier_start(rig->mailer);
    reach(rig, id, OUTBOX_UNCERTAIN);
    assert_int_equal(fake_smtp_count(rig->smtp), 3);
    struct str first = message_id(fake_smtp_mail(rig->smtp, 0));
    for (size_t i = 1; i < 3; i++) {
        assert_true(str_equal(first, message_id(fake_smtp_mail(rig->smtp, i))));
    }
    fake_smtp_behave(rig->smtp, FAKE_SMTP_SILENT_DATA);
    id = post(rig, "mail", "u");
    while (fake_smtp_count(rig->smtp) < 4) {
        (void)loop_iterate(rig->loop, 10 * USEC_PER_MSEC);
    }
    fake_smtp_behave(rig->smtp, FAKE_SMTP_ACCEPT);
    reach(rig, id, OUTBOX_DELIVERED);
}

/* ---------------------------------------------------------------- the webhook */

static void use_webhook(struct rig *rig, const char *secret)
{
    AUTO_BUF struct buf more = BUF_INIT(512);
    buf_addf(&more, "webhook: {url: 'http://127.0.0.1:%u/hook', secret: %s}\n", web_port(rig->web),
             secret);
    struct config *config = configure(rig, more.data);
    alerts_apply(rig->alerts, config);
    courier_apply(rig->mailer, config);
    courier_apply(rig->webhook, config);
    config_free(rig->config);
    rig->config = config;
}

static void a_webhook_is_signed(void **state)
{
    struct rig *rig = *state;
    use_webhook(rig, "k3y");
    int64_t id = post(rig, "webhook", "prediction is down");
    reach(rig, id, OUTBOX_DELIVERED);
    AUTO_BUF struct buf text = BUF_INIT(32768);
    char expected[SECRET_HASH_HEX_SIZE], header[SECRET_HASH_HEX_SIZE + 8];
    buf_addf(&text, "%s.%s", rig->timestamp, rig->request);
    secret_hmac_sha256(str_c("k3y"), buf_str(&text), expected);
    (void)snprintf(header, sizeof(header), "v1=%s", expected);
    assert_string_equal(rig->signature, header);
    assert_non_null(strstr(rig->request, "\"schema\":\"nightdesk.message/1\""));
    assert_non_null(strstr(rig->request, "\"severity\":\"critical\""));
    assert_non_null(strstr(rig->request, "\"title\":\"prediction is down\""));
    /* RFC 4231, test case 2 */
    secret_hmac_sha256(str_c("Jefe"), str_c("what do ya want for nothing?"), expected);
    assert_string_equal(expected,
                        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void a_webhook_is_repeated_or_given_up_by_its_status(void **state)
{
    struct rig *rig = *state;
    use_webhook(rig, "k3y");
    rig->status = 503;
    int64_t id = post(rig, "webhook", "t");
    reach(rig, id, OUTBOX_SENDING);
    reach(rig, id, OUTBOX_QUEUED);
    rig->status = 200;
    reach(rig, id, OUTBOX_DELIVERED);
    rig->status = 403;
    id = post(rig, "webhook", "u");
    reach(rig, id, OUTBOX_DEAD);
    char why[128];
    (void)state_of(rig, id, why);
    assert_string_equal(why, "WEBHOOK_REFUSED: HTTP status 403");
    assert_int_equal(alert_status_of(rig, "webhook:undelivered"), ALERT_OPEN);
}

/* ---------------------------------------------------------------- reload */

static void a_new_configuration_applies_at_once(void **state)
{
    struct rig *rig = *state;
    courier_start(rig->mailer);
    use_webhook(rig, "k3y"); /* was off */
    int64_t id = post(rig, "webhook", "t");
    reach(rig, id, OUTBOX_DELIVERED);
    struct config *config = NULL;
    assert_int_equal(
        config_parse(str_c("console: {enabled: false}\n"), "t.yaml", &config, NULL, NULL), 0);
    fake_smtp_behave(rig->smtp, FAKE_SMTP_SILENT);
    (void)post(rig, "mail", "under way");
    run_for(rig, 50 * USEC_PER_MSEC);
    id = post(rig, "mail", "waits");
    courier_apply(rig->mailer, config); /* off: nothing waits for ever */
    courier_apply(rig->webhook, config);
    assert_int_equal(state_of(rig, id, NULL), OUTBOX_DEAD);
    run_for(rig, 600 * USEC_PER_MSEC);
    config_free(rig->config);
    rig->config = config;
}

/* ---------------------------------------------------------------- kill -9 */

struct killer {
    int left; /* writes until the end; 0: never */
};

static int on_write(const char *what, void *userdata)
{
    struct killer *killer = userdata;
    (void)what;
    if (killer->left > 0 && --killer->left == 0) {
        (void)kill(getpid(), SIGKILL);
    }
    return 0;
}

static bool mail_has_ended(struct rig *rig)
{
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    int mails = 0, ended = 0;
    for (int64_t i = 1; outbox_table_get(rig->store, i, &row, NULL) == 0; i++) {
        bool is_mail = strcmp(row.channel, "mail") == 0;
        mails += is_mail;
        ended += is_mail && (row.state == OUTBOX_DELIVERED || row.state == OUTBOX_DEAD);
        outbox_row_release(&row);
    }
    return mails > 0 && mails == ended;
}

/* What the program does at a start and with one critical alert that Telegram refuses. */
static void live(struct rig *rig, const char *folder, int kill_at)
{
    struct killer killer = {.left = kill_at};
    int64_t count = 0, id = 0;
    open_rig(rig, folder);
    ops_store_set_fault(rig->store, on_write, &killer);
    assert_int_equal(outbox_table_recover(rig->store, &count, NULL), 0);
    courier_start(rig->mailer);
    const struct alert_spec spec = {.type = ALERT_SERVICE,
                                    .severity = SEVERITY_CRITICAL,
                                    .source = "test",
                                    .fingerprint = "test:one",
                                    .title = "one alert"};
    if (alert_status_of(rig, "test:one") == ALERT_REJECTED) {
        assert_int_equal(alerts_raise(rig->alerts, &spec, &id, NULL), 0);
    }
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    while (outbox_table_due(rig->store, "telegram", INT64_MAX, &row, NULL) > 0) {
        assert_int_equal(outbox_table_sending(rig->store, row.id, false, NULL), 0);
        assert_int_equal(outbox_table_dead(rig->store, row.id, "401", NULL), 0);
        outbox_row_release(&row);
    }
    for (int64_t i = 1; outbox_table_get(rig->store, i, &row, NULL) == 0; i++) {
        if (row.state == OUTBOX_UNCERTAIN && strcmp(row.channel, "telegram") == 0) {
            assert_int_equal(outbox_table_dead(rig->store, i, "401", NULL), 0);
        }
        outbox_row_release(&row);
    }
    alerts_tick(rig->alerts, false);
    for (int i = 0; i < 100 && (i == 0 || !mail_has_ended(rig)); i++) {
        run_for(rig, 50 * USEC_PER_MSEC);
    }
    close_rig(rig);
}

static int in_child(struct rig *rig, const char *folder, int kill_at)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        live(rig, folder, kill_at);
        _exit(0); /* a failed assertion ends elsewhere, with another status */
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* One copy of the alert, delivered; and Telegram's message shown as undelivered. */
static void check_end(struct rig *rig, const char *folder, int kill_at)
{
    struct ops_store *store = NULL;
    int mails = 0;
    assert_int_equal(ops_store_open(folder, OPS_STORE_READ, &store, NULL), 0);
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    for (int64_t i = 1; outbox_table_get(store, i, &row, NULL) == 0; i++) {
        if (strcmp(row.channel, "mail") == 0) {
            mails++;
            if (row.state != OUTBOX_DELIVERED) {
                fail_msg("killed at write %d: the mail is %s (%s)", kill_at,
                         outbox_table_state_name(row.state), row.last_error);
            }
        }
        outbox_row_release(&row);
    }
    struct outbox_undelivered u = {0};
    assert_int_equal(outbox_table_undelivered(store, 0, 0, &u, NULL), 0);
    ops_store_free(store);
    if (mails != 1 || u.dead != 1) {
        fail_msg("killed at write %d: %d mails, %lld dead", kill_at, mails, (long long)u.dead);
    }
    size_t count = fake_smtp_count(rig->smtp);
    assert_true(count > 0);
}

#define STRIDE (UNIT_SANITIZED ? 4 : 1) /* the release build is killed before each write */

static void a_copy_is_delivered_across_kill_9_between_any_two_writes(void **state)
{
    struct rig *rig = *state;
    int kills = 0;
    for (int n = 1;; n += STRIDE) {
        char folder[64], command[96];
        (void)snprintf(folder, sizeof(folder), "/dev/shm/nightdesk-kill-XXXXXX");
        assert_non_null(mkdtemp(folder));
        struct rig child = *rig;
        int status = in_child(&child, folder, n);
        bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        if (killed) {
            kills++;
            status = in_child(&child, folder, 0);
        }
        if (status != 0) {
            fail_msg("killed at write %d: the next process ended with %d", n, status);
        }
        if (killed) {
            check_end(rig, folder, n);
        } else {
            check_end(rig, folder, 0);
        }
        (void)snprintf(command, sizeof(command), "rm -rf %s", folder);
        assert_int_equal(system(command), 0);
        if (!killed) {
            break;
        }
    }
    assert_true(kills * STRIDE >= 15); /* each write and each commit */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

UNIT_GROUP(second_channels, TEST(a_mail_is_delivered), TEST(the_text_of_a_mail),
           TEST(a_busy_server_is_tried_again), TEST(a_refused_mail_is_dead_and_raises_an_alert),
           TEST(a_channel_does_not_carry_its_own_failure),
           TEST(a_silent_server_does_not_stop_the_loop),
           TEST(a_server_that_does_not_answer_quit_does_not_stop_the_loop),
           TEST(a_lost_answer_is_repeated_with_the_same_id), TEST(a_webhook_is_signed),
           TEST(a_webhook_is_repeated_or_given_up_by_its_status),
           TEST(a_new_configuration_applies_at_once),
           TEST(a_copy_is_delivered_across_kill_9_between_any_two_writes))
