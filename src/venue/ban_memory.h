/*
 * ban_memory.h: a ban by a venue as a text that outlives the process. A ban that is asked into
 * becomes longer, and a new process would not know of it.
 *
 *     ban_print(&now, left_us, text);                 // "1796… 600000000 4711… 5d0f…"
 *     rc = ban_left(text, &now, &left_us);            // by another process, later
 *
 * Always true: the ban never lasts longer than it did when it was written. Within one boot of the
 * machine the time since then is counted, whatever was done to its clock. After another boot only
 * the clock is left: one that was set back ends no ban sooner and makes none longer, and one that
 * was set forward by less than BAN_SPARE_US does not end it too soon.
 * Thread: any.
 */
#pragma once

#include "base/clock.h"

#include <stdint.h>

/* The longest known bans last three days. */
#define BAN_MAX_US    (4 * USEC_PER_DAY)
#define BAN_SPARE_US  (30 * USEC_PER_SEC)
#define BAN_BOOT_SIZE 40
#define BAN_TEXT_SIZE 112

struct ban_now {
    int64_t wall_us;
    int64_t boot_us;          /* since the machine has started, also while it slept */
    char boot[BAN_BOOT_SIZE]; /* of this start; "": not known */
};

void ban_read_now(struct ban_now *ret);
void ban_print(const struct ban_now *now, int64_t left_us, char ret[BAN_TEXT_SIZE]);
/* 0: it is over. -1: that is no such text. */
int ban_left(const char *text, const struct ban_now *now, int64_t *ret_left_us);
