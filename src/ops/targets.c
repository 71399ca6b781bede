#include "base/check.h"
#include "base/log.h"
#include "config/limit.h"
#include "io/file.h"
#include "io/json_out.h"
#include "io/pool.h"
#include "io/yaml.h"
#include "reload_internal.h"
#include "store/config_table.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

/* A change of the file that has been checked. */
struct draft {
    struct wanted wanted;
    char path[PATH_MAX]; /* of the file itself, not of a link to it */
    struct buf before;   /* texts of the file */
    struct buf after;
};

static void draft_release(struct draft *draft)
{
    buf_release(&draft->before);
    buf_release(&draft->after);
}
#define AUTO_DRAFT __attribute__((cleanup(draft_release)))
#define DRAFT_INIT                                                             \
    {                                                                          \
        .before = BUF_INIT(YAML_MAX_BYTES), .after = BUF_INIT(YAML_MAX_BYTES), \
    }

/* The folder must be writable: the file is replaced as a whole. */
static int find_file(const struct reload *reload, struct draft *draft, struct err *err)
{
    const char *path = config_path(reload->config);
    char folder[PATH_MAX];
    if (path[0] == '\0') {
        return err_set(err, ERR_CONFIG_NO_SOURCE,
                       "there is no configuration file that could keep it: nightdesk runs with "
                       "the defaults");
    }
    if (realpath(path, draft->path) == NULL) {
        return err_set(err, ERR_FILE_MISSING, "%s", path);
    }
    (void)str_copy(str_c(draft->path), folder, sizeof(folder));
    strrchr(folder, '/')[folder[0] == '/' && strrchr(folder, '/') == folder ? 1 : 0] = '\0';
    int rc = file_check_writable(draft->path, err);
    return rc < 0 ? rc : file_check_folder(folder, err);
}

static int edit_file(struct draft *draft, struct err *err)
{
    int rc = file_read_settled(draft->path, &draft->before, err);
    buf_add_str(&draft->after, buf_str(&draft->before));
    for (int i = 0; rc == 0 && i < draft->wanted.count; i++) {
        AUTO_BUF struct buf edited = BUF_INIT(YAML_MAX_BYTES);
        if (draft->wanted.items[i].effect == CONFIG_LIMIT_SAME) {
            continue;
        }
        rc = config_limit_edit(buf_str(&draft->after), draft->path, &draft->wanted.items[i],
                               &edited, err);
        buf_clear(&draft->after);
        buf_add_str(&draft->after, buf_str(&edited));
    }
    return rc;
}

/* With the new file, nothing else may change: what somebody has edited and not applied is applied
 * by /reload, which shows it. */
