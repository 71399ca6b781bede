/* The pictures of replies: where a program fetches them, and GET /api/v1/pictures/{id}. */
#include "api_internal.h"
#include "base/check.h"
#include "call.h"
#include "command/reply.h"
#include "command/shelf.h"

#include <stdlib.h>
#include <string.h>

#define ROOT "/api/v1/pictures/"

static const struct shelf_picture *find(const struct api_job *job, const char *id)
{
    const struct shelf *shelf = job->listener->api->shelf;
    const struct principal caller = {.channel = job->listener->channel, .id = job->uid};
    return shelf == NULL ? NULL : shelf_find(shelf, &caller, id);
}

static void write_one(struct json_out *out, const struct shelf_picture *picture)
{
    char href[sizeof(ROOT) + ATTACHMENT_ID_SIZE];
    (void)snprintf(href, sizeof(href), ROOT "%s", picture->id);
    json_out_object(out, NULL);
    json_out_text(out, "id", picture->id);
    json_out_text(out, "href", href);
    json_out_time(out, "expires_at", picture->expires_us);
    json_out_end(out);
}

void api_picture_write(const struct api_job *job, const struct reply *reply, struct json_out *out)
{
    bool open = false;
    for (size_t i = 0; i < reply_block_count(reply); i++) {
        struct reply_block block = reply_get_block(reply, i);
        const struct shelf_picture *picture =
            block.kind == BLOCK_IMAGE ? find(job, block.file->id) : NULL;
        if (picture == NULL) {
            continue;
        }
        if (!open) {
            json_out_array(out, "pictures");
            open = true;
        }
        write_one(out, picture);
    }
    if (open) {
        json_out_end(out);
    }
}

/* The id is checked by being looked up: it names nothing but a place of the shelf. */
void api_picture_handle(struct api_call *call)
{
    struct api_job job = {.kind = API_JOB_PICTURE, .line = strdup(api_text(call, "id"))};
    NEED_MEMORY(job.line != NULL);
    api_job_submit(call->listener, call->request, &job);
}

/* Ops. The same error whether it has expired or is of another caller. */
void api_picture_run(struct api_job *job)
{
    static const char *const headers[] = {"Cache-Control: no-store",
                                          "X-Content-Type-Options: nosniff", NULL};
    const struct shelf_picture *picture = find(job, job->line);
    struct err err = {0};
    if (picture == NULL) {
        (void)err_set(&err, ERR_API_PICTURE_GONE, "%.60s", job->line);
        api_answer_err(job->request, &err);
    } else {
        web_answer(job->request,
                   &(struct web_answer){.status = 200,
                                        .content_type = picture->media_type,
                                        .headers = headers,
                                        .body = str_n(picture->bytes, picture->size)});
    }
    api_job_free(job);
}
