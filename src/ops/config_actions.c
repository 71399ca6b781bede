#include "access/access.h"
#include "base/check.h"
#include "config/limit.h"
#include "config/mask.h"
#include "config/setting.h"
#include "config_write.h"
#include "io/file.h"
#include "io/json_out.h"
#include "io/secret.h"
#include "store/config_table.h"

#include <stdlib.h>
#include <string.h>

#define VALUE_SHOWN ((size_t)400)

/* ------------------------------------------------------------------ config.get */

static void add_data(struct json_out *data, const struct config_setting *s,
                     const struct config *config, const char *value)
{
    AUTO_BUF struct buf range = BUF_INIT(256), place = BUF_INIT(512);
    config_setting_add_range(s, &range);
    config_add_place(config, s->path, &place);
    json_out_object(data, NULL);
    json_out_text(data, "option", s->path);
    json_out_text(data, "value", value);
    json_out_text(data, "default", s->fallback);
    json_out_text(data, "type", s->type);
    json_out_text(data, "unit", s->unit);
    json_out_text(data, "range", range.data);
    json_out_bool(data, "is_default", config_setting_is_default(s, config));
    json_out_bool(data, "live", s->live);
    json_out_bool(data, "file_only", s->file_only);
    json_out_text(data, "help", s->help);
    json_out_end(data);
}

static void add_shown(const struct config_setting *s, const struct config *config, struct buf *out)
{
    AUTO_BUF struct buf whole = BUF_INIT(YAML_MAX_BYTES);
    char cut[VALUE_SHOWN + 1];
    config_setting_add_value(s, config, &whole);
    str_cut(buf_str(&whole), cut, sizeof(cut));
    buf_addf(out, "%s%s", cut, whole.len > VALUE_SHOWN ? "…" : "");
}

static void show_one(const struct reload *reload, const struct config_setting *s,
                     struct reply *reply)
{
    AUTO_BUF struct buf value = BUF_INIT(VALUE_SHOWN + 8), range = BUF_INIT(256),
                        place = BUF_INIT(512);
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    add_shown(s, reload->config, &value);
    config_setting_add_range(s, &range);
    config_add_place(reload->config, s->path, &place);
    reply_title(reply, TONE_PLAIN, "%s", s->path);
    reply_field(reply, "value", "{}", cell_code(value.data));
    if (config_setting_is_default(s, reload->config)) {
        reply_field(reply, "from", "{}", cell_text("the default"));
    } else {
        reply_field(reply, "default", "{}", cell_code(s->fallback));
        reply_field(reply, "from", "{}", cell_text(place.data));
    }
    reply_field(reply, "type", "{}{}{}", cell_text(s->type), cell_text(s->unit[0] ? ", " : ""),
                cell_text(s->unit));
    if (range.len > 0) {
        reply_field(reply, "range", "{}", cell_text(range.data));
    }
    reply_field(reply, "a change", "{}",
                cell_text(s->file_only ? "in the file only, then /reload"
                          : s->live    ? "takes effect at once"
                                       : "takes effect at the next start"));
    reply_line(reply, "%s", s->help);
    json_out_array(&data, "options");
    add_data(&data, s, reload->config, value.data);
    json_out_end(&data);
}

/* The options of a group, or all that differ from their defaults. */
static int show_many(const struct reload *reload, const char *group, struct reply *reply)
{
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    int count = 0;
    json_out_array(&data, "options");
    for (size_t i = 0; config_setting_path(i) != NULL; i++) {
        struct config_setting s;
        AUTO_BUF struct buf value = BUF_INIT(VALUE_SHOWN + 8);
        const char *path = config_setting_path(i);
        size_t len = strcspn(path, ".");
        struct err ignored = {0};
        ASSERT(config_setting_find(str_c(path), &s, &ignored) == 0);
        bool shown = group != NULL ? str_equal_c(str_n(path, len), group)
                                   : !config_setting_is_default(&s, reload->config);
        if (!shown) {
            continue;
        }
        if (count == 0 && group != NULL) {
            reply_title(reply, TONE_PLAIN, "Configuration: %s", group);
        } else if (count == 0) {
            reply_title(reply, TONE_PLAIN, "Configuration: what differs from the defaults");
        }
        if (count == 0) {
            reply_columns(reply, "option", "value");
        }
        add_shown(&s, reload->config, &value);
        reply_cells(reply, cell_text(path), cell_text(value.data));
        add_data(&data, &s, reload->config, value.data);
        count++;
    }
    json_out_end(&data);
    return count;
}

