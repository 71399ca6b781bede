/* The JSON reader: an accepted value must be equal after printing and parsing it again. */
#include "io/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    return 0;
}
