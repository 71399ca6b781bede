#include "command/file_job.h"

#include "base/check.h"
#include "io/pool.h"

#include <stdlib.h>

static void make(void *data)
{
    struct file_job *job = data;
    job->rc = job->make(job, &job->err);
}

static void on_made(void *data, void *userdata)
{
    const struct file_job *job = data;
    struct action_call *call = userdata;
    action_set_state(call, NULL);
    if (job->rc >= 0) {
        job->show(job, action_reply(call));
    }
    if (job->rc > 0) {
        const struct reply_file file = {.id = job->added.id,
                                        .name = job->file.name,
                                        .media_type = job->file.media_type,
                                        .size_bytes = job->added.size_bytes,
                                        .caption = job->caption};
        (job->file.image ? reply_image : reply_document)(action_reply(call), &file);
    }
    action_finish(call, job->rc >= 0 ? NULL : &job->err);
}

int file_job_start(struct pool *helpers, const char *state_dir, struct action_call *call,
                   struct file_job *job, struct err *err)
{
    AUTO_BUF struct buf dir = BUF_INIT(sizeof(job->dir) - 1);
    attachment_dir(state_dir, &dir);
    (void)str_copy(buf_str(&dir), job->dir, sizeof(job->dir));
    (void)str_copy(str_c(state_dir), job->state_dir, sizeof(job->state_dir));
    struct pool_job *started =
        pool_start(helpers,
                   &(struct pool_work){
                       .data = job, .work = make, .done = on_made, .drop = free, .userdata = call},
                   err);
    if (started == NULL) {
        free(job);
        return -ERR_POOL_BUSY;
    }
    reply_protect(action_reply(call));
    action_set_state(call, started);
    return ACTION_PENDING;
}

void file_job_cancel(struct action_call *call)
{
    pool_cancel(action_state(call));
}
