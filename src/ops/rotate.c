#include "base/check.h"
#include "base/clock.h"
#include "chat/telegram.h"
#include "io/json_out.h"
#include "reload_internal.h"

#include <stdlib.h>
#include <string.h>

#define TELEGRAM "telegram"
#define API      "api"

/* The option of a secret. */
struct secret_kind {
    const char *which;
    const char *path;
    const char *name; /* that nightdesk secret set takes */
};

static const struct secret_kind *kind_of(const struct action_call *call)
{
    static const struct secret_kind kinds[] = {
        {TELEGRAM, "telegram.bot_token", "TELEGRAM_BOT_TOKEN"},
        {API, "api.token", "NIGHTDESK_API_TOKEN"}};
    return &kinds[strcmp(action_text(call, "which"), TELEGRAM) == 0 ? 0 : 1];
}

static const char *value_of(const struct secret_kind *kind, const struct config *config)
{
    return strcmp(kind->which, TELEGRAM) == 0 ? config->telegram_bot_token : config->api_token;
}

/* Reads the secrets again, and checks that this one is new and nothing else would change. */
static int read_new(const struct reload *reload, const struct secret_kind *kind,
                    struct reload_fresh *ret, struct err *err)
{
    int rc = reload_read(reload, NULL, ret, err);
    rc = rc < 0 ? rc : reload_compare_taking(reload, kind->path, ret, err);
    if (rc < 0) {
        return rc;
    }
    const char *value = value_of(kind, ret->config);
    if (value[0] == '\0' || strcmp(value, value_of(kind, reload->config)) == 0) {
        return err_set(err, ERR_TOKEN_UNCHANGED, "%s%s; usually sudo nightdesk secret set %s",
                       kind->path, value[0] == '\0' ? " would be empty" : "", kind->name);
    }
    return 0;
}

/* ------------------------------------------------------------------ Telegram */

struct rotating {
    struct reload *reload;
    struct action_call *call;
    const struct secret_kind *kind;
    char *token; /* that was checked */
};

static void rotating_free(struct rotating *r)
{
    explicit_bzero(r->token, strlen(r->token));
    free(r->token);
    free(r);
}

/* Records that the secret is in use. */
static int record(struct reload *reload, struct action_call *call, struct reload_fresh *fresh,
                  struct err *err)
{
    char why[64];
    int64_t id = 0;
    (void)snprintf(why, sizeof(why), "rotate_token %s", action_text(call, "which"));
    const struct reload_wish wish = {.who = action_who(call), .why = why};
    int rc = reload_use(reload, fresh, &wish, &id, err);
    struct json_out data = JSON_OUT_TREE(reply_data(action_reply(call)));
    json_out_text(&data, "rotated", action_text(call, "which"));
    json_out_i64(&data, "config_version_id", id);
    return rc;
}

/* The bot works with the new token, whatever fails from here on. */
static int end_telegram(const struct rotating *r, const char *username, struct err *err)
{
    AUTO_RELOAD_FRESH struct reload_fresh fresh = RELOAD_FRESH_INIT;
    struct err why = {0};
    struct reply *reply = action_reply(r->call);
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    reply_title(reply, TONE_GOOD, "Telegram has a new token");
    reply_line(reply,
               "getMe and a poll of @%s succeeded with it. What waited in the outbox is "
               "sent now.",
               username);
    json_out_text(&data, "bot", username);
    int rc = read_new(r->reload, r->kind, &fresh, &why);
    if (rc == 0 && strcmp(value_of(r->kind, fresh.config), r->token) != 0) {
        rc = err_set(&why, ERR_CONFIG_CHANGED, "another token was stored meanwhile");
    }
    rc = rc < 0 ? rc : record(r->reload, r->call, &fresh, &why);
    return rc < 0 ? err_set(err, ERR_TOKEN_UNRECORDED, "%s: %.300s", err_info(why.id)->code,
                            why.context)
                  : 0;
}

static void on_rotated(const struct err *failed, const char *username, void *userdata)
{
    struct rotating *r = userdata;
    struct action_call *call = r->call;
    struct err err = {0};
    int rc = 0;
    action_set_state(call, NULL);
    if (failed != NULL && failed->id == ERR_TELEGRAM_TOKEN_REFUSED) {
        rc = err_set(&err, ERR_TOKEN_REFUSED, "%.300s", failed->context);
    } else if (failed != NULL) {
        err = *failed;
        rc = -err.id;
    } else {
        rc = end_telegram(r, username, &err);
    }
    rotating_free(r);
    action_finish(call, rc < 0 ? &err : NULL);
}

