/*
 * schedule.h: runs the commands whose manifest has `every` or `at`. Private to this module.
 *
 *     struct schedule *s = schedule_new(&(struct schedule_options){
 *         .manifests = manifests, .submit = submit, .userdata = ops});
 *     each second: schedule_tick(s, clock_wall_us(clock), clock_mono_us(clock));
 *
 * A command is due once in each slot. `every: 1h` has a slot for each full hour (UTC); if the
 * process was not running at its beginning, the command runs as soon as it is. `at: "07:30"` has a
 * slot for each day of the local calendar; it is skipped if its time passed more than
 * SCHEDULE_GRACE_US ago.
 * Invariants: a slot runs at most once, also across restarts and clock changes, because its number
 * is the update id of the invocation (runner.h). If it cannot be stored, it is submitted again.
 * Thread: ops.
 */
#pragma once

#include "base/clock.h"

#include <stdint.h>

#define SCHEDULE_GRACE_US (10 * USEC_PER_MIN)

struct manifest;
struct manifest_list;
struct schedule;

struct schedule_options {
    const struct manifest_list *manifests;
    /* Negative: the invocation could not be stored; it is repeated with the same id. */
    int (*submit)(const struct manifest *m, int64_t update_id, void *userdata);
    void *userdata;
};

struct schedule *schedule_new(const struct schedule_options *options); /* never NULL */
void schedule_free(struct schedule *schedule);
void schedule_tick(struct schedule *schedule, int64_t now_wall_us, int64_t now_mono_us);
