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
/* Finding the same problem again gives the same fingerprint. It is made from the name of the rule;
 * for the model, from the type and the cited pointers (by their former names), or the title if
 * there are none. */
void finding_fingerprint(const struct finding *finding, char ret[FINDING_FINGERPRINT_SIZE]);
