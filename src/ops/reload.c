#include "ops/reload.h"

#include "access/access.h"
#include "alerts/alerts.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "io/json_out.h"
#include "io/loop.h"
#include "io/secret.h"
#include "store/config_table.h"
#include "store/ops.h"

#include <string.h>

#define AGAIN_US    (5 * USEC_PER_SEC) /* while ops.db cannot be written */
#define SHOWN_MAX   4                  /* prompts that are remembered */
#define HISTORY_MAX 20
#define LINES_MAX   ((size_t)64 * 1024)
#define DETAIL_MAX  ((size_t)1000)
/* in ops.db: which secrets the last stored configuration had */
#define SECRETS_VALUE "config_secrets"

/* What a prompt showed. */
struct shown {
    int64_t run_id; /* 0: free */
    struct config *config;
};

struct reload {
    struct reload_options o;
    const struct config *config; /* runs now */
    struct config *owned;        /* the same, unless it is the caller's */
    bool wanted;                 /* a signal could not be stored */
    bool invalid;                /* the file could not be used the last time */
    bool alerted;                /* the alert is open, or may be: an earlier process raised it */
    struct loop_source *again;   /* the next attempt */
    int waiting;                 /* changes that need a restart, as of the last reading */
    int bad_files;               /* files of the user's own commands */
    struct shown shown[SHOWN_MAX];
    int shown_next;
};

/* A configuration that was read and may be applied. */
struct fresh {
    struct config *config;
    struct config_diff *diff;
};

/* Who wants it, and why. */
struct wish {
    const struct principal *who;
    const char *why;
};

static void fresh_release(struct fresh *fresh)
{
    config_free(fresh->config);
    free(fresh->diff);
}
#define AUTO_FRESH __attribute__((cleanup(fresh_release)))

/* ------------------------------------------------------------------ reading */

/* The file of the start, wherever it was found: one that was deleted must not be taken for "no
 * file", which would mean the defaults. */
static struct config_options source_of(const struct reload *reload)
{
    struct config_options source = *reload->o.source;
    if (source.path == NULL && config_path(reload->config)[0] != '\0') {
        source.path = config_path(reload->config);
    }
    source.again = true;
    return source;
}

/* Reads and checks everything. Every problem is logged; *err is the first. */
static int read_file(const struct reload *reload, struct config **ret, struct err *err)
{
    if (reload->o.source == NULL) {
        return err_set(err, ERR_CONFIG_NO_SOURCE, "this process runs with built-in settings");
    }
    AUTO_FREE struct config_problems *problems = calloc(1, sizeof(*problems));
    ASSERT(problems != NULL);
    const struct config_options source = source_of(reload);
    int rc = config_load(&source, ret, problems, err);
    for (int i = 1; rc < 0 && i < problems->count; i++) {
        log_err(LOG_LEVEL_WARNING, &problems->items[i], "the configuration is invalid");
    }
    return rc;
}

static int compare(const struct reload *reload, struct config *owned, struct fresh *ret,
                   struct err *err)
{
    *ret = (struct fresh){.config = owned, .diff = calloc(1, sizeof(*ret->diff))};
    ASSERT(ret->diff != NULL);
    config_diff(reload->config, ret->config, ret->diff);
    return config_keep_running(ret->config, reload->config, err);
}

/* ------------------------------------------------------------------ the difference in words */

static void add_change(struct buf *out, const struct config_change *c)
{
    buf_addf(out, "%s: %s → %s", c->path, c->before, c->after);
}

static void add_lines(struct buf *out, const struct config_diff *diff)
{
    for (int i = 0; i < diff->count; i++) {
        add_change(out, &diff->items[i]);
        buf_add_c(out, diff->items[i].live ? "\n" : " (at the next start)\n");
    }
}

/* "risk.stop: 2% → 3%; …", as much as fits. */
static void add_detail(struct buf *out, const struct config_diff *diff, bool live)
{
    bool any = false;
    for (int i = 0; i < diff->count; i++) {
        AUTO_BUF struct buf one = BUF_INIT(1024);
        if (diff->items[i].live != live) {
            continue;
        }
        add_change(&one, &diff->items[i]);
        if (out->len + one.len + 8 > out->max) {
            buf_add_c(out, "; …");
            return;
        }
        buf_addf(out, "%s%s", any ? "; " : "", one.data);
        any = true;
    }
}

