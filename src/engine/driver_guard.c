#include "base/log.h"
#include "driver_private.h"
#include "record_tail.h"
#include "store/order_table.h"

#include <stdio.h>
#include <string.h>

#define CHECK_US USEC_PER_SEC

void driver_guard_raise(struct driver *d, enum err_id id, enum request_kind kind, const char *by,
                        const struct err *cause)
{
    if (d->guard_pending && d->guard_err == (int)id && d->guard.kind == kind) {
        return; /* reported, and not passed to a step yet */
    }
    log_err(LOG_LEVEL_ERROR, cause, err_info((int)id)->message);
    bool stops = d->guard_pending && d->guard.kind == REQUEST_EMERGENCY_STOP;
    if (!stops) {
        d->guard = (struct request){.id = -clock_wall_us(d->clock), .kind = kind};
        (void)snprintf(d->guard.by, sizeof(d->guard.by), "nightdesk: %s", by);
    }
    d->guard_pending = true;
    d->guard_err = (int)id;
    d->reminded_mono_us = 0; /* remind at once */
    struct event e = {
        .topic = TOPIC_FAULT, .code = (uint32_t)id, .id = cause->id, .at_us = d->market_us};
    driver_publish_events(d, &e, 1);
}

bool driver_guard_request(struct driver *d)
{
    if (!d->guard_pending) {
        return false;
    }
    d->guard_pending = false;
    enum trading_state state = engine_state(d->engine)->state;
    bool in_effect =
        state == TRADING_EMERGENCY || (d->guard.kind == REQUEST_PAUSE &&
                                       (state == TRADING_PAUSED || state == TRADING_MAINTENANCE));
    if (!in_effect) {
        d->request = d->guard;
    }
    return !in_effect;
}

void driver_guard_check(struct driver *d)
{
    int64_t mono_us = clock_mono_us(d->clock);
    if (d->guard_err != 0 && !d->guard_pending && !d->request_pending && !d->uncommitted &&
        engine_state(d->engine)->state == TRADING_ACTIVE) {
        d->guard_err = 0; /* a person has resumed */
    }
    if (!d->owns_store || mono_us - d->checked_mono_us < CHECK_US) {
        return;
    }
    d->checked_mono_us = mono_us;
    struct err err = {0};
    int rc = trading_store_restore_if_moved(d->store, &err);
    if (rc > 0) {
        (void)atomic_fetch_add(&d->shared->trading_file, 1);
    }
    bool report =
        rc > 0 || (rc < 0 && (!d->file_lost || mono_us - d->file_logged_mono_us >= USEC_PER_MIN));
    d->file_lost = rc < 0;
    if (report) {
        d->file_logged_mono_us = mono_us;
        driver_guard_raise(d, ERR_DB_MOVED, REQUEST_PAUSE, "trading.db moved", &err);
    }
    if (atomic_exchange(&d->shared->ops_file_moved, false)) {
        (void)err_set(&err, ERR_DB_MOVED, "ops.db");
        driver_guard_raise(d, ERR_DB_MOVED, REQUEST_PAUSE, "ops.db moved", &err);
    }
}

/* ---------------------------------------------------------------- at a start */

int driver_guard_start(struct driver *d, struct engine_memory *memory, bool first,
                       int64_t *ret_newest_run, struct err *err)
{
    *ret_newest_run = 0;
    if (d->state_dir[0] == '\0') {
        return 0;
    }
    struct record_mark mark = {0};
    int rc = trading_store_get_recorded(d->store, &mark.run, &mark.size_bytes, err);
    if (rc < 0 && rc != -ERR_STORE_NOT_FOUND) {
        return rc;
    }
    if (rc < 0) { /* nothing recorded yet, or by a version that did not store the mark */
        err_clear(err);
        mark = (struct record_mark){first ? 0 : memory->state.run, INT64_MAX};
    }
    struct record_tail tail;
    record_tail(d->state_dir, mark, &tail);
    *ret_newest_run = tail.newest_run;
    bool knows_stop = !first && memory->state.state == TRADING_EMERGENCY;
    bool lost_stop = tail.stopped && !knows_stop;
    if (tail.steps > 0 || lost_stop) {
        struct err cause = {0};
        (void)err_set(&cause, ERR_ENGINE_STORE_OLD, "the journal has %lld more steps%s",
                      (long long)tail.steps, lost_stop ? ", including an emergency stop" : "");
        driver_guard_raise(d, ERR_ENGINE_STORE_OLD,
                           lost_stop ? REQUEST_EMERGENCY_STOP : REQUEST_PAUSE, "trading.db is old",
                           &cause);
    }
    return 0;
}

/* An order with our prefix that is not in the books. An order of another program proves nothing. */
static bool is_unknown_order(struct driver *d, const char *client_id)
{
    struct order order;
    return strncmp(client_id, "nd-", 3) == 0 &&
           order_table_get(d->store, client_id, &order, NULL) == -ERR_STORE_NOT_FOUND;
}

void driver_guard_state_file(struct driver *d, const struct state_file *file,
                             const struct engine_memory *memory)
{
    int unknown = 0;
    for (int i = 0; i < file->position_count; i++) {
        unknown += is_unknown_order(d, file->positions[i].order_id);
    }
    int64_t trades = memory == NULL ? 0 : memory->state.trades;
    if (unknown == 0 && file->total_trades <= trades) {
        return;
    }
    struct err cause = {0};
    (void)err_set(&cause, ERR_ENGINE_STORE_OLD,
                  STATE_FILE_NAME " has %lld trades, trading.db %lld; %d of its positions "
                                  "are unknown",
                  (long long)file->total_trades, (long long)trades, unknown);
    driver_guard_raise(d, ERR_ENGINE_STORE_OLD, REQUEST_PAUSE, "trading.db is old", &cause);
}
