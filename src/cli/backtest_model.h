/*
 * backtest_model.h: the model of a back-test, and which part of the test it was trained on.
 *
 *     backtest_model_load(&model, &settings, step_us, market);
 *     options.predictor = model.predictor, options.seen_until_us = model.seen_until_us;
 *     backtest_model_text(&model, result, &out);      // before any figure
 *     const struct performance *p = backtest_model_figures(&model, result);    // of the unseen
 * part
 *
 * Training data does not test a model: figures on it are shown but never called a result. A model
 * that cannot be used is reported with the reason; the run continues without it. A simulated market
 * of another seed is another market, of which nothing was seen. One of the same seed starts earlier
 * here than in training, by the warm-up; the seen period therefore ends later than the training
 * data did, which is on the safe side. The market of a journal is unknown and counts as recorded.
 * Ownership: the value owns the predictor. Thread: main.
 */
#pragma once

#include "agents/predictor.h"
#include "engine/backtest.h"
#include "io/json_out.h"

struct backtest_model {
    const char *path;            /* NULL: no model is configured */
    struct predictor *predictor; /* NULL: none, or unusable (see why) */
    struct err why;
    bool other_market;
    int64_t seen_until_us; /* 0: nothing of this market, or unknown */
};

/* market: as predictor_origin.market. */
void backtest_model_load(struct backtest_model *model, const struct settings *settings,
                         int64_t step_us, const char *market);
void backtest_model_release(struct backtest_model *model);

/* Which part of the run is a result. "all": nothing was seen; "unseen": the unseen part; "none":
 * all was seen; "not known": the model does not record its training data. */
const char *backtest_model_result_of(const struct backtest_model *model,
                                     const struct backtest_result *result);
/* The figures of the unseen part if there is a seen one, otherwise of the whole run.
 * *ret_is_result: they are a result. */
const struct performance *backtest_model_figures(const struct backtest_model *model,
                                                 const struct backtest_result *result,
                                                 bool *ret_is_result);
/* Adds rows for the head of a report; none without a model. */
void backtest_model_text(const struct backtest_model *model, const struct settings *settings,
                         const struct backtest_result *result, struct buf *out);
/* Adds the members model, result_of, seen and unseen. */
void backtest_model_json(const struct backtest_model *model, const struct settings *settings,
                         const struct backtest_result *result, struct json_out *out);
