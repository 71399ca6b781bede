#include "api_internal.h"

/* Money, prices and quantities are strings: a reader would round a JSON number to a double. */
static void add_dec(struct json_object *to, const char *key, struct dec value)
{
    char text[DEC_TEXT_SIZE];
    json_object_object_add(to, key, json_object_new_string(dec_text(value, text)));
}

static void add_i64(struct json_object *to, const char *key, int64_t value)
{
    json_object_object_add(to, key, json_object_new_int64(value));
}

static void add_u64(struct json_object *to, const char *key, uint64_t value)
{
    json_object_object_add(to, key, json_object_new_uint64(value));
}

static void add_double(struct json_object *to, const char *key, double value)
{
    json_object_object_add(to, key, json_object_new_double(value));
}

static void add_text(struct json_object *to, const char *key, const char *value)
{
    json_object_object_add(to, key, json_object_new_string(value));
}

/* null for a time of 0: it has not happened. */
static void add_time(struct json_object *to, const char *key, int64_t wall_us)
{
    if (wall_us == 0) {
        json_object_object_add(to, key, NULL);
        return;
    }
    AUTO_BUF struct buf text = BUF_INIT(64);
    clock_add_iso(&text, wall_us, true);
    add_text(to, key, text.data);
}

static struct json_object *market_json(const struct snapshot_market *m)
{
    struct json_object *o = json_object_new_object();
    add_text(o, "symbol", m->symbol.name);
    add_dec(o, "price", m->price);
    add_dec(o, "change_24h_pct", m->change_24h_pct);
    add_time(o, "updated_at_market", m->updated_us);
    add_text(o, "regime", regime_name(m->regime));
    add_double(o, "rsi", m->rsi);
    add_double(o, "ema_fast", m->ema_fast);
    add_double(o, "ema_slow", m->ema_slow);
    add_u64(o, "refused_candles", m->refused);
    add_u64(o, "refused_impossible", m->refused_impossible);
    add_u64(o, "refused_backward", m->refused_backward);
    add_u64(o, "refused_stale", m->refused_stale);
    add_u64(o, "refused_future", m->refused_future);
    add_u64(o, "missing_candles", m->gaps);
    json_object_object_add(o, "suspect", json_object_new_boolean(m->suspect));
    return o;
}

static struct json_object *position_json(const struct position *p)
{
    struct json_object *o = json_object_new_object();
    add_text(o, "symbol", p->symbol.name);
    add_text(o, "side", side_name(p->side));
    add_dec(o, "qty", p->qty);
    add_dec(o, "entry_price", p->entry_price);
    add_dec(o, "mark_price", p->mark_price);
    add_dec(o, "stop", p->stop);
    add_dec(o, "target", p->target);
    add_dec(o, "unrealised", p->unrealised);
    add_dec(o, "fees", p->fees);
    add_time(o, "opened_at_market", p->opened_us);
    add_i64(o, "decision_id", p->decision_id);
    add_text(o, "client_id", p->client_id);
    return o;
}

static struct json_object *account_json(const struct snapshot *s)
{
    struct json_object *o = json_object_new_object();
    add_text(o, "currency", "USD");
    add_dec(o, "initial_cash", s->initial_cash);
    add_dec(o, "cash", s->cash);
    add_dec(o, "equity", s->equity);
    add_dec(o, "equity_peak", s->equity_peak);
    add_dec(o, "day_start_equity", s->day_start_equity);
    add_dec(o, "realised", s->realised);
    add_dec(o, "fees", s->fees);
    add_double(o, "drawdown_pct", s->drawdown_pct);
    add_double(o, "max_drawdown_pct", s->max_drawdown_pct);
    add_double(o, "exposure_pct", s->exposure_pct);
    add_double(o, "daily_loss_pct", s->daily_loss_pct);
    add_double(o, "max_daily_loss_pct", s->max_daily_loss_pct);
    json_object_object_add(o, "books_balance", json_object_new_boolean(s->books_balance));
    return o;
}

static struct json_object *counters_json(const struct snapshot *s)
{
    struct json_object *o = json_object_new_object();
    add_u64(o, "candles", s->candles);
    add_u64(o, "decisions", s->decisions);
    add_u64(o, "orders", s->orders);
    add_u64(o, "fills", s->fills);
    add_u64(o, "trades", s->trades);
    add_u64(o, "wins", s->wins);
    add_u64(o, "vetoes", s->vetoes);
    add_u64(o, "open_orders", s->open_orders);
    add_u64(o, "unknown_orders", s->unknown_orders);
    add_u64(o, "steps", s->steps);
    add_i64(o, "step_p99_ns", s->step_p99_ns);
    return o;
}

static struct json_object *disk_json(const struct snapshot_disk *disk)
{
    struct json_object *o = json_object_new_object();
    add_text(o, "state", disk_state_name(disk->state));
    if (disk->state == DISK_FAILED) {
        add_text(o, "error_code", err_info(disk->err)->code);
        json_object_object_add(o, "closes", json_object_new_boolean(disk->closes));
    }
    if (disk->state == DISK_SLOW) {
        add_i64(o, "commit_ms", disk->commit_us / USEC_PER_MSEC);
    }
    if (disk->state != DISK_OK) {
        add_time(o, "since", disk->since_wall_us);
    }
    return o;
}

