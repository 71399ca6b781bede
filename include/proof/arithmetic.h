/*
 * arithmetic.h: whether a figure is the result of arithmetic on the values that are cited.
 *
 *     struct arithmetic result = {0};
 *     if (arithmetic_is_written_out(proof, prose, i, &result)) …;     // "3 losses (7 - 4)"
 *     if (arithmetic_is_related(proof, prose, i, &result)) …;         // "25 % of the fees"
 *
 * Thread: any.
 */
#pragma once

#include "proof/proof.h"
#include "proof/prose.h"

struct arithmetic {
    bool few;                    /* a share of fewer than RATE_FEW_SAMPLES; never reset */
    const char *how;             /* "difference", "ratio", …; "written out" */
    const struct proof_value *a; /* the operands of a relation of two; else NULL */
    const struct proof_value *b;
};

/* Whether the figure is a value of the evidence, whatever its sign, in an expression that is
 * written out: "157.25 + 163.25". */
bool arithmetic_operand(const struct proof *proof, const struct prose *p, int figure);
/* Whether the figure is the result of an expression beside it: "14 losses (40 - 26)". */
bool arithmetic_is_written_out(const struct proof *proof, const struct prose *p, int figure,
                               struct arithmetic *ret);
/* Whether an expression that begins with the figure, or a list of figures that are added up, does
 * not have the result that the sentence states: "40 losses (14 - 26)", "3 and 5 orders, 9
 * together". It looks at the text alone. */
bool arithmetic_is_wrong(const struct prose *p, int figure);
/* Whether a word beside the figure relates it to figures of the evidence: "25 % of the fees". */
bool arithmetic_is_related(const struct proof *proof, const struct prose *p, int figure,
                           struct arithmetic *ret);
