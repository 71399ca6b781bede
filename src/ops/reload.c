#include "access/access.h"
#include "alerts/alerts.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/mask.h"
#include "io/file.h"
#include "io/json_out.h"
#include "io/loop.h"
#include "io/secret.h"
#include "reload_internal.h"
#include "store/config_table.h"
#include "store/ops.h"

#include <string.h>

#define AGAIN_US   (5 * USEC_PER_SEC) /* while ops.db cannot be written */
#define LINES_MAX  ((size_t)64 * 1024)
#define DETAIL_MAX ((size_t)1000)
/* in ops.db: which secrets the last stored configuration had */
#define SECRETS_VALUE "config_secrets"

void reload_fresh_release(struct reload_fresh *fresh)
{
    config_free(fresh->config);
    free(fresh->diff);
    buf_release(&fresh->file);
}

/* ------------------------------------------------------------------ reading */

/* The file of the start, wherever it was found: one that was deleted must not be taken for "no
 * file", which would mean the defaults. */
static struct config_options source_of(const struct reload *reload, const struct str *text)
{
    struct config_options source = *reload->o.source;
    if (source.path == NULL && config_path(reload->config)[0] != '\0') {
        source.path = config_path(reload->config);
    }
    source.again = true;
    source.text = text;
    return source;
}

int reload_check(const struct reload *reload, const struct str *text, struct reload_fresh *ret,
                 struct config_problems *problems, struct err *err)
{
    AUTO_BUF struct buf read = BUF_INIT(YAML_MAX_BYTES);
    if (reload->o.source == NULL) {
        return err_set(err, ERR_CONFIG_NO_SOURCE, "this process runs with built-in settings");
    }
    const struct config_options found = source_of(reload, text);
    const struct str whole = text != NULL ? *text : STR_LIT("");
    if (found.path == NULL) {
        return config_load(&found, &ret->config, problems, err);
    }
    int rc = text != NULL ? 0 : file_read_settled(found.path, &read, err);
    const struct str now = text != NULL ? whole : buf_str(&read);
    const struct config_options source = source_of(reload, &now);
    rc = rc < 0 ? rc : config_load(&source, &ret->config, problems, err);
    return rc < 0 ? rc : config_mask(now, source.path, &ret->file, err);
}

int reload_read(const struct reload *reload, const struct str *text, struct reload_fresh *ret,
                struct err *err)
{
    AUTO_FREE struct config_problems *problems = calloc(1, sizeof(*problems));
    ASSERT(problems != NULL);
    int rc = reload_check(reload, text, ret, problems, err);
    for (int i = 1; rc < 0 && i < problems->count; i++) {
        log_err(LOG_LEVEL_WARNING, &problems->items[i], "the configuration is invalid");
    }
    return rc;
}

static void add_diff(const struct reload *reload, struct reload_fresh *fresh)
{
    fresh->diff = calloc(1, sizeof(*fresh->diff));
    ASSERT(fresh->diff != NULL);
    config_diff(reload->config, fresh->config, fresh->diff);
}

int reload_compare(const struct reload *reload, struct reload_fresh *ret, struct err *err)
{
    add_diff(reload, ret);
    return config_keep_running(ret->config, reload->config, NULL, err);
}

