#include "learning/learner.h"

#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "config/config.h"
#include "io/pool.h"
#include "learner_internal.h"
#include "store/ops.h"
#include "store/trading.h"
#include "trading/desk.h"
#include "words.h"

#include <stdlib.h>

/* Trades are also looked for without an event, since some may have been missed. */
#define LOOK_US  (10 * USEC_PER_MIN)
#define RETRY_US USEC_PER_MIN
#define SYNC_US  USEC_PER_MIN

/* A first study holds out its last third, as later ones do by the time at which they are made. */
static size_t first_formed(size_t count)
{
    return count * 2 / 3;
}

/* ------------------------------------------------------------------ reading, on a helper */

struct reading {
    char *state_dir;
    struct trading_store *trading; /* without helpers; NULL: opens one of its own */
    bool study;
    struct history_look look;
    int64_t studied_id; /* the newest trade that a study has seen; 0: there was none */
    struct study_options options;
    struct study_known known;
    struct history_cases cases;
    struct study *found;
    int rc;
    struct err err;
};

/* The first trade that no study has seen. Not before the middle, so that there is always a part to
 * form on. */
static size_t held_from(const struct history_cases *cases, int64_t studied_id)
{
    if (studied_id == 0) {
        return first_formed(cases->count);
    }
    size_t at = cases->count;
    while (at > cases->count / 2 && cases->items[at - 1].trade_id > studied_id) {
        at--;
    }
    return at;
}

static void read_it(struct reading *reading, struct trading_store *trading)
{
    struct err *err = &reading->err;
    if (!reading->study) {
        reading->rc = history_look(trading, &reading->look, err);
        return;
    }
    reading->rc = history_read_cases(trading, &reading->cases, err);
    if (reading->rc == 0) {
        reading->options.held_from = held_from(&reading->cases, reading->studied_id);
        reading->found = study_new(reading->cases.items, reading->cases.count, &reading->options);
    }
}

static void reading_work(void *data)
{
    struct reading *reading = data;
    AUTO_TRADING_STORE struct trading_store *own = NULL;
    if (reading->trading != NULL) {
        read_it(reading, reading->trading);
        return;
    }
    reading->rc = trading_store_open(reading->state_dir, TRADING_STORE_READ, &own, &reading->err);
    if (reading->rc == 0) {
        read_it(reading, own);
    }
}

static void reading_drop(void *data)
{
    struct reading *reading = data;
    study_free(reading->found);
    free(reading->cases.items);
    free(reading->state_dir);
    free(reading);
}

/* ------------------------------------------------------------------ what was read */

static int64_t mono(const struct learner *l)
{
    return clock_mono_us(l->o.clock);
}

static int took_look(struct learner *l, const struct history_look *look, struct err *err)
{
    if (look->replaced) {
        LOG(NOTICE, "trading.db is another one than before: what was learnt is deleted");
        l->look = true;
        return learner_forget(l, err);
    }
    struct learning_review last;
    int rc = learner_take_rows(l, look, err);
    rc = rc < 0 ? rc : learning_table_last_review(l->o.store, &last, err);
    if (rc < 0) {
        return rc;
    }
    l->look = l->look || look->more;
    l->study_due = last.trades + look->unstudied >= learner_next_study(l, &last);
    if (look->count > 0) {
        if (!look->more) {
            words_ask(l, &look->rows[look->count - 1].reflection);
        }
        l->sync_mono_us = mono(l); /* a case of a rule may have been completed */
    }
    return 0;
}

static void take(struct learner *l, struct reading *reading)
{
    struct err *err = &reading->err;
    int rc = reading->rc;
    if (rc == 0 && reading->study) {
        rc = learner_take_study(l, reading->found, &reading->cases, err);
        l->sync_mono_us = mono(l);
    } else if (rc == 0) {
        rc = took_look(l, &reading->look, err);
    }
    if (rc >= 0) {
        return;
    }
    log_err(LOG_LEVEL_WARNING, err, "could not learn from closed trades; trying again");
    if (reading->study) {
        l->study_due = true;
        l->study_mono_us = mono(l) + RETRY_US;
    } else {
        l->look = true;
        l->look_mono_us = mono(l) + RETRY_US;
    }
}

static void begin(struct learner *l, bool study);