static const char *options_word(int count)
{
    return count == 1 ? "option" : "options";
}

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

static void show_diff(struct reply *reply, const struct config_diff *diff)
{
    if (diff->live > 0) {
        show_table(reply, diff, true);
    }
    if (diff->restart > 0) {
        reply_line(reply,
                   "%d %s %s effect at the next start; until then the running %s:", diff->restart,
                   options_word(diff->restart), diff->restart == 1 ? "takes" : "take",
                   diff->restart == 1 ? "value stays" : "values stay");
        show_table(reply, diff, false);
    }
    if (diff->count < diff->live + diff->restart) {
        reply_line(reply, "%d more differences are not shown.",
                   diff->live + diff->restart - diff->count);
    }
    set_diff_data(reply, diff);
}

/* ------------------------------------------------------------------ applying */

/* Lines "path hash": they tell whether a secret has changed, and nothing else without audit.key. */
struct secrets {
    const struct reload *reload;
    struct buf *out;
};

static void add_secret(const char *path, const char *value, void *userdata)
{
    const struct secrets *to = userdata;
    char hash[SECRET_HASH_HEX_SIZE];
    AUTO_BUF struct buf named = BUF_INIT(512);
    ops_store_fingerprint(to->reload->o.store, str_c(value), hash);
    buf_addf(&named, "%s %s", path, hash); /* equal secrets of two options look different */
    ops_store_fingerprint(to->reload->o.store, buf_str(&named), hash);
    buf_addf(to->out, "%s %.32s\n", path, hash);
}

static void add_secrets(const struct reload *reload, const struct config *config, struct buf *out)
{
    struct secrets to = {reload, out};
    config_each_secret(config, add_secret, &to);
}

/* diff NULL: no list of changes. */
static int store_version(const struct reload *reload, const struct config *config,
                         const struct config_diff *diff, const struct wish *wish, int64_t *ret_id,
                         struct err *err)
{
    AUTO_BUF struct buf changes = BUF_INIT(LINES_MAX);
    AUTO_BUF struct buf text = BUF_INIT(CONFIG_VERSION_TEXT_MAX);
    AUTO_BUF struct buf secrets = BUF_INIT(LINES_MAX);
    struct config_version version = {.at_us = clock_wall_us(reload->o.clock)};
    if (diff != NULL) {
        add_lines(&changes, diff);
    }
    config_text(config, &text);
    (void)str_copy(str_c(wish->who->name), version.user, sizeof(version.user));
    (void)str_copy(str_c(channel_name(wish->who->channel)), version.channel,
                   sizeof(version.channel));
    (void)str_copy(str_c(wish->why), version.why, sizeof(version.why));
    version.changes = changes.data;
    version.text = text.data;
    add_secrets(reload, config, &secrets);
    int rc = config_table_add(reload->o.store, &version, ret_id, err);
    return rc < 0 ? rc
                  : ops_store_write_text(reload->o.store, SECRETS_VALUE, buf_str(&secrets), err);
}

/* The row of the audit log and the version, both or neither. */
static int store_change(const struct reload *reload, const struct fresh *fresh,
                        const struct wish *wish, int64_t *ret_id, struct err *err)
{
    AUTO_BUF struct buf detail = BUF_INIT(DETAIL_MAX);
    struct ops_store_change tx;
    int rc = ops_store_change_begin(reload->o.store, &tx, err);
    if (rc < 0) {
        return rc;
    }
    add_detail(&detail, fresh->diff, true);
    rc = store_version(reload, fresh->config, fresh->diff, wish, ret_id, err);
    if (rc == 0) {
        rc = access_audit(reload->o.access, wish->who, "config.applied", detail.data, "ok", err);
    }
    if (rc < 0) {
        ops_store_change_rollback(&tx);
        return rc;
    }
    return ops_store_change_commit(&tx, err);
}

