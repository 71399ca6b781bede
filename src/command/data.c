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

void data_put_decision(struct json_object *object, const struct decision *d)
{
    data_put(object, "decision_id", json_object_new_int64(d->id));
    data_put(object, "symbol", json_object_new_string(d->symbol.name));
    data_put_time(object, "at", d->at_us);
    data_put_dec(object, "price", d->price);
    data_put(object, "regime", json_object_new_string(regime_name(d->regime)));
    data_put(object, "score", json_object_new_double(d->score));
    data_put(object, "threshold", json_object_new_double(d->threshold));
    data_put(object, "direction", json_object_new_string(direction_name(d->direction)));
    data_put(object, "outcome", json_object_new_string(outcome_name(d->outcome)));
    data_put(object, "veto_code", json_object_new_string(d->veto_code));
    data_put(object, "veto_text", json_object_new_string(d->veto_text));
    data_put_dec(object, "veto_max_qty", d->veto_max_qty);
    data_put_dec(object, "qty", d->qty);
    data_put_dec(object, "stop", d->stop);
    data_put_dec(object, "target", d->target);
    struct json_object *rules = json_object_new_array();
    for (int i = 0; i < d->rule_count; i++) {
        (void)json_object_array_add(rules, json_object_new_int64(d->rule_ids[i]));
    }
    data_put(object, "rules", rules);
    data_put(object, "client_id", json_object_new_string(d->client_id));
}
