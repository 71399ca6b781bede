/* What a console at the other end of the socket needs besides commands: the alerts and
 * notifications as they happen, and what may follow in a line. */
#include "answer.h"
#include "api_internal.h"
#include "base/check.h"
#include "call.h"
#include "command/complete.h"
#include "command/reply_json.h"

#define WAIT_US       (25 * USEC_PER_SEC) /* shorter than the patience of clients and proxies */
#define ANSWER_EVENTS 16                  /* in one answer; the others follow */

/* ---------------------------------------------------------------- events */

static int64_t now_us(const struct api *api)
{
    return clock_mono_us(loop_clock(api->loop));
}

static bool is_of(const struct api_job *job, int64_t uid)
{
    return job->listener->channel == CHANNEL_SOCKET && job->uid == uid;
}

static void answer(struct api *api, struct api_job *job)
{
    struct api_answer a;
    struct api_age age = api_age_of_ops(api->shared);
    uint64_t last = job->after;
    bool ours = job->after >= api->first_event && job->after <= api->last_event;
    uint64_t oldest = api->last_event >= api->first_event + API_EVENTS_MAX
                          ? api->last_event - API_EVENTS_MAX
                          : api->first_event;
    last = !ours ? api->last_event : last < oldest ? oldest : last;
    api_answer_begin(&a, "nightdesk.events/1", age);
    json_out_u64(&a.out, "missed", ours ? last - job->after : 0);
    json_out_array(&a.out, "events");
    for (int n = 0; last < api->last_event && n < ANSWER_EVENTS; n++) {
        const struct api_event *event = &api->events[++last % API_EVENTS_MAX];
        const char *json = event->json;
        if (event->uid >= 0 && !is_of(job, event->uid)) {
            continue;
        }
        if (a.body.len + strlen(json) + 1024 > API_ANSWER_MAX && n > 0) {
            last--;
            break;
        }
        AUTO_JSON struct json_object *reply = NULL;
        if (json_parse(str_c(json), &JSON_LIMITS_DEFAULT, &reply, NULL) == 0) {
            json_out_value(&a.out, NULL, reply);
        }
    }
    json_out_end(&a.out);
    json_out_u64(&a.out, "last", last);
    if (buf_failed(&a.body)) { /* one event that is longer than an answer */
        api_answer_drop(&a);
        api_answer_begin(&a, "nightdesk.events/1", age);
        json_out_u64(&a.out, "missed", 1);
        json_out_array(&a.out, "events");
        json_out_end(&a.out);
        json_out_u64(&a.out, "last", last);
    }
    api_answer_send(&a, job->request);
    api_job_free(job);
}

static bool is_due(const struct api *api, const struct api_job *job)
{
    return job->after != api->last_event || now_us(api) >= job->until_mono_us;
}

static void answer_due(void *userdata)
{
    struct api *api = userdata;
    struct api_job **slot = &api->watches;
    while (*slot != NULL) {
        struct api_job *job = *slot;
        if (is_due(api, job)) {
            *slot = job->next;
            answer(api, job);
        } else {
            slot = &job->next;
        }
    }
    if (api->watches == NULL) {
        loop_timer_stop(api->watch_timer);
    }
}

static void publish(struct api *api, const struct reply *reply, int64_t uid)
{
    AUTO_BUF struct buf json = BUF_INIT(API_ANSWER_MAX);
    reply_json_message(reply, &json);
    if (buf_failed(&json)) {
        return;
    }
    struct api_event *event = &api->events[++api->last_event % API_EVENTS_MAX];
    free(event->json);
    event->id = api->last_event;
    event->uid = uid;
    event->json = strdup(json.data);
    ASSERT(event->json != NULL);
    answer_due(api);
}

void api_publish(struct api *api, const struct reply *reply)
{
    if (api != NULL) {
        publish(api, reply, -1);
    }
}

/* Nobody needs the progress of before, so it is not kept for a reader that comes late. */
void api_publish_progress(struct api *api, const struct reply *reply, int64_t uid)
{
    for (const struct api_job *job = api->watches; job != NULL; job = job->next) {
        if (is_of(job, uid)) {
            publish(api, reply, uid);
            return;
        }
    }
}

void api_events_start(struct api *api)
{
    /* Above all numbers of the process before, so that its readers begin here. */
    api->first_event = (uint64_t)clock_wall_us(loop_clock(api->loop));
    api->last_event = api->first_event;
    api->watch_timer = loop_add_timer(api->loop, answer_due, api);
    loop_source_name(api->watch_timer, "api events");
}

void api_events_run(struct api *api, struct api_job *job)
{
    job->until_mono_us = now_us(api) + WAIT_US;
    job->next = api->watches;
    api->watches = job;
    if (!loop_timer_armed(api->watch_timer)) {
        loop_timer_every(api->watch_timer, USEC_PER_SEC);
    }
    answer_due(api);
}

int api_events_end(struct api *api)
{
    int ended = 0;
    while (api->watches != NULL) {
        struct api_job *job = api->watches;
        api->watches = job->next;
        api_job_end(job);
        ended++;
    }
    return ended;
}

void api_events_release(struct api *api)
{
    loop_source_free(api->watch_timer);
    for (size_t i = 0; i < API_EVENTS_MAX; i++) {
        free(api->events[i].json);
    }
}

void api_events_handle(struct api_call *call)
{
    const struct api_job job = {.kind = API_JOB_EVENTS,
                                .after = (uint64_t)api_number(call, "after", 0)};
    api_job_submit(call->listener, call->request, &job);
}

/* ---------------------------------------------------------------- completion */

/* The line is in the body, not in the URL, because it may hold a code. */
void api_complete_handle(struct api_call *call)
{
    struct web_request *request = call->request;
    AUTO_JSON struct json_object *root = NULL;
    const struct json_limits limits = {.max_bytes = API_BODY_MAX, .max_depth = 2};
    struct err err = {0};
    if (json_parse(web_body(request), &limits, &root, &err) < 0) {
        api_answer_err(request, &err);
        return;
    }
    if (!json_is_object(root) || !json_is_text(json_get(root, "line"))) {
        (void)err_set(&err, ERR_API_BODY, "the body is not an object with the text line");
        api_answer_err(request, &err);
        return;
    }
    struct api_job job = {.kind = API_JOB_COMPLETE, .line = strdup(json_text(root, "line"))};
    ASSERT(job.line != NULL);
    api_job_submit(call->listener, request, &job);
}

void api_complete_run(struct api *api, struct api_job *job)
{
    struct principal who;
    struct err err = {0};
    AUTO_FREE struct completions *c = calloc(1, sizeof(*c));
    ASSERT(c != NULL);
    if (access_identify(api->access, job->listener->channel, job->uid, &who) < 0) {
        (void)err_set(&err, ERR_ACCESS_UNAUTHORISED, "%s caller %lld",
                      channel_name(job->listener->channel), (long long)job->uid);
        api_answer_err(job->request, &err);
    } else {
        struct api_answer a;
        complete_line(api->runner, &who, str_c(job->line), c);
        api_answer_begin(&a, "nightdesk.completions/1", api_age_of_ops(api->shared));
        completions_write(c, &a.out);
        api_answer_send(&a, job->request);
    }
    api_job_free(job);
}
