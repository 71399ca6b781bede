/*
 * finding.h: the findings of an audit.
 *
 *     struct finding_list *list = finding_list_new();
 *     rc = answer_read(str_c(answer->text), list, &counts, err);
 *     finding_fingerprint(&list->items[0], fingerprint);
 *
 * Always true: texts are valid UTF-8 within their sizes; evidence and pointers are bounded.
 * Thread: any, one at a time per list.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "io/json.h"
#include "model/finding.h"

#include <stdbool.h>

#define FINDING_MODEL_MAX        20 /* findings in one answer of the model */
#define FINDING_MAX              128
#define FINDING_FINGERPRINT_SIZE 96

struct finding_list {
    int count;
    struct finding items[FINDING_MAX];
};

struct finding_list *finding_list_new(void);
void finding_list_free(struct finding_list *list);
/* NULL if the list is full. */
struct finding *finding_add(struct finding_list *list, const char *rule, enum alert_type type,
                            enum severity severity);

/* Reads {"pointer","op","value"}, as stored with an alert. False if it is invalid. */
bool finding_check_read(const struct json_object *object, struct finding_check *ret);
void finding_check_write(const struct finding_check *check, struct buf *out);
/* [{"pointer","value","verified","note"}], as stored with an alert. */
void finding_evidence_write(const struct finding *finding, struct buf *out);
/* Finding the same problem again gives the same fingerprint: "auditor:rule:<rule>:<subject>",
 * or for the model "auditor:<subject>:<problem>:<hash>" with a hash of subject and pointers. Their
 * order, an index in one, the part of a rate, a unit at the end of a key, the type, the severity
 * and the words do not matter. Without evidence the title is hashed. */
void finding_fingerprint(const struct finding *finding, char ret[FINDING_FINGERPRINT_SIZE]);
/* The pointers in that general form, sorted, each once. */
struct finding_pointers {
    int count;
    char pointers[FINDING_EVIDENCE_MAX][FINDING_POINTER_SIZE];
};
void finding_pointers(const struct finding *finding, struct finding_pointers *ret);

/* Keeps the more severe of two findings with one fingerprint, from index `first` on; returns how
 * many were removed. */
int finding_list_merge(struct finding_list *list, int first);
/* Makes its texts safe to show (model/plain_text.h), once nothing is compared with them any more.
 */
void finding_defuse(struct finding *finding);