static int check_others(const struct wanted *wanted, const struct config_diff *diff,
                        struct err *err)
{
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
static int make_draft(const struct reload *reload, const char *text, struct draft *draft,
                      struct err *err)
{
    AUTO_RELOAD_FRESH struct reload_fresh fresh = {.config = NULL};
    struct config *config = NULL;
    int rc = read_wanted(reload->config, text, &draft->wanted, err);
    if (rc < 0 || draft->wanted.changes == 0) {
        return rc;
    }
    if ((rc = find_file(reload, draft, err)) < 0 || (rc = edit_file(draft, err)) < 0) {
        return rc;
    }
    const struct str after = buf_str(&draft->after);
    if ((rc = reload_read(reload, &after, &config, err)) < 0 ||
        (rc = reload_compare(reload, config, &fresh, err)) < 0) {
        return rc;
    }
    return check_others(&draft->wanted, fresh.diff, err);
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

static int preview_set(struct action_call *call, struct err *err)
{
    struct reload *reload = action_userdata(call);
    struct reply *reply = action_reply(call);
    AUTO_DRAFT struct draft draft = DRAFT_INIT;
    int rc = make_draft(reload, action_text(call, "changes"), &draft, err);
    if (rc < 0) {
        return rc;
    }
    show_wanted(reload, &draft.wanted, reply);
    if (draft.wanted.changes == 0) {
        reply_line(reply, "Nothing would change.");
    } else {
        reply_line(reply, "It is written into %s, and counts from the next step of the engine on.",
                   draft.path);
    }
    for (int i = 0; i < draft.wanted.count; i++) {
        action_depends(call, draft.wanted.items[i].path, "%s", draft.wanted.items[i].before);
    }
    return 0;
}

static bool loosens(const struct action_call *call)
{
    const struct reload *reload = action_userdata(call);
    const char *text = action_text(call, "changes");
    struct wanted wanted;
    if (text == NULL || read_wanted(reload->config, text, &wanted, NULL) < 0) {
        return false; /* it is refused anyway */
    }
    for (int i = 0; i < wanted.count; i++) {
        if (wanted.items[i].effect == CONFIG_LIMIT_LOOSER) {
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------------ doing it */

/* Of a file: it is not written yet; it is; it must not be, or be as before again. */
enum turn { TURN_OPEN, TURN_WRITTEN, TURN_CANCELLED };

/* The file is written on a helper: the disk may be slow. */
struct write_job {
    struct reload *reload;
    struct pool_job *started;
    atomic_int turn; /* enum turn */
    struct draft draft;
    char *text; /* what was asked for; draft.wanted.why is in it */
    int rc;
    struct err err;
};

static void job_drop(void *data)
{
    struct write_job *job = data;
    draft_release(&job->draft);
    free(job->text);
    free(job);
}

static int replace_file(const char *path, struct str expected, struct str text, struct err *err)
{
    AUTO_BUF struct buf now = BUF_INIT(YAML_MAX_BYTES);
    struct stat st;
    int rc = file_read_settled(path, &now, err);
    if (rc < 0) {
        return rc;
    }
    if (!str_equal(buf_str(&now), expected)) {
        return err_set(err, ERR_CONFIG_CHANGED, "%.200s was edited meanwhile", path);
    }
    if (stat(path, &st) < 0) {
        return err_set(err, ERR_FILE_MISSING, "%.200s", path);
    }
    const struct file_owner owner = {st.st_uid, st.st_gid, st.st_mode & 07777};
    return file_write_owned(path, text, &owner, err);
}

static int put_back(const struct write_job *job)
{
    struct err why = {0};
    int rc = replace_file(job->draft.path, buf_str(&job->draft.after), buf_str(&job->draft.before),
                          &why);
    if (rc < 0) {
        log_err(LOG_LEVEL_ERROR, &why, "could not take back a change of the configuration");
    }
    return rc;
}

static void work(void *data)
{
    struct write_job *job = data;
    int turn = TURN_OPEN;
    job->rc = replace_file(job->draft.path, buf_str(&job->draft.before), buf_str(&job->draft.after),
                           &job->err);
    if (job->rc == 0 && !atomic_compare_exchange_strong(&job->turn, &turn, TURN_WRITTEN)) {
        (void)put_back(job); /* nobody is left to apply it */
    }
}

static void show_applied(const struct reload *reload, const struct wanted *wanted, int64_t id,
                         struct reply *reply)
{
    AUTO_BUF struct buf undo = BUF_INIT(2048);
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    buf_add_c(&undo, "/update_targets ");
    add_undo(wanted, &undo);
    reply_title(reply, TONE_GOOD, "Limits changed (configuration %lld)", (long long)id);
    show_wanted(reload, wanted, reply);
    reply_para(reply, "To undo it: {}", cell_code(undo.data));
    if (undo.len <= BUTTON_MAX) {
        reply_button(reply, "Undo", undo.data, BUTTON_PLAIN);
    }
    reply_button(reply, "Limits", "/limits", BUTTON_PLAIN);
    json_out_i64(&data, "config_version_id", id);
    json_out_text(&data, "undo", undo.data);
}

/* The file is as wanted; stores the version and applies it. */
static int apply_file(const struct write_job *job, struct action_call *call, int64_t *ret_id,
                      struct err *err)
{
    struct reload *reload = job->reload;
    const char *why = job->draft.wanted.why;
    const struct reload_wish wish = {.who = action_who(call),
                                     .why = why[0] != '\0' ? why : "update_targets"};
    AUTO_RELOAD_FRESH struct reload_fresh fresh = {.config = NULL};
    const struct str text = buf_str(&job->draft.after);
    struct config *config = NULL;
    int rc = reload_read(reload, &text, &config, err);
    rc = rc < 0 ? rc : reload_compare(reload, config, &fresh, err);
    rc = rc < 0 ? rc : check_others(&job->draft.wanted, fresh.diff, err);
    return rc < 0 ? rc : reload_use(reload, &fresh, &wish, ret_id, err);
}

/* Waits for the disk, since what failed was ops.db, which is on it: rare, and better than a file
 * that the next start would take. */
static void take_back(const struct write_job *job, struct err *err)
{
    if (put_back(job) < 0) {
        struct err first = *err;
        (void)err_set(err, ERR_CONFIG_UNAPPLIED,
                      "the file has the new value, which the next start or /reload applies; it is "
                      "not in effect: %.200s",
                      first.context);
    }
}

static void on_written(void *data, void *userdata)
{
    struct write_job *job = data;
    struct action_call *call = userdata;
    struct reload *reload = job->reload;
    struct err err = job->err;
    int64_t id = 0;
    int rc = job->rc;
    action_set_state(call, NULL);
    if (rc == 0) {
        reload->o.busy(true, reload->o.userdata);
        if ((rc = apply_file(job, call, &id, &err)) < 0) {
            take_back(job, &err);
        }
        reload->o.busy(false, reload->o.userdata);
    }
    if (rc == 0) {
        show_applied(reload, &job->draft.wanted, id, action_reply(call));
    }
    action_finish(call, rc < 0 ? &err : NULL);
}

static int start(struct reload *reload, struct write_job *job, struct action_call *call,
                 struct err *err)
{
    job->started = pool_start(
        reload->o.helpers,
        &(struct pool_work){
            .data = job, .work = work, .done = on_written, .drop = job_drop, .userdata = call},
        err);
    if (job->started == NULL) {
        job_drop(job);
        return -ERR_POOL_BUSY;
    }
    action_set_state(call, job);
    return ACTION_PENDING;
}

static int run_set(struct action_call *call, struct err *err)
{
    struct reload *reload = action_userdata(call);
    struct write_job *job = calloc(1, sizeof(*job));
    ASSERT(job != NULL);
    *job = (struct write_job){
        .reload = reload, .draft = DRAFT_INIT, .text = strdup(action_text(call, "changes"))};
    ASSERT(job->text != NULL);
    int rc = make_draft(reload, job->text, &job->draft, err);
    bool nothing = rc == 0 && job->draft.wanted.changes == 0;
    if (nothing) {
        reply_title(action_reply(call), TONE_PLAIN, "The limits are unchanged");
        show_wanted(reload, &job->draft.wanted, action_reply(call));
    }
    if (rc == 0 && !nothing) {
        AUTO_BUF struct buf undo = BUF_INIT(2048);
        char note[NOTE_MAX + 1];
        add_undo(&job->draft.wanted, &undo);
        str_cut(buf_str(&undo), note, sizeof(note));
        rc = action_remember(call, note, err); /* also proves that ops.db can be written */
    }
    if (rc < 0 || nothing) {
        job_drop(job);
        return rc < 0 ? rc : ACTION_DONE;
    }
    return start(reload, job, call, err);
}

/* Cancelled, or too slow: the file is put back, so that no later start or /reload applies it. The
 * helper does that if it still writes. */
static void cancel_set(struct action_call *call)
{
    struct write_job *job = action_state(call);
    int turn = TURN_OPEN;
    if (!atomic_compare_exchange_strong(&job->turn, &turn, TURN_CANCELLED)) {
        (void)put_back(job);
    }
    pool_cancel(job->started);
}

/* The start after the crash has read the file, which has the old values or the new ones. It has
 * stored the new ones in its own name: the history gets the person as well. */
static int recover_set(struct action_call *call, bool *ret_happened, struct err *err)
{
    struct reload *reload = action_userdata(call);
    struct wanted wanted, undo;
    const char *note = action_remembered(call);
    int rc = read_wanted(reload->config, action_text(call, "changes"), &wanted, err);
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

static const struct action actions[] = {
    {.name = "risk.set",
     .summary = "Change limits of risk in the configuration and apply them",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .locks = "configuration",
     .params = ACTION_PARAMS({.name = "changes",
                              .type = PARAM_TEXT,
                              .required = true,
                              .help = "such as risk.max_drawdown 12 % because it is thin"}),
     .run = run_set,
     .cancel = cancel_set,
     .recover = recover_set,
     .needs_factor = loosens,
     .preview = preview_set},
    {0},
};

void targets_actions(struct reload *reload, struct action_table *table)
{
    action_table_add(table, actions, reload);
}
