/* The replies of the embedded commands of access, alerts, services, audits and the configuration,
 * as programs get them; those of trading and findings are checked by the tests of their modules. */
#include "../../../src/health/health_internal.h"
#include "../../../src/ops/notice_reply.h"
#include "../../../src/sentiment/sentiment_internal.h"
#include "alerts/alerts.h"
#include "assistant/assistant.h"
#include "assistant/measure.h"
#include "assistant/recommend.h"
#include "assistant/review.h"
#include "assistant/self_report.h"
#include "auditor/auditor.h"
#include "base/check.h"
#include "command/proposal.h"
#include "deploy/deploy.h"
#include "health/autofix.h"
#include "health/health.h"
#include "io/file.h"
#include "io/http.h"
#include "io/pool.h"
#include "learning/learner.h"
#include "ops/backup_actions.h"
#include "ops/cleanup_actions.h"
#include "ops/outbox_actions.h"
#include "ops/reload.h"
#include "rigs/golden.h"
#include "rigs/reply_text.h"
#include "rigs/runner_rig.h"
#include "store/equity_table.h"
#include "store/learning_table.h"
#include "store/sample_table.h"
#include "store/trade_table.h"
#include "store/trading.h"
#include "trading/desk.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct scene {
    struct runner_rig rig; /* its runner is replaced by one over commands/ */
    struct config *file;   /* of /reload and /config_history */
    struct config_options source;
    char path[160];
    struct alerts *alerts;
    struct http *http;
    struct pool *helpers;
    struct health *health;
    struct deploy *deploy;
    struct autofix *autofix;
    struct learner *learner;
    struct review *review;
    struct self_report_actions self;
    struct trading_store *trading;
    struct auditor *auditor;
    struct reload *reload;
    struct backup_actions backup;
    struct measures measures;
    struct recommender recommender;
    struct snapshot *snapshot;
    struct shared shared;
    struct sentiment *sentiment;
    struct builtin builtin;
    struct action_table *actions;
    struct manifest_list *manifests;
    char root[160];    /* of the releases */
    char full[131072]; /* the newest reply, with its data */
};

static void decorate(struct reply *reply, void *userdata)
{
    struct scene *s = userdata;
    reply_text_all(reply, s->full, sizeof(s->full));
}

static const struct snapshot *read_snapshot(void *userdata)
{
    return ((struct scene *)userdata)->snapshot;
}

static const struct config *read_config(void *config)
{
    return config;
}

static void on_apply(const struct config *before, const struct config *config, void *userdata)
{
    (void)before, (void)config, (void)userdata;
}

static int on_files(const struct config *config, void *userdata)
{
    (void)config, (void)userdata;
    return 0;
}

static void on_grace(int64_t until_us, void *userdata)
{
    (void)until_us, (void)userdata;
}

static void on_busy(bool begins, void *userdata)
{
    (void)begins, (void)userdata;
}

static void open_reload(struct scene *s)
{
    struct err err = {0};
    (void)snprintf(s->path, sizeof(s->path), "%s/nightdesk.yaml", s->rig.folder);
    s->source = (struct config_options){.path = s->path};
    assert_int_equal(file_write(s->path, STR_LIT("risk: {max_positions: 3}\n"), 0600, &err), 0);
    assert_int_equal(config_load(&s->source, &s->file, NULL, &err), 0);
    s->reload = reload_new(&(struct reload_options){.config = s->file,
                                                    .source = &s->source,
                                                    .loop = s->rig.loop,
                                                    .clock = &s->rig.clock.clock,
                                                    .store = s->rig.store,
                                                    .alerts = s->alerts,
                                                    .access = s->rig.access,
                                                    .apply = on_apply,
                                                    .files = on_files,
                                                    .helpers = s->helpers,
                                                    .api_grace = on_grace,
                                                    .busy = on_busy});
    reload_started(s->reload);
}

static void open_health(struct scene *s)
{
    struct config *config = &s->rig.config;
    for (int i = 0; i < config->service_count; i++) {
        struct config_service *service = &config->services[i];
        service->unit = service->url = service->health_endpoint = "";
        service->release_root = service->release_name = service->release_token = "";
        service->release_apply = "restart";
    }
    config->monitoring_check_interval_us = config->monitoring_confirm_interval_us = USEC_PER_HOUR;
    config->monitoring_alert_threshold = 3;
    config->services[0].unit = "demo.service";
    static const char *command[] = {"/bin/true", NULL};
    config->services[1].command = (struct config_texts){.count = 1, .items = command};
    const struct health_options options = {.loop = s->rig.loop,
                                           .config = config,
                                           .store = s->rig.store,
                                           .alerts = s->alerts,
                                           .http = s->http,
                                           .helpers = s->helpers,
                                           .state_dir = s->rig.folder};
    assert_int_equal(health_new(&options, &s->health, NULL), 0);
    (void)snprintf(s->root, sizeof(s->root), "%s/demo", s->rig.folder);
    config->services[0].release_root = s->root;
    config->services[0].release_review = "show";
    config->services[0].release_unsigned = true;
    s->deploy = deploy_new(&(struct deploy_options){
        .loop = s->rig.loop, .config = config, .http = s->http, .helpers = s->helpers});
}

