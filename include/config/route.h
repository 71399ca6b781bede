/*
 * route.h: one item of alerts.routes or alerts.escalate, and the hours of alerts.quiet_hours, as
 * values.
 *
 *     struct config_route route;
 *     if (config_route_parse("entry, exit to -100123/17", &route)) ...
 *
 * Thread: any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct config_route {
    uint32_t kinds; /* bits 1u << enum notice_kind */
    char role[16];  /* the private chats of the people with this role; "": chat_id */
    int64_t chat_id;
    int64_t topic; /* 0: none */
};

/* One step of alerts.escalate: "30m alice". */
struct config_step {
    int64_t after_us;
    char to[64]; /* "mail" "webhook" "role:admin", the name of a user, or "": chat_id */
    int64_t chat_id;
};
bool config_step_parse(const char *text, struct config_step *ret);

bool config_route_parse(const char *text, struct config_route *ret);
/* "22:30-07:00" as minutes of the day; false if it is something else or has no length. */
bool config_quiet_parse(const char *text, int *ret_from, int *ret_to);