static void show_file(const struct reload *reload, struct reply *reply)
{
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    const char *path = config_path(reload->config);
    AUTO_BUF struct buf text = BUF_INIT(YAML_MAX_BYTES);
    config_text(reload->config, &text);
    json_out_text(&data, "file", path);
    json_out_text(&data, "text", text.data);
    reply_line(reply, "%s", path[0] != '\0' ? path : "There is no file: these are the defaults.");
    reply_line(reply, "/config OPTION shows one, /config GROUP a group; /config set changes one.");
}

static int get(struct action_call *call, struct err *err)
{
    const struct reload *reload = action_userdata(call);
    struct reply *reply = action_reply(call);
    const char *name = action_text(call, "option");
    struct config_setting s;
    reply_protect(reply);
    if (name == NULL) {
        if (show_many(reload, NULL, reply) == 0) {
            reply_title(reply, TONE_PLAIN, "Every option has its default");
        }
        show_file(reload, reply);
        return ACTION_DONE;
    }
    int rc = config_setting_find(str_c(name), &s, err);
    if (rc == 0) {
        show_one(reload, &s, reply);
        return ACTION_DONE;
    }
    if (strchr(name, '.') == NULL && show_many(reload, name, reply) > 0) {
        err_clear(err);
        return ACTION_DONE;
    }
    return rc;
}

/* ------------------------------------------------------------------ what a change may do */

/* The owner of the machine may write the file anyway. */
static int check_guard(const struct config_write *w, const struct config_diff *diff,
                       struct err *err)
{
    if (diff->file_only == 0 || access_is_local_owner(w->reload->o.access, &w->who)) {
        return 0;
    }
    for (int i = 0; i < diff->count; i++) {
        if (diff->items[i].file_only) {
            return err_set(err, ERR_CONFIG_GUARDED, "%s", diff->items[i].path);
        }
    }
    return err_set(err, ERR_CONFIG_GUARDED, "%d options", diff->file_only); /* beyond the items */
}

/* What somebody has edited by hand and nobody has applied would be lost, or be applied unseen. A
 * file that cannot be used is what a roll-back is for. */
static int check_applied(const struct config_write *w, struct err *err)
{
    AUTO_RELOAD_FRESH struct reload_fresh fresh = RELOAD_FRESH_INIT;
    struct str before = buf_str(&w->before);
    struct err ignored = {0};
    if (reload_check(w->reload, &before, &fresh, NULL, &ignored) < 0) {
        return 0;
    }
    AUTO_FREE struct config_diff *diff = calloc(1, sizeof(*diff));
    ASSERT(diff != NULL);
    config_diff(w->reload->config, fresh.config, diff);
    for (int i = 0; i < diff->count; i++) {
        if (diff->items[i].live) {
            return err_set(err, ERR_CONFIG_UNAPPLIED, "%s: %s → %s", diff->items[i].path,
                           diff->items[i].before, diff->items[i].after);
        }
    }
    return 0;
}

/* ------------------------------------------------------------------ the three kinds of change */

/* "12 % because of CPI": of config.set, whose value takes the rest of the line. */
static void split_value(const char *text, struct str *ret_value, const char **ret_why)
{
    static const char because[] = " because ";
    const char *at = strstr(text, because);
    *ret_value = at != NULL ? str_n(text, (size_t)(at - text)) : str_c(text);
    *ret_why = at != NULL ? at + sizeof(because) - 1 : NULL;
}

/* config.set: the option with its new value. */
static int make_set(const struct action_call *call, struct config_write *w, struct err *err)
{
    struct config_setting s;
    struct str value;
    const char *why;
    split_value(action_text(call, "value"), &value, &why);
    int rc = config_setting_find(str_c(action_text(call, "option")), &s, err);
    return rc < 0 ? rc
                  : config_setting_edit(&s, value, buf_str(&w->before), w->path, &w->after, err);
}

/* config.apply: a text that somebody has sent. */
static int make_apply(const struct action_call *call, struct config_write *w, struct err *err)
{
    const char *text = reload_offered(w->reload, action_text(call, "candidate"), err);
    return text == NULL ? -ERR_CONFIG_CANDIDATE
                        : config_unmask(str_c(text), buf_str(&w->before), w->path, &w->after, err);
}

