/*
 * review.h: what a model says about the changes of a release, for people who are about to deploy
 * it.
 *
 *     review = review_new(&(struct review_options){.loop = loop, .helpers = helpers,
 *                         .config = config, .llm_client = client}, err);
 *     review_actions(review, actions);                          // assistant.review
 *
 * The action gets the path of a diff as a value, so that neither this module knows releases nor
 * deploy knows a model. Always true: at most REVIEW_BYTES_MAX of the diff are sent, fenced as data
 * of others; the model has no tools, and its answer is only shown. A remark whose file and line are
 * not in what was sent is dropped and counted. The action never fails: without a key, a model or a
 * whole answer it says that no review was made, and why, which is never "clean". Thread: ops.
 */
#pragma once

#include "base/err.h"
#include "model/llm_request.h"

#include <stddef.h>

struct action_table;
struct loop;
struct pool;
struct review;

#define REVIEW_BYTES_MAX ((size_t)192 << 10)
#define REVIEW_REMARKS   12 /* shown */

struct review_options {
    struct loop *loop;
    struct pool *helpers;
    const struct llm_client *llm_client; /* NULL: there is no key */
};

struct review *review_new(const struct review_options *options);
void review_free(struct review *review);
/* The client of a new configuration, for reviews that begin from now on. */
void review_apply(struct review *review, const struct llm_client *llm_client);
/* review NULL: the action is only described. */
void review_actions(struct review *review, struct action_table *table);