int reload_compare_taking(const struct reload *reload, const char *path, struct reload_fresh *ret,
                          struct err *err)
{
    add_diff(reload, ret);
    for (int i = 0; i < ret->diff->count; i++) {
        struct config_change *change = &ret->diff->items[i];
        if (strcmp(change->path, path) == 0 && !change->live) {
            change->live = true;
            ret->diff->live++;
            ret->diff->restart--;
        } else if (change->live && strcmp(change->path, path) != 0) {
            return err_set(err, ERR_CONFIG_UNAPPLIED, "%s: %s → %s", change->path, change->before,
                           change->after);
        }
    }
    return config_keep_running(ret->config, reload->config, path, err);
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

const char *reload_options_word(int count)
{
    return count == 1 ? "option" : "options";
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

static int store_version(const struct reload *reload, const struct config *config, const char *file,
                         const struct buf *changes, const struct reload_wish *wish, int64_t *ret_id,
                         struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(CONFIG_VERSION_TEXT_MAX);
    AUTO_BUF struct buf secrets = BUF_INIT(LINES_MAX);
    struct config_version version = {.at_us = clock_wall_us(reload->o.clock)};
    config_text(config, &text);
    (void)str_copy(str_c(wish->who->name), version.user, sizeof(version.user));
    (void)str_copy(str_c(channel_name(wish->who->channel)), version.channel,
                   sizeof(version.channel));
    str_cut(str_c(wish->why), version.why, sizeof(version.why));
    version.changes = changes->data;
    version.text = text.data;
    version.file = (char *)file;
    add_secrets(reload, config, &secrets);
    int rc = config_table_add(reload->o.store, &version, ret_id, err);
    return rc < 0 ? rc
                  : ops_store_write_text(reload->o.store, SECRETS_VALUE, buf_str(&secrets), err);
}

/* The text of the file that runs; empty if it does not say what runs. */
static void add_running_file(const struct reload *reload, struct buf *out)
{
    AUTO_RELOAD_FRESH struct reload_fresh fresh = RELOAD_FRESH_INIT;
    struct err ignored = {0};
    if (config_path(reload->config)[0] == '\0' ||
        reload_check(reload, NULL, &fresh, NULL, &ignored) < 0) {
        return;
    }
    add_diff(reload, &fresh);
    if (fresh.diff->live + fresh.diff->restart == 0) {
        buf_add_str(out, buf_str(&fresh.file));
    }
}

int reload_store(const struct reload *reload, const struct buf *changes,
                 const struct reload_wish *wish, int64_t *ret_id, struct err *err)
{
    AUTO_BUF struct buf file = BUF_INIT(YAML_MAX_BYTES);
    add_running_file(reload, &file);
    return store_version(reload, reload->config, file.data, changes, wish, ret_id, err);
}

/* The row of the audit log and the version, both or neither. */
static int store_change(const struct reload *reload, const struct reload_fresh *fresh,
                        const struct reload_wish *wish, int64_t *ret_id, struct err *err)
{
    AUTO_BUF struct buf detail = BUF_INIT(DETAIL_MAX), changes = BUF_INIT(LINES_MAX);
    struct ops_store_change tx;
    int rc = ops_store_change_begin(reload->o.store, &tx, err);
    if (rc < 0) {
        return rc;
    }
    add_detail(&detail, fresh->diff, fresh->diff->live > 0);
    add_lines(&changes, fresh->diff);
    rc = store_version(reload, fresh->config, fresh->file.data, &changes, wish, ret_id, err);
    if (rc == 0) {
        rc = access_audit(reload->o.access, wish->who,
                          fresh->diff->live > 0 ? "config.applied" : "config.written", detail.data,
                          "ok", err);
    }
    if (rc < 0) {
        ops_store_change_rollback(&tx);
        return rc;
    }
    return ops_store_change_commit(&tx, err);
}

/* The one place where the configuration changes. Takes fresh->config. */
static void swap(struct reload *reload, struct reload_fresh *fresh)
{
    const struct config *before = reload->config;
    struct config *unused = reload->owned;
    reload->config = reload->owned = TAKE(fresh->config);
    reload->o.apply(before, reload->config, reload->o.userdata);
    config_free(unused);
}

static void log_change(const struct config_diff *diff, const struct reload_wish *wish, int64_t id)
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

/* What waits for a restart is stored once: when its text is another one than the last. */
static int is_new_file(const struct reload *reload, const struct reload_fresh *fresh, bool *ret,
                       struct err *err)
{
    AUTO_CONFIG_VERSION struct config_version last = {0};
    int rc = config_table_last(reload->o.store, &last, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        *ret = true;
        return 0;
    }
    *ret = rc == 0 && !str_equal_c(buf_str(&fresh->file), last.file);
    return rc;
}

int reload_use(struct reload *reload, struct reload_fresh *fresh, const struct reload_wish *wish,
               int64_t *ret_id, struct err *err)
{
    *ret_id = 0;
    bool stored = fresh->diff->live > 0;
    int rc = stored || fresh->diff->restart == 0 ? 0 : is_new_file(reload, fresh, &stored, err);
    rc = rc == 0 && stored ? store_change(reload, fresh, wish, ret_id, err) : rc;
    if (rc < 0) {
        return rc;
    }
    if (fresh->diff->live > 0) {
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

int reload_note_valid(struct reload *reload, struct err *err)
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
    const struct reload_wish wish = {.who = &signal, .why = "SIGHUP"};
    AUTO_RELOAD_FRESH struct reload_fresh fresh = RELOAD_FRESH_INIT;
    struct err why = {0}, err = {0};
    int64_t id = 0;
    int rc = reload_read(reload, NULL, &fresh, &why);
    rc = rc < 0 ? rc : reload_compare(reload, &fresh, &why);
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
        rc = reload_use(reload, &fresh, &wish, &id, &err);
        rc = rc < 0 ? rc : reload_note_valid(reload, &err);
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
    const struct reload_wish wish = {.who = &start, .why = "start"};
    AUTO_BUF struct buf changes = BUF_INIT(LINES_MAX);
    if (same) {
        add_lines(&changes, diff);
    }
    return reload_store(reload, &changes, &wish, &id, err);
}

void reload_started(struct reload *reload)
{
    struct err err = {0};
    if (store_start(reload, &err) < 0 || reload_note_valid(reload, &err) < 0) {
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
    for (int i = 0; i < RELOAD_SHOWN_MAX; i++) {
        reload_forget_shown(&reload->shown[i]);
    }
    reload_forget_offers(reload);
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
                 reload_options_word(reload->waiting));
    }
    struct json_out members = JSON_OUT_TREE(data);
    json_out_object(&members, "config");
    json_out_bool(&members, "invalid", reload->invalid);
    json_out_i64(&members, "waiting", reload->waiting);
    json_out_end(&members);
}
