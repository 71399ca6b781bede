#include "trading/desk.h"

#include "base/check.h"
#include "base/log.h"
#include "base/trace.h"
#include "config/config.h"
#include "desk_internal.h"
#include "io/json_out.h"
#include "io/loop.h"
#include "io/pool.h"
#include "live.h"
#include "store/ops.h"
#include "store/request_table.h"
#include "store/stop_file.h"

#include <string.h>
#include <unistd.h>

#define SAVE_RETRY_US  USEC_PER_SEC
#define STOP_AT_MAX_US (INT64_MAX / 2)

static void on_look(void *userdata);

/* ---------------------------------------------------------------------------- the stop file ----
 */

/* An id above all ids of this process and, unless the clock was set back, of earlier ones: ids are
 * wall times in microseconds. */
static int64_t least_id(const struct desk *desk)
{
    int64_t now_us = clock_wall_us(desk->o.clock);
    return now_us > desk->last_id ? now_us : desk->last_id + 1;
}

/* The id of the last clear request that the engine committed; 0: none. */
static int64_t last_clear(const struct desk *desk)
{
    int64_t id = 0;
    struct err err = {0};
    if (desk->o.trading == NULL ||
        request_table_last_done(desk->o.trading, REQUEST_CLEAR_EMERGENCY, &id, &err) < 0) {
        return 0;
    }
    return id;
}

/* Keeps the error, and retries until the file is on disk. */
static void save_failed(struct desk *desk, const struct err *err)
{
    if (desk->stop_err.id != err->id) {
        log_err(LOG_LEVEL_ERROR, err, "could not write emergency.stop");
    }
    desk->stop_err = *err;
    desk->stop_written = false;
    loop_timer_in(desk->save, SAVE_RETRY_US);
}

struct stop_sync {
    int fd; /* owned: the job may outlive the desk */
    int rc;
    struct err err;
};

static void sync_work(void *data)
{
    struct stop_sync *sync = data;
    sync->rc = stop_file_sync(sync->fd, &sync->err);
}

static void sync_drop(void *data)
{
    struct stop_sync *sync = data;
    if (sync->fd >= 0) {
        (void)close(sync->fd);
    }
    free(sync);
}

static void sync_stop(struct desk *desk);

static void on_synced(void *data, void *userdata)
{
    const struct stop_sync *sync = data;
    struct desk *desk = userdata;
    desk->sync = NULL;
    if (sync->rc < 0) {
        save_failed(desk, &sync->err);
    } else if (desk->sync_again) {
        sync_stop(desk);
    } else if (desk->stop_written) {
        err_clear(&desk->stop_err);
    }
}

/* Syncs the file on a helper thread, so that a stop does not wait for the disk. */
static void sync_stop(struct desk *desk)
{
    if (desk->sync != NULL) {
        desk->sync_again = true;
        return;
    }
    desk->sync_again = false;
    struct stop_sync *sync = calloc(1, sizeof(*sync));
    ASSERT(sync != NULL);
    sync->fd = stop_file_dup(desk->stop_file);
    if (desk->o.helpers == NULL) {
        sync_work(sync);
        on_synced(sync, desk);
        sync_drop(sync);
        return;
    }
    struct err err = {0};
    desk->sync = pool_start(desk->o.helpers,
                            &(struct pool_work){.work = sync_work,
                                                .done = on_synced,
                                                .drop = sync_drop,
                                                .data = sync,
                                                .userdata = desk},
                            &err);
    if (desk->sync == NULL) { /* all helpers are busy: retry; the file is already written */
        sync_drop(sync);
        loop_timer_in(desk->save, SAVE_RETRY_US);
    }
}

/* Restores the stop of an earlier process, even if no database could store it, unless a later clear
 * request was committed. Ids of requests are increasing times, so a clear with an id above
 * stop_at_us came after the stop. */
