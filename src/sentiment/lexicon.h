/*
 * lexicon.h: rates a headline by a list of English words. Private to this module.
 *
 *     double score = lexicon_score(str_c("Bitcoin rallies to a record"));     // 0.6
 *
 * Each word of the list counts 1 or 2, good or bad; after "not", "no", "without" and the like,
 * within three words, the other way. The sum s gives s / (|s| + 2), so that one word alone is no
 * verdict and many never pass 1. A headline without such a word is 0: neutral.
 * Thread: any (pure).
 */
#pragma once

#include "base/str.h"

double lexicon_score(struct str headline); /* -1..1 */