/* config.rollback: the file of a version. */
static int make_rollback(const struct action_call *call, struct config_write *w, struct err *err)
{
    AUTO_CONFIG_VERSION struct config_version v = {0};
    int64_t id = action_int(call, "version");
    int rc = config_table_get(w->reload->o.store, id, &v, err);
    if (rc == 0 && v.file[0] == '\0') {
        rc = err_set(err, ERR_CONFIG_NO_FILE, "configuration %lld", (long long)id);
    }
    return rc < 0 ? rc : config_unmask(str_c(v.file), buf_str(&w->before), w->path, &w->after, err);
}

static const struct kind {
    const char *action;
    int (*make)(const struct action_call *call, struct config_write *w, struct err *err);
} kinds[] = {
    {"config.set", make_set}, {"config.apply", make_apply}, {"config.rollback", make_rollback}};

static const struct kind *kind_of(const struct action_call *call)
{
    size_t i = 0;
    while (i + 1 < COUNT_OF(kinds) && strcmp(action_of(call)->name, kinds[i].action) != 0) {
        i++;
    }
    return &kinds[i];
}

static const char *why_of(const struct action_call *call)
{
    const char *why = NULL;
    struct str value;
    if (kind_of(call)->make == make_set) {
        split_value(action_text(call, "value"), &value, &why);
    } else {
        why = action_text(call, "why");
    }
    return why != NULL ? why : action_of(call)->name;
}

/* Fills *ret, also after a failure, and what it would change. */
static int make_write(const struct action_call *call, struct config_write **ret,
                      struct reload_fresh *fresh, struct err *err)
{
    const struct kind *kind = kind_of(call);
    struct config_write *w = *ret = config_write_new(action_userdata(call), action_who(call));
    str_cut(str_c(why_of(call)), w->why, sizeof(w->why));
    w->check = check_guard;
    int rc = config_write_open(w, err);
    rc = rc < 0 ? rc : kind->make(call, w, err);
    rc = rc < 0 ? rc : check_applied(w, err);
    return rc < 0 ? rc : config_write_check(w, fresh, err);
}

/* ------------------------------------------------------------------ limits of risk */

/* A limit of risk is changed as /update_targets does: with its effect, within its bounds. */
static bool is_limit(const struct action_call *call, struct buf *ret_text)
{
    if (kind_of(call)->make != make_set || !config_limit_is(str_c(action_text(call, "option")))) {
        return false;
    }
    buf_addf(ret_text, "%s %s", action_text(call, "option"), action_text(call, "value"));
    return true;
}

static bool loosens(const struct action_call *call)
{
    AUTO_BUF struct buf limit = BUF_INIT(4096);
    AUTO_RELOAD_FRESH struct reload_fresh fresh = RELOAD_FRESH_INIT;
    const struct reload *reload = action_userdata(call);
    struct config_write *made = NULL;
    struct err ignored = {0};
    if (is_limit(call, &limit)) {
        return targets_loosen(reload, limit.data);
    }
    int rc = make_write(call, &made, &fresh, &ignored);
    AUTO_CONFIG_WRITE struct config_write *w = made;
    return rc == 0 && config_limits_loosen(reload->config, fresh.config);
}

/* ------------------------------------------------------------------ doing it */

static int preview(struct action_call *call, struct err *err)
{
    AUTO_BUF struct buf limit = BUF_INIT(4096);
    AUTO_RELOAD_FRESH struct reload_fresh fresh = RELOAD_FRESH_INIT;
    struct reply *reply = action_reply(call);
    struct config_write *made = NULL;
    char hash[SECRET_HASH_HEX_SIZE];
    if (is_limit(call, &limit)) {
        return targets_preview(call, limit.data, err);
    }
    int rc = make_write(call, &made, &fresh, err);
    AUTO_CONFIG_WRITE struct config_write *w = made;
    if (rc < 0) {
        return rc;
    }
    reload_show_diff(reply, fresh.diff);
    reply_line(reply, "It is written into %s.", w->path);
    secret_hash(NULL, buf_str(&w->before), hash);
    action_depends(call, "the file", "%.16s", hash);
    return 0;
}

