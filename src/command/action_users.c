#include "base/check.h"
#include "base/clock.h"
#include "builtin.h"
#include "io/json_out.h"

#include <inttypes.h>
#include <string.h>

#define CODE_SHOWN_US (10 * USEC_PER_MIN)

/* ---------------------------------------------------------------------------------- users ---- */

static void add_json(struct json_out *data, const struct access_person *p, bool has_factor)
{
    json_out_object(data, NULL);
    json_out_text(data, "name", p->name);
    json_out_i64(data, "id", p->id);
    json_out_text(data, "role", role_name(p->role));
    json_out_bool(data, "emergency", p->emergency);
    json_out_bool(data, "second_factor", has_factor);
    json_out_text(data, "from", p->is_configured ? "configuration" : "command");
    json_out_text(data, "granted_by", p->granted_by);
    if (p->granted_us > 0) {
        json_out_time(data, "granted_at", p->granted_us);
    }
    json_out_end(data);
}

static int show_users(struct action_call *call, struct err *err)
{
    (void)err; /* cannot fail */
    const struct builtin *builtin = action_userdata(call);
    struct reply *r = action_reply(call);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    struct access_person p;
    int count = 0;
    json_out_array(&data, "users");
    for (int i = 0; access_person_at(builtin->access, i, &p); i++) {
        const struct principal who = {.channel = CHANNEL_TELEGRAM, .id = p.id};
        struct principal named = who;
        char id[24];
        (void)snprintf(id, sizeof(id), "%" PRId64, p.id);
        (void)str_copy(str_c(p.name), named.name, sizeof(named.name));
        bool has_factor = access_has_factor(builtin->access, &named);
        reply_item(r, "{}: {}{}{}", cell_text(p.name), cell_text(role_name(p.role)),
                   cell_text(p.emergency ? ", emergency" : ""),
                   cell_text(has_factor ? ", second factor" : ""));
        if (p.is_configured) {
            reply_more(r, "\nid {}, configured", cell_code(id));
        } else {
            reply_more(r, "\nid {}, by {}, {}", cell_code(id), cell_text(p.granted_by),
                       cell_time(p.granted_us, clock_wall_us(builtin->clock)));
        }
        add_json(&data, &p, has_factor);
        count++;
    }
    json_out_end(&data);
    reply_title(r, TONE_PLAIN, "Users: %d", count);
    if (count == 0) {
        reply_para(r, "Nobody may use Telegram yet. In a terminal: {}",
                   cell_code("nightdesk pair"));
    }
    reply_line(r, "Root and the daemon's own user are admins in the terminal.");
    reply_protect(r);
    return ACTION_DONE;
}

/* --------------------------------------------------------------------------- grant, revoke ---- */

/* The person on Telegram whom the argument names; false: none is known. */
static bool find_person(const struct builtin *builtin, const struct value_user *user,
                        struct access_person *ret)
{
    for (int i = 0; access_person_at(builtin->access, i, ret); i++) {
        if (user->name != NULL ? strcmp(user->name, ret->name) == 0 : user->id == ret->id) {
            return true;
        }
    }
    return false;
}

/* What the arguments ask for. before: as the person is now, with the role none if unknown. */
static int read_grant(struct action_call *call, struct access_person *before,
                      struct access_person *ret, struct err *err)
{
    const struct builtin *builtin = action_userdata(call);
    const struct value_user *user = &action_value(call, "user")->user;
    const char *name = action_text(call, "name");
    bool known = find_person(builtin, user, before);
    if (!known) {
        *before = (struct access_person){.id = user->id};
    }
    if (before->id <= 0) {
        return err_set(err, ERR_USER_UNKNOWN, "%s", user->name == NULL ? "" : user->name);
    }
    *ret = *before;
    (void)role_parse(str_c(action_text(call, "role")), &ret->role);
    ret->emergency = strcmp(action_text(call, "emergency"), "emergency") == 0;
    if (name != NULL) {
        if (!str_copy(str_c(name), ret->name, sizeof(ret->name))) {
            return err_set(err, ERR_USER_NAME, "longer than %zu bytes", sizeof(ret->name) - 1);
        }
    } else if (!known) {
        (void)snprintf(ret->name, sizeof(ret->name), "user%" PRId64, user->id);
    }
    return access_check_grant(builtin->access, action_who(call), ret, err);
}

