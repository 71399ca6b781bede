#include "ops/outbox_actions.h"

#include "base/str.h"
#include "chat/telegram.h"
#include "command/action.h"
#include "store/outbox_table.h"

#include <stdio.h>

static int need_telegram(struct action_call *call, struct telegram **ret, struct err *err)
{
    const struct outbox_actions *actions = action_userdata(call);
    struct telegram_status status = {.state = TELEGRAM_OFF};
    if (actions->telegram != NULL) {
        telegram_status(actions->telegram, &status);
    }
    *ret = actions->telegram;
    return status.state == TELEGRAM_OFF
               ? err_set(err, ERR_TELEGRAM_OFF, "no bot token is configured")
               : 0;
}

static int reconnect(struct action_call *call, struct err *err)
{
    struct telegram *telegram;
    int rc = need_telegram(call, &telegram, err);
    rc = rc < 0 ? rc : telegram_reconnect(telegram, err);
    if (rc == 0) {
        reply_line(action_reply(call), "New connections to Telegram are used from now on.");
    }
    return rc;
}

/* A process that starts has new connections. */
static int recover_reconnect(struct action_call *call, bool *ret_happened, struct err *err)
{
    (void)call;
    (void)err;
    *ret_happened = true;
    return 0;
}

static int set_aside(struct action_call *call, struct err *err)
{
    struct telegram *telegram;
    char text[24];
    int rc = need_telegram(call, &telegram, err);
    int64_t id = rc < 0 ? 0 : telegram_stuck_message(telegram);
    if (rc < 0 || id == 0) {
        reply_line(action_reply(call), "No message fails alone: nothing was set aside.");
        return rc;
    }
    (void)snprintf(text, sizeof(text), "%lld", (long long)id);
    if ((rc = action_remember(call, text, err)) < 0 ||
        (rc = telegram_set_aside(telegram, id, err)) < 0) {
        return rc;
    }
    action_output(call, "message", "%lld", (long long)id);
    reply_line(action_reply(call), "Message %lld is set aside, as undelivered.", (long long)id);
    return 0;
}

static int state_of(struct action_call *call, int64_t id, enum outbox_state *ret, struct err *err)
{
    const struct outbox_actions *actions = action_userdata(call);
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    int rc = outbox_table_get(actions->store, id, &row, err);
    *ret = row.state;
    return rc;
}

static int recover_set_aside(struct action_call *call, bool *ret_happened, struct err *err)
{
    const char *text = action_remembered(call);
    enum outbox_state state = OUTBOX_QUEUED;
    int64_t id = 0;
    if (text == NULL || !str_to_i64(str_c(text), &id)) {
        *ret_happened = false;
        return 0;
    }
    int rc = state_of(call, id, &state, err);
    *ret_happened = rc == 0 && state == OUTBOX_DEAD;
    if (*ret_happened) {
        action_output(call, "message", "%lld", (long long)id);
    }
    return rc;
}

static int put_back(struct action_call *call, struct err *err)
{
    struct telegram *telegram;
    int64_t id = action_int(call, "message");
    enum outbox_state state = OUTBOX_QUEUED;
    int rc = need_telegram(call, &telegram, err);
    rc = rc < 0 ? rc : state_of(call, id, &state, err);
    if (rc == 0 && state == OUTBOX_DEAD) {
        rc = telegram_put_back(telegram, id, err);
    }
    if (rc == 0) {
        reply_line(action_reply(call), "Message %lld is in the queue again.", (long long)id);
    }
    return rc;
}

static int recover_put_back(struct action_call *call, bool *ret_happened, struct err *err)
{
    enum outbox_state state = OUTBOX_QUEUED;
    int rc = state_of(call, action_int(call, "message"), &state, err);
    *ret_happened = rc == 0 && state != OUTBOX_DEAD;
    return rc;
}

static const struct action rows[] = {
    {.name = "outbox.reconnect",
     .summary = "Connect to Telegram again: other connections, names resolved again",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .locks = "outbox",
     .run = reconnect,
     .recover = recover_reconnect},
    {.name = "outbox.set_aside",
     .summary = "Keep the message that alone has not been delivered for long as undelivered",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .locks = "outbox",
     .outputs = "message",
     .run = set_aside,
     .recover = recover_set_aside},
    {.name = "outbox.put_back",
     .summary = "Put an undelivered message back into the queue",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .locks = "outbox",
     .params = ACTION_PARAMS({.name = "message",
                              .type = PARAM_INT,
                              .required = true,
                              .minimum = "1",
                              .help = "its number in the outbox"}),
     .run = put_back,
     .recover = recover_put_back},
    {0},
};

void outbox_actions_add(struct outbox_actions *actions, struct action_table *table)
{
    action_table_add(table, rows, actions);
}
