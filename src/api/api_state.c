#include "api_internal.h"
#include "model/model_json.h"

static void add_ops_loop(struct json_out *out, const struct shared *shared)
{
    const char *source = atomic_load_explicit(&shared->ops_away_source, memory_order_relaxed);
    json_out_object(out, "ops_loop");
    json_out_i64(out, "longest_absence_us",
                 atomic_load_explicit(&shared->ops_away_us, memory_order_relaxed));
    json_out_text(out, "longest_absence_in", source != NULL ? source : "");
    json_out_u64(out, "absences_over_limit",
                 atomic_load_explicit(&shared->ops_absences, memory_order_relaxed));
    json_out_end(out);
}

/* The state of the channel ("up", "silent", "refused" …) and the start of an outage. */
static void add_telegram(struct json_out *out, const struct shared *shared)
{
    int state = atomic_load_explicit(&shared->telegram, memory_order_relaxed);
    json_out_object(out, "telegram");
    json_out_text(out, "state", chat_state_name((enum chat_state)state));
    json_out_time(out, "since",
                  atomic_load_explicit(&shared->telegram_since_us, memory_order_relaxed));
    json_out_end(out);
}

void api_state_json(const struct snapshot *s, int64_t silent_us, const struct shared *shared,
                    struct buf *body)
{
    struct json_out out = JSON_OUT(body);
    json_out_document(&out, "nightdesk.state/1");
    /* A snapshot that was never published has no age and is stale. */
    if (s->version == 0) {
        json_out_null(&out, "age_ms");
    } else {
        json_out_i64(&out, "age_ms", silent_us / USEC_PER_MSEC);
    }
    json_out_bool(&out, "stale", s->version == 0 || silent_us >= SHARED_SILENT_US);
    model_json_snapshot(&out, s);
    add_ops_loop(&out, shared);
    add_telegram(&out, shared);
    json_out_end(&out);
    buf_add_char(body, '\n');
}

static void add_thread(struct json_out *out, const char *name, int64_t beat_age_us)
{
    json_out_object(out, name);
    json_out_bool(out, "alive", beat_age_us < SHARED_SILENT_US);
    json_out_i64(out, "beat_age_ms", beat_age_us / USEC_PER_MSEC);
    json_out_end(out);
}

bool api_health_json(const struct snapshot *s, const struct shared *shared, int64_t now_mono_us,
                     struct buf *body)
{
    int64_t engine_age_us = shared_beat_age_us(&shared->engine_beat_mono_us, now_mono_us);
    int64_t ops_age_us = shared_beat_age_us(&shared->ops_beat_mono_us, now_mono_us);
    bool alive =
        engine_age_us < SHARED_SILENT_US && ops_age_us < SHARED_SILENT_US && s->version > 0;
    bool writes = s->disk.state == DISK_OK;
    bool reached = atomic_load_explicit(&shared->telegram_since_us, memory_order_relaxed) == 0;
    struct json_out out = JSON_OUT(body);
    json_out_document(&out, "nightdesk.health/1");
    json_out_text(&out, "status", !alive ? "unhealthy" : reached && writes ? "ok" : "degraded");
    json_out_text(&out, "trading", trading_state_name(s->state));
    json_out_text(&out, "disk", disk_state_name(s->disk.state));
    add_thread(&out, "engine", engine_age_us);
    add_thread(&out, "ops", ops_age_us);
    add_telegram(&out, shared);
    json_out_end(&out);
    buf_add_char(body, '\n');
    return alive && writes;
}
