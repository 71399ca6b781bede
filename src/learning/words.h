/*
 * words.h: a model puts a reflection into words. Private to this module.
 *
 *     words_ask(learner, &reflection);       // if learning.words asks for this trade
 *     words_cancel(learner);
 *
 * Off by default, and one trade at a time: while a request is under way, others stay without words.
 * Each figure of the answer must be in the reflection (proof/text_proof.h); an answer with another
 * one is dropped and counted. Its general sentence, without figures, becomes a learning without a
 * pattern, merged with one of the same wording.
 * Thread: ops.
 */
#pragma once

#include "learner_internal.h"

void words_ask(struct learner *learner, const struct reflection *reflection);
void words_cancel(struct learner *learner);
