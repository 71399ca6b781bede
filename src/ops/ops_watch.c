#include "ops_watch.h"

#include "alerts/alerts.h"
#include "base/log.h"
#include "io/json_out.h"
#include "io/loop.h"
#include "store/alert_table.h"
#include "store/ops.h"

#define LOG_GAP_US USEC_PER_MIN

static int64_t now_mono_us(const struct ops_watch *watch)
{
    return clock_mono_us(watch->options.clock);
}

static int64_t drift_us(const struct ops_watch *watch)
{
    return clock_wall_us(watch->options.clock) - now_mono_us(watch);
}

/* Adopts the open engine alerts of the last process, which would otherwise stay open after their
 * cause has ended. */
static void adopt_faults(struct ops_watch *watch)
{
    struct alert *rows = calloc(OPS_FAULTS_MAX, sizeof(*rows));
    if (rows == NULL) {
        return;
    }
    const struct alert_query query = {
        .statuses = 1U << ALERT_OPEN | 1U << ALERT_ACKNOWLEDGED,
        .source = "engine",
    };
    struct err err = {0};
    int count = alert_table_list(watch->options.store, &query, rows, OPS_FAULTS_MAX, &err);
    int used = 0;
    for (int i = 0; i < count; i++) {
        struct str rest = str_c(rows[i].fingerprint), area;
        enum err_id id = ERR_NONE;
        if (str_split(&rest, ':', &area) && str_equal_c(area, "engine")) {
            char code[64];
            id = str_copy(rest, code, sizeof(code)) ? err_by_code(code) : ERR_NONE;
        }
        if (id != ERR_NONE) {
            watch->faults[used++] =
                (struct ops_fault){.err_id = (int)id, .seen_mono_us = now_mono_us(watch)};
        }
    }
    free(rows);
}

void ops_watch_init(struct ops_watch *watch, const struct ops_watch_options *options)
{
    *watch = (struct ops_watch){.options = *options};
    watch->drift_us = drift_us(watch);
    atomic_store_explicit(&options->shared->ops_beat_mono_us, now_mono_us(watch),
                          memory_order_relaxed);
    adopt_faults(watch);
}

static int64_t beat_age_us(const struct ops_watch *watch, const _Atomic int64_t *beat)
{
    return shared_beat_age_us(beat, now_mono_us(watch));
}

/* True as well for a thread that does not run. */
static bool is_beating(const struct ops_watch *watch, const _Atomic int64_t *beat)
{
    return atomic_load_explicit(beat, memory_order_relaxed) == 0 ||
           beat_age_us(watch, beat) < SHARED_SILENT_US;
}

bool ops_watch_alive(const struct ops_watch *watch)
{
    const struct shared *shared = watch->options.shared;
    return beat_age_us(watch, &shared->engine_beat_mono_us) < SHARED_SILENT_US &&
           beat_age_us(watch, &shared->ops_beat_mono_us) < SHARED_SILENT_US &&
           is_beating(watch, &shared->stream_beat_mono_us) &&
           is_beating(watch, &shared->feed_beat_mono_us) &&
           is_beating(watch, &shared->account_beat_mono_us);
}

bool ops_watch_trusts_clock(const struct ops_watch *watch)
{
    return now_mono_us(watch) >= watch->distrust_mono_us;
}

/* True if the alert was stored. */
static bool store_raised(struct ops_watch *watch, const struct alert_spec *spec)
{
    struct err err = {0};
    int64_t id;
    if (alerts_raise(watch->options.alerts, spec, &id, &err) == 0) {
        return true;
    }
    if (watch->logged_mono_us == 0 || now_mono_us(watch) - watch->logged_mono_us >= LOG_GAP_US) {
        watch->logged_mono_us = now_mono_us(watch);
        (void)err_prefix(&err, "%s", spec->title);
        log_err(LOG_LEVEL_ERROR, &err, "could not store an alert");
    }
    return false;
}

static bool store_resolved(struct ops_watch *watch, const char *fingerprint, const char *why)
{
    struct err err = {0};
    return alerts_resolve(watch->options.alerts, fingerprint, why, &err) == 0;
}

/* ---------------------------------------------------------------- breaker */

