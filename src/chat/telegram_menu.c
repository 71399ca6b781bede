#include "telegram_menu.h"

#include "base/check.h"
#include "base/log.h"
#include "command/manifest.h"
#include "config/config.h"
#include "io/json_out.h"
#include "io/secret.h"
#include "store/ops.h"

#include <stdlib.h>
#include <string.h>

#define VALUE_MENUS     "telegram.menus"
#define MENUS_MAX_BYTES ((size_t)64 << 10)
#define MENU_COMMANDS   100 /* limit of the Bot API */
#define MENU_RETRY_US   (5 * USEC_PER_MIN)
#define MENU_GAP_US     (100 * USEC_PER_MSEC)
#define CALL_TIMEOUT_MS INT64_C(10000)
#define REFUSED_MAX     64
#define BUTTON_KEY      "button"
#define BUTTON_TEXT     "Desk"

/* Who sees a menu, and where. */
struct scope {
    int64_t chat_id; /* 0: everybody without a menu of their own, everywhere */
    int64_t user_id; /* in a group: this member; 0: it is a private chat */
    bool button;     /* not the commands, but the button of the chat that opens the page */
    struct principal who;
};

struct telegram_menu {
    struct telegram *t;
    struct loop_source *timer;
    struct telegram_call *call;
    int next;        /* scope to look at; those before are as they should be */
    struct buf told; /* a line for each menu that Telegram has: "-77 1001 <hash of it>"; for a
                      * button "1001 button <hash>" */
    struct scope calling;
    char hash[SECRET_HASH_HEX_SIZE];   /* of the menu that is being set; "": it is being deleted */
    struct scope refused[REFUSED_MAX]; /* Telegram does not know these chats or members */
    size_t refused_count;
};

/* ------------------------------------------------------------ what Telegram has been given ---- */

static void scope_key(const struct scope *scope, struct buf *out)
{
    buf_addf(out, "%lld ", (long long)scope->chat_id);
    if (scope->button) {
        buf_add_c(out, BUTTON_KEY " ");
    } else {
        buf_addf(out, "%lld ", (long long)scope->user_id);
    }
}

/* The hash of a menu that was set; "" if there is none. */
static struct str told_hash(const struct telegram_menu *menu, const struct scope *scope)
{
    AUTO_BUF struct buf key = BUF_INIT(64);
    struct str rest = buf_str(&menu->told), line;
    scope_key(scope, &key);
    while (str_split(&rest, '\n', &line)) {
        if (str_starts(line, key.data)) {
            return str_n(line.ptr + key.len, line.len - key.len);
        }
    }
    return str_c("");
}

/* hash "": there is no menu any more. */
static void remember(struct telegram_menu *menu, const struct scope *scope, const char *hash)
{
    AUTO_BUF struct buf key = BUF_INIT(64);
    struct buf told = BUF_INIT(MENUS_MAX_BYTES);
    struct str rest = buf_str(&menu->told), line;
    struct err err = {0};
    scope_key(scope, &key);
    while (str_split(&rest, '\n', &line)) {
        if (!str_starts(line, key.data)) {
            buf_add_str(&told, line);
            buf_add_char(&told, '\n');
        }
    }
    if (hash[0] != '\0') {
        buf_addf(&told, "%s%s\n", key.data, hash);
    }
    buf_release(&menu->told);
    menu->told = told;
    if (ops_store_write_text(menu->t->options.store, VALUE_MENUS, buf_str(&told), &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "telegram: could not store what the menus are");
    }
}

/* ----------------------------------------------------------------------------- the scopes ---- */

/* Everybody, then each person: their private chat, the group, and the button of the private chat.
 * False past the end. */
static bool scope_at(const struct telegram_menu *menu, int index, struct scope *ret)
{
    const struct telegram_options *o = &menu->t->options;
    bool has_group = o->config->telegram_chat_id < 0;
    *ret = (struct scope){0};
    if (index == 0) {
        return true;
    }
    int each = 1 + (has_group ? 1 : 0) + (o->config->telegram_mini_app ? 1 : 0);
    int kind = (index - 1) % each;
    if (!access_telegram_user(o->access, (index - 1) / each, &ret->who)) {
        return false;
    }
    bool in_group = has_group && kind == 1;
    ret->chat_id = in_group ? o->config->telegram_chat_id : ret->who.id;
    ret->user_id = in_group ? ret->who.id : 0;
    ret->button = o->config->telegram_mini_app && kind == each - 1;
    return true;
}

static bool is_same(const struct scope *a, const struct scope *b)
{
    return a->chat_id == b->chat_id && a->user_id == b->user_id && a->button == b->button;
}

