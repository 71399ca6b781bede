/* docs/json.md and model_json describe the same fields. */
#include "base/check.h"
#include "fakes/json_page.h"
#include "model/model_json.h"
#include "unit/unit.h"

#include <stdlib.h>

#define PAGE_MAX ((size_t)1 << 20)

static struct buf page = BUF_INIT(PAGE_MAX);
static struct buf seen = BUF_INIT(PAGE_MAX);

static int read_page(void **state)
{
    (void)state;
    return json_page_read("docs/json.md", &page, NULL);
}

static int release_page(void **state)
{
    (void)state;
    buf_release(&page);
    buf_release(&seen);
    return 0;
}

static void check(const char *name, const struct json_object *object)
{
    AUTO_BUF struct buf why = BUF_INIT(4096);
    if (!json_page_describes(buf_str(&page), name, object, &seen, &why)) {
        fail_msg("docs/json.md: %s", why.data);
    }
}

/* Each row of the table was used. */
static void done(const char *name)
{
    AUTO_BUF struct buf field = BUF_INIT(256);
    if (json_page_unused(buf_str(&page), name, &seen, &field)) {
        fail_msg("docs/json.md, %s: %s is not written", name, field.data);
    }
}

static void add_account(struct json_out *out)
{
    AUTO_FREE struct snapshot *s = snapshot_new(1);
    model_json_account(out, s);
}

static void add_position(struct json_out *out)
{
    AUTO_FREE struct snapshot *s = snapshot_new(1);
    s->positions[0] = (struct position){
        .symbol = {"BTC-USD"}, .qty = {310000}, .opened_us = 1, .client_id = "nd-1-1"};
    model_json_position(out, s, 0);
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
    (void)str_copy(STR_LIT("[{\"pointer\":\"/a\",\"value\":1,\"verified\":true,\"note\":\"n\"}]"),
                   alert->evidence, sizeof(alert->evidence));
    model_json_alert(out, alert);
}

static void add_finding(struct json_out *out)
{
    const struct finding finding = {
        .type = ALERT_PATTERN,
        .evidence_count = 1,
        .evidence = {{.pointer = "/a", .cited = {.text = "1.50"}, .note = "n"}},
        .check = {.present = true, .pointer = "/a", .value = {.text = "2"}}};
    model_json_finding(out, &finding, "auditor:pattern:1");
}

static void add_run(struct json_out *out)
{
    const struct run_row row = {
        .state = RUN_FAILED, .created_us = 1, .updated_us = 1, .err_id = ERR_DB_FULL};
    model_json_run(out, &row);
    model_json_approval(out, "K7QF", 1, "stop everything");
}

static void add_step(struct json_out *out)
{
    const struct run_step step = {.started_us = 1, .ended_us = 2, .outputs = "{\"a\":\"b\"}"};
    model_json_step(out, &step);
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
        {"rule", add_rule},       {"alert", add_alert},       {"finding", add_finding},
        {"run", add_run},         {"step", add_step},         {"error", add_err}};
    for (size_t i = 0; i < COUNT_OF(entities); i++) {
        AUTO_JSON struct json_object *object = json_object_new_object();
        struct json_out out = JSON_OUT_TREE(object);
        entities[i].add(&out);
        check(entities[i].name, object);
        done(entities[i].name);
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
    s->venue.account.balance_count = 1;
    s->last_err = ERR_DB_FULL;
    s->market_count = 1;
    s->markets[0].updated_us = 1;
    s->markets[0].bid = s->markets[0].ask = (struct dec){1};
    s->markets[0].bid_depth = s->markets[0].ask_depth = (struct dec){1};
    AUTO_JSON struct json_object *failed = json_object_new_object();
    AUTO_JSON struct json_object *slow = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(failed);
    s->disk = (struct snapshot_disk){.state = DISK_FAILED, .err = ERR_DB_FULL, .since_wall_us = 1};
    s->stream = (struct snapshot_stream){.venue = "binance"};
    model_json_snapshot(&out, s);
    out = (struct json_out)JSON_OUT_TREE(slow);
    s->disk.state = DISK_SLOW;
    model_json_snapshot(&out, s);
    check("snapshot", failed);
    check("snapshot", slow);
    done("snapshot");
    check("market", json_item(json_get(slow, "markets"), 0));
    done("market");
}

static bool describes(const char *text, const char *name)
{
    static const char tables[] =
        "### one\n\n| field | type | unit | meaning |\n|---|---|---|---|\n"
        "| a | integer | | |\n| b.c | text | | |\n| d[].e | number or text | | |\n"
        "| f | object | | a *two* |\n| f.own | boolean | | |\n| g.SYMBOL.h | time | | |\n\n"
        "### two\n\n| field | type | unit | meaning |\n|---|---|---|---|\n| x | number | | |\n\n"
        "### three\n\nAll fields of a *two*, and:\n\n| y | any | | |\n";
    AUTO_BUF struct buf why = BUF_INIT(4096);
    AUTO_JSON struct json_object *object = NULL;
    assert_int_equal(json_parse(str_c(text), &JSON_LIMITS_DEFAULT, &object, NULL), 0);
    return json_page_describes(str_c(tables), name, object, NULL, &why);
}

static void a_member_without_a_row_is_found(void **state)
{
    (void)state;
    assert_true(
        describes("{\"a\":1,\"b\":{\"c\":\"x\"},\"d\":[{\"e\":1.5},{\"e\":\"x\"}]}", "one"));
    assert_true(describes("{\"a\":null,\"b\":null,\"d\":[]}", "one"));
    assert_true(describes("{\"f\":{\"x\":1,\"own\":true}}", "one"));
    assert_true(describes("{\"g\":{\"BTC-USD\":{\"h\":\"2026-01-01T00:00:00Z\"}}}", "one"));
    assert_true(describes("{\"x\":1,\"y\":[{\"z\":1}]}", "three"));
    static const char *const wrong[] = {
        "{\"z\":1}",
        "{\"a\":1.5}",
        "{\"a\":\"x\"}",
        "{\"b\":{\"z\":1}}",
        "{\"b\":1}",
        "{\"d\":[{\"e\":1},{\"z\":1}]}",
        "{\"d\":[{\"e\":true}]}",
        "{\"f\":{\"z\":1}}",
        "{\"g\":{\"BTC-USD\":{\"z\":1}}}",
        "{\"g\":{\"BTC-USD\":{\"h\":\"x\"}}}",
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_false(describes(wrong[i], "one"));
    }
    assert_false(describes("{\"z\":1}", "three"));
    assert_false(describes("{}", "four"));
}

UNIT_GROUP(model_json, cmocka_unit_test(a_member_without_a_row_is_found),
           cmocka_unit_test_setup_teardown(the_page_describes_each_entity, read_page, release_page),
           cmocka_unit_test_setup_teardown(the_page_describes_a_snapshot_and_a_market, read_page,
                                           release_page))