static void adopt_stop(struct desk *desk, const struct stop_mark *mark)
{
    desk->stop_wanted = true;
    desk->stop_written = mark->at_us > 0;
    desk->stop_at_us = mark->at_us;
    desk->stop_run_id = mark->run_id;
    memcpy(desk->stop_by, mark->by, sizeof(desk->stop_by));
    if (mark->at_us > 0) {
        desk->last_id = mark->at_us > desk->last_id ? mark->at_us : desk->last_id;
        desk_clear_stop(desk, last_clear(desk));
    }
    if (desk->stop_wanted) {
        TRACE_RUN(mark->run_id);
        LOG(WARNING, "the emergency stop by %s is still in force",
            mark->by[0] == '\0' ? "?" : mark->by);
        shared_halt(desk->o.shared, mark->run_id);
    }
}

/* Opens the file and restores its stop. On failure returns false, and a timer retries. */
static bool open_stop_file(struct desk *desk)
{
    struct err err = {0};
    struct stop_mark mark;
    if (stop_file_open(desk->o.state_dir, &desk->stop_file, &err) < 0) {
        save_failed(desk, &err);
        return false;
    }
    bool is_set = stop_file_get(desk->stop_file, &mark);
    if (is_set && (mark.at_us < 0 || mark.at_us > STOP_AT_MAX_US)) {
        mark.at_us = 0; /* impossible, so unknown */
    }
    if (is_set && !desk->stop_wanted) {
        adopt_stop(desk, &mark);
    }
    sync_stop(desk);
    return true;
}

static void save_stop(struct desk *desk)
{
    struct err err = {0};
    if (desk->o.state_dir == NULL || (desk->stop_file == NULL && !open_stop_file(desk))) {
        return;
    }
    struct stop_mark mark = {.at_us = desk->stop_at_us, .run_id = desk->stop_run_id};
    memcpy(mark.by, desk->stop_by, sizeof(mark.by));
    int rc = desk->stop_wanted ? stop_file_set(desk->stop_file, &mark, &err)
                               : stop_file_clear(desk->stop_file, &err);
    if (rc < 0) {
        save_failed(desk, &err);
        return;
    }
    desk->stop_written = true;
    sync_stop(desk);
}

static void on_save(void *userdata)
{
    save_stop(userdata);
}

void desk_halt(struct desk *desk, const char *by)
{
    shared_halt(desk->o.shared, trace_run());
    if (desk->stop_wanted && desk->stop_written && desk->stop_at_us == desk->last_id &&
        desk->stop_run_id == trace_run()) {
        return; /* the file already holds a stop that no request follows */
    }
    desk->stop_wanted = true;
    desk->stop_at_us = least_id(desk);
    desk->last_id = desk->stop_at_us;
    desk->stop_run_id = trace_run();
    (void)str_copy(str_c(by), desk->stop_by, sizeof(desk->stop_by));
    save_stop(desk);
}

void desk_clear_stop(struct desk *desk, int64_t request_id)
{
    if (request_id > desk->stop_at_us) {
        desk->stop_wanted = false;
        save_stop(desk);
    }
}

/* ------------------------------------------------------------------------------------- life ----
 */

struct desk *desk_new(const struct desk_options *options)
{
    struct desk *desk = calloc(1, sizeof(*desk));
    ASSERT(desk != NULL);
    desk->o = *options;
    /* Only used for ids that are made while ops.db cannot be written. */
    (void)ops_store_get_i64(options->store, "last_request_id", 0, &desk->last_id, NULL);
    desk->look = loop_add_timer(options->loop, on_look, desk);
    loop_source_name(desk->look, "trading requests");
    desk->late = loop_add_timer(options->loop, desk_on_late, desk);
    loop_source_name(desk->late, "late requests");
    desk->save = loop_add_timer(options->loop, on_save, desk);
    loop_source_name(desk->save, "emergency stop file");
    if (options->state_dir != NULL) {
        (void)open_stop_file(desk);
    }
    desk_apply(desk, options->config);
    desk->live = live_new(desk);
    return desk;
}

