#include "base/check.h"
#include "fakes/bot_api.h"
#include "fakes/fake_telegram_internal.h"
#include "form.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_UPDATE  INT64_C(880000001)
#define FIRST_MESSAGE INT64_C(101)
#define SPIN_POLLS    12 /* empty polls of one second that were not held */

int64_t fake_telegram_now_us(void)
{
    return clock_mono_us(clock_real());
}

void fake_telegram_violate(struct fake_telegram *fake, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_addv(&fake->violations, format, args);
    va_end(args);
    buf_add_char(&fake->violations, '\n');
}

void fake_telegram_complain(const char *text, void *userdata)
{
    fake_telegram_violate(userdata, "%s", text);
}

char *fake_telegram_copy(const char *text)
{
    char *bytes = strdup(text == NULL ? "" : text);
    ASSERT(bytes != NULL);
    return bytes;
}

void fake_telegram_add(struct json_object *object, const char *key, struct json_object *value)
{
    ASSERT(json_object_object_add(object, key, value) == 0);
}

/* ------------------------------------------------------------------------------- answers ---- */

static char *text_of(struct json_object *consumed)
{
    AUTO_BUF struct buf text = BUF_INIT(FAKE_TELEGRAM_BODY_MAX);
    json_add_text(&text, consumed);
    (void)json_object_put(consumed);
    return buf_detach(&text);
}

struct fake_telegram_reply fake_telegram_success(struct json_object *result)
{
    struct json_object *o = json_object_new_object();
    fake_telegram_add(o, "ok", json_object_new_boolean(true));
    fake_telegram_add(o, "result", result);
    return (struct fake_telegram_reply){.status = 200, .body = text_of(o)};
}

struct fake_telegram_reply fake_telegram_failed(int code, const char *description,
                                                int64_t retry_after_s, int64_t migrate_to)
{
    struct json_object *o = json_object_new_object();
    fake_telegram_add(o, "ok", json_object_new_boolean(false));
    fake_telegram_add(o, "error_code", json_object_new_int(code));
    fake_telegram_add(o, "description", json_object_new_string(description));
    if (retry_after_s > 0 || migrate_to != 0) {
        struct json_object *parameters = json_object_new_object();
        if (retry_after_s > 0) {
            fake_telegram_add(parameters, "retry_after", json_object_new_int64(retry_after_s));
        }
        if (migrate_to != 0) {
            fake_telegram_add(parameters, "migrate_to_chat_id", json_object_new_int64(migrate_to));
        }
        fake_telegram_add(o, "parameters", parameters);
    }
    return (struct fake_telegram_reply){
        .status = code, .body = text_of(o), .retry_after_s = retry_after_s};
}

void fake_telegram_answer(struct web_request *request, const struct fake_telegram_reply *answer,
                          const char *type)
{
    char retry[64];
    const char *headers[] = {NULL, NULL};
    if (answer->retry_after_s > 0) {
        (void)snprintf(retry, sizeof(retry), "Retry-After: %lld", (long long)answer->retry_after_s);
        headers[0] = retry;
    }
    web_answer(request, &(struct web_answer){.status = answer->status,
                                             .content_type = type,
                                             .headers = headers,
                                             .body = str_c(answer->body)});
}

void fake_telegram_answer_json(struct web_request *request, struct fake_telegram_reply answer)
{
    fake_telegram_answer(request, &answer, "application/json");
    free(answer.body);
}

/* ------------------------------------------------------------------------------- updates ---- */

static struct json_object *updates_list(const struct fake_telegram *fake, int64_t limit)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < fake->update_count && i < (size_t)limit; i++) {
        (void)json_object_array_add(list, json_object_get(fake->updates[i]));
    }
    return list;
}

void fake_telegram_end_poll(struct fake_telegram *fake)
{
    if (fake->poll != NULL) {
        struct web_request *request = fake->poll;
        fake->poll = NULL;
        fake_telegram_answer_json(request,
                                  fake_telegram_success(updates_list(fake, fake->poll_limit)));
    }
}

static void confirm(struct fake_telegram *fake, int64_t offset)
{
    size_t kept = 0;
    struct json_object *past = json_object_new_array();
    for (size_t i = 0; i < fake->update_count; i++) {
        if (json_i64(fake->updates[i], "update_id", 0) < offset) {
            (void)json_object_array_add(past, fake->updates[i]);
        } else {
            fake->updates[kept++] = fake->updates[i];
        }
    }
    fake->update_count = kept;
    if (json_len(past) > 0) {
        (void)json_object_put(fake->past);
        fake->past = json_object_get(past);
    }
    (void)json_object_put(past);
}

