#include "alerts/alerts.h"
#include "api/api.h"
#include "base/log.h"
#include "chat/telegram.h"
#include "command/runner.h"
#include "health/autofix.h"
#include "health/health.h"
#include "io/log_file.h"
#include "io/loop.h"
#include "io/notify.h"
#include "learning/learner.h"
#include "ops_audit.h"
#include "ops_internal.h"
#include "store/ops.h"
#include "store/trading.h"
#include "trading/desk.h"

#define CHECKPOINT_US (30 * USEC_PER_SEC)
#define SYNC_US       (5 * USEC_PER_SEC)
#define STATUS_US     (10 * USEC_PER_SEC)
#define PRUNE_US      USEC_PER_DAY
#define PRUNE_ROWS    500 /* rows per tick, so that the loop is not blocked */
#define PRUNE_VALUE   "prune_last_us"
#define EVENTS_BATCH  64

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
            learner_event(ops->learner, &batch[i]);
        }
    } while (count == EVENTS_BATCH);
    if (missed > 0) {
        LOG(NOTICE, "%s missed %llu events; reading the snapshot and trading.db instead",
            shared_reader_name(ops->reader), (unsigned long long)missed);
        desk_resync(ops->desk);
        ops->notices.look = true;
        learner_resync(ops->learner);
    }
}

void ops_tick_events(int fd, uint32_t events, void *userdata)
{
    struct ops *ops = userdata;
    (void)events;
    uint64_t count;
    ssize_t n = read(fd, &count, sizeof(count)); /* resets the eventfd; the events are in the bus */
    (void)n;
    read_events(ops);
}

void ops_tick_status(struct ops *ops, struct buf *out)
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
    ops->prune_next_mono_us = ops_mono_us(ops) + USEC_PER_HOUR;
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
        ops->prune_next_mono_us = ops_mono_us(ops) + OPS_TICK_US;
        return;
    }
    (void)ops_store_write_i64(ops->store, PRUNE_VALUE, now_wall_us, &err);
}

/* The records of commands that only read are at most SYNC_US old when the power is cut. A poll of
 * Telegram syncs what it confirms by itself. A message that arrives during a sync waits for it, so
 * this is done rarely. */
static void sync_store(struct ops *ops)
{
    struct err err = {0};
    if (ops_mono_us(ops) < ops->sync_next_mono_us) {
        return;
    }
    ops->sync_next_mono_us = ops_mono_us(ops) + SYNC_US;
    if (ops_store_sync(ops->store, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not sync ops.db");
    }
}

/* Checkpoints ops.db between commands, not during one, and rarely, because each checkpoint blocks
 * the loop for two disk syncs. A failure also appears at the next write. */
static void tidy_store(struct ops *ops)
{
    struct err err = {0};
    if (ops_mono_us(ops) < ops->checkpoint_next_mono_us || runner_active(ops->runner) > 0) {
        return;
    }
    ops->checkpoint_next_mono_us = ops_mono_us(ops) + CHECKPOINT_US;
    if (ops_store_checkpoint(ops->store, &err) < 0) {
        log_err(LOG_LEVEL_DEBUG, &err, "could not checkpoint ops.db");
    }
}

bool ops_alive(const struct ops *ops)
{
    return ops_watch_alive(&ops->watch) && api_alive(ops->api);
}

/* If a thread is stuck or systemd's queue is full, the notification is retried well before the
 * watchdog period ends. */
void ops_tick_watchdog(void *userdata)
{
    struct ops *ops = userdata;
    bool sent = ops_alive(ops) && notify_watchdog();
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
    if (rc > 0 || (rc < 0 && (!ops->file_lost ||
                              ops_mono_us(ops) - ops->file_lost_mono_us >= USEC_PER_MIN))) {
        log_err(LOG_LEVEL_ERROR, &err, err_info(ERR_DB_MOVED)->message);
        (void)str_copy(str_c(err.context), ops->file_logged, sizeof(ops->file_logged));
        ops->file_lost_mono_us = ops_mono_us(ops);
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
void ops_tick_notices(void *userdata)
{
    struct ops *ops = userdata;
    if (ops->channels_open && !ops->file_lost) {
        notices_tick(&ops->notices, desk_snapshot(ops->desk));
        int64_t since_us;
        alerts_tick(ops->alerts, telegram_reach(ops->telegram, &since_us) == CHAT_REFUSED);
    }
}

void ops_tick(void *userdata)
{
    struct ops *ops = userdata;
    watch_files(ops);
    log_file_check(ops->options.log);
    read_events(ops);
    (void)notify_flush();
    ops_watch_tick(&ops->watch, desk_snapshot(ops->desk));
    publish_telegram(ops);
    api_tick(ops->api);
    int64_t now_us = ops_mono_us(ops);
    if (ops->ready && now_us >= ops->status_next_mono_us) {
        ops->status_next_mono_us = now_us + STATUS_US;
        AUTO_BUF struct buf text = BUF_INIT(256);
        ops_tick_status(ops, &text);
        notify_status(text.data);
    }
    if (now_us >= ops->prune_next_mono_us && ops_watch_trusts_clock(&ops->watch)) {
        prune(ops);
    }
    if (ops->ready && ops_watch_trusts_clock(&ops->watch)) {
        ops_commands_tick(&ops->commands, clock_wall_us(ops->clock), now_us);
        autofix_tick(ops->autofix);
    }
    if (ops->ready && !ops->file_lost) {
        learner_tick(ops->learner);
    }
    ops_audit_tick(ops, now_us);
    sync_store(ops);
    tidy_store(ops);
}