void desk_apply(struct desk *desk, const struct config *config)
{
    const char *name = config == NULL ? NULL : config->alerts_timezone;
    desk->o.config = config;
    zone_free(TAKE(desk->zone));
    /* The alerts log a failure; the days of reports are then those of UTC. */
    bool good = name != NULL && zone_load(name, &desk->zone, NULL) == 0;
    (void)str_copy(str_c(good ? name : "UTC"), desk->zone_name, sizeof(desk->zone_name));
}

void desk_free(struct desk *desk)
{
    if (desk != NULL) {
        live_free(desk->live);
        loop_source_free(desk->look);
        loop_source_free(desk->late);
        loop_source_free(desk->save);
        pool_cancel(desk->sync);
        stop_file_free(desk->stop_file);
        zone_free(desk->zone);
        free(desk);
    }
}

const struct zone *desk_zone(const struct desk *desk)
{
    return desk->zone;
}

const struct snapshot *desk_snapshot(struct desk *desk)
{
    return shared_reader_snapshot(desk->o.reader);
}

void desk_set_system(struct desk *desk, desk_system_fn run, void (*cancel)(struct action_call *),
                     void *userdata)
{
    desk->system = run;
    desk->system_cancel = cancel;
    desk->system_userdata = userdata;
}

void desk_set_learnt(struct desk *desk, const struct desk_learnt *learnt)
{
    desk->learnt = *learnt;
}

void desk_explain_questions(struct desk *desk, desk_explain_fn explain, void *userdata)
{
    desk->explain = explain;
    desk->explain_userdata = userdata;
}

void desk_add_status_line(struct desk *desk, desk_status_fn fn, void *userdata)
{
    ASSERT(desk->line_count < DESK_STATUS_LINES_MAX);
    desk->lines[desk->line_count++] = (struct desk_status_line){.fn = fn, .userdata = userdata};
}

static int64_t silent_us(const struct desk *desk, const struct snapshot *s)
{
    return shared_silent_us(desk->o.shared, s, clock_wall_us(desk->o.clock),
                            clock_mono_us(desk->o.clock));
}

const struct snapshot *desk_read(struct desk *desk, struct reply *reply)
{
    const struct snapshot *s = desk_snapshot(desk);
    if (s->version > 0) {
        int64_t age_us = silent_us(desk, s);
        struct json_out data = JSON_OUT_TREE(reply_data(reply));
        json_out_object(&data, "snapshot");
        json_out_time(&data, "published_at", s->published_wall_us);
        json_out_i64(&data, "age_ms", age_us / USEC_PER_MSEC);
        json_out_bool(&data, "stale", age_us >= SHARED_SILENT_US);
        json_out_end(&data);
    }
    return s;
}

bool desk_is_silent(const struct desk *desk, const struct snapshot *s)
{
    return silent_us(desk, s) >= SHARED_SILENT_US;
}

/* "engine silent for 40 s, numbers from 09:12" */
static void add_silence(struct buf *out, const struct desk *desk, const struct snapshot *s)
{
    buf_add_c(out, "engine silent for ");
    clock_add_duration(out, silent_us(desk, s));
    buf_add_c(out, ", numbers from ");
    clock_add_when(out, s->published_wall_us, clock_wall_us(desk->o.clock));
    buf_add_c(out, " UTC");
}

void desk_disk_line(struct buf *out, const struct snapshot *s)
{
    switch (s->disk.state) {
    case DISK_OK:
        break;
    case DISK_SLOW:
        buf_addf(out, "disk slow: a commit takes ");
        clock_add_duration(out, s->disk.commit_us);
        break;
    case DISK_FAILED:
        buf_addf(out, "disk failed: %s%s", err_info(s->disk.err)->code,
                 s->disk.closes ? "" : ", closing waits");
        break;
    }
}