static void open_auditor(struct scene *s)
{
    shared_init(&s->shared, 1);
    shared_seal(&s->shared);
    s->snapshot = snapshot_new(1);
    s->snapshot->version = 1;
    s->snapshot->published_wall_us = s->rig.clock.now_wall_us;
    s->snapshot->published_mono_us = s->rig.clock.now_mono_us;
    s->snapshot->started_wall_us = s->rig.clock.now_wall_us;
    s->snapshot->started_mono_us = s->rig.clock.now_mono_us;
    s->snapshot->market_us = s->rig.clock.now_wall_us;
    s->snapshot->market_speed = 1;
    s->snapshot->state = TRADING_ACTIVE;
    s->snapshot->initial_cash = s->snapshot->cash = s->snapshot->equity = dec_from_int(10000);
    s->snapshot->equity_peak = dec_from_int(10000);
    s->snapshot->max_daily_loss_pct = 5;
    s->snapshot->max_drawdown_pct = 15;
    s->snapshot->books_balance = true;
    atomic_store(&s->shared.engine_beat_mono_us, s->rig.clock.now_mono_us);
    assert_int_equal(trading_store_open(s->rig.folder, TRADING_STORE_WRITE, &s->trading, NULL), 0);
    const struct auditor_options options = {.loop = s->rig.loop,
                                            .clock = &s->rig.clock.clock,
                                            .config = s->file,
                                            .trading = s->trading,
                                            .store = s->rig.store,
                                            .alerts = s->alerts,
                                            .snapshot = read_snapshot,
                                            .snapshot_userdata = s,
                                            .shared = &s->shared,
                                            .state_dir = s->rig.folder};
    assert_int_equal(auditor_new(&options, &s->auditor, NULL), 0);
    s->review = review_new(&(struct review_options){.llm_client = NULL});
}

static void open_commands(struct scene *s)
{
    struct err err = {0};
    s->actions = action_table_new();
    s->builtin = (struct builtin){
        .store = s->rig.store, .clock = &s->rig.clock.clock, .access = s->rig.access};
    builtin_actions(&s->builtin, s->actions);
    desk_actions(NULL, s->actions);
    alerts_actions(s->alerts, s->actions);
    health_actions(s->health, s->actions);
    deploy_actions(s->deploy, s->actions);
    s->autofix = autofix_new(&(struct autofix_options){.clock = &s->rig.clock.clock,
                                                       .store = s->rig.store,
                                                       .access = s->rig.access,
                                                       .alerts = s->alerts});
    autofix_actions(s->autofix, s->actions);
    reload_actions(s->reload, s->actions);
    s->backup = (struct backup_actions){.helpers = s->helpers,
                                        .state_dir = s->rig.folder,
                                        .clock = &s->rig.clock.clock,
                                        .snapshot = read_snapshot,
                                        .userdata = s};
    backup_actions_add(&s->backup, s->actions);
    outbox_actions_add(NULL, s->actions);
    cleanup_actions_add(NULL, s->actions);
    auditor_actions(s->auditor, s->actions);
    review_actions(s->review, s->actions);
    s->self = (struct self_report_actions){.store = s->rig.store, .clock = &s->rig.clock.clock};
    self_report_actions(&s->self, s->actions);
    s->learner = learner_new(&(struct learner_options){.clock = &s->rig.clock.clock,
                                                       .config = &s->rig.config,
                                                       .store = s->rig.store,
                                                       .trading = s->trading});
    learner_actions(s->learner, s->actions);
    s->sentiment = sentiment_new(&(struct sentiment_options){.loop = s->rig.loop,
                                                             .config = &s->rig.config,
                                                             .store = s->rig.store,
                                                             .http = s->http,
                                                             .shared = &s->shared});
    sentiment_actions(s->sentiment, s->actions);
    s->measures = (struct measures){
        .state_dir = s->rig.folder, .config = read_config, .userdata = &s->rig.config};
    measure_actions(&s->measures, s->actions);
    assistant_actions(NULL, s->actions);
    s->recommender = (struct recommender){
        .state_dir = s->rig.folder, .config = read_config, .userdata = &s->rig.config};
    recommend_actions(&s->recommender, s->actions);
    assert_int_equal(manifest_list_load(s->actions, &s->manifests, &err), 0);
    s->builtin.manifests = s->manifests;
    const struct runner_options options = {.loop = s->rig.loop,
                                           .clock = &s->rig.clock.clock,
                                           .config = &s->rig.config,
                                           .store = s->rig.store,
                                           .access = s->rig.access,
                                           .actions = s->actions,
                                           .manifests = s->manifests,
                                           .decorate = decorate,
                                           .decorate_userdata = s};
    runner_free(s->rig.runner);
    assert_int_equal(runner_new(&options, &s->rig.runner, &err), 0);
    autofix_start(s->autofix, s->manifests, s->rig.runner);
}

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    const struct pool_options pool = {.name = "helper", .threads_max = 1, .queue_max = 4};
    assert_non_null(s);
    runner_rig_open(&s->rig);
    s->rig.config.telegram_bot_token = "";
    s->rig.config.mail_server = "";
    s->rig.config.webhook_url = "";
    s->helpers = pool_new(s->rig.loop, &pool, NULL);
    s->http = http_new(s->rig.loop, NULL);
    const struct alerts_options alerts = {.clock = &s->rig.clock.clock,
                                          .config = &s->rig.config,
                                          .access = s->rig.access,
                                          .store = s->rig.store,
                                          .headless = true};
    assert_int_equal(alerts_new(&alerts, &s->alerts, NULL), 0);
    open_health(s);
    open_reload(s);
    open_auditor(s);
    open_commands(s);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    runner_free(TAKE(s->rig.runner));
    reload_free(s->reload);
    auditor_free(s->auditor);
    deploy_free(s->deploy);
    autofix_free(s->autofix);
    learner_free(s->learner);
    sentiment_free(s->sentiment);
    review_free(s->review);
    health_free(s->health);
    alerts_free(s->alerts);
    manifest_list_free(s->manifests);
    action_table_free(s->actions);
    trading_store_free(s->trading);
    shared_release(&s->shared);
    free(s->snapshot);
    http_free(s->http);
    pool_free(s->helpers);
    config_free(s->file);
    runner_rig_close(&s->rig);
    free(s);
    return 0;
}

