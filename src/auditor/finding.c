#include "finding.h"

#include "base/check.h"
#include "io/secret.h"
#include "model/model_json.h"
#include "pointer.h"

#include <stdlib.h>
#include <string.h>

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