/* The one place where the configuration changes. Takes fresh->config. */
static void swap(struct reload *reload, struct fresh *fresh)
{
    const struct config *before = reload->config;
    struct config *unused = reload->owned;
    reload->config = reload->owned = TAKE(fresh->config);
    reload->o.apply(before, reload->config, reload->o.userdata);
    config_free(unused);
}

static void log_change(const struct config_diff *diff, const struct wish *wish, int64_t id)
{
    AUTO_BUF struct buf live = BUF_INIT(DETAIL_MAX), restart = BUF_INIT(DETAIL_MAX);
    add_detail(&live, diff, true);
    add_detail(&restart, diff, false);
    if (diff->live > 0) {
        LOG(NOTICE, "configuration %lld applied for %s: %s", (long long)id, wish->who->name,
            live.data);
    } else {
        LOG(NOTICE, "configuration read again for %s: nothing to apply", wish->who->name);
    }
    if (diff->restart > 0) {
        LOG(NOTICE, "%d %s effect at the next start: %s", diff->restart,
            diff->restart == 1 ? "change takes" : "changes take", restart.data);
    }
}

/* Stores and applies what can take effect now. *ret_id: its version; 0: nothing changed. */
static int apply(struct reload *reload, struct fresh *fresh, const struct wish *wish,
                 int64_t *ret_id, struct err *err)
{
    *ret_id = 0;
    if (fresh->diff->live > 0) {
        int rc = store_change(reload, fresh, wish, ret_id, err);
        if (rc < 0) {
            return rc;
        }
        swap(reload, fresh);
    }
    reload->waiting = fresh->diff->restart;
    log_change(fresh->diff, wish, *ret_id);
    reload->bad_files = reload->o.files(reload->config, reload->o.userdata);
    return 0;
}

/* ------------------------------------------------------------------ the alert */

static int raise_invalid(struct reload *reload, const struct err *why, struct err *err)
{
    const struct err_info *info = err_info(why->id);
    AUTO_BUF struct buf text = BUF_INIT(1024);
    buf_addf(&text,
             "%s: %s. nightdesk keeps the configuration that it runs with, but could not "
             "start again with this file.",
             info->message, why->context);
    const struct alert_spec spec = {
        .type = ALERT_SERVICE,
        .severity = SEVERITY_HIGH,
        .source = "ops",
        .fingerprint = CONFIG_ALERT,
        .title = "the configuration cannot be used",
        .description = text.data,
        .recommendation = "Correct the file (nightdesk check-config shows each mistake), then "
                          "send /reload.",
        .reopens = true,
    };
    int64_t id;
    return alerts_raise(reload->o.alerts, &spec, &id, err);
}

/* A file that can be used ends the alert, also one that an earlier process has raised. */
static int note_valid(struct reload *reload, struct err *err)
{
    reload->invalid = false;
    int rc = !reload->alerted ? 0
                              : alerts_resolve(reload->o.alerts, CONFIG_ALERT,
                                               "the configuration can be used again", err);
    reload->alerted = rc < 0;
    return rc;
}

/* ------------------------------------------------------------------ the signal */

static void try_again(struct reload *reload, const struct err *why)
{
    if (!reload->wanted) {
        log_err(LOG_LEVEL_ERROR, why,
                "the configuration is not applied while ops.db cannot be written; trying again");
    }
    reload->wanted = true;
    loop_timer_in(reload->again, AGAIN_US);
}

static void run_signal(struct reload *reload)
{
    static const struct principal signal = {
        .channel = CHANNEL_SCHEDULE, .name = "SIGHUP", .role = ROLE_ADMIN};
    const struct wish wish = {.who = &signal, .why = "SIGHUP"};
    AUTO_FRESH struct fresh fresh = {.config = NULL};
    struct config *config = NULL;
    struct err why = {0}, err = {0};
    int64_t id = 0;
    int rc = read_file(reload, &config, &why);
    rc = rc < 0 ? rc : compare(reload, config, &fresh, &why);
    if (rc == -ERR_CONFIG_NO_SOURCE) {
        log_err(LOG_LEVEL_NOTICE, &why, "SIGHUP ignored");
        return;
    }
    if (rc < 0) {
        if (!reload->wanted) {
            log_err(LOG_LEVEL_ERROR, &why,
                    "the new configuration cannot be used; the current one stays in force, "
                    "but the next start would fail");
        }
        reload->invalid = reload->alerted = true;
        rc = raise_invalid(reload, &why, &err);
    } else {
        rc = apply(reload, &fresh, &wish, &id, &err);
        rc = rc < 0 ? rc : note_valid(reload, &err);
    }
    if (rc < 0) {
        try_again(reload, &err);
        return;
    }
    reload->wanted = false;
}