struct json_object *fake_telegram_list_updates(struct fake_telegram *fake,
                                               const struct json_object *params, bool again)
{
    confirm(fake, json_i64(params, "offset", 0));
    struct json_object *list = updates_list(fake, json_i64(params, "limit", 100));
    if (!again) {
        return list;
    }
    struct json_object *both = json_object_new_array();
    const struct json_object *parts[] = {fake->past, list};
    for (size_t p = 0; p < COUNT_OF(parts); p++) {
        for (size_t i = 0; i < json_len(parts[p]); i++) {
            (void)json_object_array_add(both, json_object_get(json_item(parts[p], i)));
        }
    }
    (void)json_object_put(list);
    return both;
}

/* Detects a poller that polls again at once although there was no update. */
static void check_spin(struct fake_telegram *fake)
{
    int64_t now = fake_telegram_now_us();
    if (now - fake->second_us > USEC_PER_SEC) {
        fake->second_us = now;
        fake->quick = 0;
    }
    if (++fake->quick == SPIN_POLLS) {
        fake_telegram_violate(fake, "getUpdates: %d empty polls within a second", SPIN_POLLS);
    }
}

void fake_telegram_get_updates(struct fake_telegram *fake, struct web_request *request,
                               const struct json_object *params, bool at_once)
{
    if (fake->poll != NULL) {
        struct web_request *older = fake->poll;
        fake->poll = NULL;
        fake_telegram_answer_json(
            older,
            fake_telegram_failed(409,
                                 "Conflict: terminated by other getUpdates request; make sure that "
                                 "only one bot instance is running",
                                 0, 0));
    }
    confirm(fake, json_i64(params, "offset", 0));
    fake->poll_limit = json_i64(params, "limit", 100);
    if (fake->update_count > 0 && !at_once) {
        fake_telegram_answer_json(request,
                                  fake_telegram_success(updates_list(fake, fake->poll_limit)));
    } else if (at_once) {
        check_spin(fake);
        fake_telegram_answer_json(request, fake_telegram_success(json_object_new_array()));
    } else {
        fake->poll = request;
        fake->poll_until_us =
            fake_telegram_now_us() + json_i64(params, "timeout", 0) * USEC_PER_SEC;
        (void)pthread_cond_signal(&fake->wake);
    }
}

/* --------------------------------------------------------------------------- one request ---- */

struct fake_telegram_reply fake_telegram_accept(struct fake_telegram *fake, const char *method,
                                                const struct web_request *request,
                                                const struct json_object *params)
{
    if (strcmp(method, "getMe") == 0) {
        struct json_object *me = json_object_new_object();
        int64_t id = 0;
        (void)str_to_i64(str_n(fake->token, strcspn(fake->token, ":")), &id);
        fake_telegram_add(me, "id", json_object_new_int64(id));
        fake_telegram_add(me, "is_bot", json_object_new_boolean(true));
        fake_telegram_add(me, "first_name", json_object_new_string("nightdesk"));
        fake_telegram_add(me, "username", json_object_new_string(FAKE_TELEGRAM_USERNAME));
        return fake_telegram_success(me);
    }
    if (strcmp(method, "getUpdates") ==
        0) { /* delayed or truncated: answer without waiting for an update */
        return fake_telegram_success(fake_telegram_list_updates(fake, params, false));
    }
    if (strcmp(method, "getWebhookInfo") == 0) {
        struct json_object *info = json_object_new_object();
        fake_telegram_add(info, "url", json_object_new_string(fake->webhook));
        fake_telegram_add(info, "has_custom_certificate", json_object_new_boolean(false));
        fake_telegram_add(info, "pending_update_count",
                          json_object_new_int64((int64_t)fake->update_count));
        return fake_telegram_success(info);
    }
    if (strcmp(method, "sendMessage") == 0 || strcmp(method, "editMessageText") == 0) {
        return fake_telegram_accept_text(fake, method, params);
    }
    if (strcmp(method, "sendMessageDraft") == 0) {
        return fake_telegram_accept_draft(fake, method, params);
    }
    if (strcmp(method, "sendDocument") == 0 || strcmp(method, "sendPhoto") == 0) {
        const char *field = method[4] == 'D' ? "document" : "photo";
        return fake_telegram_accept_file(fake, method, field, request, params);
    }
    if (strcmp(method, "deleteMessage") == 0 || strcmp(method, "pinChatMessage") == 0 ||
        strcmp(method, "unpinChatMessage") == 0) {
        return fake_telegram_accept_about(fake, method, params);
    }
    if (strcmp(method, "setMyCommands") == 0 || strcmp(method, "deleteMyCommands") == 0 ||
        strcmp(method, "setChatMenuButton") == 0) {
        fake_menu_take(&fake->menus, method, params);
    }
    if (strcmp(method, "answerCallbackQuery") == 0 &&
        json_text(params, "callback_query_id")[0] == '\0') {
        fake_telegram_violate(fake, "answerCallbackQuery: empty id");
    }
    return fake_telegram_success(json_object_new_boolean(true));
}