void desk_decorate(struct reply *reply, void *userdata)
{
    const struct desk *desk = userdata;
    const struct snapshot *s = desk_snapshot(userdata);
    if (s->version == 0) {
        return;
    }
    if (desk_is_silent(desk, s)) {
        AUTO_BUF struct buf silence = BUF_INIT(256);
        add_silence(&silence, desk, s);
        if (json_get(reply_data(reply), "snapshot") != NULL) {
            reply_alarm(reply, "%s", silence.data);
        }
        bool active = s->state == TRADING_ACTIVE && s->last_err == ERR_NONE;
        reply_footer(reply, "🔴 %s; %s%s%s", silence.data, trading_state_name(s->state),
                     active ? "" : ": ", active ? " before" : s->state_reason);
        return;
    }
    AUTO_BUF struct buf disk = BUF_INIT(64);
    desk_disk_line(&disk, s);
    const char *between = buf_str(&disk).len > 0 ? " · 🔴 " : "";
    switch (s->state) {
    case TRADING_ACTIVE:
        if (s->last_err != ERR_NONE) {
            reply_footer(reply, "🔴 %s%s%s", s->state_reason, between, disk.data);
        } else if (between[0] != '\0') {
            reply_footer(reply, "🔴 %s", disk.data);
        }
        break;
    case TRADING_STARTING:
        reply_footer(reply, "⏳ trading has not started: %s%s%s", s->state_reason, between,
                     disk.data);
        break;
    case TRADING_PAUSED:
        reply_footer(reply, "⏸ %s%s%s", s->state_reason, between, disk.data);
        break;
    case TRADING_MAINTENANCE:
        reply_footer(reply, "🔧 %s%s%s", s->state_reason, between, disk.data);
        break;
    case TRADING_BREAKER:
        reply_footer(reply, "⏸ breaker: %s%s%s", s->state_reason, between, disk.data);
        break;
    case TRADING_EMERGENCY:
        reply_footer(reply, "⛔ %s%s%s", s->state_reason, between, disk.data);
        break;
    }
}

/* ------------------------------------------------------------------------------- requests ---- */

/* Remembers "ID KIND SYMBOL", which is enough to look the request up after a crash and to watch for
 * its effect. */
static int remember_request(struct action_call *call, const struct request *r, struct err *err)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "%lld %d %s", (long long)r->id, (int)r->kind,
                   r->symbol.name);
    return action_remember(call, text, err);
}

/* Reads the remembered request. *ret_whole is false if only the id is known: version 0.1.0 stored
 * no more. Returns false if there is none. */
static bool remembered_request(const struct action_call *call, struct request *ret, bool *ret_whole)
{
    struct str rest = str_c(action_remembered(call) == NULL ? "" : action_remembered(call));
    struct str id, kind;
    int64_t number = 0;
    *ret = (struct request){0};
    *ret_whole = false;
    if (!str_split(&rest, ' ', &id) || !str_to_i64(id, &ret->id)) {
        return false;
    }
    if (str_split(&rest, ' ', &kind) && str_to_i64(kind, &number) && number >= 0 &&
        number <= REQUEST_KIND_LAST && (rest.len == 0 || symbol_parse(rest, &ret->symbol))) {
        ret->kind = (enum request_kind)number;
        *ret_whole = true;
    }
    return true;
}

/* Makes the id of the request and stores it in the row of the step. */
static int store_id(struct desk *desk, struct action_call *call, struct request *r, struct err *err)
{
    int rc = ops_store_begin(desk->o.store, err);
    if (rc < 0) {
        return rc;
    }
    rc = ops_store_next_request_id(desk->o.store, least_id(desk), &r->id, err);
    if (rc == 0) {
        rc = remember_request(call, r, err);
    }
    if (rc < 0) {
        ops_store_rollback(desk->o.store);
        return rc;
    }
    return ops_store_commit(desk->o.store, err);
}

/* The same; but for a safe_side action, if the id cannot be stored, it is kept in memory only. */
static int make_id(struct desk *desk, struct action_call *call, struct request *r, struct err *err)
{
    int rc = store_id(desk, call, r, err);
    if (rc < 0 && action_of(call)->safe_side) {
        r->id = least_id(desk);
        log_err(LOG_LEVEL_WARNING, err, "could not store the id of a request to the engine");
        err_clear(err);
        struct err ignored = {0}; /* if the run has a row, the row lacks the id */
        (void)remember_request(call, r, &ignored);
        rc = 0;
    }
    if (rc == 0) {
        desk->last_id = r->id;
    }
    return rc;
}