static void say(struct scene *s, const char *line)
{
    s->full[0] = '\0';
    assert_int_equal(runner_rig_submit(&s->rig, &s->rig.adam, line), 0);
    loop_advance(s->rig.loop, 0);
}

static void check(struct scene *s, const char *line, const char *name)
{
    say(s, line);
    golden_check_reply(name, s->full, (const char *const[]){s->rig.folder, NULL});
}

static void check_prompt(struct scene *s, const char *line, const char *name)
{
    say(s, line);
    golden_check_reply(name, s->full, (const char *const[]){runner_rig_code(&s->rig), NULL});
}

static void confirm(struct scene *s)
{
    char line[32];
    (void)snprintf(line, sizeof(line), "/confirm %s", runner_rig_code(&s->rig));
    say(s, line);
}

static void check_proposals(struct scene *s)
{
    static const struct principal program = {
        .channel = CHANNEL_HTTP, .name = "api", .role = ROLE_OPERATOR};
    AUTO_REPLY struct reply *made = NULL;
    AUTO_PROPOSAL struct proposal p = {0};
    struct err err = {0};
    const struct proposal_request request = {
        .who = &program, .line = "/pause", .reason = "The feed is 40 s late."};
    assert_int_equal(proposal_make(s->rig.runner, &request, &made, &err), 0);
    assert_int_equal(proposal_table_get(s->rig.store, 1, &p, &err), 0);
    say(s, "/proposals 1");
    golden_check_reply("proposal", s->full, (const char *const[]){p.code, NULL});
    check(s, "/proposals", "proposals");
}

static void people_match_the_golden_files(void **state)
{
    struct scene *s = *state;
    check(s, "/help", "help");
    check(s, "/workflows", "workflows");
    check(s, "/workflows restart", "workflows_one");
    check(s, "/start", "start");
    check(s, "/otp", "otp");
    check_prompt(s, "/grant 123456789 operator name=dora", "grant");
    confirm(s);
    check(s, "/users", "users");
    check_prompt(s, "/revoke dora", "revoke");
    check(s, "/runs", "runs");
    check(s, "/run 4", "run");
    check_proposals(s);

    const struct principal owner = {
        .id = (int64_t)getuid(), .name = "owner", .role = ROLE_ADMIN, .emergency = true};
    s->rig.config.telegram_bot_token = "1:x";
    assert_int_equal(runner_rig_call(&s->rig, &owner, "/pair", false), 0);
    AUTO_JSON struct json_object *json = NULL;
    const char *text = s->rig.reply_text;
    assert_int_equal(
        json_parse(str_n(text, strcspn(text, "\n")), &JSON_LIMITS_DEFAULT, &json, NULL), 0);
    const char *code = json_text(json_get(json, "data"), "code");
    assert_int_equal(strlen(code), PAIR_CODE_CHARS);
    AUTO_BUF struct buf shown = BUF_INIT(32);
    buf_addf(&shown, "%.5s-%s", code, code + PAIR_CODE_CHARS / 2);
    golden_check_reply("pair", text, (const char *const[]){code, shown.data, NULL});
}

static void tokens_match_the_golden_files(void **state)
{
    struct scene *s = *state;
    const struct principal owner = {.channel = CHANNEL_SOCKET,
                                    .id = (int64_t)getuid(),
                                    .name = "owner",
                                    .role = ROLE_ADMIN,
                                    .emergency = true};
    assert_int_equal(runner_rig_call(&s->rig, &owner,
                                     "/token_create read_only grafana expires=90d ip=10.1.2.3/8 "
                                     "commands=status,risk*",
                                     false),
                     0);
    AUTO_JSON struct json_object *json = NULL;
    const char *text = s->rig.reply_text;
    assert_int_equal(
        json_parse(str_n(text, strcspn(text, "\n")), &JSON_LIMITS_DEFAULT, &json, NULL), 0);
    const char *token = json_text(json_get(json, "data"), "token");
    assert_int_equal(strlen(token), ACCESS_TOKEN_SIZE - 1);
    golden_check_reply("token_create", text, (const char *const[]){token, NULL});
    check(s, "/tokens", "tokens");
    check_prompt(s, "/token_revoke grafana", "token_revoke");
    s->rig.config.api_port = 8088;
    s->rig.config.api_public_url = "https://desk.example.com";
    assert_int_equal(runner_rig_call(&s->rig, &owner, "/web", false), 0);
    AUTO_JSON struct json_object *link = NULL;
    assert_int_equal(
        json_parse(str_n(text, strcspn(text, "\n")), &JSON_LIMITS_DEFAULT, &link, NULL), 0);
    const char *code = strstr(json_text(json_get(link, "data"), "url"), "#code=");
    assert_non_null(code);
    golden_check_reply("web", text, (const char *const[]){code + strlen("#code="), NULL});
}

