#include "base/check.h"
#include "base/log.h"
#include "runner_internal.h"
#include "store/ops.h"

#include <stdlib.h>
#include <string.h>

/* How often the message about refused commands is brought up to date while more are refused. */
#define COUNT_US (3 * USEC_PER_SEC)

/* No limit for a local admin, who could stop the program anyway, and for the schedule, which is
 * part of the program. */
static bool is_limited(const struct principal *who)
{
    switch (who->channel) {
    case CHANNEL_TELEGRAM:
    case CHANNEL_HTTP:
        return true;
    case CHANNEL_CONSOLE:
    case CHANNEL_SOCKET:
        return who->role != ROLE_ADMIN;
    case CHANNEL_SCHEDULE:
    case CHANNEL_ASSISTANT: /* the question was counted; its readings have a limit of their own */
        return false;
    }
    return true;
}

static void explain(const struct runner *runner, const struct flood *f, const struct rate *rate,
                    struct err *ret)
{
    AUTO_BUF struct buf of_command = BUF_INIT(64);
    const char *what = rate == &runner->wrong_answers ? " answers that fit no open prompt" : "";
    for (const struct command_rate *c = runner->command_rates; c != NULL; c = c->next) {
        if (rate == &c->rate) {
            buf_addf(&of_command, " of /%s", c->command);
            what = of_command.data;
        }
    }
    if (f == NULL || f->refused < 2) {
        (void)err_set(ret, ERR_ACCESS_RATE_LIMITED, "more than %lld%s", (long long)rate->per_minute,
                      what);
    } else {
        (void)err_set(ret, ERR_ACCESS_RATE_LIMITED, "%lld messages; more than %lld%s",
                      (long long)f->refused, (long long)rate->per_minute, what);
    }
}

static struct flood *find_flood(struct runner *runner, const struct principal *who,
                                const struct rate *rate)
{
    for (size_t i = 0; i < FLOODS_MAX; i++) {
        struct flood *f = &runner->floods[i];
        if (f->rate == rate && f->who.channel == who->channel && f->who.id == who->id) {
            return f;
        }
    }
    return NULL;
}

static bool is_over(struct runner *runner, struct rate *rate, const struct invocation *in,
                    struct admission *a, int *ret_rc, struct err *err)
{
    struct err why = {0};
    explain(runner, NULL, rate, &why);
    switch (rate_accept(rate, in->who, clock_mono_us(runner->o.clock))) {
    case RATE_PASS:
        return false;
    case RATE_NOTIFY:
        *ret_rc = runner_refuse(runner, in, "command.limited", &why, NULL, a, err);
        a->limit = rate;
        return true;
    case RATE_DROP: { /* a waiting client gets an answer each time, a chat one that counts */
        struct flood *f = find_flood(runner, in->who, rate);
        if (f != NULL) {
            f->refused++;
            if (!loop_timer_armed(runner->flooded)) {
                loop_timer_in(runner->flooded, COUNT_US);
            }
        }
        a->err = why;
        a->reply = reply_new();
        reply_error(a->reply, &why);
        *ret_rc = 0;
        return true;
    }
    }
    return false;
}

bool runner_over_limit(struct runner *runner, struct rate *rate, const struct invocation *in,
                       struct admission *a, int *ret_rc, struct err *err)
{
    if (!is_limited(in->who) || a->rated) {
        return false;
    }
    a->rated = true;
    return is_over(runner, rate, in, a, ret_rc, err);
}

static struct rate *rate_of(struct runner *runner, const struct manifest *m)
{
    struct command_rate *c = runner->command_rates;
    while (c != NULL && strcmp(c->command, m->name) != 0) {
        c = c->next;
    }
    if (c == NULL) {
        c = calloc(1, sizeof(*c));
        ASSERT(c != NULL);
        (void)str_copy(str_c(m->name), c->command, sizeof(c->command));
        c->next = runner->command_rates;
        runner->command_rates = c;
    }
    c->rate.per_minute = m->rate;
    return &c->rate;
}

bool runner_over_command_limit(struct runner *runner, const struct manifest *m,
                               const struct invocation *in, struct admission *a, int *ret_rc,
                               struct err *err)
{
    if (m->rate == 0 || !is_limited(in->who) || a->command_rated) {
        return false;
    }
    a->command_rated = true;
    return is_over(runner, rate_of(runner, m), in, a, ret_rc, err);
}

void runner_limit_release(struct runner *runner)
{
    while (runner->command_rates != NULL) {
        struct command_rate *c = runner->command_rates;
        runner->command_rates = c->next;
        free(c);
    }
}

void runner_limit_noticed(struct runner *runner, const struct invocation *in,
                          const struct admission *a)
{
    if (a->limit == NULL || a->outbox_id == 0) {
        return;
    }
    struct flood *f = find_flood(runner, in->who, a->limit);
    if (f == NULL) { /* the oldest has long been said */
        f = &runner->floods[runner->next_flood];
        runner->next_flood = (runner->next_flood + 1) % FLOODS_MAX;
    }
    *f = (struct flood){.rate = a->limit,
                        .who = *in->who,
                        .chat_id = in->chat_id,
                        .outbox_id = a->outbox_id,
                        .refused = 1,
                        .said = 1};
}

/* Edits the one message about the flood. */
static int say(struct runner *runner, struct flood *f, struct err *err)
{
    struct err why = {0};
    AUTO_REPLY struct reply *reply = reply_new();
    explain(runner, f, f->rate, &why);
    reply_error(reply, &why);
    int rc = ops_store_begin(runner->o.store, err);
    if (rc < 0) {
        return rc;
    }
    rc = run_write_post(runner, &f->who, f->chat_id, 0, reply, 0, false, &f->outbox_id, err);
    if (rc < 0) {
        ops_store_rollback(runner->o.store);
        return rc;
    }
    return ops_store_commit(runner->o.store, err);
}

void runner_on_flooded(void *userdata)
{
    struct runner *runner = userdata;
    bool posted = false;
    for (size_t i = 0; i < FLOODS_MAX; i++) {
        struct flood *f = &runner->floods[i];
        struct err err = {0};
        if (f->refused == f->said) {
            continue;
        }
        int64_t refused = f->refused;
        if (say(runner, f, &err) < 0) {
            log_err(LOG_LEVEL_WARNING, &err, "could not say how many commands were refused");
            loop_timer_in(runner->flooded, COUNT_US);
            continue;
        }
        f->said = refused;
        posted = true;
    }
    if (posted && runner->o.outbox_changed != NULL) {
        runner->o.outbox_changed(runner->o.outbox_userdata);
    }
}