static void watch_breaker(struct ops_watch *watch, const struct snapshot *snapshot)
{
    if (snapshot->version == 0 || snapshot->state == TRADING_STARTING) {
        return; /* state unknown */
    }
    if (snapshot->state == TRADING_BREAKER) {
        if (watch->breaker == OPS_STORED_RAISED) {
            return;
        }
        const struct alert_spec spec = {
            .type = ALERT_RISK,
            .severity = SEVERITY_HIGH,
            .source = "engine",
            .fingerprint = "trading:breaker",
            .title = "circuit breaker has tripped",
            .description = snapshot->state_reason,
            .recommendation = "Look at /trades and /why; /resume resets the breaker.",
        };
        if (store_raised(watch, &spec)) {
            watch->breaker = OPS_STORED_RAISED;
        }
    } else if (watch->breaker != OPS_STORED_RESOLVED) {
        /* At the first tick too: the breaker may have been reset since the last process. */
        if (store_resolved(watch, "trading:breaker", trading_state_name(snapshot->state))) {
            watch->breaker = OPS_STORED_RESOLVED;
        }
    }
}

/* ---------------------------------------------------------------- candles */

#define FEED_ALERT "feed:stale"

static void raise_feed(struct ops_watch *watch, const struct snapshot *snapshot)
{
    const struct err_info *info = err_info(ERR_MARKET_LOST);
    AUTO_BUF struct buf text = BUF_INIT(1024);
    AUTO_BUF struct buf evidence = BUF_INIT(256);
    struct json_out out = JSON_OUT(&evidence);
    buf_addf(&text, "%s: %s. %s", err_info(snapshot->feed_err)->code, snapshot->feed_reason,
             info->impact);
    json_out_array(&out, NULL);
    json_out_object(&out, NULL);
    json_out_text(&out, "pointer", "/feed/fault");
    json_out_text(&out, "value", err_info(snapshot->feed_err)->code);
    json_out_end(&out);
    json_out_object(&out, NULL); /* for commands/fix_feed.yaml */
    json_out_text(&out, "pointer", "/feed/can_reconnect");
    json_out_bool(&out, "value", snapshot->feed_reconnects);
    json_out_end(&out);
    json_out_end(&out);
    const struct alert_spec spec = {
        .type = ALERT_DATA,
        .severity = SEVERITY_HIGH,
        .source = "ops",
        .fingerprint = FEED_ALERT,
        .title = info->message,
        .description = text.data,
        .evidence_json = evidence.data,
        .recommendation = info->remediation,
    };
    if (store_raised(watch, &spec)) {
        watch->feed = OPS_STORED_RAISED;
    }
}

static void watch_feed(struct ops_watch *watch, const struct snapshot *snapshot)
{
    if (snapshot->version == 0 || snapshot->state == TRADING_STARTING) {
        return; /* state unknown */
    }
    if (snapshot->feed_err != 0 && watch->feed != OPS_STORED_RAISED) {
        raise_feed(watch, snapshot);
    } else if (snapshot->feed_err == 0 && watch->feed != OPS_STORED_RESOLVED &&
               store_resolved(watch, FEED_ALERT, "candles come again")) {
        watch->feed = OPS_STORED_RESOLVED;
    }
}

/* ---------------------------------------------------------------- emergency stop */

/* commands/emergency_stop.yaml raises the alert; it is resolved here after any emergency stop. */
static void watch_stop(struct ops_watch *watch, const struct snapshot *snapshot)
{
    if (snapshot->version == 0 || snapshot->state == TRADING_STARTING) {
        return; /* state unknown */
    }
    bool verified = snapshot->state != TRADING_EMERGENCY || snapshot->verified_flat;
    if (!verified) {
        watch->stop_verified = false;
    } else if (!watch->stop_verified) {
        const char *why = snapshot->state == TRADING_EMERGENCY
                              ? "the venue lists no position and no order"
                              : "the emergency stop was cleared";
        watch->stop_verified = store_resolved(watch, OPS_STOP_ALERT, why);
    }
}

/* ---------------------------------------------------------------- heartbeat */

static void watch_heartbeat(struct ops_watch *watch)
{
    int64_t age_us = beat_age_us(watch, &watch->options.shared->engine_beat_mono_us);
    if (age_us < SHARED_SILENT_US) {
        if (watch->stale != OPS_STORED_RESOLVED &&
            store_resolved(watch, "engine:stale", "the engine's heartbeat is fresh again")) {
            watch->stale = OPS_STORED_RESOLVED;
        }
        return;
    }
    if (watch->stale == OPS_STORED_RAISED) {
        return;
    }
    const struct err_info *info = err_info(ERR_OPS_ENGINE_STALE);
    AUTO_BUF struct buf text = BUF_INIT(512);
    buf_addf(&text, "No heartbeat for ");
    clock_add_duration(&text, age_us);
    buf_addf(&text, ". %s %s", info->cause, info->impact);
    const struct alert_spec spec = {
        .type = ALERT_SERVICE,
        .severity = SEVERITY_CRITICAL,
        .source = "ops",
        .fingerprint = "engine:stale",
        .title = info->message,
        .description = text.data,
        .recommendation = info->remediation,
    };
    LOG_FIELDS(ERROR, info->message, {"ERROR_CODE", info->code});
    if (store_raised(watch, &spec)) {
        watch->stale = OPS_STORED_RAISED;
    }
}