static void count_call(struct fake_telegram *fake, const char *method)
{
    for (size_t i = 0; i < COUNT_OF(fake->calls); i++) {
        if (fake->calls[i].method[0] == '\0') {
            (void)str_copy(str_c(method), fake->calls[i].method, sizeof(fake->calls[i].method));
        }
        if (strcmp(fake->calls[i].method, method) == 0) {
            fake->calls[i].calls++;
            return;
        }
    }
}

static bool is_multipart(const char *method)
{
    return strcmp(method, "sendDocument") == 0 || strcmp(method, "sendPhoto") == 0;
}

/* The fields of a request as an object; multipart fields are texts. NULL: a violation. */
static struct json_object *read_params(struct fake_telegram *fake, const char *method,
                                       const struct web_request *request)
{
    static const char *const form[] = {
        "chat_id",          "document",        "photo",        "caption",
        "parse_mode",       "protect_content", "reply_markup", "disable_notification",
        "message_thread_id"};
    struct json_object *params = NULL;
    struct err err = {0};
    const struct json_limits limits = {.max_bytes = FAKE_TELEGRAM_BODY_MAX, .max_depth = 32};
    if (!str_equal_c(web_method(request), "POST")) {
        fake_telegram_violate(fake, "%s: method %.*s", method, STR_ARG(web_method(request)));
    }
    if (is_multipart(method)) {
        params = json_object_new_object();
        for (size_t i = 0; i < COUNT_OF(form); i++) {
            struct str value = form_value(request, form[i]);
            if (value.len > 0) {
                fake_telegram_add(params, form[i],
                                  json_object_new_string_len(value.ptr, (int)value.len));
            }
        }
        return params;
    }
    if (!str_starts(web_header(request, "content-type"), "application/json")) {
        fake_telegram_violate(fake, "%s: content type %.*s", method,
                              STR_ARG(web_header(request, "content-type")));
    }
    if (json_parse(web_body(request), &limits, &params, &err) < 0 || !json_is_object(params)) {
        fake_telegram_violate(fake, "%s: body is no JSON object: %s", method, err.context);
        (void)json_object_put(params);
        return NULL;
    }
    return params;
}

static int64_t chat_of(const struct json_object *params)
{
    int64_t chat = json_i64(params, "chat_id", 0);
    if (chat == 0) {
        (void)str_to_i64(json_str(params, "chat_id"), &chat);
    }
    return chat;
}

static void serve(struct fake_telegram *fake, const char *method, struct web_request *request)
{
    const struct fake_telegram_check check = {
        .multipart = is_multipart(method), .complain = fake_telegram_complain, .userdata = fake};
    count_call(fake, method);
    AUTO_JSON struct json_object *params = read_params(fake, method, request);
    if (params == NULL) {
        fake_telegram_answer_json(
            request, fake_telegram_failed(400, "Bad Request: can't parse request", 0, 0));
        return;
    }
    if (!bot_api_has(method)) {
        fake_telegram_violate(fake, "unknown method %s", method);
        fake_telegram_answer_json(request,
                                  fake_telegram_failed(404, "Not Found: method not found", 0, 0));
        return;
    }
    fake_telegram_check_request(&check, method, params);
    int64_t chat = chat_of(params);
    fake_telegram_check_waits(fake, method, chat);
    fake_telegram_check_rate(fake, method, chat);
    const struct fake_telegram_failure *failure = fake_telegram_next_failure(fake, method, chat);
    if (failure != NULL) {
        fake_telegram_run_failure(fake, failure, request, params, chat);
    } else if (strcmp(method, "getUpdates") == 0) {
        fake_telegram_get_updates(fake, request, params, false);
    } else {
        fake_telegram_answer_json(request, fake_telegram_accept(fake, method, request, params));
    }
}

