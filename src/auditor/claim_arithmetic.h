/*
 * claim_arithmetic.h: whether a figure is the result of arithmetic on the evidence. Private to
 * claim.c.
 *
 *     if (claim_arithmetic(proof, prose, i, &few)) …;       // "3 losses (7 - 4)", "25 % of the
 * fees"
 *
 * Thread: any.
 */
#pragma once

#include "proof.h"
#include "prose.h"

/* *ret_few is set if the figure is a share of fewer than 30 things. */
/* Whether the figure is a value of the evidence, whatever its sign, in an expression that is
 * written out: "157.25 + 163.25". */
bool claim_operand(const struct proof *proof, const struct prose *p, int figure);
bool claim_arithmetic(const struct proof *proof, const struct prose *p, int figure, bool *ret_few);
