#include "schedule.h"

#include "base/check.h"
#include "base/hash.h"
#include "command/manifest.h"

#include <time.h>

#define RETRY_US        (30 * USEC_PER_SEC)
#define MINUTES_PER_DAY (24 * 60)

/* An update id is the hash of the command's name and the number of the slot. A slot is counted in
 * minutes; 26 bits last until 2097. */
#define SLOT_BITS 26
#define SLOT_MASK ((INT64_C(1) << SLOT_BITS) - 1)

struct schedule {
    struct schedule_options o;
    size_t count;
    size_t capacity;
    int64_t *last; /* the update id of the newest slot of each command that was submitted */
    int64_t retry_mono_us;
};

struct schedule *schedule_new(const struct schedule_options *options)
{
    struct schedule *schedule = calloc(1, sizeof(*schedule));
    ASSERT(schedule != NULL);
    schedule->o = *options;
    return schedule;
}

void schedule_free(struct schedule *schedule)
{
    if (schedule != NULL) {
        free(schedule->last);
        free(schedule);
    }
}

/* Folded to the bits that the slot leaves free. */
static int64_t hash_name(const char *name)
{
    uint64_t hash = hash_add(HASH_BEGIN, name, strlen(name));
    return (int64_t)((hash ^ (hash >> 32)) >> (SLOT_BITS + 1)) << SLOT_BITS;
}

/* The time of day on the local day of *day, and that day's number in minutes. */
static int64_t time_at(struct tm day, int minutes, int64_t *ret_slot)
{
    day.tm_hour = minutes / 60;
    day.tm_min = minutes % 60;
    day.tm_sec = 0;
    day.tm_isdst = -1;
    struct tm date = {.tm_year = day.tm_year, .tm_mon = day.tm_mon, .tm_mday = day.tm_mday};
    *ret_slot = (int64_t)timegm(&date) / 60 + minutes;
    return (int64_t)mktime(&day) * USEC_PER_SEC;
}

/* The newest slot that has begun; -1 if none is due. */
static int64_t slot_of_times(const struct manifest_schedule *times, int64_t now_wall_us)
{
    time_t now_s = (time_t)(now_wall_us / USEC_PER_SEC);
    for (int days_ago = 0; days_ago < 2; days_ago++) { /* 23:59 may be due just after midnight */
        struct tm day;
        if (localtime_r(&now_s, &day) == NULL) {
            return -1;
        }
        day.tm_mday -= days_ago;
        day.tm_hour = 12; /* exists on every day, whatever the clocks do */
        day.tm_isdst = -1;
        (void)mktime(&day);
        /* Not always in order: 02:30 is due at 03:30 on the day on which the clocks go forward. */
        int64_t newest_us = INT64_MIN, newest = -1;
        for (int i = 0; i < times->at_count; i++) {
            int64_t slot;
            int64_t due_us = time_at(day, times->at_minutes[i], &slot);
            if (due_us <= now_wall_us && due_us > newest_us) {
                newest_us = due_us;
                newest = slot;
            }
        }
        if (newest >= 0) {
            return now_wall_us - newest_us <= SCHEDULE_GRACE_US ? newest : -1;
        }
    }
    return -1;
}

static int64_t slot_now(const struct manifest_schedule *schedule, int64_t now_wall_us)
{
    if (schedule->every_us > 0) {
        return now_wall_us / schedule->every_us * schedule->every_us / USEC_PER_MIN;
    }
    return slot_of_times(schedule, now_wall_us);
}

/* The place for the newest update id of this command. */
static int64_t *find_last(struct schedule *schedule, int64_t id)
{
    for (size_t i = 0; i < schedule->count; i++) {
        if ((schedule->last[i] & ~SLOT_MASK) == (id & ~SLOT_MASK)) {
            return &schedule->last[i];
        }
    }
    if (schedule->count == schedule->capacity) {
        schedule->capacity = schedule->capacity == 0 ? 16 : 2 * schedule->capacity;
        schedule->last = reallocarray(schedule->last, schedule->capacity, sizeof(int64_t));
        ASSERT(schedule->last != NULL);
    }
    schedule->last[schedule->count] = id & ~SLOT_MASK;
    return &schedule->last[schedule->count++];
}

void schedule_tick(struct schedule *schedule, int64_t now_wall_us, int64_t now_mono_us)
{
    const struct manifest *m;
    if (now_wall_us < 0 || now_mono_us < schedule->retry_mono_us) {
        return;
    }
    for (size_t i = 0; (m = manifest_at(schedule->o.manifests, i)) != NULL; i++) {
        if (m->schedule.every_us == 0 && m->schedule.at_count == 0) {
            continue;
        }
        int64_t slot = slot_now(&m->schedule, now_wall_us);
        int64_t id = hash_name(m->name) | (slot & SLOT_MASK);
        int64_t *last = find_last(schedule, id);
        if (slot <= 0 || *last == id) {
            continue;
        }
        if (schedule->o.submit(m, id, schedule->o.userdata) < 0) {
            schedule->retry_mono_us = now_mono_us + RETRY_US;
            return;
        }
        *last = id;
    }
}
