#include "assistant/tool_document.h"

#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "command/reply_json.h"
#include "io/json.h"
#include "io/json_out.h"
#include "report/privacy.h"

#include <string.h>

#define TEXT_SHOWN 600 /* bytes of one text, once something has to be left out */
#define DEPTH_MAX  16

static void copy_text(struct json_out *out, const char *key, struct str text, size_t items)
{
    char shown[TEXT_SHOWN + 1];
    str_cut(text, shown, sizeof(shown));
    json_out_str(out, key, items == SIZE_MAX ? text : str_c(shown));
}

/* A list of which only the first items are kept has its length beside it: "trades_in_all": 200. */
static void copy_value(struct json_out *out, const char *key, struct json_object *value,
                       size_t items, int depth)
{
    if (depth > DEPTH_MAX) {
        json_out_text(out, key, "…");
    } else if (json_is_object(value)) {
        json_out_object(out, key);
        json_object_object_foreach(value, name, member)
        {
            copy_value(out, name, member, items, depth + 1);
        }
        json_out_end(out);
    } else if (json_is_array(value)) {
        json_out_array(out, key);
        for (size_t i = 0; i < json_len(value) && i < items; i++) {
            copy_value(out, NULL, json_item(value, i), items, depth + 1);
        }
        json_out_end(out);
        if (json_len(value) > items && key != NULL) {
            AUTO_BUF struct buf name = BUF_INIT(256);
            buf_addf(&name, "%s_in_all", key);
            json_out_i64(out, name.data, (int64_t)json_len(value));
        }
    } else if (json_is_text(value)) {
        copy_text(out, key, json_value_str(value), items);
    } else {
        json_out_value(out, key, value);
    }
}

static size_t size_of(struct json_object *value)
{
    AUTO_BUF struct buf text = BUF_INIT(8 * TOOL_DOCUMENT_MAX);
    json_add_text(&text, value);
    return buf_failed(&text) ? SIZE_MAX : text.len;
}

/* The largest version that fits; a last one holds only a note. */
static struct json_object *bounded(struct json_object *whole)
{
    static const size_t steps[] = {SIZE_MAX, 100, 50, 25, 12, 6, 3, 1};
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        struct json_object *shorter = json_object_new_object();
        struct json_out out = JSON_OUT_TREE(shorter);
        json_object_object_foreach(whole, key, member)
        {
            copy_value(&out, key, member, steps[i], 0);
        }
        if (i > 0) {
            json_out_text(&out, "note",
                          "This is not all: long lists and texts are cut. A member that ends in "
                          "_in_all is the length of the whole list. Ask for less at a time.");
        }
        if (size_of(shorter) <= TOOL_DOCUMENT_MAX) {
            return shorter;
        }
        (void)json_object_put(shorter);
    }
    struct json_object *nothing = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(nothing);
    json_out_text(&out, "note", "The result is too long. Ask for less at a time.");
    return nothing;
}

/* Without ids and names of people, hosts and registered secrets. */
static struct json_object *cleaned(const struct tool_document_sources *sources,
                                   struct json_object *document)
{
    struct privacy *privacy = privacy_new(sources->config);
    AUTO_JSON struct json_object *root = json_object_new_object();
    AUTO_BUF struct buf text = BUF_INIT(8 * TOOL_DOCUMENT_MAX);
    struct json_object *safe = NULL;
    struct json_out out = JSON_OUT_TREE(root);
    json_out_value(&out, "untrusted", document);
    (void)json_object_put(document);
    privacy_add_people(privacy, sources->store);
    privacy_clean(privacy, root);
    privacy_free(privacy);
    json_add_text(&text, json_get(root, "untrusted"));
    log_redact(text.data);
    text.len = strlen(text.data);
    if (json_parse(buf_str(&text), &JSON_LIMITS_DEFAULT, &safe, NULL) < 0) {
        safe = json_object_new_object();
    }
    return safe;
}

static void add_error(struct json_out *out, const struct err *err)
{
    const struct err_info *info = err_info(err->id);
    json_out_object(out, "error");
    json_out_text(out, "code", info->code);
    json_out_text(out, "message", info->message);
    json_out_text(out, "context", err->context);
    json_out_text(out, "remedy", info->remediation);
    json_out_end(out);
}

struct json_object *tool_document(const struct tool_document_sources *sources,
                                  const struct reply *reply, const struct err *err)
{
    AUTO_JSON struct json_object *whole = json_object_new_object();
    AUTO_JSON struct json_object *all = reply_json(reply);
    struct json_out out = JSON_OUT_TREE(whole);
    struct json_object *data = json_get(all, "data");
    if (reply_get_title(reply)[0] != '\0') {
        json_out_text(&out, "title", reply_get_title(reply));
    }
    if (json_is_object(data) && json_object_object_length(data) > 0) {
        json_out_value(&out, "data", data);
    } else {
        json_out_value(&out, "blocks", json_get(all, "blocks"));
    }
    if (err != NULL) {
        add_error(&out, err);
    }
    return cleaned(sources, bounded(whole));
}
