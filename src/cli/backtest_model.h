/*
 * backtest_model.h: which model a back-test asked, and how much of the test it had learned from.
 *
 *     backtest_model_load(&model, &settings, step_us, market);
 *     options.predictor = model.predictor, options.seen_until_us = model.seen_until_us;
 *     backtest_model_text(&model, result, &out);      // first of all, before any figure
 *     const struct performance *p = backtest_model_figures(&model, result);    // what counts
 *
 * What the model has learned from is no test of it: those figures are shown and never called a
 * result. A model that cannot be used is named with its reason; the run goes on without it.
 * A market that was made up from another seed is another market: nothing of it was seen. One of the
 * same seed begins a warm-up earlier here than in training, so that what is called seen ends, on
 * the safe side, that much later than what was. Of a journal it is not known what market it was; it
 * counts as recorded.
 * Ownership: the value owns the predictor. Thread: main.
 */
#pragma once

#include "agents/predictor.h"
#include "engine/backtest.h"
#include "io/json.h"

struct backtest_model {
    const char *path;            /* NULL: no model is configured */
    struct predictor *predictor; /* NULL: none, or why says why not */
    struct err why;
    bool other_market;
    int64_t seen_until_us; /* 0: nothing of this market, or not known */
};

/* market: as predictor_origin.market. */
void backtest_model_load(struct backtest_model *model, const struct settings *settings,
                         int64_t step_us, const char *market);
void backtest_model_release(struct backtest_model *model);

/* "all": nothing was seen; "unseen": the part that the figures are of; "none": all was seen;
 * "not known": the model does not say what it learned from. */
const char *backtest_model_result_of(const struct backtest_model *model,
                                     const struct backtest_result *result);
/* Of the unseen part where there is a seen one, else of the whole run; *ret_is_result says whether
 * they are a result. */
const struct performance *backtest_model_figures(const struct backtest_model *model,
                                                 const struct backtest_result *result,
                                                 bool *ret_is_result);
/* Rows for the head of a report; none without a model. */
void backtest_model_text(const struct backtest_model *model, const struct settings *settings,
                         const struct backtest_result *result, struct buf *out);
/* The members model, result_of, seen and unseen, with their names and commas between. */
void backtest_model_json(const struct backtest_model *model, const struct settings *settings,
                         const struct backtest_result *result, struct buf *out);
