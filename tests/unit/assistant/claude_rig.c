#include "claude_rig.h"

#include "io/json.h"
#include "io/secret.h"
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

void claude_rig_on_answer(const struct llm_answer *a, void *userdata)
{
    struct claude_rig *rig = userdata;
    assert_false(rig->answered);
    rig->answered = true;
    rig->err_id = a->err.id;
    (void)str_copy(str_c(a->err.context), rig->context, sizeof(rig->context));
    (void)str_copy(str_c(a->text), rig->text, sizeof(rig->text));
    (void)str_copy(str_c(a->request_id), rig->request_id, sizeof(rig->request_id));
    rig->attempts = a->attempts;
    rig->tokens = a->input_tokens;
    rig->cache_read_tokens = a->cache_read_tokens;
    rig->cache_write_tokens = a->cache_write_tokens;
    rig->cost_usd = a->cost_usd;
}

static struct claude_options options_of(struct claude_rig *rig)
{
    return (struct claude_options){.loop = rig->loop,
                                   .http = rig->http,
                                   .api_url = rig->url,
                                   .api_key = FAKE_CLAUDE_KEY,
                                   .model = rig->model,
                                   .max_tokens = 1000,
                                   .timeout_ms = 2000,
                                   .ledger = &rig->ledger};
}

int claude_rig_set_up(void **state)
{
    struct claude_rig *rig = calloc(1, sizeof(*rig));
    struct err err = {0};
    assert_non_null(rig);
    assert_int_equal(secret_init(&err), 0);
    rig->loop = loop_new(&err);
    rig->http = http_new(rig->loop, &err);
    assert_int_equal(fake_claude_start(&rig->fake), 0);
    assert_int_equal(ops_store_open(":memory:", OPS_STORE_WRITE, &rig->store, &err), 0);
    rig->ledger = (struct ledger){.store = rig->store, .clock = clock_real()};
    rig->model = "claude-sonnet-5-5";
    rig->user = "matter";
    (void)snprintf(rig->url, sizeof(rig->url), "http://127.0.0.1:%u/", fake_claude_port(rig->fake));
    struct claude_options options = options_of(rig);
    assert_int_equal(claude_new(&options, &rig->claude, &err), 0);
    *state = rig;
    return 0;
}

int claude_rig_tear_down(void **state)
{
    struct claude_rig *rig = *state;
    claude_free(rig->claude);
    http_free(rig->http);
    loop_free(rig->loop);
    ops_store_free(rig->store);
    fake_claude_stop(rig->fake);
    free(rig);
    return 0;
}

void claude_rig_apply(struct claude_rig *rig)
{
    struct claude_options options = options_of(rig);
    assert_int_equal(claude_apply(rig->claude, &options, NULL), 0);
}

void claude_rig_ask(struct claude_rig *rig, const char *schema_text)
{
    AUTO_JSON struct json_object *schema = NULL;
    if (schema_text != NULL) {
        assert_int_equal(json_parse(str_c(schema_text), &JSON_LIMITS_DEFAULT, &schema, NULL), 0);
    }
    struct llm_client llm_client = claude_llm_client(rig->claude);
    void *handle = NULL;
    struct llm_request q = {.system = "rules", .user = rig->user, .schema = schema};
    rig->answered = false;
    assert_int_equal(llm_client.ask(llm_client.self, &q, claude_rig_on_answer, rig, &handle, NULL),
                     0);
    assert_false(rig->answered);
    for (int i = 0; i < 200 && !rig->answered; i++) {
        (void)loop_iterate(rig->loop, 50000);
    }
    assert_true(rig->answered);
}

int claude_rig_try(struct claude_rig *rig, struct err *err)
{
    struct llm_client llm_client = claude_llm_client(rig->claude);
    void *handle = NULL;
    struct llm_request q = {.system = "rules", .user = rig->user};
    int rc = llm_client.ask(llm_client.self, &q, claude_rig_on_answer, rig, &handle, err);
    assert_true(rc < 0);
    return rc;
}
