#include "answer.h"

#include "base/check.h"
#include "model/plain_text.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX_BYTES ((size_t)1024 * 1024)
#define ANSWER_MAX_DEPTH 16

/* ------------------------------------------------------------------ the JSON in the answer */

/* The end of the object or list that begins at `from`; 0: it does not end. */
static size_t end_of(struct str s, size_t from)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = from; i < s.len; i++) {
        char c = s.ptr[i];
        if (quoted) {
            i += c == '\\' ? 1 : 0;
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            return i + 1;
        }
    }
    return 0;
}

static bool has_json(struct str s)
{
    return memchr(s.ptr, '{', s.len) != NULL || memchr(s.ptr, '}', s.len) != NULL;
}

/* The one JSON value between other words; empty: there is none, or more than one. */
static struct str find_json(struct str s)
{
    const char *object = memchr(s.ptr, '{', s.len);
    const char *list = memchr(s.ptr, '[', s.len);
    const char *begin = object == NULL || (list != NULL && list < object) ? list : object;
    if (begin == NULL) {
        return (struct str){"", 0};
    }
    size_t from = (size_t)(begin - s.ptr);
    size_t end = end_of(s, from);
    if (end == 0 || has_json(str_n(s.ptr + end, s.len - end))) {
        return (struct str){"", 0};
    }
    return str_n(begin, end - from);
}

/* Finds the list of findings. The caller owns *ret_root. */
static int find_findings(struct str answer, struct json_object **ret_root,
                         struct json_object **ret_findings, struct answer_counts *counts,
                         struct err *err)
{
    struct json_limits limits = {.max_bytes = ANSWER_MAX_BYTES, .max_depth = ANSWER_MAX_DEPTH};
    struct err why = {0};
    if (answer.len > ANSWER_MAX_BYTES) {
        return err_set(err, ERR_AUDIT_ANSWER, "%zu bytes, at most %zu are read", answer.len,
                       ANSWER_MAX_BYTES);
    }
    if (json_parse(answer, &limits, ret_root, &why) < 0) {
        struct str json = find_json(answer);
        struct err inner = {0};
        if (json.len == 0 || json.len == answer.len ||
            json_parse(json, &limits, ret_root, &inner) < 0) {
            return err_set(err, ERR_AUDIT_ANSWER, "%.200s", why.context);
        }
        counts->wrapped = true;
    }
    struct json_object *root = *ret_root;
    *ret_findings = json_is_array(root) ? root : json_get(root, "findings");
    if (!json_is_array(*ret_findings)) {
        return err_set(err, ERR_AUDIT_ANSWER, "no list of findings in it");
    }
    return 0;
}

/* ------------------------------------------------------------------ one finding */

/* Cut at a word, so that no figure loses digits. */
static void cut_text(char *text, size_t size, bool *ret_cut)
{
    static const char more[] = " …";
    size_t len = strlen(text);
    if (len < size) {
        return;
    }
    *ret_cut = true;
    len = size - sizeof(more);
    while (len > 0 && text[len] != ' ' && text[len] != '\n') {
        len--;
    }
    memcpy(text + len, more, sizeof(more));
}

/* False if the member is not a text, or has no visible character. */
static bool read_text(const struct json_object *object, const char *key, enum plain_form form,
                      char *dst, size_t size, bool *ret_cut)
{
    if (!json_is_text(json_get(object, key))) {
        return false;
    }
    struct str text = str_trim(json_str(object, key));
    AUTO_FREE char *stripped = malloc(text.len + 1);
    NEED_MEMORY(stripped != NULL);
    plain_strip(text, form, stripped, text.len + 1);
    char *trimmed = stripped + strspn(stripped, " \n");
    cut_text(trimmed, size, ret_cut);
    return str_copy(str_trim(str_c(trimmed)), dst, size) && dst[0] != '\0';
}

static bool read_figure(struct json_object *value, struct finding_figure *ret, bool *ret_cut)
{
    if (json_is_text(value)) {
        struct str text = json_value_str(value);
        ret->is_text = true;
        ret->cut = text.len >= sizeof(ret->text);
        *ret_cut |= ret->cut;
        str_cut(text, ret->text, sizeof(ret->text));
        return memchr(text.ptr, '\0', text.len) == NULL;
    }
    if (json_object_is_type(value, json_type_boolean)) {
        ret->is_text = true;
        return str_copy(str_c(json_object_get_boolean(value) ? "true" : "false"), ret->text,
                        sizeof(ret->text));
    }
    if (!json_is_number(value)) {
        return false;
    }
    /* json-c keeps a number as it was written, so the cited digits are preserved. */
    return str_copy(str_c(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN)), ret->text,
                    sizeof(ret->text));
}

/* Whether the object has members beyond those named (ended by NULL). */
static bool has_more(const struct json_object *object, const char *const *names)
{
    int known = 0;
    for (; *names != NULL; names++) {
        known += json_object_object_get_ex(object, *names, NULL) ? 1 : 0;
    }
    return json_object_object_length(object) > known;
}