static void reading_done(void *data, void *userdata)
{
    struct learner *l = userdata;
    struct reading *reading = data;
    l->job = NULL;
    take(l, reading);
    if (reading->rc == 0 && reading->look.more && l->look && l->o.config->learning_enabled) {
        l->look = false;
        begin(l, false); /* many: at once, a few for each turn of the loop */
    }
}

static int prepare(struct learner *l, struct reading *reading, struct err *err)
{
    const struct config *config = l->o.config;
    struct learning_review last;
    int rc = learning_table_last_review(l->o.store, &last, err);
    reading->studied_id = reading->look.studied_id = last.last_trade_id;
    reading->options = (struct study_options){.known = &reading->known,
                                              .level = study_level(last.id + 1),
                                              .min_formed = config->learning_min_matches,
                                              .min_held = config->learning_min_matches / 2};
    if (rc >= 0 && reading->study) {
        rc = learning_table_settled(l->o.store, reading->known.patterns, STUDY_KNOWN_MAX, err);
        reading->known.count = rc < 0 ? 0 : rc;
    }
    return rc < 0 ? rc
                  : learner_mark(l, &reading->look.after_id, &reading->look.after_closed_us, err);
}

/* On a helper, or here. */
static void begin(struct learner *l, bool study)
{
    struct reading *reading = calloc(1, sizeof(*reading));
    NEED_MEMORY(reading != NULL);
    reading->study = study;
    struct err err = {0};
    if (prepare(l, reading, &err) < 0) {
        reading->rc = -(int)err.id;
        reading->err = err;
        take(l, reading);
        reading_drop(reading);
        return;
    }
    if (l->o.helpers == NULL) {
        reading->trading = l->o.trading;
        reading_work(reading);
        take(l, reading);
        reading_drop(reading);
        return;
    }
    reading->state_dir = strdup(l->o.state_dir);
    NEED_MEMORY(reading->state_dir != NULL);
    l->job = pool_start(l->o.helpers,
                        &(struct pool_work){.work = reading_work,
                                            .done = reading_done,
                                            .drop = reading_drop,
                                            .data = reading,
                                            .userdata = l},
                        &err);
    if (l->job == NULL) { /* the helpers are busy */
        l->look = l->look || !study;
        l->study_due = l->study_due || study;
        reading_drop(reading);
    }
}

/* ------------------------------------------------------------------ life */

struct learner *learner_new(const struct learner_options *options)
{
    struct learner *l = calloc(1, sizeof(*l));
    NEED_MEMORY(l != NULL);
    l->o = *options;
    l->llm_client = options->llm_client;
    l->look = true; /* trades may have been closed while nothing ran here */
    if (l->o.desk != NULL) {
        desk_set_learnt(l->o.desk, &(struct desk_learnt){.rule = learning_show_rule,
                                                         .trade = learning_show_trade,
                                                         .userdata = l});
    }
    return l;
}

void learner_free(struct learner *l)
{
    if (l != NULL) {
        pool_cancel(l->job);
        words_cancel(l);
        free(l);
    }
}

void learner_apply(struct learner *l, const struct config *config,
                   const struct llm_client *llm_client)
{
    l->o.config = config;
    l->llm_client = llm_client;
}

void learner_event(struct learner *l, const struct event *event)
{
    if (event->topic == TOPIC_TRADE) {
        l->look = true;
    } else if (event->topic == TOPIC_REPLY && l->asked_mono_us != 0) {
        l->sync_mono_us = mono(l); /* perhaps the answer to a request about a rule */
    }
}

void learner_resync(struct learner *l)
{
    l->look = true;
}

void learner_tick(struct learner *l)
{
    int64_t now = mono(l);
    if (!l->o.config->learning_enabled || l->job != NULL) {
        return;
    }
    if ((l->look && now >= l->look_mono_us) || now >= l->look_mono_us + LOOK_US) {
        l->look = false;
        l->look_mono_us = now;
        begin(l, false);
    } else if (l->study_due && now >= l->study_mono_us) {
        l->study_due = false;
        begin(l, true);
    } else if (now >= l->sync_mono_us) {
        struct err err = {0};
        l->sync_mono_us = now + SYNC_US;
        if (proposals_sync(l, &err) < 0) {
            log_err(LOG_LEVEL_WARNING, &err, "could not compare the learnings with the rules");
        }
    }
}
