#include "api_internal.h"
#include "base/check.h"
#include "call.h"
#include "model/model_json.h"

static void add_ops_loop(struct json_out *out, const struct api_state_key *key)
{
    json_out_object(out, "ops_loop");
    json_out_i64(out, "longest_absence_us", key->away_us);
    json_out_text(out, "longest_absence_in", key->away_source != NULL ? key->away_source : "");
    json_out_u64(out, "absences_over_limit", key->absences);
    json_out_end(out);
}

/* The state of the channel ("up", "silent", "refused" …) and the start of an outage. */
static void add_telegram(struct json_out *out, int state, int64_t since_us)
{
    json_out_object(out, "telegram");
    json_out_text(out, "state", chat_state_name((enum chat_state)state));
    json_out_time(out, "since", since_us);
    json_out_end(out);
}

static int64_t age_ms(const struct snapshot *s, const struct shared *shared)
{
    const struct clock *clock = clock_real();
    int64_t us = shared_silent_us(shared, s, clock_wall_us(clock), clock_mono_us(clock));
    return s->version == 0 ? -1 : us / USEC_PER_MSEC / API_AGE_STEP_MS * API_AGE_STEP_MS;
}

/* A snapshot that was never published has no age and is stale. */
static void add_age(struct json_out *out, int64_t ms)
{
    if (ms < 0) {
        json_out_null(out, "age_ms");
    } else {
        json_out_i64(out, "age_ms", ms);
    }
    json_out_bool(out, "stale", ms < 0 || ms * USEC_PER_MSEC >= SHARED_SILENT_US);
}

void api_state_age(struct json_out *out, const struct snapshot *s, const struct shared *shared)
{
    add_age(out, age_ms(s, shared));
}

static struct api_state_key make_key(const struct snapshot *s, const struct shared *shared)
{
    return (struct api_state_key){
        .version = s->version,
        .age_ms = age_ms(s, shared),
        .away_us = atomic_load_explicit(&shared->ops_away_us, memory_order_relaxed),
        .away_source = atomic_load_explicit(&shared->ops_away_source, memory_order_relaxed),
        .absences = atomic_load_explicit(&shared->ops_absences, memory_order_relaxed),
        .telegram_since_us = atomic_load_explicit(&shared->telegram_since_us, memory_order_relaxed),
        .telegram = atomic_load_explicit(&shared->telegram, memory_order_relaxed),
    };
}

static bool key_equal(const struct api_state_key *a, const struct api_state_key *b)
{
    return a->version == b->version && a->age_ms == b->age_ms && a->away_us == b->away_us &&
           a->away_source == b->away_source && a->absences == b->absences &&
           a->telegram_since_us == b->telegram_since_us && a->telegram == b->telegram;
}

static void write_state(const struct snapshot *s, const struct api_state_key *key, struct buf *body)
{
    struct json_out out = JSON_OUT(body);
    json_out_document(&out, "nightdesk.state/1");
    add_age(&out, key->age_ms);
    model_json_snapshot(&out, s);
    add_ops_loop(&out, key);
    add_telegram(&out, key->telegram, key->telegram_since_us);
    json_out_end(&out);
    buf_add_char(body, '\n');
    ASSERT(!buf_failed(body)); /* a third of API_ANSWER_MAX with SYMBOLS_LIMIT, POSITIONS_LIMIT */
}

void api_state_json(struct listener *listener, struct buf *out)
{
    const struct snapshot *s = shared_reader_snapshot(listener->reader);
    const struct api_state_key key = make_key(s, listener->api->shared);
    write_state(s, &key, out);
}

static struct web_content *render(const struct snapshot *s, const struct api_state_key *key)
{
    AUTO_BUF struct buf body = BUF_INIT(API_ANSWER_MAX);
    write_state(s, key, &body);
    return web_content_new(&(struct web_answer){
        .status = 200, .content_type = "application/json", .body = buf_str(&body)});
}

void api_state_handle(struct api_call *call)
{
    struct listener *listener = call->listener;
    const struct snapshot *s = shared_reader_snapshot(listener->reader);
    const struct api_state_key key = make_key(s, listener->api->shared);
    if (listener->state == NULL || !key_equal(&key, &listener->state_key)) {
        web_content_free(listener->state);
        listener->state = render(s, &key);
        listener->state_key = key;
    }
    web_answer_content(call->request, listener->state);
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
    int64_t since_us = atomic_load_explicit(&shared->telegram_since_us, memory_order_relaxed);
    bool reached = since_us == 0;
    struct json_out out = JSON_OUT(body);
    json_out_document(&out, "nightdesk.health/1");
    json_out_text(&out, "status", !alive ? "unhealthy" : reached && writes ? "ok" : "degraded");
    json_out_text(&out, "trading", trading_state_name(s->state));
    json_out_text(&out, "disk", disk_state_name(s->disk.state));
    add_thread(&out, "engine", engine_age_us);
    add_thread(&out, "ops", ops_age_us);
    add_telegram(&out, atomic_load_explicit(&shared->telegram, memory_order_relaxed), since_us);
    json_out_end(&out);
    buf_add_char(body, '\n');
    return alive && writes;
}

void api_health_handle(struct api_call *call)
{
    AUTO_BUF struct buf body = BUF_INIT(1024);
    bool healthy = api_health_json(shared_reader_snapshot(call->listener->reader),
                                   call->listener->api->shared, clock_mono_us(clock_real()), &body);
    web_answer_json(call->request, healthy ? 200 : 503, buf_str(&body));
}