/* NULL, or what is wrong with the evidence. */
static const char *read_evidence(const struct json_object *array, struct finding *finding)
{
    size_t count = json_len(array);
    if (!json_is_array(array)) {
        return "evidence is not a list";
    }
    if (count > FINDING_EVIDENCE_MAX) {
        count = FINDING_EVIDENCE_MAX;
        finding->cut = true;
    }
    for (size_t i = 0; i < count; i++) {
        const struct json_object *item = json_item(array, i);
        struct finding_evidence *evidence = &finding->evidence[finding->evidence_count];
        if (!json_is_object(item) || !json_is_text(json_get(item, "pointer")) ||
            !str_copy(json_str(item, "pointer"), evidence->pointer, sizeof(evidence->pointer)) ||
            strlen(evidence->pointer) != json_str(item, "pointer").len ||
            !read_figure(json_get(item, "value"), &evidence->cited, &finding->cut)) {
            return "evidence is not a pointer with a figure";
        }
        finding->cut |= has_more(item, (const char *const[]){"pointer", "value", NULL});
        finding->evidence_count++;
    }
    return NULL;
}

/* The model may use only some of the alert types; others (service, risk, …) are refused. */
static bool read_type(struct str text, enum alert_type *ret)
{
    return alert_type_parse(text, ret) && *ret <= ALERT_MISSING_FEATURE;
}

/* NULL if the finding is valid, else what is wrong with it. */
static const char *read_finding(const struct json_object *item, struct finding *f)
{
    static const char *const names[] = {"type",  "severity",    "subject",  "problem",
                                        "title", "description", "evidence", "recommendation",
                                        "check", NULL};
    *f = (struct finding){.type = ALERT_BUG};
    if (!json_is_object(item)) {
        return "it is not an object";
    }
    if (!read_type(json_str(item, "type"), &f->type)) {
        return "its type is unknown";
    }
    if (!severity_parse(json_str(item, "severity"), &f->severity)) {
        return "its severity is unknown";
    }
    if (!read_text(item, "title", PLAIN_LINE, f->title, sizeof(f->title), &f->cut)) {
        return "it has no title";
    }
    (void)read_text(item, "subject", PLAIN_LINE, f->subject, sizeof(f->subject), &f->cut);
    (void)read_text(item, "problem", PLAIN_LINE, f->problem, sizeof(f->problem), &f->cut);
    (void)read_text(item, "description", PLAIN_LINES, f->description, sizeof(f->description),
                    &f->cut);
    (void)read_text(item, "recommendation", PLAIN_LINES, f->recommendation,
                    sizeof(f->recommendation), &f->cut);
    const char *wrong = read_evidence(json_get(item, "evidence"), f);
    if (wrong != NULL) {
        return wrong;
    }
    const struct json_object *check = json_get(item, "check");
    f->cut |= has_more(item, names) || (check != NULL && !finding_check_read(check, &f->check));
    return NULL;
}

/* ------------------------------------------------------------------ all findings */

static void drop(struct answer_counts *counts, const char *why)
{
    if (counts->dropped++ == 0) {
        (void)str_copy(str_c(why), counts->reason, sizeof(counts->reason));
    }
}

/* Adds a finding; if there are FINDING_MODEL_MAX, in place of the last of the least severe ones. */
static void keep(struct finding_list *list, int first, const struct finding *finding,
                 struct answer_counts *counts)
{
    if (list->count < FINDING_MAX && list->count - first < FINDING_MODEL_MAX) {
        list->items[list->count++] = *finding;
        return;
    }
    int least = first;
    for (int i = first; i < list->count; i++) {
        least = list->items[i].severity <= list->items[least].severity ? i : least;
    }
    drop(counts, "there are too many findings");
    if (list->count > first && list->items[least].severity < finding->severity) {
        memmove(&list->items[least], &list->items[least + 1],
                (size_t)(list->count - least - 1) * sizeof(list->items[0]));
        list->items[list->count - 1] = *finding;
    }
}

int answer_read(struct str answer, struct finding_list *list, struct answer_counts *ret,
                struct err *err)
{
    AUTO_JSON struct json_object *root = NULL;
    struct json_object *findings = NULL;
    *ret = (struct answer_counts){0};
    int rc = find_findings(answer, &root, &findings, ret, err);
    if (rc < 0) {
        return rc;
    }
    AUTO_FREE struct finding *finding = calloc(1, sizeof(*finding));
    NEED_MEMORY(finding != NULL);
    int first = list->count;
    ret->claimed = (int)json_len(findings);
    for (int i = 0; i < ret->claimed; i++) {
        const char *wrong = read_finding(json_item(findings, (size_t)i), finding);
        if (wrong != NULL) {
            drop(ret, wrong);
        } else {
            keep(list, first, finding, ret);
        }
    }
    for (int i = first; i < list->count; i++) {
        ret->cut += list->items[i].cut ? 1 : 0;
    }
    if (ret->claimed > 0 && list->count == first) {
        return err_set(err, ERR_AUDIT_ANSWER, "%d findings, none of them valid: %.80s",
                       ret->claimed, ret->reason);
    }
    return 0;
}
