#include "answer.h"
#include "api_internal.h"
#include "api_tally.h"
#include "base/check.h"
#include "base/log.h"
#include "call.h"
#include "command/quote.h"
#include "command/reply_json.h"
#include "command/runner.h"
#include "mcp.h"
#include "model/model_json.h"

#define NAME_MAX_LEN 32

/* ---------------------------------------------------------------- the body of a request */

static bool has_control(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7F) {
            return true;
        }
    }
    return false;
}

/* Text, a number, or an array of them. The runner binds it; here only what no command takes is
 * refused. */
static int check_value(const char *name, struct json_object *value, struct err *err)
{
    if (json_is_array(value)) {
        int rc = 0;
        for (size_t i = 0; rc == 0 && i < json_len(value); i++) {
            rc = json_is_array(json_item(value, i))
                     ? err_set(err, ERR_API_BODY, "%s is an array of arrays", name)
                     : check_value(name, json_item(value, i), err);
        }
        return rc;
    }
    if (json_is_text(value)) {
        return has_control(json_value_str(value))
                   ? err_set(err, ERR_API_BODY, "%s contains a control character", name)
                   : 0;
    }
    return json_is_number(value)
               ? 0
               : err_set(err, ERR_API_BODY, "%s is neither text nor a number", name);
}

/* Appends the rest of a typed command line. */
static int add_rest(struct str text, struct buf *line, struct err *err)
{
    if (has_control(text)) {
        return err_set(err, ERR_API_BODY, "args contains a control character");
    }
    buf_add_char(line, ' ');
    buf_add_str(line, text);
    return 0;
}

/* /confirm and /cancel are not in the manifest list; their values are a code, and with confirm the
 * digits of the second factor. */
static int read_code(struct json_object *args, struct buf *line, struct err *err)
{
    size_t count = json_len(args);
    int rc = 0;
    if (count > 2) {
        return err_set(err, ERR_COMMAND_ARG_EXTRA, "args has %zu items, at most 2", count);
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct json_object *code = json_item(args, i);
        rc = check_value("args", code, err);
        buf_add_char(line, ' ');
        (void)quote_add(line, json_is_text(code) ? json_value_str(code)
                                                 : str_c(json_object_to_json_string(code)));
    }
    return rc;
}

/* The manifest list belongs to the ops thread, so what a command takes is checked there. */
static int check_values(struct json_object *args, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < json_len(args); i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "args[%zu]", i);
        rc = json_item(args, i) == NULL ? 0 : check_value(name, json_item(args, i), err);
    }
    if (json_is_object(args)) {
        json_object_object_foreach(args, key, value)
        {
            if (rc == 0 && value != NULL) {
                rc = check_value(key, value, err);
            }
        }
    }
    return rc;
}

static int read_args(const char *name, struct json_object *args, struct api_command *ret,
                     struct err *err)
{
    if (json_is_text(args)) {
        return add_rest(json_value_str(args), &ret->line, err);
    }
    if (!json_is_array(args) && !json_is_object(args)) {
        return err_set(err, ERR_API_BODY, "args is neither an object, an array nor a string");
    }
    if (strcmp(name, "confirm") == 0 || strcmp(name, "cancel") == 0) {
        return read_code(args, &ret->line, err);
    }
    json_add_text(&ret->args, args);
    ret->by_name = true;
    return check_values(args, err);
}

/* It may have line breaks, but no NUL. */
static int read_document(struct json_object *value, struct api_command *ret, struct err *err)
{
    if (value == NULL) {
        return 0;
    }
    struct str text = json_is_text(value) ? json_value_str(value) : STR_LIT("");
    if (!json_is_text(value) || memchr(text.ptr, '\0', text.len) != NULL) {
        return err_set(err, ERR_API_BODY, "document must be text");
    }
    ret->document = strdup(text.ptr);
    ASSERT(ret->document != NULL);
    return 0;
}

