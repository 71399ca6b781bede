#include "sentiment/sentiment.h"

#include "base/check.h"
#include "base/log.h"
#include "model/shared.h"
#include "sentiment_internal.h"
#include "store/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEPS       1e4
#define TICK_US     USEC_PER_SEC
#define PRUNE_US    USEC_PER_HOUR
#define PRUNE_ROWS  500
#define KEEP_ITEMS  (30 * USEC_PER_DAY)  /* at least; longer while sentiment.max_age needs them */
#define KEEP_VALUES (400 * USEC_PER_DAY) /* for back-tests over a year */

struct sentiment_source *sentiment_find(const struct sentiment *sentiment, const char *name)
{
    for (int i = 0; i < sentiment->count; i++) {
        if (strcmp(sentiment->sources[i]->config.name, name) == 0) {
            return sentiment->sources[i];
        }
    }
    return NULL;
}

void sentiment_changed(struct sentiment *sentiment)
{
    sentiment->changed = true;
    loop_timer_in(sentiment->tick, 0);
}

/* ------------------------------------------------------------------ values */

/* Adds what one source says about a symbol: the mean of its entries, so that a source with many
 * headlines weighs as much as one with a single number. */
static void add_source(const struct sentiment *sentiment, const struct sentiment_source *source,
                       struct symbol symbol, struct sentiment_state *state)
{
    double sum = 0;
    int entries = 0;
    for (int i = 0; i < source->count; i++) {
        const struct sentiment_item *item = &source->items[i];
        if (!source_item_counts(source, item) || !source_item_names(item, symbol)) {
            continue;
        }
        int64_t until_us = source_item_since_us(item) + sentiment->o.config->sentiment_max_age_us;
        sum += item->score;
        entries++;
        state->until_us = until_us > state->until_us ? until_us : state->until_us;
        state->newest_us =
            item->received_us > state->newest_us ? item->received_us : state->newest_us;
    }
    if (entries > 0) {
        state->score += sum / entries;
        state->entries += entries;
        state->sources++;
    }
}

static struct sentiment_state compute(const struct sentiment *sentiment, struct symbol symbol)
{
    struct sentiment_state state = {0};
    for (int i = 0; i < sentiment->count; i++) {
        add_source(sentiment, sentiment->sources[i], symbol, &state);
    }
    state.known = state.sources > 0;
    /* Rounded: a file of the history has the same number. */
    state.score = state.known ? round(state.score / state.sources * STEPS) / STEPS : 0;
    return state;
}

/* When the first entry becomes too old: the values change then. */
static int64_t next_change_us(const struct sentiment *sentiment)
{
    int64_t next_us = 0;
    for (int i = 0; i < sentiment->count; i++) {
        const struct sentiment_source *source = sentiment->sources[i];
        for (int k = 0; k < source->count; k++) {
            int64_t until_us =
                source_item_since_us(&source->items[k]) + sentiment->o.config->sentiment_max_age_us;
            if (source_item_counts(source, &source->items[k]) &&
                (next_us == 0 || until_us < next_us)) {
                next_us = until_us;
            }
        }
    }
    return next_us;
}

static bool is_same(const struct sentiment_state *a, const struct sentiment_state *b)
{
    return a->known == b->known && a->score >= b->score && a->score <= b->score &&
           a->until_us == b->until_us;
}

/* Into the history, which back-tests read; before the engine gets it. */
static int store_values(struct sentiment *sentiment, const struct sentiment_state *fresh,
                        struct err *err)
{
    const struct config_symbols *symbols = &sentiment->o.config->market_symbols;
    struct ops_store *store = sentiment->o.store;
    int rc = ops_store_begin_unsynced(store, err);
    for (int i = 0; rc == 0 && i < symbols->count; i++) {
        if (!sentiment->published || !is_same(&fresh[i], &sentiment->states[i])) {
            rc =
                sentiment_table_push(store,
                                     &(struct sentiment_point){.symbol = symbols->items[i],
                                                               .known = fresh[i].known,
                                                               .score = fresh[i].score,
                                                               .at_us = sentiment_now_us(sentiment),
                                                               .until_us = fresh[i].until_us},
                                     err);
        }
    }
    if (rc == 0) {
        return ops_store_commit(store, err);
    }
    ops_store_rollback(store);
    return rc;
}

static void pass_on(const struct sentiment *sentiment)
{
    const struct config_symbols *symbols = &sentiment->o.config->market_symbols;
    struct mailbox *mailbox = sentiment->o.shared->sentiment;
    struct sentiment_values *draft = mailbox_draft(mailbox);
    draft->count = 0;
    for (int i = 0; i < symbols->count && draft->count < sentiment->o.shared->symbols; i++) {
        const struct sentiment_state *state = &sentiment->states[i];
        if (state->known) {
            struct sentiment_value *value = &draft->values[draft->count++];
            memset(value, 0, sizeof(*value));
            value->symbol = symbols->items[i];
            value->score = state->score;
            value->until_us = state->until_us;
        }
    }
    mailbox_publish(mailbox);
}

