#include "base/check.h"
#include "config/limit.h"
#include "config_write.h"
#include "io/json_out.h"

#include <stdlib.h>
#include <string.h>

#define WANTED_MAX 16
#define NOTE_MAX   ((size_t)200) /* action_remember */
#define BUTTON_MAX ((size_t)64)  /* callback_data of the Bot API */
#define SEPARATORS " \t\n,;:="

/* What a person asked for. */
struct wanted {
    struct config_limit items[WANTED_MAX];
    int count;
    int changes;     /* of these, those that are not as wanted yet */
    const char *why; /* in the text; "": not said */
};

/* ------------------------------------------------------------------ reading the request */

static bool next_word(struct str *rest, struct str *ret)
{
    while (rest->len > 0 && strchr(SEPARATORS, rest->ptr[0]) != NULL) {
        *rest = str_n(rest->ptr + 1, rest->len - 1);
    }
    size_t len = 0;
    while (len < rest->len && strchr(SEPARATORS, rest->ptr[len]) == NULL) {
        len++;
    }
    *ret = str_n(rest->ptr, len);
    *rest = str_n(rest->ptr + len, rest->len - len);
    return len > 0;
}

/* "12 %" is one value. */
static void join_unit(struct str *rest, struct str value, struct buf *out)
{
    static const char *const units[] = {"%", "ms", "s", "m", "h", "d"};
    struct str after = *rest, unit;
    buf_add_str(out, value);
    if (!next_word(&after, &unit)) {
        return;
    }
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (str_equal_c(unit, units[i])) {
            buf_add_str(out, unit);
            *rest = after;
            return;
        }
    }
}

static int add_wanted(const struct config *config, struct str name, struct str value,
                      struct wanted *ret, struct err *err)
{
    if (ret->count == WANTED_MAX) {
        return err_set(err, ERR_CONFIG_LIMIT, "at most %d limits at once", WANTED_MAX);
    }
    struct config_limit *limit = &ret->items[ret->count];
    int rc = config_limit_read(config, name, value, limit, err);
    if (rc < 0) {
        return rc;
    }
    for (int i = 0; i < ret->count; i++) {
        if (ret->items[i].path == limit->path) {
            return err_set(err, ERR_CONFIG_DUPLICATE, "%s", limit->path);
        }
    }
    ret->count++;
    ret->changes += limit->effect != CONFIG_LIMIT_SAME ? 1 : 0;
    return 0;
}

/* "risk.max_drawdown 12 %, max_positions to 2 because the market is thin" */
static int read_wanted(const struct config *config, const char *text, struct wanted *ret,
                       struct err *err)
{
    struct str rest = str_c(text), name, value;
    *ret = (struct wanted){.why = ""};
    while (next_word(&rest, &name)) {
        AUTO_BUF struct buf whole = BUF_INIT(256);
        if (str_equal_c(name, "because")) {
            ret->why = str_trim(rest).ptr;
            break;
        }
        bool given = next_word(&rest, &value);
        if (given && (str_equal_c(value, "to") || str_equal_c(value, "→"))) {
            given = next_word(&rest, &value);
        }
        join_unit(&rest, value, &whole);
        int rc =
            given || !config_limit_is(name)
                ? add_wanted(config, name, buf_str(&whole), ret, err)
                : err_set(err, ERR_CONFIG_TYPE, "%.*s: its new value is missing", STR_ARG(name));
        if (rc < 0) {
            return rc;
        }
    }
    return ret->count > 0 ? 0
                          : err_set(err, ERR_CONFIG_MISSING,
                                    "no limit was named: write it like risk.max_drawdown 12%%");
}

/* The same with the values before: "risk.max_drawdown 15%, max_positions 3". */
static void add_undo(const struct wanted *wanted, struct buf *out)
{
    const char *separator = "";
    for (int i = 0; i < wanted->count; i++) {
        const struct config_limit *limit = &wanted->items[i];
        if (limit->effect != CONFIG_LIMIT_SAME) {
            buf_addf(out, "%s%s %s", separator, limit->path, limit->before);
            separator = ", ";
        }
    }
}

/* ------------------------------------------------------------------ the new file */

/* What the writer keeps: what was asked for, and its text, which wanted.why is in. */
struct request {
    struct wanted wanted;
    char text[];
};

static int edit_file(struct config_write *w, const struct wanted *wanted, struct err *err)
{
    int rc = config_write_open(w, err);
    buf_add_str(&w->after, buf_str(&w->before));
    for (int i = 0; rc == 0 && i < wanted->count; i++) {
        AUTO_BUF struct buf edited = BUF_INIT(YAML_MAX_BYTES);
        if (wanted->items[i].effect == CONFIG_LIMIT_SAME) {
            continue;
        }
        rc = config_limit_edit(buf_str(&w->after), w->path, &wanted->items[i], &edited, err);
        buf_clear(&w->after);
        buf_add_str(&w->after, buf_str(&edited));
    }
    return rc;
}