static void alerts_match_the_golden_files(void **state)
{
    struct scene *s = *state;
    const struct alert_spec spec = {.type = ALERT_SERVICE,
                                    .severity = SEVERITY_HIGH,
                                    .source = "health",
                                    .fingerprint = "service:demo",
                                    .title = "demo is down",
                                    .description = "3 consecutive checks failed: HTTP 503",
                                    .recommendation = "See /logs demo."};
    assert_int_equal(alerts_raise(s->alerts, &spec, NULL, NULL), 0);
    clock_fake_advance(&s->rig.clock, 90 * USEC_PER_MIN);
    check(s, "/alerts", "alerts");
    check(s, "/alerts 1", "alerts_one");
    check(s, "/mute 1 1h", "mute");
    check(s, "/unmute 1", "unmute");
    check(s, "/ack 1", "ack");
    assert_int_equal(alerts_note(s->alerts, "service:demo", "restarted it", NULL), 0);
    check(s, "/incidents", "incidents");
    check(s, "/incident 1", "incident");
    check(s, "/test_alert", "test_alert");
    check_prompt(s, "/maintenance on 2h \"kernel update\" service=demo", "maintenance_on");
    confirm(s);
    golden_check_reply("maintenance_begun", s->full, NULL);
    check(s, "/maintenance", "maintenance");
    check(s, "/maintenance off", "maintenance_off");
}

/* Of a command that a helper works for, in real time. */
static void send_and_wait(struct scene *s, const char *line)
{
    say(s, line);
    for (int i = 0; i < 10000 && s->full[0] == '\0'; i++) {
        (void)usleep(1000);
        loop_advance(s->rig.loop, 0);
    }
}

static void check_prompt_later(struct scene *s, const char *line, const char *name)
{
    send_and_wait(s, line);
    golden_check_reply(name, s->full,
                       (const char *const[]){runner_rig_code(&s->rig), s->rig.folder, NULL});
}

static void check_later(struct scene *s, const char *line, const char *name)
{
    const char *ids[] = {s->rig.folder, NULL, NULL};
    char id[64] = "";
    send_and_wait(s, line);
    const char *at = strstr(s->full, "\"id\":\"");
    if (at != NULL) {
        (void)snprintf(id, sizeof(id), "%.*s", (int)strcspn(at + 6, "\""), at + 6);
        ids[1] = id;
    }
    golden_check_reply(name, s->full, ids);
}

static void write_in(const struct scene *s, const char *name, struct str text)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", s->rig.folder, name);
    assert_int_equal(file_write(path, text, 0644, NULL), 0);
}

/* 1.0 runs; a zip of a file makes 1.2. */
static void releases_match_the_golden_files(void **state)
{
    static const char zip[] =
        "\120\113\003\004\024\000\000\000\000\000\000\000\041\134\135\226\245\126"
        "\004\000\000\000\004\000\000\000\007\000\000\000\166\145\162\163\151\157"
        "\156\061\056\062\012\120\113\001\002\024\003\024\000\000\000\000\000\000"
        "\000\041\134\135\226\245\126\004\000\000\000\004\000\000\000\007\000\000"
        "\000\000\000\000\000\000\000\000\000\244\201\000\000\000\000\166\145\162"
        "\163\151\157\156\120\113\005\006\000\000\000\000\001\000\001\000\065\000"
        "\000\000\051\000\000\000\000\000";
    struct scene *s = *state;
    char path[256], line[300];
    write_in(s, "demo-1.2.zip", str_n(zip, sizeof(zip) - 1));
    check_later(s, "/releases demo", "releases_none");
    (void)snprintf(line, sizeof(line), "/stage demo %s/demo-1.2.zip", s->rig.folder);
    check_later(s, line, "stage");
    /* The time at which it was unpacked is that of the test. */
    write_in(s, "demo/info/1.2", STR_LIT("sha256 5f2b5c11ce1e4a11\nsigner \nbytes 12400000\n"));
    write_in(s, "demo/info/1.0", STR_LIT("sha256 abc\nsigner 3b6a27bcceb6a42d62\nbytes 980\n"));
    for (int i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof(path), "%s/releases/1.%d", s->root, i);
        assert_int_equal(mkdir(path, 0755), 0);
    }
    write_in(s, "demo/releases/1.2/release.diff",
             STR_LIT("--- a/main.c\n+++ b/main.c\n@@ -1 +1 @@\n-int x;\n+int y;\n"));
    write_in(s, "demo/history", STR_LIT("t go 1.1\nt go 1.0\n"));
    (void)snprintf(path, sizeof(path), "%s/current", s->root);
    assert_int_equal(symlink("releases/1.0", path), 0);
    check_later(s, "/releases demo", "releases");
    check_prompt_later(s, "/deploy demo 1.2", "deploy");
    check_prompt(s, "/rollback demo", "rollback");
    check_later(s, "/drain demo", "drain"); /* its unit is no template */
    check_prompt(s, "/self_update demo 1.1", "self_update");
}