/* ---------------------------------------------------------------- faults of the engine */

static enum severity severity_of(enum err_severity severity)
{
    switch (severity) {
    case ERR_SEVERITY_INFO:
        return SEVERITY_INFO;
    case ERR_SEVERITY_LOW:
        return SEVERITY_LOW;
    case ERR_SEVERITY_MEDIUM:
        return SEVERITY_MEDIUM;
    case ERR_SEVERITY_HIGH:
        return SEVERITY_HIGH;
    case ERR_SEVERITY_CRITICAL:
        return SEVERITY_CRITICAL;
    }
    return SEVERITY_HIGH;
}

static void fault_fingerprint(int err_id, char dst[64])
{
    (void)snprintf(dst, 64, "engine:%s", err_info(err_id)->code);
}

static void raise_fault(struct ops_watch *watch, struct ops_fault *fault)
{
    const struct err_info *info = err_info(fault->err_id);
    char fingerprint[64], description[512];
    fault_fingerprint(fault->err_id, fingerprint);
    (void)snprintf(description, sizeof(description), "%s %s", info->cause, info->impact);
    const struct alert_spec spec = {
        .type = ALERT_SERVICE,
        .severity = severity_of(info->severity),
        .source = "engine",
        .fingerprint = fingerprint,
        .title = info->message,
        .description = description,
        .recommendation = info->remediation,
    };
    if (store_raised(watch, &spec)) {
        fault->raised_mono_us = now_mono_us(watch);
        fault->count = 0;
    }
}

/* The slot of this error, else a free one, else the one whose error was not seen for longest. */
static struct ops_fault *fault_slot(struct ops_watch *watch, int err_id)
{
    struct ops_fault *best = &watch->faults[0];
    for (int i = 0; i < OPS_FAULTS_MAX; i++) {
        struct ops_fault *fault = &watch->faults[i];
        if (fault->err_id == err_id) {
            return fault;
        }
        bool better = fault->err_id == 0
                          ? best->err_id != 0
                          : best->err_id != 0 && fault->seen_mono_us < best->seen_mono_us;
        best = better ? fault : best;
    }
    *best = (struct ops_fault){.err_id = err_id};
    return best;
}

static bool fault_due(const struct ops_watch *watch, const struct ops_fault *fault)
{
    return fault->count > 0 && (fault->raised_mono_us == 0 ||
                                now_mono_us(watch) - fault->raised_mono_us >= OPS_FAULT_REPEAT_US);
}

void ops_watch_event(struct ops_watch *watch, const struct event *event)
{
    if (event->topic != TOPIC_FAULT || event->code == ERR_NONE || event->code >= ERR_COUNT) {
        return;
    }
    struct ops_fault *fault = fault_slot(watch, (int)event->code);
    fault->seen_mono_us = now_mono_us(watch);
    fault->count++;
    if (fault_due(watch, fault)) {
        const struct err_info *info = err_info(fault->err_id);
        LOG_FIELDS(WARNING, info->message, {"ERROR_CODE", info->code}, {"SOURCE", "engine"});
        raise_fault(watch, fault);
    }
}

static void watch_faults(struct ops_watch *watch)
{
    for (int i = 0; i < OPS_FAULTS_MAX; i++) {
        struct ops_fault *fault = &watch->faults[i];
        if (fault->err_id == 0) {
            continue;
        }
        if (fault_due(watch, fault)) {
            raise_fault(watch, fault);
        }
        if (now_mono_us(watch) - fault->seen_mono_us >= OPS_FAULT_QUIET_US) {
            char fingerprint[64];
            fault_fingerprint(fault->err_id, fingerprint);
            if (store_resolved(watch, fingerprint, "not reported again for 10 min")) {
                *fault = (struct ops_fault){0};
            }
        }
    }
}

/* ---------------------------------------------------------------- clocks */

