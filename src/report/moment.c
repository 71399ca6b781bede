#include "moment.h"

#include "base/auto.h"
#include "config/config.h"
#include "io/file.h"
#include "io/host.h"
#include "model/model_json.h"
#include "store/stop_file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MIB 1048576.0

static void add_minutes(struct json_out *out, const char *key, int64_t us)
{
    json_out_rounded(out, key, (double)us / (double)USEC_PER_MIN, 1);
}

static void add_seconds(struct json_out *out, const char *key, int64_t us)
{
    json_out_rounded(out, key, (double)us / (double)USEC_PER_SEC, 1);
}

/* ------------------------------------------------------------------ settings */

static void add_risk_settings(const struct settings *s, struct json_out *out)
{
    json_out_object(out, "risk");
    json_out_double(out, "risk_per_trade_pct", s->risk_per_trade_pct);
    json_out_double(out, "max_position_pct", s->max_position_pct);
    json_out_i64(out, "max_positions", s->max_positions);
    json_out_double(out, "stop_pct", s->stop_pct);
    json_out_double(out, "target_pct", s->target_pct);
    json_out_double(out, "max_daily_loss_pct", s->max_daily_loss_pct);
    json_out_double(out, "max_drawdown_pct", s->max_drawdown_pct);
    json_out_i64(out, "max_consecutive_losses", s->max_consecutive_losses);
    add_minutes(out, "cooldown_min", s->cooldown_us);
    json_out_double(out, "max_exposure_pct", s->max_exposure_pct);
    json_out_double(out, "max_leverage", s->max_leverage);
    json_out_double(out, "max_correlation", s->max_correlation);
    json_out_double(out, "min_liquidation_distance_pct", s->min_liquidation_distance_pct);
    json_out_i64(out, "max_orders_per_minute", s->max_orders_per_minute);
    json_out_object(out, "tiers");
    for (int i = 0; i < TIERS; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "tier_%d", i + 1);
        json_out_object(out, name);
        json_out_double(out, "max_position_pct", s->tiers[i].max_position_pct);
        json_out_double(out, "max_exposure_pct", s->tiers[i].max_exposure_pct);
        json_out_end(out);
    }
    json_out_end(out);
    json_out_end(out);
}

void moment_add_settings(const struct moment *m, struct json_out *out)
{
    const struct settings *s = m->settings;
    struct venue_settings venue;
    config_venue(m->from->config, &venue);
    json_out_object(out, "settings");
    json_out_text(out, "venue", venue.name);
    json_out_i64(out, "symbols", s->symbol_count);
    json_out_double(out, "threshold", s->threshold);
    json_out_bool(out, "model_configured", s->model[0] != '\0');
    add_risk_settings(s, out);
    json_out_double(out, "fee_bp", venue.paper.fee_bps);
    json_out_double(out, "maker_fee_bp", venue.paper.maker_fee_bps);
    json_out_rounded(out, "retention_h",
                     (double)m->from->config->monitoring_log_retention_us / (double)USEC_PER_HOUR,
                     1);
    json_out_i64(out, "alert_threshold", m->from->config->monitoring_alert_threshold);
    json_out_end(out);
}

/* ------------------------------------------------------------------ account */

/* state_since_us is stored on disk as wall time; the clock may have been set back since. */
static int64_t in_state_us(const struct snapshot *s, int64_t wall_us)
{
    return wall_us > s->state_since_us ? wall_us - s->state_since_us : 0;
}

static void add_positions(const struct snapshot *s, struct json_out *out)
{
    json_out_object(out, "positions");
    for (int i = 0; i < s->position_count; i++) {
        json_out_object(out, s->positions[i].symbol.name);
        model_json_position(out, s, i);
        json_out_end(out);
    }
    json_out_end(out);
}

static void add_utilisation(const struct snapshot *s, struct json_out *out)
{
    const struct snapshot_risk *risk = &s->risk;
    json_out_object(out, "utilisation");
    json_out_i64(out, "positions", s->position_count);
    json_out_i64(out, "max_positions", s->max_positions);
    json_out_rounded(out, "exposure_pct", risk->exposure_pct, 4);
    json_out_rounded(out, "max_exposure_pct", risk->max_exposure_pct, 4);
    json_out_rounded(out, "leverage", risk->leverage, 4);
    json_out_rounded(out, "max_leverage", risk->max_leverage, 4);
    json_out_rounded(out, "liquidation_distance_pct", s->liquidation_distance_pct, 4);
    json_out_i64(out, "losses_in_a_row", risk->losses_in_a_row);
    json_out_i64(out, "orders_last_minute", risk->orders_lately);
    json_out_end(out);
}

void moment_add_account(const struct moment *m, struct json_out *out, struct json_out *untrusted)
{
    const struct snapshot *s = m->snapshot;
    if (s == NULL) {
        json_out_text(out, "source", "database");
        return;
    }
    json_out_text(out, "source", "snapshot");
    json_out_text(out, "state", trading_state_name(s->state));
    add_minutes(out, "in_state_min", in_state_us(s, m->wall_us));
    model_json_account(out, s);
    json_out_i64(out, "foreign_positions", s->foreign_count);
    json_out_bool(out, "venue_agrees", s->venue_agrees);
    add_utilisation(s, out);
    add_positions(s, out);
    json_out_object(out, "balances");
    for (int i = 0; i < s->venue.account.balance_count; i++) {
        const struct venue_balance *balance = &s->venue.account.balances[i];
        json_out_object(out, balance->currency);
        json_out_dec(out, "total", balance->total);
        json_out_dec(out, "available", balance->available);
        json_out_end(out);
    }
    json_out_end(out);
    json_out_text(untrusted, "state_reason", s->state_reason);
}

