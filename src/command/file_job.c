#include "command/file_job.h"

#include "base/check.h"
#include "call.h"
#include "command/shelf.h"
#include "io/pool.h"

#include <stdlib.h>
#include <string.h>

static void make(void *data)
{
    struct file_job *job = data;
    job->rc = job->make(job, &job->err);
}

static void job_free(void *data)
{
    struct file_job *job = data;
    free(job->shelved);
    free(job);
}

static void put_on_shelf(struct file_job *job, const struct action_call *call)
{
    struct shelf_picture picture = {.media_type = job->file.media_type,
                                    .bytes = job->shelved,
                                    .size = (size_t)job->added.size_bytes};
    memcpy(picture.id, job->added.id, sizeof(picture.id));
    job->shelved = NULL;
    shelf_put(call->shelf, call->who, &picture);
}

static void on_made(void *data, void *userdata)
{
    struct file_job *job = data;
    struct action_call *call = userdata;
    action_set_state(call, NULL);
    if (job->rc >= 0) {
        job->show(job, action_reply(call));
    }
    if (job->rc > 0 && job->shelved != NULL) {
        put_on_shelf(job, call);
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

int file_job_keep(struct file_job *job, struct str bytes, struct err *err)
{
    struct attachment_new file = job->file;
    file.bytes = bytes;
    if (job->to_shelf && bytes.len <= SHELF_PICTURE_MAX) {
        job->shelved = malloc(bytes.len);
        NEED_MEMORY(job->shelved != NULL);
        memcpy(job->shelved, bytes.ptr, bytes.len);
    }
    if (job->to_folder) {
        return attachment_add(job->dir, &file, &job->added, err);
    }
    job->added.size_bytes = (int64_t)bytes.len;
    attachment_id(file.name, job->added.id);
    return job->shelved != NULL
               ? 0
               : err_set(err, ERR_ATTACHMENT_TOO_LARGE, "%s: %zu bytes, at most %zu", file.name,
                         bytes.len, SHELF_PICTURE_MAX);
}

/* A person in a chat gets a file, a program a picture that it fetches. */
static void choose_place(const struct action_call *call, struct file_job *job)
{
    enum channel channel = call->who->channel;
    bool program = channel == CHANNEL_HTTP || channel == CHANNEL_SOCKET;
    job->to_shelf = job->file.image && call->shelf != NULL && program;
    job->to_folder = !job->to_shelf || channel != CHANNEL_HTTP;
}

int file_job_start(struct pool *helpers, const char *state_dir, struct action_call *call,
                   struct file_job *job, struct err *err)
{
    AUTO_BUF struct buf dir = BUF_INIT(sizeof(job->dir) - 1);
    attachment_dir(state_dir, &dir);
    (void)str_copy(buf_str(&dir), job->dir, sizeof(job->dir));
    (void)str_copy(str_c(state_dir), job->state_dir, sizeof(job->state_dir));
    choose_place(call, job);
    struct pool_job *started = pool_start(
        helpers,
        &(struct pool_work){
            .data = job, .work = make, .done = on_made, .drop = job_free, .userdata = call},
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