static void watch_clock(struct ops_watch *watch)
{
    int64_t drift = drift_us(watch);
    int64_t jump = drift - watch->drift_us;
    watch->drift_us = drift;
    if (jump >= OPS_CLOCK_TRUSTED_US) {
        watch->distrust_mono_us = now_mono_us(watch) + OPS_CLOCK_TRUSTED_US;
    }
    if (jump <= -OPS_CLOCK_JUMP_US) { /* after a forward jump rows are due early: harmless */
        struct err err = {0};
        if (ops_store_clock_went_back(watch->options.store, -jump, &err) < 0) {
            log_err(LOG_LEVEL_WARNING, &err,
                    "could not move due times after the clock was set back");
        }
    }
    if (jump >= OPS_CLOCK_JUMP_US || jump <= -OPS_CLOCK_JUMP_US) {
        watch->jump_pending = true;
        watch->jump_us = jump;
        const struct err_info *info = err_info(ERR_OPS_CLOCK_JUMP);
        LOG_FIELDS(WARNING, info->message, {"ERROR_CODE", info->code});
    }
    if (!watch->jump_pending) {
        return;
    }
    const struct err_info *info = err_info(ERR_OPS_CLOCK_JUMP);
    AUTO_BUF struct buf text = BUF_INIT(512);
    buf_add_c(&text, "It jumped ");
    clock_add_duration(&text, watch->jump_us < 0 ? -watch->jump_us : watch->jump_us);
    buf_addf(&text, " %s. %s %s", watch->jump_us < 0 ? "back" : "forward", info->cause,
             info->impact);
    const struct alert_spec spec = {
        .type = ALERT_DATA,
        .severity = SEVERITY_MEDIUM,
        .source = "ops",
        .fingerprint = "clock:jump",
        .title = info->message,
        .description = text.data,
        .recommendation = info->remediation,
    };
    watch->jump_pending = !store_raised(watch, &spec);
}

/* ---------------------------------------------------------------- absences of the loop */

void ops_watch_absence(int64_t away_us, const char *source, void *userdata)
{
    struct ops_watch *watch = userdata;
    struct shared *shared = watch->options.shared;
    if (away_us > atomic_load_explicit(&shared->ops_away_us, memory_order_relaxed)) {
        atomic_store_explicit(&shared->ops_away_us, away_us, memory_order_relaxed);
        atomic_store_explicit(&shared->ops_away_source, source, memory_order_relaxed);
    }
    if (away_us <= LOOP_AWAY_US) {
        return;
    }
    (void)atomic_fetch_add_explicit(&shared->ops_absences, 1, memory_order_relaxed);
    int64_t now_us = now_mono_us(watch);
    watch->away_unlogged++;
    if (watch->away_logged_mono_us == 0 || now_us - watch->away_logged_mono_us >= LOG_GAP_US) {
        char ms[24], count[24];
        (void)snprintf(ms, sizeof(ms), "%lld", (long long)(away_us / USEC_PER_MSEC));
        (void)snprintf(count, sizeof(count), "%llu", (unsigned long long)watch->away_unlogged);
        const struct err_info *info = err_info(ERR_OPS_LOOP_AWAY);
        LOG_FIELDS(WARNING, info->message, {"ERROR_CODE", info->code}, {"AWAY_MS", ms},
                   {"SOURCE", source}, {"TIMES", count});
        watch->away_logged_mono_us = now_us;
        watch->away_unlogged = 0;
    }
    if (away_us >= OPS_AWAY_ALERT_US) {
        watch->away_seen_mono_us = now_us;
        if (away_us > watch->away_us) {
            watch->away_us = away_us;
            watch->away_source = source;
        }
    }
}

static void raise_away(struct ops_watch *watch)
{
    const struct err_info *info = err_info(ERR_OPS_LOOP_AWAY);
    AUTO_BUF struct buf text = BUF_INIT(512);
    buf_add_c(&text, "For ");
    clock_add_duration(&text, watch->away_us);
    buf_addf(&text, ", in \"%s\". %s %s", watch->away_source, info->cause, info->impact);
    const struct alert_spec spec = {
        .type = ALERT_SERVICE,
        .severity = severity_of(info->severity),
        .source = "ops",
        .fingerprint = "ops:away",
        .title = info->message,
        .description = text.data,
        .recommendation = info->remediation,
    };
    if (store_raised(watch, &spec)) {
        watch->away = OPS_STORED_RAISED;
        watch->away_us = 0;
    }
}

static void watch_away(struct ops_watch *watch)
{
    if (watch->away_us > 0) {
        raise_away(watch);
    } else if (watch->away != OPS_STORED_RESOLVED &&
               now_mono_us(watch) - watch->away_seen_mono_us >= OPS_AWAY_QUIET_US &&
               store_resolved(watch, "ops:away", "no absence for 10 min")) {
        watch->away = OPS_STORED_RESOLVED;
    }
}

void ops_watch_tick(struct ops_watch *watch, const struct snapshot *snapshot)
{
    watch_clock(watch);
    watch_heartbeat(watch);
    watch_breaker(watch, snapshot);
    watch_stop(watch, snapshot);
    watch_feed(watch, snapshot);
    watch_faults(watch);
    watch_away(watch);
    atomic_store_explicit(&watch->options.shared->ops_beat_mono_us, now_mono_us(watch),
                          memory_order_relaxed);
}
