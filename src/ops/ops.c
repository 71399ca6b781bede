#include "ops/ops.h"

#include "access/access.h"
#include "alerts/alerts.h"
#include "api/api.h"
#include "assistant/assistant.h"
#include "assistant/claude.h"
#include "assistant/review.h"
#include "assistant/self_report.h"
#include "auditor/auditor.h"
#include "base/check.h"
#include "base/log.h"
#include "chat/console.h"
#include "chat/courier.h"
#include "chat/telegram.h"
#include "command/manifest.h"
#include "command/runner.h"
#include "command/shelf.h"
#include "config/limit.h"
#include "deploy/deploy.h"
#include "health/autofix.h"
#include "health/health.h"
#include "heartbeat.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/notify.h"
#include "io/pool.h"
#include "io/units.h"
#include "learning/learner.h"
#include "ops/reload.h"
#include "ops_alerts.h"
#include "ops_audit.h"
#include "ops_internal.h"
#include "ops_late.h"
#include "sentiment/sentiment.h"
#include "store/attachment.h"
#include "store/ops.h"
#include "store/outbox_table.h"
#include "store/trading.h"
#include "traces.h"
#include "trading/desk.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>

#define STARTING_US        (5 * USEC_PER_MSEC)   /* interval of checks for the first snapshot */
#define CHANNELS_LATEST_US (3 * USEC_PER_SEC)    /* channels open even without an engine */
#define NAMES_LATEST_US    (500 * USEC_PER_MSEC) /* without a name a caller is "uid 0" */
#define PRUNE_FIRST_US     USEC_PER_MIN
#define HELPERS_MAX        3
#define HELPERS_QUEUE      32
#define SOCKET_PATH_MAX    107
#define STOP_MESSAGE_US    (1500 * USEC_PER_MSEC)
#define STOP_LOOK_US       (10 * USEC_PER_MSEC)

/* ---------------------------------------------------------------- helpers and callbacks */

int ops_socket_path(const struct config *config, const char *state_dir, struct buf *out,
                    struct err *err)
{
    if (config->api_socket[0] != '\0') {
        buf_add_c(out, config->api_socket);
    } else {
        buf_addf(out, "%s/" OPS_SOCKET_NAME, state_dir);
    }
    if (buf_failed(out) || out->len > SOCKET_PATH_MAX) {
        return err_set(err, ERR_WEB_LISTEN, "a socket's path has at most %d bytes: %s",
                       SOCKET_PATH_MAX, out->data);
    }
    return 0;
}

static void log_odd_row(const struct err *why, void *userdata)
{
    const struct ops *ops = userdata;
    const struct err_info *info = err_info(why->id);
    const struct alert_spec spec = {
        .type = ALERT_DATA,
        .severity = SEVERITY_MEDIUM,
        .source = "ops",
        .fingerprint = "store:odd",
        .title = "invalid stored rows were set aside",
        .description = why->context,
        .recommendation = info->remediation,
    };
    int64_t id;
    struct err ignored = {0}; /* the runner has logged the row */
    (void)alerts_raise(ops->alerts, &spec, &id, &ignored);
}

/* Roles were granted or revoked, by a command or by pairing. */
static void on_people_changed(const char *by, void *userdata)
{
    struct ops *ops = userdata;
    alerts_apply(ops->alerts, ops_config(ops));
    api_apply(ops->api, ops_config(ops));
    runner_recheck(ops->runner, by);
    telegram_menus(ops->telegram);
}

static void on_paired(void *userdata)
{
    on_people_changed("pairing", userdata);
}

static unsigned report_late(const struct desk_late *late, void *userdata)
{
    const struct ops *ops = userdata;
    return ops_late_report(late, ops->runner, ops->alerts);
}

static const struct snapshot *read_snapshot(void *desk)
{
    return desk_snapshot(desk);
}

/* Whether a service may be restarted unnoticed. */
static bool is_quiet(void *userdata)
{
    const struct ops *ops = userdata;
    const struct snapshot *snapshot = desk_snapshot(ops->desk);
    return snapshot->open_orders + snapshot->unknown_orders == 0 && runner_active(ops->runner) == 0;
}

/* The footer of every reply. */
static void decorate(struct reply *reply, void *userdata)
{
    const struct ops *ops = userdata;
    desk_decorate(reply, ops->desk);
    alerts_decorate(reply, ops->alerts);
}