static bool is_wanted(const struct telegram_menu *menu, const struct scope *scope)
{
    struct scope other;
    for (int i = 0; scope_at(menu, i, &other); i++) {
        if (is_same(scope, &other)) {
            return true;
        }
    }
    return false;
}

static bool was_refused(const struct telegram_menu *menu, const struct scope *scope)
{
    for (size_t i = 0; i < menu->refused_count; i++) {
        if (is_same(&menu->refused[i], scope)) {
            return true;
        }
    }
    return false;
}

/* A menu of somebody who has no role any more, or a button after the Mini App was turned off. */
static bool find_leftover(const struct telegram_menu *menu, struct scope *ret)
{
    struct str rest = buf_str(&menu->told), line, chat, user;
    while (str_split(&rest, '\n', &line)) {
        *ret = (struct scope){0};
        if (!str_split(&line, ' ', &chat) || !str_split(&line, ' ', &user)) {
            continue;
        }
        ret->button = str_equal_c(user, BUTTON_KEY);
        if (str_to_i64(chat, &ret->chat_id) && (ret->button || str_to_i64(user, &ret->user_id)) &&
            !is_wanted(menu, ret)) {
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------------------------ the calls ---- */

static bool is_shown(const struct manifest *m, const struct scope *scope)
{
    return manifest_is_visible(m, CHANNEL_TELEGRAM) &&
           manifest_permit(m, &scope->who, NULL, NULL) >= 0;
}

/* Adds the commands of a scope; returns their number. Where there are more than a menu may have,
 * the last ones are left out, but none that stops trading in an emergency. */
static int add_commands(const struct telegram_menu *menu, const struct scope *scope,
                        struct json_out *out)
{
    const struct manifest *m = NULL;
    int count = 0, kept = 0;
    for (size_t i = 0; (m = manifest_at(menu->t->options.manifests, i)) != NULL; i++) {
        kept += m->emergency && is_shown(m, scope);
    }
    json_out_array(out, "commands");
    for (size_t i = 0; (m = manifest_at(menu->t->options.manifests, i)) != NULL; i++) {
        kept -= m->emergency && is_shown(m, scope);
        int most = m->emergency ? MENU_COMMANDS : MENU_COMMANDS - kept;
        if (count >= most || !is_shown(m, scope)) {
            continue;
        }
        json_out_object(out, NULL);
        json_out_text(out, "command", m->name);
        json_out_text(out, "description", m->summary[0] == '\0' ? m->name : m->summary);
        json_out_end(out);
        count++;
    }
    json_out_end(out);
    return count;
}

/* url NULL: what a chat has of itself, its commands. */
static void add_button(struct json_out *out, const char *url)
{
    json_out_object(out, "menu_button");
    json_out_text(out, "type", url == NULL ? "default" : "web_app");
    if (url != NULL) {
        json_out_text(out, "text", BUTTON_TEXT);
        json_out_object(out, "web_app");
        json_out_text(out, "url", url);
        json_out_end(out);
    }
    json_out_end(out);
}

/* The same menu of another bot is another one. */
static void hash_menu(const struct telegram_menu *menu, struct json_object *params,
                      char ret[SECRET_HASH_HEX_SIZE])
{
    const char *token = menu->t->options.config->telegram_bot_token;
    AUTO_BUF struct buf text = BUF_INIT((size_t)256 << 10);
    buf_addf(&text, "menu of bot %.*s: ", (int)strcspn(token, ":"), token);
    json_add_text(&text, params);
    ops_store_fingerprint(menu->t->options.store, buf_str(&text), ret);
}

static void add_scope(struct json_out *out, const struct scope *scope)
{
    json_out_object(out, "scope");
    json_out_text(out, "type",
                  scope->chat_id == 0   ? "default"
                  : scope->user_id == 0 ? "chat"
                                        : "chat_member");
    if (scope->chat_id != 0) {
        json_out_i64(out, "chat_id", scope->chat_id);
    }
    if (scope->user_id != 0) {
        json_out_i64(out, "user_id", scope->user_id);
    }
    json_out_end(out);
}

static void on_done(const struct telegram_answer *answer, void *userdata);

static void call(struct telegram_menu *menu, const struct scope *scope, const char *method,
                 struct json_object *params)
{
    struct json_out out = JSON_OUT_TREE(params);
    if (scope->button) {
        json_out_i64(&out, "chat_id", scope->chat_id);
    } else {
        add_scope(&out, scope);
    }
    menu->calling = *scope;
    menu->call =
        telegram_api_call(menu->t->api,
                          &(struct telegram_request){
                              .method = method, .params = params, .timeout_ms = CALL_TIMEOUT_MS},
                          on_done, menu);
}

/* Begins the call that makes a menu what it should be; false if it is so already. */
static bool set_menu(struct telegram_menu *menu, const struct scope *scope)
{
    char hash[SECRET_HASH_HEX_SIZE];
    struct json_object *params = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(params);
    const char *method = "setMyCommands";
    bool none = false;
    if (scope->button) {
        method = "setChatMenuButton";
        add_button(&out, menu->t->options.config->api_public_url);
    } else {
        none = add_commands(menu, scope, &out) == 0;
    }
    hash_menu(menu, params, hash);
    if (str_equal_c(told_hash(menu, scope), hash)) {
        (void)json_object_put(params);
        return false;
    }
    memcpy(menu->hash, hash, sizeof(hash));
    if (none) { /* an empty list is not allowed */
        (void)json_object_put(params);
        params = json_object_new_object();
        method = "deleteMyCommands";
    }
    call(menu, scope, method, params);
    return true;
}

static void take_back(struct telegram_menu *menu, const struct scope *scope)
{
    struct json_object *params = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(params);
    menu->hash[0] = '\0';
    if (scope->button) {
        add_button(&out, NULL);
    }
    call(menu, scope, scope->button ? "setChatMenuButton" : "deleteMyCommands", params);
}

static void step(void *userdata)
{
    struct telegram_menu *menu = userdata;
    struct scope scope;
    if (menu->call != NULL) {
        return;
    }
    for (; scope_at(menu, menu->next, &scope); menu->next++) {
        if (!was_refused(menu, &scope) && set_menu(menu, &scope)) {
            return;
        }
    }
    if (find_leftover(menu, &scope)) {
        take_back(menu, &scope);
    }
}

static void on_refused(struct telegram_menu *menu, const struct telegram_answer *answer)
{
    LOG(INFO, "telegram: no menu for chat %lld: %s", (long long)menu->calling.chat_id,
        answer->description);
    if (menu->hash[0] == '\0') {
        remember(menu, &menu->calling, ""); /* the chat is gone, and its menu with it */
    } else if (menu->refused_count < REFUSED_MAX) {
        menu->refused[menu->refused_count++] = menu->calling;
    } else {
        menu->next++;
    }
    loop_timer_in(menu->timer, MENU_GAP_US);
}

static void on_done(const struct telegram_answer *answer, void *userdata)
{
    struct telegram_menu *menu = userdata;
    int64_t wait_us = answer->retry_after_s * USEC_PER_SEC;
    menu->call = NULL;
    switch (answer->result) {
    case TELEGRAM_OK:
        remember(menu, &menu->calling, menu->hash);
        loop_timer_in(menu->timer, MENU_GAP_US);
        return;
    case TELEGRAM_NO:
        on_refused(menu, answer);
        return;
    case TELEGRAM_TOKEN_REFUSED:
        telegram_refuse_token(menu->t, &answer->err);
        return;
    case TELEGRAM_NOT_SENT:
    case TELEGRAM_FAILED:
    case TELEGRAM_LOST:
    case TELEGRAM_CONFLICT:
        wait_us = MENU_RETRY_US;
        break;
    case TELEGRAM_WAIT:
        break;
    }
    log_err(LOG_LEVEL_WARNING, &answer->err, "telegram: could not set a menu");
    loop_timer_in(menu->timer, wait_us);
}

/* ----------------------------------------------------------------------------- life cycle ---- */

int telegram_menu_new(struct telegram *t, struct err *err)
{
    struct telegram_menu *menu = calloc(1, sizeof(*menu));
    ASSERT(menu != NULL);
    t->menu = menu;
    menu->t = t;
    buf_init(&menu->told, MENUS_MAX_BYTES);
    menu->timer = loop_add_timer(t->options.loop, step, menu);
    loop_source_name(menu->timer, "telegram menus");
    return ops_store_get_text(t->options.store, VALUE_MENUS, &menu->told, err);
}

void telegram_menu_stop(struct telegram_menu *menu)
{
    telegram_api_cancel(menu->call);
    menu->call = NULL;
    loop_timer_stop(menu->timer);
}

void telegram_menu_free(struct telegram_menu *menu)
{
    if (menu == NULL) {
        return;
    }
    telegram_menu_stop(menu);
    loop_source_free(menu->timer);
    buf_release(&menu->told);
    free(menu);
}

void telegram_menu_check(struct telegram_menu *menu)
{
    menu->next = 0;
    menu->refused_count = 0;
    loop_timer_in(menu->timer, 0);
}

void telegram_menu_heard(struct telegram_menu *menu, int64_t chat_id)
{
    size_t kept = 0;
    for (size_t i = 0; i < menu->refused_count; i++) {
        if (menu->refused[i].chat_id != chat_id) {
            menu->refused[kept++] = menu->refused[i];
        }
    }
    if (kept < menu->refused_count) {
        menu->refused_count = kept;
        menu->next = 0;
        loop_timer_in(menu->timer, 0);
    }
}