static void on_request(struct web_request *request, void *userdata)
{
    struct fake_telegram *fake = userdata;
    char method[32] = "", start[160];
    web_hold(request);
    (void)pthread_mutex_lock(&fake->lock);
    (void)snprintf(start, sizeof(start), "/bot%s/", fake->token);
    struct str path = web_path(request);
    if (fake->stopping) {
        web_answer_c(request, 503, "stopping");
    } else if (!str_starts(path, start)) {
        if (!fake->revoked || !str_starts(path, "/bot")) {
            fake_telegram_violate(fake, "wrong path or token");
        }
        fake_telegram_answer_json(request, fake_telegram_failed(401, "Unauthorized", 0, 0));
    } else {
        (void)str_copy(str_n(path.ptr + strlen(start), path.len - strlen(start)), method,
                       sizeof(method));
        serve(fake, method, request);
    }
    (void)pthread_mutex_unlock(&fake->lock);
}

/* ------------------------------------------------------------------------- life of the fake ----
 */

static void *tick(void *userdata)
{
    struct fake_telegram *fake = userdata;
    (void)pthread_mutex_lock(&fake->lock);
    while (!fake->stopping) {
        int64_t now = fake_telegram_now_us();
        if (fake->poll != NULL && now >= fake->poll_until_us) {
            fake_telegram_end_poll(fake);
        }
        fake_telegram_tick_slow(fake, false);
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 20 * 1000 * 1000;
        if (until.tv_nsec >= 1000 * 1000 * 1000) {
            until.tv_nsec -= 1000 * 1000 * 1000;
            until.tv_sec++;
        }
        (void)pthread_cond_timedwait(&fake->wake, &fake->lock, &until);
    }
    (void)pthread_mutex_unlock(&fake->lock);
    return NULL;
}

int fake_telegram_start(struct fake_telegram **ret)
{
    struct fake_telegram *fake = calloc(1, sizeof(*fake));
    ASSERT(fake != NULL);
    fake->sent = calloc(FAKE_TELEGRAM_SENT_MAX, sizeof(*fake->sent));
    ASSERT(fake->sent != NULL);
    buf_init(&fake->violations, (size_t)256 * 1024);
    fake->next_update = FIRST_UPDATE;
    fake->next_message = FIRST_MESSAGE;
    fake->next_press = 1;
    fake->webhook = fake_telegram_copy("");
    (void)str_copy(str_c(FAKE_TELEGRAM_TOKEN), fake->token, sizeof(fake->token));
    fake->violations_copy = fake_telegram_copy("");
    ASSERT(pthread_mutex_init(&fake->lock, NULL) == 0);
    ASSERT(pthread_cond_init(&fake->wake, NULL) == 0);
    ASSERT(pthread_cond_init(&fake->sent_more, NULL) == 0);
    struct err err = {0};
    int rc = web_start(&(struct web_options){.limits = {.max_body_bytes = FAKE_TELEGRAM_BODY_MAX,
                                                        .idle_timeout_us = 120 * USEC_PER_SEC},
                                             .handler = on_request,
                                             .userdata = fake},
                       &fake->web, &err);
    if (rc < 0) {
        fake_telegram_stop(fake);
        return rc;
    }
    ASSERT(pthread_create(&fake->ticker, NULL, tick, fake) == 0);
    *ret = fake;
    return 0;
}

