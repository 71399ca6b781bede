#include "service_list.h"

#include "base/auto.h"
#include "base/check.h"
#include "health_internal.h"
#include "heartbeat.h"
#include "io/json_out.h"

static enum tone tone_of(enum service_state state)
{
    switch (state) {
    case SERVICE_UP:
        return TONE_GOOD;
    case SERVICE_DOWN:
        return TONE_BAD;
    case SERVICE_UNKNOWN:
    case SERVICE_FLAPPING:
        return TONE_WARN;
    }
    return TONE_PLAIN;
}

#define URL_SHOWN_US (5 * USEC_PER_MIN)

/* The URL is a secret: an admin sees it where nobody else does, and where no reply is stored. */
static bool may_see_urls(const struct action_call *call)
{
    const struct principal *who = action_who(call);
    return who->role == ROLE_ADMIN &&
           (who->channel == CHANNEL_CONSOLE || who->channel == CHANNEL_SOCKET ||
            (who->channel == CHANNEL_TELEGRAM && action_chat_id(call) == who->id));
}

/* What a job calls, at the port of the API or, without one, at its socket. */
static void add_url(struct buf *out, struct check *check)
{
    int64_t port = check_health(check)->options.config->api_port;
    if (port != 0) {
        buf_addf(out, "http://127.0.0.1:%lld", (long long)port);
    } else {
        buf_add_c(out, "http://localhost");
    }
    buf_addf(out, "/ping/%s", heartbeat_key(check));
}

static void add_checks(struct json_out *data, const struct service *s, bool urls)
{
    json_out_array(data, "checks");
    for (size_t i = 0; i < s->check_count; i++) {
        struct check *check = s->checks[i];
        int64_t ago_us = s->checked_mono_us - check->checked_mono_us;
        json_out_object(data, NULL);
        json_out_text(data, "name", check->config.name);
        json_out_text(data, "kind", check->kind->name);
        json_out_text(data, "state", check_result_name(check->result));
        json_out_time(data, "checked_at", check->checked_mono_us != 0 ? s->checked_us - ago_us : 0);
        json_out_i64(data, "latency_us", check->latency_us);
        json_out_text(data, "detail", check->reason);
        if (urls && check->kind == &check_heartbeat) {
            AUTO_BUF struct buf url = BUF_INIT(128);
            add_url(&url, check);
            json_out_text(data, "url", url.data);
        }
        json_out_end(data);
    }
    json_out_end(data);
}

static void begin_service(struct json_out *data, const struct service *s)
{
    json_out_object(data, NULL);
    json_out_text(data, "name", s->config->name);
    json_out_text(data, "kind", service_kind(s));
    json_out_text(data, "colour", s->colour);
    json_out_text(data, "state", service_state_name(s->state));
    json_out_time(data, "since", s->since_us);
    json_out_time(data, "checked_at", s->checked_us);
    json_out_i64(data, "latency_us", s->latency_us);
    json_out_i64(data, "failures", s->failures);
    json_out_i64(data, "restarts", s->child.restarts);
    json_out_i64(data, "pid", s->child.process != NULL ? process_pid(s->child.process) : 0);
    json_out_text(data, "detail", s->detail);
}

static void add_service(struct json_out *data, const struct service *s)
{
    begin_service(data, s);
    json_out_end(data);
}

static void list_all(struct action_call *call, const struct health *health)
{
    struct reply *reply = action_reply(call);
    int64_t now_mono_us = clock_mono_us(loop_clock(health->options.loop));
    size_t up = health_up(health);
    enum tone tone = TONE_GOOD;
    for (size_t i = 0; i < health->count; i++) {
        enum tone one = tone_of(health->services[i]->state);
        tone = one > tone ? one : tone;
    }
    reply_title(reply, tone, "Services %zu/%zu up", up, health->count);
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    json_out_array(&data, "services");
    if (health->count > 0) {
        reply_columns(reply, "name", "kind", "state", "for", "checked ago", "latency");
    }
    for (size_t i = 0; i < health->count; i++) {
        const struct service *s = health->services[i];
        reply_cells(reply, cell_text(s->config->name), cell_text(service_kind(s)),
                    cell_state(service_state_name(s->state), tone_of(s->state)),
                    s->since_us == 0 ? cell_none() : cell_duration(now_mono_us - s->since_mono_us),
                    s->checked_us == 0 ? cell_none()
                                       : cell_duration(now_mono_us - s->checked_mono_us),
                    s->state == SERVICE_UP ? cell_ms((double)s->latency_us / 1e3) : cell_none());
        add_service(&data, s);
    }
    json_out_end(&data);
    for (size_t i = 0; i < health->count; i++) {
        const struct service *s = health->services[i];
        if (s->colour[0] != '\0') {
            reply_item(reply, "{}: {} is live", cell_text(s->config->name), cell_text(s->colour));
        }
        if (s->state != SERVICE_UP) {
            reply_item(reply, "{}: {}", cell_text(s->config->name), cell_text(s->detail));
        }
    }
}

