#include "base/check.h"
#include "base/log.h"
#include "driver_private.h"
#include "journal.h"
#include "ledger.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* How long the next step waits while the outputs of the last one cannot be written, unless they
 * close something. */
#define HOLD_US USEC_PER_SEC
/* While behind, writes are retried at this interval. */
#define RETRY_US USEC_PER_SEC
/* After being behind for this long, trading is paused. */
#define LOST_US (10 * USEC_PER_SEC)
/* A commit longer than this is slow, and the disk counts as slow for SLOW_FOR_US after it. */
#define SLOW_COMMIT_US USEC_PER_SEC
#define SLOW_FOR_US    USEC_PER_MIN
/* On a slow disk, at most one part in SLOW_SHARE of the time goes into commits that nobody waits
 * for. */
#define SLOW_SHARE       5
#define RESERVE_RETRY_US USEC_PER_MIN

/* ---------------------------------------------------------------- writing */

void driver_record(struct driver *d)
{
    struct err err = {0};
    if (d->recorder != NULL && recorder_step(d->recorder, d->engine, &d->now, &d->inputs,
                                             &d->outputs, &err) == -ERR_ENGINE_RECORD_FULL) {
        driver_notify(d, ERR_ENGINE_RECORD_FULL, &err);
    }
}

void driver_disk_failing(struct driver *d, int cause)
{
    int64_t mono_us = clock_mono_us(d->clock);
    if (d->failing_mono_us == 0) {
        d->failing_mono_us = mono_us;
        d->failing_wall_us = clock_wall_us(d->clock);
    }
    d->failing_err = cause;
    d->tried_mono_us = mono_us;
}

static bool failing(struct driver *d, enum err_id id, const struct err *cause)
{
    driver_disk_failing(d, cause->id);
    driver_fault(d, id, cause);
    return false;
}

static void record_duration(struct driver *d, int64_t before_us)
{
    d->committed_mono_us = clock_mono_us(d->clock);
    d->commit_us = d->committed_mono_us - before_us;
    if (d->slow_mono_us != 0 && d->committed_mono_us - d->slow_mono_us >= SLOW_FOR_US) {
        d->slow_mono_us = 0;
    }
    if (d->commit_us < SLOW_COMMIT_US) {
        return;
    }
    bool is_new = d->slow_mono_us == 0 || d->committed_mono_us - d->slow_mono_us >= SLOW_FOR_US / 2;
    d->slow_wall_us = d->slow_mono_us == 0 ? clock_wall_us(d->clock) : d->slow_wall_us;
    d->slow_mono_us = d->committed_mono_us;
    d->slow_commit_us = d->commit_us;
    if (is_new) {
        struct err err = {0};
        (void)err_set(&err, ERR_ENGINE_SLOW_DISK, "%lld ms",
                      (long long)(d->commit_us / USEC_PER_MSEC));
        driver_notify(d, ERR_ENGINE_SLOW_DISK, &err);
    }
}

/* Returns 1 if there was anything to commit, else 0. */
static int commit(struct driver *d, struct err *err)
{
    int rc;
    if (backlog_is_empty(d->backlog)) {
        if (!d->uncommitted || !d->outputs.write) {
            return 0;
        }
        rc = journal_commit(d->store, d->engine, d->source, &d->outputs, err);
        return rc < 0 ? rc : 1;
    }
    struct journal_rows rows = backlog_rows(d->backlog);
    rows.episode =
        d->reserve != NULL && reserve_is_used(d->reserve) ? reserve_episode(d->reserve) : 0;
    rc = journal_commit_rows(d->store, d->engine, d->source, &rows, err);
    return rc < 0 ? rc : 1;
}

/* Publishes the answers that had to wait; the current outputs publish their own. */
static void answer_late(struct driver *d)
{
    struct journal_rows rows = backlog_rows(d->backlog);
    for (int i = 0; i < rows.request_count; i++) {
        const struct journal_request *r = &rows.requests[i];
        bool own =
            d->uncommitted && d->outputs.has_request && r->request.id == d->outputs.request.id;
        if (!r->answered && !own) {
            struct event e = {.topic = TOPIC_REPLY,
                              .code = (uint32_t)(r->err < 0 ? -r->err : r->err),
                              .at_us = r->at_us,
                              .id = r->request.id,
                              .symbol = r->request.symbol};
            driver_publish_events(d, &e, 1);
        }
    }
}

void driver_remember_state(struct driver *d)
{
    d->state = engine_state(d->engine)->state;
    memcpy(d->state_reason, engine_state(d->engine)->state_reason, sizeof(d->state_reason));
}

