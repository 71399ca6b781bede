/* The calls of jobs: a check of kind heartbeat. The key in the path is all the permission they
 * need, and all they can do is to say that they ran. */
#include "api_internal.h"
#include "base/check.h"
#include "call.h"

#include <stdlib.h>
#include <string.h>

#define KEY_MAX_LEN 64

static void refuse(struct web_request *request)
{
    struct err err = {0};
    (void)err_set(&err, ERR_API_NOT_FOUND,
                  "no job has this key, or the word after it is neither "
                  "start nor fail");
    api_answer_err(request, &err);
}

void api_ping_handle(struct api_call *call)
{
    const char *key = api_text(call, "key");
    bool plain = !route_in_path(call->route, "call");
    const char *word = plain ? "" : api_text(call, "call");
    bool start = strcmp(word, "start") == 0, fail = strcmp(word, "fail") == 0;
    if (strlen(key) > KEY_MAX_LEN || (!plain && !start && !fail)) {
        refuse(call->request);
        return;
    }
    struct api_job job = {.kind = API_JOB_PING,
                          .line = strdup(key),
                          .ping = start  ? HEARTBEAT_START
                                  : fail ? HEARTBEAT_FAILURE
                                         : HEARTBEAT_SUCCESS};
    ASSERT(job.line != NULL);
    api_job_submit(call->listener, call->request, &job);
}

void api_ping_run(struct api *api, struct api_job *job)
{
    if (api->health != NULL && health_heartbeat(api->health, str_c(job->line), job->ping)) {
        web_answer_c(job->request, 200, "ok\n");
    } else {
        refuse(job->request);
    }
    api_job_free(job);
}
