/* Bearer tokens of the API. A token is shown once, in a terminal of the machine: never in a chat,
 * which keeps what it shows. */
#include "base/check.h"
#include "base/clock.h"
#include "builtin.h"
#include "io/json_out.h"
#include "io/secret.h"

#include <string.h>

#define SHOWN_US (2 * USEC_PER_MIN)

static const char *text_or_empty(const struct action_call *call, const char *name)
{
    const char *text = action_text(call, name);
    return text == NULL ? "" : text;
}

/* ------------------------------------------------------------------------------- the list ---- */

/* What a token is at the moment, in one word. */
static const char *state_of(const struct access_token *t, int64_t now_us)
{
    enum err_id id = access_token_check(&t->times, now_us);
    return t->times.revoked_us != 0    ? "revoked"
           : id == ERR_API_TOKEN_ENDED ? "expired"
           : id == ERR_API_TOKEN_CLOCK ? "refused: the clock is wrong"
                                       : "valid";
}

static void add_networks(const struct access_token *t, struct buf *out)
{
    for (int i = 0; i < t->network_count; i++) {
        buf_add_c(out, i == 0 ? "" : ", ");
        network_add(out, &t->networks[i]);
    }
}

static void add_time(struct json_out *data, const char *name, int64_t at_us)
{
    if (at_us > 0) {
        json_out_time(data, name, at_us);
    } else {
        json_out_null(data, name);
    }
}

static void add_json(struct json_out *data, const struct access_token *t, int64_t now_us)
{
    json_out_object(data, NULL);
    json_out_text(data, "name", t->name);
    json_out_i64(data, "id", t->id);
    json_out_text(data, "role", role_name(t->role));
    json_out_bool(data, "session", t->is_session);
    json_out_text(data, "state", state_of(t, now_us));
    json_out_text(data, "commands", t->commands);
    json_out_array(data, "networks");
    for (int i = 0; i < t->network_count; i++) {
        AUTO_BUF struct buf text = BUF_INIT(64);
        network_add(&text, &t->networks[i]);
        json_out_text(data, NULL, text.data);
    }
    json_out_end(data);
    json_out_text(data, "created_by", t->created_by);
    json_out_time(data, "created_at", t->times.created_us);
    add_time(data, "expires_at", t->times.expires_us);
    add_time(data, "revoked_at", t->times.revoked_us);
    json_out_text(data, "revoked_by", t->revoked_by);
    add_time(data, "used_at", t->used_us);
    json_out_text(data, "used_from", t->used_from);
    json_out_end(data);
}

static void add_limits(struct reply *r, const struct access_token *t)
{
    AUTO_BUF struct buf networks = BUF_INIT(512);
    add_networks(t, &networks);
    if (networks.len > 0) {
        reply_more(r, "\nonly from {}", cell_text(networks.data));
    }
    if (t->commands[0] != '\0') {
        reply_more(r, "\nonly {}", cell_text(t->commands));
    }
}

static void show_token(struct reply *r, const struct access_token *t, int64_t now_us)
{
    reply_item(r, "{}: {}, {}", cell_text(t->name), cell_text(role_name(t->role)),
               cell_text(state_of(t, now_us)));
    if (t->times.revoked_us != 0) {
        reply_more(r, "\nby {}, {}", cell_text(t->revoked_by),
                   cell_time(t->times.revoked_us, now_us));
    } else if (t->times.expires_us != 0) {
        reply_more(r, "\nexpires {}", cell_time(t->times.expires_us, now_us));
    } else {
        reply_more(r, "\n{}", cell_text("never expires"));
    }
    add_limits(r, t);
    if (t->used_us != 0) {
        reply_more(r, "\nlast used {} from {}", cell_time(t->used_us, now_us),
                   cell_text(t->used_from));
    } else {
        reply_more(r, "\n{}", cell_text("never used"));
    }
}

static int show_tokens(struct action_call *call, struct err *err)
{
    (void)err; /* cannot fail */
    const struct builtin *builtin = action_userdata(call);
    struct reply *r = action_reply(call);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    int64_t now_us = clock_wall_us(builtin->clock);
    struct access_token t;
    int count = 0;
    json_out_array(&data, "tokens");
    for (int i = 0; access_token_at(builtin->access, i, &t); i++) {
        show_token(r, &t, now_us);
        add_json(&data, &t, now_us);
        count++;
    }
    json_out_end(&data);
    reply_title(r, TONE_PLAIN, "API tokens: %d", count);
    if (count == 0) {
        reply_para(r, "Make one in a terminal: {}", cell_code("nightdesk token create"));
    }
    reply_protect(r);
    return ACTION_DONE;
}

/* --------------------------------------------------------------------- create and revoke ---- */

/* A glob that fits no command is a typing error. */
static int check_globs(const struct builtin *builtin, const char *globs, struct err *err)
{
    struct str rest = str_c(globs), glob;
    while (str_split(&rest, ',', &glob)) {
        char text[64];
        bool fits = false;
        if (!str_copy(str_trim(glob), text, sizeof(text)) || text[0] == '\0') {
            return err_set(err, ERR_TOKEN_COMMANDS, "%.60s", globs);
        }
        const struct manifest *m;
        for (size_t i = 0; !fits && (m = manifest_at(builtin->manifests, i)) != NULL; i++) {
            fits = access_commands_have(text, m->name);
        }
        if (!fits) {
            return err_set(err, ERR_TOKEN_COMMANDS, "no command fits %s", text);
        }
    }
    return 0;
}