static void add_value(struct buf *out, const char *name, struct json_object *value)
{
    AUTO_BUF struct buf text = BUF_INIT(API_LINE_MAX);
    for (size_t i = 0; i < (json_is_array(value) ? json_len(value) : 1); i++) {
        struct json_object *one = json_is_array(value) ? json_item(value, i) : value;
        buf_addf(&text, "%s%s", i > 0 ? "," : "", one == NULL ? "" : json_object_get_string(one));
    }
    buf_add_char(out, ' ');
    if (name != NULL) {
        (void)quote_add_named(out, name, buf_str(&text));
    } else {
        (void)quote_add(out, buf_str(&text));
    }
}

/* A dry run: the command /plan with the line that a person would have typed. */
static int plan(const char *name, struct json_object *args, struct api_command *ret,
                struct err *err)
{
    AUTO_BUF struct buf line = BUF_INIT(API_LINE_MAX);
    int rc = check_values(args, err);
    buf_add_c(&line, name);
    if (rc == 0 && json_is_text(args)) {
        rc = add_rest(json_value_str(args), &line, err);
    }
    for (size_t i = 0; json_is_array(args) && i < json_len(args); i++) {
        add_value(&line, NULL, json_item(args, i));
    }
    if (json_is_object(args)) {
        json_object_object_foreach(args, key, value)
        {
            add_value(&line, key, value);
        }
    }
    struct json_out out = JSON_OUT(&ret->args);
    json_out_object(&out, NULL);
    json_out_str(&out, "line", buf_str(&line));
    json_out_end(&out);
    buf_clear(&ret->line);
    buf_add_c(&ret->line, "plan");
    ret->by_name = true;
    return rc == 0 && buf_failed(&line)
               ? err_set(err, ERR_API_BODY, "args are longer than %zu bytes", API_LINE_MAX)
               : rc;
}

int api_command_read(const char *name, struct str body, struct api_command *ret, struct err *err)
{
    *ret = (struct api_command){.line = BUF_INIT(API_LINE_MAX), .args = BUF_INIT(API_BODY_MAX * 2)};
    buf_add_c(&ret->line, name);
    if (str_trim(body).len == 0) {
        return 0;
    }
    AUTO_JSON struct json_object *root = NULL;
    const struct json_limits limits = {.max_bytes = API_BODY_MAX, .max_depth = 4};
    int rc = json_parse(body, &limits, &root, err);
    if (rc < 0) {
        return rc;
    }
    if (!json_is_object(root)) {
        return err_set(err, ERR_API_BODY, "the body is not an object");
    }
    json_object_object_foreach(root, key, value)
    {
        if (strcmp(key, "args") != 0 && strcmp(key, "confirm") != 0 && strcmp(key, "otp") != 0 &&
            strcmp(key, "document") != 0 && strcmp(key, "dry_run") != 0) {
            return err_set(err, ERR_API_BODY, "unknown member %.40s", key);
        }
        if ((strcmp(key, "confirm") == 0 || strcmp(key, "dry_run") == 0) &&
            !json_object_is_type(value, json_type_boolean)) {
            return err_set(err, ERR_API_BODY, "%s must be true or false", key);
        }
        if (strcmp(key, "otp") == 0 &&
            (!json_is_text(value) ||
             !str_copy(json_value_str(value), ret->otp, sizeof(ret->otp)))) {
            return err_set(err, ERR_API_BODY, "otp must be the six digits as text");
        }
    }
    ret->confirmed = json_truth(root, "confirm", false);
    rc = read_document(json_get(root, "document"), ret, err);
    if (rc < 0) {
        return rc;
    }
    struct json_object *args = json_get(root, "args");
    if (json_truth(root, "dry_run", false)) {
        if (ret->document != NULL) {
            return err_set(err, ERR_API_BODY,
                           "there is no dry run with a document; config_diff shows its changes");
        }
        return plan(name, args, ret, err);
    }
    if (args == NULL) {
        return 0;
    }
    rc = read_args(name, args, ret, err);
    if (rc == 0 && (buf_failed(&ret->line) || buf_failed(&ret->args))) {
        rc = err_set(err, ERR_API_BODY, "args are longer than %zu bytes", API_LINE_MAX);
    }
    return rc;
}

static void forget_text(char *text)
{
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
    }
    free(text);
}

void api_command_release(struct api_command *command)
{
    forget_text(command->document);
    buf_release(&command->line);
    buf_release(&command->args);
}

/* ---------------------------------------------------------------- from the listener to ops */