/* What was measured when an incident began. */
static void add_context(const char *fingerprint, struct buf *out, void *userdata)
{
    const struct ops *ops = userdata;
    if (ops->health != NULL) { /* an alert may be raised before it is made */
        health_context(ops->health, fingerprint, out);
    }
}

static bool lift_pause(int64_t run_id, void *userdata)
{
    const struct ops *ops = userdata;
    return desk_lift_pause(ops->desk, run_id);
}

static void on_spin(uint64_t iterations, const char *busiest, void *userdata)
{
    (void)userdata;
    char count[24];
    (void)snprintf(count, sizeof(count), "%llu", (unsigned long long)iterations);
    LOG_FIELDS(WARNING, "the ops loop spins", {"ITERATIONS", count}, {"SOURCE", busiest});
}

/* ---------------------------------------------------------------- signals */

static void on_leaving(void *userdata)
{
    struct ops *ops = userdata;
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    bool waits = outbox_table_get(ops->store, ops->stop_message, &row, NULL) == 0 &&
                 (row.state == OUTBOX_QUEUED || row.state == OUTBOX_SENDING);
    if (!waits || ops_mono_us(ops) - ops->stop_mono_us >= STOP_MESSAGE_US) {
        loop_exit(ops->loop, 0);
    }
}

/* Whether Telegram is out of reach. Before the first poll ends, which may take a minute, this is
 * not known. */
static bool is_unreachable(const struct ops *ops)
{
    int64_t since_us = 0;
    enum chat_state state = telegram_reach(ops->telegram, &since_us);
    return state != CHAT_UP && state != CHAT_STARTING;
}

/* Leaves the loop once the message about it is delivered; it is not worth a long wait, nor any if
 * Telegram is out of reach. */
static void stop(struct ops *ops, const char *why)
{
    if (ops->stop_mono_us != 0) {
        loop_exit(ops->loop, 0); /* asked again */
        return;
    }
    ops->stop_mono_us = ops_mono_us(ops);
    ops->stop_message = notices_stopping(&ops->notices, desk_snapshot(ops->desk), why);
    if (ops->stop_message == 0 || is_unreachable(ops)) {
        loop_exit(ops->loop, 0);
        return;
    }
    loop_timer_every(ops->leaving, STOP_LOOK_US);
}

static void on_sigterm(void *userdata)
{
    stop(userdata, "by SIGTERM");
}

static void on_sigint(void *userdata)
{
    stop(userdata, "by SIGINT");
}

static void on_console_end(void *userdata)
{
    stop(userdata, "the console has ended");
}

static void on_sighup(void *userdata)
{
    const struct ops *ops = userdata;
    reload_signal(ops->reload);
}

static void show_limit_use(const struct config_limit *limit, struct reply *reply, void *userdata)
{
    const struct ops *ops = userdata;
    desk_show_limit_use(ops->desk, limit->path, limit->number, reply);
}

static int rotate_bot_token(const struct telegram_rotation *rotation, void *userdata,
                            struct err *err)
{
    const struct ops *ops = userdata;
    return telegram_rotate(ops->telegram, rotation, err);
}

static void cancel_rotation(void *userdata)
{
    const struct ops *ops = userdata;
    telegram_rotate_cancel(ops->telegram);
}

static void keep_api_token(int64_t until_us, void *userdata)
{
    const struct ops *ops = userdata;
    api_grace(ops->api, until_us);
}

/* Before READY=1 systemd does not expect it. */
static void on_reload_busy(bool begins, void *userdata)
{
    struct ops *ops = userdata;
    if (!ops->ready) {
        return;
    }
    if (begins) {
        notify_reloading(ops_mono_us(ops));
        return;
    }
    AUTO_BUF struct buf text = BUF_INIT(256);
    ops_tick_status(ops, &text);
    notify_ready(text.data);
}

void ops_sweep_alerts(struct ops *ops, const struct config *config, bool started)
{
    ops_alerts_sweep(&(struct ops_alerts){.store = ops->store,
                                          .alerts = ops->alerts,
                                          .config = config,
                                          .manifests = ops->commands.manifests,
                                          .started = started});
}