void fake_telegram_stop(struct fake_telegram *fake)
{
    if (fake == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&fake->lock);
    fake->stopping = true;
    if (fake->poll != NULL) {
        fake_telegram_end_poll(fake);
    }
    fake_telegram_tick_slow(fake, true);
    (void)pthread_cond_signal(&fake->wake);
    (void)pthread_mutex_unlock(&fake->lock);
    if (fake->web != NULL) {
        (void)pthread_join(fake->ticker, NULL);
        web_stop(fake->web);
    }
    for (size_t i = 0; i < fake->update_count; i++) {
        (void)json_object_put(fake->updates[i]);
    }
    (void)json_object_put(fake->past);
    for (size_t i = 0; i < fake->sent_count; i++) {
        free(fake->sent[i].text);
        free(fake->sent[i].buttons);
        free(fake->sent[i].seen);
        (void)json_object_put(fake->sent[i].markup);
    }
    for (size_t i = 0; i < fake->failure_count; i++) {
        free((char *)(uintptr_t)fake->failures[i].method);
        free((char *)(uintptr_t)fake->failures[i].description);
        free((char *)(uintptr_t)fake->failures[i].body);
    }
    free(fake->sent);
    free(fake->webhook);
    free(fake->violations_copy);
    buf_release(&fake->violations);
    (void)pthread_mutex_destroy(&fake->lock);
    (void)pthread_cond_destroy(&fake->wake);
    (void)pthread_cond_destroy(&fake->sent_more);
    free(fake);
}

uint16_t fake_telegram_port(const struct fake_telegram *fake)
{
    return web_port(fake->web);
}

/* -------------------------------------------------------------------------- received calls ---- */

size_t fake_telegram_sent_count(struct fake_telegram *fake)
{
    (void)pthread_mutex_lock(&fake->lock);
    size_t count = fake->sent_count;
    (void)pthread_mutex_unlock(&fake->lock);
    return count;
}

bool fake_telegram_wait_sent(struct fake_telegram *fake, size_t count, int64_t limit_ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += limit_ms / 1000;
    int rc = 0;
    (void)pthread_mutex_lock(&fake->lock);
    while (fake->sent_count <= count && rc == 0) {
        rc = pthread_cond_timedwait(&fake->sent_more, &fake->lock, &until);
    }
    bool more = fake->sent_count > count;
    (void)pthread_mutex_unlock(&fake->lock);
    return more;
}

void fake_telegram_get_sent(struct fake_telegram *fake, size_t index,
                            struct fake_telegram_sent *ret)
{
    (void)pthread_mutex_lock(&fake->lock);
    ASSERT(index < fake->sent_count);
    *ret = fake->sent[index].public;
    (void)pthread_mutex_unlock(&fake->lock);
}

void fake_telegram_menu(struct fake_telegram *fake, int64_t chat, int64_t user, struct buf *out)
{
    (void)pthread_mutex_lock(&fake->lock);
    fake_menu_seen(&fake->menus, chat, user, out);
    (void)pthread_mutex_unlock(&fake->lock);
}

size_t fake_telegram_calls(struct fake_telegram *fake, const char *method)
{
    size_t count = 0;
    (void)pthread_mutex_lock(&fake->lock);
    for (size_t i = 0; i < COUNT_OF(fake->calls); i++) {
        if (strcmp(fake->calls[i].method, method) == 0) {
            count = fake->calls[i].calls;
        }
    }
    (void)pthread_mutex_unlock(&fake->lock);
    return count;
}

const char *fake_telegram_text(struct fake_telegram *fake, int64_t chat, int64_t message_id)
{
    (void)pthread_mutex_lock(&fake->lock);
    const struct fake_telegram_entry *s = fake_telegram_find_message(fake, chat, message_id);
    const char *text = s == NULL ? NULL : s->seen;
    (void)pthread_mutex_unlock(&fake->lock);
    return text;
}

const char *fake_telegram_violations(struct fake_telegram *fake)
{
    (void)pthread_mutex_lock(&fake->lock);
    free(fake->violations_copy);
    fake->violations_copy = fake_telegram_copy(fake->violations.data);
    (void)pthread_mutex_unlock(&fake->lock);
    return fake->violations_copy;
}

void fake_telegram_revoke(struct fake_telegram *fake, const char *token)
{
    (void)pthread_mutex_lock(&fake->lock);
    (void)str_copy(str_c(token), fake->token, sizeof(fake->token));
    fake->revoked = true;
    if (fake->poll != NULL) {
        fake_telegram_answer_json(TAKE(fake->poll),
                                  fake_telegram_failed(401, "Unauthorized", 0, 0));
    }
    (void)pthread_mutex_unlock(&fake->lock);
}

void fake_telegram_set_webhook(struct fake_telegram *fake, const char *url)
{
    (void)pthread_mutex_lock(&fake->lock);
    free(fake->webhook);
    fake->webhook = fake_telegram_copy(url);
    (void)pthread_mutex_unlock(&fake->lock);
}
