/*
 * file_job.h: a file for a reply, which a helper makes: the disk may be slow, a picture or a long
 * query takes time.
 *
 *     struct chart_job { struct file_job job; ... };             // the job is the first member
 *     job->make = draw; job->show = describe;
 *     return file_job_start(helpers, state_dir, call, &chart->job, err);   // ACTION_PENDING
 *
 * make(job) runs on the helper with connections of its own, show(job, reply) then on the loop; the
 * file is added to the reply after what show adds. The job is one block, which is freed with
 * free(). A picture for a program goes to the shelf (shelf.h): over TCP in place of a file, at the
 * socket beside it, where `nightdesk do` shows the path. Thread: ops; make: a helper.
 */
#pragma once

#include "command/action.h"
#include "store/attachment.h"

struct pool;

#define FILE_JOB_DIR_SIZE 4096

struct file_job {
    /* 1: file_job_keep was called. 0: there is nothing to send. Negative: failed. */
    int (*make)(struct file_job *job, struct err *err);
    void (*show)(const struct file_job *job, struct reply *reply);
    struct attachment_new file; /* without the bytes; its texts are constants */
    char caption[128];

    /* Set by file_job_start. */
    char state_dir[FILE_JOB_DIR_SIZE];
    char dir[FILE_JOB_DIR_SIZE]; /* of attachments */
    bool to_folder;
    bool to_shelf;
    struct attachment added;
    char *shelved; /* the bytes for the shelf; NULL: none */
    struct err err;
    int rc;
};

/* Takes ownership of the job, also if it fails. */
int file_job_start(struct pool *helpers, const char *state_dir, struct action_call *call,
                   struct file_job *job, struct err *err);
/* For make(): keeps the bytes of a file that is made at once. Sets `added`. */
int file_job_keep(struct file_job *job, struct str bytes, struct err *err);
/* cancel() of such an action. */
void file_job_cancel(struct action_call *call);
