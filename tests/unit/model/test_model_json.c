/* docs/json.md and model_json describe the same fields. */
#include "base/check.h"
#include "fakes/json_page.h"
#include "model/model_json.h"
#include "unit/unit.h"

#include <stdlib.h>

static void add_account(struct json_out *out)
{
    AUTO_FREE struct snapshot *s = snapshot_new(1);
    model_json_account(out, s);
}

static void add_position(struct json_out *out)
{
    const struct position position = {
        .symbol = {"BTC-USD"}, .qty = {310000}, .opened_us = 1, .client_id = "nd-1-1"};
    model_json_position(out, &position);
}

static void add_order(struct json_out *out)
{
    model_json_order(out, &(struct order){.created_us = 1, .updated_us = 1});
}

static void add_fill(struct json_out *out)
{
    model_json_fill(out, &(struct fill){.at_us = 1});
}

static void add_trade(struct json_out *out)
{
    model_json_trade(out, &(struct trade){.id = 1, .opened_us = 1, .closed_us = 1});
}

static void add_decision(struct json_out *out)
{
    const struct decision d = {.at_us = 1,
                               .vote_count = 1,
                               .votes = {{.agent = "bull", .reason_count = 1}},
                               .rule_count = 1,
                               .rule_ids = {1}};
    model_json_decision(out, &d);
    model_json_votes(out, "votes", &d);
}

static void add_rule(struct json_out *out)
{
    model_json_rule(out, &(struct rule){.created_us = 1, .updated_us = 1});
}

static void add_alert(struct json_out *out)
{
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    assert_non_null(alert);
    *alert =
        (struct alert){.created_us = 1, .last_seen_us = 1, .acknowledged_us = 1, .fixed_us = 1};
    (void)str_copy(STR_LIT("[{\"pointer\":\"/a\",\"value\":1}]"), alert->evidence,
                   sizeof(alert->evidence));
    model_json_alert(out, alert);
}

static void add_err(struct json_out *out)
{
    struct err err = {0};
    (void)err_set(&err, ERR_BAD_UTF8, "line \"3\"");
    model_json_err(out, &err);
}

static void the_page_describes_each_entity(void **state)
{
    (void)state;
    const struct {
        const char *name;
        void (*add)(struct json_out *out);
    } entities[] = {
        {"account", add_account}, {"position", add_position}, {"order", add_order},
        {"fill", add_fill},       {"trade", add_trade},       {"decision", add_decision},
        {"rule", add_rule},       {"alert", add_alert},       {"error", add_err}};
    for (size_t i = 0; i < COUNT_OF(entities); i++) {
        AUTO_JSON struct json_object *object = json_object_new_object();
        struct json_out out = JSON_OUT_TREE(object);
        entities[i].add(&out);
        json_page_check(entities[i].name, object);
        json_page_done(entities[i].name);
    }
}

/* Some members of a snapshot exist only in some states. */
static void the_page_describes_a_snapshot_and_a_market(void **state)
{
    (void)state;
    AUTO_FREE struct snapshot *s = snapshot_new(1);
    s->version = 1;
    s->published_wall_us = 1;
    s->started_wall_us = 1;
    s->market_us = 1;
    s->state_since_us = 1;
    s->foreign_count = 1;
    s->last_err = ERR_DB_FULL;
    s->market_count = 1;
    s->markets[0].updated_us = 1;
    AUTO_JSON struct json_object *failed = json_object_new_object();
    AUTO_JSON struct json_object *slow = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(failed);
    s->disk = (struct snapshot_disk){.state = DISK_FAILED, .err = ERR_DB_FULL, .since_wall_us = 1};
    model_json_snapshot(&out, s);
    out = (struct json_out)JSON_OUT_TREE(slow);
    s->disk.state = DISK_SLOW;
    model_json_snapshot(&out, s);
    json_page_check("snapshot", failed);
    json_page_check("snapshot", slow);
    json_page_done("snapshot");
    json_page_check("market", json_item(json_get(slow, "markets"), 0));
    json_page_done("market");
}

UNIT_GROUP(model_json, cmocka_unit_test(the_page_describes_each_entity),
           cmocka_unit_test(the_page_describes_a_snapshot_and_a_market))
