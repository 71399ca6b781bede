/* A reply read from the outbox: any input gives a reply that can be rendered, or an error. */
#include "chat/render.h"
#include "command/reply.h"
#include "command/reply_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_REPLY struct reply *reply = NULL;
    AUTO_BUF struct buf out = BUF_INIT((size_t)1 << 20);
    AUTO_RENDER_PARTS struct render_parts parts = {0};
    struct err err = {0};
    if (reply_json_read((const char *)data, size, &reply, &err) == 0) {
        render_text(reply, &(struct render_text_options){.buttons = true}, &out);
        render_html(reply, &parts);
    }
    return 0;
}