static int preview_grant(struct action_call *call, struct err *err)
{
    struct access_person before, grant;
    int rc = read_grant(call, &before, &grant, err);
    if (rc < 0) {
        return rc;
    }
    char id[24];
    (void)snprintf(id, sizeof(id), "%" PRId64, grant.id);
    reply_para(action_reply(call), "{} (Telegram id {}): {}{} → {}{}", cell_text(grant.name),
               cell_code(id), cell_text(role_name(before.role)),
               cell_text(before.emergency ? " with the emergency grant" : ""),
               cell_text(role_name(grant.role)),
               cell_text(grant.emergency ? " with the emergency grant" : ""));
    action_depends(call, "role", "%s %d", role_name(before.role), before.emergency);
    return 0;
}

static void announce(struct action_call *call)
{
    const struct builtin *builtin = action_userdata(call);
    if (builtin->people_changed != NULL) {
        builtin->people_changed(action_who(call)->name, builtin->people_userdata);
    }
}

static int grant_role(struct action_call *call, struct err *err)
{
    const struct builtin *builtin = action_userdata(call);
    struct reply *r = action_reply(call);
    struct access_person before, grant;
    int rc = read_grant(call, &before, &grant, err);
    rc = rc < 0 ? rc : access_grant(builtin->access, action_who(call), &grant, err);
    if (rc < 0) {
        return rc;
    }
    reply_title(r, TONE_GOOD, "%s is %s now%s", grant.name, role_name(grant.role),
                grant.emergency ? " with the emergency grant" : "");
    reply_line(r, "The person begins with /start in a private chat with the bot.");
    announce(call);
    return ACTION_DONE;
}

static int recover_grant(struct action_call *call, bool *ret_happened, struct err *err)
{
    (void)err;
    const struct builtin *builtin = action_userdata(call);
    struct access_person p;
    enum role role = ROLE_NONE;
    (void)role_parse(str_c(action_text(call, "role")), &role);
    bool emergency = strcmp(action_text(call, "emergency"), "emergency") == 0;
    *ret_happened = find_person(builtin, &action_value(call, "user")->user, &p) && p.role == role &&
                    p.emergency == emergency;
    return 0;
}

static int find_revoked(struct action_call *call, struct access_person *ret, struct err *err)
{
    const struct builtin *builtin = action_userdata(call);
    const struct value_user *user = &action_value(call, "user")->user;
    if (!find_person(builtin, user, ret)) {
        return err_set(err, ERR_USER_UNKNOWN, "%s%lld", user->name == NULL ? "" : user->name,
                       (long long)user->id);
    }
    return access_check_revoke(builtin->access, action_who(call), ret->id, err);
}

static int preview_revoke(struct action_call *call, struct err *err)
{
    struct access_person p;
    int rc = find_revoked(call, &p, err);
    if (rc < 0) {
        return rc;
    }
    reply_para(action_reply(call),
               "{}: {}{} → no role. Their open prompts are closed, and their "
               "running commands are cancelled, except those that stop or "
               "pause trading.",
               cell_text(p.name), cell_text(role_name(p.role)),
               cell_text(p.emergency ? " with the emergency grant" : ""));
    action_depends(call, "role", "%s %d", role_name(p.role), p.emergency);
    return 0;
}

static int revoke_role(struct action_call *call, struct err *err)
{
    const struct builtin *builtin = action_userdata(call);
    struct access_person p;
    int rc = find_revoked(call, &p, err);
    rc = rc < 0 ? rc : access_revoke(builtin->access, action_who(call), p.id, err);
    if (rc < 0) {
        return rc;
    }
    reply_title(action_reply(call), TONE_GOOD, "%s has no role any more", p.name);
    announce(call);
    return ACTION_DONE;
}