static void services_match_the_golden_files(void **state)
{
    struct scene *s = *state;
    char log[192];
    (void)snprintf(log, sizeof(log), "%s/prediction.log", s->rig.folder);
    assert_int_equal(
        file_write(log, STR_LIT("12:05:06 ready\n12:05:07 the feed is silent\n"), 0600, NULL), 0);
    check(s, "/services", "services");
    check(s, "/services demo", "service");
    AUTO_BUF struct buf last = BUF_INIT(64);
    buf_addf(&last, "%lld undone demo", (long long)(RIG_WALL_US - 5 * USEC_PER_MIN));
    assert_int_equal(
        ops_store_write_text(s->rig.store, "autofix.last.fix_hung", buf_str(&last), NULL), 0);
    check(s, "/autofix", "autofix");
    check_prompt(s, "/restart demo", "restart");
    check_prompt(s, "/force_restart demo", "force_restart");
    check(s, "/plan restart demo", "plan");
    check_later(s, "/logs prediction", "logs");
    assert_int_equal(file_write(log,
                                STR_LIT("2026-11-18T09:00:00Z feed 1 lost\n"
                                        "2026-11-18T09:10:00Z order 12 took 80 ms\n"
                                        "2026-11-18T11:00:00Z order 13 took 95 ms\n"
                                        "2026-11-18T11:01:00Z ERROR cannot open 'a.db'\n"),
                                0600, NULL),
                     0);
    check_later(s, "/logs prediction patterns", "logs_patterns");
    check_later(s, "/logs prediction new", "logs_new");
    check_later(s, "/export_logs prediction 2026-11-18", "export_logs");
    check(s, "/audit", "audit");
    say(s, "/health_check");
    loop_advance(s->rig.loop, 25 * USEC_PER_SEC);
    golden_check_reply("health_check", s->full, NULL);
}

