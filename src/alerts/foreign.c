#include "alerts/foreign.h"

#include "alerts/alerts.h"
#include "base/check.h"
#include "io/json.h"

#include <stdlib.h>
#include <string.h>

#define SOURCE           "alertmanager"
#define THEIR_FINGER_MAX 64
#define VALUE_SIZE       160 /* of a label or an annotation in the description */
#define DEPTH_MAX        8
#define BODY_MAX         ((size_t)1 << 20)

enum severity foreign_severity(struct str label)
{
    static const struct {
        const char *word;
        enum severity severity;
    } words[] = {
        {"critical", SEVERITY_CRITICAL},  {"page", SEVERITY_CRITICAL},
        {"emergency", SEVERITY_CRITICAL}, {"fatal", SEVERITY_CRITICAL},
        {"high", SEVERITY_HIGH},          {"error", SEVERITY_HIGH},
        {"major", SEVERITY_HIGH},         {"low", SEVERITY_LOW},
        {"notice", SEVERITY_LOW},         {"info", SEVERITY_INFO},
        {"none", SEVERITY_INFO},          {"debug", SEVERITY_INFO},
    };
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (str_equal_nocase(label, words[i].word)) {
            return words[i].severity;
        }
    }
    return SEVERITY_MEDIUM;
}

/* A text from outside on one line, cut to size; "" if it is absent or holds a NUL. */
static void copy_text(const struct json_object *object, const char *key, char *dst, size_t size)
{
    str_cut(str_trim(str_c(json_text(object, key))), dst, size);
    str_make_safe(dst);
    for (char *p = dst; *p != '\0'; p++) {
        *p = *p == '\n' || *p == '\t' ? ' ' : *p;
    }
}

static bool is_fingerprint(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))) {
            return false;
        }
    }
    return text.len > 0 && text.len <= THEIR_FINGER_MAX;
}

static int odd(struct err *err, size_t index, const char *what)
{
    return err_set(err, ERR_API_ALERTS, "alerts[%zu]: %s", index, what);
}

/* Each value a text, as Alertmanager sends them. NULL is an empty object. */
static bool are_texts(const struct json_object *object)
{
    if (object == NULL) {
        return true;
    }
    if (!json_is_object(object)) {
        return false;
    }
    json_object_object_foreach((struct json_object *)(uintptr_t)object, key, value)
    {
        (void)key;
        if (!json_is_text(value)) {
            return false;
        }
    }
    return true;
}

/* "job=node, instance=db1:9100": those that the title and the severity do not say already. */
static void add_labels(const struct json_object *labels, struct buf *out)
{
    int shown = 0, left = 0;
    if (labels == NULL) {
        return;
    }
    json_object_object_foreach((struct json_object *)(uintptr_t)labels, key, value)
    {
        char name[VALUE_SIZE], text[VALUE_SIZE];
        (void)value;
        if (strcmp(key, "alertname") == 0 || strcmp(key, "severity") == 0) {
            continue;
        }
        if (shown == FOREIGN_LABELS) {
            left++;
            continue;
        }
        str_cut(str_c(key), name, sizeof(name));
        str_make_safe(name);
        copy_text(labels, key, text, sizeof(text));
        buf_addf(out, "%s%s=%s", shown == 0 ? "" : ", ", name, text);
        shown++;
    }
    if (left > 0) {
        buf_addf(out, " and %d more", left);
    }
}