static void wake_engine(const struct shared *shared)
{
    const uint64_t one = 1;
    if (write(shared->requests_fd, &one, sizeof(one)) < 0) {
        LOG(DEBUG, "could not wake the engine; it polls soon"); /* the eventfd counter is full */
    }
}

int64_t desk_pausing_run(const struct action_call *call)
{
    bool pauses =
        action_run_has(call, "trading.pause") || action_run_has(call, "trading.maintenance");
    bool ends = action_run_has(call, "trading.resume") || action_run_has(call, "alert.maintenance");
    return pauses && ends ? action_run_id(call) : 0;
}

/* Stores an id and pushes a request that no call waits for. */
static int push_own(struct desk *desk, struct request *request, struct err *err)
{
    struct shared *shared = desk->o.shared;
    request->deadline_mono_us = clock_mono_us(desk->o.clock) + DESK_REQUEST_US;
    int rc = ops_store_next_request_id(desk->o.store, least_id(desk), &request->id, err);
    if (rc < 0) {
        return rc;
    }
    desk->last_id = request->id;
    if (!ring_push(shared->requests, request)) {
        return err_set(err, ERR_ENGINE_BUSY, "the request ring is full");
    }
    wake_engine(shared);
    return 0;
}

int desk_ask_rule(struct desk *desk, enum request_kind kind, int64_t rule, const char *text,
                  struct err *err)
{
    struct request request = {.kind = kind, .by = "nightdesk", .number = rule};
    (void)str_copy(str_c(text), request.text, sizeof(request.text));
    return push_own(desk, &request, err);
}