/* The version before this one; 0: there is none. */
static int64_t version_before(const struct reload *reload, int64_t id)
{
    struct config_version versions[2] = {{0}};
    struct err ignored = {0};
    int64_t before = 0;
    int n = config_table_list(reload->o.store, versions, COUNT_OF(versions), &ignored);
    for (int i = 0; i < n; i++) {
        before = before == 0 && versions[i].id < id ? versions[i].id : before;
        config_version_release(&versions[i]);
    }
    return before;
}

static void show_written(const struct config_write *w, const struct config_diff *diff, int64_t id,
                         struct action_call *call)
{
    struct reply *reply = action_reply(call);
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    int64_t before = version_before(w->reload, id);
    char undo[64] = "";
    if (id == 0) {
        reply_title(reply, TONE_PLAIN, "The file is written; no value changes");
    } else if (diff->live > 0) {
        reply_title(reply, TONE_GOOD, "Configuration %lld applied", (long long)id);
    } else {
        reply_title(reply, TONE_GOOD, "Configuration %lld written", (long long)id);
    }
    reload_show_diff(reply, diff);
    if (id != 0 && before != 0) {
        (void)snprintf(undo, sizeof(undo), "/config_rollback %lld", (long long)before);
        reply_para(reply, "To undo it: {}", cell_code(undo));
        reply_button(reply, "Undo", undo, BUTTON_PLAIN);
    }
    json_out_i64(&data, "config_version_id", id);
    json_out_text(&data, "undo", undo);
}

static int run(struct action_call *call, struct err *err)
{
    AUTO_BUF struct buf limit = BUF_INIT(4096);
    AUTO_RELOAD_FRESH struct reload_fresh fresh = RELOAD_FRESH_INIT;
    struct reply *reply = action_reply(call);
    struct config_write *w = NULL;
    char hash[SECRET_HASH_HEX_SIZE];
    if (is_limit(call, &limit)) {
        return targets_run(call, limit.data, err);
    }
    int rc = make_write(call, &w, &fresh, err);
    bool same = rc == 0 && str_equal(buf_str(&w->before), buf_str(&w->after));
    w->show = show_written;
    if (same) {
        reply_title(reply, TONE_PLAIN, "The configuration is unchanged");
        reload_show_diff(reply, fresh.diff);
    } else if (rc == 0) {
        secret_hash(NULL, buf_str(&w->after), hash);
        rc = action_remember(call, hash, err); /* also proves that ops.db can be written */
    }
    if (rc < 0 || same) {
        config_write_free(w);
        return rc < 0 ? rc : ACTION_DONE;
    }
    return config_write_start(w, call, err);
}

/* The start after the crash has read the file, as it was or as it was to be, and stored it in its
 * own name: the history gets the person as well. */
static int recover(struct action_call *call, bool *ret_happened, struct err *err)
{
    AUTO_BUF struct buf limit = BUF_INIT(4096), file = BUF_INIT(YAML_MAX_BYTES),
                        changes = BUF_INIT(256);
    const struct reload *reload = action_userdata(call);
    const char *wanted = action_remembered(call);
    char hash[SECRET_HASH_HEX_SIZE] = "";
    int64_t id;
    if (is_limit(call, &limit)) {
        return targets_recover(call, limit.data, ret_happened, err);
    }
    int rc = wanted == NULL ? 0 : file_read_settled(config_path(reload->config), &file, err);
    secret_hash(NULL, buf_str(&file), hash);
    *ret_happened = rc == 0 && wanted != NULL && strcmp(hash, wanted) == 0;
    if (rc < 0 || !*ret_happened) {
        return rc;
    }
    reply_title(action_reply(call), TONE_GOOD, "The configuration is changed");
    reply_line(action_reply(call),
               "nightdesk was restarted meanwhile and has read the new file then.");
    buf_addf(&changes, "%s, taken by the start\n", action_of(call)->name);
    const struct reload_wish wish = {.who = action_who(call), .why = why_of(call)};
    return reload_store(reload, &changes, &wish, &id, err);
}

/* ------------------------------------------------------------------ comparing and checking */

static int version_text(const struct reload *reload, int64_t id, struct buf *out, struct err *err)
{
    AUTO_CONFIG_VERSION struct config_version v = {0};
    int rc = config_table_get(reload->o.store, id, &v, err);
    if (rc == 0) {
        buf_add_c(out, v.text);
    }
    return rc;
}