static void write_texts(const struct json_object *labels, const struct json_object *annotations,
                        struct foreign_alert *ret)
{
    char name[ALERT_TITLE_SIZE], text[ALERT_TEXT_SIZE / 2], url[400];
    copy_text(labels, "alertname", name, sizeof(name));
    copy_text(annotations, "summary", ret->title, sizeof(ret->title));
    if (ret->title[0] == '\0') {
        (void)str_copy(str_c(name[0] != '\0' ? name : "an alert without a name"), ret->title,
                       sizeof(ret->title));
    }
    copy_text(annotations, "description", text, sizeof(text));
    if (text[0] == '\0') {
        copy_text(annotations, "message", text, sizeof(text));
    }
    AUTO_BUF struct buf out = BUF_INIT(16 * 1024);
    buf_addf(&out, "%s%s", text, text[0] == '\0' ? "" : "\n");
    buf_addf(&out, "From Alertmanager%s%s", name[0] == '\0' ? "" : ": ", name);
    size_t before = out.len;
    buf_add_c(&out, ", ");
    add_labels(labels, &out);
    if (out.len == before + 2) {
        buf_truncate(&out, before);
    }
    str_cut(buf_str(&out), ret->description, sizeof(ret->description));
    copy_text(annotations, "runbook_url", url, sizeof(url));
    if (strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0) {
        (void)snprintf(ret->recommendation, sizeof(ret->recommendation), "Runbook: %s", url);
    }
}

static int read_one(const struct json_object *item, size_t index, struct foreign_alert *ret,
                    struct err *err)
{
    const struct json_object *labels = json_get(item, "labels");
    const struct json_object *annotations = json_get(item, "annotations");
    struct str fingerprint = json_str(item, "fingerprint");
    const char *status = json_text(item, "status");
    *ret = (struct foreign_alert){.resolved = strcmp(status, "resolved") == 0};
    if (!json_is_object(item)) {
        return odd(err, index, "not an object");
    }
    if (!ret->resolved && strcmp(status, "firing") != 0) {
        return odd(err, index, "status is neither firing nor resolved");
    }
    if (!is_fingerprint(fingerprint)) {
        return odd(err, index, "fingerprint has to be 1 to 64 letters and digits");
    }
    if (!are_texts(labels) || !are_texts(annotations)) {
        return odd(err, index, "labels and annotations have to be objects of texts");
    }
    (void)snprintf(ret->fingerprint, sizeof(ret->fingerprint), SOURCE ":%.*s",
                   STR_ARG(fingerprint));
    ret->severity = foreign_severity(json_str(labels, "severity"));
    write_texts(labels, annotations, ret);
    return 0;
}

int foreign_read(struct str body, struct foreign_alert **ret, struct err *err)
{
    const struct json_limits limits = {.max_bytes = BODY_MAX, .max_depth = DEPTH_MAX};
    AUTO_JSON struct json_object *root = NULL;
    *ret = NULL;
    int rc = json_parse(body, &limits, &root, err);
    if (rc < 0) {
        return rc;
    }
    const struct json_object *items = json_get(root, "alerts");
    if (!json_is_object(root) || strcmp(json_text(root, "version"), "4") != 0) {
        return err_set(err, ERR_API_ALERTS, "version has to be \"4\"");
    }
    if (!json_is_array(items)) {
        return err_set(err, ERR_API_ALERTS, "alerts has to be an array");
    }
    size_t count = json_len(items);
    if (count > FOREIGN_MAX) {
        return err_set(err, ERR_API_ALERTS, "%zu alerts, at most %d at once", count, FOREIGN_MAX);
    }
    AUTO_FREE struct foreign_alert *list = calloc(count + 1, sizeof(*list));
    ASSERT(list != NULL);
    for (size_t i = 0; i < count; i++) {
        if ((rc = read_one(json_item(items, i), i, &list[i], err)) < 0) {
            return rc;
        }
    }
    *ret = TAKE(list);
    return (int)count;
}

int alerts_foreign(struct alerts *alerts, const struct foreign_alert *alert, struct err *err)
{
    if (alert->resolved) {
        return alerts_resolve(alerts, alert->fingerprint, "resolved, says Alertmanager", err);
    }
    const struct alert_spec spec = {
        .type = ALERT_SERVICE,
        .severity = alert->severity,
        .source = SOURCE,
        .fingerprint = alert->fingerprint,
        .title = alert->title,
        .description = alert->description,
        .recommendation = alert->recommendation,
    };
    int64_t id;
    return alerts_raise(alerts, &spec, &id, err);
}