/* READY means that both threads run: the engine has published a snapshot and this loop runs. */
static void on_starting(void *userdata)
{
    struct ops *ops = userdata;
    int64_t now_us = ops_mono_us(ops);
    bool engine = desk_snapshot(ops->desk)->version > 0;
    int64_t waited_us = now_us - ops->run_mono_us;
    bool names = !access_learns_names(ops->access) || waited_us >= NAMES_LATEST_US;
    if (!ops->channels_open && ((engine && names) || waited_us >= CHANNELS_LATEST_US)) {
        if (!engine) {
            LOG(WARNING, "no snapshot from the engine yet; the channels open without it");
        }
        ops_channels_open(ops);
    }
    if (!engine || !ops->channels_open) {
        loop_timer_in(ops->starting, ops->channels_open ? OPS_TICK_US : STARTING_US);
        return;
    }
    ops->ready = true;
    ops_store_log_work(ops->store, "ops started");
    trading_store_log_work(ops->trading, "ops started");
    AUTO_BUF struct buf text = BUF_INIT(256);
    ops_tick_status(ops, &text);
    notify_ready(text.data);
    LOG(NOTICE, "ready in %lld ms",
        (long long)((ops_mono_us(ops) - ops->options.started_mono_us) / USEC_PER_MSEC));
    (void)malloc_trim(0); /* what reading the configuration and the manifests took */
}

/* ---------------------------------------------------------------- building */

static int open_stores(struct ops *ops, struct err *err)
{
    AUTO_BUF struct buf attachments = BUF_INIT(sizeof(ops->attachments) - 1);
    attachment_dir(ops->options.state_dir, &attachments);
    (void)str_copy(buf_str(&attachments), ops->attachments, sizeof(ops->attachments));
    int rc = ops_store_open(ops->options.state_dir, OPS_STORE_WRITE, &ops->store, err);
    if (rc == 0) {
        rc = trading_store_open(ops->options.state_dir, TRADING_STORE_READ, &ops->trading, err);
    }
    if (rc < 0) {
        return rc;
    }
    int64_t uncertain = 0;
    rc = outbox_table_recover(ops->store, &uncertain, err);
    if (rc == 0 && uncertain > 0) {
        LOG(NOTICE,
            "%lld messages were being sent when the last process ended; they may or may not have "
            "arrived",
            (long long)uncertain);
    }
    return rc;
}

static void on_live(const char *service, const char *colour, int64_t since_us, void *userdata)
{
    const struct ops *ops = userdata;
    health_live(ops->health, service, colour, since_us);
}

