#include "model/finding.h"

#include "names.h"

static const char *const op_words[] = {
    [FINDING_EQUAL] = "==",    [FINDING_DIFFERENT] = "!=", [FINDING_ABOVE] = ">",
    [FINDING_AT_LEAST] = ">=", [FINDING_BELOW] = "<",      [FINDING_AT_MOST] = "<=",
};

NAMES_PRINT(finding_op, enum finding_op, op_words)
NAMES_PARSE(finding_op, enum finding_op, op_words)