/* trading.db holds everything in the reserve. If clearing fails, it is retried with the next write,
 * and no note is added before that. A start ignores such notes, since the commit stored their
 * episode. */
static void clear_reserve(struct driver *d)
{
    struct err err = {0};
    bool was_stale = d->reserve_stale;
    d->reserve_stale = d->reserve != NULL && reserve_clear(d->reserve, &err) < 0;
    if (d->reserve_stale && !was_stale) {
        driver_notify(d, ERR_ENGINE_RESERVE, &err);
    }
}

bool driver_write(struct driver *d)
{
    struct err err = {0};
    int64_t before_us = clock_mono_us(d->clock);
    if (d->recorder != NULL && recorder_flush(d->recorder, &err) < 0) {
        return failing(d, ERR_ENGINE_RECORD, &err);
    }
    if (d->recorder != NULL) {
        trading_store_set_recorded(d->store, engine_state(d->engine)->run,
                                   recorder_size(d->recorder));
    }
    /* The venue's book first: it may be ahead of ours, never behind the fills that we have booked.
     */
    if (venue_flush(d->own_venue, &err) < 0) {
        return failing(d, ERR_VENUE_DISK, &err);
    }
    int rc = commit(d, &err);
    if (rc < 0) {
        return failing(d, ERR_ENGINE_JOURNAL, &err);
    }
    if (rc > 0) {
        record_duration(d, before_us);
    }
    answer_late(d);
    backlog_clear(d->backlog);
    driver_remember_state(d);
    d->deferred = false;
    d->behind = false;
    d->failing_mono_us = 0;
    clear_reserve(d);
    return true;
}

void driver_catch_up(struct driver *d)
{
    if (d->behind &&
        (d->tried_mono_us == 0 || clock_mono_us(d->clock) - d->tried_mono_us >= RETRY_US)) {
        (void)driver_write(d);
    }
}

bool driver_may_defer(const struct driver *d)
{
    const struct engine_outputs *out = &d->outputs;
    bool quiet = out->order_count == 0 && out->amend_count == 0 && out->fill_count == 0 &&
                 out->trade_count == 0 && out->payment_count == 0 && out->transfer_count == 0 &&
                 !out->has_request && !out->rules_changed && !out->clear_halt &&
                 engine_state(d->engine)->state == d->state;
    int64_t pause_us = (SLOW_SHARE - 1) * d->commit_us;
    return quiet && d->commit_us >= SLOW_COMMIT_US && !venue_is_behind(d->own_venue) &&
           d->failing_mono_us == 0 && backlog_has_capacity(d->backlog) &&
           clock_mono_us(d->clock) - d->committed_mono_us < pause_us;
}

void driver_finish(struct driver *d)
{
    if (d->engine != NULL && !backlog_is_empty(d->backlog)) {
        (void)driver_write(d);
    }
}

/* ---------------------------------------------------------------- the reserve */

bool driver_request_works_behind(enum request_kind kind)
{
    switch (kind) {
    case REQUEST_PAUSE:
    case REQUEST_CLOSE:
    case REQUEST_EMERGENCY_STOP:
    case REQUEST_MAINTENANCE:
    case REQUEST_CANCEL:
        return true;
    case REQUEST_RESUME:
    case REQUEST_CLEAR_EMERGENCY:
    case REQUEST_AMEND:
    case REQUEST_RULE_ADD:
    case REQUEST_RULE_STATUS:
    case REQUEST_COOLDOWN:
    case REQUEST_RECONNECT:
    case REQUEST_GO_LIVE:
    case REQUEST_CAPITAL:
        break;
    }
    return false;
}

static struct reserve_note new_note(const struct driver *d, enum reserve_kind kind)
{
    const struct engine_state *s = engine_state(d->engine);
    return (struct reserve_note){.kind = kind, .run = s->run, .next_order = s->next_order};
}

static bool state_changed(const struct driver *d)
{
    const struct engine_state *s = engine_state(d->engine);
    return s->state != d->state || strcmp(s->state_reason, d->state_reason) != 0;
}

/* A position that the bot did not open is in the books only while the bot closes it, so trading.db
 * may not contain it. */
static struct position adopted_position(const struct driver *d, struct symbol symbol)
{
    int count = 0;
    const struct position *positions = engine_positions(d->engine, &count);
    for (int i = 0; i < count; i++) {
        if (positions[i].client_id[0] == '\0' && symbol_equal(positions[i].symbol, symbol)) {
            return positions[i];
        }
    }
    return (struct position){0};
}