/* With the new file, nothing else may change: what somebody has edited and not applied is applied
 * by /reload, which shows it. */
static int check_others(const struct config_write *w, const struct config_diff *diff,
                        struct err *err)
{
    const struct wanted *wanted = &((const struct request *)w->data)->wanted;
    for (int i = 0; i < diff->count; i++) {
        bool asked = !diff->items[i].live; /* waits for the next start, as before */
        for (int k = 0; k < wanted->count; k++) {
            asked = asked || strcmp(wanted->items[k].path, diff->items[i].path) == 0;
        }
        if (!asked) {
            return err_set(err, ERR_CONFIG_UNAPPLIED, "%s: %s → %s", diff->items[i].path,
                           diff->items[i].before, diff->items[i].after);
        }
    }
    return 0;
}

/* Reads what was asked for and checks all of it: the file that it makes is one that can be used. */
static int make_write(const struct action_call *call, const char *text, struct config_write **ret,
                      struct err *err)
{
    struct reload *reload = action_userdata(call);
    AUTO_RELOAD_FRESH struct reload_fresh fresh = RELOAD_FRESH_INIT;
    struct config_write *w = *ret = config_write_new(reload, action_who(call));
    struct request *request = calloc(1, sizeof(*request) + strlen(text) + 1);
    ASSERT(request != NULL);
    memcpy(request->text, text, strlen(text) + 1);
    w->data = request;
    w->check = check_others;
    int rc = read_wanted(reload->config, request->text, &request->wanted, err);
    if (rc < 0 || request->wanted.changes == 0) {
        return rc;
    }
    const char *why = request->wanted.why;
    str_cut(str_c(why[0] != '\0' ? why : "update_targets"), w->why, sizeof(w->why));
    rc = edit_file(w, &request->wanted, err);
    return rc < 0 ? rc : config_write_check(w, &fresh, err);
}

static const struct wanted *wanted_of(const struct config_write *w)
{
    return &((const struct request *)w->data)->wanted;
}

/* ------------------------------------------------------------------ showing it */

static void show_wanted(const struct reload *reload, const struct wanted *wanted,
                        struct reply *reply)
{
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    reply_columns(reply, "limit", "before", "after", "");
    json_out_array(&data, "limit_changes");
    for (int i = 0; i < wanted->count; i++) {
        const struct config_limit *limit = &wanted->items[i];
        const char *word = config_limit_word(limit->effect);
        reply_cells(
            reply, cell_text(limit->path), cell_text(limit->before), cell_text(limit->after),
            limit->effect == CONFIG_LIMIT_LOOSER ? cell_state(word, TONE_WARN) : cell_text(word));
        json_out_object(&data, NULL);
        json_out_text(&data, "option", limit->path);
        json_out_text(&data, "before", limit->before);
        json_out_text(&data, "after", limit->after);
        json_out_text(&data, "effect", word);
        json_out_end(&data);
    }
    json_out_end(&data);
    for (int i = 0; i < wanted->count; i++) {
        reply_line(reply, "%s: %s", wanted->items[i].path, wanted->items[i].help);
        if (reload->o.limit_use != NULL) {
            reload->o.limit_use(&wanted->items[i], reply, reload->o.userdata);
        }
    }
}

int targets_preview(struct action_call *call, const char *text, struct err *err)
{
    struct reload *reload = action_userdata(call);
    struct reply *reply = action_reply(call);
    struct config_write *made = NULL;
    int rc = make_write(call, text, &made, err);
    AUTO_CONFIG_WRITE struct config_write *w = made;
    const struct wanted *wanted = wanted_of(w);
    if (rc < 0) {
        return rc;
    }
    show_wanted(reload, wanted, reply);
    if (wanted->changes == 0) {
        reply_line(reply, "Nothing would change.");
    } else {
        reply_line(reply, "It is written into %s, and counts from the next step of the engine on.",
                   w->path);
    }
    for (int i = 0; i < wanted->count; i++) {
        action_depends(call, wanted->items[i].path, "%s", wanted->items[i].before);
    }
    return 0;
}

static int preview_set(struct action_call *call, struct err *err)
{
    return targets_preview(call, action_text(call, "changes"), err);
}

bool targets_loosen(const struct reload *reload, const char *text)
{
    struct wanted wanted;
    if (read_wanted(reload->config, text, &wanted, NULL) < 0) {
        return false; /* it is refused anyway */
    }
    for (int i = 0; i < wanted.count; i++) {
        if (wanted.items[i].effect == CONFIG_LIMIT_LOOSER) {
            return true;
        }
    }
    return false;
}