static int recover_revoke(struct action_call *call, bool *ret_happened, struct err *err)
{
    (void)err;
    struct access_person p;
    *ret_happened = !find_person(action_userdata(call), &action_value(call, "user")->user, &p);
    return 0;
}

/* -------------------------------------------------------------------------------- pairing ---- */

void builtin_show_pairing(const char *code, int64_t expires_us, const char *bot, struct reply *r)
{
    AUTO_BUF struct buf shown = BUF_INIT(64);
    AUTO_BUF struct buf link = BUF_INIT(128);
    buf_addf(&shown, "%.5s-%s", code, code + 5);
    reply_title(r, TONE_PLAIN, "Pairing code: %s", shown.data);
    reply_line(r, "Send it to your bot in a private chat: the first who does so becomes an owner "
                  "(admin with the emergency grant).");
    if (bot[0] != '\0') {
        buf_addf(&link, "https://t.me/%s?start=%s", bot, code);
        reply_para(r, "Or open on the phone: {}", cell_code(link.data));
    }
    reply_line(r, "It works once, for 15 minutes. Show it to nobody else.");
    reply_conceal(r, CODE_SHOWN_US);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_text(&data, "code", code);
    json_out_time(&data, "expires_at", expires_us);
}

static int show_pairing(struct action_call *call, struct err *err)
{
    const struct builtin *builtin = action_userdata(call);
    const struct principal *who = action_who(call);
    char code[PAIR_CODE_CHARS + 1];
    int64_t expires_us = 0;
    if (!access_is_local_owner(builtin->access, who)) {
        return err_set(err, ERR_ACCESS_DENIED, "needs root or the daemon's own user, %s is neither",
                       who->name);
    }
    int rc = access_pair_open(builtin->access, who, code, &expires_us, err);
    if (rc < 0) {
        return rc;
    }
    const char *bot = builtin->bot_name == NULL ? "" : builtin->bot_name(builtin->people_userdata);
    builtin_show_pairing(code, expires_us, bot, action_reply(call));
    return ACTION_DONE;
}

static const struct action_param user_params[] = {
    {.name = "user",
     .type = PARAM_USER,
     .unlisted = true,
     .required = true,
     .help = "a name, or a numeric Telegram id"},
    {.name = "role",
     .type = PARAM_CHOICE,
     .required = true,
     .choices = "read_only|operator|admin",
     .help = "what the person may do"},
    {.name = "emergency",
     .type = PARAM_CHOICE,
     .choices = "emergency|none",
     .default_text = "none",
     .help = "the emergency grant: may also stop everything"},
    {.name = "name", .type = PARAM_TEXT, .help = "name of a new person in the logs"},
    {0},
};

const struct action action_users_rows[] = {
    {.name = "access.users",
     .summary = "Who may use nightdesk on Telegram, and who granted it",
     .data = "users",
     .effect = ACTION_READS,
     .lowest = ROLE_ADMIN,
     .run = show_users},
    {.name = "access.grant",
     .summary = "Give a Telegram user a role, in place of the one before",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .locks = "users",
     .params = user_params,
     .run = grant_role,
     .recover = recover_grant,
     .preview = preview_grant},
    {.name = "access.revoke",
     .summary = "Take a Telegram user's role away, at once",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .locks = "users",
     .params = ACTION_PARAMS({.name = "user",
                              .type = PARAM_USER,
                              .unlisted = true,
                              .required = true,
                              .help = "a name, or a numeric Telegram id"}),
     .run = revoke_role,
     .recover = recover_revoke,
     .preview = preview_revoke},
    {.name = "access.pair",
     .summary = "Show a one-time code that makes its sender an owner on Telegram",
     .data = "code expires_at",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .locks = "users",
     .run = show_pairing},
    {0},
};
