#include "base/check.h"
#include "base/log.h"
#include "driver_private.h"
#include "journal.h"
#include "ledger.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* So long the next step waits for the outputs of the last one, unless they close something. */
#define HOLD_US USEC_PER_SEC
/* Behind, the disk is tried so often. */
#define RETRY_US USEC_PER_SEC
/* Behind for longer, trading is paused. */
#define LOST_US (10 * USEC_PER_SEC)
/* A commit that takes longer is slow, and the disk is called slow for so long after it. */
#define SLOW_COMMIT_US USEC_PER_SEC
#define SLOW_FOR_US    USEC_PER_MIN
/* While it is slow, at most every so many-th moment is spent on commits nobody waits for. */
#define SLOW_SHARE       5
#define RESERVE_RETRY_US USEC_PER_MIN

/* ---------------------------------------------------------------- all of it to disk */

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

static void note_duration(struct driver *d, int64_t before_us)
{
    d->committed_mono_us = clock_mono_us(d->clock);
    d->commit_us = d->committed_mono_us - before_us;
    if (d->slow_mono_us != 0 && d->committed_mono_us - d->slow_mono_us >= SLOW_FOR_US) {
        d->slow_mono_us = 0;
    }
    if (d->commit_us < SLOW_COMMIT_US) {
        return;
    }
    bool news = d->slow_mono_us == 0 || d->committed_mono_us - d->slow_mono_us >= SLOW_FOR_US / 2;
    d->slow_wall_us = d->slow_mono_us == 0 ? clock_wall_us(d->clock) : d->slow_wall_us;
    d->slow_mono_us = d->committed_mono_us;
    d->slow_commit_us = d->commit_us;
    if (news) {
        struct err err = {0};
        (void)err_set(&err, ERR_ENGINE_SLOW_DISK, "%lld ms",
                      (long long)(d->commit_us / USEC_PER_MSEC));
        driver_notify(d, ERR_ENGINE_SLOW_DISK, &err);
    }
}

/* Returns whether there was anything to commit. */
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

/* Whoever asked while it could not be answered; the outputs answer their own request. */
static void answer_late(struct driver *d)
{
    struct journal_rows rows = backlog_rows(d->backlog);
    for (int i = 0; i < rows.request_count; i++) {
        const struct journal_request *r = &rows.requests[i];
        bool own =
            d->uncommitted && d->outputs.has_request && r->request.id == d->outputs.request.id;
        if (!r->notified && !own) {
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

/* trading.db has what stands in the reserve. What is not cleared now is with the next write, and
 * takes no other notes before; a start knows it by the episode that the commit has named. */
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
    /* The venue first: it may know more than we, never less than what we have booked. */
    if (paper_flush(&d->paper, &err) < 0) {
        return failing(d, ERR_VENUE_DISK, &err);
    }
    int rc = commit(d, &err);
    if (rc < 0) {
        return failing(d, ERR_ENGINE_JOURNAL, &err);
    }
    if (rc > 0) {
        note_duration(d, before_us);
    }
    answer_late(d);
    backlog_clear(d->backlog);
    driver_remember_state(d);
    d->held = false;
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
                 out->trade_count == 0 && out->payment_count == 0 && !out->has_request &&
                 !out->rules_changed && !out->clear_halt &&
                 engine_state(d->engine)->state == d->state;
    int64_t pause_us = (SLOW_SHARE - 1) * d->commit_us;
    return quiet && d->commit_us >= SLOW_COMMIT_US && !d->paper.behind && d->failing_mono_us == 0 &&
           backlog_has_room(d->backlog) &&
           clock_mono_us(d->clock) - d->committed_mono_us < pause_us;
}

void driver_finish(struct driver *d)
{
    if (d->engine != NULL && !backlog_is_empty(d->backlog)) {
        (void)driver_write(d);
    }
}

/* ---------------------------------------------------------------- what is kept elsewhere */

bool driver_request_keeps(enum request_kind kind)
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
        break;
    }
    return false;
}

static struct reserve_note new_note(const struct driver *d, enum reserve_kind kind)
{
    const struct engine_state *s = engine_state(d->engine);
    return (struct reserve_note){.kind = kind, .run = s->run, .next_order = s->next_order};
}

