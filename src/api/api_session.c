/* Logging in and out at the page: POST and DELETE /api/v1/session. The listener's thread reads and
 * verifies; ops lets each code and each set of data in once. */
#include "access/login.h"
#include "api_auth.h"
#include "api_internal.h"
#include "base/check.h"
#include "call.h"
#include "command/runner.h"
#include "command/shelf.h"
#include "io/json_out.h"

#include <stdlib.h>
#include <string.h>

#define LOGIN_BODY_MAX ((size_t)16 * 1024)

struct api_login {
    bool ends; /* log out */
    bool by_telegram;
    struct access_launch launch; /* of a link only its hash */
    char from[48];
};

static const char *const no_store[] = {"Cache-Control: no-store", NULL};

/* ---------------------------------------------------------------- the listener's thread */

static int read_body(struct str body, struct json_object **ret, struct str *ret_code,
                     struct str *ret_data, struct err *err)
{
    const struct json_limits limits = {.max_bytes = LOGIN_BODY_MAX, .max_depth = 2};
    int rc = json_parse(body, &limits, ret, err);
    if (rc < 0) {
        return rc;
    }
    *ret_code = json_str(*ret, "code");
    *ret_data = json_str(*ret, "init_data");
    return json_is_object(*ret) && json_object_object_length(*ret) == 1 &&
                   (ret_code->len > 0) != (ret_data->len > 0)
               ? 0
               : err_set(err, ERR_API_BODY,
                         "it needs either code or init_data, as text, and nothing else");
}

static int check_login(struct api_call *call, struct str code, struct str data,
                       struct api_login *login, struct err *err)
{
    if (data.len > 0) {
        login->by_telegram = true;
        return api_auth_launch(call, data, &login->launch, err);
    }
    access_token_hash(code, login->launch.hash);
    return api_auth_link(call, login->launch.hash, err);
}

static void submit(struct api_call *call, const struct api_login *login)
{
    struct api_login *copy = malloc(sizeof(*copy));
    ASSERT(copy != NULL);
    *copy = *login;
    const struct address *from = api_auth_from(call->listener, call->request);
    AUTO_BUF struct buf text = BUF_INIT(sizeof(copy->from) - 1);
    if (from != NULL) {
        address_add(&text, from);
    }
    (void)str_copy(buf_str(&text), copy->from, sizeof(copy->from));
    api_job_submit(call->listener, call->request,
                   &(struct api_job){.kind = API_JOB_LOGIN, .login = copy});
}

void api_session_handle(struct api_call *call)
{
    struct err err = {0};
    struct api_login login = {.ends = !str_equal_c(web_method(call->request), "POST")};
    AUTO_JSON struct json_object *root = NULL;
    struct str code, data;
    int rc = 0;
    if (!login.ends) {
        rc = call->listener->channel == CHANNEL_SOCKET
                 ? err_set(&err, ERR_LOGIN_OFF, "at the socket the uid says who calls")
                 : api_auth_may_try(call, &err);
        rc = rc < 0 ? rc : read_body(web_body(call->request), &root, &code, &data, &err);
        rc = rc < 0 ? rc : check_login(call, code, data, &login, &err);
    }
    if (rc < 0) {
        api_answer_err(call->request, &err);
    } else {
        submit(call, &login);
    }
}

/* ---------------------------------------------------------------- ops */

static int log_out(struct api *api, const struct api_job *job, struct err *err)
{
    struct principal who;
    if (access_identify(api->access, job->listener->channel, job->uid, &who) < 0) {
        return err_set(err, ERR_API_TOKEN_ENDED, "the session");
    }
    int rc = access_logout(api->access, &who, err);
    if (rc == 0 && api->shelf != NULL) {
        shelf_forget(api->shelf, &who);
    }
    return rc < 0 ? rc : runner_cancel_prompts(api->runner, &who, err);
}

static void answer(struct web_request *request, const struct access_session *session)
{
    AUTO_BUF struct buf body = BUF_INIT(1024);
    struct json_out out = JSON_OUT(&body);
    json_out_document(&out, "nightdesk.session/1");
    json_out_text(&out, "token", session->token);
    json_out_time(&out, "expires", session->expires_us);
    json_out_text(&out, "role", role_name(session->who.role));
    json_out_text(&out, "name", session->who.name);
    json_out_end(&out);
    buf_add_char(&body, '\n');
    web_answer(request, &(struct web_answer){.status = 201,
                                             .content_type = "application/json",
                                             .headers = no_store,
                                             .body = buf_str(&body)});
    secret_wipe(body.data, body.len);
}

void api_session_run(struct api *api, struct api_job *job)
{
    struct api_login *login = job->login;
    struct access_session session = {0};
    struct err err = {0};
    int rc = login->ends ? log_out(api, job, &err)
             : login->by_telegram
                 ? access_login_launch(api->access, &login->launch, login->from, &session, &err)
                 : access_login_link(api->access, login->launch.hash, login->from, &session, &err);
    if (rc < 0) {
        api_answer_err(job->request, &err);
        api_job_free(job);
        return;
    }
    api_auth_publish(api, api->config);
    if (login->ends) {
        web_answer(job->request, &(struct web_answer){.status = 204, .headers = no_store});
    } else {
        answer(job->request, &session);
    }
    secret_wipe(&session, sizeof(session));
    api_job_free(job);
}
