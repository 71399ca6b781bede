/*
 * What a program needs beside a command itself: a key with which a repeated request runs nothing
 * twice, an answer before a long run has ended, tokens to confirm with, and a way to cancel.
 *
 * A key is stored in the transaction that stores the run. So whenever the process dies, either both
 * are there or neither is, and a client may repeat its request until it gets an answer.
 */
#include "answer.h"
#include "api_internal.h"
#include "base/check.h"
#include "base/log.h"
#include "call.h"
#include "command/reply.h"
#include "command/runner.h"
#include "io/secret.h"
#include "store/idempotency_table.h"
#include "store/run_table.h"

#include <stdio.h>
#include <string.h>

#define WAIT_HTTP_US (25 * USEC_PER_SEC) /* over TCP, without a Prefer; a proxy waits as long */
#define WAIT_MAX_S   600
#define LOOK_US      (100 * USEC_PER_MSEC)
#define TOKEN_MAX    31

/* ---------------------------------------------------------------- the request */

static bool is_plain(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~') {
            return false;
        }
    }
    return true;
}

/* RFC 7240: "respond-async" and "wait=10", in any order. */
static int read_prefer(struct str header, struct api_job *job, struct err *err)
{
    struct str part;
    while (str_split(&header, ',', &part)) {
        int64_t seconds = 0;
        part = str_trim(part);
        if (str_equal_nocase(part, "respond-async")) {
            job->wait_us = 0;
        } else if (str_starts(part, "wait=")) {
            if (!str_to_i64(str_n(part.ptr + 5, part.len - 5), &seconds) || seconds < 0 ||
                seconds > WAIT_MAX_S) {
                return err_set(err, ERR_API_HEADER, "Prefer: wait is from 0 to %d seconds",
                               WAIT_MAX_S);
            }
            job->wait_us = seconds * USEC_PER_SEC;
        }
    }
    return 0;
}

int api_acting_read(struct api_call *call, struct api_job *job, struct err *err)
{
    struct str key = web_header(call->request, "Idempotency-Key");
    AUTO_BUF struct buf asked = BUF_INIT(API_BODY_MAX * 2);
    job->wait_us = call->listener->channel == CHANNEL_SOCKET ? -1 : WAIT_HTTP_US;
    if (key.len > IDEMPOTENCY_KEY_MAX || !is_plain(key)) {
        return err_set(err, ERR_API_HEADER,
                       "Idempotency-Key: 1 to %d printable characters without spaces",
                       IDEMPOTENCY_KEY_MAX);
    }
    if (key.len > 0) {
        job->key = strndup(key.ptr, key.len);
        NEED_MEMORY(job->key != NULL);
        buf_add_str(&asked, web_path(call->request));
        buf_add_char(&asked, '\n');
        buf_add_str(&asked, web_body(call->request));
        secret_hmac_sha256(key, buf_str(&asked), job->hash);
    }
    return read_prefer(web_header(call->request, "Prefer"), job, err);
}

static void submit_line(struct api_call *call, const char *line)
{
    struct err err = {0};
    struct api_job job = {.kind = API_JOB_COMMAND};
    if (api_acting_read(call, &job, &err) < 0) {
        free(job.key);
        api_answer_err(call->request, &err);
        return;
    }
    job.line = strdup(line);
    NEED_MEMORY(job.line != NULL);
    api_job_submit(call->listener, call->request, &job);
}

static bool is_token(const char *text)
{
    size_t len = strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_");
    return len > 0 && len <= TOKEN_MAX && text[len] == '\0';
}

/* POST: yes, with the code of a second factor if one is asked for; DELETE: no. */
void api_confirmation_handle(struct api_call *call)
{
    const char *token = api_text(call, "token");
    AUTO_BUF struct buf line = BUF_INIT(256);
    struct err err = {0};
    struct api_command body;
    bool yes = str_equal_c(web_method(call->request), "POST");
    int rc =
        is_token(token) ? 0 : err_set(&err, ERR_API_NOT_FOUND, "no confirmation has this token");
    buf_addf(&line, "%s %s", yes ? "confirm" : "cancel", token);
    if (rc == 0 && yes) {
        rc = api_command_read("confirm", web_body(call->request), &body, &err);
        buf_addf(&line, "%s%s", body.otp[0] != '\0' ? " " : "", body.otp);
        api_command_release(&body);
    }
    if (rc < 0) {
        api_answer_err(call->request, &err);
    } else {
        submit_line(call, line.data);
    }
}

void api_cancel_handle(struct api_call *call)
{
    char line[48];
    (void)snprintf(line, sizeof(line), "cancel %lld", (long long)api_number(call, "id", 0));
    submit_line(call, line);
}

