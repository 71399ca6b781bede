#include "ops/ops.h"

#include "access/access.h"
#include "alerts/alerts.h"
#include "api/api.h"
#include "assistant/claude.h"
#include "auditor/auditor.h"
#include "base/check.h"
#include "base/log.h"
#include "chat/console.h"
#include "chat/courier.h"
#include "chat/telegram.h"
#include "command/manifest.h"
#include "command/runner.h"
#include "health/health.h"
#include "heartbeat.h"
#include "io/http.h"
#include "io/log_file.h"
#include "io/loop.h"
#include "io/notify.h"
#include "io/pool.h"
#include "io/secret.h"
#include "io/units.h"
#include "ops/reload.h"
#include "ops_alerts.h"
#include "ops_audit.h"
#include "ops_internal.h"
#include "ops_late.h"
#include "store/attachment.h"
#include "store/ops.h"
#include "store/outbox_table.h"
#include "store/trading.h"
#include "trading/desk.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>

#define TICK_US            USEC_PER_SEC
#define STARTING_US        (5 * USEC_PER_MSEC)   /* interval of checks for the first snapshot */
#define CHANNELS_LATEST_US (3 * USEC_PER_SEC)    /* channels open even without an engine */
#define NAMES_LATEST_US    (500 * USEC_PER_MSEC) /* without a name a caller is "uid 0" */
#define CHECKPOINT_US      (30 * USEC_PER_SEC)
#define STATUS_US          (10 * USEC_PER_SEC)
#define PRUNE_US           USEC_PER_DAY
#define PRUNE_FIRST_US     USEC_PER_MIN
#define PRUNE_ROWS         500 /* rows per tick, so that the loop is not blocked */
#define PRUNE_VALUE        "prune_last_us"
#define EVENTS_BATCH       64
#define HELPERS_MAX        3
#define HELPERS_QUEUE      32
#define SOCKET_PATH_MAX    107
#define STOP_MESSAGE_US    (1500 * USEC_PER_MSEC)
#define STOP_LOOK_US       (10 * USEC_PER_MSEC)

/* ---------------------------------------------------------------- helpers and callbacks */

static int64_t mono_us(const struct ops *ops)
{
    return clock_mono_us(ops->clock);
}

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

static void wake_channels(void *userdata)
{
    struct ops *ops = userdata;
    /* Other modules add rows before the channels exist. */
    if (ops->telegram != NULL) {
        telegram_wake(ops->telegram);
    }
    if (ops->console != NULL) {
        console_wake(ops->console);
    }
    courier_wake(ops->mailer);
    courier_wake(ops->webhook);
}

static void publish_news(const struct reply *reply, void *userdata)
{
    const struct ops *ops = userdata;
    api_publish(ops->api, reply);
}

/* Sends a reply without the outbox; used while ops.db cannot be written. */
static bool deliver(const struct runner_unstored *unstored, void *userdata)
{
    struct ops *ops = userdata;
    if (unstored->channel == CHANNEL_CONSOLE && ops->console != NULL) {
        console_print_unstored(ops->console, unstored->reply);
        return true;
    }
    return unstored->channel == CHANNEL_TELEGRAM &&
           telegram_send_unstored(ops->telegram, &(struct telegram_unstored){
                                                     .chat_id = unstored->chat_id,
                                                     .thread_id = unstored->thread_id,
                                                     .edit_message_id = unstored->edit_message_id,
                                                     .reply = unstored->reply});
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
    runner_recheck(ops->runner, by);
    telegram_menus(ops->telegram);
}

static void on_paired(void *userdata)
{
    on_people_changed("pairing", userdata);
}

