/*
 * claude_rig.h: the Claude client with a ledger in memory, on a loop of its own, against the fake.
 *
 *     fake_claude_reply_with(rig->fake, "{}", NULL);
 *     claude_rig_ask(rig, NULL);
 *     assert_int_equal(rig->err_id, ERR_NONE);
 *
 * Thread: main thread of the test binary.
 */
#pragma once

#include "assistant/claude.h"
#include "assistant/ledger.h"
#include "fakes/fake_claude.h"
#include "io/http.h"
#include "io/loop.h"

struct claude_rig {
    struct loop *loop;
    struct http *http;
    struct fake_claude *fake;
    struct ops_store *store;
    struct ledger ledger; /* without a budget at first */
    struct claude *claude;
    char url[64];
    const char *model; /* of claude_rig_apply */
    const char *user;
    /* The last answer. */
    bool answered;
    int err_id;
    char context[256];
    char text[256];
    char request_id[64];
    int attempts;
    int64_t tokens;
    int64_t cache_read_tokens;
    int64_t cache_write_tokens;
    struct dec cost_usd;
};

/* cmocka set-up and tear-down: *state is the rig. */
int claude_rig_set_up(void **state);
int claude_rig_tear_down(void **state);
/* Sends a request and waits for its answer. schema_text NULL: free text. */
void claude_rig_ask(struct claude_rig *rig, const char *schema_text);
/* The return value of ask, which must refuse the request at once. */
int claude_rig_try(struct claude_rig *rig, struct err *err);
/* The options of the set-up again, with rig->model. */
void claude_rig_apply(struct claude_rig *rig);
void claude_rig_on_answer(const struct llm_answer *answer, void *rig);
