/*
 * live.h: /status live: a message with the status that is pinned and edited until it is ended.
 * Private to this module.
 *
 *     desk->live = live_new(desk);                 // goes on with those of the last process
 *     rc = live_switch(desk, call, true, err);     // /status live, /status live off
 *
 * Always true: a chat has one live message; it is edited at most every 15 s, and only when its text
 * has changed, apart from its time. It ends by /status live off, when it was deleted, when the bot
 * may not pin, when the person may not receive messages any more or the chat cannot be reached; the
 * chat gets the reason where possible. After a crash the same message goes on being edited, and is
 * not pinned again; only if it may not have arrived, a new one is sent. Thread: ops.
 */
#pragma once

#include "command/action.h"

struct desk;
struct live;

struct live *live_new(struct desk *desk); /* never NULL */
void live_free(struct live *live);        /* accepts NULL */
int live_switch(struct desk *desk, struct action_call *call, bool on, struct err *err);