static int diff_versions(struct action_call *call, struct config_diff *ret, struct err *err)
{
    const struct reload *reload = action_userdata(call);
    AUTO_BUF struct buf before = BUF_INIT(YAML_MAX_BYTES), after = BUF_INIT(YAML_MAX_BYTES);
    bool two = action_value(call, "other") != NULL;
    int rc = version_text(reload, action_int(call, "version"), &before, err);
    if (two) {
        rc = rc < 0 ? rc : version_text(reload, action_int(call, "other"), &after, err);
        reply_title(action_reply(call), TONE_PLAIN, "From configuration %lld to %lld",
                    (long long)action_int(call, "version"), (long long)action_int(call, "other"));
    } else {
        config_text(reload->config, &after);
        reply_title(action_reply(call), TONE_PLAIN, "From configuration %lld to what runs",
                    (long long)action_int(call, "version"));
    }
    return rc < 0 ? rc : config_text_diff(buf_str(&before), buf_str(&after), ret, err);
}

/* The text of a candidate with the secrets of the file; without a candidate, that of the file. */
static int candidate_text(struct action_call *call, struct buf *out, struct err *err)
{
    const struct reload *reload = action_userdata(call);
    const char *hash = action_text(call, "candidate");
    const char *path = config_path(reload->config);
    AUTO_BUF struct buf file = BUF_INIT(YAML_MAX_BYTES);
    const char *text = hash == NULL ? NULL : reload_offered(reload, hash, err);
    if (hash != NULL && text == NULL) {
        return -ERR_CONFIG_CANDIDATE;
    }
    if (path[0] == '\0') {
        buf_add_c(out, text != NULL ? text : "");
        return text != NULL ? 0
                            : err_set(err, ERR_CONFIG_NO_SOURCE,
                                      "nightdesk runs with the defaults, without a file");
    }
    int rc = file_read_settled(path, &file, err);
    if (rc < 0 || text == NULL) {
        buf_add_str(out, buf_str(&file));
        return rc;
    }
    return config_unmask(str_c(text), buf_str(&file), path, out, err);
}

static int diff_text(struct action_call *call, struct config_diff *ret, struct err *err)
{
    const struct reload *reload = action_userdata(call);
    AUTO_BUF struct buf text = BUF_INIT(YAML_MAX_BYTES);
    AUTO_RELOAD_FRESH struct reload_fresh fresh = RELOAD_FRESH_INIT;
    int rc = candidate_text(call, &text, err);
    const struct str whole = buf_str(&text);
    rc = rc < 0 ? rc : reload_read(reload, &whole, &fresh, err);
    if (rc == 0) {
        config_diff(reload->config, fresh.config, ret);
        reply_title(action_reply(call), TONE_PLAIN, "From what runs to %s",
                    action_text(call, "candidate") != NULL ? "the text" : "the file");
    }
    return rc;
}

static int show_difference(struct action_call *call, struct err *err)
{
    AUTO_FREE struct config_diff *diff = calloc(1, sizeof(*diff));
    ASSERT(diff != NULL);
    reply_protect(action_reply(call));
    int rc = action_value(call, "version") != NULL ? diff_versions(call, diff, err)
                                                   : diff_text(call, diff, err);
    if (rc == 0) {
        reload_show_diff(action_reply(call), diff);
    }
    return rc < 0 ? rc : ACTION_DONE;
}

static void show_problems(const struct config_problems *problems, struct reply *reply)
{
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    json_out_bool(&data, "valid", problems->count == 0);
    json_out_array(&data, "problems");
    for (int i = 0; i < problems->count; i++) {
        const struct err *p = &problems->items[i];
        reply_item(reply, "{}: {}", cell_text(err_info(p->id)->message), cell_text(p->context));
        json_out_object(&data, NULL);
        json_out_text(&data, "error_code", err_info(p->id)->code);
        json_out_text(&data, "message", err_info(p->id)->message);
        json_out_text(&data, "context", p->context);
        json_out_end(&data);
    }
    json_out_end(&data);
    if (problems->more > 0) {
        reply_line(reply, "%d more are not shown.", problems->more);
    }
}

