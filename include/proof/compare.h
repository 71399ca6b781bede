/*
 * compare.h: whether the words of a sentence fit the order of the figures that it compares.
 *
 *     if (compare_is_wrong(prose, i)) …;      // "6 % is above 8 %", "rose from 40 to 30"
 *
 * Thread: any.
 */
#pragma once

#include "proof/proof.h"
#include "proof/prose.h"

enum compare_direction { COMPARE_DOWN = -1, COMPARE_NONE, COMPARE_UP };

/* What a word beside the figure says: "higher", "rose"; "fewer", "fell". Both, or neither: none. */
enum compare_direction compare_direction(const struct prose *p, int figure, struct prose_near near);
/* Whether the sentence sets the figure against the next one, and they are the other way round; or
 * has it as a part of a smaller one ("5 of 3"), or the change behind both with the wrong sign. */
bool compare_is_wrong(const struct prose *p, int figure);
/* Whether the sentence goes from the figure to the next one ("9 → 7", "from 9 to 7"), and that one
 * is the value of the earlier time. */
bool compare_runs_back(const struct proof *proof, const struct prose *p, int figure);
/* Whether the sentence is about b and compares it with a, or says how a, the value of an earlier
 * period, became b: a comparison of a with b would be the other way round. */
bool compare_is_reversed(const struct prose *p, int figure, const struct proof_value *a,
                         const struct proof_value *b);
