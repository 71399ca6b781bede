#include "ops/backup_actions.h"

#include "base/check.h"
#include "io/json_out.h"
#include "io/pool.h"
#include "store/backup.h"

#include <stdlib.h>
#include <string.h>

enum work { WORK_MAKE, WORK_STAGE };

struct job {
    enum work what;
    char state_dir[4096];
    char name[BACKUP_NAME_SIZE];
    int keep;
    struct backup_sizes sizes;
    int rc;
    struct err err;
};

static void work(void *data)
{
    struct job *job = data;
    if (job->what == WORK_STAGE) {
        job->rc = backup_stage(job->state_dir, job->name, &job->err);
        return;
    }
    job->rc = backup_make(job->state_dir, job->name, &job->sizes, &job->err);
    job->rc = job->rc < 0 ? job->rc : backup_prune(job->state_dir, job->keep, &job->err);
}

static void show(const struct job *job, struct reply *reply)
{
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    json_out_text(&data, "backup", job->name);
    if (job->what == WORK_STAGE && strcmp(job->name, BACKUP_NONE) == 0) {
        reply_title(reply, TONE_GOOD, "No restore is prepared");
        reply_line(reply, "The next start uses the databases as they are.");
        return;
    }
    if (job->what == WORK_STAGE) {
        reply_title(reply, TONE_WARN, "Restore of %s is prepared", job->name);
        reply_line(reply, "The copies were opened and checked. They replace the databases when "
                          "nightdesk is restarted; what they replace is kept in the folder "
                          "replaced. Until then, nothing has changed.");
        return;
    }
    json_out_i64(&data, "ops_bytes", job->sizes.ops_bytes);
    json_out_i64(&data, "trading_bytes", job->sizes.trading_bytes);
    reply_title(reply, TONE_GOOD, "Backup %s is made", job->name);
    reply_line(reply, "ops.db %lld kB, trading.db %lld kB, opened and checked.",
               (long long)(job->sizes.ops_bytes / 1024),
               (long long)(job->sizes.trading_bytes / 1024));
}

static void on_done(void *data, void *userdata)
{
    const struct job *job = data;
    struct action_call *call = userdata;
    action_set_state(call, NULL);
    if (job->rc == 0) {
        show(job, action_reply(call));
        action_output(call, "backup", "%s", job->name);
    }
    action_finish(call, job->rc < 0 ? &job->err : NULL);
}

static int start(struct action_call *call, enum work what, const char *name, int keep,
                 struct err *err)
{
    const struct backup_actions *backup = action_userdata(call);
    struct job *job = calloc(1, sizeof(*job));
    ASSERT(job != NULL);
    job->what = what;
    job->keep = keep;
    (void)str_copy(str_c(backup->state_dir), job->state_dir, sizeof(job->state_dir));
    (void)str_copy(str_c(name), job->name, sizeof(job->name));
    struct pool_job *started =
        pool_start(backup->helpers,
                   &(struct pool_work){
                       .data = job, .work = work, .done = on_done, .drop = free, .userdata = call},
                   err);
    if (started == NULL) {
        free(job);
        return -ERR_POOL_BUSY;
    }
    action_set_state(call, started);
    action_progress(call, what == WORK_MAKE ? "copying the databases" : "checking the copies");
    return ACTION_PENDING;
}

/* The name is that of the time when the step began, so that it can be found after a crash. */
static int make(struct action_call *call, struct err *err)
{
    char name[BACKUP_NAME_SIZE];
    backup_name(action_begun_us(call), name);
    return start(call, WORK_MAKE, name, (int)action_int(call, "keep"), err);
}

/* Making it again gives the same backup. */
static int recover_make(struct action_call *call, bool *ret_happened, struct err *err)
{
    (void)ret_happened;
    return make(call, err);
}

static int refuse_active(const struct backup_actions *backup, struct err *err)
{
    const struct snapshot *snapshot = backup->snapshot(backup->userdata);
    bool stopped = snapshot->version > 0 && snapshot->state != TRADING_ACTIVE &&
                   snapshot->state != TRADING_STARTING;
    return stopped ? 0
                   : err_set(err, ERR_BACKUP_TRADING, "%s",
                             snapshot->version > 0 ? trading_state_name(snapshot->state)
                                                   : "the state is not known");
}

static int restore(struct action_call *call, struct err *err)
{
    const char *name = action_text(call, "backup");
    int rc = strcmp(name, BACKUP_NONE) == 0 ? 0 : refuse_active(action_userdata(call), err);
    return rc < 0 ? rc : start(call, WORK_STAGE, name, 0, err);
}

static int preview_restore(struct action_call *call, struct err *err)
{
    if (strcmp(action_text(call, "backup"), BACKUP_NONE) == 0) {
        return 0;
    }
    int rc = refuse_active(action_userdata(call), err);
    if (rc == 0) {
        reply_line(action_reply(call),
                   "Both databases become what they were in backup %s, at the next start of "
                   "nightdesk. What has happened since then, also orders, is unknown to it: it "
                   "starts paused and asks the venue.",
                   action_text(call, "backup"));
    }
    return rc;
}

static int recover_restore(struct action_call *call, bool *ret_happened, struct err *err)
{
    (void)ret_happened;
    return start(call, WORK_STAGE, action_text(call, "backup"), 0, err);
}

static int list(struct action_call *call, struct err *err)
{
    const struct backup_actions *backup = action_userdata(call);
    char names[BACKUP_KEEP_MAX][BACKUP_NAME_SIZE];
    struct reply *reply = action_reply(call);
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    int n = backup_list(backup->state_dir, names, err);
    if (n < 0) {
        return n;
    }
    reply_title(reply, TONE_PLAIN, "Backups: %d", n);
    json_out_array(&data, "backups");
    for (int i = 0; i < n; i++) {
        reply_item(reply, "{}", cell_text(names[i]));
        json_out_text(&data, NULL, names[i]);
    }
    json_out_end(&data);
    if (backup_is_staged(backup->state_dir)) {
        reply_line(reply, "⚠ A restore is prepared: it takes effect at the next start.");
    }
    return ACTION_DONE;
}

static void cancel(struct action_call *call)
{
    pool_cancel(action_state(call));
}

static const struct action actions[] = {
    {.name = "state.backup",
     .summary = "Copy both databases, and check the copies",
     .data = "backup ops_bytes trading_bytes",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .locks = "backup",
     .outputs = "backup",
     .params = ACTION_PARAMS({.name = "keep",
                              .type = PARAM_INT,
                              .default_text = "7",
                              .minimum = "1",
                              .maximum = PARAM_BOUND(BACKUP_KEEP_MAX),
                              .help = "how many backups are kept"}),
     .run = make,
     .cancel = cancel,
     .recover = recover_make},
    {.name = "state.backups",
     .summary = "Backups of the databases, newest first",
     .data = "backups",
     .effect = ACTION_READS,
     .lowest = ROLE_OPERATOR,
     .run = list},
    {.name = "state.restore",
     .summary = "Prepare that both databases are put back at the next start",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .locks = "backup trading",
     .outputs = "backup",
     .params = ACTION_PARAMS({.name = "backup",
                              .type = PARAM_TEXT,
                              .required = true,
                              .help = "name of a backup in /backups"}),
     .run = restore,
     .cancel = cancel,
     .recover = recover_restore,
     .preview = preview_restore},
    {0},
};

void backup_actions_add(struct backup_actions *backup, struct action_table *table)
{
    action_table_add(table, actions, backup);
}
