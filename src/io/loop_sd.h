/*
 * loop_sd.h: private to src/io: the sd-event behind a loop, for libraries that attach to one.
 *
 *     sd_bus_attach_event(bus, loop_sd_event(loop), SD_EVENT_PRIORITY_NORMAL);
 *
 * Always true: the event is valid as long as the loop; on a fake loop its own timers never fire.
 * Thread: the loop's.
 */
#pragma once

#include "io/loop.h"

struct sd_event;

struct sd_event *loop_sd_event(struct loop *loop);
