/*
 * telegram_stuck.h: watches that the messages to each chat move on, and raises the alert
 * "telegram:stuck" if the oldest one of a chat has waited for telegram.stuck_after although polls
 * complete. Private to this module.
 *
 *     stuck = telegram_stuck_new(send); telegram_stuck_start(stuck);
 *
 * The evidence names the cause: "message" (others are delivered, only this one fails), "limit"
 * (Telegram asked us to wait), "server" (it takes no message at all). While polls fail there is
 * another alert, telegram:poll-stalled. The time counts from when this process first saw the
 * message in front. Thread: ops.
 */
#pragma once

struct telegram_send;
struct telegram_stuck;

struct telegram_stuck *telegram_stuck_new(struct telegram_send *send); /* never NULL */
void telegram_stuck_free(struct telegram_stuck *stuck);                /* accepts NULL */
void telegram_stuck_start(struct telegram_stuck *stuck);
