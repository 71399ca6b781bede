/*
 * metric_alarm.h: the alerts about measured values: limits that are passed, and growth that leads
 * to one (trend.h).
 *
 *     metric_alarms_look(metrics);              // after each sample
 *     metric_alarms_judge(metrics);             // starts a helper that looks for trends
 *     metric_alarms_forget(metrics, subject);   // the service is gone
 *
 * Always true: an alarm opens when its condition has held ALARM_TIMES times in a row and closes
 * when a weaker one has failed as often, so that a value at the limit gives one alert; a value that
 * is missing changes nothing. The alerts are "metric:<subject>:<what>". Thread: ops.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct metric_subject;
struct metrics;

#define ALARM_TIMES 3

enum metric_alarm_id {
    ALARM_DISK,
    ALARM_INODES,
    ALARM_MEMORY,
    ALARM_FILES,
    ALARM_OOM,
    ALARM_DISK_TREND,
    ALARM_INODES_TREND,
    ALARM_MEMORY_TREND,
    METRIC_ALARMS
};

struct metric_alarm {
    bool open;             /* or may be: a process before this one may have opened it */
    bool settled;          /* looked at since the start: open is true or false */
    bool grave;            /* raised as critical */
    int streak;            /* times in a row that it should change */
    int64_t until_mono_us; /* of ALARM_OOM: closes then */
    /* Of a trend, for people: when it is full. */
    double left_s, soonest_s, latest_s; /* INFINITY: never */
    bool known;                         /* there were enough points */
};

void metric_alarms_look(struct metrics *metrics);
void metric_alarms_judge(struct metrics *metrics);
void metric_alarms_forget(struct metrics *metrics, struct metric_subject *subject);
/* Any of them is open. */
bool metric_alarms_open(const struct metric_subject *subject);