static struct json_object *ops_loop_json(const struct shared *shared)
{
    const char *source = atomic_load_explicit(&shared->ops_away_source, memory_order_relaxed);
    struct json_object *o = json_object_new_object();
    add_i64(o, "longest_absence_us",
            atomic_load_explicit(&shared->ops_away_us, memory_order_relaxed));
    add_text(o, "longest_absence_in", source != NULL ? source : "");
    add_u64(o, "absences_over_limit",
            atomic_load_explicit(&shared->ops_absences, memory_order_relaxed));
    return o;
}

/* The state of the channel ("up", "silent", "refused" …) and the start of an outage. */
static struct json_object *telegram_json(const struct shared *shared)
{
    struct json_object *o = json_object_new_object();
    int state = atomic_load_explicit(&shared->telegram, memory_order_relaxed);
    add_text(o, "state", chat_state_name((enum chat_state)state));
    add_time(o, "since", atomic_load_explicit(&shared->telegram_since_us, memory_order_relaxed));
    return o;
}

void api_state_json(const struct snapshot *s, int64_t silent_us, const struct shared *shared,
                    struct buf *out)
{
    AUTO_JSON struct json_object *o = json_object_new_object();
    add_u64(o, "version", s->version);
    add_time(o, "published_at", s->published_wall_us);
    /* A snapshot that was never published has no age and is stale. */
    bool stale = s->version == 0 || silent_us >= SHARED_SILENT_US;
    json_object_object_add(
        o, "age_ms", s->version == 0 ? NULL : json_object_new_int64(silent_us / USEC_PER_MSEC));
    json_object_object_add(o, "stale", json_object_new_boolean(stale));
    add_time(o, "started_at", s->started_wall_us);
    add_time(o, "market_time", s->market_us);
    add_i64(o, "market_speed", s->market_speed);

    struct json_object *trading = json_object_new_object();
    add_text(trading, "state", trading_state_name(s->state));
    add_text(trading, "reason", s->state_reason);
    add_time(trading, "since", s->state_since_us);
    json_object_object_add(o, "trading", trading);

    json_object_object_add(o, "account", account_json(s));

    struct json_object *markets = json_object_new_array();
    for (int i = 0; i < s->market_count; i++) {
        json_object_array_add(markets, market_json(&s->markets[i]));
    }
    json_object_object_add(o, "markets", markets);

    struct json_object *positions = json_object_new_array();
    for (int i = 0; i < s->position_count; i++) {
        json_object_array_add(positions, position_json(&s->positions[i]));
    }
    json_object_object_add(o, "positions", positions);
    add_i64(o, "max_positions", s->max_positions);
    json_object_object_add(o, "counters", counters_json(s));
    json_object_object_add(o, "ops_loop", ops_loop_json(shared));
    json_object_object_add(o, "telegram", telegram_json(shared));
    json_object_object_add(o, "disk", disk_json(&s->disk));
    if (s->last_err != 0) {
        add_text(o, "last_error_code", err_info(s->last_err)->code);
    } else {
        json_object_object_add(o, "last_error_code", NULL);
    }
    json_add_text(out, o);
    buf_add_char(out, '\n');
}

bool api_health_json(const struct snapshot *s, const struct shared *shared, int64_t now_mono_us,
                     struct buf *out)
{
    int64_t engine_age_us = shared_beat_age_us(&shared->engine_beat_mono_us, now_mono_us);
    int64_t ops_age_us = shared_beat_age_us(&shared->ops_beat_mono_us, now_mono_us);
    bool engine = engine_age_us < SHARED_SILENT_US;
    bool ops = ops_age_us < SHARED_SILENT_US;
    bool alive = engine && ops && s->version > 0;
    bool writes = s->disk.state == DISK_OK;
    bool reached = atomic_load_explicit(&shared->telegram_since_us, memory_order_relaxed) == 0;
    AUTO_JSON struct json_object *telegram = telegram_json(shared);
    buf_addf(out,
             "{\"status\":\"%s\",\"trading\":\"%s\",\"disk\":\"%s\","
             "\"engine\":{\"alive\":%s,\"beat_age_ms\":%lld},"
             "\"ops\":{\"alive\":%s,\"beat_age_ms\":%lld},\"telegram\":",
             !alive              ? "unhealthy"
             : reached && writes ? "ok"
                                 : "degraded",
             trading_state_name(s->state), disk_state_name(s->disk.state),
             engine ? "true" : "false", (long long)(engine_age_us / USEC_PER_MSEC),
             ops ? "true" : "false", (long long)(ops_age_us / USEC_PER_MSEC));
    json_add_text(out, telegram);
    buf_add_c(out, "}\n");
    return alive && writes;
}
