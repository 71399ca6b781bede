#include "ops/cleanup_actions.h"

#include "alerts/alerts.h"
#include "base/check.h"
#include "base/log.h"
#include "config/config.h"
#include "deploy/deploy.h"
#include "io/file.h"
#include "io/json_out.h"
#include "io/log_file.h"
#include "io/pool.h"
#include "ops/ops.h"
#include "store/attachment.h"
#include "store/backup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES_MAX 4096 /* of a folder */
#define DEPTH_MAX 16

enum kind { SPACE_LOGS, SPACE_EXPORTS, SPACE_BACKUPS, SPACE_RELEASES, SPACE_KINDS };

static const struct {
    const char *name; /* in JSON */
    const char *text;
} kinds[SPACE_KINDS] = {[SPACE_LOGS] = {"logs", "old logs"},
                        [SPACE_EXPORTS] = {"exports", "exported files"},
                        [SPACE_BACKUPS] = {"backups", "old backups"},
                        [SPACE_RELEASES] = {"releases", "old releases"}};

struct root {
    char path[512];
    size_t keep;
};

struct job {
    char state_dir[4096];
    int64_t logs, backups;
    int64_t exports_before_us;
    size_t log_count;
    char (*logs_of)[64]; /* names of log files in the state folder */
    size_t root_count;
    struct root *roots; /* of releases */
    struct cleanup_actions *owner;
    int64_t freed[SPACE_KINDS]; /* bytes */
    struct err err;             /* the first failure; the other kinds go on */
};

static void free_job(void *data)
{
    struct job *job = data;
    free(job->logs_of);
    free(job->roots);
    free(job);
}

/* ------------------------------------------------------------------ on a helper */

/* What it takes on the disk, without following links. */
static int64_t bytes_of(const char *path, int depth)
{
    struct stat st;
    AUTO_FILE_NAMES struct file_names names = {0};
    if (depth > DEPTH_MAX || lstat(path, &st) < 0) {
        return 0;
    }
    int64_t bytes = (int64_t)st.st_blocks * 512;
    if (!S_ISDIR(st.st_mode) || file_list(path, NAMES_MAX, &names, NULL) < 0) {
        return bytes;
    }
    for (size_t i = 0; i < names.count; i++) {
        AUTO_BUF struct buf child = BUF_INIT(8192);
        buf_addf(&child, "%s/%s", path, names.items[i]);
        bytes += bytes_of(child.data, depth + 1);
    }
    return bytes;
}

/* "nightdesk.log.3", from the first that is not kept on. */
static int trim_logs(const struct job *job, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < job->log_count; i++) {
        for (int64_t k = job->logs + 1; k <= LOG_FILE_KEEP; k++) {
            AUTO_BUF struct buf path = BUF_INIT(8192);
            struct stat st;
            buf_addf(&path, "%s/%s.%lld", job->state_dir, job->logs_of[i], (long long)k);
            if (lstat(path.data, &st) == 0 && S_ISREG(st.st_mode) && unlink(path.data) < 0) {
                rc = file_error(err, errno, "delete", path.data);
            }
        }
    }
    return rc;
}

static int64_t size_of_logs(const struct job *job)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < job->log_count; i++) {
        for (int k = 1; k <= LOG_FILE_KEEP; k++) {
            AUTO_BUF struct buf path = BUF_INIT(8192);
            buf_addf(&path, "%s/%s.%d", job->state_dir, job->logs_of[i], k);
            bytes += bytes_of(path.data, 0);
        }
    }
    return bytes;
}

static int trim_releases(const struct job *job, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < job->root_count; i++) {
        if (file_exists(job->roots[i].path)) {
            int trimmed = deploy_trim(job->roots[i].path, job->roots[i].keep, err);
            rc = trimmed < 0 ? trimmed : rc;
        }
    }
    return rc;
}

static int64_t size_of(const struct job *job, enum kind kind)
{
    AUTO_BUF struct buf path = BUF_INIT(8192);
    int64_t bytes = 0;
    switch (kind) {
    case SPACE_LOGS:
        return size_of_logs(job);
    case SPACE_EXPORTS:
        attachment_dir(job->state_dir, &path);
        return bytes_of(path.data, 0);
    case SPACE_BACKUPS:
        buf_addf(&path, "%s/backups", job->state_dir);
        return bytes_of(path.data, 0);
    case SPACE_RELEASES:
        for (size_t i = 0; i < job->root_count; i++) {
            bytes += bytes_of(job->roots[i].path, 0);
        }
        return bytes;
    case SPACE_KINDS:
        break;
    }
    return 0;
}

static int trim(const struct job *job, enum kind kind, struct err *err)
{
    AUTO_BUF struct buf path = BUF_INIT(8192);
    switch (kind) {
    case SPACE_LOGS:
        return trim_logs(job, err);
    case SPACE_EXPORTS:
        attachment_dir(job->state_dir, &path);
        return attachment_expire(path.data, job->exports_before_us, err);
    case SPACE_BACKUPS:
        return backup_prune(job->state_dir, (int)job->backups, err);
    case SPACE_RELEASES:
        return trim_releases(job, err);
    case SPACE_KINDS:
        break;
    }
    return 0;
}

static void work(void *data)
{
    struct job *job = data;
    for (int i = 0; i < SPACE_KINDS; i++) {
        struct err err = {0};
        int64_t before = size_of(job, (enum kind)i);
        if (trim(job, (enum kind)i, &err) < 0 && job->err.id == ERR_NONE) {
            job->err = err;
        }
        int64_t after = size_of(job, (enum kind)i);
        job->freed[i] = before > after ? before - after : 0;
    }
}

/* ------------------------------------------------------------------ on the loop */