static void push_lift(struct desk *desk, int64_t run_id)
{
    struct request request = {
        .kind = REQUEST_RESUME, .by = "the end of maintenance", .number = run_id, .run_id = run_id};
    struct err err = {0};
    if (push_own(desk, &request, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not ask the engine to lift a pause");
        return;
    }
    desk->lift = (struct lift){
        .run_id = run_id, .request_id = request.id, .deadline_mono_us = request.deadline_mono_us};
}

static void lift_answered(struct desk *desk, int64_t request_id, uint32_t code)
{
    if (desk->lift.request_id == request_id && request_id != 0) {
        desk->lift.request_id = 0;
        desk->lift.done = code == ERR_NONE;
    }
}

bool desk_lift_pause(struct desk *desk, int64_t run_id)
{
    struct lift *lift = &desk->lift;
    if (lift->run_id == run_id && lift->done) {
        *lift = (struct lift){0};
        return true;
    }
    bool waits = lift->run_id == run_id && lift->request_id != 0 &&
                 clock_mono_us(desk->o.clock) <= lift->deadline_mono_us;
    if (!waits) {
        push_lift(desk, run_id);
    }
    return false;
}

/* Returns a free slot, or the slot of the oldest late request, or NULL if all calls are waiting. */
static struct pending *free_slot(struct desk *desk)
{
    struct pending *late = NULL;
    for (size_t i = 0; i < DESK_PENDING_MAX; i++) {
        struct pending *p = &desk->pending[i];
        if (!p->used) {
            return p;
        }
        if (p->late && (late == NULL || p->since_mono_us < late->since_mono_us)) {
            late = p;
        }
    }
    return late;
}

int desk_ask(struct desk *desk, struct action_call *call, const struct request *draft,
             desk_answered_fn fn, struct err *err)
{
    struct shared *shared = desk->o.shared;
    struct pending *p = free_slot(desk);
    if (p == NULL) {
        return err_set(err, ERR_ENGINE_BUSY, "%s: %d requests wait", request_kind_name(draft->kind),
                       DESK_PENDING_MAX);
    }
    struct request request = *draft;
    request.run_id = action_run_id(call);
    (void)str_copy(str_c(action_who(call)->name), request.by, sizeof(request.by));
    if (!action_of(call)->safe_side) {
        int64_t wait_us = draft->kind == REQUEST_CAPITAL ? DESK_CAPITAL_US : DESK_REQUEST_US;
        request.deadline_mono_us = clock_mono_us(desk->o.clock) + wait_us;
    }
    struct err local = {0};
    err = err == NULL ? &local : err;
    int rc = make_id(desk, call, &request, err);
    if (rc < 0) {
        return rc;
    }
    const struct snapshot *before = desk_read(desk, action_reply(call));
    uint64_t version = before->version;
    int64_t market_us = before->market_us;
    request.work = trace_work();
    if (!ring_push(shared->requests, &request)) {
        return err_set(err, ERR_ENGINE_BUSY, "%s", request_kind_name(draft->kind));
    }
    wake_engine(shared);
    *p = (struct pending){.used = true,
                          .asked = request,
                          .call = call,
                          .fn = fn,
                          .version = version,
                          .market_us = market_us,
                          .since_mono_us = clock_mono_us(desk->o.clock)};
    return ACTION_PENDING;
}

void desk_cancel(struct action_call *call)
{
    struct desk *desk = action_userdata(call);
    for (size_t i = 0; i < DESK_PENDING_MAX; i++) {
        if (desk->pending[i].used && !desk->pending[i].late && desk->pending[i].call == call) {
            desk_watch_late(desk, &desk->pending[i], ERR_STEP_TIMEOUT);
        }
    }
}

void desk_finish(struct pending *pending, const struct err *err)
{
    pending->used = false;
    action_finish(pending->call, err);
}

void desk_give_up(struct desk *desk, struct pending *pending, const struct err *err)
{
    struct action_call *call = pending->call;
    desk_watch_late(desk, pending, err->id);
    action_finish(call, err);
}

int64_t desk_waited_us(const struct desk *desk, const struct pending *pending)
{
    return clock_mono_us(desk->o.clock) - pending->since_mono_us;
}

void desk_refusal(enum request_kind kind, uint32_t code, struct err *ret)
{
    if (code < ERR_COUNT) {
        (void)err_set(ret, (enum err_id)code, "%s", request_kind_name(kind));
    } else {
        (void)err_set(ret, ERR_ENGINE_REFUSED, "%s: code %u", request_kind_name(kind), code);
    }
}

static void answer(struct desk *desk, struct pending *p, uint32_t code)
{
    if (p->late) {
        desk_late_answer(desk, p, code);
        return;
    }
    if (code != ERR_NONE) {
        struct err err = {0};
        desk_refusal(p->asked.kind, code, &err);
        desk_finish(p, &err);
        return;
    }
    p->answered = true;
    if (!p->fn(desk, p)) {
        loop_timer_in(desk->look, DESK_LOOK_US);
    }
}

static void on_look(void *userdata)
{
    struct desk *desk = userdata;
    for (size_t i = 0; i < DESK_PENDING_MAX; i++) {
        struct pending *p = &desk->pending[i];
        if (p->used && !p->late && p->answered && !p->fn(desk, p)) {
            loop_timer_in(desk->look, DESK_LOOK_US);
        }
    }
}

/* The venue refused an amendment that the engine had accepted: ends the call that waits for it. */
static void refused_by_venue(struct desk *desk, const struct event *event)
{
    for (size_t i = 0; i < DESK_PENDING_MAX; i++) {
        struct pending *p = &desk->pending[i];
        if (p->used && !p->late && p->answered && p->asked.kind == REQUEST_AMEND &&
            symbol_equal(p->asked.symbol, event->symbol)) {
            struct err err = {0};
            (void)err_set(&err, ERR_VENUE_AMEND, "%s", event->symbol.name);
            desk_finish(p, &err);
        }
    }
}

void desk_on_event(struct desk *desk, const struct event *event)
{
    if (event->topic == TOPIC_FAULT && event->code == ERR_VENUE_AMEND) {
        refused_by_venue(desk, event);
    }
    if (event->topic != TOPIC_REPLY) {
        return;
    }
    lift_answered(desk, event->id, event->code);
    for (size_t i = 0; i < DESK_PENDING_MAX; i++) {
        struct pending *p = &desk->pending[i];
        if (p->used && !p->answered && p->asked.id == event->id) {
            answer(desk, p, event->code);
        }
    }
}

void desk_resync(struct desk *desk)
{
    for (size_t i = 0; i < DESK_PENDING_MAX; i++) {
        struct pending *p = &desk->pending[i];
        struct request_result result = {0};
        struct err err = {0};
        if (!p->used || p->answered || desk->o.trading == NULL) {
            continue;
        }
        if (request_table_result(desk->o.trading, p->asked.id, &result, &err) < 0) {
            /* The step's timeout ends the call. */
            log_err(LOG_LEVEL_WARNING, &err, "could not look up a request");
        } else if (result.found) {
            answer(desk, p, (uint32_t)abs(result.err_id));
        }
    }
}

/* Watches a request that is not in trading.db yet: the engine may have stored its answer in
 * reserve.bin, and copies it to trading.db once it runs. */
static void watch_recovered(struct desk *desk, struct action_call *call, const struct request *r)
{
    struct pending *p = free_slot(desk);
    if (p != NULL) {
        *p = (struct pending){.used = true,
                              .asked = *r,
                              .call = call,
                              .recovered = true,
                              .since_mono_us = clock_mono_us(desk->o.clock)};
        p->asked.run_id = action_run_id(call);
        desk_watch_late(desk, p, ERR_COMMAND_NOT_DONE);
    }
}

int desk_recover(struct action_call *call, bool *ret_happened, struct err *err)
{
    struct desk *desk = action_userdata(call);
    struct request request;
    bool is_whole;
    if (!remembered_request(call, &request, &is_whole)) {
        *ret_happened = false; /* no id was stored, so no request was pushed */
        return 0;
    }
    if (desk->o.trading == NULL) {
        return err_set(err, ERR_COMMAND_LOST, "%s: trading.db cannot be read",
                       action_of(call)->name);
    }
    struct request_result result = {0};
    int rc = request_table_result(desk->o.trading, request.id, &result, err);
    if (rc < 0) {
        return rc;
    }
    *ret_happened = result.found;
    if (result.found && result.err_id != ERR_NONE) {
        struct err why = {0};
        (void)err_set(&why, (enum err_id)abs(result.err_id), "%s", action_of(call)->name);
        if (err != NULL) {
            *err = why;
        }
        return -why.id;
    }
    if (result.found) {
        reply_line(action_reply(call), "It took effect before nightdesk restarted.");
    } else if (is_whole) {
        watch_recovered(desk, call, &request);
    }
    return 0;
}

bool desk_in_scope(struct symbol scope, struct symbol symbol)
{
    return scope.name[0] == '\0' || symbol_equal(scope, symbol);
}

struct dec desk_tick(struct desk *desk, struct symbol symbol, struct dec price)
{
    const struct snapshot *s = desk_snapshot(desk);
    for (int i = 0; i < s->market_count; i++) {
        if (symbol_equal(s->markets[i].symbol, symbol)) {
            return instrument_price_step(&s->markets[i].rules, price);
        }
    }
    return DEC_INVALID;
}

void desk_market_line(struct reply *r, const struct snapshot *s)
{
    if (s->market_speed == 1) {
        return;
    }
    reply_para(r, "Market time {} ({}× real time)", cell_time(s->market_us, 0),
               cell_count(s->market_speed));
}

int64_t desk_market_us(struct desk *desk)
{
    const struct snapshot *s = desk_snapshot(desk);
    return s->version > 0 ? s->market_us : clock_wall_us(desk->o.clock);
}

int desk_need_store(struct desk *desk, struct reply *r, struct err *err)
{
    (void)desk_read(desk, r); /* trading.db is as old as the snapshot */
    return desk->o.trading == NULL
               ? err_set(err, ERR_ENGINE_SILENT, "trading.db does not exist yet")
               : 0;
}
