#include "api_internal.h"
#include "base/check.h"
#include "base/log.h"
#include "command/runner.h"

/* ---------------------------------------------------------------- the body as a command line */

/* Needs no quotation marks: also none of the typographic ones, which count on a phone. */
static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("_.:/+-@,%=", c) != NULL);
}

/* As one word of a command line: in quotation marks when it needs them. Control characters never
 * are part of one. */
static int add_value(const char *name, struct json_object *value, struct buf *line, struct err *err)
{
    struct str text;
    if (json_is_text(value)) {
        text = json_value_str(value);
    } else if (json_object_is_type(value, json_type_int)) {
        text = str_c(json_object_to_json_string(value));
    } else {
        return err_set(err, ERR_API_BODY, "%s must be a text or a whole number", name);
    }
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7F) {
            return err_set(err, ERR_API_BODY, "%s holds a control character", name);
        }
    }
    bool plain = text.len > 0, single = false, both = false;
    for (size_t i = 0; i < text.len; i++) {
        plain = plain && is_plain(text.ptr[i]);
        single = single || text.ptr[i] == '"';
        both = both || text.ptr[i] == '\'';
    }
    if (single && both) {
        return err_set(err, ERR_API_BODY, "%s holds both kinds of quotation marks", name);
    }
    const char *quote = plain ? "" : single ? "'" : "\"";
    buf_addf(line, " %s", quote);
    buf_add_str(line, text);
    buf_add_c(line, quote);
    return 0;
}

/* The rest of the line as somebody typed it. */
static int add_rest(struct str text, struct buf *line, struct err *err)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7F) {
            return err_set(err, ERR_API_BODY, "args holds a control character");
        }
    }
    buf_add_char(line, ' ');
    buf_add_str(line, text);
    return 0;
}

