#include "base/check.h"
#include "base/clock.h"
#include "io/json_out.h"
#include "reload_internal.h"
#include "store/config_table.h"

#include <stdlib.h>
#include <string.h>

#define HISTORY_MAX 20

/* ------------------------------------------------------------------ showing the difference */

static void show_table(struct reply *reply, const struct config_diff *diff, bool live)
{
    reply_columns(reply, "option", "before", "after");
    for (int i = 0; i < diff->count; i++) {
        const struct config_change *c = &diff->items[i];
        if (c->live == live) {
            reply_cells(reply, cell_text(c->path), cell_text(c->before), cell_text(c->after));
        }
    }
}

static void set_diff_data(struct reply *reply, const struct config_diff *diff)
{
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    json_out_array(&data, "changes");
    for (int i = 0; i < diff->count; i++) {
        const struct config_change *c = &diff->items[i];
        json_out_object(&data, NULL);
        json_out_text(&data, "option", c->path);
        json_out_text(&data, "before", c->before);
        json_out_text(&data, "after", c->after);
        json_out_bool(&data, "live", c->live);
        json_out_end(&data);
    }
    json_out_end(&data);
}

void reload_show_diff(struct reply *reply, const struct config_diff *diff)
{
    if (diff->live + diff->restart == 0) {
        reply_line(reply, "Nothing differs from the running configuration.");
    }
    if (diff->live > 0) {
        show_table(reply, diff, true);
    }
    if (diff->restart > 0) {
        reply_line(reply,
                   "%d %s %s effect at the next start; until then the running %s:", diff->restart,
                   reload_options_word(diff->restart), diff->restart == 1 ? "takes" : "take",
                   diff->restart == 1 ? "value stays" : "values stay");
        show_table(reply, diff, false);
    }
    if (diff->count < diff->live + diff->restart) {
        reply_line(reply, "%d more differences are not shown.",
                   diff->live + diff->restart - diff->count);
    }
    set_diff_data(reply, diff);
}

/* ------------------------------------------------------------------ reload */

static struct reload_shown *find_shown(struct reload *reload, int64_t run_id)
{
    for (int i = 0; run_id != 0 && i < RELOAD_SHOWN_MAX; i++) {
        if (reload->shown[i].run_id == run_id) {
            return &reload->shown[i];
        }
    }
    return NULL;
}

void reload_forget_shown(struct reload_shown *shown)
{
    config_free(shown->config);
    *shown = (struct reload_shown){0};
}

static void remember_shown(struct reload *reload, int64_t run_id, struct config *owned)
{
    struct reload_shown *slot = find_shown(reload, run_id);
    if (slot == NULL) {
        slot = &reload->shown[reload->shown_next];
        reload->shown_next = (reload->shown_next + 1) % RELOAD_SHOWN_MAX;
    }
    reload_forget_shown(slot);
    *slot = (struct reload_shown){.run_id = run_id, .config = owned};
}

/* The file may have changed between the prompt and its answer. */
static int check_shown(struct reload *reload, int64_t run_id, const struct config *config,
                       struct err *err)
{
    struct reload_shown *shown = find_shown(reload, run_id);
    if (shown == NULL) {
        return 0;
    }
    AUTO_FREE struct config_diff *diff = calloc(1, sizeof(*diff));
    ASSERT(diff != NULL);
    config_diff(shown->config, config, diff);
    reload_forget_shown(shown);
    if (diff->live + diff->restart > 0) {
        return err_set(err, ERR_CONFIG_CHANGED, "%.60s%s", diff->items[0].path,
                       diff->live + diff->restart > 1 ? " and others" : "");
    }
    return 0;
}

static int preview_reload(struct action_call *call, struct err *err)
{
    struct reload *reload = action_userdata(call);
    struct reply *reply = action_reply(call);
    AUTO_RELOAD_FRESH struct reload_fresh fresh = RELOAD_FRESH_INIT;
    int rc = reload_read(reload, NULL, &fresh, err);
    if (rc < 0) {
        return rc;
    }
    AUTO_FREE struct config_diff *diff = calloc(1, sizeof(*diff));
    ASSERT(diff != NULL);
    config_diff(reload->config, fresh.config, diff);
    remember_shown(reload, action_run_id(call), TAKE(fresh.config));
    reload_show_diff(reply, diff);
    return 0;
}

static int run_reload(struct reload *reload, struct action_call *call, struct err *err)
{
    struct reply *reply = action_reply(call);
    const char *why = action_text(call, "why");
    const struct reload_wish wish = {.who = action_who(call), .why = why != NULL ? why : "reload"};
    AUTO_RELOAD_FRESH struct reload_fresh fresh = RELOAD_FRESH_INIT;
    int64_t id = 0;
    int rc = reload_read(reload, NULL, &fresh, err);
    if (rc < 0 || (rc = check_shown(reload, action_run_id(call), fresh.config, err)) < 0 ||
        (rc = reload_compare(reload, &fresh, err)) < 0 ||
        (rc = reload_use(reload, &fresh, &wish, &id, err)) < 0) {
        return rc;
    }
    struct err ignored = {0}; /* the next reload or start resolves it */
    (void)reload_note_valid(reload, &ignored);
    if (fresh.diff->live > 0) {
        reply_title(reply, TONE_GOOD, "Configuration %lld applied", (long long)id);
    } else if (fresh.diff->restart > 0) {
        reply_title(reply, TONE_PLAIN, "Nothing to apply before the next start");
    } else {
        reply_title(reply, TONE_PLAIN, "The configuration is unchanged");
    }
    if (fresh.diff->live + fresh.diff->restart > 0) {
        reload_show_diff(reply, fresh.diff);
    } else {
        set_diff_data(reply, fresh.diff);
    }
    if (reload->bad_files > 0) {
        reply_line(reply,
                   "%d of your own command files cannot be used, so your commands stay as they "
                   "were: see /alerts.",
                   reload->bad_files);
    }
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    json_out_i64(&data, "config_version_id", id);
    return ACTION_DONE;
}