static int64_t total(const struct job *job)
{
    int64_t bytes = 0;
    for (int i = 0; i < SPACE_KINDS; i++) {
        bytes += job->freed[i];
    }
    return bytes;
}

/* "freed 12.5 MB: old logs 10.0 MB, old backups 2.5 MB" */
static void describe(const struct job *job, struct buf *out)
{
    const char *between = ": ";
    buf_add_c(out, "freed ");
    cell_add_text(out, cell_bytes((double)total(job)));
    for (int i = 0; i < SPACE_KINDS; i++) {
        if (job->freed[i] > 0) {
            buf_addf(out, "%s%s ", between, kinds[i].text);
            cell_add_text(out, cell_bytes((double)job->freed[i]));
            between = ", ";
        }
    }
}

static void show(const struct job *job, struct action_call *call)
{
    static const char *const alarms[] = {"metric:host:disk", "metric:host:disk_trend",
                                         "metric:host:inodes", "metric:host:inodes_trend"};
    struct reply *r = action_reply(call);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    AUTO_BUF struct buf text = BUF_INIT(512);
    describe(job, &text);
    reply_title(r, TONE_GOOD, "Made room on the disk");
    json_out_i64(&data, "freed_bytes", total(job));
    json_out_object(&data, "freed");
    for (int i = 0; i < SPACE_KINDS; i++) {
        json_out_i64(&data, kinds[i].name, job->freed[i]);
    }
    json_out_end(&data);
    reply_line(r, "%s", text.data);
    for (size_t i = 0; i < COUNT_OF(alarms); i++) {
        (void)alerts_note(job->owner->alerts, alarms[i], text.data, NULL);
    }
}

static void on_done(void *data, void *userdata)
{
    const struct job *job = data;
    struct action_call *call = userdata;
    struct err none = {0};
    action_set_state(call, NULL);
    action_output(call, "freed_bytes", "%lld", (long long)total(job));
    if (total(job) > 0) {
        show(job, call);
        if (job->err.id != ERR_NONE) {
            log_err(LOG_LEVEL_WARNING, &job->err, "not everything could be deleted");
        }
        action_finish(call, NULL);
        return;
    }
    (void)err_set(&none, ERR_STATE_NOTHING_TO_FREE, "no old log, export, backup or release");
    action_finish(call, job->err.id != ERR_NONE ? &job->err : &none);
}

static void collect(struct job *job, const struct config *config)
{
    size_t services = (size_t)config->service_count;
    job->logs_of = calloc(services + 1, sizeof(*job->logs_of));
    job->roots = calloc(services + 1, sizeof(*job->roots));
    ASSERT(job->logs_of != NULL && job->roots != NULL);
    (void)snprintf(job->logs_of[job->log_count++], sizeof(job->logs_of[0]), "%s", OPS_LOG_NAME);
    for (size_t i = 0; i < services; i++) {
        const struct config_service *s = &config->services[i];
        if (s->command.count > 0) {
            (void)snprintf(job->logs_of[job->log_count++], sizeof(job->logs_of[0]), "%s.log",
                           s->name);
        }
        if (s->release_root[0] != '\0' &&
            str_copy(str_c(s->release_root), job->roots[job->root_count].path,
                     sizeof(job->roots[0].path))) {
            job->roots[job->root_count++].keep = (size_t)s->release_keep;
        }
    }
}

static int free_space(struct action_call *call, struct err *err)
{
    struct cleanup_actions *space = action_userdata(call);
    struct job *job = calloc(1, sizeof(*job));
    ASSERT(job != NULL);
    job->owner = space;
    job->logs = action_int(call, "logs");
    job->backups = action_int(call, "backups");
    job->exports_before_us = action_begun_us(call) - action_duration_us(call, "exports");
    (void)str_copy(str_c(space->state_dir), job->state_dir, sizeof(job->state_dir));
    collect(job, space->config);
    struct pool_job *started = pool_start(
        space->helpers,
        &(struct pool_work){
            .data = job, .work = work, .done = on_done, .drop = free_job, .userdata = call},
        err);
    if (started == NULL) {
        free_job(job);
        return -ERR_POOL_BUSY;
    }
    action_set_state(call, started);
    action_progress(call, "deleting what is no longer needed");
    return ACTION_PENDING;
}

/* What is left is deleted now. */
static int recover_space(struct action_call *call, bool *ret_happened, struct err *err)
{
    (void)ret_happened;
    return free_space(call, err);
}

static void cancel(struct action_call *call)
{
    pool_cancel(action_state(call));
}

static const struct action rows[] = {
    {.name = "state.free_space",
     .summary = "Delete nightdesk's own old logs, exports, backups and releases, and say how much "
                "that freed",
     .data = "freed_bytes freed",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .locks = "backup space",
     .outputs = "freed_bytes",
     .params = ACTION_PARAMS({.name = "logs",
                              .type = PARAM_INT,
                              .default_text = "1",
                              .minimum = "0",
                              .maximum = PARAM_BOUND(LOG_FILE_KEEP),
                              .help = "how many rotated files of each log are kept"},
                             {.name = "exports",
                              .type = PARAM_DURATION,
                              .default_text = "1d",
                              .minimum = "1h",
                              .maximum = "30d",
                              .help = "exported files that are younger are kept"},
                             {.name = "backups",
                              .type = PARAM_INT,
                              .default_text = "3",
                              .minimum = "1",
                              .maximum = PARAM_BOUND(BACKUP_KEEP_MAX),
                              .help = "how many backups are kept"}),
     .run = free_space,
     .cancel = cancel,
     .recover = recover_space},
    {0},
};

void cleanup_actions_add(struct cleanup_actions *space, struct action_table *table)
{
    action_table_add(table, rows, space);
}