/* A server that takes connections and never answers; *ret_port: where. */
static int listen_silently(int *ret_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static void answer_test(struct scene *s, const char *body)
{
    struct sentiment_test *test = s->sentiment->tests;
    assert_non_null(test);
    http_cancel(TAKE(test->request));
    sentiment_test_answer(
        &(struct http_response){.outcome = HTTP_OK, .status = 200, .body = str_c(body)}, test);
    loop_advance(s->rig.loop, 0);
}

static void sentiment_matches_the_golden_files(void **state)
{
    struct scene *s = *state;
    int64_t now_us = clock_wall_us(&s->rig.clock.clock);
    char mood_text[64], news_text[64];
    int port = 0, silent = listen_silently(&port);
    (void)snprintf(mood_text, sizeof(mood_text), "mood fear_greed http://127.0.0.1:%d/", port);
    (void)snprintf(news_text, sizeof(news_text), "news feed http://127.0.0.1:%d/", port);
    const char *sources[] = {mood_text, news_text, "moved json http://127.0.0.1:1/x value=/v",
                             NULL};
    check(s, "/sentiment", "sentiment_off");
    check(s, "/sentiment_test mood", "sentiment_test_none");
    struct config config = s->rig.config;
    config.sentiment_sources = (struct config_texts){3, sources};
    config.sentiment_max_age_us = USEC_PER_DAY;
    config.sentiment_scoring = "claude";
    sentiment_apply(s->sentiment, &config, NULL);
    struct sentiment_source *mood = s->sentiment->sources[0], *news = s->sentiment->sources[1],
                            *moved = s->sentiment->sources[2];
    mood->items[0] = (struct sentiment_item){.source = "mood",
                                             .key = "index",
                                             .title = "22 of 0 to 100, Extreme Fear",
                                             .published_us = now_us - 9 * USEC_PER_HOUR,
                                             .received_us = now_us - 4 * USEC_PER_MIN,
                                             .scorer = SENTIMENT_INDEX,
                                             .score = -0.56};
    news->items[0] = (struct sentiment_item){.source = "news",
                                             .key = "a",
                                             .title = "Bitcoin falls as exchange halts withdrawals",
                                             .symbols = "BTC-USD",
                                             .received_us = now_us - 2 * USEC_PER_MIN,
                                             .scorer = SENTIMENT_LEXICON,
                                             .score = -0.5};
    news->items[1] = (struct sentiment_item){.source = "news",
                                             .key = "b",
                                             .title = "Ethereum upgrade goes live",
                                             .symbols = "ETH-USD",
                                             .published_us = now_us - USEC_PER_HOUR,
                                             .received_us = now_us - 17 * USEC_PER_MIN,
                                             .scorer = SENTIMENT_WAITS};
    mood->count = 1;
    news->count = 2;
    mood->read_us = now_us - 4 * USEC_PER_MIN;
    news->read_us = now_us - 2 * USEC_PER_MIN;
    news->entries = 20;
    news->unnamed = 18;
    moved->failures = 3;
    moved->tried_us = now_us - 10 * USEC_PER_SEC;
    (void)err_set(&moved->err, ERR_SENTIMENT_REDIRECT, "HTTP 301 to https://moved.example.org/x");
    sentiment_publish(s->sentiment);
    check(s, "/sentiment", "sentiment");
    check(s, "/sentiment BTC-USD", "sentiment_symbol");
    check(s, "/sentiment nothing", "sentiment_unknown");
    say(s, "/sentiment_test news");
    answer_test(s, "<rss><channel><item><title>BTC rallies</title></item><item><title>Weather"
                   "</title></item></channel></rss>");
    golden_check_reply("sentiment_test", s->full, (const char *const[]){s->rig.folder, NULL});
    say(s, "/sentiment_test mood");
    answer_test(s, "{\"data\":[{\"value\":\"high\"}]}");
    golden_check_reply("sentiment_test_refused", s->full,
                       (const char *const[]){s->rig.folder, NULL});
    sentiment_free(TAKE(s->sentiment)); /* before the configuration ends */
    (void)close(silent);
}

static void learnings_match_the_golden_files(void **state)
{
    struct scene *s = *state;
    const struct learning_review review = {.id = 1,
                                           .at_us = clock_wall_us(&s->rig.clock.clock),
                                           .last_trade_id = 338,
                                           .trades = 338,
                                           .formed = 225,
                                           .held = 113,
                                           .tried = 174,
                                           .survivors = 2,
                                           .confirmed = 1,
                                           .level = 0.025};
    const struct learning found = {.pattern = "symbol == SOL-USD and side == short",
                                   .effect = RULE_AVOID,
                                   .text =
                                       "Trades with symbol == SOL-USD and side == short win less "
                                       "often than the others: 7 of 61; of the others 56 %",
                                   .confidence = 0.78,
                                   .outcome = LEARNING_TESTING,
                                   .cases = 61,
                                   .wins = 7,
                                   .return_pct = -41.25,
                                   .evidence_count = 3,
                                   .evidence = {301, 317, 330},
                                   .duplicates = 1,
                                   .review_id = 1,
                                   .formed = {41, 4, 225, 108, -28.5, 0.000031},
                                   .held = {20, 3, 113, 60, -12.75, 0.0014},
                                   .rule_id = 7,
                                   .created_us = clock_wall_us(&s->rig.clock.clock)};
    const struct learning seen = {.pattern = "symbol == BTC-USD and side == long",
                                  .effect = RULE_FAVOUR,
                                  .text =
                                      "Trades with symbol == BTC-USD and side == long win 12 of 20",
                                  .confidence = 0.39,
                                  .cases = 20,
                                  .wins = 12,
                                  .return_pct = 6.5,
                                  .created_us = clock_wall_us(&s->rig.clock.clock)};
    int64_t id = 0;
    bool is_new = false;
    s->rig.config.learning_enabled = true;
    s->rig.config.learning_min_trades = 150;
    check(s, "/learnings", "learnings_none");
    assert_int_equal(learning_table_add_review(s->rig.store, &review, NULL), 0);
    assert_int_equal(learning_table_merge(s->rig.store, &found, &id, &is_new, NULL), 0);
    assert_int_equal(learning_table_merge(s->rig.store, &seen, &id, &is_new, NULL), 0);
    check(s, "/learnings", "learnings_trades");
    check(s, "/learning 1", "learning");
    check(s, "/learning 2", "learning_observed");
    check(s, "/learning 9", "learning_unknown");
}

/* Six hours of three symbols; every third trade lost. */
static void add_trades(struct scene *s)
{
    static const char *const symbols[] = {"BTC-USD", "ETH-USD", "SOL-USD"};
    int64_t now_us = clock_wall_us(&s->rig.clock.clock);
    for (int i = 0; i < 12; i++) {
        bool lost = i % 3 == 2;
        struct trade trade = {.id = i + 1,
                              .side = i % 2 == 0 ? SIDE_LONG : SIDE_SHORT,
                              .qty = dec_from_double(0.5),
                              .entry_price = dec_from_int(100),
                              .exit_price = dec_from_int(lost ? 97 : 102),
                              .pnl = dec_from_double(lost ? -1.75 : 0.85),
                              .fees = dec_from_double(0.15),
                              .opened_us = now_us - (13 - i) * USEC_PER_HOUR / 2,
                              .closed_us = now_us - (12 - i) * USEC_PER_HOUR / 2};
        assert_true(symbol_parse(str_c(symbols[i % 3]), &trade.symbol));
        (void)str_copy(str_c(lost ? "stop" : "target"), trade.exit_reason,
                       sizeof(trade.exit_reason));
        assert_int_equal(trade_table_add(s->trading, &trade, NULL), 0);
        const struct equity_point point = {.at_us = trade.closed_us,
                                           .equity = dec_from_int(lost ? 9990 : 10000 + i)};
        assert_int_equal(equity_table_add(s->trading, &point, NULL), 0);
    }
}

static void measures_match_the_golden_files(void **state)
{
    struct scene *s = *state;
    check(s, "/measure summary from=today", "measure_none");
    add_trades(s);
    check(s, "/measure summary from=-1d", "measure");
    check(s, "/measure profit BTC-USD from=-3h versus_from=-6h versus_to=-3h", "measure_versus");
    check(s, "/measure win_rate BTC-USD versus_symbol=SOL-USD", "measure_versus_symbol");
    check(s, "/measure profit why=yes", "measure_why");
    check(s, "/measure profit BTC-USD why=yes premise=loss", "measure_premise");
    check(s, "/measure profit by=hour order=best", "measure_groups");
    check(s, "/measure drawdown", "measure_drawdown");
    check(s, "/measure streak last=5", "measure_streak");
    check(s, "/measure drawdown SOL-USD", "measure_refused");
    const struct service_sample samples[] = {
        {.service = "demo", .at_us = clock_wall_us(&s->rig.clock.clock) - 180 * USEC_PER_SEC},
        {.service = "demo",
         .at_us = clock_wall_us(&s->rig.clock.clock) - 60 * USEC_PER_SEC,
         .up = true}};
    assert_int_equal(sample_table_add_all(s->rig.store, samples, 2, NULL), 0);
    check(s, "/measure_ops uptime from=-1h", "measure_ops");
    check(s, "/measure_ops errors from=-1h", "measure_errors");
    check(s, "/measure_ops cost from=-1h", "measure_cost");
}

/* Forty days of nine trades; shorts of SOL-USD lose. */
static void add_losing_trades(struct scene *s)
{
    static const char *const symbols[] = {"BTC-USD", "ETH-USD", "SOL-USD"};
    int64_t now_us = clock_wall_us(&s->rig.clock.clock);
    assert_int_equal(trading_store_begin(s->trading, NULL), 0);
    for (int i = 0; i < 360; i++) {
        bool short_sol = i % 3 == 2 && i % 2 == 1;
        double vary = (i * 37 % 19 - 9) / 10.0;
        struct trade trade = {.id = i + 1,
                              .side = i % 2 == 0 ? SIDE_LONG : SIDE_SHORT,
                              .qty = dec_from_int(1),
                              .entry_price = dec_from_int(100),
                              .exit_price = dec_from_int(101),
                              .pnl = dec_from_double(short_sol ? vary - 1.5 : vary),
                              .fees = dec_from_double(0.1),
                              .opened_us = now_us - (361 - i) * USEC_PER_DAY / 9,
                              .closed_us = now_us - (360 - i) * USEC_PER_DAY / 9};
        assert_true(symbol_parse(str_c(symbols[i % 3]), &trade.symbol));
        assert_int_equal(trade_table_add(s->trading, &trade, NULL), 0);
    }
    assert_int_equal(trading_store_commit(s->trading, NULL), 0);
}

static void recommendations_match_the_golden_files(void **state)
{
    struct scene *s = *state;
    check(s, "/recommend", "recommend_none");
    add_losing_trades(s);
    check(s, "/recommend", "recommend");
    check(s, "/recommend services", "recommend_area");
}

static void configurations_match_the_golden_files(void **state)
{
    struct scene *s = *state;
    char hash[65] = ""; /* of all options, so that a new one changes it */
    say(s, "/config_history");
    const char *at = strstr(s->full, "\"hash\":\"");
    assert_non_null(at);
    (void)snprintf(hash, sizeof(hash), "%s", at + strlen("\"hash\":\""));
    golden_check_reply("config_history", s->full, (const char *const[]){hash, NULL});
    assert_int_equal(file_write(s->path, STR_LIT("risk: {max_positions: 4}\n"), 0600, NULL), 0);
    check_prompt(s, "/reload quieter", "reload");
}

/* A prompt with the code and the folder of the test in it. */
static void check_file_prompt(struct scene *s, const char *line, const char *name)
{
    say(s, line);
    const char *const varies[] = {runner_rig_code(&s->rig), s->rig.folder, NULL};
    golden_check_reply(name, s->full, varies);
}

static void changes_of_the_configuration_match_the_golden_files(void **state)
{
    struct scene *s = *state;
    char hash[65], line[128];
    struct err err = {0};
    check(s, "/config charts.theme", "config_get");
    check(s, "/config charts", "config_group");
    check_file_prompt(s, "/config set charts.theme dark because it is night", "config_set");
    confirm(s);
    for (int i = 0; i < 2000 && strstr(s->full, "applied") == NULL; i++) { /* a helper works */
        (void)usleep(5000);
        loop_advance(s->rig.loop, 0);
    }
    golden_check_reply("config_set_done", s->full, NULL);
    check(s, "/config diff 1", "config_diff");
    check_file_prompt(s, "/config rollback 1", "config_rollback");
    assert_int_equal(reload_offer(s->reload, STR_LIT("risk: {max_positions: 2}\n"), hash, &err), 0);
    (void)snprintf(line, sizeof(line), "/config_validate %s", hash);
    check(s, line, "config_validate");
    (void)snprintf(line, sizeof(line), "/config_apply %s why=quieter", hash);
    check_file_prompt(s, line, "config_apply");
    assert_int_equal(
        reload_offer(s->reload, STR_LIT("risk: {max_positions: x, stop: 99%}\n"), hash, &err), 0);
    (void)snprintf(line, sizeof(line), "/config_validate %s", hash);
    check(s, line, "config_invalid");
}

static void targets_match_the_golden_files(void **state)
{
    struct scene *s = *state;
    say(s, "/update_targets risk.max_drawdown 12 %, cooldown 20m because CPI is due");
    const char *const varies[] = {runner_rig_code(&s->rig), s->rig.folder, NULL};
    golden_check_reply("update_targets", s->full, varies);
    confirm(s);
    for (int i = 0; i < 2000 && strstr(s->full, "Limits changed") == NULL;
         i++) { /* a helper works */
        (void)usleep(5000);
        loop_advance(s->rig.loop, 0);
    }
    golden_check_reply("update_targets_done", s->full, NULL);
}

static void rotations_match_the_golden_files(void **state)
{
    struct scene *s = *state;
    assert_int_equal(file_write(s->path,
                                STR_LIT("risk: {max_positions: 3}\napi: {token: next-t0ken}\n"),
                                0600, NULL),
                     0);
    check_prompt(s, "/rotate_token api grace=10m", "rotate_token");
    confirm(s);
    golden_check_reply("rotate_token_done", s->full, NULL);
}

static void backups_match_the_golden_files(void **state)
{
    struct scene *s = *state;
    struct trading_store *trading = NULL;
    assert_int_equal(trading_store_open(s->rig.folder, TRADING_STORE_WRITE, &trading, NULL), 0);
    trading_store_free(trading);
    say(s, "/backup");
    for (int i = 0; i < 2000 && strstr(s->full, "is made") == NULL; i++) { /* a helper works */
        (void)usleep(5000);
        loop_advance(s->rig.loop, 0);
    }
    static const char *const sizes[] = {"ops.db ", "trading.db ",
                                        "ops_bytes\":", "trading_bytes\":"};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) { /* they change with the schema */
        char *at = strstr(s->full, sizes[i]);
        assert_non_null(at);
        at += strlen(sizes[i]);
        memset(at, '1', strspn(at, "0123456789"));
    }
    golden_check_reply("backup", s->full, NULL);
    check(s, "/backups", "backups");
    s->snapshot->version = 1;
    s->snapshot->state = TRADING_PAUSED;
    check_prompt(s, "/restore 2026-11-18T11-06-40Z", "restore");
}

