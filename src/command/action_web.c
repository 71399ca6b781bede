/* The link with which a person logs in at the page. */
#include "access/login.h"
#include "base/check.h"
#include "base/clock.h"
#include "builtin.h"
#include "io/json_out.h"
#include "io/secret.h"

#include <string.h>

static void show(struct action_call *call, const char *link, int64_t expires_us, bool local)
{
    const struct builtin *builtin = action_userdata(call);
    struct reply *r = action_reply(call);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    reply_conceal(r, LOGIN_VALID_US);
    reply_title(r, TONE_GOOD, "Your link to the page");
    reply_para(r, "{}", cell_text(link));
    reply_para(r, "It logs you in once, until {}. Show it to nobody.",
               cell_time(expires_us, clock_wall_us(builtin->clock)));
    if (local) {
        reply_line(r, "It works only in a browser on the machine of nightdesk: api.public_url is "
                      "not set.");
    }
    json_out_text(&data, "url", link);
    json_out_bool(&data, "local", local);
    json_out_time(&data, "expires_at", expires_us);
}

static int make_link(struct action_call *call, struct err *err)
{
    const struct builtin *builtin = action_userdata(call);
    const struct principal *who = action_who(call);
    char code[LOGIN_CODE_CHARS + 1];
    int64_t expires_us = 0;
    bool local = false;
    AUTO_BUF struct buf link = BUF_INIT(512);
    if (who->channel == CHANNEL_TELEGRAM && action_chat_id(call) != who->id) {
        return err_set(err, ERR_LOGIN_CHAT, "%s", who->name);
    }
    int rc = access_login_open(builtin->access, who, code, &expires_us, err);
    rc = rc < 0 ? rc : access_page_url(builtin->access, &link, &local, err);
    if (rc < 0) {
        return rc;
    }
    buf_addf(&link, "/#code=%s", code);
    show(call, link.data, expires_us, local);
    secret_wipe(code, sizeof(code));
    secret_wipe(link.data, link.len);
    if (builtin->people_changed != NULL) {
        builtin->people_changed(who->name, builtin->people_userdata);
    }
    return ACTION_DONE;
}

const struct action action_web_rows[] = {
    {.name = "web.link",
     .summary = "A link to the page, which logs its reader in once",
     .data = "url local expires_at",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_READ_ONLY,
     .run = make_link},
    {0},
};
