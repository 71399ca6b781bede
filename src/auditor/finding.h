/*
 * finding.h: what an audit found, whoever found it: an invariant or the model.
 *
 *     struct finding_list *list = finding_list_new();
 *     rc = finding_parse(str_c(answer->text), list, err);      // all of it or nothing
 *     finding_fingerprint(&list->items[0], fingerprint);
 *
 * Always true: texts are valid UTF-8 within their sizes; evidence and pointers are bounded.
 * Thread: any, one at a time per list.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "io/json.h"
#include "model/alert.h"

#include <stdbool.h>

#define FINDING_MODEL_MAX        20 /* of one answer of the model */
#define FINDING_MAX              40
#define FINDING_EVIDENCE_MAX     8
#define FINDING_TITLE_SIZE       160
#define FINDING_TEXT_SIZE        1600
#define FINDING_POINTER_SIZE     160
#define FINDING_VALUE_SIZE       96
#define FINDING_FINGERPRINT_SIZE 96

/* A figure as it was cited. */
struct figure {
    bool is_text;
    char text[FINDING_VALUE_SIZE]; /* the text, or the number as it was written */
};

struct evidence {
    char pointer[FINDING_POINTER_SIZE];
    struct figure cited;
    bool verified;
    char note[160]; /* why it is not verified, or the interval of a rate; or empty */
};

enum comparison { CMP_EQ, CMP_NE, CMP_GT, CMP_GE, CMP_LT, CMP_LE };

/* Holds as long as the trouble lasts. */
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
    const char *rule; /* name of the invariant; NULL: the model found it */
    bool rejected;    /* nothing of it could be verified */
    bool capped;      /* ranked lower than it was stated: few samples */
};

struct finding_list {
    int count;
    struct finding items[FINDING_MAX];
};

struct finding_list *finding_list_new(void);
void finding_list_free(struct finding_list *list);
/* NULL when it is full. */
struct finding *finding_add(struct finding_list *list, const char *rule, enum alert_type type,
                            enum severity severity);

/* Appends what the model answered; ERR_AUDIT_ANSWER (and nothing appended) when it breaks the
 * schema or a limit that a schema cannot state. */
int finding_parse(struct str answer, struct finding_list *list, struct err *err);

const char *finding_op_name(enum comparison op); /* "==" … */
/* {"pointer","op","value"}, as it is stored with an alert. False when it breaks a rule. */
bool finding_check_read(const struct json_object *object, struct check *ret);
void finding_check_write(const struct check *check, struct buf *out);
/* [{"pointer","value","verified","note"}] */
void finding_evidence_write(const struct finding *finding, struct buf *out);
/* The same trouble found again has the same one: of a rule its name, of the model the type and the
 * figures it rests on, or its title when it cites none. */
void finding_fingerprint(const struct finding *finding, char ret[FINDING_FINGERPRINT_SIZE]);
