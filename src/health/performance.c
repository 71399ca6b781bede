#include "performance.h"

#include "base/check.h"
#include "config/config.h"
#include "health_internal.h"
#include "io/loop.h"
#include "trading/desk.h"

#include <stdlib.h>
#include <string.h>

static void copy_subject(const struct metric_subject *from, struct performance_subject *to)
{
    memcpy(to->name, from->name, sizeof(to->name));
    to->kind = from->kind;
    to->has = from->has | from->checked;
    memcpy(to->now, from->value, sizeof(to->now));
    memcpy(to->alarms, from->alarms, sizeof(to->alarms));
}

static int find_only(const struct health *health, const char *service)
{
    for (size_t i = 0; service != NULL && i < health->count; i++) {
        if (strcmp(health->services[i]->config->name, service) == 0) {
            return (int)(SUBJECT_SERVICE + i);
        }
    }
    return -1;
}

static void fill(const struct health *health, const struct snapshot *s, struct performance *p)
{
    const struct metrics *m = health->metrics;
    const struct config *config = health->options.config;
    const char *theme = config->charts_theme, *zone = config->alerts_timezone;
    p->now_us = clock_wall_us(loop_clock(m->o.loop));
    p->age_us = m->sampled_us == 0 ? -1 : clock_mono_us(loop_clock(m->o.loop)) - m->sampled_mono_us;
    p->theme = theme != NULL && strcmp(theme, "dark") == 0 ? CHART_DARK : CHART_LIGHT;
    (void)str_copy(str_c(zone == NULL ? "" : zone), p->zone, sizeof(p->zone));
    p->market_speed = s->market_speed;
    p->check_us = config->monitoring_check_interval_us;
    p->interval_us = config->monitoring_metrics_interval_us;
    p->disk_hangs = m->disk_alarm.open;
    p->count = m->count;
    p->service_count = health->count;
    for (size_t i = 0; i < m->count; i++) {
        copy_subject(&m->subjects[i], &p->subjects[i]);
        if (m->subjects[i].kind == SUBJECT_SERVICE) {
            (void)str_copy(str_c(health->services[i - SUBJECT_SERVICE]->config->name),
                           p->subjects[i].service, sizeof(p->subjects[i].service));
        }
    }
}

int performance_run(struct action_call *call, void *userdata, struct err *err)
{
    const struct health *health = userdata;
    struct desk *desk = action_userdata(call);
    const char *service = action_text(call, "service");
    if (health->metrics == NULL) {
        reply_title(action_reply(call), TONE_PLAIN, "Nothing is measured here");
        return ACTION_DONE;
    }
    struct performance *p = calloc(1, sizeof(*p) + health->metrics->count * sizeof(p->subjects[0]));
    ASSERT(p != NULL);
    fill(health, desk_snapshot(desk), p);
    p->days = action_value(call, "days") == NULL ? 1 : action_int(call, "days");
    p->only = find_only(health, service);
    p->job.make = performance_read;
    p->job.show = performance_show;
    p->job.file =
        (struct attachment_new){.name = "system.png", .media_type = "image/png", .image = true};
    return file_job_start(health->options.helpers, health->options.state_dir, call, &p->job, err);
}

void performance_cancel(struct action_call *call)
{
    file_job_cancel(call);
}