static int reload_now(struct action_call *call, struct err *err)
{
    struct reload *reload = action_userdata(call);
    reload->o.busy(true, reload->o.userdata);
    int rc = run_reload(reload, call, err);
    reload->o.busy(false, reload->o.userdata);
    return rc;
}

/* The start after the crash has read the file. */
static int recover_reload(struct action_call *call, bool *ret_happened, struct err *err)
{
    (void)err;
    *ret_happened = true;
    reply_line(action_reply(call),
               "nightdesk was restarted in the meantime and has read its configuration then.");
    return 0;
}

/* text: of the whole configuration; NULL: not wanted. */
static void add_version(struct json_out *data, const char *key, const struct config_version *v,
                        const char *text)
{
    json_out_object(data, key);
    json_out_i64(data, "id", v->id);
    json_out_time(data, "at", v->at_us);
    json_out_text(data, "user", v->user);
    json_out_text(data, "channel", v->channel);
    json_out_text(data, "why", v->why);
    json_out_text(data, "hash", v->hash);
    json_out_text(data, "changes", v->changes);
    if (text != NULL) {
        json_out_text(data, "text", text);
    }
    json_out_end(data);
}

static int show_version(struct reload *reload, int64_t id, struct reply *reply, struct err *err)
{
    AUTO_CONFIG_VERSION struct config_version v = {0};
    AUTO_BUF struct buf at = BUF_INIT(64);
    int rc = config_table_get(reload->o.store, id, &v, err);
    if (rc < 0) {
        return rc;
    }
    clock_add_iso(&at, v.at_us, false);
    reply_title(reply, TONE_PLAIN, "Configuration %lld", (long long)v.id);
    reply_line(reply, "Applied at %s by %s (%s): %s", at.data, v.user, v.channel, v.why);
    if (v.changes[0] != '\0') {
        reply_pre(reply, str_c(v.changes));
    }
    reply_fold(reply, "The whole configuration");
    reply_pre(reply, str_c(v.text));
    reply_fold_end(reply);
    reply_protect(reply);
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    add_version(&data, "config_version", &v, v.text);
    return ACTION_DONE;
}

static int show_history(struct action_call *call, struct err *err)
{
    struct reload *reload = action_userdata(call);
    struct reply *reply = action_reply(call);
    if (action_value(call, "id") != NULL) {
        return show_version(reload, action_int(call, "id"), reply, err);
    }
    struct config_version versions[HISTORY_MAX];
    int n = config_table_list(reload->o.store, versions, HISTORY_MAX, err);
    if (n < 0) {
        return n;
    }
    int64_t now_us = clock_wall_us(reload->o.clock);
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    json_out_array(&data, "config_versions");
    if (n == 1) {
        reply_title(reply, TONE_PLAIN, "The only configuration so far");
    } else {
        reply_title(reply, TONE_PLAIN, "The last %d configurations", n);
    }
    reply_columns(reply, "#", "when", "who", "why", "changes");
    for (int i = 0; i < n; i++) {
        struct config_version *v = &versions[i];
        struct str rest = str_c(v->changes), first = STR_LIT("");
        (void)str_split(&rest, '\n', &first);
        AUTO_BUF struct buf changes = BUF_INIT(512);
        buf_addf(&changes, "%.*s%s", STR_ARG(first), rest.len > 0 ? " …" : "");
        reply_cells(reply, cell_count(v->id), cell_time(v->at_us, now_us), cell_text(v->user),
                    cell_text(v->why), cell_text(changes.data));
        add_version(&data, NULL, v, NULL);
        config_version_release(v);
    }
    json_out_end(&data);
    return ACTION_DONE;
}

static const struct action actions[] = {
    {.name = "config.reload",
     .summary = "Read the configuration again and apply what differs",
     .data = "changes config_version_id",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .locks = "configuration",
     .params =
         ACTION_PARAMS({.name = "why", .type = PARAM_TEXT, .help = "the reason, for the history"}),
     .run = reload_now,
     .recover = recover_reload,
     .preview = preview_reload},
    {.name = "config.history",
     .summary = "The configurations that took effect, newest first, or one in full",
     .data = "config_versions config_version",
     .effect = ACTION_READS,
     .lowest = ROLE_ADMIN,
     .params = ACTION_PARAMS(
         {.name = "id", .type = PARAM_INT, .minimum = "1", .help = "number of a configuration"}),
     .run = show_history},
    {0},
};

void reload_actions(struct reload *reload, struct action_table *table)
{
    action_table_add(table, actions, reload);
    config_actions(reload, table);
    targets_actions(reload, table);
    rotate_actions(reload, table);
}