static void signal_now(void *userdata)
{
    struct reload *reload = userdata;
    reload->o.busy(true, reload->o.userdata);
    run_signal(reload);
    reload->o.busy(false, reload->o.userdata);
}

void reload_signal(struct reload *reload)
{
    reload->wanted = false;
    loop_timer_stop(reload->again);
    signal_now(reload);
}

/* ------------------------------------------------------------------ actions */

static struct shown *find_shown(struct reload *reload, int64_t run_id)
{
    for (int i = 0; run_id != 0 && i < SHOWN_MAX; i++) {
        if (reload->shown[i].run_id == run_id) {
            return &reload->shown[i];
        }
    }
    return NULL;
}

static void forget_shown(struct shown *shown)
{
    config_free(shown->config);
    *shown = (struct shown){0};
}

static void remember_shown(struct reload *reload, int64_t run_id, struct config *owned)
{
    struct shown *slot = find_shown(reload, run_id);
    if (slot == NULL) {
        slot = &reload->shown[reload->shown_next];
        reload->shown_next = (reload->shown_next + 1) % SHOWN_MAX;
    }
    forget_shown(slot);
    *slot = (struct shown){.run_id = run_id, .config = owned};
}

/* The file may have changed between the prompt and its answer. */
static int check_shown(struct reload *reload, int64_t run_id, const struct config *config,
                       struct err *err)
{
    struct shown *shown = find_shown(reload, run_id);
    if (shown == NULL) {
        return 0;
    }
    AUTO_FREE struct config_diff *diff = calloc(1, sizeof(*diff));
    ASSERT(diff != NULL);
    config_diff(shown->config, config, diff);
    forget_shown(shown);
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
    struct config *config = NULL;
    int rc = read_file(reload, &config, err);
    if (rc < 0) {
        return rc;
    }
    AUTO_FREE struct config_diff *diff = calloc(1, sizeof(*diff));
    ASSERT(diff != NULL);
    config_diff(reload->config, config, diff);
    remember_shown(reload, action_run_id(call), config);
    if (diff->live + diff->restart == 0) {
        reply_line(reply, "Nothing differs from the running configuration.");
        return 0;
    }
    show_diff(reply, diff);
    return 0;
}

static int run_reload(struct reload *reload, struct action_call *call, struct err *err)
{
    struct reply *reply = action_reply(call);
    const char *why = action_text(call, "why");
    const struct wish wish = {.who = action_who(call), .why = why != NULL ? why : "reload"};
    AUTO_FRESH struct fresh fresh = {.config = NULL};
    struct config *config = NULL;
    int64_t id = 0;
    int rc = read_file(reload, &config, err);
    if (rc < 0) {
        return rc;
    }
    rc = check_shown(reload, action_run_id(call), config, err);
    if (rc < 0) {
        config_free(config);
        return rc;
    }
    if ((rc = compare(reload, config, &fresh, err)) < 0 ||
        (rc = apply(reload, &fresh, &wish, &id, err)) < 0) {
        return rc;
    }
    struct err ignored = {0}; /* the next reload or start resolves it */
    (void)note_valid(reload, &ignored);
    if (id != 0) {
        reply_title(reply, TONE_GOOD, "Configuration %lld applied", (long long)id);
    } else {
        reply_title(reply, TONE_PLAIN, "The configuration is unchanged");
    }
    show_diff(reply, fresh.diff);
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
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .params =
         ACTION_PARAMS({.name = "why", .type = PARAM_TEXT, .help = "the reason, for the history"}),
     .run = reload_now,
     .recover = recover_reload,
     .preview = preview_reload},
    {.name = "config.history",
     .summary = "The configurations that took effect, newest first, or one in full",
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
}

