/* Routes that a reading command answers: what only ops knows. It runs as the caller, so roles,
 * limits and the count of reads are those of any channel. */
#include "answer.h"
#include "api_internal.h"
#include "base/check.h"
#include "call.h"
#include "command/reply.h"

#include <string.h>

static void submit(struct api_call *call, const char *command, const char *args)
{
    struct api_job job = {.kind = API_JOB_COMMAND,
                          .reading = call->route,
                          .wait_us = -1, /* a reading has no run to look at */
                          .line = strdup(command),
                          .args_json = strdup(args)};
    NEED_MEMORY(job.line != NULL && job.args_json != NULL);
    api_job_submit(call->listener, call->request, &job);
}

void api_reading_handle(struct api_call *call)
{
    AUTO_BUF struct buf args = BUF_INIT(API_BODY_MAX);
    struct json_out out = JSON_OUT(&args);
    json_out_object(&out, NULL);
    for (int i = 0; i < route_param_count(call->route); i++) {
        if (call->values[i].type != PARAM_NONE) {
            value_json(&call->values[i], &out, call->route->params[i].name);
        }
    }
    json_out_end(&out);
    submit(call, call->route->command, args.data);
}

void api_why_handle(struct api_call *call)
{
    char what[32];
    AUTO_BUF struct buf args = BUF_INIT(64);
    struct json_out out = JSON_OUT(&args);
    (void)snprintf(what, sizeof(what), "d%lld", (long long)api_number(call, "id", 0));
    json_out_object(&out, NULL);
    json_out_text(&out, "what", what);
    json_out_end(&out);
    submit(call, call->route->command, args.data);
}

void api_reading_answer(struct api_job *job, const struct reply *reply)
{
    struct api_answer a;
    const struct shared *shared = job->listener->api->shared;
    api_answer_begin(&a, job->reading->answer, api_age_of_ops(shared));
    const struct json_object *data = reply_get_data(reply);
    struct json_object_iter it;
    json_object_object_foreachC(data, it)
    {
        json_out_value(&a.out, it.key, it.val);
    }
    api_answer_send(&a, job->request);
}
