#include "base/check.h"
#include "base/log.h"
#include "base/trace.h"
#include "desk_internal.h"
#include "io/loop.h"

#define LATE_LOOK_US      USEC_PER_SEC
#define LATE_WATCH_US     (24 * USEC_PER_HOUR)
#define LATE_RECOVERED_US USEC_PER_MIN

static desk_done_fn done_of(enum request_kind kind)
{
    switch (kind) {
    case REQUEST_CLOSE:
        return desk_is_closed;
    case REQUEST_EMERGENCY_STOP:
        return desk_is_stopped;
    case REQUEST_AMEND:
        return desk_is_amended;
    case REQUEST_CANCEL:
        return desk_is_cancelled;
    case REQUEST_PAUSE:
    case REQUEST_RESUME:
    case REQUEST_CLEAR_EMERGENCY:
    case REQUEST_MAINTENANCE:
    case REQUEST_RULE_ADD:
    case REQUEST_RULE_STATUS:
    case REQUEST_COOLDOWN:
    case REQUEST_RECONNECT:
    case REQUEST_GO_LIVE:
    case REQUEST_CAPITAL:
        return NULL;
    }
    return NULL;
}

void desk_watch_late(struct desk *desk, struct pending *p, int failed_as)
{
    p->late = true;
    p->done = done_of(p->asked.kind);
    p->running = TAKE(p->call);
    p->failed_as = failed_as;
    loop_timer_in(desk->late, LATE_LOOK_US);
}

void desk_run_ended(const struct action_call *call, int64_t run_id, void *userdata)
{
    struct desk *desk = userdata;
    for (size_t i = 0; i < DESK_PENDING_MAX; i++) {
        struct pending *p = &desk->pending[i];
        if (p->used && p->late && p->running == call) {
            p->running = NULL;
            p->run_id = run_id;
            loop_timer_in(desk->late, 0);
        }
    }
}

/* "close of BTC-USD", "emergency stop" */
static void add_name(const struct pending *p, struct buf *out)
{
    buf_addf(out, "%s", request_kind_name(p->asked.kind));
    if (p->asked.symbol.name[0] != '\0') {
        buf_addf(out, " of %s", p->asked.symbol.name);
    }
}

static struct reply *late_reply(struct desk *desk, const struct pending *p)
{
    struct reply *r = reply_new();
    AUTO_BUF struct buf name = BUF_INIT(128);
    AUTO_BUF struct buf after = BUF_INIT(64);
    add_name(p, &name);
    clock_add_duration(&after, p->took_us);
    if (p->refused.id != ERR_NONE) {
        reply_title(r, TONE_WARN, "The engine refused the %s: nothing was done", name.data);
        reply_error(r, &p->refused);
    } else if (p->asked.kind == REQUEST_EMERGENCY_STOP) {
        reply_title(r, TONE_PLAIN, "⛔ Emergency stop: verified flat after %s", after.data);
        reply_line(r, "The venue confirms that no position and no order is open.");
    } else {
        reply_title(r, TONE_WARN, "Done late, after %s: %s", after.data, name.data);
    }
    reply_line(r, "It was reported as failed before: %s (%s).", err_info(p->failed_as)->message,
               err_info(p->failed_as)->code);
    (void)desk_read(desk, r);
    return r;
}

/* Reports a known outcome; returns true once it is reported everywhere. It waits until the run has
 * ended and is recorded, because the report replaces the run's own message about its failure. */
static bool report(struct desk *desk, struct pending *p)
{
    if (p->running != NULL) {
        return false;
    }
    TRACE_RUN(p->asked.run_id);
    AUTO_REPLY struct reply *reply = late_reply(desk, p);
    const struct desk_late late = {.run_id = p->run_id,
                                   .kind = p->asked.kind,
                                   .happened = p->refused.id == ERR_NONE,
                                   .reply = reply,
                                   .notified = p->notified};
    if (!p->logged) {
        LOG(NOTICE, "%s", reply_get_title(reply));
        p->logged = true;
    }
    p->notified |=
        desk->o.late == NULL ? DESK_LATE_ALL : desk->o.late(&late, desk->o.late_userdata);
    return p->notified == DESK_LATE_ALL;
}

void desk_late_answer(struct desk *desk, struct pending *p, uint32_t code)
{
    p->answered = true;
    if (code != ERR_NONE) {
        desk_refusal(p->asked.kind, code, &p->refused);
    } else if (p->asked.kind == REQUEST_CLEAR_EMERGENCY) {
        desk_clear_stop(desk, p->asked.id);
    }
    loop_timer_in(desk->late, 0);
}

/* The outcome will not become known: a day has passed, an emergency stop was cleared before it was
 * verified flat, or the request was lost in a crash. */
static bool is_moot(const struct desk *desk, const struct pending *p, const struct snapshot *s)
{
    /* If the engine had answered before the crash, the answer would be in trading.db by now. */
    bool lost = p->recovered && !p->answered && s->version > 0 && s->disk.state == DISK_OK &&
                desk_waited_us(desk, p) > LATE_RECOVERED_US;
    return lost || desk_waited_us(desk, p) > LATE_WATCH_US ||
           (!p->known && p->asked.kind == REQUEST_EMERGENCY_STOP && p->answered &&
            s->version > p->version && s->state != TRADING_EMERGENCY);
}

void desk_on_late(void *userdata)
{
    struct desk *desk = userdata;
    bool waits = false;
    desk_resync(desk); /* an event may have been missed */
    for (size_t i = 0; i < DESK_PENDING_MAX; i++) {
        struct pending *p = &desk->pending[i];
        if (!p->used || !p->late) {
            continue;
        }
        if (!p->known &&
            (p->refused.id != ERR_NONE || (p->answered && (p->done == NULL || p->done(desk, p))))) {
            p->known = true;
            p->took_us = desk_waited_us(desk, p);
        }
        if ((p->known && report(desk, p)) || is_moot(desk, p, desk_snapshot(desk))) {
            p->used = false;
        }
        waits = waits || p->used;
    }
    if (waits) {
        loop_timer_in(desk->late, LATE_LOOK_US);
    }
}
