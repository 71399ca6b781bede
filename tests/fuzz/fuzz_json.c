/* The JSON reader and writer: an accepted value must be equal after writing and reading it again.
 */
#include "io/json.h"
#include "io/json_out.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int depth_of(const struct json_object *value)
{
    int deepest = 0;
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_len(value); i++) {
            int depth = depth_of(json_item(value, i));
            deepest = depth > deepest ? depth : deepest;
        }
    } else if (json_is_object(value)) {
        struct json_object_iter it;
        json_object_object_foreachC(value, it)
        {
            int depth = depth_of(it.val);
            deepest = depth > deepest ? depth : deepest;
        }
    } else {
        return 0;
    }
    return deepest + 1;
}

static void check_writer(const struct json_object *value)
{
    AUTO_BUF struct buf text = BUF_INIT((size_t)1 << 22);
    AUTO_JSON struct json_object *again = NULL;
    const struct json_limits limits = JSON_LIMITS_DEFAULT;
    struct json_out out = JSON_OUT(&text);
    if (depth_of(value) > JSON_OUT_DEPTH) {
        return;
    }
    json_out_value(&out, NULL, value);
    if (!buf_failed(&text) && (json_parse(buf_str(&text), &limits, &again, NULL) < 0 ||
                               !json_object_equal((struct json_object *)(uintptr_t)value, again))) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_JSON struct json_object *value = NULL;
    AUTO_JSON struct json_object *again = NULL;
    AUTO_BUF struct buf text = BUF_INIT((size_t)1 << 22);
    struct err err = {0};
    const struct json_limits limits = JSON_LIMITS_DEFAULT;
    int rc = json_parse(str_n((const char *)data, size), &limits, &value, &err);
    if (rc < 0) {
        if (err.id != -rc || value != NULL) {
            abort();
        }
        return 0;
    }
    json_add_text(&text, value);
    if (!buf_failed(&text) && json_parse(buf_str(&text), &limits, &again, &err) < 0) {
        abort();
    }
    check_writer(value);
    return 0;
}