static int validate(struct action_call *call, struct err *err)
{
    const struct reload *reload = action_userdata(call);
    struct reply *reply = action_reply(call);
    AUTO_BUF struct buf text = BUF_INIT(YAML_MAX_BYTES);
    AUTO_RELOAD_FRESH struct reload_fresh fresh = RELOAD_FRESH_INIT;
    AUTO_FREE struct config_problems *problems = calloc(1, sizeof(*problems));
    struct err why = {0};
    ASSERT(problems != NULL);
    int rc = candidate_text(call, &text, err);
    if (rc < 0) {
        return rc;
    }
    const struct str whole = buf_str(&text);
    if (reload_check(reload, &whole, &fresh, problems, &why) < 0) {
        if (problems->count == 0) {
            *problems = (struct config_problems){.count = 1, .items = {why}};
        }
        reply_title(reply, TONE_BAD, "It cannot be used: %d %s", problems->count + problems->more,
                    problems->count + problems->more == 1 ? "mistake" : "mistakes");
        show_problems(problems, reply);
        return ACTION_DONE;
    }
    reply_title(reply, TONE_GOOD, "It can be used");
    show_problems(problems, reply);
    rc = reload_compare(reload, &fresh, err);
    if (rc == 0) {
        reload_show_diff(reply, fresh.diff);
    }
    return rc < 0 ? rc : ACTION_DONE;
}

/* ------------------------------------------------------------------ the table */

#define PARAM_WHY                                                                \
    {                                                                            \
        .name = "why", .type = PARAM_TEXT, .help = "the reason, for the history" \
    }
#define HASH_HELP "the text that was sent, by its hash"
#define PARAM_CANDIDATE                                            \
    {                                                              \
        .name = "candidate", .type = PARAM_TEXT, .help = HASH_HELP \
    }

static const struct action actions[] = {
    {.name = "config.get",
     .summary = "An option with its value, range and help; a group; or what differs from defaults",
     .data = "options file text",
     .effect = ACTION_READS,
     .lowest = ROLE_ADMIN,
     .params =
         ACTION_PARAMS({.name = "option", .type = PARAM_TEXT, .help = "an option, or a group"}),
     .run = get},
    {.name = "config.set",
     .summary = "Change one option in the configuration file and apply it",
     .data = "changes config_version_id undo",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .locks = "configuration",
     .params = ACTION_PARAMS(
         {.name = "option", .type = PARAM_TEXT, .required = true, .help = "such as alerts.storm"},
         {.name = "value",
          .type = PARAM_TEXT,
          .required = true,
          .help = "as in the file; and because with the reason"}),
     .run = run,
     .cancel = config_write_cancel,
     .recover = recover,
     .needs_factor = loosens,
     .preview = preview},
    {.name = "config.diff",
     .summary = "What the file, a text or an older version would change",
     .data = "changes",
     .effect = ACTION_READS,
     .lowest = ROLE_ADMIN,
     .params = ACTION_PARAMS({.name = "version",
                              .type = PARAM_INT,
                              .minimum = "1",
                              .help = "a configuration of the history"},
                             {.name = "other",
                              .type = PARAM_INT,
                              .minimum = "1",
                              .help = "another one; without it, what runs"},
                             PARAM_CANDIDATE),
     .run = show_difference},
    {.name = "config.validate",
     .summary = "Whether the file, or a text, can be used, with every mistake",
     .data = "valid problems changes",
     .effect = ACTION_READS,
     .lowest = ROLE_ADMIN,
     .params = ACTION_PARAMS(PARAM_CANDIDATE),
     .run = validate},
    {.name = "config.apply",
     .summary = "Replace the configuration file by a text and apply it",
     .data = "changes config_version_id undo",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .locks = "configuration",
     .params = ACTION_PARAMS(
         {.name = "candidate", .type = PARAM_TEXT, .required = true, .help = HASH_HELP}, PARAM_WHY),
     .run = run,
     .cancel = config_write_cancel,
     .recover = recover,
     .needs_factor = loosens,
     .preview = preview},
    {.name = "config.rollback",
     .summary = "Restore the configuration file of an older version and apply it",
     .data = "changes config_version_id undo",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .locks = "configuration",
     .params = ACTION_PARAMS({.name = "version",
                              .type = PARAM_INT,
                              .minimum = "1",
                              .required = true,
                              .help = "a configuration of the history"},
                             PARAM_WHY),
     .run = run,
     .cancel = config_write_cancel,
     .recover = recover,
     .needs_factor = loosens,
     .preview = preview},
    {0},
};

void config_actions(struct reload *reload, struct action_table *table)
{
    action_table_add(table, actions, reload);
}