/* Such a request is accepted only while the disk works, but the disk may fail before its step is
 * written. */
static bool is_loosening(enum request_kind kind)
{
    return kind == REQUEST_RESUME || kind == REQUEST_CLEAR_EMERGENCY;
}

/* The reserve never holds a looser state without the request that caused it. */
static bool has_request_note(const struct driver *d)
{
    const struct engine_outputs *out = &d->outputs;
    return out->has_request &&
           (driver_request_works_behind(out->request.kind) || is_loosening(out->request.kind));
}

static void note_request(const struct driver *d, struct reserve_note *n)
{
    *n = new_note(d, RESERVE_REQUEST);
    n->request = d->outputs.request;
    n->request_err = d->outputs.request_err;
    n->at_us = d->outputs.at_us;
}

/* Collects the notes that must survive a crash before this step's orders may be sent. If the write
 * is torn, a start may read only the first notes: so a stop is noted before its request, and a
 * resume's request before its state. */
static int fill_notes(const struct driver *d, struct reserve_note *notes)
{
    const struct engine_outputs *out = &d->outputs;
    bool request_first = out->has_request && is_loosening(out->request.kind);
    int count = 0;
    if (request_first) {
        note_request(d, &notes[count++]);
    }
    if (state_changed(d)) {
        const struct engine_state *s = engine_state(d->engine);
        struct reserve_note *n = &notes[count++];
        *n = new_note(d, RESERVE_STATE);
        n->state = s->state;
        memcpy(n->state_reason, s->state_reason, sizeof(n->state_reason));
        n->state_since_wall_us = s->state_since_wall_us;
    }
    for (int i = 0; i < out->send_count; i++) {
        if (out->orders[out->sends[i]].kind != ORDER_ENTRY) {
            struct reserve_note *n = &notes[count++];
            *n = new_note(d, RESERVE_ORDER);
            n->order = out->orders[out->sends[i]];
            n->adopted = adopted_position(d, n->order.symbol);
        }
    }
    if (has_request_note(d) && !request_first) {
        note_request(d, &notes[count++]);
    }
    return count;
}

static bool write_notes(struct driver *d)
{
    struct err err = {0};
    int count = fill_notes(d, d->notes);
    if (count == 0) {
        return true;
    }
    if (d->reserve_stale) {
        clear_reserve(d);
    }
    if (d->reserve == NULL || d->reserve_stale) {
        return false; /* reported before */
    }
    if (reserve_add(d->reserve, d->notes, count, &err) < 0) {
        driver_notify(d, ERR_ENGINE_RESERVE, &err);
        return false;
    }
    driver_remember_state(d);
    if (has_request_note(d)) {
        backlog_request(d->backlog, d->outputs.request.id)->answered = true;
    }
    return true;
}

/* A step that closes or stops does not wait for the disk. */
static bool is_urgent(const struct driver *d)
{
    const struct engine_outputs *out = &d->outputs;
    bool closes = false;
    for (int i = 0; i < out->send_count; i++) {
        closes = closes || out->orders[out->sends[i]].kind != ORDER_ENTRY;
    }
    return closes || engine_state(d->engine)->state == TRADING_EMERGENCY;
}

void driver_defer(struct driver *d)
{
    if (!d->deferred) {
        backlog_add(d->backlog, &d->outputs);
        d->deferred = true;
    }
}

bool driver_continue(struct driver *d)
{
    driver_defer(d);
    if (!d->behind && !is_urgent(d) && clock_mono_us(d->clock) - d->failing_mono_us < HOLD_US) {
        return false;
    }
    d->behind = true;
    d->reserved = write_notes(d);
    return true;
}

enum engine_disk driver_disk(const struct driver *d)
{
    if (!d->behind) {
        return backlog_is_empty(d->backlog) ? ENGINE_DISK_OK : ENGINE_DISK_LATE;
    }
    bool lost = d->failing_mono_us != 0 && clock_mono_us(d->clock) - d->failing_mono_us >= LOST_US;
    return lost ? ENGINE_DISK_LOST : ENGINE_DISK_BEHIND;
}

void driver_disk_snapshot(struct driver *d)
{
    struct snapshot_disk *disk = &d->snapshot->disk;
    *disk = (struct snapshot_disk){.state = DISK_OK};
    if (d->failing_mono_us != 0) {
        *disk = (struct snapshot_disk){.state = DISK_FAILED,
                                       .err = d->failing_err,
                                       .since_wall_us = d->failing_wall_us,
                                       .closes = d->reserve != NULL};
    } else if (d->slow_mono_us != 0) {
        *disk = (struct snapshot_disk){
            .state = DISK_SLOW, .since_wall_us = d->slow_wall_us, .commit_us = d->slow_commit_us};
    }
}