static bool loosens(const struct action_call *call)
{
    const char *text = action_text(call, "changes");
    return text != NULL && targets_loosen(action_userdata(call), text);
}

/* ------------------------------------------------------------------ doing it */

static void show_applied(const struct config_write *w, const struct config_diff *diff, int64_t id,
                         struct action_call *call)
{
    AUTO_BUF struct buf undo = BUF_INIT(2048);
    struct reply *reply = action_reply(call);
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    (void)diff; /* the limits say more */
    buf_add_c(&undo, "/update_targets ");
    add_undo(wanted_of(w), &undo);
    reply_title(reply, TONE_GOOD, "Limits changed (configuration %lld)", (long long)id);
    show_wanted(w->reload, wanted_of(w), reply);
    reply_para(reply, "To undo it: {}", cell_code(undo.data));
    if (undo.len <= BUTTON_MAX) {
        reply_button(reply, "Undo", undo.data, BUTTON_PLAIN);
    }
    reply_button(reply, "Limits", "/limits", BUTTON_PLAIN);
    json_out_i64(&data, "config_version_id", id);
    json_out_text(&data, "undo", undo.data);
}

int targets_run(struct action_call *call, const char *text, struct err *err)
{
    struct reload *reload = action_userdata(call);
    struct config_write *w = NULL;
    int rc = make_write(call, text, &w, err);
    bool nothing = rc == 0 && wanted_of(w)->changes == 0;
    w->show = show_applied;
    if (nothing) {
        reply_title(action_reply(call), TONE_PLAIN, "The limits are unchanged");
        show_wanted(reload, wanted_of(w), action_reply(call));
    }
    if (rc == 0 && !nothing) {
        AUTO_BUF struct buf undo = BUF_INIT(2048);
        char note[NOTE_MAX + 1];
        add_undo(wanted_of(w), &undo);
        str_cut(buf_str(&undo), note, sizeof(note));
        rc = action_remember(call, note, err); /* also proves that ops.db can be written */
    }
    if (rc < 0 || nothing) {
        config_write_free(w);
        return rc < 0 ? rc : ACTION_DONE;
    }
    return config_write_start(w, call, err);
}

static int run_set(struct action_call *call, struct err *err)
{
    return targets_run(call, action_text(call, "changes"), err);
}

/* The start after the crash has read the file, which has the old values or the new ones. It has
 * stored the new ones in its own name: the history gets the person as well. */
int targets_recover(struct action_call *call, const char *text, bool *ret_happened, struct err *err)
{
    struct reload *reload = action_userdata(call);
    struct wanted wanted, undo;
    const char *note = action_remembered(call);
    int rc = read_wanted(reload->config, text, &wanted, err);
    *ret_happened = rc == 0 && wanted.changes == 0;
    if (rc < 0 || !*ret_happened) {
        return rc;
    }
    reply_title(action_reply(call), TONE_GOOD, "Limits changed");
    reply_line(action_reply(call),
               "nightdesk was restarted meanwhile and has read the new limits then.");
    show_wanted(reload, &wanted, action_reply(call));
    if (note == NULL || read_wanted(reload->config, note, &undo, NULL) < 0) {
        return 0;
    }
    AUTO_BUF struct buf changes = BUF_INIT(4096);
    for (int i = 0; i < undo.count; i++) { /* what is now is `before` */
        buf_addf(&changes, "%s: %s → %s\n", undo.items[i].path, undo.items[i].after,
                 undo.items[i].before);
    }
    const struct reload_wish wish = {.who = action_who(call),
                                     .why = wanted.why[0] != '\0' ? wanted.why : "update_targets"};
    int64_t id;
    return reload_store(reload, &changes, &wish, &id, err);
}

static int recover_set(struct action_call *call, bool *ret_happened, struct err *err)
{
    return targets_recover(call, action_text(call, "changes"), ret_happened, err);
}

static const struct action actions[] = {
    {.name = "risk.set",
     .summary = "Change limits of risk in the configuration and apply them",
     .data = "limit_changes config_version_id undo snapshot.published_at snapshot.age_ms "
             "snapshot.stale",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .locks = "configuration",
     .params = ACTION_PARAMS({.name = "changes",
                              .type = PARAM_TEXT,
                              .required = true,
                              .help = "such as risk.max_drawdown 12 % because it is thin"}),
     .run = run_set,
     .cancel = config_write_cancel,
     .recover = recover_set,
     .needs_factor = loosens,
     .preview = preview_set},
    {0},
};

void targets_actions(struct reload *reload, struct action_table *table)
{
    action_table_add(table, actions, reload);
}