/* ---------------------------------------------------------------- ops: keys */

static void write_caller(const struct principal *who, char ret[128])
{
    (void)snprintf(ret, 128, "%s:%lld:%s", channel_name(who->channel), (long long)who->id,
                   who->name);
}

/* The run itself is the answer: it goes on, or its reply is not kept. */
static void answer_run(struct api *api, struct web_request *request, int64_t run_id)
{
    struct api_answer a;
    struct err err = {0};
    char location[64];
    struct run_row row = {0};
    bool over = run_table_get(api->store, run_id, &row, NULL) == 0 && row.state != RUN_RUNNING &&
                row.state != RUN_CONFIRMING;
    run_row_release(&row);
    (void)snprintf(location, sizeof(location), "Location: /api/v1/runs/%lld", (long long)run_id);
    api_answer_begin(&a, "nightdesk.run/1", api_age_of_ops(api->shared));
    if (api_run_write(api->store, run_id, &a.out, &err) < 0) {
        api_answer_drop(&a);
        api_answer_err(request, &err);
    } else {
        api_answer_send_as(&a, request, over ? 200 : 202, location);
    }
}

bool api_acting_repeat(struct api *api, struct api_job *job, const struct principal *who)
{
    struct err err = {0};
    struct idempotency_row row;
    write_caller(who, job->caller);
    const struct idempotency_key key = {.caller = job->caller, .key = job->key, .hash = job->hash};
    if (job->key == NULL) {
        return false;
    }
    int rc = idempotency_table_get(api->store, &key, &row, &err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        return false;
    }
    if (rc == 0 && strcmp(row.hash, job->hash) != 0) {
        rc = err_set(&err, ERR_API_KEY_REUSED, "run %lld", (long long)row.run_id);
    }
    if (rc < 0) {
        api_answer_err(job->request, &err);
    } else if (row.status >= 400) {
        api_problem_send(job->request, (int)row.status, str_c(row.answer), NULL);
    } else if (row.status != 0) {
        web_answer_json(job->request, (int)row.status, str_c(row.answer));
    } else {
        answer_run(api, job->request, row.run_id);
    }
    free(row.answer);
    return true;
}

int api_acting_stored(int64_t run_id, void *userdata, struct err *err)
{
    struct api_job *job = userdata;
    struct api *api = job->listener->api;
    const struct idempotency_key key = {.caller = job->caller, .key = job->key, .hash = job->hash};
    job->run_id = run_id;
    return job->key == NULL ? 0
                            : idempotency_table_add(api->store, &key, run_id,
                                                    clock_wall_us(loop_clock(api->loop)), err);
}

void api_acting_keep(const struct api_job *job, int status, struct str body, bool concealed)
{
    struct err err = {0};
    const struct idempotency_key key = {.caller = job->caller, .key = job->key, .hash = job->hash};
    if (job->key == NULL || job->run_id == 0 || concealed || body.len > IDEMPOTENCY_ANSWER_MAX) {
        return;
    }
    if (idempotency_table_answer(job->listener->api->store, &key, status, body, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not keep an answer; its run is answered instead");
    }
}

/* ---------------------------------------------------------------- ops: long runs */

static bool is_active(const struct api *api, const struct api_job *job)
{
    const struct api_job *at = api->active;
    while (at != NULL && at != job) {
        at = at->next;
    }
    return at != NULL;
}

static void look(void *userdata)
{
    struct api *api = userdata;
    int64_t now_us = clock_mono_us(loop_clock(api->loop));
    bool waiting = false;
    for (struct api_job *job = api->active, *next; job != NULL; job = next) {
        next = job->next;
        bool timed = job->kind == API_JOB_COMMAND && job->wait_us >= 0 && job->run_id != 0;
        if (timed && now_us >= job->until_mono_us) {
            runner_forget(api->runner, job);
            api_job_unlink(api, job);
            answer_run(api, job->request, job->run_id);
            api_job_free(job);
        } else {
            waiting = waiting || timed;
        }
    }
    if (!waiting) {
        loop_timer_stop(api->acting_timer);
    }
}

void api_acting_wait(struct api *api, struct api_job *job)
{
    if (!is_active(api, job) || job->wait_us < 0) {
        return; /* it has been answered, or waits for the end */
    }
    job->until_mono_us = clock_mono_us(loop_clock(api->loop)) + job->wait_us;
    if (!loop_timer_armed(api->acting_timer)) {
        loop_timer_every(api->acting_timer, LOOK_US);
    }
    look(api);
}

void api_acting_start(struct api *api)
{
    api->acting_timer = loop_add_timer(api->loop, look, api);
    loop_source_name(api->acting_timer, "api waits");
}