static bool state_is_news(const struct driver *d)
{
    const struct engine_state *s = engine_state(d->engine);
    return s->state != d->state || strcmp(s->state_reason, d->state_reason) != 0;
}

/* A position that the bot did not open is in the books only while it closes it: trading.db may
 * never have heard of it. */
static struct position adopted_by_us(const struct driver *d, struct symbol symbol)
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

/* Asked for when the disk was well, and stepped when it was not any more. */
static bool is_loosening(enum request_kind kind)
{
    return kind == REQUEST_RESUME || kind == REQUEST_CLEAR_EMERGENCY;
}

/* A state never stands in the reserve without the request that made it looser. */
static bool notes_request(const struct driver *d)
{
    const struct engine_outputs *out = &d->outputs;
    return out->has_request &&
           (driver_request_keeps(out->request.kind) || is_loosening(out->request.kind));
}

static void note_request(const struct driver *d, struct reserve_note *n)
{
    *n = new_note(d, RESERVE_REQUEST);
    n->request = d->outputs.request;
    n->request_err = d->outputs.request_err;
    n->at_us = d->outputs.at_us;
}

/* What may not be forgotten of the step, so that what it closes may leave. Of notes whose write is
 * torn the first may be read: so a stop stands before it is answered, and a resume is answered
 * before it stands. */
static int fill_notes(const struct driver *d, struct reserve_note *notes)
{
    const struct engine_outputs *out = &d->outputs;
    bool request_first = out->has_request && is_loosening(out->request.kind);
    int count = 0;
    if (request_first) {
        note_request(d, &notes[count++]);
    }
    if (state_is_news(d)) {
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
            n->adopted = adopted_by_us(d, n->order.symbol);
        }
    }
    if (notes_request(d) && !request_first) {
        note_request(d, &notes[count++]);
    }
    return count;
}

static bool keep(struct driver *d)
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
        return false; /* which has been said */
    }
    if (reserve_add(d->reserve, d->notes, count, &err) < 0) {
        driver_notify(d, ERR_ENGINE_RESERVE, &err);
        return false;
    }
    driver_remember_state(d);
    if (notes_request(d)) {
        backlog_request(d->backlog, d->outputs.request.id)->notified = true;
    }
    return true;
}

/* Something that closes, or stops, waits for no disk. */
static bool is_urgent(const struct driver *d)
{
    const struct engine_outputs *out = &d->outputs;
    bool closes = false;
    for (int i = 0; i < out->send_count; i++) {
        closes = closes || out->orders[out->sends[i]].kind != ORDER_ENTRY;
    }
    return closes || engine_state(d->engine)->state == TRADING_EMERGENCY;
}

void driver_hold(struct driver *d)
{
    if (!d->held) {
        backlog_add(d->backlog, &d->outputs);
        d->held = true;
    }
}

bool driver_go_on(struct driver *d)
{
    driver_hold(d);
    if (!d->behind && !is_urgent(d) && clock_mono_us(d->clock) - d->failing_mono_us < HOLD_US) {
        return false;
    }
    d->behind = true;
    d->kept = keep(d);
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
    struct snapshot_disk *disk = &d->snapshot.disk;
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

/* ---------------------------------------------------------------- a start */

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

/* Back into the books, so that what closed it can be booked. */
static void load_adopted(struct driver *d, const struct position *p, struct engine_memory *memory)
{
    struct ledger ledger = {&memory->state, memory->positions, &memory->position_count};
    if (p->symbol.name[0] != '\0' && ledger_adopt(&ledger, p)) {
        backlog_add_positions(d->backlog);
    }
}

/* A note that cannot be used may be of an order that left: nothing is opened until a person says.
 */
static void note_lost(struct driver *d, const char *what)
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
        if (memory->order_count == ENGINE_ORDERS_MAX) {
            note_lost(d, n->order.client_id);
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
            note_lost(d, RESERVE_NAME " holds a note that makes no sense");
        }
    }
    if (count > 0) {
        LOG(NOTICE, "%d notes of the last run in " RESERVE_NAME ": trading.db could not be written",
            count);
        backlog_add_state(
            d->backlog); /* the reserve is cleared by a commit, never by "nothing to do" */
    }
    d->behind = count > 0;
    return 0;
}
