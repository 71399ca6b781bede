/*
 * forecast_show.h: /forecast: the forecasts of the next week as they are now, how often those of
 * the past held, and the quietest hours of the week. Private to this module.
 *
 *     action_table_add(table, forecast_actions, health);
 *
 * A helper reads and computes (forecast_read), the loop shows it (forecast_show).
 * Thread: ops; forecast_read: a helper.
 */
#pragma once

#include "command/file_job.h"
#include "config/config.h"
#include "forecast_list.h"
#include "quiet.h"

#include <stdbool.h>

extern const struct action forecast_actions[]; /* userdata: struct health */

struct forecast_view {
    struct file_job job; /* first; it makes no file */
    int64_t now_us;
    char zone_name[64];
    int64_t market_speed;
    bool one; /* a service alone: no quiet hours */
    struct config_symbols symbols;
    struct forecast_list *list; /* in the same block */

    /* Set by the helper. */
    bool looked; /* for quiet hours */
    char zone_label[64];
    int64_t next_us; /* when the quiet hours begin next */
    struct quiet quiet;
};

int forecast_read(struct file_job *job, struct err *err);
void forecast_show(const struct file_job *job, struct reply *reply);