/* ------------------------------------------------------------------ system */

static void add_engine(const struct moment *m, struct json_out *out)
{
    const struct snapshot *s = m->snapshot;
    int64_t up_us = s->published_mono_us - s->started_mono_us;
    int64_t speed = s->market_speed > 0 ? s->market_speed : 1;
    int64_t silent_us =
        shared_silent_us(m->from->shared, s, m->wall_us, clock_mono_us(m->from->clock));
    /* How long the engine has been trading without a break, in market time; 0: not trading. */
    int64_t state_us = in_state_us(s, s->published_wall_us);
    int64_t active_us = s->state != TRADING_ACTIVE ? 0 : state_us < up_us ? state_us : up_us;
    json_out_object(out, "engine");
    json_out_rounded(out, "silent_s", (double)silent_us / 1e6, 3);
    json_out_i64(out, "market_speed", s->market_speed);
    add_minutes(out, "uptime_min", up_us);
    add_minutes(out, "active_market_min", active_us > 0 ? active_us * speed : 0);
    json_out_u64(out, "candles", s->candles);
    json_out_u64(out, "decisions", s->decisions);
    json_out_u64(out, "trades", s->trades);
    json_out_u64(out, "fills", s->fills);
    json_out_u64(out, "steps", s->steps);
    json_out_rounded(out, "step_p99_us", (double)s->step_p99_ns / 1e3, 1);
    json_out_text(out, "last_error_code", s->last_err != 0 ? err_info(s->last_err)->code : "none");
    json_out_text(out, "disk", disk_state_name(s->disk.state));
    json_out_text(out, "venue", venue_state_name(s->venue.state));
    json_out_bool(out, "market_ended", s->market_ended);
    json_out_end(out);
}

static void add_feed(const struct moment *m, struct json_out *out)
{
    const struct snapshot *s = m->snapshot;
    json_out_object(out, "feed");
    for (int i = 0; i < s->market_count; i++) {
        const struct snapshot_market *market = &s->markets[i];
        json_out_object(out, market->symbol.name);
        add_minutes(out, "lag_min", s->market_us - market->updated_us);
        json_out_u64(out, "refused_candles", market->refused);
        json_out_u64(out, "gaps", market->gaps);
        json_out_dec(out, "price", market->price);
        json_out_text(out, "regime", regime_name(market->regime));
        if (market->rules.step.e8 > 0) {
            json_out_dec(out, "step", market->rules.step);
        }
        json_out_end(out);
    }
    json_out_end(out);
}

static void add_clock(const struct moment *m, struct json_out *out)
{
    const struct snapshot *s = m->snapshot;
    int64_t offset_us = m->wall_us - clock_mono_us(m->from->clock);
    json_out_object(out, "clock");
    add_seconds(out, "jumped_s", offset_us - m->from->wall_minus_mono_us);
    if (s != NULL && s->market_speed == 1) {
        add_seconds(out, "market_minus_ours_s", s->market_us - s->published_wall_us);
    }
    json_out_end(out);
}

static void add_process(const struct moment *m, struct json_out *out)
{
    json_out_object(out, "process");
    add_minutes(out, "uptime_min", clock_mono_us(m->from->clock) - m->from->started_mono_us);
    AUTO_FILE FILE *statm = fopen("/proc/self/statm", "re");
    char line[128] = "";
    if (statm != NULL && fgets(line, sizeof(line), statm) != NULL) {
        struct str rest = str_c(line);
        struct str word = {0};
        int64_t pages = 0;
        if (str_word(&rest, &word) && str_word(&rest, &word) && str_to_i64(word, &pages)) {
            json_out_rounded(out, "rss_mib", (double)pages * (double)sysconf(_SC_PAGESIZE) / MIB,
                             1);
        }
    }
    json_out_end(out);
}

void moment_add_disk(const char *state_dir, struct json_out *out)
{
    struct host_disk disk;
    if (host_disk(state_dir, &disk, NULL) == 0 && disk.size_bytes > 0) {
        double free_bytes = (double)disk.available_bytes;
        json_out_object(out, "disk");
        json_out_rounded(out, "free_mib", free_bytes / MIB, 0);
        json_out_rounded(out, "free_pct", 100.0 * free_bytes / (double)disk.size_bytes, 1);
        json_out_end(out);
    }
}

/* Only if it exists: to open it would create it. */
static const char *read_stop_file(const char *state_dir)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    struct stop_file *file = NULL;
    struct stop_mark mark;
    buf_addf(&path, "%s/emergency.stop", state_dir);
    if (!file_exists(path.data) || stop_file_open(state_dir, &file, NULL) < 0) {
        return NULL;
    }
    bool stopped = stop_file_get(file, &mark);
    stop_file_free(file);
    return stopped ? "stopped" : "none";
}

void moment_add_system(const struct moment *m, struct json_out *out)
{
    json_out_bool(out, "engine_expected", m->from->daemon);
    json_out_i64(out, "services_configured", m->from->config->service_count);
    if (m->from->state_dir != NULL) {
        json_out_text(out, "stop_file", read_stop_file(m->from->state_dir));
    }
    if (m->from->shared != NULL) {
        json_out_text(out, "chat",
                      chat_state_name((enum chat_state)atomic_load_explicit(
                          &m->from->shared->telegram, memory_order_relaxed)));
    }
    if (m->snapshot != NULL) {
        add_engine(m, out);
        add_feed(m, out);
    }
    add_clock(m, out);
    add_process(m, out);
}