static int build_modules(struct ops *ops, struct err *err)
{
    const struct ops_options *o = &ops->options;
    int rc = access_new(o->config, ops->store, ops->clock, &ops->access, err);
    if (rc < 0) {
        return rc;
    }
    rc = alerts_new(&(struct alerts_options){.clock = ops->clock,
                                             .config = o->config,
                                             .store = ops->store,
                                             .loop = ops->loop,
                                             .access = ops->access,
                                             .headless = !o->console,
                                             .outbox_changed = ops_channels_wake,
                                             .told = ops_channels_publish,
                                             .context = add_context,
                                             .resume = lift_pause,
                                             .userdata = ops},
                    &ops->alerts, err);
    if (rc < 0) {
        return rc;
    }
    access_learn_names(ops->access, ops->helpers);
    ops->desk = desk_new(&(struct desk_options){.shared = o->shared,
                                                .reader = ops->reader,
                                                .trading = ops->trading,
                                                .store = ops->store,
                                                .config = o->config,
                                                .clock = ops->clock,
                                                .loop = ops->loop,
                                                .late = report_late,
                                                .late_userdata = ops,
                                                .outbox_changed = ops_channels_wake,
                                                .outbox_userdata = ops,
                                                .state_dir = o->state_dir,
                                                .helpers = ops->helpers});
    ops_apply_make(ops);
    rc = health_new(&(struct health_options){.loop = ops->loop,
                                             .helpers = ops->helpers,
                                             .config = o->config,
                                             .store = ops->store,
                                             .alerts = ops->alerts,
                                             .http = ops->http,
                                             .units = ops->units,
                                             .state_dir = o->state_dir},
                    &ops->health, err);
    if (rc < 0) {
        return rc;
    }
    ops->deploy = deploy_new(&(struct deploy_options){.loop = ops->loop,
                                                      .config = o->config,
                                                      .http = ops->http,
                                                      .helpers = ops->helpers,
                                                      .live = on_live,
                                                      .userdata = ops});
    rc = auditor_new(
        &(struct auditor_options){.loop = ops->loop,
                                  .clock = ops->clock,
                                  .config = o->config,
                                  .trading = ops->trading,
                                  .store = ops->store,
                                  .alerts = ops->alerts,
                                  .helpers = ops->helpers,
                                  .llm_client = ops->has_model ? &ops->llm_client : NULL,
                                  .snapshot = read_snapshot,
                                  .snapshot_userdata = ops->desk,
                                  .shared = o->shared,
                                  .state_dir = o->state_dir,
                                  .jitter_seed = secret_random_u64()},
        &ops->auditor, err);
    if (rc < 0) {
        return rc;
    }
    ops->learner = learner_new(
        &(struct learner_options){.clock = ops->clock,
                                  .config = o->config,
                                  .store = ops->store,
                                  .trading = ops->trading,
                                  .helpers = ops->helpers,
                                  .desk = ops->desk,
                                  .alerts = ops->alerts,
                                  .access = ops->access,
                                  .state_dir = o->state_dir,
                                  .llm_client = ops->has_model ? &ops->llm_client : NULL});
    ops->sentiment = sentiment_new(
        &(struct sentiment_options){.loop = ops->loop,
                                    .config = o->config,
                                    .store = ops->store,
                                    .http = ops->http,
                                    .shared = o->shared,
                                    .llm_client = ops->has_model ? &ops->llm_client : NULL});
    rc = assistant_new(
        &(struct assistant_options){.loop = ops->loop,
                                    .clock = ops->clock,
                                    .config = o->config,
                                    .store = ops->store,
                                    .access = ops->access,
                                    .state_dir = o->state_dir,
                                    .helpers = ops->helpers,
                                    .desk = ops->desk,
                                    .llm_client = ops->has_model ? &ops->llm_client : NULL},
        &ops->assistant, err);
    if (rc < 0) {
        return rc;
    }
    desk_explain_questions(ops->desk, assistant_explain, ops->assistant);
    ops->review = review_new(
        &(struct review_options){.loop = ops->loop,
                                 .helpers = ops->helpers,
                                 .llm_client = ops->has_model ? &ops->llm_client : NULL});
    desk_add_status_line(ops->desk, health_status, ops->health);
    health_measures(ops->health, ops->desk);
    desk_add_status_line(ops->desk, alerts_status_line, ops->alerts);
    desk_add_status_line(ops->desk, alerts_mutes_line, ops->alerts);
    desk_add_status_line(ops->desk, alerts_maintenance_line, ops->alerts);
    desk_add_status_line(ops->desk, alerts_undelivered_line, ops->alerts);
    desk_add_status_line(ops->desk, auditor_status, ops->auditor);
    desk_add_status_line(ops->desk, ledger_status, &ops->ledger);
    return 0;
}

static const struct config *current_config(void *userdata)
{
    return ops_config(userdata);
}

static void note_run(const struct runner_note *note, void *userdata)
{
    const struct ops *ops = userdata;
    alerts_note_run(note, ops->alerts);
    assistant_note_end(note, ops->assistant);
}

