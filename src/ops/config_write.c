#include "config_write.h"

#include "base/check.h"
#include "base/log.h"
#include "io/file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Of a file: it is not written yet; it is; it must not be, or be as before again. */
enum turn { TURN_OPEN, TURN_WRITTEN, TURN_CANCELLED };

struct config_write *config_write_new(struct reload *reload, const struct principal *who)
{
    struct config_write *w = calloc(1, sizeof(*w));
    ASSERT(w != NULL);
    *w = (struct config_write){.reload = reload,
                               .who = *who,
                               .before = BUF_INIT(YAML_MAX_BYTES),
                               .after = BUF_INIT(YAML_MAX_BYTES)};
    return w;
}

/* The texts may hold secrets. */
static void forget(struct buf *text)
{
    if (text->data != NULL) {
        explicit_bzero(text->data, text->len);
    }
    buf_release(text);
}

void config_write_free(struct config_write *w)
{
    if (w == NULL) {
        return;
    }
    forget(&w->before);
    forget(&w->after);
    free(w->data);
    free(w);
}

/* The folder must be writable: the file is replaced as a whole. */
int config_write_open(struct config_write *w, struct err *err)
{
    const char *path = config_path(w->reload->config);
    char folder[PATH_MAX];
    if (path[0] == '\0') {
        return err_set(err, ERR_CONFIG_NO_SOURCE,
                       "there is no configuration file that could keep it: nightdesk runs with "
                       "the defaults");
    }
    if (realpath(path, w->path) == NULL) {
        return err_set(err, ERR_FILE_MISSING, "%s", path);
    }
    (void)str_copy(str_c(w->path), folder, sizeof(folder));
    strrchr(folder, '/')[folder[0] == '/' && strrchr(folder, '/') == folder ? 1 : 0] = '\0';
    int rc = file_check_writable(w->path, err);
    rc = rc < 0 ? rc : file_check_folder(folder, err);
    return rc < 0 ? rc : file_read_settled(w->path, &w->before, err);
}

int config_write_check(const struct config_write *w, struct reload_fresh *ret, struct err *err)
{
    const struct str after = buf_str(&w->after);
    int rc = reload_read(w->reload, &after, ret, err);
    rc = rc < 0 ? rc : reload_compare(w->reload, ret, err);
    return rc < 0 || w->check == NULL ? rc : w->check(w, ret->diff, err);
}

/* ------------------------------------------------------------------ the file */

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

static int put_back(const struct config_write *w)
{
    struct err why = {0};
    int rc = replace_file(w->path, buf_str(&w->after), buf_str(&w->before), &why);
    if (rc < 0) {
        log_err(LOG_LEVEL_ERROR, &why, "could not take back a change of the configuration");
    }
    return rc;
}

static void work(void *data)
{
    struct config_write *w = data;
    int turn = TURN_OPEN;
    w->rc = replace_file(w->path, buf_str(&w->before), buf_str(&w->after), &w->err);
    if (w->rc == 0 && !atomic_compare_exchange_strong(&w->turn, &turn, TURN_WRITTEN)) {
        (void)put_back(w); /* nobody is left to apply it */
    }
}

/* ------------------------------------------------------------------ the version */

/* Waits for the disk, since what failed was ops.db, which is on it: rare, and better than a file
 * that the next start would take. */
static void take_back(const struct config_write *w, struct err *err)
{
    if (put_back(w) < 0) {
        struct err first = *err;
        (void)err_set(err, ERR_CONFIG_UNAPPLIED,
                      "the file has the new value, which the next start or /reload applies; it is "
                      "not in effect: %.200s",
                      first.context);
    }
}

/* The file is as wanted; stores the version and applies it. */
static int apply(const struct config_write *w, struct reload_fresh *fresh, int64_t *ret_id,
                 struct err *err)
{
    const struct reload_wish wish = {.who = &w->who, .why = w->why};
    int rc = config_write_check(w, fresh, err);
    return rc < 0 ? rc : reload_use(w->reload, fresh, &wish, ret_id, err);
}

static void on_written(void *data, void *userdata)
{
    struct config_write *w = data;
    struct action_call *call = userdata;
    struct reload *reload = w->reload;
    AUTO_RELOAD_FRESH struct reload_fresh fresh = RELOAD_FRESH_INIT;
    struct err err = w->err;
    int64_t id = 0;
    int rc = w->rc;
    action_set_state(call, NULL);
    if (rc == 0) {
        reload->o.busy(true, reload->o.userdata);
        if ((rc = apply(w, &fresh, &id, &err)) < 0) {
            take_back(w, &err);
        }
        reload->o.busy(false, reload->o.userdata);
    }
    if (rc == 0) {
        w->show(w, fresh.diff, id, call);
    }
    action_finish(call, rc < 0 ? &err : NULL);
}

static void drop(void *data)
{
    config_write_free(data);
}

int config_write_start(struct config_write *w, struct action_call *call, struct err *err)
{
    w->started =
        pool_start(w->reload->o.helpers,
                   &(struct pool_work){
                       .data = w, .work = work, .done = on_written, .drop = drop, .userdata = call},
                   err);
    if (w->started == NULL) {
        config_write_free(w);
        return -ERR_POOL_BUSY;
    }
    action_set_state(call, w);
    return ACTION_PENDING;
}

/* Cancelled, or too slow: the file is put back, so that no later start or /reload applies it. The
 * helper does that if it still writes. */
void config_write_cancel(struct action_call *call)
{
    struct config_write *w = action_state(call);
    int turn = TURN_OPEN;
    if (!atomic_compare_exchange_strong(&w->turn, &turn, TURN_CANCELLED)) {
        (void)put_back(w);
    }
    pool_cancel(w->started);
}
