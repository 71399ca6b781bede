/*
 * faster.h: this process lives so many times as fast as the machine: its clocks, the timers of its
 * loops and the limits of its HTTP requests. The fake of the venue has to live as fast
 * (fake_venue_start_fast), so that all waits between both are as long as they are in real trading.
 *
 *     faster_begin(10, since_s, 3);        // in the process that trades, before it has threads
 *
 * The functions that it replaces are named in the Makefile (--wrap). Thread: main, before others.
 */
#pragma once

#include "base/clock.h"

/* since_s: when (wall) the fast time was the real one. A venue's limits of requests hold so many
 * times as much: trading that takes a day passes in minutes here. */
void faster_begin(int64_t times, int64_t since_s, int64_t limits);
/* Of a wait by its clock, what the machine has to wait. */
int64_t faster_real_us(int64_t us);
