/*
 * finding.h: a finding of an audit, by a rule or by the model.
 *
 *     json_out_object(&out, NULL); model_json_finding(&out, &finding, fingerprint);
 *
 * Always true: texts are valid UTF-8 within their sizes.
 * Thread: any (plain values).
 */
#pragma once

#include "base/str.h"
#include "model/alert.h"

#include <stdbool.h>

#define FINDING_EVIDENCE_MAX 8
#define FINDING_TITLE_SIZE   160
#define FINDING_TEXT_SIZE    1600
#define FINDING_POINTER_SIZE 160
#define FINDING_VALUE_SIZE   96
#define FINDING_SUBJECT_SIZE 64
#define FINDING_REASON_SIZE  160

/* A cited figure. */
struct finding_figure {
    bool is_text;
    bool cut;                      /* the text goes on */
    char text[FINDING_VALUE_SIZE]; /* the text, or the number as the finding wrote it */
};

struct finding_evidence {
    char pointer[FINDING_POINTER_SIZE]; /* into the report */
    struct finding_figure cited;
    bool verified;
    char note[160]; /* why it is not verified, or the interval of a rate; or empty */
};

enum finding_op {
    FINDING_EQUAL,
    FINDING_DIFFERENT,
    FINDING_ABOVE,
    FINDING_AT_LEAST,
    FINDING_BELOW,
    FINDING_AT_MOST
};
const char *finding_op_name(enum finding_op op); /* "==" "!=" ">" ">=" "<" "<=" */
bool finding_op_parse(struct str s, enum finding_op *ret);

/* A condition that is true as long as the problem exists. */
struct finding_check {
    bool present;
    char pointer[FINDING_POINTER_SIZE];
    enum finding_op op;
    struct finding_figure value;
};

struct finding {
    enum alert_type type;
    enum severity severity;
    char
        subject[FINDING_SUBJECT_SIZE]; /* what it is about, by its name in the report: "trade-17" */
    char problem[24];                  /* what is wrong with it: "too_low"; "": not said */
    char title[FINDING_TITLE_SIZE];
    char description[FINDING_TEXT_SIZE];
    char recommendation[FINDING_TEXT_SIZE];
    struct finding_evidence evidence[FINDING_EVIDENCE_MAX];
    int evidence_count;
    struct finding_check check;
    const char *rule;                 /* name of the invariant; NULL: found by the model */
    bool rejected;                    /* a cited or written figure could not be verified */
    char reason[FINDING_REASON_SIZE]; /* why it was rejected */
    bool capped;                      /* severity lowered because of few samples */
    bool cut;                         /* a text was too long, or there was too much evidence */
};
