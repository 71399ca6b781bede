#include "model/llm_request.h"

#include "io/json.h"

#define UNTRUSTED_MAX ((size_t)2 << 20)

void llm_add_untrusted(struct json_object *data, struct buf *out)
{
    AUTO_BUF struct buf text = BUF_INIT(UNTRUSTED_MAX);
    json_add_text(&text, data);
    buf_add_c(out, "<untrusted_data>");
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.data[i];
        if (byte == '<' || byte == '>') {
            buf_addf(out, "\\u%04x", (unsigned)byte);
        } else {
            buf_add_char(out, byte);
        }
    }
    buf_add_c(out, "</untrusted_data>");
}
