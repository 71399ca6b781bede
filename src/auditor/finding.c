#include "finding.h"

#include "base/check.h"
#include "io/secret.h"
#include "model/model_json.h"
#include "model/plain_text.h"
#include "proof/pointer.h"
#include "subject.h"

#include <stdlib.h>
#include <string.h>

#define SUBJECT_SHOWN 40
#define PROBLEM_SHOWN 20

struct finding_list *finding_list_new(void)
{
    struct finding_list *list = calloc(1, sizeof(*list));
    ASSERT(list != NULL);
    return list;
}

void finding_list_free(struct finding_list *list)
{
    free(list);
}

struct finding *finding_add(struct finding_list *list, const char *rule, enum alert_type type,
                            enum severity severity)
{
    if (list->count == FINDING_MAX) {
        return NULL;
    }
    struct finding *finding = &list->items[list->count++];
    *finding = (struct finding){.rule = rule, .type = type, .severity = severity};
    return finding;
}

/* ------------------------------------------------------------------ checks */

bool finding_check_read(const struct json_object *object, struct finding_check *ret)
{
    struct finding_check check = {.present = true};
    struct json_object *value = json_get(object, "value");
    struct str pointer = json_str(object, "pointer");
    struct str text = json_is_text(value) ? json_value_str(value) : STR_LIT("");
    if (pointer.len == 0 || !str_copy(pointer, check.pointer, sizeof(check.pointer)) ||
        !finding_op_parse(json_str(object, "op"), &check.op)) {
        return false;
    }
    if (json_is_number(value)) {
        text = str_c(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
    } else if (!json_is_text(value)) {
        return false;
    }
    check.value.is_text = json_is_text(value);
    if (memchr(text.ptr, '\0', text.len) != NULL ||
        !str_copy(text, check.value.text, sizeof(check.value.text))) {
        return false;
    }
    *ret = check;
    return true;
}

/* ------------------------------------------------------------------ writing */

void finding_check_write(const struct finding_check *check, struct buf *text)
{
    struct json_out out = JSON_OUT(text);
    json_out_object(&out, NULL);
    model_json_finding_check(&out, check);
    json_out_end(&out);
}

void finding_evidence_write(const struct finding *finding, struct buf *text)
{
    struct json_out out = JSON_OUT(text);
    model_json_evidence(&out, NULL, finding);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void finding_pointers(const struct finding *finding, struct finding_pointers *ret)
{
    const char *sorted[FINDING_EVIDENCE_MAX];
    struct finding_pointers all = {0};
    for (int i = 0; i < finding->evidence_count; i++) {
        pointer_general(finding->evidence[i].pointer, subject_name(finding), all.pointers[i]);
        sorted[i] = all.pointers[i];
    }
    if (finding->evidence_count > 0) {
        qsort(sorted, (size_t)finding->evidence_count, sizeof(sorted[0]), by_text);
    }
    ret->count = 0;
    for (int i = 0; i < finding->evidence_count; i++) {
        if (i == 0 || strcmp(sorted[i], sorted[i - 1]) != 0) {
            (void)str_copy(str_c(sorted[i]), ret->pointers[ret->count++], FINDING_POINTER_SIZE);
        }
    }
}

/* What is wrong, as the answer says it, else as its check does: two problems of one figure differ
 * in it. */
static const char *problem_of(const struct finding *finding)
{
    if (finding->problem[0] != '\0') {
        return finding->problem;
    }
    if (!finding->check.present) {
        return "odd";
    }
    switch (finding->check.op) {
    case FINDING_ABOVE:
    case FINDING_AT_LEAST:
        return "too_high";
    case FINDING_BELOW:
    case FINDING_AT_MOST:
        return "too_low";
    case FINDING_EQUAL:
    case FINDING_DIFFERENT:
        return "odd";
    }
    return "odd";
}

/* A part of a fingerprint: without its separator and without blanks. */
static void add_part(struct buf *out, struct str part, size_t max)
{
    for (size_t i = 0; i < part.len && i < max; i++) {
        char c = part.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     c == '-' || c == '_' || c == '.';
        buf_add_char(out, plain ? c : '_');
    }
}

void finding_fingerprint(const struct finding *finding, char ret[FINDING_FINGERPRINT_SIZE])
{
    if (finding->rule != NULL) {
        (void)snprintf(ret, FINDING_FINGERPRINT_SIZE, "auditor:rule:%s:%s", finding->rule,
                       finding->subject);
        return;
    }
    struct str subject = finding->subject[0] != '\0' ? subject_name(finding) : STR_LIT("bot");
    struct finding_pointers pointers;
    finding_pointers(finding, &pointers);
    AUTO_BUF struct buf text = BUF_INIT(4096);
    buf_addf(&text, "%.*s\n", STR_ARG(subject));
    for (int i = 0; i < pointers.count; i++) {
        buf_addf(&text, "%s\n", pointers.pointers[i]);
    }
    if (pointers.count == 0) {
        buf_add_c(&text, finding->title);
    }
    char hex[SECRET_HASH_HEX_SIZE];
    secret_hash(NULL, buf_str(&text), hex);
    AUTO_BUF struct buf out = BUF_INIT(FINDING_FINGERPRINT_SIZE - 1);
    buf_add_c(&out, "auditor:");
    add_part(&out, subject, SUBJECT_SHOWN);
    buf_add_char(&out, ':');
    add_part(&out, str_c(problem_of(finding)), PROBLEM_SHOWN);
    buf_addf(&out, ":%.16s", hex);
    (void)str_copy(buf_str(&out), ret, FINDING_FINGERPRINT_SIZE);
}

int finding_list_merge(struct finding_list *list, int first)
{
    int merged = 0;
    for (int i = first; i < list->count; i++) {
        for (int k = i + 1; k < list->count; k++) {
            char a[FINDING_FINGERPRINT_SIZE], b[FINDING_FINGERPRINT_SIZE];
            struct finding *one = &list->items[i], *other = &list->items[k];
            finding_fingerprint(one, a);
            finding_fingerprint(other, b);
            if (one->rejected != other->rejected || strcmp(a, b) != 0) {
                continue;
            }
            if (other->severity > one->severity) {
                *one = *other;
            }
            memmove(other, other + 1, (size_t)(list->count - k - 1) * sizeof(*other));
            list->count--;
            merged++;
            k--;
        }
    }
    return merged;
}

static void defuse(char *text, enum plain_form form, size_t size)
{
    char original[FINDING_TEXT_SIZE];
    (void)str_copy(str_c(text), original, sizeof(original));
    plain_text(str_c(original), form, text, size);
}

void finding_defuse(struct finding *finding)
{
    defuse(finding->title, PLAIN_LINE, sizeof(finding->title));
    defuse(finding->description, PLAIN_LINES, sizeof(finding->description));
    defuse(finding->recommendation, PLAIN_LINES, sizeof(finding->recommendation));
    defuse(finding->reason, PLAIN_LINE, sizeof(finding->reason));
}
