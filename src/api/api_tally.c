#include "api_tally.h"

#include "alerts/alerts.h"
#include "api_auth.h"
#include "api_internal.h"
#include "base/check.h"
#include "base/log.h"
#include "store/ops.h"

#include <stdlib.h>
#include <string.h>

#define WRITE_US      USEC_PER_MIN
#define RETRY_US      USEC_PER_SEC
#define QUIET_US      USEC_PER_HOUR /* without a guess, after which the alert is resolved */
#define GUESSES       "api:wrong-tokens"
#define ROUTES_PREFIX "/api/v1"

struct api_tally {
    bool urgent; /* an address was refused */
    int count;
    int64_t others; /* refusals that found no row */
    struct tally_row {
        struct api_note note; /* its request has ended */
        bool has_from;
        struct address from; /* of a TCP client */
        int64_t count;
        int64_t last_us; /* wall clock */
    } rows[API_TALLY_MAX];
};

/* ---------------------------------------------------------------------- listener's thread ---- */

static bool is_same(const struct tally_row *row, const struct api_note *note,
                    const struct address *from)
{
    if (row->note.caller != note->caller || row->note.refused != note->refused) {
        return false;
    }
    /* What was refused matters less than to whom, and one address may try all routes. */
    return note->refused == ERR_NONE ? row->note.route == note->route
                                     : row->has_from == (from != NULL) &&
                                           (from == NULL || address_equal(&row->from, from));
}

static void count(struct api_tally *t, struct listener *listener, const struct api_note *note)
{
    const struct address *from =
        note->refused == ERR_NONE ? NULL : api_auth_from(listener, note->request);
    int i = 0;
    while (i < t->count && !is_same(&t->rows[i], note, from)) {
        i++;
    }
    if (i == API_TALLY_MAX) {
        t->others++;
        return;
    }
    struct tally_row *row = &t->rows[i];
    if (i == t->count) {
        from = api_auth_from(listener, note->request);
        *row = (struct tally_row){.note = *note, .has_from = from != NULL};
        row->from = from != NULL ? *from : row->from;
        t->count++;
    }
    row->count++;
    row->last_us = clock_wall_us(clock_real());
    row->note.blocked_s =
        note->blocked_s > row->note.blocked_s ? note->blocked_s : row->note.blocked_s;
}

void api_tally_note(struct listener *listener, const struct api_note *note)
{
    struct api_tally *t = atomic_exchange_explicit(&listener->tally, NULL, memory_order_acquire);
    bool fresh = t == NULL;
    if (fresh) {
        t = calloc(1, sizeof(*t));
        ASSERT(t != NULL);
    }
    bool urgent = note->blocked_s > 0 && !t->urgent;
    t->urgent = t->urgent || urgent;
    count(t, listener, note);
    atomic_store_explicit(&listener->tally, t, memory_order_release);
    if (fresh || urgent) {
        atomic_store_explicit(urgent ? &listener->tally_urgent : &listener->tally_waits, true,
                              memory_order_release);
        loop_wake(listener->wake);
    }
}

/* ------------------------------------------------------------------------------------ ops ---- */

static void name_caller(const struct api *api, const struct listener *listener, int64_t caller,
                        struct principal *ret)
{
    struct access_token t;
    if (caller >= 0 && access_identify(api->access, listener->channel, caller, ret) == 0) {
        return;
    }
    *ret = (struct principal){.channel = listener->channel, .id = caller};
    if (listener->channel != CHANNEL_HTTP) {
        return; /* "socket:1000" */
    }
    (void)str_copy(str_c("unknown"), ret->name, sizeof(ret->name));
    for (int i = 0; caller > 0 && access_token_at(api->access, i, &t); i++) {
        if (t.id == caller) { /* it has expired or was revoked meanwhile */
            (void)str_copy(str_c(t.name), ret->name, sizeof(ret->name));
        }
    }
}

static int write_read(const struct api *api, const struct listener *listener,
                      const struct tally_row *row, struct err *err)
{
    struct principal who;
    AUTO_BUF struct buf from = BUF_INIT(64);
    const char *route = row->note.route;
    int rc = 0;
    if (row->has_from) {
        address_add(&from, &row->from);
        rc = access_token_used(api->access, row->note.caller, row->last_us, from.data, err);
    }
    if (rc < 0 || !row->note.counts || route == NULL) {
        return rc;
    }
    name_caller(api, listener, row->note.caller, &who);
    route += str_starts(str_c(route), ROUTES_PREFIX "/") ? strlen(ROUTES_PREFIX) : 0;
    return access_count_reads(api->access, &who, route, row->count, 0, err);
}