void sentiment_publish(struct sentiment *sentiment)
{
    int count = sentiment->o.config->market_symbols.count;
    struct err err = {0};
    bool differs = !sentiment->published; /* the history may still say what counted before */
    struct sentiment_state *fresh = calloc((size_t)count, sizeof(*fresh));
    ASSERT(fresh != NULL);
    for (int i = 0; i < count; i++) {
        fresh[i] = compute(sentiment, sentiment->o.config->market_symbols.items[i]);
        differs = differs || !is_same(&fresh[i], &sentiment->states[i]);
    }
    if (differs && store_values(sentiment, fresh, &err) < 0) {
        /* A back-test could not know it, so the engine does not either. Tried again at the next
         * tick. */
        log_err(LOG_LEVEL_WARNING, &err, "could not store the sentiment");
        free(fresh);
        return;
    }
    free(sentiment->states);
    sentiment->states = fresh;
    sentiment->changed = false;
    sentiment->next_us = next_change_us(sentiment);
    if (differs) {
        pass_on(sentiment);
    }
    sentiment->published = true;
}

/* ------------------------------------------------------------------ schedule */

static void prune(struct sentiment *sentiment)
{
    int64_t now_us = sentiment_now_us(sentiment);
    int64_t age_us = sentiment->o.config->sentiment_max_age_us;
    struct err err = {0};
    sentiment->prune_mono_us = clock_mono_us(sentiment->clock) + PRUNE_US;
    if (sentiment_table_prune(sentiment->o.store,
                              now_us - (age_us > KEEP_ITEMS ? age_us : KEEP_ITEMS),
                              now_us - KEEP_VALUES, PRUNE_ROWS, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not delete old sentiment");
    }
}

static void on_tick(void *userdata)
{
    struct sentiment *sentiment = userdata;
    int64_t mono_us = clock_mono_us(sentiment->clock);
    loop_timer_every(sentiment->tick, TICK_US);
    for (int i = 0; i < sentiment->count; i++) {
        if (mono_us >= sentiment->sources[i]->next_mono_us) {
            source_fetch(sentiment->sources[i]);
        }
    }
    rating_next(sentiment);
    bool aged = sentiment->next_us != 0 && sentiment_now_us(sentiment) >= sentiment->next_us;
    if (sentiment->changed || aged) {
        sentiment_publish(sentiment);
    }
    if (mono_us >= sentiment->prune_mono_us) {
        prune(sentiment);
    }
}

static void run(struct sentiment *sentiment)
{
    if (sentiment->count == 0 || !sentiment->started || sentiment->tick != NULL) {
        return;
    }
    sentiment->tick = loop_add_timer(sentiment->o.loop, on_tick, sentiment);
    loop_source_name(sentiment->tick, "sentiment");
    loop_timer_in(sentiment->tick, 0);
}

/* The last source was removed: the engine forgets the values. */
static void stop(struct sentiment *sentiment)
{
    if (sentiment->count > 0 || sentiment->tick == NULL) {
        return;
    }
    sentiment_publish(sentiment);
    loop_source_free(TAKE(sentiment->tick));
    free(TAKE(sentiment->states));
}

/* ------------------------------------------------------------------ life cycle */

static struct sentiment_source *take_source(struct sentiment_source **list, int count,
                                            const char *text)
{
    for (int i = 0; i < count; i++) {
        if (list[i] != NULL && strcmp(list[i]->text, text) == 0) {
            return TAKE(list[i]);
        }
    }
    return NULL;
}

static void set_sources(struct sentiment *sentiment)
{
    const struct config_texts *texts = &sentiment->o.config->sentiment_sources;
    struct sentiment_source *before[CONFIG_SENTIMENT_SOURCES];
    int before_count = sentiment->count;
    memcpy(before, sentiment->sources, sizeof(before));
    sentiment->count = texts->count;
    for (int i = 0; i < texts->count; i++) {
        struct sentiment_source *known = take_source(before, before_count, texts->items[i]);
        sentiment->sources[i] = known != NULL ? known : source_new(sentiment, texts->items[i]);
    }
    for (int i = 0; i < before_count; i++) {
        source_free(before[i]);
    }
    if (sentiment->states == NULL && sentiment->count > 0) {
        sentiment->states =
            calloc((size_t)sentiment->o.config->market_symbols.count, sizeof(*sentiment->states));
        ASSERT(sentiment->states != NULL);
    }
    sentiment->changed = true;
}

struct sentiment *sentiment_new(const struct sentiment_options *options)
{
    struct sentiment *sentiment = calloc(1, sizeof(*sentiment));
    ASSERT(sentiment != NULL);
    sentiment->o = *options;
    sentiment->clock = loop_clock(options->loop);
    set_sources(sentiment);
    return sentiment;
}

void sentiment_free(struct sentiment *sentiment)
{
    if (sentiment == NULL) {
        return;
    }
    rating_cancel(sentiment);
    sentiment_cancel_tests(sentiment);
    for (int i = 0; i < sentiment->count; i++) {
        source_free(sentiment->sources[i]);
    }
    loop_source_free(sentiment->tick);
    free(sentiment->states);
    free(sentiment);
}

void sentiment_start(struct sentiment *sentiment)
{
    sentiment->started = true;
    run(sentiment);
}

void sentiment_apply(struct sentiment *sentiment, const struct config *config,
                     const struct llm_client *llm_client)
{
    if (sentiment->o.llm_client != llm_client || config != sentiment->o.config) {
        rating_cancel(sentiment); /* what it was about waits again */
    }
    sentiment->o.config = config;
    sentiment->o.llm_client = llm_client;
    set_sources(sentiment);
    run(sentiment);
    stop(sentiment);
}