static void announce(struct action_call *call)
{
    const struct builtin *builtin = action_userdata(call);
    if (builtin->people_changed != NULL) {
        builtin->people_changed(action_who(call)->name, builtin->people_userdata);
    }
}

static void show_secret(struct action_call *call, const char *name, const char *token)
{
    const struct builtin *builtin = action_userdata(call);
    struct reply *r = action_reply(call);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    int64_t now_us = clock_wall_us(builtin->clock);
    struct access_token t;
    reply_conceal(r, SHOWN_US);
    reply_title(r, TONE_GOOD, "API token %s", name);
    reply_para(r, "{}", cell_code(token));
    reply_line(r, "It is shown only now, and nightdesk keeps no copy. Store it where the program "
                  "reads its secrets, and send it as: Authorization: Bearer TOKEN");
    json_out_text(&data, "token", token);
    if (access_token_find(builtin->access, name, &t, NULL) == 0) {
        show_token(r, &t, now_us);
        json_out_array(&data, "tokens");
        add_json(&data, &t, now_us);
        json_out_end(&data);
    }
}

static int create_token(struct action_call *call, struct err *err)
{
    const struct builtin *builtin = action_userdata(call);
    const struct principal *who = action_who(call);
    struct access_token_wish wish = {.name = action_text(call, "name"),
                                     .networks = text_or_empty(call, "ip"),
                                     .commands = text_or_empty(call, "commands")};
    char token[ACCESS_TOKEN_SIZE];
    (void)role_parse(str_c(action_text(call, "role")), &wish.role);
    if (action_value(call, "expires") != NULL) {
        wish.lifetime_us = action_duration_us(call, "expires");
    }
    if (!access_is_local_owner(builtin->access, who)) {
        return err_set(err, ERR_ACCESS_DENIED, "needs root or the daemon's own user, %s is neither",
                       who->name);
    }
    int rc = check_globs(builtin, wish.commands, err);
    rc = rc < 0 ? rc : access_token_create(builtin->access, who, &wish, token, err);
    if (rc < 0) {
        return rc;
    }
    show_secret(call, wish.name, token);
    secret_wipe(token, sizeof(token));
    announce(call);
    return ACTION_DONE;
}

static int preview_revoke(struct action_call *call, struct err *err)
{
    const struct builtin *builtin = action_userdata(call);
    struct access_token t;
    int rc = access_token_find(builtin->access, action_text(call, "name"), &t, err);
    if (rc < 0) {
        return rc;
    }
    show_token(action_reply(call), &t, clock_wall_us(builtin->clock));
    action_depends(call, "token", "%lld", (long long)t.id);
    return 0;
}

static int revoke_token(struct action_call *call, struct err *err)
{
    const struct builtin *builtin = action_userdata(call);
    const char *name = action_text(call, "name");
    int rc = access_token_revoke(builtin->access, action_who(call), name, err);
    if (rc < 0) {
        return rc;
    }
    reply_title(action_reply(call), TONE_GOOD, "The API token %s is revoked", name);
    reply_line(action_reply(call), "Its next request is refused, its prompts are closed, and its "
                                   "running commands are cancelled.");
    announce(call);
    return ACTION_DONE;
}

static int recover_revoke(struct action_call *call, bool *ret_happened, struct err *err)
{
    (void)err;
    const struct builtin *builtin = action_userdata(call);
    struct access_token t;
    *ret_happened = access_token_find(builtin->access, action_text(call, "name"), &t, NULL) < 0;
    return 0;
}

const struct action action_tokens_rows[] = {
    {.name = "token.list",
     .summary = "API tokens: role, expiry, last use",
     .data = "tokens",
     .effect = ACTION_READS,
     .lowest = ROLE_ADMIN,
     .run = show_tokens},
    {.name = "token.create",
     .summary = "Make an API token and show it once",
     .data = "token tokens",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .locks = "users",
     .params = ACTION_PARAMS(
         {.name = "role",
          .type = PARAM_CHOICE,
          .required = true,
          .choices = "read_only|operator|admin",
          .help = "what it may do"},
         {.name = "name", .type = PARAM_TEXT, .required = true, .help = "its name in the logs"},
         {.name = "expires",
          .type = PARAM_DURATION,
          .minimum = "1s",
          .maximum = "3650d",
          .help = "for how long it is valid; not given: it never expires"},
         {.name = "ip",
          .type = PARAM_TEXT,
          .help = "addresses or networks that may use it, separated by commas"},
         {.name = "commands",
          .type = PARAM_TEXT,
          .help = "commands that it may run, with * and ?, separated by commas"}),
     .run = create_token},
    {.name = "token.revoke",
     .summary = "End an API token, at once",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .locks = "users",
     .params = ACTION_PARAMS(
         {.name = "name", .type = PARAM_TEXT, .required = true, .help = "of the token"}),
     .run = revoke_token,
     .recover = recover_revoke,
     .preview = preview_revoke},
    {0},
};