static int add_array(struct json_object *args, struct buf *line, struct err *err)
{
    size_t count = json_len(args);
    if (count > ACTION_PARAMS_MAX) {
        return err_set(err, ERR_API_BODY, "args has %zu items, at most %d", count,
                       ACTION_PARAMS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        char name[24];
        (void)snprintf(name, sizeof(name), "args[%zu]", i);
        int rc = add_value(name, json_item(args, i), line, err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static bool declares(const struct manifest *m, const char *name)
{
    for (int i = 0; i < m->arg_count; i++) {
        if (strcmp(m->args[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Arguments have places; so one may be left out only when those behind it are, too. */
static int add_object(const struct manifest *m, struct json_object *args, struct buf *line,
                      struct err *err)
{
    json_object_object_foreach(args, key, unused)
    {
        (void)unused;
        if (!declares(m, key)) {
            return err_set(err, ERR_API_BODY, "%s takes no argument %.40s", m->name, key);
        }
    }
    const char *missing = NULL;
    for (int i = 0; i < m->arg_count; i++) {
        struct json_object *value = json_get(args, m->args[i].name);
        if (value == NULL) {
            missing = missing == NULL ? m->args[i].name : missing;
            continue;
        }
        if (missing != NULL) {
            return err_set(err, ERR_API_BODY, "%s needs %s, too", m->args[i].name, missing);
        }
        int rc = add_value(m->args[i].name, value, line, err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

int api_command_line(const struct api *api, const char *name, struct str body, struct buf *ret_line,
                     bool *ret_confirmed, struct err *err)
{
    buf_add_c(ret_line, name);
    *ret_confirmed = false;
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
        if (strcmp(key, "args") != 0 && strcmp(key, "confirm") != 0) {
            return err_set(err, ERR_API_BODY, "unknown member %.40s", key);
        }
        if (strcmp(key, "confirm") == 0 && !json_object_is_type(value, json_type_boolean)) {
            return err_set(err, ERR_API_BODY, "confirm is true or false");
        }
    }
    *ret_confirmed = json_truth(root, "confirm", false);
    struct json_object *args = json_get(root, "args");
    const struct manifest *m = manifest_find(api->manifests, name);
    if (args == NULL) {
        return 0;
    }
    if (json_is_text(args)) {
        rc = add_rest(json_value_str(args), ret_line, err);
    } else if (json_is_array(args)) {
        rc = add_array(args, ret_line, err);
    } else if (!json_is_object(args)) {
        rc = err_set(err, ERR_API_BODY, "args is neither an object, an array nor a text");
    } else if (m != NULL) {
        rc = add_object(m, args, ret_line, err);
    }
    if (rc == 0 && buf_failed(ret_line)) {
        rc = err_set(err, ERR_API_BODY, "args are longer than %zu bytes", API_LINE_MAX);
    }
    return rc;
}

/* ---------------------------------------------------------------- from the listener to ops */

static void job_free(struct api_job *job)
{
    (void)atomic_fetch_sub_explicit(&job->listener->under_way, 1, memory_order_relaxed);
    free(job->line);
    free(job);
}

void api_command_submit(struct listener *listener, struct web_request *request, const char *line,
                        bool confirmed)
{
    struct err err = {0};
    if (atomic_fetch_add_explicit(&listener->under_way, 1, memory_order_relaxed) >= API_JOBS_MAX) {
        (void)atomic_fetch_sub_explicit(&listener->under_way, 1, memory_order_relaxed);
        (void)err_set(&err, ERR_API_BUSY, "%d are under way", API_JOBS_MAX);
        api_answer_err(request, &err);
        return;
    }
    struct api_job *job = calloc(1, sizeof(*job));
    ASSERT(job != NULL);
    job->listener = listener;
    job->request = request;
    job->line = strdup(line);
    ASSERT(job->line != NULL);
    job->uid = listener->door == DOOR_SOCKET ? web_peer_uid(request) : 0;
    job->confirmed = confirmed;
    web_hold(request);
    /* The ring has a place for every job that under_way admits. */
    ASSERT(ring_push(listener->jobs, &job));
    loop_wake(listener->wake);
}

/* ---------------------------------------------------------------- ops */

static void unlink_job(struct api *api, struct api_job *job)
{
    for (struct api_job **slot = &api->active; *slot != NULL; slot = &(*slot)->next) {
        if (*slot == job) {
            *slot = job->next;
            return;
        }
    }
}

/* A question for a confirmation is a card without an error; a program wants to see it as one. */
static void add_error(struct json_object *json, const struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(8192);
    struct json_object *error = NULL;
    err_json(err, &text);
    if (json_parse(buf_str(&text), &JSON_LIMITS_DEFAULT, &error, NULL) == 0) {
        json_object_object_add(json, "error", error);
    }
}

static void on_reply(const struct reply *reply, const struct err *err, void *userdata)
{
    struct api_job *job = userdata;
    unlink_job(job->listener->api, job);
    const struct err *failed = err != NULL && err->id != ERR_NONE ? err : NULL;
    if (reply == NULL) {
        struct err unknown = {0};
        if (failed == NULL) {
            (void)err_set(&unknown, ERR_INTERNAL, "a command ended without a reply");
        }
        api_answer_err(job->request, failed != NULL ? failed : &unknown);
    } else {
        AUTO_BUF struct buf body = BUF_INIT(API_ANSWER_MAX);
        AUTO_JSON struct json_object *json = reply_json(reply);
        if (failed != NULL && json_get(json, "error") == NULL) {
            add_error(json, failed);
        }
        json_add_text(&body, json);
        buf_add_char(&body, '\n');
        web_answer_json(job->request, failed != NULL ? err_info(failed->id)->http_status : 200,
                        buf_str(&body));
    }
    job_free(job);
}

static void run(struct api *api, struct api_job *job)
{
    enum door door = job->listener->door;
    struct principal who;
    struct err err = {0};
    int rc = access_identify(api->access, door, job->uid, &who);
    if (rc < 0) {
        (void)access_stranger(api->access, door, job->uid, job->line);
        (void)err_set(&err, ERR_ACCESS_STRANGER, "%s caller %lld", door_name(door),
                      (long long)job->uid);
    } else {
        /* First into the list: on_reply may come from inside the call. */
        job->next = api->active;
        api->active = job;
        const struct invocation in = {
            .line = job->line,
            .who = &who,
            .confirmed = job->confirmed,
            .on_reply = on_reply,
            .userdata = job,
        };
        rc = runner_submit(api->runner, &in, &err);
        if (rc == 0) {
            return;
        }
        unlink_job(api, job);
        log_err(LOG_LEVEL_ERROR, &err, "could not take a command");
    }
    api_answer_err(job->request, &err);
    job_free(job);
}

void api_command_take(void *userdata)
{
    struct listener *listener = userdata;
    struct api_job *job;
    while (ring_pop(listener->jobs, &job)) {
        run(listener->api, job);
    }
}

static void answer_stopping(struct api_job *job)
{
    struct err err = {0};
    (void)err_set(&err, ERR_API_STOPPING, "%.*s", (int)strcspn(job->line, " "), job->line);
    api_answer_err(job->request, &err);
    job_free(job);
}

int api_command_end(struct api *api)
{
    int ended = 0;
    struct listener *listeners[] = {&api->socket, &api->tcp};
    for (size_t i = 0; i < COUNT_OF(listeners); i++) {
        struct api_job *job;
        while (listeners[i]->jobs != NULL && ring_pop(listeners[i]->jobs, &job)) {
            answer_stopping(job);
            ended++;
        }
    }
    while (api->active != NULL) {
        struct api_job *job = api->active;
        api->active = job->next;
        runner_forget(api->runner, job);
        answer_stopping(job);
        ended++;
    }
    return ended;
}