static const char *bot_name(void *userdata)
{
    const struct ops *ops = userdata;
    return ops->telegram == NULL ? "" : telegram_bot_name(ops->telegram);
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

static void on_spin(uint64_t iterations, const char *busiest, void *userdata)
{
    (void)userdata;
    char count[24];
    (void)snprintf(count, sizeof(count), "%llu", (unsigned long long)iterations);
    LOG_FIELDS(WARNING, "the ops loop spins", {"ITERATIONS", count}, {"SOURCE", busiest});
}

/* ---------------------------------------------------------------- events and time */

static void read_events(struct ops *ops)
{
    struct event batch[EVENTS_BATCH];
    uint64_t missed = 0;
    size_t count;
    do {
        uint64_t lost = 0;
        count = shared_reader_events(ops->reader, batch, EVENTS_BATCH, &lost);
        missed += lost;
        for (size_t i = 0; i < count; i++) {
            desk_on_event(ops->desk, &batch[i]);
            ops_watch_event(&ops->watch, &batch[i]);
            notices_event(&ops->notices, &batch[i]);
        }
    } while (count == EVENTS_BATCH);
    if (missed > 0) {
        LOG(NOTICE, "%s missed %llu events; reading the snapshot and trading.db instead",
            shared_reader_name(ops->reader), (unsigned long long)missed);
        desk_resync(ops->desk);
        ops->notices.look = true;
    }
}

static void on_events(int fd, uint32_t events, void *userdata)
{
    struct ops *ops = userdata;
    (void)events;
    uint64_t count;
    ssize_t n = read(fd, &count, sizeof(count)); /* resets the eventfd; the events are in the bus */
    (void)n;
    read_events(ops);
}

static void add_status(struct ops *ops, struct buf *out)
{
    const struct snapshot *s = desk_snapshot(ops->desk);
    buf_addf(out, "%s, equity ", trading_state_name(s->state));
    dec_add_grouped(out, s->equity, 2);
    buf_addf(out, ", %d of %d positions, %zu of %zu services up", s->position_count,
             s->max_positions, health_up(ops->health), health_count(ops->health));
    int64_t since_us = 0;
    enum chat_state chat = telegram_reach(ops->telegram, &since_us);
    if (since_us > 0) {
        buf_addf(out, ", Telegram %s", chat_state_name(chat));
    }
}

/* Deletes old history once a day, a slice at a time; the last time is stored, so a restart does not
 * matter. */
static void prune(struct ops *ops)
{
    int64_t now_wall_us = clock_wall_us(ops->clock);
    int64_t last_us = 0, deleted = 0;
    struct err err = {0};
    ops->prune_next_mono_us = mono_us(ops) + USEC_PER_HOUR;
    if (ops_store_get_i64(ops->store, PRUNE_VALUE, 0, &last_us, &err) < 0 ||
        (last_us <= now_wall_us && now_wall_us - last_us < PRUNE_US)) {
        return;
    }
    int64_t before_us = now_wall_us - ops_config(ops)->monitoring_log_retention_us;
    if (ops_store_prune(ops->store, before_us, PRUNE_ROWS, &deleted, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not delete old history");
        return;
    }
    if (deleted >= PRUNE_ROWS) {
        ops->prune_next_mono_us = mono_us(ops) + TICK_US;
        return;
    }
    (void)ops_store_write_i64(ops->store, PRUNE_VALUE, now_wall_us, &err);
}

/* The records of commands that only read are at most a tick old when the power is cut. */
static void sync_store(struct ops *ops)
{
    struct err err = {0};
    if (ops_store_sync(ops->store, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not sync ops.db");
    }
}

/* Checkpoints ops.db between commands, not during one, and rarely, because each checkpoint blocks
 * the loop for two disk syncs. A failure also appears at the next write. */
static void tidy_store(struct ops *ops)
{
    struct err err = {0};
    if (mono_us(ops) < ops->checkpoint_next_mono_us || runner_active(ops->runner) > 0) {
        return;
    }
    ops->checkpoint_next_mono_us = mono_us(ops) + CHECKPOINT_US;
    if (ops_store_checkpoint(ops->store, &err) < 0) {
        log_err(LOG_LEVEL_DEBUG, &err, "could not checkpoint ops.db");
    }
}

/* If a thread is stuck or systemd's queue is full, the notification is retried well before the
 * watchdog period ends. */
static void on_watchdog(void *userdata)
{
    struct ops *ops = userdata;
    bool sent = ops_watch_alive(&ops->watch) && notify_watchdog();
    loop_timer_in(ops->watchdog, sent ? ops->watchdog_us : ops->watchdog_us / 8);
}

/* ---------------------------------------------------------------- database files */

static void raise_file_alert(struct ops *ops)
{
    const struct err_info *info = err_info(ERR_DB_MOVED);
    AUTO_BUF struct buf text = BUF_INIT(1024);
    buf_addf(&text, "%s. %s %s", ops->file_logged, info->cause, info->impact);
    const struct alert_spec spec = {
        .type = ALERT_DATA,
        .severity = SEVERITY_CRITICAL,
        .source = "ops",
        .fingerprint = "ops:DB_MOVED",
        .title = info->message,
        .description = text.data,
        .recommendation = info->remediation,
    };
    int64_t id;
    struct err err = {0};
    ops->file_alert_pending = alerts_raise(ops->alerts, &spec, &id, &err) < 0;
}

/* ops.db may have been deleted or replaced; the engine may have restored trading.db. Called from
 * the tick only, when no query is open. */
static void watch_files(struct ops *ops)
{
    struct err err = {0};
    int rc = ops_store_restore_if_moved(ops->store, &err);
    if (rc > 0 ||
        (rc < 0 && (!ops->file_lost || mono_us(ops) - ops->file_lost_mono_us >= USEC_PER_MIN))) {
        log_err(LOG_LEVEL_ERROR, &err, err_info(ERR_DB_MOVED)->message);
        (void)str_copy(str_c(err.context), ops->file_logged, sizeof(ops->file_logged));
        ops->file_lost_mono_us = mono_us(ops);
        ops->file_alert_pending = true;
        atomic_store(&ops->options.shared->ops_file_moved, true);
        (void)atomic_fetch_add(&ops->options.shared->ops_file, rc > 0 ? 1 : 0);
    }
    ops->file_lost = rc < 0;
    if (ops->file_alert_pending) {
        raise_file_alert(ops);
    }
    uint64_t now = atomic_load(&ops->options.shared->trading_file);
    if (now != ops->trading_file) {
        if (trading_store_reopen(ops->trading, &err) == 0) {
            ops->trading_file = now;
            desk_resync(ops->desk);
        } else {
            log_err(LOG_LEVEL_WARNING, &err, "could not reopen trading.db; trying again");
        }
    }
}

/* Publishes Telegram's state for /healthz and /api/v1/state. */
static void publish_telegram(struct ops *ops)
{
    struct shared *shared = ops->options.shared;
    int64_t since_us = 0;
    int state = (int)telegram_reach(ops->telegram, &since_us);
    atomic_store_explicit(&shared->telegram_since_us, since_us, memory_order_relaxed);
    atomic_store_explicit(&shared->telegram, state, memory_order_relaxed);
}

/* Apart from the tick, because each write to a locked database waits for a moment. */
static void on_notices(void *userdata)
{
    struct ops *ops = userdata;
    if (ops->channels_open && !ops->file_lost) {
        notices_tick(&ops->notices, desk_snapshot(ops->desk));
        int64_t since_us;
        alerts_tick(ops->alerts, telegram_reach(ops->telegram, &since_us) == CHAT_REFUSED);
    }
}

static void on_tick(void *userdata)
{
    struct ops *ops = userdata;
    watch_files(ops);
    log_file_check(ops->options.log);
    read_events(ops);
    (void)notify_flush();
    ops_watch_tick(&ops->watch, desk_snapshot(ops->desk));
    publish_telegram(ops);
    int64_t now_us = mono_us(ops);
    if (ops->ready && now_us >= ops->status_next_mono_us) {
        ops->status_next_mono_us = now_us + STATUS_US;
        AUTO_BUF struct buf text = BUF_INIT(256);
        add_status(ops, &text);
        notify_status(text.data);
    }
    if (now_us >= ops->prune_next_mono_us && ops_watch_trusts_clock(&ops->watch)) {
        prune(ops);
    }
    if (ops->ready && ops_watch_trusts_clock(&ops->watch)) {
        ops_commands_tick(&ops->commands, clock_wall_us(ops->clock), now_us);
    }
    ops_audit_tick(ops, now_us);
    sync_store(ops);
    tidy_store(ops);
}

/* ---------------------------------------------------------------- signals and channels */

static void on_leaving(void *userdata)
{
    struct ops *ops = userdata;
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    bool waits = outbox_table_get(ops->store, ops->stop_message, &row, NULL) == 0 &&
                 (row.state == OUTBOX_QUEUED || row.state == OUTBOX_SENDING);
    if (!waits || mono_us(ops) - ops->stop_mono_us >= STOP_MESSAGE_US) {
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
    ops->stop_mono_us = mono_us(ops);
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

/* Before READY=1 systemd does not expect it. */
static void on_reload_busy(bool begins, void *userdata)
{
    struct ops *ops = userdata;
    if (!ops->ready) {
        return;
    }
    if (begins) {
        notify_reloading(mono_us(ops));
        return;
    }
    AUTO_BUF struct buf text = BUF_INIT(256);
    add_status(ops, &text);
    notify_ready(text.data);
}

static void raise_api_alert(struct ops *ops, const struct err *err)
{
    const struct err_info *info = err_info(err->id);
    const struct alert_spec spec = {
        .type = ALERT_SERVICE,
        .severity = SEVERITY_LOW,
        .source = "ops",
        .fingerprint = "api:listen",
        .title = "API does not listen as configured",
        .description = err->context,
        .recommendation = info->remediation,
    };
    int64_t id;
    struct err ignored = {0};
    (void)alerts_raise(ops->alerts, &spec, &id, &ignored);
}

/* If not both listeners can start, the socket is tried before the port: `nightdesk do` needs it. */
static void open_api(struct ops *ops)
{
    const struct config *config = ops_config(ops);
    AUTO_BUF struct buf path = BUF_INIT(4096);
    struct err err = {0};
    struct api_options options = {
        .loop = ops->loop,
        .shared = ops->options.shared,
        .socket_reader = ops->socket_reader,
        .tcp_reader = ops->tcp_reader,
        .runner = ops->runner,
        .access = ops->access,
        .state_dir = ops->options.state_dir,
        .tcp = config->api_port != 0,
        .port = (uint16_t)config->api_port,
        .config = config,
    };
    if (ops_socket_path(config, ops->options.state_dir, &path, &err) == 0) {
        options.socket_path = path.data;
    } else {
        log_err(LOG_LEVEL_WARNING, &err, "the API has no socket");
    }
    if (api_start(&options, &ops->api, &err) == 0) {
        (void)alerts_resolve(ops->alerts, "api:listen", "the API listens as configured", &err);
        return;
    }
    log_err(LOG_LEVEL_WARNING, &err,
            "the API does not listen as configured; trying each listener alone");
    raise_api_alert(ops, &err);
    struct api_options socket_alone = options;
    struct api_options tcp_alone = options;
    socket_alone.tcp = false;
    tcp_alone.socket_path = NULL;
    bool listens =
        (options.socket_path != NULL && api_start(&socket_alone, &ops->api, &err) == 0) ||
        (options.tcp && api_start(&tcp_alone, &ops->api, &err) == 0);
    if (!listens) {
        log_err(LOG_LEVEL_ERROR, &err, "the API does not listen at all");
    }
}

void ops_sweep_alerts(struct ops *ops, const struct config *config, bool started)
{
    ops_alerts_sweep(&(struct ops_alerts){.store = ops->store,
                                          .alerts = ops->alerts,
                                          .config = config,
                                          .manifests = ops->commands.manifests,
                                          .started = started});
}

/* Telegram is configured, but nobody may command there. The code is shown in the terminal only:
 * neither the log nor ops.db holds it. */
static void offer_pairing(struct ops *ops)
{
    const struct principal daemon = {.channel = CHANNEL_CONSOLE, .name = "nightdesk"};
    char code[PAIR_CODE_CHARS + 1];
    int64_t expires_us = 0;
    bool open = false;
    struct err err = {0};
    if (!access_lacks_owner(ops->access)) {
        return;
    }
    if (access_pair_is_open(ops->access, &open, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not read the pairing code");
    }
    LOG(NOTICE,
        "nobody may use Telegram yet%s: run `nightdesk pair` for a code that makes its "
        "sender an owner",
        open ? " (a code shown before is still valid)" : "");
    if (ops->console == NULL || open) {
        return;
    }
    if (access_pair_open(ops->access, &daemon, code, &expires_us, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not make a pairing code");
        return;
    }
    AUTO_REPLY struct reply *r = reply_new();
    builtin_show_pairing(code, expires_us, bot_name(ops), r);
    console_print_unstored(ops->console, r);
    secret_wipe(code, sizeof(code));
}

static void open_channels(struct ops *ops)
{
    ops->channels_open = true;
    ops_sweep_alerts(ops, ops_config(ops), true);
    open_api(ops);
    telegram_start(ops->telegram);
    courier_start(ops->mailer);
    courier_start(ops->webhook);
    if (ops->console != NULL) {
        console_start(ops->console);
    }
    health_start(ops->health);
    auditor_start(ops->auditor);
    offer_pairing(ops);
}

/* READY means that both threads run: the engine has published a snapshot and this loop runs. */
static void on_starting(void *userdata)
{
    struct ops *ops = userdata;
    int64_t now_us = mono_us(ops);
    bool engine = desk_snapshot(ops->desk)->version > 0;
    int64_t waited_us = now_us - ops->run_mono_us;
    bool names = !access_learns_names(ops->access) || waited_us >= NAMES_LATEST_US;
    if (!ops->channels_open && ((engine && names) || waited_us >= CHANNELS_LATEST_US)) {
        if (!engine) {
            LOG(WARNING, "no snapshot from the engine yet; the channels open without it");
        }
        open_channels(ops);
    }
    if (!engine || !ops->channels_open) {
        loop_timer_in(ops->starting, ops->channels_open ? TICK_US : STARTING_US);
        return;
    }
    ops->ready = true;
    ops_store_log_work(ops->store, "ops started");
    trading_store_log_work(ops->trading, "ops started");
    AUTO_BUF struct buf text = BUF_INIT(256);
    add_status(ops, &text);
    notify_ready(text.data);
    LOG(NOTICE, "ready in %lld ms",
        (long long)((mono_us(ops) - ops->options.started_mono_us) / USEC_PER_MSEC));
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
                                             .outbox_changed = wake_channels,
                                             .told = publish_news,
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
                                                .outbox_changed = wake_channels,
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
    desk_add_status_line(ops->desk, health_status, ops->health);
    desk_add_status_line(ops->desk, alerts_status_line, ops->alerts);
    desk_add_status_line(ops->desk, alerts_mutes_line, ops->alerts);
    desk_add_status_line(ops->desk, alerts_undelivered_line, ops->alerts);
    desk_add_status_line(ops->desk, auditor_status, ops->auditor);
    return 0;
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
                                    .bot_name = bot_name};
    ops->actions = action_table_new();
    builtin_actions(&ops->builtin, ops->actions);
    desk_actions(ops->desk, ops->actions);
    alerts_actions(ops->alerts, ops->actions);
    health_actions(ops->health, ops->actions);
    auditor_actions(ops->auditor, ops->actions);
    ops->reload = reload_new(&(struct reload_options){.config = ops->options.config,
                                                      .source = ops->options.config_source,
                                                      .loop = ops->loop,
                                                      .clock = ops->clock,
                                                      .store = ops->store,
                                                      .alerts = ops->alerts,
                                                      .access = ops->access,
                                                      .apply = ops_apply,
                                                      .files = ops_apply_files,
                                                      .busy = on_reload_busy,
                                                      .userdata = ops});
    reload_actions(ops->reload, ops->actions);
    int rc = manifest_list_load(ops->actions, &ops->manifests, err);
    if (rc < 0) {
        return rc;
    }
    ops->builtin.manifests = ops->manifests;
    ops_commands_init(&ops->commands, ops->access, ops->alerts, ops->manifests);
    (void)ops_commands_load(&ops->commands, ops->options.config->commands_folder,
                            MANIFEST_SKIP_BAD);
    rc = runner_new(&(struct runner_options){.loop = ops->loop,
                                             .clock = ops->clock,
                                             .config = ops->options.config,
                                             .store = ops->store,
                                             .access = ops->access,
                                             .actions = ops->actions,
                                             .manifests = ops->manifests,
                                             .decorate = desk_decorate,
                                             .decorate_userdata = ops->desk,
                                             .outbox_changed = wake_channels,
                                             .outbox_userdata = ops,
                                             .deliver = deliver,
                                             .deliver_userdata = ops,
                                             .ended = desk_run_ended,
                                             .ended_userdata = ops->desk,
                                             .scheduled = ops_commands_scheduled,
                                             .scheduled_userdata = &ops->commands,
                                             .has_console = ops->options.console,
                                             .people_changed = on_paired,
                                             .people_userdata = ops,
                                             .odd_row = log_odd_row,
                                             .odd_row_userdata = ops},
                    &ops->runner, err);
    ops->commands.runner = ops->runner;
    return rc < 0 ? rc : runner_recover(ops->runner, err);
}

static int build_channels(struct ops *ops, struct err *err)
{
    const struct ops_options *o = &ops->options;
    int rc = telegram_new(&(struct telegram_options){.loop = ops->loop,
                                                     .helpers = ops->helpers,
                                                     .clock = ops->clock,
                                                     .config = o->config,
                                                     .store = ops->store,
                                                     .access = ops->access,
                                                     .runner = ops->runner,
                                                     .manifests = ops->manifests,
                                                     .alerts = ops->alerts,
                                                     .attachments = ops->attachments},
                          &ops->telegram, err);
    if (rc == 0) {
        desk_add_status_line(ops->desk, telegram_status_line, ops->telegram);
    }
    if (rc == 0) {
        ops->mailer = courier_new(COURIER_MAIL, &(struct courier_options){.loop = ops->loop,
                                                                          .http = ops->http,
                                                                          .clock = ops->clock,
                                                                          .config = o->config,
                                                                          .store = ops->store,
                                                                          .alerts = ops->alerts});
        ops->webhook =
            courier_new(COURIER_WEBHOOK, &(struct courier_options){.loop = ops->loop,
                                                                   .http = ops->http,
                                                                   .clock = ops->clock,
                                                                   .config = o->config,
                                                                   .store = ops->store,
                                                                   .alerts = ops->alerts});
    }
    if (rc == 0 && o->console) {
        rc = console_new(&(struct console_options){.loop = ops->loop,
                                                   .clock = ops->clock,
                                                   .store = ops->store,
                                                   .access = ops->access,
                                                   .runner = ops->runner,
                                                   .state_dir = o->state_dir,
                                                   .attachments = ops->attachments,
                                                   .in_fd = STDIN_FILENO,
                                                   .out_fd = STDOUT_FILENO,
                                                   .on_end = on_console_end,
                                                   .userdata = ops},
                         &ops->console, err);
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
    ops->tick = loop_add_timer(ops->loop, on_tick, ops);
    ops->notice_tick = loop_add_timer(ops->loop, on_notices, ops);
    ops->watchdog = loop_add_timer(ops->loop, on_watchdog, ops);
    ops->starting = loop_add_timer(ops->loop, on_starting, ops);
    ops->leaving = loop_add_timer(ops->loop, on_leaving, ops);
    loop_source_name(ops->leaving, "stop");
    loop_on_absence(ops->loop, ops_watch_absence, &ops->watch);
    loop_source_name(ops->tick, "ops tick");
    loop_source_name(ops->notice_tick, "notifications");
    loop_source_name(ops->watchdog, "watchdog");
    loop_source_name(ops->starting, "start");
    ops->events_source =
        loop_add_io(ops->loop, shared_reader_fd(ops->reader), EPOLLIN, on_events, ops, err);
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
        (rc = build_commands(ops, err)) < 0 || (rc = build_channels(ops, err)) < 0 ||
        (rc = build_sources(ops, err)) < 0) {
        ops_free(ops);
        return rc;
    }
    *ret = ops;
    return 0;
}

int ops_run(struct ops *ops)
{
    ops->run_mono_us = mono_us(ops);
    reload_started(ops->reload);
    ops->prune_next_mono_us = ops->run_mono_us + PRUNE_FIRST_US;
    ops_audit_start(ops, ops->run_mono_us);
    ops->watchdog_us = notify_watchdog_us() / 2;
    loop_timer_every(ops->tick, TICK_US);
    loop_timer_every(ops->notice_tick, TICK_US);
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
    runner_free(ops->runner);
    ops_commands_release(&ops->commands);
    manifest_list_free(ops->manifests);
    action_table_free(ops->actions);
    auditor_free(ops->auditor);
    health_free(ops->health);
    claude_free(ops->claude);
    desk_free(ops->desk);
    access_free(ops->access);
    alerts_free(ops->alerts);
    units_free(ops->units);
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