#define SCENE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void the_weekly_digest_matches_its_golden_file(void **state)
{
    (void)state;
    enum { OPEN = 2 };
    struct alert *open = calloc(OPEN, sizeof(*open));
    static char text[65536];
    assert_non_null(open);
    open[0].severity = SEVERITY_HIGH;
    (void)str_copy(str_c("the books do not balance"), open[0].title, sizeof(open[0].title));
    open[1].severity = SEVERITY_LOW;
    (void)str_copy(str_c("rule 3 has never matched"), open[1].title, sizeof(open[1].title));
    const int64_t now_us = INT64_C(1795000000) * USEC_PER_SEC;
    static const struct forecast_row forecasts[] = {
        {.subject = "host", .kind = "disk", .warned = true},
        {.subject = "demo", .kind = "memory", .warned = true},
        {.subject = "demo", .kind = "checks"}};
    const struct notice_week week = {
        .since_us = now_us - 7 * USEC_PER_DAY,
        .findings = {.found = 5, .fixed = 3, .wontfix = 1, .reopened = 1, .rejected = 2, .open = 2},
        .audits = {.audits = 167,
                   .no_verdict = 2,
                   .answers = {.audits = 165, .claimed = 41, .rejected = 2}},
        .spend = {.cost_usd = {460500000}, .calls = 171, .unpriced = 2},
        .open = open,
        .open_count = OPEN,
        .self =
            {.questions = {.asked = 12,
                           .by_model = 8,
                           .by_grammar = 4,
                           .answered = 9,
                           .withheld = 1,
                           .proposed = 1,
                           .failed = 1,
                           .verified = 57,
                           .unverified = 3,
                           .good = 5,
                           .bad = 1},
             .proposing_count = 1,
             .proposing =
                 {{.model = "claude-sonnet-5-5",
                   .count = 4,
                   .outcomes =
                       {[PROPOSAL_OPEN] = 1, [PROPOSAL_CONFIRMED] = 2, [PROPOSAL_CANCELLED] = 1}}},
             .model_count = 1,
             .models = {{"claude-sonnet-5-5", {{460500000}, 171, 2}}}},
        .forecasts = forecasts,
        .forecast_count = COUNT_OF(forecasts)};
    AUTO_REPLY struct reply *reply = notice_weekly(&week, now_us);
    reply_text_all(reply, text, sizeof(text));
    golden_check_reply("weekly_digest", text, NULL);
    free(open);
}

UNIT_GROUP(ops_golden, cmocka_unit_test(the_weekly_digest_matches_its_golden_file),
           SCENE_TEST(people_match_the_golden_files), SCENE_TEST(tokens_match_the_golden_files),
           SCENE_TEST(alerts_match_the_golden_files), SCENE_TEST(services_match_the_golden_files),
           SCENE_TEST(releases_match_the_golden_files),
           SCENE_TEST(learnings_match_the_golden_files),
           SCENE_TEST(sentiment_matches_the_golden_files),
           SCENE_TEST(measures_match_the_golden_files),
           SCENE_TEST(recommendations_match_the_golden_files),
           SCENE_TEST(configurations_match_the_golden_files),
           SCENE_TEST(changes_of_the_configuration_match_the_golden_files),
           SCENE_TEST(targets_match_the_golden_files), SCENE_TEST(rotations_match_the_golden_files),
           SCENE_TEST(backups_match_the_golden_files))
