#include "finding.h"

#include "base/check.h"
#include "io/secret.h"
#include "model/model_json.h"
#include "pointer.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX_BYTES ((size_t)256 * 1024)
#define ANSWER_MAX_DEPTH 8

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

/* ------------------------------------------------------------------ parsing */

/* True if each member of the object is in names (ended by NULL), and each name without a leading
 * '?' is a member. */
static bool members_are(const struct json_object *object, const char *const *names)
{
    if (!json_is_object(object)) {
        return false;
    }
    int known = 0;
    for (; *names != NULL; names++) {
        bool optional = (*names)[0] == '?';
        bool there = json_object_object_get_ex(object, optional ? *names + 1 : *names, NULL) != 0;
        if (!there && !optional) {
            return false;
        }
        known += there ? 1 : 0;
    }
    return known == json_object_object_length(object);
}

/* A string of 1 to size - 1 bytes without control characters except line feeds and tabs. */
static bool read_text(const struct json_object *object, const char *key, char *dst, size_t size)
{
    if (!json_is_text(json_get(object, key))) {
        return false;
    }
    struct str text = str_trim(json_str(object, key));
    if (text.len == 0 || memchr(text.ptr, '\0', text.len) != NULL) {
        return false;
    }
    return str_copy(text, dst, size);
}

static bool read_figure(struct json_object *value, struct finding_figure *ret)
{
    if (json_is_text(value)) {
        struct str text = json_value_str(value);
        ret->is_text = true;
        return memchr(text.ptr, '\0', text.len) == NULL &&
               str_copy(text, ret->text, sizeof(ret->text));
    }
    if (!json_is_number(value)) {
        return false;
    }
    ret->is_text = false;
    /* json-c keeps a number as it was written, so the cited digits are preserved. */
    return str_copy(str_c(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN)), ret->text,
                    sizeof(ret->text));
}

bool finding_check_read(const struct json_object *object, struct finding_check *ret)
{
    struct finding_check check = {.present = true};
    if (!members_are(object, (const char *const[]){"pointer", "op", "value", NULL}) ||
        !read_text(object, "pointer", check.pointer, sizeof(check.pointer)) ||
        !finding_op_parse(json_str(object, "op"), &check.op) ||
        !read_figure(json_get(object, "value"), &check.value)) {
        return false;
    }
    *ret = check;
    return true;
}

static bool read_evidence(const struct json_object *array, struct finding *finding)
{
    if (!json_is_array(array) || json_len(array) > FINDING_EVIDENCE_MAX) {
        return false;
    }
    for (size_t i = 0; i < json_len(array); i++) {
        const struct json_object *item = json_item(array, i);
        struct finding_evidence *evidence = &finding->evidence[finding->evidence_count];
        if (!members_are(item, (const char *const[]){"pointer", "value", NULL}) ||
            !read_text(item, "pointer", evidence->pointer, sizeof(evidence->pointer)) ||
            !read_figure(json_get(item, "value"), &evidence->cited)) {
            return false;
        }
        finding->evidence_count++;
    }
    return true;
}

/* The model may use only some of the alert types; others (service, risk, …) are refused. */
static bool read_type(struct str text, enum alert_type *ret)
{
    return alert_type_parse(text, ret) && *ret <= ALERT_MISSING_FEATURE;
}

/* NULL if the finding is valid, else the name of the invalid member. */
static const char *read_finding(const struct json_object *item, struct finding *finding)
{
    static const char *const names[] = {"type",     "severity",       "title",  "description",
                                        "evidence", "recommendation", "?check", NULL};
    if (!members_are(item, names)) {
        return "members";
    }
    if (!read_type(json_str(item, "type"), &finding->type)) {
        return "type";
    }
    if (!severity_parse(json_str(item, "severity"), &finding->severity)) {
        return "severity";
    }
    if (!read_text(item, "title", finding->title, sizeof(finding->title)) ||
        strpbrk(finding->title, "\r\n") != NULL) {
        return "title";
    }
    if (!read_text(item, "description", finding->description, sizeof(finding->description))) {
        return "description";
    }
    if (!read_text(item, "recommendation", finding->recommendation,
                   sizeof(finding->recommendation))) {
        return "recommendation";
    }
    if (!read_evidence(json_get(item, "evidence"), finding)) {
        return "evidence";
    }
    const struct json_object *check = json_get(item, "check");
    if (check != NULL && !finding_check_read(check, &finding->check)) {
        return "check";
    }
    return NULL;
}

int finding_parse(struct str answer, struct finding_list *list, struct err *err)
{
    AUTO_JSON struct json_object *root = NULL;
    struct err why = {0};
    struct json_limits limits = {.max_bytes = ANSWER_MAX_BYTES, .max_depth = ANSWER_MAX_DEPTH};
    if (json_parse(answer, &limits, &root, &why) < 0) {
        return err_set(err, ERR_AUDIT_ANSWER, "%.200s", why.context);
    }
    const struct json_object *findings = json_get(root, "findings");
    if (!members_are(root, (const char *const[]){"findings", NULL}) || !json_is_array(findings)) {
        return err_set(err, ERR_AUDIT_ANSWER, "not an object with the single member findings");
    }
    size_t count = json_len(findings);
    if (count > FINDING_MODEL_MAX) {
        return err_set(err, ERR_AUDIT_ANSWER, "%zu findings, at most %d are allowed", count,
                       FINDING_MODEL_MAX);
    }
    int before = list->count;
    for (size_t i = 0; i < count; i++) {
        struct finding *finding = finding_add(list, NULL, ALERT_BUG, SEVERITY_INFO);
        const char *bad = finding == NULL ? "count" : read_finding(json_item(findings, i), finding);
        if (bad != NULL) {
            list->count = before;
            return err_set(err, ERR_AUDIT_ANSWER, "finding %zu: %s", i + 1, bad);
        }
    }
    return 0;
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

void finding_fingerprint(const struct finding *finding, char ret[FINDING_FINGERPRINT_SIZE])
{
    if (finding->rule != NULL) {
        (void)snprintf(ret, FINDING_FINGERPRINT_SIZE, "auditor:rule:%s", finding->rule);
        return;
    }
    char former[FINDING_EVIDENCE_MAX][FINDING_POINTER_SIZE];
    const char *pointers[FINDING_EVIDENCE_MAX];
    for (int i = 0; i < finding->evidence_count; i++) {
        pointer_former(finding->evidence[i].pointer, former[i]);
        pointers[i] = former[i];
    }
    size_t count = (size_t)finding->evidence_count;
    if (count > 0) {
        qsort(pointers, count, sizeof(pointers[0]), by_text);
    }
    AUTO_BUF struct buf text = BUF_INIT(4096);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(pointers[i], pointers[i - 1]) != 0) {
            buf_addf(&text, "%s\n", pointers[i]);
        }
    }
    if (count == 0) {
        buf_add_c(&text, finding->title);
    }
    char hex[SECRET_HASH_HEX_SIZE];
    secret_hash(NULL, buf_str(&text), hex);
    (void)snprintf(ret, FINDING_FINGERPRINT_SIZE, "auditor:%s:%.16s",
                   alert_type_name(finding->type), hex);
}
