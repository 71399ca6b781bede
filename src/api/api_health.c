/* Whether nightdesk is alive, and whether it is ready: for supervisors, load balancers and people.
 */
#include "answer.h"
#include "api_internal.h"
#include "call.h"

#include <stdio.h>
#include <unistd.h>

#define PATH_SIZE (PATH_MAX + 16)

struct health {
    const struct snapshot *s;
    const struct shared *shared;
    int64_t engine_age_us;
    int64_t ops_age_us;
    bool alive; /* both loops make progress */
};

static struct health look(const struct api_call *call)
{
    const struct shared *shared = call->listener->api->shared;
    int64_t now_us = clock_mono_us(clock_real());
    struct health h = {.s = shared_reader_snapshot(call->listener->reader),
                       .shared = shared,
                       .engine_age_us = shared_beat_age_us(&shared->engine_beat_mono_us, now_us),
                       .ops_age_us = shared_beat_age_us(&shared->ops_beat_mono_us, now_us)};
    h.alive = h.engine_age_us < SHARED_SILENT_US && h.ops_age_us < SHARED_SILENT_US;
    return h;
}

static void add_thread(struct json_out *out, const char *name, int64_t beat_age_us)
{
    json_out_object(out, name);
    json_out_bool(out, "alive", beat_age_us < SHARED_SILENT_US);
    json_out_i64(out, "beat_age_ms", beat_age_us / USEC_PER_MSEC);
    json_out_end(out);
}

/* If Telegram is refused or silent the status is "degraded": the program itself works. */
static void answer_health(struct api_call *call, bool by_status)
{
    struct api_answer a;
    const struct health h = look(call);
    bool up = h.alive && h.s->version > 0;
    bool writes = h.s->disk.state == DISK_OK;
    int64_t since_us = atomic_load_explicit(&h.shared->telegram_since_us, memory_order_relaxed);
    api_answer_begin(&a, "nightdesk.health/2", api_age_of_engine(h.shared, h.s));
    json_out_text(&a.out, "status",
                  !up                       ? "unhealthy"
                  : since_us == 0 && writes ? "ok"
                                            : "degraded");
    json_out_text(&a.out, "trading", trading_state_name(h.s->state));
    json_out_text(&a.out, "disk", disk_state_name(h.s->disk.state));
    json_out_text(&a.out, "venue", venue_state_name(h.s->venue.state));
    add_thread(&a.out, "engine", h.engine_age_us);
    add_thread(&a.out, "ops", h.ops_age_us);
    api_telegram_write(&a.out, atomic_load_explicit(&h.shared->telegram, memory_order_relaxed),
                       since_us);
    api_answer_send_as(&a, call->request, by_status && !h.alive ? 503 : 200,
                       by_status && !h.alive ? "Retry-After: 5" : NULL);
}

void api_health_handle(struct api_call *call)
{
    answer_health(call, false);
}

void api_live_handle(struct api_call *call)
{
    answer_health(call, true);
}

/* ---------------------------------------------------------------- readiness */

static void add_check(struct api_answer *a, bool *all, const char *name, bool ok,
                      const char *detail)
{
    json_out_object(&a->out, NULL);
    json_out_text(&a->out, "name", name);
    json_out_bool(&a->out, "ok", ok);
    json_out_text(&a->out, "detail", ok ? "" : detail);
    json_out_end(&a->out);
    *all = *all && ok;
}

/* Whether a database of the state folder can be read, and its file be written. */
static void add_database(struct api_answer *a, bool *all, struct listener *l, bool trading)
{
    struct err err = {0};
    char path[PATH_SIZE];
    const char *name = trading ? "trading.db" : "ops.db";
    AUTO_BUF struct buf detail = BUF_INIT(1024);
    (void)snprintf(path, sizeof(path), "%s/%s", l->api->state_dir, name);
    int rc = trading ? api_need_trading(&l->stores, &err) : api_need_ops(&l->stores, &err);
    bool writes = access(path, W_OK) == 0;
    if (rc < 0) {
        err_line(&err, &detail);
    } else {
        buf_add_c(&detail, "its file cannot be written");
    }
    add_check(a, all, name, rc == 0 && writes, detail.data);
}

void api_ready_handle(struct api_call *call)
{
    struct api_answer a;
    const struct health h = look(call);
    bool ready = true;
    api_answer_begin(&a, "nightdesk.ready/1", api_age_of_engine(h.shared, h.s));
    json_out_array(&a.out, "checks");
    add_check(&a, &ready, "engine", h.engine_age_us < SHARED_SILENT_US, "its loop is stuck");
    add_check(&a, &ready, "ops", h.ops_age_us < SHARED_SILENT_US, "its loop is stuck");
    add_check(&a, &ready, "recovery", h.s->version > 0 && h.s->state != TRADING_STARTING,
              "the engine has not reconciled with the venue yet");
    add_check(&a, &ready, "disk", h.s->disk.state == DISK_OK, disk_state_name(h.s->disk.state));
    add_database(&a, &ready, call->listener, true);
    add_database(&a, &ready, call->listener, false);
    json_out_end(&a.out);
    json_out_bool(&a.out, "ready", ready);
    api_answer_send_as(&a, call->request, ready ? 200 : 503, ready ? NULL : "Retry-After: 5");
}