static int build_commands(struct ops *ops, struct err *err)
{
    ops->builtin = (struct builtin){.store = ops->store,
                                    .clock = ops->clock,
                                    .access = ops->access,
                                    .people_changed = on_people_changed,
                                    .people_userdata = ops,
                                    .run_details = desk_add_run_orders,
                                    .run_details_userdata = ops->desk,
                                    .bot_name = ops_channels_bot_name};
    ops->actions = action_table_new();
    builtin_actions(&ops->builtin, ops->actions);
    desk_actions(ops->desk, ops->actions);
    alerts_actions(ops->alerts, ops->actions);
    health_actions(ops->health, ops->actions);
    deploy_actions(ops->deploy, ops->actions);
    ops->autofix = autofix_new(&(struct autofix_options){.clock = ops->clock,
                                                         .store = ops->store,
                                                         .access = ops->access,
                                                         .alerts = ops->alerts,
                                                         .quiet = is_quiet,
                                                         .userdata = ops});
    autofix_actions(ops->autofix, ops->actions);
    auditor_actions(ops->auditor, ops->actions);
    review_actions(ops->review, ops->actions);
    ops->self_report = (struct self_report_actions){.store = ops->store, .clock = ops->clock};
    self_report_actions(&ops->self_report, ops->actions);
    learner_actions(ops->learner, ops->actions);
    sentiment_actions(ops->sentiment, ops->actions);
    assistant_actions(ops->assistant, ops->actions);
    ops->reload = reload_new(&(struct reload_options){.config = ops->options.config,
                                                      .source = ops->options.config_source,
                                                      .loop = ops->loop,
                                                      .clock = ops->clock,
                                                      .store = ops->store,
                                                      .alerts = ops->alerts,
                                                      .access = ops->access,
                                                      .apply = ops_apply,
                                                      .files = ops_apply_files,
                                                      .helpers = ops->helpers,
                                                      .rotate = rotate_bot_token,
                                                      .rotate_cancel = cancel_rotation,
                                                      .api_grace = keep_api_token,
                                                      .limit_use = show_limit_use,
                                                      .busy = on_reload_busy,
                                                      .userdata = ops});
    reload_actions(ops->reload, ops->actions);
    ops->measures = (struct measures){.helpers = ops->helpers,
                                      .state_dir = ops->options.state_dir,
                                      .config = current_config,
                                      .userdata = ops};
    measure_actions(&ops->measures, ops->actions);
    ops->recommender = (struct recommender){.helpers = ops->helpers,
                                            .state_dir = ops->options.state_dir,
                                            .config = current_config,
                                            .userdata = ops};
    recommend_actions(&ops->recommender, ops->actions);
    ops->backup = (struct backup_actions){.helpers = ops->helpers,
                                          .state_dir = ops->options.state_dir,
                                          .clock = ops->clock,
                                          .snapshot = read_snapshot,
                                          .userdata = ops->desk};
    backup_actions_add(&ops->backup, ops->actions);
    ops->outbox = (struct outbox_actions){.store = ops->store};
    outbox_actions_add(&ops->outbox, ops->actions);
    ops->space = (struct cleanup_actions){.helpers = ops->helpers,
                                          .state_dir = ops->options.state_dir,
                                          .alerts = ops->alerts,
                                          .config = ops->options.config};
    cleanup_actions_add(&ops->space, ops->actions);
    int rc = manifest_list_load(ops->actions, &ops->manifests, err);
    if (rc < 0) {
        return rc;
    }
    ops->builtin.manifests = ops->manifests;
    ops_commands_init(&ops->commands, ops->access, ops->alerts, ops->manifests);
    (void)ops_commands_load(&ops->commands, ops->options.config->commands_folder,
                            MANIFEST_SKIP_BAD);
    ops->shelf = shelf_new(ops->loop);
    rc = runner_new(&(struct runner_options){.loop = ops->loop,
                                             .clock = ops->clock,
                                             .config = ops->options.config,
                                             .store = ops->store,
                                             .access = ops->access,
                                             .actions = ops->actions,
                                             .manifests = ops->manifests,
                                             .shelf = ops->shelf,
                                             .decorate = decorate,
                                             .decorate_userdata = ops,
                                             .outbox_changed = ops_channels_wake,
                                             .outbox_userdata = ops,
                                             .stream = ops_channels_stream,
                                             .stream_userdata = ops,
                                             .deliver = ops_channels_deliver,
                                             .deliver_userdata = ops,
                                             .ended = desk_run_ended,
                                             .ended_userdata = ops->desk,
                                             .noted = note_run,
                                             .noted_userdata = ops,
                                             .converse = assistant_converse,
                                             .converse_userdata = ops->assistant,
                                             .asked = assistant_note_run,
                                             .asked_userdata = ops->assistant,
                                             .scheduled = ops_commands_scheduled,
                                             .scheduled_userdata = &ops->commands,
                                             .telemetry = &ops->options.shared->telemetry,
                                             .has_console = ops->options.console,
                                             .people_changed = on_paired,
                                             .people_userdata = ops,
                                             .odd_row = log_odd_row,
                                             .odd_row_userdata = ops},
                    &ops->runner, err);
    ops->commands.runner = ops->runner;
    assistant_connect(ops->assistant, ops->runner, ops->manifests);
    if (rc == 0 && (rc = runner_recover(ops->runner, err)) == 0) {
        autofix_start(ops->autofix, ops->manifests, ops->runner);
        health_set_runner(ops->health, ops->access, ops->runner);
    }
    return rc;
}

