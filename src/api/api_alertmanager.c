/* POST /api/v1/alertmanager: what Alertmanager sends becomes alerts of this program. The listener's
 * thread reads the body, ops raises one alert at a time: each is a transaction, and the loop serves
 * others in between. */
#include "alerts/foreign.h"
#include "answer.h"
#include "api_internal.h"
#include "base/check.h"
#include "call.h"
#include "io/json_out.h"

#include <stdlib.h>

void api_alertmanager_handle(struct api_call *call)
{
    struct err err = {0};
    struct api_job job = {.kind = API_JOB_ALERTS};
    int count = foreign_read(web_body(call->request), &job.alerts, &err);
    if (count < 0) {
        api_answer_err(call->request, &err);
        return;
    }
    job.alert_count = count;
    api_job_submit(call->listener, call->request, &job);
}

static void answer(struct api_job *job)
{
    struct api_answer a;
    int64_t resolved = 0;
    for (int i = 0; i < job->alert_count; i++) {
        resolved += job->alerts[i].resolved ? 1 : 0;
    }
    api_answer_begin(&a, "nightdesk.alertmanager/1", api_age_of_ops(job->listener->api->shared));
    json_out_i64(&a.out, "firing", job->alert_count - resolved);
    json_out_i64(&a.out, "resolved", resolved);
    api_answer_send(&a, job->request);
    api_job_free(job);
}

/* A failure is answered with its status, 500 or above: Alertmanager sends all of them again, and
 * those that were stored are only counted once more. */
static void raise_next(void *userdata)
{
    struct api *api = userdata;
    struct api_job *job = api->foreign;
    struct err err = {0};
    if (job == NULL) {
        return;
    }
    int rc = job->alert_next < job->alert_count
                 ? alerts_foreign(api->alerts, &job->alerts[job->alert_next++], &err)
                 : 0;
    if (rc < 0 || job->alert_next >= job->alert_count) {
        api->foreign = job->next;
        if (rc < 0) {
            api_answer_err(job->request, &err);
            api_job_free(job);
        } else {
            answer(job);
        }
    }
    if (api->foreign != NULL) {
        loop_timer_in(api->foreign_timer, 0);
    }
}

void api_alertmanager_run(struct api *api, struct api_job *job)
{
    struct api_job **slot = &api->foreign;
    if (api->foreign_timer == NULL) {
        api->foreign_timer = loop_add_timer(api->loop, raise_next, api);
        loop_source_name(api->foreign_timer, "alerts of Alertmanager");
    }
    while (*slot != NULL) {
        slot = &(*slot)->next;
    }
    job->next = NULL;
    *slot = job;
    loop_timer_in(api->foreign_timer, 0);
}

int api_alertmanager_end(struct api *api)
{
    int ended = 0;
    while (api->foreign != NULL) {
        struct api_job *job = api->foreign;
        api->foreign = job->next;
        api_job_end(job);
        ended++;
    }
    loop_source_free(api->foreign_timer);
    api->foreign_timer = NULL;
    return ended;
}