static int begin_telegram(struct reload *reload, struct action_call *call, const char *token,
                          struct err *err)
{
    struct rotating *r = calloc(1, sizeof(*r));
    ASSERT(r != NULL);
    *r = (struct rotating){
        .reload = reload, .call = call, .kind = kind_of(call), .token = strdup(token)};
    ASSERT(r->token != NULL);
    const struct telegram_rotation rotation = {
        .token = r->token,
        .other_bot = strcmp(action_text(call, "other_bot"), "yes") == 0,
        .done = on_rotated,
        .userdata = r};
    int rc = reload->o.rotate(&rotation, reload->o.userdata, err);
    if (rc < 0) {
        rotating_free(r);
        return rc;
    }
    action_set_state(call, r);
    action_progress(call, "asking Telegram with the new token");
    return ACTION_PENDING;
}

static void cancel(struct action_call *call)
{
    struct reload *reload = action_userdata(call);
    reload->o.rotate_cancel(reload->o.userdata);
    rotating_free(action_state(call));
}

/* ------------------------------------------------------------------ the action */

static int run(struct action_call *call, struct err *err)
{
    struct reload *reload = action_userdata(call);
    const struct secret_kind *kind = kind_of(call);
    AUTO_RELOAD_FRESH struct reload_fresh fresh = RELOAD_FRESH_INIT;
    int rc = read_new(reload, kind, &fresh, err);
    if (rc < 0) {
        return rc;
    }
    if (strcmp(kind->which, TELEGRAM) == 0) {
        return begin_telegram(reload, call, value_of(kind, fresh.config), err);
    }
    struct reply *reply = action_reply(call);
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    int64_t now_us = clock_wall_us(reload->o.clock);
    int64_t until_us = now_us + action_duration_us(call, "grace");
    reload->o.api_grace(until_us, reload->o.userdata);
    reply_title(reply, TONE_GOOD, "The API has a new token");
    reply_para(reply, "The old one is accepted until {}.", cell_time(until_us, now_us));
    json_out_time(&data, "old_valid_until", until_us);
    return record(reload, call, &fresh, err);
}

static int preview(struct action_call *call, struct err *err)
{
    struct reload *reload = action_userdata(call);
    const struct secret_kind *kind = kind_of(call);
    struct reply *reply = action_reply(call);
    AUTO_RELOAD_FRESH struct reload_fresh fresh = RELOAD_FRESH_INIT;
    int rc = read_new(reload, kind, &fresh, err);
    if (rc < 0) {
        return rc;
    }
    if (strcmp(kind->which, API) == 0) {
        reply_para(reply, "The new api.token is valid at once. The old one stays valid for {}.",
                   cell_duration(action_duration_us(call, "grace")));
        return 0;
    }
    const char *now = reload->config->telegram_bot_token;
    const char *next = fresh.config->telegram_bot_token;
    size_t len = strcspn(next, ":");
    bool same = len == strcspn(now, ":") && strncmp(now, next, len) == 0;
    reply_line(reply,
               "A new token of %s bot (%.*s) is stored. It is tried with getMe and a poll; if one "
               "fails, the old token stays in use.",
               same ? "the same" : "ANOTHER", (int)(len > 20 ? 20 : len), next);
    return 0;
}

/* The start after the crash has read the secrets. */
static int recover(struct action_call *call, bool *ret_happened, struct err *err)
{
    (void)err;
    *ret_happened = true;
    reply_line(action_reply(call),
               "nightdesk was restarted meanwhile and uses the stored secret since then; /status "
               "shows whether it is accepted.");
    return 0;
}

static const struct action actions[] = {
    {.name = "token.rotate",
     .summary = "Use the new secret that is stored, once it is known to work",
     .data = "rotated bot old_valid_until config_version_id",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .locks = "configuration",
     .params = ACTION_PARAMS({.name = "which",
                              .type = PARAM_CHOICE,
                              .required = true,
                              .choices = TELEGRAM "|" API,
                              .help = "which secret"},
                             {.name = "grace",
                              .type = PARAM_DURATION,
                              .minimum = "1s",
                              .maximum = "7d",
                              .default_text = "1h",
                              .help = "api: how long the old one stays valid"},
                             {.name = "other_bot",
                              .type = PARAM_CHOICE,
                              .choices = "no|yes",
                              .default_text = "no",
                              .help = "telegram: whether it may be that of another bot"}),
     .run = run,
     .cancel = cancel,
     .recover = recover,
     .preview = preview},
    {0},
};

void rotate_actions(struct reload *reload, struct action_table *table)
{
    action_table_add(table, actions, reload);
}