static atomic_int *count_of(const struct api_job *job)
{
    return job->kind == API_JOB_EVENTS ? &job->listener->watching : &job->listener->under_way;
}

void api_job_free(struct api_job *job)
{
    (void)atomic_fetch_sub_explicit(count_of(job), 1, memory_order_relaxed);
    free(job->line);
    free(job->args_json);
    free(job->key);
    forget_text(job->document);
    free(job->alerts);
    free(job->login);
    if (job->mcp != NULL) {
        mcp_release(job->mcp);
        free(job->mcp);
    }
    free(job);
}

void api_job_submit(struct listener *listener, struct web_request *request,
                    const struct api_job *job)
{
    struct err err = {0};
    struct api_job *copy = calloc(1, sizeof(*copy));
    ASSERT(copy != NULL);
    *copy = *job;
    copy->listener = listener;
    copy->request = request;
    copy->uid = listener->caller;
    int max = job->kind == API_JOB_EVENTS ? API_WATCHES_MAX : API_JOBS_MAX;
    if (atomic_fetch_add_explicit(count_of(copy), 1, memory_order_relaxed) >= max) {
        (void)err_set(&err, ERR_API_BUSY, "%d %s", max,
                      job->kind == API_JOB_EVENTS ? "readers wait for events"
                                                  : "commands are under way");
        api_answer_err(request, &err);
        api_job_free(copy);
        return;
    }
    web_hold(request);
    /* The ring has space for every job that the two counts admit. */
    ASSERT(ring_push(listener->jobs, &copy));
    loop_wake(listener->wake);
}

void api_command_submit(struct api_call *call, const struct api_command *command)
{
    struct err err = {0};
    struct api_job job = {.kind = API_JOB_COMMAND,
                          .line = strdup(command->line.data),
                          .args_json = command->by_name ? strdup(command->args.data) : NULL,
                          .confirmed = command->confirmed,
                          .document = command->document != NULL ? strdup(command->document) : NULL};
    ASSERT(job.line != NULL && (job.args_json != NULL || !command->by_name));
    memcpy(job.otp, command->otp, sizeof(job.otp));
    if (command->workflow != NULL) {
        (void)str_copy(str_c(command->workflow), job.workflow, sizeof(job.workflow));
    }
    if (api_acting_read(call, &job, &err) < 0) {
        forget_text(job.document);
        free(job.line);
        free(job.args_json);
        free(job.key);
        api_answer_err(call->request, &err);
        return;
    }
    api_job_submit(call->listener, call->request, &job);
}

static bool name_is_valid(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return name[len] == '\0' && len > 0 && len <= NAME_MAX_LEN;
}

static void handle_command(struct api_call *call, bool workflow)
{
    const char *command_of_route = call->route->command;
    const char *name = command_of_route != NULL ? command_of_route : api_text(call, "name");
    struct err err = {0};
    if (!name_is_valid(name)) {
        (void)err_set(&err, ERR_API_NOT_FOUND,
                      "a command's name has at most %d characters of [a-z0-9_]", NAME_MAX_LEN);
        api_answer_err(call->request, &err);
        return;
    }
    struct api_command command;
    if (api_command_read(name, web_body(call->request), &command, &err) < 0) {
        api_answer_err(call->request, &err);
    } else {
        command.workflow = workflow ? name : NULL;
        api_command_submit(call, &command);
    }
    api_command_release(&command);
}

void api_command_handle(struct api_call *call)
{
    handle_command(call, false);
}

void api_workflow_handle(struct api_call *call)
{
    handle_command(call, true);
}

/* ---------------------------------------------------------------- ops */

static int check_workflow(const struct api *api, const struct api_job *job, struct err *err)
{
    const struct manifest *m =
        job->workflow[0] == '\0' ? NULL : manifest_find(api->manifests, job->workflow);
    return job->workflow[0] == '\0' || (m != NULL && manifest_is_workflow(m))
               ? 0
               : err_set(err, ERR_API_NOT_FOUND,
                         "%s is no workflow; GET /api/v1/workflows lists them", job->workflow);
}

void api_job_link(struct api *api, struct api_job *job)
{
    job->next = api->active;
    api->active = job;
}