static int64_t hour_of(int64_t us)
{
    return us - us % USEC_PER_HOUR;
}

/* Whether an hour has room for one more row about refusals. */
static bool may_write(struct api *api, int64_t refusals)
{
    int64_t hour_us = hour_of(clock_wall_us(loop_clock(api->loop)));
    if (api->refusals_hour_us != hour_us) {
        api->refusals_hour_us = hour_us;
        api->refusals_rows = 0;
    }
    if (api->refusals_rows == API_REFUSALS_MAX) {
        api->refusals_left += refusals;
        return false;
    }
    api->refusals_rows++;
    return true;
}

static int write_refusal(struct api *api, const struct listener *listener,
                         const struct tally_row *row, struct err *err)
{
    struct principal who;
    AUTO_BUF struct buf detail = BUF_INIT(512);
    if (!may_write(api, row->count)) {
        return 0;
    }
    buf_addf(&detail, "%lld call%s", (long long)row->count, row->count == 1 ? "" : "s");
    if (row->has_from) {
        buf_add_c(&detail, " from ");
        address_add(&detail, &row->from);
    }
    buf_addf(&detail, ", the first to %s",
             row->note.route == NULL ? "an unknown path" : row->note.route);
    if (row->note.blocked_s > 0) {
        buf_addf(&detail, "; refused for %lld s", (long long)row->note.blocked_s);
    }
    if (api->refusals_left > 0) {
        buf_addf(&detail, "; %lld other refusals left out before", (long long)api->refusals_left);
    }
    name_caller(api, listener, row->note.caller, &who);
    int rc = access_audit(api->access, &who, "api.refused", detail.data,
                          err_info(row->note.refused)->code, err);
    api->refusals_left = rc < 0 ? api->refusals_left : 0;
    return rc;
}

static int write_rows(struct api *api, const struct listener *listener, const struct api_tally *t,
                      struct err *err)
{
    int rc = ops_store_begin(api->store, err);
    if (rc < 0) {
        return rc;
    }
    for (int i = 0; rc == 0 && i < t->count; i++) {
        const struct tally_row *row = &t->rows[i];
        rc = row->note.refused == ERR_NONE ? write_read(api, listener, row, err)
                                           : write_refusal(api, listener, row, err);
    }
    api->refusals_left += t->others;
    if (rc < 0) {
        ops_store_rollback(api->store);
        return rc;
    }
    return ops_store_commit(api->store, err);
}

/* ------------------------------------------------------------------------------- the alerts -- */

