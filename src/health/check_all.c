#include "check_all.h"

#include "base/check.h"
#include "health_internal.h"
#include "io/json_out.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_US     (100 * USEC_PER_MSEC)
#define BUTTONS_MAX 2

struct check_all {
    struct health *health;
    struct action_call *call;
    struct loop_source *timer;
    int64_t begun_mono_us;
    int64_t deadline_mono_us;
};

static int64_t now_us(const struct health *health)
{
    return clock_mono_us(loop_clock(health->options.loop));
}

/* A round that began after the command has ended. */
static bool is_fresh(const struct check_all *all, const struct service *s)
{
    return !s->checking && s->check_mono_us >= all->begun_mono_us;
}

/* Worst first: down, flapping, unknown or without a result, up. */
static int badness(const struct check_all *all, const struct service *s)
{
    if (!is_fresh(all, s)) {
        return 1;
    }
    switch (s->state) {
    case SERVICE_DOWN:
        return 3;
    case SERVICE_FLAPPING:
        return 2;
    case SERVICE_UNKNOWN:
        return s->up ? 0 : 1;
    case SERVICE_UP:
        return s->up ? 0 : 2; /* it fails, but not long enough for an alert */
    }
    return 1;
}

static void free_all(struct check_all *all)
{
    loop_source_free(all->timer);
    free(all);
}

static void explain(const struct check_all *all, const struct service *s, struct reply *reply)
{
    bool fresh = is_fresh(all, s);
    AUTO_BUF struct buf needed = BUF_INIT(1024);
    const char *word = !fresh                                  ? "no result"
                       : s->state == SERVICE_UP && !s->up      ? "fails"
                       : s->state == SERVICE_UNKNOWN && !s->up ? "fails"
                                                               : service_state_name(s->state);
    reply_para(reply, "{} {}: {}", cell_text(s->config->name),
               cell_state(word, badness(all, s) >= 3 ? TONE_BAD : TONE_WARN),
               cell_text(fresh ? s->detail : "its checks timed out"));
    if (s->failures > 0) {
        reply_item(reply, "failures in a row: {}, for {}", cell_count(s->failures),
                   cell_duration(now_us(all->health) - s->failing_mono_us));
    }
    if (s->child.restarts > 0) {
        reply_item(reply, "ended by itself: {}×", cell_count(s->child.restarts));
    }
    if (s->cause[0] != '\0') {
        reply_item(reply, "because {} is down", cell_text(s->cause));
    }
    health_add_dependents(s, &needed);
    if (needed.len > 0) {
        reply_item(reply, "needed by {}", cell_text(needed.data));
    }
}

static void add_buttons(const struct service *s, struct reply *reply)
{
    AUTO_BUF struct buf line = BUF_INIT(128);
    bool has_log = s->config->unit[0] != '\0' || s->config->command.count > 0;
    if (has_log) {
        buf_addf(&line, "/logs %s", s->config->name);
        reply_button(reply, line.data, line.data, BUTTON_PLAIN);
        buf_clear(&line);
        buf_addf(&line, "/restart %s", s->config->name);
        reply_button(reply, line.data, line.data, BUTTON_PLAIN);
    }
}

static void add_data(const struct check_all *all, const struct service *s, struct json_out *data)
{
    json_out_object(data, NULL);
    json_out_text(data, "name", s->config->name);
    json_out_text(data, "state", service_state_name(s->state));
    json_out_bool(data, "checked", is_fresh(all, s));
    json_out_bool(data, "passed", is_fresh(all, s) && s->up);
    json_out_text(data, "detail", s->detail);
    json_out_i64(data, "failures", s->failures);
    json_out_i64(data, "latency_us", s->latency_us);
    json_out_end(data);
}

static void show(const struct check_all *all)
{
    struct health *health = all->health;
    struct reply *reply = action_reply(all->call);
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    AUTO_BUF struct buf well = BUF_INIT((size_t)64 * 1024);
    int worst = 0, bad = 0, buttons = 0;
    json_out_array(&data, "checked");
    for (int level = 3; level >= 0; level--) {
        for (size_t i = 0; i < health->count; i++) {
            const struct service *s = health->services[i];
            if (badness(all, s) != level) {
                continue;
            }
            worst = level > worst ? level : worst;
            add_data(all, s, &data);
            if (level == 0) {
                buf_addf(&well, "%s%s", well.len == 0 ? "" : ", ", s->config->name);
                continue;
            }
            bad++;
            explain(all, s, reply);
            if (buttons++ < BUTTONS_MAX) {
                add_buttons(s, reply);
            }
        }
    }
    json_out_end(&data);
    if (well.len > 0) {
        reply_para(reply, "Up: {}", cell_text(well.data));
    }
    size_t up = health->count - (size_t)bad;
    reply_title(reply,
                worst == 0   ? TONE_GOOD
                : worst == 3 ? TONE_BAD
                             : TONE_WARN,
                "Checked now: %zu/%zu services up", up, health->count);
    action_output(all->call, "up", "%zu", up);
    action_output(all->call, "failed", "%d", bad);
}

static void look(void *userdata)
{
    struct check_all *all = userdata;
    size_t fresh = 0;
    for (size_t i = 0; i < all->health->count; i++) {
        fresh += is_fresh(all, all->health->services[i]) ? 1 : 0;
    }
    if (fresh < all->health->count && now_us(all->health) < all->deadline_mono_us) {
        action_progress(all->call, "%zu of %zu services checked", fresh, all->health->count);
        loop_timer_in(all->timer, LOOK_US);
        return;
    }
    struct action_call *call = all->call;
    show(all);
    free_all(all);
    action_set_state(call, NULL);
    action_finish(call, NULL);
}

static int check(struct action_call *call, struct err *err)
{
    (void)err;
    struct health *health = action_userdata(call);
    struct check_all *all = calloc(1, sizeof(*all));
    ASSERT(all != NULL);
    all->health = health;
    all->call = call;
    all->begun_mono_us = now_us(health);
    all->deadline_mono_us = all->begun_mono_us + action_duration_us(call, "within");
    all->timer = loop_add_timer(health->options.loop, look, all);
    loop_source_name(all->timer, "health check");
    for (size_t i = 0; i < health->count; i++) {
        service_check_soon(health->services[i]);
    }
    action_set_state(call, all);
    loop_timer_in(all->timer, 0);
    return ACTION_PENDING;
}

static void cancel(struct action_call *call)
{
    struct check_all *all = action_state(call);
    if (all != NULL) {
        free_all(all);
    }
}

const struct action check_all_actions[] = {
    {.name = "health.check",
     .summary = "Check every service now, and explain what fails, worst first",
     .data = "checked",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .outputs = "up failed",
     .waits_us = 20 * USEC_PER_SEC,
     .params = ACTION_PARAMS({.name = "within",
                              .type = PARAM_DURATION,
                              .waits = true,
                              .default_text = "20s",
                              .minimum = "1s",
                              .maximum = "2m",
                              .help = "how long to wait for the results"}),
     .run = check,
     .cancel = cancel},
    {0},
};
