/*
 * finding.h: a finding of an audit, by an invariant or by the model.
 *
 *     struct finding_list *list = finding_list_new();
 *     rc = finding_parse(str_c(answer->text), list, err);      // all findings or none
 *     finding_fingerprint(&list->items[0], fingerprint);
 *
 * Always true: texts are valid UTF-8 within their sizes; evidence and pointers are bounded.
 * Thread: any, one at a time per list.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "io/json.h"
#include "io/json_out.h"
#include "model/alert.h"

#include <stdbool.h>

#define FINDING_MODEL_MAX        20 /* findings in one answer of the model */
#define FINDING_MAX              40
#define FINDING_EVIDENCE_MAX     8
#define FINDING_TITLE_SIZE       160
#define FINDING_TEXT_SIZE        1600
#define FINDING_POINTER_SIZE     160
#define FINDING_VALUE_SIZE       96
#define FINDING_FINGERPRINT_SIZE 96

/* A cited figure. */
struct figure {
    bool is_text;
    char text[FINDING_VALUE_SIZE]; /* the text, or the number as the finding wrote it */
};

struct evidence {
    char pointer[FINDING_POINTER_SIZE];
    struct figure cited;
    bool verified;
    char note[160]; /* why it is not verified, or the interval of a rate; or empty */
};

enum comparison { CMP_EQ, CMP_NE, CMP_GT, CMP_GE, CMP_LT, CMP_LE };

/* A condition that is true as long as the problem exists. */
struct check {
    bool present;
    char pointer[FINDING_POINTER_SIZE];
    enum comparison op;
    struct figure value;
};

struct finding {
    enum alert_type type;
    enum severity severity;
    char title[FINDING_TITLE_SIZE];
    char description[FINDING_TEXT_SIZE];
    char recommendation[FINDING_TEXT_SIZE];
    struct evidence evidence[FINDING_EVIDENCE_MAX];
    int evidence_count;
    struct check check;
    const char *rule; /* name of the invariant; NULL: found by the model */
    bool rejected;    /* no cited figure could be verified */
    bool capped;      /* severity lowered because of few samples */
};

struct finding_list {
    int count;
    struct finding items[FINDING_MAX];
};

struct finding_list *finding_list_new(void);
void finding_list_free(struct finding_list *list);
/* NULL if the list is full. */
struct finding *finding_add(struct finding_list *list, const char *rule, enum alert_type type,
                            enum severity severity);

/* Appends the findings of a model's answer. ERR_AUDIT_ANSWER, and nothing is appended, if the
 * answer violates the schema or a limit that a schema cannot express. */
int finding_parse(struct str answer, struct finding_list *list, struct err *err);

const char *finding_op_name(enum comparison op); /* "==" … */
/* Reads {"pointer","op","value"}, as stored with an alert. False if it is invalid. */
bool finding_check_read(const struct json_object *object, struct check *ret);
void finding_check_write(const struct check *check, struct buf *out);
/* [{"pointer","value","verified","note"}], as stored with an alert. */
void finding_evidence_write(const struct finding *finding, struct buf *out);
/* The members of a finding, for programs; docs/json.md lists them. */
void finding_json(const struct finding *finding, struct json_out *out);
/* Finding the same problem again gives the same fingerprint. It is made from the name of the rule;
 * for the model, from the type and the cited pointers (by their former names), or the title if
 * there are none. */
void finding_fingerprint(const struct finding *finding, char ret[FINDING_FINGERPRINT_SIZE]);