void api_job_unlink(struct api *api, struct api_job *job)
{
    for (struct api_job **slot = &api->active; *slot != NULL; slot = &(*slot)->next) {
        if (*slot == job) {
            *slot = job->next;
            return;
        }
    }
}

/* A confirmation prompt is a reply without an error; a program receives it as CONFIRM_NEEDED. */
static void write_error(struct json_out *out, const struct err *err)
{
    json_out_object(out, "error");
    model_json_err(out, err);
    json_out_end(out);
}

/* Where a program says yes or no. */
static void add_confirmation(struct json_out *out, const struct err *failed)
{
    char href[96];
    if (failed == NULL || (failed->id != ERR_CONFIRM_NEEDED && failed->id != ERR_CONFIRM_CHANGED)) {
        return;
    }
    (void)snprintf(href, sizeof(href), "/api/v1/confirmations/%.40s", failed->context);
    json_out_object(out, "confirmation");
    json_out_text(out, "token", failed->context);
    json_out_text(out, "href", href);
    json_out_end(out);
}

/* The reply; of a failed command the problem, with the reply for those that show it. */
static void answer_reply(struct api_job *job, const struct reply *reply, const struct err *failed)
{
    AUTO_BUF struct buf body = BUF_INIT(API_ANSWER_MAX);
    struct json_out out = JSON_OUT(&body);
    int status = failed != NULL ? err_info(failed->id)->http_status : 200;
    bool problem = status >= 400;
    if (problem) {
        json_out_document(&out, "nightdesk.problem/1");
        api_problem_write(&out, failed);
    }
    json_out_object(&out, problem ? "reply" : NULL);
    reply_json_write(reply, &out);
    if (failed != NULL && reply_get_error(reply) == NULL) {
        write_error(&out, failed);
    }
    add_confirmation(&out, failed);
    api_picture_write(job, reply, &out);
    if (problem) {
        json_out_end(&out);
    } else {
        api_age_write(&out, api_age_of_ops(job->listener->api->shared));
    }
    json_out_end(&out);
    buf_add_char(&body, '\n');
    api_acting_keep(job, status, buf_str(&body), reply_concealed_us(reply) != 0);
    if (problem) {
        api_problem_send(job->request, status, buf_str(&body), NULL);
    } else {
        web_answer_json(job->request, status, buf_str(&body));
    }
}

static void on_reply(const struct reply *reply, const struct err *err, void *userdata)
{
    struct api_job *job = userdata;
    api_job_unlink(job->listener->api, job);
    const struct err *failed = err != NULL && err->id != ERR_NONE ? err : NULL;
    if (reply == NULL) {
        struct err unknown = {0};
        if (failed == NULL) {
            (void)err_set(&unknown, ERR_INTERNAL, "a command ended without a reply");
        }
        api_answer_err(job->request, failed != NULL ? failed : &unknown);
    } else if (job->reading != NULL && failed != NULL) {
        api_answer_err(job->request, failed);
    } else if (job->reading != NULL) {
        api_reading_answer(job, reply);
    } else {
        answer_reply(job, reply, failed);
    }
    api_job_free(job);
}

/* Of a command at the socket: a chat of the same caller shows it. */
static void on_progress(const struct reply *reply, void *userdata)
{
    const struct api_job *job = userdata;
    api_publish_progress(job->listener->api, reply, job->uid);
}

/* A document becomes an argument: the hash by which ops keeps it. Only of an admin, since few are
 * kept; the command itself refuses others. */
