#include "base/check.h"
#include "base/log.h"
#include "config/config.h"
#include "io/json_out.h"
#include "io/loop.h"
#include "telegram_internal.h"

#include <stdlib.h>
#include <string.h>

#define CALL_TIMEOUT_MS INT64_C(10000)

struct rotation {
    struct telegram *t;
    struct telegram_rotation o; /* token: see below */
    char *token;
    struct telegram_api *api; /* with the new token */
    char username[33];
    struct loop_source *gone;
    bool other;   /* another bot */
    bool stopped; /* the polls with the old token are */
    bool ended;   /* done was called; freed from the loop, since its client may be at work */
};

static void rotation_free(struct rotation *r)
{
    loop_source_free(r->gone);
    telegram_api_free(r->api);
    explicit_bzero(r->token, strlen(r->token));
    free(r->token);
    free(r);
}

void telegram_rotate_cancel(struct telegram *telegram)
{
    struct rotation *r = telegram == NULL ? NULL : TAKE(telegram->rotation);
    if (r == NULL) {
        return;
    }
    if (r->stopped && !r->ended) {
        telegram_poll_start(telegram->poll);
    }
    rotation_free(r);
}

static void on_gone(void *userdata)
{
    struct rotation *r = userdata;
    r->t->rotation = NULL;
    rotation_free(r);
}

static void end(struct rotation *r, const struct err *err)
{
    r->ended = true;
    loop_defer(r->gone);
    r->o.done(err, r->username, r->o.userdata);
}

/* From here on the new token is in use. The polls begin with getMe, as at a start, which also opens
 * a channel that was closed because the old token was refused. */
static void take(struct rotation *r)
{
    struct telegram *t = r->t;
    struct err err = {0};
    int rc = telegram_api_set_token(t->api, t->options.config->telegram_api_url, r->token, &err);
    ASSERT(rc == 0); /* the same was accepted for r->api */
    if (r->other) {
        telegram_poll_forget(t->poll);
    }
    telegram_poll_start(t->poll);
    LOG(NOTICE, "telegram: a new token is in use, of @%s", r->username);
    end(r, NULL);
}

static void on_polled(const struct telegram_answer *answer, void *userdata)
{
    struct rotation *r = userdata;
    if (answer->result == TELEGRAM_OK) {
        take(r);
        return;
    }
    struct err err = answer->err;
    telegram_poll_start(r->t->poll); /* with the old one */
    end(r, &err);
}

/* A short poll, which confirms only what the old one would have. */
static void try_poll(struct rotation *r)
{
    struct json_object *params = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(params);
    int64_t offset = r->other ? 0 : telegram_poll_offset(r->t->poll);
    telegram_poll_stop(r->t->poll); /* two polls of one bot end each other */
    r->stopped = true;
    if (offset > 0) {
        json_out_i64(&out, "offset", offset);
    }
    json_out_i64(&out, "limit", 1);
    json_out_i64(&out, "timeout", 1);
    (void)telegram_api_call(
        r->api,
        &(struct telegram_request){
            .method = "getUpdates", .params = params, .held = true, .timeout_ms = CALL_TIMEOUT_MS},
        on_polled, r);
}

/* The number before the colon is the id of the bot. */
static int64_t bot_of(const char *token)
{
    int64_t id = 0;
    (void)str_to_i64(str_n(token, strcspn(token, ":")), &id);
    return id;
}

static void on_me(const struct telegram_answer *answer, void *userdata)
{
    struct rotation *r = userdata;
    int64_t now = bot_of(r->t->options.config->telegram_bot_token);
    int64_t id = json_i64(answer->value, "id", 0);
    struct err err = answer->err;
    if (answer->result != TELEGRAM_OK) {
        end(r, &err);
        return;
    }
    (void)str_copy(str_c(json_text(answer->value, "username")), r->username, sizeof(r->username));
    r->other = id != now;
    if (r->other && !r->o.other_bot) {
        (void)err_set(&err, ERR_TELEGRAM_OTHER_BOT, "@%s (%lld) instead of %s%s (%lld)",
                      r->username, (long long)id, r->t->username[0] != '\0' ? "@" : "",
                      r->t->username, (long long)now);
        end(r, &err);
        return;
    }
    try_poll(r);
}

int telegram_rotate(struct telegram *telegram, const struct telegram_rotation *rotation,
                    struct err *err)
{
    struct telegram *t = telegram;
    if (t == NULL || t->state == TELEGRAM_OFF || t->state == TELEGRAM_STOPPED) {
        return err_set(err, ERR_TELEGRAM_UNREACHABLE,
                       "Telegram is off; a first token needs a "
                       "restart");
    }
    if (t->rotation != NULL && !t->rotation->ended) {
        return err_set(err, ERR_COMMAND_LOCKED, "another token is being checked");
    }
    telegram_rotate_cancel(t); /* one that has ended */
    struct rotation *r = calloc(1, sizeof(*r));
    ASSERT(r != NULL);
    *r = (struct rotation){.t = t, .o = *rotation, .token = strdup(rotation->token)};
    ASSERT(r->token != NULL);
    r->gone = loop_add_deferred(t->options.loop, on_gone, r);
    int rc = telegram_api_new(t->options.loop, t->options.helpers,
                              t->options.config->telegram_api_url, r->token, &r->api, err);
    if (rc < 0) {
        rotation_free(r);
        return rc;
    }
    t->rotation = r;
    (void)telegram_api_call(
        r->api, &(struct telegram_request){.method = "getMe", .timeout_ms = CALL_TIMEOUT_MS}, on_me,
        r);
    return 0;
}