/* Of a check that waits for an answer. */
static bool has_latency(const struct check *check)
{
    return check->latency_us > 0 && (check->kind == &check_url || check->kind == &check_tcp ||
                                     check->kind == &check_command);
}

static enum tone tone_of_check(enum check_result result)
{
    return result == CHECK_PASSED ? TONE_GOOD : result == CHECK_FAILED ? TONE_BAD : TONE_WARN;
}

static void list_urls(struct action_call *call, const struct service *s)
{
    struct reply *reply = action_reply(call);
    for (size_t i = 0; i < s->check_count; i++) {
        struct check *check = s->checks[i];
        if (check->kind == &check_heartbeat && may_see_urls(call)) {
            AUTO_BUF struct buf url = BUF_INIT(128);
            add_url(&url, check);
            reply_line(reply,
                       "The job of %s calls this at its end, with /start and /fail as it is:",
                       check->config.name);
            reply_line(reply, "%s", url.data);
            reply_protect(reply);
            reply_conceal(reply, URL_SHOWN_US);
        } else if (check->kind == &check_heartbeat && action_who(call)->role == ROLE_ADMIN) {
            reply_line(reply,
                       "What the job of %s calls is shown in a private chat and on the console.",
                       check->config.name);
        }
    }
}

/* What a person at a phone wants to know of one service: how it is, since when, and why. */
static void list_one(struct action_call *call, const struct service *s)
{
    struct reply *reply = action_reply(call);
    int64_t now_mono_us = clock_mono_us(loop_clock(s->health->options.loop));
    reply_title(reply, tone_of(s->state), "%s is %s", s->config->name,
                service_state_name(s->state));
    if (s->since_us != 0) {
        reply_field(reply, "Since", "{}", cell_duration(now_mono_us - s->since_mono_us));
    }
    if (s->colour[0] != '\0') {
        reply_field(reply, "Live", "{}", cell_text(s->colour));
    }
    if (s->state == SERVICE_FLAPPING || s->state == SERVICE_DOWN) {
        reply_field(reply, "Reason", "{}", cell_text(s->detail));
    }
    if (s->cause[0] != '\0') {
        reply_field(reply, "Cause", "{}", cell_text(s->cause));
    }
    reply_columns(reply, "check", "kind", "state", "checked ago", "latency");
    for (size_t i = 0; i < s->check_count; i++) {
        const struct check *check = s->checks[i];
        reply_cells(reply, cell_text(check->config.name), cell_text(check->kind->name),
                    cell_state(check_result_name(check->result), tone_of_check(check->result)),
                    check->checked_mono_us == 0
                        ? cell_none()
                        : cell_duration(now_mono_us - check->checked_mono_us),
                    has_latency(check) ? cell_ms((double)check->latency_us / 1e3) : cell_none());
    }
    for (size_t i = 0; i < s->check_count; i++) {
        const struct check *check = s->checks[i];
        if (check->result != CHECK_PASSED) {
            reply_item(reply, "{}: {}", cell_text(check->config.name), cell_text(check->reason));
        }
    }
    list_urls(call, s);
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    json_out_array(&data, "services");
    begin_service(&data, s);
    add_checks(&data, s, may_see_urls(call));
    json_out_end(&data);
    json_out_end(&data);
}

int service_list(struct action_call *call, struct err *err)
{
    struct health *health = action_userdata(call);
    const char *name = action_text(call, "service");
    if (name == NULL || name[0] == '\0') {
        list_all(call, health);
        return ACTION_DONE;
    }
    const struct service *s = health_find(health, name, err);
    if (s == NULL) {
        return -ERR_SERVICE_UNKNOWN;
    }
    list_one(call, s);
    return ACTION_DONE;
}

int service_show_state(struct action_call *call, struct err *err)
{
    const struct service *s = health_find(action_userdata(call), action_text(call, "service"), err);
    if (s == NULL) {
        return -ERR_SERVICE_UNKNOWN;
    }
    struct reply *reply = action_reply(call);
    reply_title(reply, tone_of(s->state), "%s is %s", s->config->name,
                service_state_name(s->state));
    if (s->detail[0] != '\0') {
        reply_line(reply, "%s", s->detail);
    }
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    json_out_array(&data, "services");
    add_service(&data, s);
    json_out_end(&data);
    action_output(call, "state", "%s", service_state_name(s->state));
    action_output(call, "failures", "%d", s->failures);
    action_output(call, "latency_ms", "%lld", (long long)(s->latency_us / USEC_PER_MSEC));
    action_output(call, "pid", "%d",
                  s->child.process != NULL ? (int)process_pid(s->child.process) : 0);
    return ACTION_DONE;
}
