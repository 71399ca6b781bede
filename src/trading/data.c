#include "data.h"

#include "base/check.h"
#include "base/clock.h"

void data_add(struct json_object *object, const char *key, struct json_object *value)
{
    ASSERT(json_object_object_add(object, key, value) == 0);
}

void data_add_dec(struct json_object *object, const char *key, struct dec value)
{
    char text[DEC_TEXT_SIZE];
    data_add(object, key, json_object_new_string(dec_text(value, text)));
}

void data_add_time(struct json_object *object, const char *key, int64_t wall_us)
{
    AUTO_BUF struct buf text = BUF_INIT(64);
    clock_add_iso(&text, wall_us, false);
    data_add(object, key, json_object_new_string(text.data));
}

void data_add_decision(struct json_object *object, const struct decision *d)
{
    data_add(object, "decision_id", json_object_new_int64(d->id));
    data_add(object, "symbol", json_object_new_string(d->symbol.name));
    data_add_time(object, "at", d->at_us);
    data_add_dec(object, "price", d->price);
    data_add(object, "regime", json_object_new_string(regime_name(d->regime)));
    data_add(object, "score", json_object_new_double(d->score));
    data_add(object, "threshold", json_object_new_double(d->threshold));
    data_add(object, "direction", json_object_new_string(direction_name(d->direction)));
    data_add(object, "outcome", json_object_new_string(outcome_name(d->outcome)));
    data_add(object, "veto_code", json_object_new_string(d->veto_code));
    data_add(object, "veto_text", json_object_new_string(d->veto_text));
    data_add_dec(object, "veto_max_qty", d->veto_max_qty);
    data_add_dec(object, "qty", d->qty);
    data_add_dec(object, "stop", d->stop);
    data_add_dec(object, "target", d->target);
    struct json_object *rules = json_object_new_array();
    for (int i = 0; i < d->rule_count; i++) {
        (void)json_object_array_add(rules, json_object_new_int64(d->rule_ids[i]));
    }
    data_add(object, "rules", rules);
    data_add(object, "client_id", json_object_new_string(d->client_id));
}