static void raise(struct api *api, const struct alert_spec *spec)
{
    int64_t id = 0;
    struct err err = {0};
    if (api->alerts != NULL && alerts_raise(api->alerts, spec, &id, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not raise an alert of the API");
    }
}

static void raise_guesses(struct api *api, const struct tally_row *row)
{
    AUTO_BUF struct buf text = BUF_INIT(256);
    address_add(&text, &row->from);
    buf_addf(&text,
             ": %lld wrong token%s within a minute; it is refused for %lld s, and longer for each "
             "further one",
             (long long)row->count, row->count == 1 ? "" : "s", (long long)row->note.blocked_s);
    api->guessed_mono_us = clock_mono_us(loop_clock(api->loop));
    raise(api, &(struct alert_spec){
                   .type = ALERT_SECURITY,
                   .severity = SEVERITY_HIGH,
                   .source = "api",
                   .fingerprint = GUESSES,
                   .title = "someone tries tokens at the API",
                   .description = text.data,
                   .recommendation =
                       "If it is a program of yours, correct its token; /tokens lists them. "
                       "Otherwise close the port to that address. /auditlog result="
                       "API_UNAUTHORIZED shows more."});
}

static void raise_leak(struct api *api, const struct listener *listener,
                       const struct tally_row *row)
{
    struct principal who;
    char fingerprint[64];
    AUTO_BUF struct buf text = BUF_INIT(256);
    name_caller(api, listener, row->note.caller, &who);
    (void)snprintf(fingerprint, sizeof(fingerprint), "api:token-address:%s", who.name);
    buf_addf(&text, "%s was used from ", who.name);
    address_add(&text, &row->from);
    buf_add_c(&text, ", which it is not made for; it was refused");
    raise(api, &(struct alert_spec){.type = ALERT_SECURITY,
                                    .severity = SEVERITY_HIGH,
                                    .source = "api",
                                    .fingerprint = fingerprint,
                                    .title = "an API token is used from a wrong address",
                                    .description = text.data,
                                    .recommendation = "If you do not know that address, revoke the "
                                                      "token with /token_revoke: it has leaked."});
}

static void raise_alerts(struct api *api, const struct listener *listener,
                         const struct api_tally *t)
{
    const struct tally_row *worst = NULL;
    for (int i = 0; i < t->count; i++) {
        const struct tally_row *row = &t->rows[i];
        if (row->note.blocked_s > 0 && (worst == NULL || row->count > worst->count)) {
            worst = row;
        }
        if (row->note.refused == ERR_API_TOKEN_ADDRESS) {
            raise_leak(api, listener, row);
        }
    }
    if (worst != NULL) {
        raise_guesses(api, worst);
    }
}

static void resolve_guesses(struct api *api)
{
    struct err err = {0};
    if (api->alerts != NULL &&
        clock_mono_us(loop_clock(api->loop)) - api->guessed_mono_us >= QUIET_US) {
        (void)alerts_resolve(api->alerts, GUESSES, "nobody has tried for an hour", &err);
    }
}

/* -------------------------------------------------------------------------------- each minute --
 */

static void write_one(struct api *api, struct listener *listener)
{
    struct err err = {0};
    bool waits = atomic_exchange_explicit(&listener->tally_waits, false, memory_order_acq_rel);
    bool urgent = atomic_exchange_explicit(&listener->tally_urgent, false, memory_order_acq_rel);
    struct api_tally *t = atomic_exchange_explicit(&listener->tally, NULL, memory_order_acquire);
    if (t == NULL) { /* the listener counts at this moment, or there is nothing */
        if (waits || urgent) {
            atomic_store_explicit(&listener->tally_waits, true, memory_order_release);
        }
        return;
    }
    if (write_rows(api, listener, t, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not record the API's calls of the last minute");
    }
    raise_alerts(api, listener, t);
    free(t);
}

static void audit_hours(struct api *api)
{
    int64_t hour_us = hour_of(clock_wall_us(loop_clock(api->loop)));
    struct err err = {0};
    if (hour_us == api->audited_hour_us) {
        return;
    }
    if (access_audit_reads(api->access, CHANNEL_HTTP, &err) < 0 ||
        access_audit_reads(api->access, CHANNEL_SOCKET, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not add what was read to the audit log");
        return;
    }
    api->audited_hour_us = hour_us;
}

static bool waits(const struct listener *listener)
{
    return atomic_load_explicit(&listener->tally_waits, memory_order_acquire);
}

void api_tally_write(void *userdata)
{
    struct api *api = userdata;
    write_one(api, &api->socket);
    write_one(api, &api->tcp);
    audit_hours(api);
    resolve_guesses(api);
    int64_t left_us = USEC_PER_HOUR - clock_wall_us(loop_clock(api->loop)) % USEC_PER_HOUR;
    loop_timer_in(api->tally_timer,
                  waits(&api->socket) || waits(&api->tcp) ? RETRY_US : left_us + USEC_PER_SEC);
    api->tally_soon = false;
}

void api_tally_look(struct api *api)
{
    int64_t now_us = clock_mono_us(loop_clock(api->loop));
    bool urgent = atomic_load_explicit(&api->tcp.tally_urgent, memory_order_acquire);
    /* Once a minute at most, however many addresses try. */
    if (urgent && now_us - api->urgent_mono_us >= WRITE_US) {
        api->urgent_mono_us = now_us;
        api_tally_write(api);
    } else if (!api->tally_soon && (urgent || waits(&api->socket) || waits(&api->tcp))) {
        api->tally_soon = true;
        loop_timer_in(api->tally_timer, WRITE_US);
    }
}

void api_tally_start(struct api *api)
{
    api->tally_timer = loop_add_timer(api->loop, api_tally_write, api);
    loop_source_name(api->tally_timer, "api tally");
    api->guessed_mono_us = clock_mono_us(loop_clock(api->loop));
    api->urgent_mono_us = api->guessed_mono_us - WRITE_US;
    loop_timer_in(api->tally_timer, WRITE_US);
}

void api_tally_end(struct api *api)
{
    api_tally_write(api);
    loop_source_free(api->tally_timer);
}