/* ---------------------------------------------------------------- starting */

void driver_open_reserve(struct driver *d)
{
    int64_t mono_us = clock_mono_us(d->clock);
    if (d->options.reserve != NULL) {
        d->reserve = d->options.reserve;
        return;
    }
    if (d->reserve != NULL || d->state_dir[0] == '\0' ||
        (d->reserve_mono_us != 0 && mono_us - d->reserve_mono_us < RESERVE_RETRY_US)) {
        return;
    }
    d->reserve_mono_us = mono_us;
    char path[PATH_MAX];
    struct err err = {0};
    (void)snprintf(path, sizeof(path), "%s/" RESERVE_NAME, d->state_dir);
    d->owns_reserve = reserve_open(path, &d->reserve, &err) >= 0;
    if (!d->owns_reserve) {
        driver_notify(d, ERR_ENGINE_RESERVE, &err);
    }
}

static bool is_loaded(const struct engine_memory *memory, const char *client_id)
{
    for (int i = 0; i < memory->order_count; i++) {
        if (strcmp(memory->orders[i].client_id, client_id) == 0) {
            return true;
        }
    }
    return false;
}

/* Adds the position to the books, so that the fills of its close can be booked. */
static void load_adopted(struct driver *d, const struct position *p, struct engine_memory *memory)
{
    struct ledger ledger = {&memory->state, memory->positions, &memory->position_count,
                            POSITIONS_LIMIT};
    if (p->symbol.name[0] != '\0' && ledger_adopt(&ledger, p)) {
        backlog_add_positions(d->backlog);
    }
}

/* A note that cannot be used may belong to an order that was sent: nothing is opened until a person
 * resumes. */
static void report_lost_note(struct driver *d, const char *what)
{
    struct err err = {0};
    (void)err_set(&err, ERR_ENGINE_RESERVE, "%s", what);
    driver_guard_raise(d, ERR_ENGINE_RESERVE, REQUEST_PAUSE, "a note was lost", &err);
}

static void load_note(struct driver *d, const struct reserve_note *n, struct engine_memory *memory)
{
    struct engine_state *s = &memory->state;
    s->run = n->run > s->run ? n->run : s->run;
    s->next_order = n->next_order > s->next_order ? n->next_order : s->next_order;
    switch (n->kind) {
    case RESERVE_ORDER:
        if (is_loaded(memory, n->order.client_id)) {
            break;
        }
        if (memory->order_count == ORDERS_LIMIT) {
            report_lost_note(d, n->order.client_id);
            break;
        }
        memory->orders[memory->order_count++] = n->order;
        backlog_add_order(d->backlog, &n->order);
        load_adopted(d, &n->adopted, memory);
        break;
    case RESERVE_STATE:
        s->state = n->state;
        memcpy(s->state_reason, n->state_reason, sizeof(s->state_reason));
        s->state_since_wall_us = n->state_since_wall_us;
        break;
    case RESERVE_REQUEST:
        if (backlog_request(d->backlog, n->request.id) == NULL) {
            backlog_add_request(
                d->backlog, &(struct journal_request){n->request, n->request_err, n->at_us, true});
        }
        break;
    }
}

int driver_load_reserve(struct driver *d, struct engine_memory *memory, struct err *err)
{
    int64_t committed = 0;
    backlog_clear(d->backlog);
    if (d->reserve == NULL) {
        return 0;
    }
    reserve_reload(d->reserve);
    int rc = memory == NULL ? 0 : journal_load_episode(d->store, &committed, err);
    if (rc < 0) {
        return rc;
    }
    if (memory == NULL || reserve_episode(d->reserve) <= committed) {
        clear_reserve(d);
    }
    reserve_number_from(d->reserve, committed + 1);
    int count =
        memory == NULL || reserve_episode(d->reserve) <= committed ? 0 : reserve_count(d->reserve);
    for (int i = 0; i < count; i++) {
        struct reserve_note n;
        if (reserve_read(d->reserve, i, &n)) {
            load_note(d, &n, memory);
        } else {
            report_lost_note(d, RESERVE_NAME " has a note that cannot be decoded");
        }
    }
    if (count > 0) {
        LOG(NOTICE,
            "recovered %d notes of the last run from " RESERVE_NAME
            ": trading.db could not be written",
            count);
        backlog_add_state(d->backlog); /* the reserve is cleared only by a commit, so there must be
                                          something to commit */
    }
    d->behind = count > 0;
    return 0;
}