static int offer_document(struct api *api, struct api_job *job, const struct principal *who,
                          struct err *err)
{
    char hash[API_DOCUMENT_HASH_SIZE];
    AUTO_BUF struct buf text = BUF_INIT(API_BODY_MAX * 2);
    if (job->document == NULL || who->role < ROLE_ADMIN) {
        return 0;
    }
    int rc = api->offer == NULL ? err_set(err, ERR_API_BODY, "no command takes a document")
                                : api->offer(str_c(job->document), hash, api->userdata, err);
    if (rc < 0) {
        return rc;
    }
    if (job->args_json == NULL) {
        buf_addf(&text, "%s candidate=%s", job->line, hash);
        free(job->line);
        job->line = strdup(text.data);
        ASSERT(job->line != NULL);
        return 0;
    }
    AUTO_JSON struct json_object *args = NULL;
    rc = json_parse(str_c(job->args_json), &JSON_LIMITS_DEFAULT, &args, err);
    if (rc == 0 && !json_is_object(args)) {
        rc = err_set(err, ERR_API_BODY, "with a document, args is an object or text");
    }
    if (rc == 0) {
        struct json_out out = JSON_OUT_TREE(args);
        json_out_text(&out, "candidate", hash);
        json_add_text(&text, args);
        free(job->args_json);
        job->args_json = strdup(text.data);
        ASSERT(job->args_json != NULL);
    }
    return rc;
}

static void run_command(struct api *api, struct api_job *job)
{
    enum channel channel = job->listener->channel;
    struct principal who;
    struct err err = {0};
    int rc = access_identify(api->access, channel, job->uid, &who);
    if (rc < 0) {
        (void)access_unauthorised(api->access, channel, job->uid, job->line);
        (void)err_set(&err, ERR_ACCESS_UNAUTHORISED, "%s caller %lld", channel_name(channel),
                      (long long)job->uid);
    } else if ((rc = check_workflow(api, job, &err)) < 0) {
        /* refused below */
    } else if (api_acting_repeat(api, job, &who)) {
        api_job_free(job);
        return;
    } else if ((rc = offer_document(api, job, &who, &err)) == 0) {
        /* Added to the list first: runner_submit may call on_reply. */
        api_job_link(api, job);
        const struct invocation in = {
            .line = job->line,
            .args_json = job->args_json,
            .who = &who,
            .confirmed = job->confirmed,
            .otp = job->otp[0] == '\0' ? NULL : job->otp,
            .on_reply = on_reply,
            .stored = api_acting_stored,
            .on_progress = channel == CHANNEL_SOCKET ? on_progress : NULL,
            .userdata = job,
        };
        rc = runner_submit(api->runner, &in, &err);
        if (rc == 0) {
            api_acting_wait(api, job);
            return;
        }
        api_job_unlink(api, job);
        log_err(LOG_LEVEL_ERROR, &err, "could not accept a command");
    }
    api_answer_err(job->request, &err);
    api_job_free(job);
}

static void run(struct api *api, struct api_job *job)
{
    switch (job->kind) {
    case API_JOB_COMMAND:
        run_command(api, job);
        break;
    case API_JOB_COMPLETE:
        api_complete_run(api, job);
        break;
    case API_JOB_EVENTS:
        api_events_run(api, job);
        break;
    case API_JOB_PING:
        api_ping_run(api, job);
        break;
    case API_JOB_MCP:
        mcp_run(api, job);
        break;
    case API_JOB_ALERTS:
        api_alertmanager_run(api, job);
        break;
    case API_JOB_LOGIN:
        api_session_run(api, job);
        break;
    case API_JOB_PICTURE:
        api_picture_run(job);
        break;
    }
}

void api_command_accept(void *userdata)
{
    struct listener *listener = userdata;
    struct api_job *job;
    while (ring_pop(listener->jobs, &job)) {
        run(listener->api, job);
    }
    api_tally_look(listener->api);
}

void api_job_end(struct api_job *job)
{
    struct err err = {0};
    const char *line = job->kind == API_JOB_COMMAND ? job->line : "";
    (void)err_set(&err, ERR_API_STOPPING, "%.*s", (int)strcspn(line, " "), line);
    api_answer_err(job->request, &err);
    api_job_free(job);
}

int api_command_end(struct api *api)
{
    int ended = api_events_end(api) + api_alertmanager_end(api);
    struct listener *listeners[] = {&api->socket, &api->tcp};
    for (size_t i = 0; i < COUNT_OF(listeners); i++) {
        struct api_job *job;
        while (listeners[i]->jobs != NULL && ring_pop(listeners[i]->jobs, &job)) {
            api_job_end(job);
            ended++;
        }
    }
    while (api->active != NULL) {
        struct api_job *job = api->active;
        api->active = job->next;
        runner_forget(api->runner, job);
        api_job_end(job);
        ended++;
    }
    return ended;
}