/* ------------------------------------------------------------------ life cycle */

/* Lists the secrets that differ from the last stored configuration, whose text is the same: as text
 * both are "***". */
static int compare_secrets(const struct reload *reload, struct config_diff *ret, struct err *err)
{
    AUTO_BUF struct buf before = BUF_INIT(LINES_MAX), now = BUF_INIT(LINES_MAX);
    int rc = ops_store_get_text(reload->o.store, SECRETS_VALUE, &before, err);
    add_secrets(reload, reload->config, &now);
    if (rc == 0 && before.len == 0) { /* an older version has stored the configuration */
        return ops_store_write_text(reload->o.store, SECRETS_VALUE, buf_str(&now), err);
    }
    struct str rest = buf_str(&now), line;
    while (rc == 0 && str_split(&rest, '\n', &line)) {
        struct str path;
        if (line.len == 0 || memmem(before.data, before.len, line.ptr, line.len) != NULL) {
            continue;
        }
        ret->live++;
        if (ret->count < CONFIG_CHANGES_MAX) {
            struct config_change *change = &ret->items[ret->count++];
            (void)str_word(&line, &path);
            *change = (struct config_change){.live = true, .before = "***", .after = "***"};
            (void)str_copy(path, change->path, sizeof(change->path));
        }
    }
    return rc;
}

static int store_start(struct reload *reload, struct err *err)
{
    static const struct principal start = {
        .channel = CHANNEL_SCHEDULE, .name = "nightdesk", .role = ROLE_ADMIN};
    AUTO_CONFIG_VERSION struct config_version last = {0};
    AUTO_BUF struct buf text = BUF_INIT(CONFIG_VERSION_TEXT_MAX);
    AUTO_FREE struct config_diff *diff = calloc(1, sizeof(*diff));
    ASSERT(diff != NULL);
    int64_t id;
    config_text(reload->config, &text);
    int rc = config_table_last(reload->o.store, &last, err);
    bool first = rc == -ERR_STORE_NOT_FOUND;
    if (first) {
        err_clear(err);
    } else if (rc < 0) {
        return rc;
    }
    bool same = !first && strcmp(last.text, text.data) == 0;
    if (same && ((rc = compare_secrets(reload, diff, err)) < 0 || diff->live == 0)) {
        return rc;
    }
    const struct wish wish = {.who = &start, .why = "start"};
    return store_version(reload, reload->config, same ? diff : NULL, &wish, &id, err);
}

void reload_started(struct reload *reload)
{
    struct err err = {0};
    if (store_start(reload, &err) < 0 || note_valid(reload, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not store the configuration of this start");
    }
}

struct reload *reload_new(const struct reload_options *options)
{
    struct reload *reload = calloc(1, sizeof(*reload));
    ASSERT(reload != NULL);
    reload->o = *options;
    reload->config = options->config;
    reload->alerted = true;
    reload->again = loop_add_timer(options->loop, signal_now, reload);
    loop_source_name(reload->again, "reload");
    return reload;
}

void reload_free(struct reload *reload)
{
    if (reload == NULL) {
        return;
    }
    for (int i = 0; i < SHOWN_MAX; i++) {
        forget_shown(&reload->shown[i]);
    }
    loop_source_free(reload->again);
    config_free(reload->owned);
    free(reload);
}

const struct config *reload_config(const struct reload *reload)
{
    return reload->config;
}

void reload_status(struct buf *out, struct json_object *data, void *userdata)
{
    const struct reload *reload = userdata;
    if (reload->invalid) {
        buf_add_c(out, "🔴 Configuration file cannot be used: see /alerts");
    } else if (reload->waiting > 0) {
        buf_addf(out, "Configuration: %d %s changed, at the next start", reload->waiting,
                 options_word(reload->waiting));
    }
    struct json_out members = JSON_OUT_TREE(data);
    json_out_object(&members, "config");
    json_out_bool(&members, "invalid", reload->invalid);
    json_out_i64(&members, "waiting", reload->waiting);
    json_out_end(&members);
}