/* A reload may make another heartbeat. */
static void heartbeat_line(struct buf *out, struct json_object *data, void *userdata)
{
    const struct ops *ops = userdata;
    if (ops->heartbeat != NULL) {
        heartbeat_status(out, data, ops->heartbeat);
    }
}

static int build_sources(struct ops *ops, struct err *err)
{
    struct shared *shared = ops->options.shared;
    ops_watch_init(&ops->watch, &(struct ops_watch_options){.clock = ops->clock,
                                                            .shared = shared,
                                                            .alerts = ops->alerts,
                                                            .store = ops->store});
    notices_init(&ops->notices, &(struct notices_options){.clock = ops->clock,
                                                          .config = ops_config(ops),
                                                          .store = ops->store,
                                                          .trading = ops->trading,
                                                          .alerts = ops->alerts,
                                                          .state_dir = ops->options.state_dir});
    ops_apply_heartbeat(ops);
    desk_add_status_line(ops->desk, heartbeat_line, ops);
    desk_add_status_line(ops->desk, reload_status, ops->reload);
    ops->tick = loop_add_timer(ops->loop, ops_tick, ops);
    ops->notice_tick = loop_add_timer(ops->loop, ops_tick_notices, ops);
    ops->watchdog = loop_add_timer(ops->loop, ops_tick_watchdog, ops);
    ops->starting = loop_add_timer(ops->loop, on_starting, ops);
    ops->leaving = loop_add_timer(ops->loop, on_leaving, ops);
    loop_source_name(ops->leaving, "stop");
    loop_on_absence(ops->loop, ops_watch_absence, &ops->watch);
    atomic_store_explicit(&shared->check_interval_us, ops_config(ops)->monitoring_check_interval_us,
                          memory_order_relaxed);
    ops->traces =
        traces_new(&(struct traces_options){.loop = ops->loop,
                                            .http = ops->http,
                                            .telemetry = &shared->telemetry,
                                            .url = ops->options.config->traces_url,
                                            .header = ops->options.config->traces_header});
    loop_measure(ops->loop, &shared->telemetry.loop);
    http_measure(ops->http, &shared->telemetry.http);
    loop_source_name(ops->tick, "ops tick");
    loop_source_name(ops->notice_tick, "notifications");
    loop_source_name(ops->watchdog, "watchdog");
    loop_source_name(ops->starting, "start");
    ops->events_source =
        loop_add_io(ops->loop, shared_reader_fd(ops->reader), EPOLLIN, ops_tick_events, ops, err);
    if (ops->events_source == NULL) {
        return -err->id;
    }
    loop_source_name(ops->events_source, "engine events");
    return 0;
}

/* Before any thread is started: threads inherit the blocked signals, so only the loop gets them. */
static int build_signals(struct ops *ops, struct err *err)
{
    ops->sigterm = loop_add_signal(ops->loop, SIGTERM, on_sigterm, ops, err);
    ops->sigint =
        ops->sigterm == NULL ? NULL : loop_add_signal(ops->loop, SIGINT, on_sigint, ops, err);
    ops->sighup =
        ops->sigint == NULL ? NULL : loop_add_signal(ops->loop, SIGHUP, on_sighup, ops, err);
    return ops->sighup == NULL ? -err->id : 0;
}

