/*
 * claim_arithmetic.h: whether a figure is the result of arithmetic on the evidence. Private to
 * claim.c.
 *
 *     if (claim_is_written_out(proof, prose, i, &few)) …;     // "3 losses (7 - 4)"
 *     if (claim_is_related(proof, prose, i, &few)) …;         // "25 % of the fees"
 *
 * Thread: any.
 */
#pragma once

#include "proof.h"
#include "prose.h"

/* Whether the figure is a value of the evidence, whatever its sign, in an expression that is
 * written out: "157.25 + 163.25". */
bool claim_operand(const struct proof *proof, const struct prose *p, int figure);
/* Whether the figure is the result of an expression beside it: "14 losses (40 - 26)". *ret_few is
 * set if it is a share of fewer than RATE_FEW_SAMPLES. */
bool claim_is_written_out(const struct proof *proof, const struct prose *p, int figure,
                          bool *ret_few);
/* Whether a word beside the figure relates it to figures of the evidence: "25 % of the fees". */
bool claim_is_related(const struct proof *proof, const struct prose *p, int figure, bool *ret_few);
