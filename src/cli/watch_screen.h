/*
 * watch_screen.h: the screen of `nightdesk watch` as text.
 *
 *     struct watch_data data = {.state = state, .alerts = alerts, .decisions = decisions};
 *     watch_screen(&data, &(struct watch_size){80, 24, true}, &out);
 *
 * Always true: at most `rows` lines of at most `columns` columns, each ended by a line feed; no
 * escape sequence without colour. What does not fit is left out from below, and the screen says so.
 * Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "io/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct watch_data {
    struct json_object *state;     /* nightdesk.state; NULL: not known */
    struct json_object *alerts;    /* nightdesk.alerts; NULL: not known */
    struct json_object *decisions; /* nightdesk.decisions with votes; NULL: not known */
    int64_t now_us;                /* wall clock */
    int64_t lost_us;               /* since when the daemon does not answer; 0: it does */
    const char *footer;            /* "q quits"; NULL: none */
};

struct watch_size {
    size_t columns;
    size_t rows; /* 0: as many as needed */
    bool colour;
};

void watch_screen(const struct watch_data *data, const struct watch_size *size, struct buf *out);
