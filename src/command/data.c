#include "data.h"

#include "base/check.h"
#include "base/clock.h"

void data_put(struct json_object *object, const char *key, struct json_object *value)
{
    ASSERT(json_object_object_add(object, key, value) == 0);
}

void data_put_dec(struct json_object *object, const char *key, struct dec value)
{
    char text[DEC_TEXT_SIZE];
    data_put(object, key, json_object_new_string(dec_text(value, text)));
}

void data_put_time(struct json_object *object, const char *key, int64_t wall_us)
{
    AUTO_BUF struct buf text = BUF_INIT(64);
    clock_add_iso(&text, wall_us, false);
    data_put(object, key, json_object_new_string(text.data));
}