int ops_new(const struct ops_options *options, struct ops **ret, struct err *err)
{
    struct err local = {0};
    err = err != NULL ? err : &local;
    struct ops *ops = calloc(1, sizeof(*ops));
    ASSERT(ops != NULL);
    ops->options = *options;
    ops->clock = clock_real();
    ops->reader = shared_reader_add(options->shared, "ops", TOPIC_ALL);
    ops->socket_reader = shared_reader_add(options->shared, "api socket", 0);
    ops->stream_reader = shared_reader_add(options->shared, "api stream", API_STREAM_TOPICS);
    shared_reader_sleep(ops->stream_reader);
    if (options->config->api_port != 0) {
        ops->tcp_reader = shared_reader_add(options->shared, "api tcp", 0);
    }
    int rc = 0;
    const struct pool_options helpers = {
        .name = "helper", .threads_max = HELPERS_MAX, .queue_max = HELPERS_QUEUE};
    if ((ops->loop = loop_new(err)) == NULL || (ops->http = http_new(ops->loop, err)) == NULL ||
        (ops->helpers = pool_new(ops->loop, &helpers, err)) == NULL) {
        rc = -err->id;
    } else {
        loop_on_spin(ops->loop, on_spin, NULL);
        rc = build_signals(ops, err);
    }
    if (rc < 0 || (rc = open_stores(ops, err)) < 0 || (rc = build_modules(ops, err)) < 0 ||
        (rc = build_commands(ops, err)) < 0 ||
        (rc = ops_channels_build(ops, on_console_end, err)) < 0 ||
        (rc = build_sources(ops, err)) < 0) {
        ops_free(ops);
        return rc;
    }
    *ret = ops;
    return 0;
}

int ops_run(struct ops *ops)
{
    ops->run_mono_us = ops_mono_us(ops);
    reload_started(ops->reload);
    ops->prune_next_mono_us = ops->run_mono_us + PRUNE_FIRST_US;
    ops_audit_start(ops, ops->run_mono_us);
    ops->watchdog_us = notify_watchdog_us() / 2;
    loop_timer_every(ops->tick, OPS_TICK_US);
    loop_timer_every(ops->notice_tick, OPS_TICK_US);
    heartbeat_start(ops->heartbeat);
    if (ops->watchdog_us > 0) {
        loop_timer_in(ops->watchdog, 0);
    }
    loop_timer_in(ops->starting, 0);
    int code = loop_run(ops->loop);
    notify_stopping();
    const struct loop_stats stats = loop_stats(ops->loop);
    LOG(NOTICE, "stopping; the longest absence of the ops loop was %.1f ms (%s)",
        (double)stats.longest_us / (double)USEC_PER_MSEC, stats.longest_source);
    /* The channels stop first, so that no new command arrives during shutdown. */
    api_stop(ops->api);
    ops->api = NULL;
    telegram_stop(ops->telegram);
    courier_stop(ops->mailer);
    courier_stop(ops->webhook);
    if (ops->console != NULL) {
        console_stop(ops->console);
    }
    ops_audit_seal(ops);
    (void)notify_flush();
    return code;
}

int ops_output_error(const struct ops *ops)
{
    return ops->console == NULL ? 0 : console_output_error(ops->console);
}

void ops_free(struct ops *ops)
{
    if (ops == NULL) {
        return;
    }
    api_stop(ops->api);
    console_free(ops->console);
    telegram_free(ops->telegram);
    courier_free(ops->mailer);
    courier_free(ops->webhook);
    ops->console = NULL;
    ops->telegram = NULL;
    ops->mailer = NULL;
    ops->webhook = NULL;
    heartbeat_free(ops->heartbeat);
    assistant_close(ops->assistant);
    runner_free(ops->runner);
    shelf_free(ops->shelf);
    assistant_free(ops->assistant);
    autofix_free(ops->autofix);
    ops_commands_release(&ops->commands);
    manifest_list_free(ops->manifests);
    action_table_free(ops->actions);
    auditor_free(ops->auditor);
    learner_free(ops->learner);
    review_free(ops->review);
    sentiment_free(ops->sentiment);
    deploy_free(ops->deploy);
    health_free(ops->health);
    claude_free(ops->claude);
    desk_free(ops->desk);
    access_free(ops->access);
    alerts_free(ops->alerts);
    units_free(ops->units);
    traces_free(ops->traces);
    http_free(ops->http);
    pool_free(ops->helpers);
    trading_store_free(ops->trading);
    ops_store_free(ops->store);
    loop_source_free(ops->events_source);
    loop_source_free(ops->tick);
    loop_source_free(ops->notice_tick);
    loop_source_free(ops->watchdog);
    loop_source_free(ops->starting);
    loop_source_free(ops->leaving);
    notices_release(&ops->notices);
    loop_source_free(ops->sigterm);
    loop_source_free(ops->sigint);
    loop_source_free(ops->sighup);
    reload_free(ops->reload);
    loop_free(ops->loop);
    free(ops);
}
